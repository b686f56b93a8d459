// Says when which frame is due at a receiver that plays at a steady rate: a token bucket on
// absolute time.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <sluice/frames.hpp>

namespace sluice {

// From `start` on, `lead` frames are due at once and all others at their rate, each so early that
// the receiver always has `lead` frames in hand. Whoever is late catches up at once, but by at most
// `burst` frames (the lead itself is not among them): what is overdue beyond that, the schedule
// gives up. Times are computed from the start, never added up: no drift. The rate is the nominal
// one of our clock until `follow` says how the receiver's runs.
//
// With a reference, schedules begin at a whole eighth of a chunk since then: earlier than said by
// less than that, and ahead by as much. So the machine wakes eight times a chunk at the most,
// however many send.
class Pacer {
 public:
  Pacer(uint32_t rate_hz, uint32_t lead_frames, uint32_t burst_frames)
      : rate_hz_(rate_hz), lead_(lead_frames), burst_(burst_frames) {}

  // From the next start on; chunk_frames more than 0.
  void share_moments(int64_t reference_ns, uint32_t chunk_frames) {
    reference_ns_ = reference_ns;
    shared_chunk_ = chunk_frames;
  }
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

  // At now_ns the receiver has played `drift_frames` more than our clock says since the start, and
  // from then on it plays `ratio` times as fast as our clock. A new start keeps the ratio.
  void follow(int64_t now_ns, double drift_frames, double ratio);
  int64_t start_ns() const { return start_ns_; }

 private:
  void restart(int64_t now_ns);
  int64_t moment_before_ns(int64_t now_ns) const;
  bool is_nominal() const { return drift_ == 0 && excess_ == 0; }
  double drift_frames(int64_t now_ns) const;
  int64_t played_frames(int64_t now_ns) const;

  uint32_t rate_hz_;
  uint32_t shared_chunk_ = 0;  // 0: no moments are shared
  int64_t lead_, burst_;
  int64_t reference_ns_ = 0;
  int64_t start_ns_ = 0;
  int64_t passed_ = 0;   // since the start
  int64_t at_once_ = 0;  // up to here frames were due from the start on: no stall made them late
  int64_t followed_ns_ = 0;
  double drift_ = 0, excess_ = 0;  // frames at followed_ns_; ratio less 1
};

inline void Pacer::restart(int64_t now_ns) {
  start_ns_ = followed_ns_ = now_ns;
  drift_ = 0;
}

inline int64_t Pacer::moment_before_ns(int64_t now_ns) const {
  constexpr uint64_t kMoments = 8;
  if (shared_chunk_ == 0 || now_ns <= reference_ns_) return now_ns;
  const uint64_t frames = frames_of_ns(now_ns - reference_ns_, rate_hz_);
  const uint64_t rest = frames % shared_chunk_;
  const uint64_t moment = rest * kMoments / shared_chunk_ * shared_chunk_ / kMoments;
  return reference_ns_ + ns_of_frames(frames - rest + moment, rate_hz_);
}

inline void Pacer::start(int64_t now_ns) {
  restart(moment_before_ns(now_ns));
  passed_ = 0;
  at_once_ = lead_;
}

inline void Pacer::start_satisfied(int64_t now_ns) {
  restart(now_ns);
  passed_ = lead_;
  at_once_ = 0;
}

inline void Pacer::follow(int64_t now_ns, double drift_frames, double ratio) {
  followed_ns_ = now_ns;
  drift_ = drift_frames;
  excess_ = ratio - 1;
}

inline double Pacer::drift_frames(int64_t now_ns) const {
  return drift_ + excess_ * static_cast<double>(now_ns - followed_ns_) * rate_hz_ / 1e9;
}

inline int64_t Pacer::played_frames(int64_t now_ns) const {
  if (now_ns <= start_ns_) return 0;
  const auto nominal = static_cast<int64_t>(frames_of_ns(now_ns - start_ns_, rate_hz_));
  if (is_nominal()) return nominal;
  return nominal + static_cast<int64_t>(std::floor(drift_frames(now_ns)));
}

inline int64_t Pacer::due_ns(uint64_t frames) const {
  const int64_t played = passed_ + static_cast<int64_t>(frames) - lead_;
  if (played <= 0) return start_ns_;
  const int64_t nominal_ns = start_ns_ + ns_of_frames(static_cast<uint64_t>(played), rate_hz_);
  if (is_nominal()) return nominal_ns;
  const double ahead_s = drift_frames(nominal_ns) / (rate_hz_ * (1 + excess_));
  return nominal_ns - static_cast<int64_t>(std::floor(ahead_s * 1e9));
}

inline uint64_t Pacer::due_frames(int64_t now_ns) const {
  return static_cast<uint64_t>(std::max<int64_t>(0, played_frames(now_ns) + lead_ - passed_));
}

inline uint64_t Pacer::forgive(int64_t now_ns) {
  const int64_t granted = std::max<int64_t>(0, at_once_ - passed_);
  const int64_t excess = played_frames(now_ns) + lead_ - passed_ - granted - burst_;
  if (excess <= 0) return 0;
  restart(moment_before_ns(now_ns));
  passed_ = lead_ - burst_ - granted;
  at_once_ = passed_ + granted;
  return static_cast<uint64_t>(excess);
}

inline int64_t Pacer::lead_frames(int64_t now_ns) const { return passed_ - played_frames(now_ns); }

}  // namespace sluice
