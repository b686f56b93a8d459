#include "host/engine/samples.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace sluice::engine {
namespace {

int64_t to_integer(float value, int bits) {
  const double scale = std::ldexp(1.0, bits - 1);
  return static_cast<int64_t>(
      std::nearbyint(std::clamp(static_cast<double>(value) * scale, -scale, scale - 1.0)));
}

template <typename Sample>
void decode(const std::byte* from, float* to, size_t samples, float scale) {
  for (size_t i = 0; i < samples; ++i) {
    Sample sample;
    std::memcpy(&sample, from + i * sizeof(sample), sizeof(sample));
    to[i] = static_cast<float>(sample) * scale;
  }
}

template <typename Sample>
void encode(const float* from, std::byte* to, size_t samples) {
  for (size_t i = 0; i < samples; ++i) {
    const auto sample = static_cast<Sample>(to_integer(from[i], 8 * sizeof(Sample)));
    std::memcpy(to + i * sizeof(sample), &sample, sizeof(sample));
  }
}

}  // namespace

void to_floats(sluice_sample_format format, const void* from, float* to, size_t samples) noexcept {
  const auto* bytes = static_cast<const std::byte*>(from);
  switch (format) {
    case SLUICE_SAMPLE_F32:
      std::memcpy(to, from, samples * sizeof(float));
      break;
    case SLUICE_SAMPLE_S16:
      decode<int16_t>(bytes, to, samples, 0x1p-15F);
      break;
    case SLUICE_SAMPLE_S24:
      for (size_t i = 0; i < samples; ++i, bytes += 3) {
        const uint32_t word = (std::to_integer<uint32_t>(bytes[0]) << 8) |
                              (std::to_integer<uint32_t>(bytes[1]) << 16) |
                              (std::to_integer<uint32_t>(bytes[2]) << 24);
        to[i] = static_cast<float>(static_cast<int32_t>(word)) * 0x1p-31F;
      }
      break;
    case SLUICE_SAMPLE_S32:
      decode<int32_t>(bytes, to, samples, 0x1p-31F);
      break;
    default:
      std::fill_n(to, samples, 0.0F);
      break;
  }
}

void from_floats(sluice_sample_format format, const float* from, void* to,
                 size_t samples) noexcept {
  auto* bytes = static_cast<std::byte*>(to);
  switch (format) {
    case SLUICE_SAMPLE_F32:
      std::memmove(to, from, samples * sizeof(float));
      break;
    case SLUICE_SAMPLE_S16:
      encode<int16_t>(from, bytes, samples);
      break;
    case SLUICE_SAMPLE_S24:
      for (size_t i = 0; i < samples; ++i, bytes += 3) {
        const auto word = static_cast<uint32_t>(to_integer(from[i], 24));
        for (int byte = 0; byte < 3; ++byte) bytes[byte] = static_cast<std::byte>(word >> 8 * byte);
      }
      break;
    case SLUICE_SAMPLE_S32:
      encode<int32_t>(from, bytes, samples);
      break;
    default:
      break;
  }
}

}  // namespace sluice::engine
