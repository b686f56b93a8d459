// Arithmetic on interleaved samples of any format, for nodes that need it now and then (fades, sums
// at a seam). Not part of sluice.hpp. Thread class [any].
#pragma once

#include <sluice/plugin.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <sluice/describe.hpp>
#include <sluice/ramp.hpp>

namespace sluice {

// A sample as a number: floats as they are, integers as integers.
inline double load_sample(const std::byte* at, sluice_sample_format format) {
  switch (format) {
    case SLUICE_SAMPLE_S16: {
      int16_t value = 0;
      std::memcpy(&value, at, sizeof(value));
      return value;
    }
    case SLUICE_SAMPLE_S24: {
      uint32_t value = 0;
      std::memcpy(&value, at, 3);
      return static_cast<int32_t>(value << 8) >> 8;
    }
    case SLUICE_SAMPLE_S32: {
      int32_t value = 0;
      std::memcpy(&value, at, sizeof(value));
      return value;
    }
    default: {
      float value = 0;
      std::memcpy(&value, at, sizeof(value));
      return static_cast<double>(value);
    }
  }
}

// Rounded to nearest and clipped for integers.
inline void store_sample(std::byte* at, sluice_sample_format format, double value) {
  if (format == SLUICE_SAMPLE_F32) {
    const auto stored = static_cast<float>(value);
    std::memcpy(at, &stored, sizeof(stored));
    return;
  }
  const uint32_t bytes = sample_bytes(format);
  const double full = std::ldexp(1.0, static_cast<int>(8 * bytes) - 1);
  const auto stored = static_cast<int32_t>(std::llrint(std::clamp(value, -full, full - 1)));
  // The machine is little-endian: its low bytes come first.
  std::memcpy(at, &stored, bytes);
}

// Multiplies `frames` frames with the next gains of `ramp`.
inline void apply_gain(Ramp& ramp, std::byte* data, const sluice_format& format, uint32_t frames) {
  const uint32_t bytes = sample_bytes(format.sample_format);
  for (; frames != 0; --frames) {
    const double gain = ramp.next();
    for (uint32_t c = 0; c < format.channels; ++c, data += bytes) {
      store_sample(data, format.sample_format, gain * load_sample(data, format.sample_format));
    }
  }
}

// Adds `samples` samples at `from` to those at `to`.
inline void add_samples(std::byte* to, const std::byte* from, sluice_sample_format format,
                        size_t samples) {
  const uint32_t bytes = sample_bytes(format);
  for (; samples != 0; --samples, to += bytes, from += bytes) {
    store_sample(to, format, load_sample(to, format) + load_sample(from, format));
  }
}

}  // namespace sluice
