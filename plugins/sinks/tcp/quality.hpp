// One figure for how well a connection does.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace sluice {

// 100 - J - L - E, from 0 to 100:
//   J  50 * min(jitter / 20 ms, 1): chunks leave unevenly
//   L  30 * (1 - min(lead / (0.8 * wanted lead), 1)): what the receiver has in hand; 0 up to a
//      fifth less than wanted, 30 when it is dry
//   E  4 for each trouble of the last minute (ran dry, stalled, lost or failed connections, audio
//      that aged out, segments sent again), at most 20
// Terms and weights are TCP Streamer's, whose B looked at the fill of a ring that is never resized
// and whose E was always 0.
class Quality {
 public:
  static constexpr int64_t kMemoryNs = 60'000'000'000;
  static constexpr double kJitterMs = 20, kLeadShare = 0.8;
  static constexpr size_t kMostTroubles = 5;
  static constexpr double kPoor = 50, kGoodAgain = 70;

  Quality() { troubles_.fill(kNever); }

  void note_trouble(int64_t now_ns) {
    troubles_[next_] = now_ns;
    next_ = (next_ + 1) % troubles_.size();
  }
  // `lead_share`: the lead over the wanted one; 1 if none is wanted.
  double value(int64_t now_ns, double jitter_ms, double lead_share) const {
    const double jitter = 50 * std::min(jitter_ms / kJitterMs, 1.0);
    const double lead = 30 * (1 - std::clamp(lead_share / kLeadShare, 0.0, 1.0));
    const auto recent = std::count_if(troubles_.begin(), troubles_.end(), [&](int64_t at_ns) {
      return at_ns != kNever && now_ns - at_ns < kMemoryNs;
    });
    return std::clamp(std::round(100 - jitter - lead - 4.0 * static_cast<double>(recent)), 0.0,
                      100.0);
  }
  static const char* word(double value) {
    return value >= 90 ? "excellent" : value >= 70 ? "good" : value >= 50 ? "fair" : "poor";
  }
  static const char* jitter_word(double ms) {
    return ms < 5 ? "excellent" : ms < 15 ? "good" : ms <= 50 ? "fair" : "poor";
  }

 private:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::min();
  std::array<int64_t, kMostTroubles> troubles_{};
  size_t next_ = 0;
};

// RFC 3550, section 6.4.1, with a tenth for a sixteenth: how late chunks leave, smoothed.
class Jitter {
 public:
  void add(int64_t lateness_ns) {
    const double ms = static_cast<double>(lateness_ns) / 1e6;
    ms_ = is_first_ ? ms : 0.9 * ms_ + 0.1 * ms;
    is_first_ = false;
  }
  double ms() const { return ms_; }

 private:
  double ms_ = 0;
  bool is_first_ = true;
};

}  // namespace sluice
