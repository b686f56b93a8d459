// What the presets of sink.tcp stand for.
#pragma once

#include <cstdint>

namespace sluice {

// How much audio sink.tcp keeps in hand, and in which pieces it sends.
struct Buffering {
  uint32_t chunk_frames = 480;
  double level_ms = 0, minimum_ms = 0, maximum_ms = 0;  // in hand: at first, at least, at most
  bool is_adaptive = false;
};

enum class Preset : uint32_t { kCustom, kEthernet, kWifi, kWifiPoor };
inline constexpr const char* kPresetNames[] = {"custom", "ethernet", "wifi", "wifi-poor"};

// The figures of TCP Streamer 1.9 (ring, chunk, adaptive range), its chunk taken as the frames it
// was meant to be; `custom` is what the other parameters say.
constexpr Buffering buffering_of(Preset preset, const Buffering& custom) {
  switch (preset) {
    case Preset::kEthernet:
      return {512, 2000, 2000, 6000, true};
    case Preset::kWifi:
      return {1024, 4000, 3000, 10'000, true};
    case Preset::kWifiPoor:
      return {2048, 8000, 5000, 15'000, true};
    default:
      return custom;
  }
}

}  // namespace sluice
