// A gain that moves without a click.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <span>

namespace sluice {

// Linear gain of a level in decibels; -infinity gives 0.
inline double from_db(double db) { return std::pow(10.0, db / 20.0); }
// Level in decibels of a linear gain; 0 gives -infinity.
inline double to_db(double gain) { return 20.0 * std::log10(gain); }

// Length of every ramp in Sluice unless said otherwise: 10 ms still clicks on bass, 30 ms does not.
inline constexpr double kRampMs = 30.0;

// A value that moves to its target along half a cosine: gain(k) = from + (to - from) * (1 - cos(pi
// k / n)) / 2 for k = 1..n. A target set while moving starts a new ramp from the value reached. Not
// thread safe; reset [control], the rest [audio].
//
// Two of them in opposite directions keep the sum of their values (kEqualGain, for signals that are
// alike) or of their squares (kEqualPower: the root of the half cosine, for signals that are not).
class Ramp {
 public:
  enum class Shape : uint8_t { kEqualGain, kEqualPower };

  // Stands at `value`; ramps take `ramp_ms` at `rate_hz`.
  void reset(double value, uint32_t rate_hz, double ramp_ms = kRampMs) {
    length_ = static_cast<uint32_t>(std::lround(ramp_ms * rate_hz / 1000.0));
    if (length_ == 0) length_ = 1;
    step_cos_ = 2.0 * std::cos(std::numbers::pi / length_);
    value_ = from_ = target_ = value;
    left_ = 0;
  }
  void to(double target, Shape shape = Shape::kEqualGain) {
    if (target == target_) return;
    from_ = value_;
    shape_ = shape;
    target_ = target;
    left_ = length_;
    cos_ = 1.0;
    previous_cos_ = step_cos_ / 2.0;
  }
  bool is_moving() const { return left_ != 0; }
  double value() const { return value_; }
  double target() const { return target_; }
  uint32_t frames_left() const { return left_; }
  uint32_t length_frames() const { return length_; }

  // The gain of the next frame.
  double next() {
    if (left_ == 0) return value_;
    if (--left_ == 0) return value_ = target_;
    const double cos = step_cos_ * cos_ - previous_cos_;  // Chebyshev: cos((k+1)x)
    previous_cos_ = cos_;
    cos_ = cos;
    const double weight = 0.5 * (1.0 - cos);
    if (shape_ == Shape::kEqualGain) return value_ = from_ + (target_ - from_) * weight;
    return value_ = target_ > from_ ? from_ + (target_ - from_) * std::sqrt(weight)
                                    : target_ + (from_ - target_) * std::sqrt(1.0 - weight);
  }
  // The gains of the next frames.
  void fill(std::span<float> gains) {
    for (float& gain : gains) gain = static_cast<float>(next());
  }

 private:
  double value_ = 1.0, from_ = 1.0, target_ = 1.0;
  double cos_ = 1.0, previous_cos_ = 1.0, step_cos_ = 2.0;
  uint32_t left_ = 0, length_ = 1;
  Shape shape_ = Shape::kEqualGain;
};

}  // namespace sluice
