#include "plugins/sinks/tcp/frame_shaper.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <sluice/describe.hpp>

namespace sluice {
namespace {

// Part of the way from 0 to 1 along half a cosine.
double rise(uint32_t at, uint32_t length) {
  return at >= length ? 1.0 : 0.5 * (1 - std::cos(std::numbers::pi * at / length));
}

template <typename T>
T plain(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

template <typename T>
void put(double value, std::byte* to) {
  const T sample = static_cast<T>(std::is_integral_v<T> ? std::round(value) : value);
  std::memcpy(to, &sample, sizeof(sample));
}

// In the unit of the format.
double load(const std::byte* from, sluice_sample_format format) {
  switch (format) {
    case SLUICE_SAMPLE_S16:
      return plain<int16_t>(from);
    case SLUICE_SAMPLE_S24: {
      uint32_t bits = 0;
      std::memcpy(&bits, from, 3);
      return static_cast<int32_t>(bits << 8) >> 8;
    }
    case SLUICE_SAMPLE_S32:
      return plain<int32_t>(from);
    default:
      return static_cast<double>(plain<float>(from));
  }
}

void store(double value, std::byte* to, sluice_sample_format format) {
  switch (format) {
    case SLUICE_SAMPLE_S16:
      return put<int16_t>(value, to);
    case SLUICE_SAMPLE_S24: {
      const auto bits = static_cast<uint32_t>(static_cast<int32_t>(std::round(value)));
      std::memcpy(to, &bits, 3);
      return;
    }
    case SLUICE_SAMPLE_S32:
      return put<int32_t>(value, to);
    default:
      return put<float>(value, to);
  }
}

}  // namespace

void FrameShaper::fade_in(std::byte* data, uint32_t frames, uint32_t begin, uint32_t length) const {
  const uint32_t sample = sample_bytes(format_.sample_format);
  for (uint32_t k = 0; k < frames; ++k) {
    const double gain = rise(begin + k, length);
    for (uint32_t c = 0; c < format_.channels; ++c, data += sample) {
      store(gain * load(data, format_.sample_format), data, format_.sample_format);
    }
  }
}

void FrameShaper::splice(const std::byte* from, uint32_t cut, std::byte* to,
                         uint32_t frames) const {
  const uint32_t sample = sample_bytes(format_.sample_format);
  const std::byte* behind = from + size_t{cut} * frame_bytes(format_);
  for (uint32_t k = 0; k < frames; ++k) {
    const double gain = rise(k + 1, frames);
    for (uint32_t c = 0; c < format_.channels; ++c) {
      const double left = load(from, format_.sample_format);
      const double right = load(behind, format_.sample_format);
      store(left + gain * (right - left), to, format_.sample_format);
      from += sample, behind += sample, to += sample;
    }
  }
}

}  // namespace sluice
