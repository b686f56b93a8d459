// Fades on frames of any sample format. Not thread safe; everything is [audio].
#pragma once

#include <sluice/plugin.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <sluice/describe.hpp>
#include <sluice/ramp.hpp>

namespace alsa {

// One sample times `gain`, in its own format, rounded to the nearest.
inline void scale_sample(std::byte* sample, sluice_sample_format format, double gain) {
  const auto scaled = [&](auto value) {
    std::memcpy(&value, sample, sizeof(value));
    value = static_cast<decltype(value)>(std::lround(value * gain));
    std::memcpy(sample, &value, sizeof(value));
  };
  switch (format) {
    case SLUICE_SAMPLE_F32: {
      float value = 0;
      std::memcpy(&value, sample, sizeof(value));
      value *= static_cast<float>(gain);
      std::memcpy(sample, &value, sizeof(value));
      break;
    }
    case SLUICE_SAMPLE_S16:
      scaled(int16_t{});
      break;
    case SLUICE_SAMPLE_S32:
      scaled(int32_t{});
      break;
    case SLUICE_SAMPLE_S24: {
      const auto part = [&](size_t i) { return std::to_integer<uint32_t>(sample[i]); };
      const auto value = static_cast<int32_t>(part(0) << 8 | part(1) << 16 | part(2) << 24) / 256;
      const auto after = static_cast<uint32_t>(std::lround(value * gain));
      for (unsigned i = 0; i < 3; ++i) sample[i] = static_cast<std::byte>(after >> (8 * i));
      break;
    }
    default:
      break;
  }
}

// What a listener hears where frames may be missing: the last frame fades out, and what comes after
// a silence fades in, each along half a cosine of 30 ms.
class Smoother {
 public:
  // `gain`: 1 to begin with sound as it is, 0 to fade in.
  void reset(const sluice_format& format, double gain) {
    format_ = format;
    frame_bytes_ = sluice::frame_bytes(format);
    gain_.reset(gain, format.rate_hz);
    last_.fill(std::byte{});
  }
  // Frames that are there: fades them in where that is due.
  void sound(void* frames, uint32_t count) {
    if (count == 0) return;
    passed(frames, count);
    gain_.to(1);
    auto* bytes = static_cast<std::byte*>(frames);
    for (uint32_t i = 0; i < count && gain_.value() != 1; ++i, bytes += frame_bytes_) {
      scale(bytes, gain_.next());
    }
  }
  // Frames are played as they are; only while is_open().
  void passed(const void* frames, uint32_t count) {
    std::memcpy(last_.data(),
                static_cast<const std::byte*>(frames) + size_t{count - 1} * frame_bytes_,
                frame_bytes_);
  }
  bool is_open() const { return gain_.value() == 1 && gain_.target() == 1; }
  // Makes frames in place of those that are missing.
  void silence(void* frames, uint32_t count) {
    gain_.to(0);
    auto* bytes = static_cast<std::byte*>(frames);
    uint32_t done = 0;
    for (; done < count && gain_.value() != 0; ++done, bytes += frame_bytes_) {
      std::memcpy(bytes, last_.data(), frame_bytes_);
      scale(bytes, gain_.next());
    }
    std::memset(bytes, 0, size_t{count - done} * frame_bytes_);
  }
  size_t frame_bytes() const { return frame_bytes_; }

 private:
  void scale(std::byte* frame, double gain) const {
    const uint32_t sample_bytes = sluice::sample_bytes(format_.sample_format);
    for (uint32_t c = 0; c < format_.channels; ++c) {
      scale_sample(frame + size_t{c} * sample_bytes, format_.sample_format, gain);
    }
  }

  sluice_format format_{};
  size_t frame_bytes_ = 0;
  sluice::Ramp gain_;
  std::array<std::byte, size_t{SLUICE_MAX_CHANNELS} * 4> last_{};
};

}  // namespace alsa
