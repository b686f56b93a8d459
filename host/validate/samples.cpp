#include "host/validate/samples.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <sluice/describe.hpp>

namespace sluice::validate {
namespace {

int bits_of(sluice_sample_format format) { return static_cast<int>(sample_bytes(format)) * 8; }

int32_t to_integer(float value, int bits) {
  const double scale = std::ldexp(1.0, bits - 1);
  if (std::isnan(value)) return 0;
  return static_cast<int32_t>(std::clamp(std::round(double{value} * scale), -scale, scale - 1));
}

}  // namespace

void append_samples(std::vector<std::byte>& bytes, std::span<const float> values,
                    sluice_sample_format format) {
  const size_t size = sample_bytes(format);
  const size_t before = bytes.size();
  bytes.resize(before + values.size() * size);
  std::byte* to = bytes.data() + before;
  for (const float value : values) {
    if (format == SLUICE_SAMPLE_F32) {
      std::memcpy(to, &value, sizeof(value));
    } else {
      const auto number = static_cast<uint32_t>(to_integer(value, bits_of(format)));
      for (size_t i = 0; i < size; ++i) to[i] = static_cast<std::byte>(number >> (8 * i));
    }
    to += size;
  }
}

std::vector<float> to_floats(std::span<const std::byte> bytes, sluice_sample_format format) {
  const size_t size = sample_bytes(format);
  if (size == 0) return {};
  std::vector<float> values(bytes.size() / size);
  for (size_t i = 0; i < values.size(); ++i) {
    const std::byte* from = bytes.data() + i * size;
    if (format == SLUICE_SAMPLE_F32) {
      std::memcpy(&values[i], from, sizeof(float));
      continue;
    }
    uint32_t number = 0;
    for (size_t b = 0; b < size; ++b) number |= std::to_integer<uint32_t>(from[b]) << (8 * b);
    const auto unused_bits = static_cast<uint32_t>(32 - bits_of(format));
    const auto left_aligned = static_cast<int32_t>(number << unused_bits);
    values[i] = static_cast<float>(std::ldexp(left_aligned, -31));
  }
  return values;
}

}  // namespace sluice::validate
