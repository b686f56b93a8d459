// The seam between what an isolated node gives and the silence while its process is away.
#pragma once

#include <sluice/plugin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <sluice/describe.hpp>
#include <sluice/ramp.hpp>
#include <sluice/samples.hpp>
#include <vector>

namespace sluice::isolate {

// Of one PCM output. Allocates in reset alone; the rest is [audio].
class Fade {
 public:
  void reset(const sluice_format& format) {
    format_ = format;
    frame_bytes_ = sample_bytes(format.sample_format) * format.channels;
    last_.assign(frame_bytes_, std::byte{0});
    held_ = last_;
    live_gain_.reset(1.0, format.rate_hz);
    held_gain_.reset(0.0, format.rate_hz);
    is_filling_ = false;
  }
  // What the node has written: as it is, or ramping in behind silence.
  void pass(std::byte* data, uint32_t frames) {
    if (frames == 0) return;
    is_filling_ = false;
    live_gain_.to(1.0);
    if (live_gain_.is_moving()) mix(data, frames, false);
    std::memcpy(last_.data(), data + size_t{frames - 1} * frame_bytes_, frame_bytes_);
  }
  // In its place: the last frame, falling to silence.
  void fill(std::byte* data, uint32_t frames) {
    if (frames == 0) return;
    if (!is_filling_) {
      is_filling_ = true;
      held_ = last_;
      live_gain_.reset(0.0, format_.rate_hz);
      held_gain_.reset(1.0, format_.rate_hz);
      held_gain_.to(0.0);
    }
    if (held_gain_.is_moving()) {
      mix(data, frames, true);
    } else {
      std::memset(data, 0, size_t{frames} * frame_bytes_);
    }
    std::memcpy(last_.data(), data + size_t{frames - 1} * frame_bytes_, frame_bytes_);
  }

 private:
  void mix(std::byte* data, uint32_t frames, bool is_held_alone) {
    const uint32_t bytes = sample_bytes(format_.sample_format);
    for (; frames != 0; --frames) {
      const double live = is_held_alone ? 0.0 : live_gain_.next();
      const double held = held_gain_.next();
      for (uint32_t c = 0; c < format_.channels; ++c, data += bytes) {
        double value = held * load_sample(held_.data() + size_t{c} * bytes, format_.sample_format);
        if (!is_held_alone) value += live * load_sample(data, format_.sample_format);
        store_sample(data, format_.sample_format, value);
      }
    }
  }

  sluice_format format_{};
  uint32_t frame_bytes_ = 0;
  std::vector<std::byte> last_;  // frame that left
  std::vector<std::byte> held_;  // the one from which silence falls
  Ramp live_gain_, held_gain_;
  bool is_filling_ = false;
};

}  // namespace sluice::isolate
