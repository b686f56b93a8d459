// Two processes that speak in turn through shared memory and sleep by futex while the other does.
#pragma once

#include <atomic>
#include <cstdint>

#include "host/isolate/wire.hpp"

namespace sluice::isolate {

// One end. Trusts nothing the other side writes: a wrong word there costs a wait, no more.
class Turns {
 public:
  Turns() = default;
  Turns(Side& own, const Side& other) : own_(&own), other_(&other) {}

  // Hands the turn over: what was written into the own area before is seen by the other side. [any]
  void post();

  // Until the other side has posted since the last wait that said so. False when CLOCK_MONOTONIC
  // has come to `deadline_ns`, or for no reason. [any], but it sleeps
  bool wait(int64_t deadline_ns);
  // Whether wait would return true at once; does not take the turn.
  bool is_there() const { return other_->turn.load(std::memory_order_acquire) != seen_; }
  // The turn of the other side that was taken last.
  uint32_t seen() const { return seen_; }
  // Ends a wait under way in this process. [any]
  void rouse() const;

 private:
  Side* own_ = nullptr;
  const Side* other_ = nullptr;
  uint32_t seen_ = 0;
};

}  // namespace sluice::isolate
