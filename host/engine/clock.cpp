#include "host/engine/clock.hpp"

#include <time.h>

#include <sluice/frames.hpp>

namespace sluice::engine {

int64_t MonotonicClock::now_ns() const noexcept {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * kNsPerSecond + now.tv_nsec;
}

}  // namespace sluice::engine
