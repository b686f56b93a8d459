// The mean square of the newest frames, to the bit the same however a stream is cut into blocks.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

// Squares are summed as integers, so that what goes in comes out again exactly and nothing is left
// of a loud passage in the silence behind it. reset [control], the rest [audio].
class LevelWindow {
 public:
  // Over `frames` (1 and more) frames of `channels` channels; silent to begin with.
  void reset(uint32_t frames, uint32_t channels) {
    channels_ = channels;
    squares_.assign(frames, 0);
    clear();
  }
  void clear() {
    std::fill(squares_.begin(), squares_.end(), 0);
    at_ = 0;
    sum_ = 0;
  }

  // Takes one frame in and returns the sum over the window, to be compared with sum_at().
  uint64_t add(const float* frame) {
    float square = 0.0F;
    for (uint32_t c = 0; c < channels_; ++c) square += frame[c] * frame[c];
    // A NaN counts as silence; +18 dB on every channel is the loudest that is told apart.
    const float limited =
        square > 0.0F ? std::min(square, kLoudest * static_cast<float>(channels_)) : 0.0F;
    const auto whole = static_cast<uint64_t>(limited * kScale);
    sum_ += whole - squares_[at_];
    squares_[at_] = whole;
    if (++at_ == squares_.size()) at_ = 0;
    return sum_;
  }

  // The sum that a level in dB of full scale (RMS) gives.
  uint64_t sum_at(double level_db) const {
    const double mean_square = std::pow(10.0, level_db / 10.0);
    return static_cast<uint64_t>(std::llround(mean_square * static_cast<double>(kScale) *
                                              channels_ * static_cast<double>(squares_.size())));
  }
  // The level now; -infinity for silence.
  double level_db() const {
    return 10.0 * std::log10(static_cast<double>(sum_) / (static_cast<double>(kScale) * channels_ *
                                                          static_cast<double>(squares_.size())));
  }

 private:
  static constexpr float kScale = 0x1p38F;  // -114 dB is one step of a single frame
  static constexpr float kLoudest = 0x1p6F;

  uint32_t channels_ = 1;
  std::vector<uint64_t> squares_;
  size_t at_ = 0;
  uint64_t sum_ = 0;
};
