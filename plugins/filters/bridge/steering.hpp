// At what ratio to resample so that what lies between two clocks stays at its target. Knows counts
// and times, no audio. All [audio].
//
// One line follows what the writer has written, one what the reader has read. Their distance is
// the fill: it does not jump with every period. Their slopes give the ratio of the clocks; the
// distance from the target corrects it, slowly.
//
// The target is what is wished for, or more where the two need it: by as much as the writer falls
// behind its line before it writes, and the reader gets ahead of its own when it reads. What either
// did once is an accident, which moves nothing; what it does again and again raises the target, and
// when it has not done so for a minute or two the target comes down, too slowly to be heard.
#pragma once

#include <cstdint>

#include "delay_locked_loop.hpp"
#include "recurring_peak.hpp"

namespace bridge {

class Steering {
 public:
  static constexpr double kMaxPpm = 2000.0;
  // A little less than 200, to keep to that over any tenth of a second.
  static constexpr double kMaxSlewPpmPerS = 180.0;

  void prepare(double rate_hz, double wished_frames) noexcept;
  // Forgets where both sides are, but not what they need.
  void restart() noexcept;

  // At `time_ns` the writer had come to `frames`, which come to `output` frames of the stream
  // behind the resampler, whole and parts.
  void note_written(uint64_t frames, double output, int64_t time_ns) noexcept;
  // At `time_ns` the reader had come to `frames` of that stream.
  void note_read(uint64_t frames, int64_t time_ns) noexcept;
  // The reader found nothing: what it read until now says nothing of its clock.
  void note_starved() noexcept { reader_.stop(); }

  // Both sides are known well enough to begin.
  bool is_ready() const;
  // By how many frames to lengthen the stream, before anything of it is heard, to come to the
  // target; negative: to shorten it. Takes the ratio of the clocks at once if that is known.
  int64_t begin() noexcept;
  // One of the sides has jumped: begin again.
  bool is_lost() const { return is_lost_; }

  double ratio() const { return ratio_; }  // output frames for an input frame
  double fill_frames() const { return fill_; }
  double target_frames() const { return goal_; }
  // 0..1: 1 / (1 + (standard error of the ratio / 10 ppm)^2), 0 before begin.
  double confidence() const;
  double writer_ppm() const { return ppm(writer_); }
  double reader_ppm() const { return ppm(reader_); }

 private:
  static double ppm(const DelayLockedLoop& loop) {
    return loop.is_running() ? (loop.ratio() - 1.0) * 1e6 : 0.0;
  }
  void follow(DelayLockedLoop& loop, uint32_t& strays, uint64_t frames, int64_t time_ns) noexcept;
  void note_need(uint64_t frames_before, uint64_t frames, int64_t time_ns) noexcept;
  void set_goal(double seconds) noexcept;
  void steer(double seconds) noexcept;
  double rate_error() const;

  double rate_hz_ = 48000.0, wished_frames_ = 0.0;
  DelayLockedLoop writer_, reader_;
  uint32_t writer_strays_ = 0, reader_strays_ = 0;  // events in a row that are far off
  RecurringPeak writer_need_, reader_need_;         // frames
  int64_t need_ns_ = 0;                             // when they were looked at last
  double goal_ = 0.0;
  bool is_coming_down_ = false;
  double rest_ = 0.0;   // a frame or two by which it began off the target; it stays there
  uint32_t turns_ = 0;  // of steer since begin
  double output_ = 0.0;
  double fill_ = 0.0, ratio_ = 1.0;
  bool has_begun_ = false, is_lost_ = false;
};

}  // namespace bridge
