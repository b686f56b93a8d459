// Samples of any format as floats and back: scale 2^(bits - 1) both ways, rounded to the nearest,
// saturated. [audio]
#pragma once

#include <sluice/plugin.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace bridge {

inline void to_floats(sluice_sample_format format, const void* from, float* to,
                      size_t samples) noexcept {
  if (format == SLUICE_SAMPLE_S16) {
    const auto* in = static_cast<const int16_t*>(from);
    for (size_t i = 0; i < samples; ++i) to[i] = static_cast<float>(in[i]) * 0x1p-15f;
  } else if (format == SLUICE_SAMPLE_S24) {
    const auto* in = static_cast<const uint8_t*>(from);
    for (size_t i = 0; i < samples; ++i, in += 3) {
      const uint32_t word = uint32_t{in[0]} << 8 | uint32_t{in[1]} << 16 | uint32_t{in[2]} << 24;
      to[i] = static_cast<float>(static_cast<int32_t>(word)) * 0x1p-31f;
    }
  } else if (format == SLUICE_SAMPLE_S32) {
    const auto* in = static_cast<const int32_t*>(from);
    for (size_t i = 0; i < samples; ++i) to[i] = static_cast<float>(in[i]) * 0x1p-31f;
  } else {
    std::memcpy(to, from, samples * sizeof(float));
  }
}

inline void from_floats(sluice_sample_format format, const float* from, void* to,
                        size_t samples) noexcept {
  // NaN is unequal to itself and becomes 0.
  const auto whole = [](float sample, double scale) {
    const double scaled = std::nearbyint(static_cast<double>(sample) * scale);
    return scaled == scaled ? static_cast<int32_t>(std::clamp(scaled, -scale, scale - 1.0)) : 0;
  };
  if (format == SLUICE_SAMPLE_S16) {
    auto* out = static_cast<int16_t*>(to);
    for (size_t i = 0; i < samples; ++i) out[i] = static_cast<int16_t>(whole(from[i], 0x1p15));
  } else if (format == SLUICE_SAMPLE_S24) {
    auto* out = static_cast<uint8_t*>(to);
    for (size_t i = 0; i < samples; ++i, out += 3) {
      const auto word = static_cast<uint32_t>(whole(from[i], 0x1p23));
      out[0] = static_cast<uint8_t>(word);
      out[1] = static_cast<uint8_t>(word >> 8);
      out[2] = static_cast<uint8_t>(word >> 16);
    }
  } else if (format == SLUICE_SAMPLE_S32) {
    auto* out = static_cast<int32_t*>(to);
    for (size_t i = 0; i < samples; ++i) out[i] = whole(from[i], 0x1p31);
  } else {
    std::memcpy(to, from, samples * sizeof(float));
  }
}

}  // namespace bridge
