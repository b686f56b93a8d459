// Says when which frame is due at a receiver that plays at a fixed rate: a token bucket on absolute
// time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <sluice/frames.hpp>

namespace sluice {

// From `start` on, `lead` frames are due at once and all others at their rate, each so early that
// the receiver always has `lead` frames in hand. Whoever is late catches up at once, but by at most
// `burst` frames: what is overdue beyond that, the schedule gives up. Times are computed from the
// start, never added up: no drift.
class Pacer {
 public:
  Pacer(uint32_t rate_hz, uint32_t lead_frames, uint32_t burst_frames)
      : rate_hz_(rate_hz), lead_(lead_frames), burst_(burst_frames) {}

  // The receiver has nothing: `lead` frames are due.
  void start(int64_t now_ns);
  // Nothing is due yet.
  void start_satisfied(int64_t now_ns);
  // When `frames` more will be due together.
  int64_t due_ns(uint64_t frames) const;
  // Frames due and not passed yet.
  uint64_t due_frames(int64_t now_ns) const;
  // `frames` were sent, thrown away or never came.
  void pass(uint64_t frames) { passed_ += static_cast<int64_t>(frames); }
  // Gives up what is overdue beyond the burst; how many frames that was.
  uint64_t forgive(int64_t now_ns);
  // Frames the receiver still has in hand; negative: it ran dry that long ago.
  int64_t lead_frames(int64_t now_ns) const;

 private:
  int64_t played_frames(int64_t now_ns) const;

  uint32_t rate_hz_;
  int64_t lead_, burst_;
  int64_t start_ns_ = 0;
  int64_t passed_ = 0;  // since the start
};

inline void Pacer::start(int64_t now_ns) {
  start_ns_ = now_ns;
  passed_ = 0;
}

inline void Pacer::start_satisfied(int64_t now_ns) {
  start_ns_ = now_ns;
  passed_ = lead_;
}

inline int64_t Pacer::played_frames(int64_t now_ns) const {
  return now_ns <= start_ns_ ? 0 : static_cast<int64_t>(frames_of_ns(now_ns - start_ns_, rate_hz_));
}

inline int64_t Pacer::due_ns(uint64_t frames) const {
  const int64_t played = passed_ + static_cast<int64_t>(frames) - lead_;
  return played <= 0 ? start_ns_
                     : start_ns_ + ns_of_frames(static_cast<uint64_t>(played), rate_hz_);
}

inline uint64_t Pacer::due_frames(int64_t now_ns) const {
  return static_cast<uint64_t>(std::max<int64_t>(0, played_frames(now_ns) + lead_ - passed_));
}

inline uint64_t Pacer::forgive(int64_t now_ns) {
  const int64_t excess = played_frames(now_ns) + lead_ - passed_ - burst_;
  if (excess <= 0) return 0;
  start_ns_ = now_ns;
  passed_ = lead_ - burst_;
  return static_cast<uint64_t>(excess);
}

inline int64_t Pacer::lead_frames(int64_t now_ns) const { return passed_ - played_frames(now_ns); }

}  // namespace sluice
