#include "limiter.hpp"

#include <algorithm>
#include <bit>
#include <cfloat>
#include <cmath>

namespace gain {
namespace {

// Closer to unity than this the release is over: the step left is 120 dB below the signal.
constexpr double kReleased = 0x1p-20;

// Magnitudes order like integers, NaN above all.
uint32_t magnitude_bits(float sample) { return std::bit_cast<uint32_t>(sample) & 0x7fffffffu; }
constexpr int32_t kCeilingBits = std::bit_cast<int32_t>(1.0f);

}  // namespace

void Limiter::prepare(uint32_t channels, uint32_t rate_hz, double look_ahead_ms,
                      double release_ms) {
  channels_ = channels;
  window_frames_ = static_cast<uint32_t>(std::lround(look_ahead_ms * rate_hz / 1000.0)) + 1;
  release_ = 1.0 - std::exp(-1000.0 / (release_ms * rate_hz));
  line_.resize(size_t{window_frames_ - 1} * channels);
  needs_.resize(window_frames_);
  averaged_.resize(window_frames_);
  reset();
}

void Limiter::reset() noexcept {
  std::fill(line_.begin(), line_.end(), 0.0f);
  std::fill(averaged_.begin(), averaged_.end(), kUnity);
  sum_ = uint64_t{kUnity} * window_frames_;
  line_at_ = 0;
  need_count_ = 0;
  envelope_ = kUnity;
}

void Limiter::limit(float* samples, size_t frames) noexcept {
  lowest_ = 1.0;
  while (frames != 0) {
    const bool is_resting =
        envelope_ == double{kUnity} && sum_ == uint64_t{kUnity} * window_frames_;
    size_t done = 1;
    if (is_resting) {
      need_count_ = 0;
      done = frames_below_ceiling(samples, frames);
      delay(samples, done);
    }
    if (!is_resting || done == 0) {
      limit_frame(samples);
      done = 1;
    }
    samples += done * channels_;
    frames -= done;
  }
}

double Limiter::reduction_db() const noexcept {
  return lowest_ == 1.0 ? 0.0 : -20.0 * std::log10(lowest_);
}

// How many of the frames, from the first on, need no limiting.
size_t Limiter::frames_below_ceiling(const float* samples, size_t frames) const noexcept {
  constexpr size_t kStride = 64;
  const size_t count = frames * channels_;
  size_t i = 0;
  for (; i + kStride <= count; i += kStride) {
    int32_t over = 0;
    for (size_t k = 0; k < kStride; ++k) {
      over |= static_cast<int32_t>(magnitude_bits(samples[i + k])) > kCeilingBits ? 1 : 0;
    }
    if (over != 0) break;
  }
  while (i < count && static_cast<int32_t>(magnitude_bits(samples[i])) <= kCeilingBits) ++i;
  return i / channels_;
}

void Limiter::delay(float* samples, size_t frames) noexcept {
  size_t count = frames * channels_;
  while (count != 0 && !line_.empty()) {
    const size_t part = std::min(count, line_.size() - line_at_);
    std::swap_ranges(samples, samples + part, line_.data() + line_at_);
    samples += part;
    count -= part;
    line_at_ = (line_at_ + part) % line_.size();
  }
}

void Limiter::limit_frame(float* frame) noexcept {
  const Gain minimum = window_minimum(needed_gain(frame));
  envelope_ += (kUnity - envelope_) * release_;
  if (kUnity - envelope_ < kReleased * kUnity) envelope_ = kUnity;
  envelope_ = std::min(envelope_, static_cast<double>(minimum));

  const auto newest = static_cast<Gain>(envelope_);
  sum_ += newest;
  sum_ -= averaged_[averaged_at_];
  averaged_[averaged_at_] = newest;
  if (++averaged_at_ == window_frames_) averaged_at_ = 0;

  delay(frame, 1);
  const double gain =
      static_cast<double>(sum_) / static_cast<double>(uint64_t{kUnity} * window_frames_);
  lowest_ = std::min(lowest_, gain);
  for (uint32_t c = 0; c < channels_; ++c)
    frame[c] = static_cast<float>(static_cast<double>(frame[c]) * gain);
}

// The largest gain, not above unity, that keeps the frame at the ceiling; makes it finite.
Limiter::Gain Limiter::needed_gain(float* frame) const noexcept {
  float peak = 0.0f;
  for (uint32_t c = 0; c < channels_; ++c) {
    if (std::isnan(frame[c])) frame[c] = 0.0f;
    frame[c] = std::clamp(frame[c], -FLT_MAX, FLT_MAX);
    peak = std::max(peak, std::abs(frame[c]));
  }
  return peak <= 1.0f ? kUnity : static_cast<Gain>(kUnity / static_cast<double>(peak));
}

// The smallest of the last window_frames_ needs. One that is followed by a smaller one can never be
// the smallest again, so it is dropped at once.
Limiter::Gain Limiter::window_minimum(Gain need) noexcept {
  const auto at = [this](uint32_t index) -> Need& {
    const uint32_t wrapped = oldest_ + index;
    return needs_[wrapped < window_frames_ ? wrapped : wrapped - window_frames_];
  };
  while (need_count_ != 0 && at(need_count_ - 1).gain >= need) --need_count_;
  if (need_count_ != 0 && frame_ - at(0).frame >= window_frames_) {
    if (++oldest_ == window_frames_) oldest_ = 0;
    --need_count_;
  }
  at(need_count_++) = {need, frame_++};
  return at(0).gain;
}

}  // namespace gain
