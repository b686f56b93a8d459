// What the nodes on ALSA devices have in common: parameters, statistics, states.
#pragma once

#include <sluice/sluice.hpp>

#include "offered.hpp"

namespace alsa {

inline constexpr const char* kFormats[] = {"auto", "f32", "s16", "s24", "s32"};

// The state of the device, as the gauge device_state says it.
enum class DeviceState : uint8_t { kAbsent, kOpening, kRunning, kLost };
inline constexpr const char* kDeviceStateText =
    "The device: 0 absent, 1 opening, 2 running, 3 lost.";

// How often an absent device is looked for.
inline constexpr int64_t kLookNs = 250'000'000;

inline constexpr sluice_parameter kBufferFrames = sluice::integer(
    "buffer_frames", "frames", 16, 65536, 512,
    "Frames that the device hands over at once (its period); the nearest it has is taken.");
inline constexpr sluice_parameter kPeriods =
    sluice::integer("periods", nullptr, 2, 64, 4,
                    "How many times that is the device's buffer; fewer are less latency, more "
                    "stand a busier machine.");

// "format" as a sample format; SLUICE_SAMPLE_UNSET for auto.
constexpr sluice_sample_format chosen_format(uint32_t choice) {
  return choice == 0 ? sluice_sample_format{SLUICE_SAMPLE_UNSET} : sluice_sample_format{choice};
}

}  // namespace alsa
