// The sender's clock, told from when its frames arrive.
//
// A frame arrives late by what the network adds, never early, so of each second the arrival that is
// least late counts. A delay-locked loop of second order smooths these (F. Adriaensen, "Using a DLL
// to filter time", Linux Audio Conference 2005), at first with a bandwidth of 0.1 Hz, later 0.02
// Hz.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <sluice/frames.hpp>

// Not thread safe. [worker]
class RemoteClock {
 public:
  // Begins anew, with another sender.
  void restart(uint32_t rate_hz) {
    rate_hz_ = rate_hz;
    periods_ = 0;
    has_arrivals_ = false;
  }

  // Up to `position` everything had arrived at `now_ns`. True about once a second, when there is a
  // new estimate; never while the sender is not paced by a clock or has paused.
  bool arrived(uint64_t position, int64_t now_ns) {
    if (!has_arrivals_) begin(position, now_ns);
    const double lead_frames = error_frames(position, now_ns);
    if (lead_frames > best_lead_frames_) {
      best_lead_frames_ = lead_frames;
      best_position_ = position;
      best_ns_ = now_ns;
    }
    if (now_ns - window_start_ns_ < sluice::kNsPerSecond) return false;
    const bool is_estimated = follow();
    window_start_ns_ = now_ns;
    best_lead_frames_ = -HUGE_VAL;
    return is_estimated;
  }

  // The estimate: at time_ns() so many frames had passed, and they pass so much faster than
  // nominally.
  double frames() const { return static_cast<double>(base_position_) + smoothed_frames_; }
  int64_t time_ns() const { return time_ns_; }
  double ratio() const { return ratio_; }

 private:
  static constexpr double kFirstBandwidthHz = 0.1, kBandwidthHz = 0.02;
  static constexpr int kFirstPeriods = 10;
  // Beyond this it was no drift but a pause, or a sender that knows no pace.
  static constexpr double kMostErrorS = 0.1;

  void begin(uint64_t position, int64_t now_ns) {
    has_arrivals_ = true;
    periods_ = 0;
    base_position_ = position;
    smoothed_frames_ = 0;
    ratio_ = 1;
    time_ns_ = window_start_ns_ = now_ns;
    best_lead_frames_ = -HUGE_VAL;
  }
  double elapsed_s(int64_t now_ns) const {
    return static_cast<double>(now_ns - time_ns_) / static_cast<double>(sluice::kNsPerSecond);
  }
  // How far ahead of the estimate.
  double error_frames(uint64_t position, int64_t now_ns) const {
    return static_cast<double>(position - base_position_) - smoothed_frames_ -
           elapsed_s(now_ns) * rate_hz_ * ratio_;
  }
  bool follow() {
    const double error = best_lead_frames_;
    const double period_s = elapsed_s(best_ns_);
    if (period_s <= 0 || std::abs(error) > kMostErrorS * rate_hz_) {
      begin(best_position_, best_ns_);
      return false;
    }
    const double bandwidth_hz = periods_ < kFirstPeriods ? kFirstBandwidthHz : kBandwidthHz;
    const double omega = std::min(0.7, 2 * std::numbers::pi * bandwidth_hz * period_s);
    smoothed_frames_ = static_cast<double>(best_position_ - base_position_) - error +
                       std::numbers::sqrt2 * omega * error;
    ratio_ += omega * omega * error / (period_s * rate_hz_);
    time_ns_ = best_ns_;
    ++periods_;
    return true;
  }

  uint32_t rate_hz_ = 48000;
  bool has_arrivals_ = false;
  int periods_ = 0;
  uint64_t base_position_ = 0;
  double smoothed_frames_ = 0, ratio_ = 1;  // behind base_position_
  int64_t time_ns_ = 0;
  int64_t window_start_ns_ = 0;
  double best_lead_frames_ = 0;  // of this second
  uint64_t best_position_ = 0;
  int64_t best_ns_ = 0;
};
