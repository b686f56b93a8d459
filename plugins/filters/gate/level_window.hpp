// The power of audio over a sliding window, in steps of about one millisecond.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace gate {

// Mean square over all channels of the last window. It moves on in steps of a millisecond, counted
// from the first frame, so the result does not depend on how the audio is cut into blocks. The sum
// is fixed point and does not drift; powers above 16 (+12 dB) and NaN count as 16.
class LevelWindow {
 public:
  // [control]
  void prepare(uint32_t channels, uint32_t rate_hz, double window_ms) {
    channels_ = channels;
    step_frames_ = std::max(1u, rate_hz / 1000);
    const double steps = std::round(window_ms * rate_hz / 1000.0 / step_frames_);
    steps_.resize(std::max<size_t>(1, static_cast<size_t>(steps)));
    reset();
  }
  // [audio]
  void reset() noexcept {
    std::fill(steps_.begin(), steps_.end(), 0);
    std::fill(std::begin(lanes_), std::end(lanes_), 0.0f);
    sum_ = 0;
    at_ = 0;
    sample_ = 0;
    left_ = step_frames_;
  }
  uint32_t step_frames() const { return step_frames_; }
  // Frames until the next step is complete.
  uint32_t frames_left() const { return left_; }
  // Takes at most frames_left() frames; true when they complete a step. [audio]
  bool add(const float* samples, uint32_t frames) noexcept {
    const size_t count = size_t{frames} * channels_;
    size_t i = 0;
    // Eight sums side by side: each sample goes to that of its place within the step.
    for (; i < count && sample_ % kLanes != 0; ++i) add(sample_++ % kLanes, samples[i]);
    for (; i + kLanes <= count; i += kLanes, sample_ += kLanes) {
      for (size_t lane = 0; lane < kLanes; ++lane) add(lane, samples[i + lane]);
    }
    for (; i < count; ++i) add(sample_++ % kLanes, samples[i]);
    left_ -= frames;
    if (left_ != 0) return false;
    finish_step();
    return true;
  }
  // [audio]
  double power() const noexcept {
    return static_cast<double>(sum_) / (kScale * static_cast<double>(steps_.size()));
  }

 private:
  static constexpr size_t kLanes = 8;
  static constexpr double kScale = 0x1p44;

  void add(size_t lane, float sample) noexcept { lanes_[lane] += sample * sample; }
  void finish_step() noexcept {
    double total = 0.0;
    for (float& lane : lanes_) {
      total += static_cast<double>(lane);
      lane = 0.0f;
    }
    const double mean = total / (static_cast<double>(step_frames_) * channels_);
    const auto power = static_cast<uint64_t>((mean < 16.0 ? mean : 16.0) * kScale);
    sum_ += power - steps_[at_];
    steps_[at_] = power;
    if (++at_ == steps_.size()) at_ = 0;
    left_ = step_frames_;
    sample_ = 0;
  }

  uint32_t channels_ = 1;
  uint32_t step_frames_ = 1, left_ = 1;
  size_t sample_ = 0;  // within the step
  float lanes_[kLanes] = {};
  std::vector<uint64_t> steps_;  // their powers, circular
  size_t at_ = 0;
  uint64_t sum_ = 0;
};

}  // namespace gate
