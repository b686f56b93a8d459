// The line behind a count that grows in steps at uncertain times.
//
// F. Adriaensen, "Using a DLL to filter time", Linux Audio Conference 2005: a second-order loop of
// bandwidth B follows the times at which a count is seen; for a period T its coefficients are
// sqrt(2) w and w^2 with w = 2 pi B T. Until it is as narrow as that it takes the coefficients of
// the growing-memory filter, 2(2k - 1) / (k(k + 1)) and 6 / (k(k + 1)) for the k-th event (a line
// fitted to all events so far by least squares; E. Brookner, "Tracking and Kalman Filtering Made
// Easy", 1998, section 5.5). [audio]
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace bridge {

class DelayLockedLoop {
 public:
  void start(uint64_t frames, int64_t time_ns, double rate_hz) noexcept {
    frames_ = frames;
    base_ns_ = time_ns;
    time_s_ = 0.0;
    frame_s_ = 1.0 / rate_hz;
    nominal_frame_s_ = frame_s_;
    events_ = 1;
    square_s2_ = 0.0;
  }
  void stop() noexcept { events_ = 0; }
  bool is_running() const { return events_ != 0; }

  // At `time_ns` the count came to `frames`. Returns by how many seconds that was later than the
  // line had it. An error counts as `most_s` at most.
  double update(uint64_t frames, int64_t time_ns, double most_s) noexcept {
    if (frames == frames_) return 0.0;
    const auto n = static_cast<double>(frames - frames_);
    const double period_s = n * frame_s_;
    const double predicted_s = time_s_ + period_s;
    const double error_s = seconds(time_ns) - predicted_s;
    ++events_;
    const auto k = static_cast<double>(events_);
    const double w = 2.0 * std::numbers::pi * kBandwidthHz * std::min(period_s, 1.0);
    const double b = std::max(2.0 * (2.0 * k - 1.0) / (k * (k + 1.0)), std::numbers::sqrt2 * w);
    const double c = std::max(6.0 / (k * (k + 1.0)), w * w);
    const double counted_s = std::clamp(error_s, -most_s, most_s);
    time_s_ = predicted_s + b * counted_s;
    frame_s_ += c * counted_s / n;
    frames_ = frames;
    // The first errors tell of the rate, which was not known, and not of jitter.
    if (events_ > kRateEvents) {
      const double weight = 1.0 / (k - static_cast<double>(kRateEvents));
      square_s2_ += std::max(weight, kJitterMemory) * (counted_s * counted_s - square_s2_);
    }
    return error_s;
  }

  uint64_t frames() const { return frames_; }
  uint64_t events() const { return events_; }
  // When the line reaches frames(), in seconds since start.
  double time_s() const { return time_s_; }
  double seconds(int64_t time_ns) const { return static_cast<double>(time_ns - base_ns_) * 1e-9; }
  int64_t base_ns() const { return base_ns_; }
  double rate_hz() const { return 1.0 / frame_s_; }
  // Measured over nominal.
  double ratio() const { return nominal_frame_s_ / frame_s_; }
  // Where the line is `seconds` after its start.
  double frames_at(double seconds) const {
    return static_cast<double>(frames_) + (seconds - time_s_) / frame_s_;
  }
  // How far the events lie from the line, RMS.
  double jitter_s() const { return std::sqrt(square_s2_); }
  // How well the rate is known: the standard error of a line through so many such events.
  double rate_error() const {
    if (events_ <= kRateEvents + 2 || time_s_ <= 0.0) return 1.0;
    const double seen_s = std::min(time_s_, 0.5 / kBandwidthHz);
    const double events = static_cast<double>(events_) * seen_s / time_s_;
    return jitter_s() * std::sqrt(12.0 / events) / seen_s;
  }

 private:
  // Narrow enough that a millisecond of jitter in periods of 10 ms leaves a few ppm, and wide
  // enough for a crystal that warms up.
  static constexpr double kBandwidthHz = 0.015;
  static constexpr double kJitterMemory = 0.005;
  static constexpr uint64_t kRateEvents = 3;

  uint64_t frames_ = 0, events_ = 0;
  int64_t base_ns_ = 0;
  double time_s_ = 0.0, frame_s_ = 1.0, nominal_frame_s_ = 1.0;
  double square_s2_ = 0.0;
};

}  // namespace bridge
