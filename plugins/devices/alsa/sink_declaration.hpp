// What sink.alsa shows of itself: description, parameters, statistics, port.
#pragma once

#include <sluice/sluice.hpp>

#include "declaration.hpp"

namespace alsa {

inline constexpr const char* kWhenAbsent[] = {"play-on", "hold"};

struct SinkDeclaration {
  static constexpr sluice::Info kInfo{
      "sink.alsa", "ALSA playback",
      "Plays into an ALSA device by its name. The device is kept full, a period at a time; behind "
      "a "
      "bridge frames are handed on as they come, into two periods, and what the device holds is a "
      "part of what lies between the clocks. Where frames are missing it gets silence, faded out "
      "and in. A device that is absent or "
      "busy is waited for, and one that went away is taken up again within a second of its return, "
      "faded in; meanwhile all else plays on. Rates are not converted inside ALSA, and sample "
      "formats and channels only if it has none that Sluice speaks."};
  enum Parameter : uint32_t { kDevice, kRateHz, kChannels, kFormat, kBuffer, kCount, kAbsent };
  static constexpr sluice_parameter kParameters[] = {
      sluice::claiming(
          sluice::text("device", "default",
                       "Name of an ALSA PCM: default, hw:CARD=PCH,DEV=0, or one of an asoundrc."),
          "playback device"),
      sluice::integer("rate_hz", "Hz", 0, SLUICE_MAX_RATE_HZ, 0,
                      "Frames per second; 0 for the rate that comes, or else one the device has."),
      sluice::integer("channels", nullptr, 0, SLUICE_MAX_CHANNELS, 0,
                      "Number of channels; 0 for as many as come, or else what the device has."),
      sluice::choice("format", alsa::kFormats, 0,
                     "Sample format; auto is the one that comes, or else one the device has."),
      alsa::kBufferFrames,
      alsa::kPeriods,
      sluice::choice("when_absent", kWhenAbsent, 0,
                     "While there is no device: play-on goes on at the pace of the clock, unheard; "
                     "hold waits, and with it everything in front that can wait.")};
  enum Statistic : uint32_t {
    kFrames,
    kUnderruns,
    kUnderrunFrames,
    kXruns,
    kLostFrames,
    kLosses,
    kDeviceState,
    kPeriodFrames,
    kDeviceBufferFrames,
    kDelayMs,
    kRatePpm
  };
  static constexpr sluice_statistic kStatistics[] = {
      sluice::counter("frames", "frames", "Frames played."),
      sluice::counter("underruns", nullptr, "How often frames were missing when they were due."),
      sluice::counter("underrun_frames", "frames", "Frames that were missing when they were due."),
      sluice::counter("xruns", nullptr, "How often the device ran dry since it was fed too late."),
      sluice::counter("lost_frames", "frames", "Frames of silence that it played so."),
      sluice::counter("losses", nullptr, "How often the device went away."),
      sluice::gauge("device_state", nullptr, alsa::kDeviceStateText),
      sluice::gauge("period_frames", "frames", "Frames the device takes at once, as granted."),
      sluice::gauge("device_buffer_frames", "frames", "The device's buffer, as granted."),
      sluice::gauge("delay_ms", "ms", "From here to the loudspeaker, as the device says."),
      sluice::gauge("rate_ppm", "ppm", "The device's clock against the system's.")};
  static constexpr sluice_port kPorts[] = {
      sluice::input("in", "What is to be played.", sluice::kOfferAny, 0, SLUICE_CLOCK_DEVICE)};
};

}  // namespace alsa
