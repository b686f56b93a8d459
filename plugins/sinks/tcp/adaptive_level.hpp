// How much audio sink.tcp keeps in hand, by what has happened lately.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <sluice/frames.hpp>

namespace sluice {

// The level is all the audio between the newest frame of the input and what the receiver plays now:
// the lead, which is at the receiver, and the rest, which waits in front of the sender. It goes up
// at once when the receiver ran dry, by half and at least by what was missing; that lengthens a
// pause that is there anyway. It comes down in calm times: a minute after the last trouble at the
// earliest, by 10 ms every 2 s (0.5 %), while jitter asks for less than there is and the last 10 s
// had that much to spare. What jitter asks for: below 5 ms the minimum, up to 15 ms evenly more up
// to the maximum, beyond that what there is; differences of less than a tenth are left alone.
//
// The bands, the interval of 10 s and the tenth are TCP Streamer's; there, jitter alone sent the
// level up, to the maximum from 15 ms on, and nothing was ever resized.
class AdaptiveLevel {
 public:
  static constexpr int64_t kIntervalNs = 10'000'000'000;
  static constexpr int64_t kCalmNs = 60'000'000'000;
  static constexpr int64_t kStepNs = 2'000'000'000;
  static constexpr int64_t kStepMs = 10;
  static constexpr double kCalmJitterMs = 5, kRoughJitterMs = 15;

  // In frames; a level that is not adaptive stays where it starts.
  AdaptiveLevel(uint32_t rate_hz, uint64_t start, uint64_t minimum, uint64_t maximum,
                bool is_adaptive)
      : step_(frames_of_ns(kStepMs * 1'000'000, rate_hz)),
        minimum_(minimum),
        maximum_(std::max(minimum, maximum)),
        is_adaptive_(is_adaptive),
        level_(is_adaptive ? std::clamp(start, minimum_, maximum_) : start) {}

  uint64_t frames() const { return level_; }
  uint64_t step_frames() const { return step_; }

  // A new connection or a new start: calm has to prove itself again.
  void restart(int64_t now_ns) {
    trouble_ns_ = interval_ns_ = now_ns;
    least_spare_ = known_spare_ = kUnknown;
  }
  // The receiver ran dry for lack of `missing` frames.
  void raise(int64_t now_ns, uint64_t missing) {
    restart(now_ns);
    if (is_adaptive_) level_ = std::min(maximum_, level_ + std::max(level_ / 2, missing));
  }
  // `spare` frames waited in front of the sender when a chunk left.
  void note_spare(int64_t now_ns, uint64_t spare) {
    least_spare_ = std::min(least_spare_, spare);
    if (now_ns - interval_ns_ < kIntervalNs) return;
    known_spare_ = least_spare_;
    least_spare_ = kUnknown;
    interval_ns_ = now_ns;
  }
  // Whether one step less is to be kept from now on; the caller takes it out of the stream.
  bool lower(int64_t now_ns, double jitter_ms) {
    if (!is_adaptive_ || now_ns - trouble_ns_ < kCalmNs || now_ns - stepped_ns_ < kStepNs ||
        known_spare_ == kUnknown || std::min(known_spare_, least_spare_) < 2 * step_) {
      return false;
    }
    const uint64_t wanted = wanted_frames(jitter_ms);
    if (!is_falling_ && level_ <= wanted + level_ / 10) return false;
    is_falling_ = level_ >= wanted + step_;
    if (!is_falling_) return false;
    stepped_ns_ = now_ns;
    level_ -= step_;
    return true;
  }

 private:
  static constexpr uint64_t kUnknown = std::numeric_limits<uint64_t>::max();

  uint64_t wanted_frames(double jitter_ms) const {
    if (jitter_ms > kRoughJitterMs) return level_;
    const double share =
        std::max(0.0, jitter_ms - kCalmJitterMs) / (kRoughJitterMs - kCalmJitterMs);
    return minimum_ + static_cast<uint64_t>(share * static_cast<double>(maximum_ - minimum_));
  }

  const uint64_t step_, minimum_, maximum_;
  const bool is_adaptive_;
  uint64_t level_;
  int64_t trouble_ns_ = 0, interval_ns_ = 0, stepped_ns_ = 0;
  uint64_t least_spare_ = kUnknown, known_spare_ = kUnknown;  // of this and the last interval
  bool is_falling_ = false;
};

}  // namespace sluice
