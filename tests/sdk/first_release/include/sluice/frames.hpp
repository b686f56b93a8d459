// Frames and time. Nothing here overflows or drifts, however long a stream runs.
#pragma once

#include <cmath>
#include <cstdint>

namespace sluice {

inline constexpr int64_t kNsPerSecond = 1'000'000'000;

// When frame number `frames` is due, in nanoseconds after frame 0; rounded up.
constexpr int64_t ns_of_frames(uint64_t frames, uint32_t rate_hz) {
  const uint64_t ns = static_cast<uint64_t>(kNsPerSecond);
  return static_cast<int64_t>(frames / rate_hz * ns +
                              (frames % rate_hz * ns + rate_hz - 1) / rate_hz);
}

// How many frames are over after `ns` >= 0 nanoseconds; frames_of_ns(ns_of_frames(n)) == n.
constexpr uint64_t frames_of_ns(int64_t ns, uint32_t rate_hz) {
  const uint64_t seconds = static_cast<uint64_t>(ns / kNsPerSecond);
  const uint64_t rest_ns = static_cast<uint64_t>(ns % kNsPerSecond);
  return seconds * rate_hz + rest_ns * rate_hz / static_cast<uint64_t>(kNsPerSecond);
}

// The whole number of frames nearest to `ms` >= 0 milliseconds.
inline uint64_t frames_of_ms(double ms, uint32_t rate_hz) {
  return static_cast<uint64_t>(std::llround(ms * rate_hz / 1000.0));
}

}  // namespace sluice
