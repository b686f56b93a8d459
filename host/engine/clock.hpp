// The one source of time: the engine, its nodes and the network ask nothing else.
#pragma once

#include <atomic>
#include <cstdint>

namespace sluice::engine {

inline constexpr int64_t kForever = INT64_MAX;
inline constexpr int64_t kNanosecondsPerSecond = 1'000'000'000;

// Duration of `frames` at `rate_hz`, rounded down. Exact for any 64-bit frame count.
constexpr int64_t frames_to_ns(uint64_t frames, uint32_t rate_hz) {
  const uint64_t seconds = frames / rate_hz;
  const uint64_t rest = frames % rate_hz;
  return static_cast<int64_t>(seconds * uint64_t{kNanosecondsPerSecond} +
                              rest * uint64_t{kNanosecondsPerSecond} / rate_hz);
}

// Frames for a duration in milliseconds, rounded up.
constexpr uint64_t ms_to_frames(double ms, uint32_t rate_hz) {
  const double frames = ms * rate_hz / 1000.0;
  const auto whole = static_cast<uint64_t>(frames);
  return static_cast<double>(whole) < frames ? whole + 1 : whole;
}

class Clock {
 public:
  Clock() = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  virtual ~Clock() = default;
  // Nanoseconds since an arbitrary start; never goes back. [any]
  virtual int64_t now_ns() const noexcept = 0;
};

// CLOCK_MONOTONIC.
class MonotonicClock final : public Clock {
 public:
  int64_t now_ns() const noexcept override;
};

// Time that moves only when somebody moves it.
class VirtualClock final : public Clock {
 public:
  int64_t now_ns() const noexcept override { return now_ns_.load(std::memory_order_relaxed); }
  // Moves on to `time_ns`; earlier times change nothing. [control]
  void advance_to(int64_t time_ns) {
    if (time_ns > now_ns()) now_ns_.store(time_ns, std::memory_order_relaxed);
  }

 private:
  std::atomic<int64_t> now_ns_{0};
};

}  // namespace sluice::engine
