#include "host/isolate/turns.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <climits>

#include "host/engine/ring/fence.hpp"
#include "host/support/audio_section.hpp"

namespace sluice::isolate {

void Turns::post() {
  own_->turn.fetch_add(1, std::memory_order_release);
  engine::full_fence();
  if (other_->is_asleep.load(std::memory_order_relaxed) == 0) return;
  const support::AudioSectionPause pause;
  syscall(SYS_futex, &own_->turn, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

bool Turns::wait(int64_t deadline_ns) {
  if (!is_there()) {
    own_->is_asleep.store(1, std::memory_order_relaxed);
    engine::full_fence();
    if (!is_there()) {
      const support::AudioSectionPause pause;
      const timespec deadline{static_cast<time_t>(deadline_ns / 1'000'000'000),
                              static_cast<long>(deadline_ns % 1'000'000'000)};
      syscall(SYS_futex, &other_->turn, FUTEX_WAIT_BITSET, seen_,
              deadline_ns == INT64_MAX ? nullptr : &deadline, nullptr, FUTEX_BITSET_MATCH_ANY);
    }
    own_->is_asleep.store(0, std::memory_order_relaxed);
    if (!is_there()) return false;
  }
  // Posts come one at a time: more than one would be a side that speaks out of turn.
  seen_ = other_->turn.load(std::memory_order_acquire);
  return true;
}

void Turns::rouse() const {
  syscall(SYS_futex, &other_->turn, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace sluice::isolate
