// A queue of frames with a fixed capacity.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace gate {

// Interleaved frames, oldest first. Everything but prepare is [audio].
class DelayLine {
 public:
  // [control]
  void prepare(uint32_t capacity_frames, uint32_t channels) {
    channels_ = channels;
    capacity_ = size_t{capacity_frames} * channels;
    samples_.assign(std::max<size_t>(capacity_, 1), 0.0f);
    clear();
  }
  void clear() noexcept { first_ = size_ = 0; }
  uint32_t frames() const { return static_cast<uint32_t>(size_ / channels_); }
  uint32_t capacity_frames() const { return static_cast<uint32_t>(capacity_ / channels_); }

  // Fills up with silence.
  void fill() noexcept {
    std::fill(samples_.begin(), samples_.end(), 0.0f);
    first_ = 0;
    size_ = capacity_;
  }
  // Appends frames; the oldest make room.
  void push(const float* from, uint32_t frames) noexcept {
    const size_t count = size_t{frames} * channels_;
    const size_t kept = std::min(count, capacity_);
    from += count - kept;
    drop(size_ + kept > capacity_ ? size_ + kept - capacity_ : 0);
    for (size_t done = 0; done < kept;) {
      const size_t at = (first_ + size_) % capacity_;
      const size_t part = std::min(kept - done, capacity_ - at);
      std::copy_n(from + done, part, samples_.data() + at);
      size_ += part;
      done += part;
    }
  }
  // Takes out the oldest frames; there must be so many.
  void pop(float* to, uint32_t frames) noexcept {
    for (size_t left = size_t{frames} * channels_; left != 0;) {
      const size_t part = std::min(left, capacity_ - first_);
      std::copy_n(samples_.data() + first_, part, to);
      drop(part);
      to += part;
      left -= part;
    }
  }

 private:
  void drop(size_t count) noexcept {
    if (capacity_ != 0) first_ = (first_ + count) % capacity_;
    size_ -= count;
  }

  uint32_t channels_ = 1;
  size_t capacity_ = 0;  // in samples, as all below
  std::vector<float> samples_;
  size_t first_ = 0, size_ = 0;
};

}  // namespace gate
