// How fast a device really runs, by the monotonic clock: a delay-locked loop of second order over
// what has passed through it (F. Adriaensen, "Using a DLL to filter time", Linux Audio Conference
// 2005), once a second, at first with a bandwidth of 0.1 Hz, later 0.02 Hz.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <sluice/frames.hpp>

namespace alsa {

// Not thread safe. [worker]
class DeviceClock {
 public:
  void restart(uint32_t rate_hz) {
    rate_hz_ = rate_hz;
    periods_ = -1;
    ratio_ = 1;
  }
  // At `now_ns`, `frames` had passed since restart. True once a second, when there is a new
  // estimate.
  bool passed(double frames, int64_t now_ns) {
    if (periods_ < 0) {
      frames_ = frames;
      time_ns_ = now_ns;
      periods_ = 0;
    }
    if (now_ns - time_ns_ < sluice::kNsPerSecond) return false;
    const double period_s =
        static_cast<double>(now_ns - time_ns_) / static_cast<double>(sluice::kNsPerSecond);
    const double error = frames - frames_ - period_s * rate_hz_ * ratio_;
    if (std::abs(error) > kMostErrorS * rate_hz_) {
      periods_ = -1;
      return false;
    }
    const double bandwidth_hz = periods_ < kFirstPeriods ? kFirstBandwidthHz : kBandwidthHz;
    const double omega = std::min(0.7, 2 * std::numbers::pi * bandwidth_hz * period_s);
    frames_ = frames - error + std::numbers::sqrt2 * omega * error;
    ratio_ += omega * omega * error / (period_s * rate_hz_);
    time_ns_ = now_ns;
    ++periods_;
    return true;
  }

  // The estimate: at time_ns() so many frames had passed, `ratio` times as fast as nominally.
  double frames() const { return frames_; }
  int64_t time_ns() const { return time_ns_; }
  double ratio() const { return ratio_; }
  bool is_settled() const { return periods_ >= kFirstPeriods; }

 private:
  static constexpr double kFirstBandwidthHz = 0.1, kBandwidthHz = 0.02;
  static constexpr int kFirstPeriods = 10;
  static constexpr double kMostErrorS = 0.05;  // beyond this it was a jump, no drift

  uint32_t rate_hz_ = 48000;
  int periods_ = -1;  // not begun
  double frames_ = 0, ratio_ = 1;
  int64_t time_ns_ = 0;
};

}  // namespace alsa
