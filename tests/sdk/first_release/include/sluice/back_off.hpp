// How long to wait before connecting again. Not part of sluice.hpp.
#pragma once

#include <algorithm>
#include <cstdint>

namespace sluice {

// Waits of 0.25 s, doubling up to 60 s, each one spread by +-50 % at random, so that many clients
// that lose one server do not come back at the same moment. A session that lasted 10 s or more
// starts again from the shortest wait; a shorter one does not, so a server that hangs up at once is
// not hammered. For 5 s after such a session no wait is longer than 0.9 s: a server that is started
// again is met within a second.
class BackOff {
 public:
  static constexpr int64_t kShortestNs = 250'000'000;
  static constexpr int64_t kLongestNs = 60'000'000'000;
  static constexpr int64_t kGoodSessionNs = 10'000'000'000;
  static constexpr int64_t kEagerForNs = 5'000'000'000;
  static constexpr int64_t kEagerNs = 600'000'000;

  // The same seed gives the same waits.
  explicit BackOff(uint64_t seed) : state_(seed) {}

  void session_ended(int64_t lasted_ns) {
    if (lasted_ns < kGoodSessionNs) return;
    wait_ns_ = kShortestNs;
    eager_left_ns_ = kEagerForNs;
  }

  // The next wait.
  int64_t next_ns() {
    const bool is_eager = eager_left_ns_ > 0;
    const int64_t base_ns = is_eager ? std::min(wait_ns_, kEagerNs) : wait_ns_;
    wait_ns_ = std::min(2 * base_ns, kLongestNs);
    const double random = static_cast<double>(next_random() >> 11) * 0x1p-53;  // 0 <= random < 1
    const auto wait_ns = static_cast<int64_t>(static_cast<double>(base_ns) * (0.5 + random));
    if (is_eager) eager_left_ns_ -= wait_ns;
    return wait_ns;
  }

 private:
  // SplitMix64 (Steele, Lea, Flood 2014).
  uint64_t next_random() {
    state_ += 0x9e3779b97f4a7c15u;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  uint64_t state_;
  int64_t wait_ns_ = kShortestNs;
  int64_t eager_left_ns_ = 0;
};

}  // namespace sluice
