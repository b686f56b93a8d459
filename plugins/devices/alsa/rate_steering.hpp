// How much faster a source has to run so that what lies between it and its reader stays the same.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace alsa {

// A loop of second order with a time constant of 10 s: proportional to how far the fill is off its
// target, and to what that has added up to. Its target is what lay there when it began. Not thread
// safe. [worker]
class RateSteering {
 public:
  void restart(uint32_t rate_hz) {
    rate_hz_ = rate_hz;
    looks_ = 0;
    sum_frames_ = 0;
    integral_ = correction_ = 0;
    has_target_ = false;
  }

  // One look at the fill, ten times a second. True when there is a new correction, once a second.
  bool look(double fill_frames) {
    sum_frames_ += fill_frames;
    if (++looks_ < kLooks) return false;
    fill_frames_ = sum_frames_ / kLooks;
    sum_frames_ = 0;
    looks_ = 0;
    if (!has_target_) {
      target_frames_ = fill_frames_;
      has_target_ = true;
      return false;
    }
    const double error = (fill_frames_ - target_frames_) / rate_hz_;
    if (std::abs(error) > kMostErrorS) {
      // A reader that stopped, or another one: no drift.
      target_frames_ = fill_frames_;
      return false;
    }
    integral_ = std::clamp(integral_ + error / (4 * kTimeS * kTimeS), -kMost, kMost);
    correction_ = std::clamp(-error / kTimeS - integral_, -kMost, kMost);
    return true;
  }

  // The factor, less one, by which the source should run faster.
  double correction() const { return correction_; }
  double fill_frames() const { return fill_frames_; }

 private:
  static constexpr int kLooks = 10;
  static constexpr double kTimeS = 10;
  static constexpr double kMost = 0.002;
  static constexpr double kMostErrorS = 0.1;

  uint32_t rate_hz_ = 48000;
  int looks_ = 0;
  double sum_frames_ = 0, fill_frames_ = 0, target_frames_ = 0;
  double integral_ = 0, correction_ = 0;
  bool has_target_ = false;
};

}  // namespace alsa
