// The one source of time: the engine, its nodes and the network ask nothing else.
#pragma once

#include <atomic>
#include <cstdint>

namespace sluice::engine {

inline constexpr int64_t kForever = INT64_MAX;

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
