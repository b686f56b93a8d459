// A look-ahead peak limiter: no sample leaves above full scale, and none is clipped.
//
// For every frame the gain is computed that its largest channel needs to stay at 1.0. The minimum
// of these over a sliding window (D. Lemire, "Streaming Maximum-Minimum Filter Using No More than
// Three Comparisons per Element", 2006) begins to fall one look-ahead before the peak comes out of
// the delay line; it recovers exponentially; and a moving average over the same window turns its
// steps into straight slopes (as in G. Luff, "Designing a straightforward limiter", 2022). An
// average of values none of which exceeds what a frame needs does not exceed it either, so the
// ceiling holds exactly; gains are 30-bit fixed point, so the running sum does not drift, and
// unity is unity: what needs no limiting is delayed bit by bit. NaN becomes 0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace gain {

class Limiter {
 public:
  // [control]
  void prepare(uint32_t channels, uint32_t rate_hz, double look_ahead_ms, double release_ms);
  // Forgets all audio. [audio]
  void reset() noexcept;
  // Limits interleaved frames in place; they come out latency_frames() later. [audio]
  void limit(float* samples, size_t frames) noexcept;

  uint32_t latency_frames() const { return window_frames_ - 1; }
  // Largest reduction within the last call of limit; 0 if there was none. [audio]
  double reduction_db() const noexcept;

 private:
  using Gain = uint32_t;  // in units of 1 / kUnity
  static constexpr Gain kUnity = 1u << 30;
  struct Need {
    Gain gain;
    uint32_t frame;  // free running; only differences count
  };

  size_t frames_below_ceiling(const float* samples, size_t frames) const noexcept;
  void delay(float* samples, size_t frames) noexcept;
  void limit_frame(float* frame) noexcept;
  Gain needed_gain(float* frame) const noexcept;
  Gain window_minimum(Gain need) noexcept;

  uint32_t channels_ = 1;
  uint32_t window_frames_ = 1;
  double release_ = 1;  // share of the way to unity per frame

  std::vector<float> line_;  // the last window_frames_ - 1 frames, from line_at_ on
  size_t line_at_ = 0;       // in samples
  std::vector<Need> needs_;  // circular; gains rise from the oldest to the newest
  uint32_t oldest_ = 0, need_count_ = 0;
  uint32_t frame_ = 0;
  double envelope_ = kUnity;
  std::vector<Gain> averaged_;  // the envelope's last window_frames_ values, circular
  uint32_t averaged_at_ = 0;
  uint64_t sum_ = kUnity;  // of averaged_
  double lowest_ = 1;      // gain within the call
};

}  // namespace gain
