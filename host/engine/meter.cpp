#include "host/engine/meter.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>

namespace sluice::engine {
namespace {

struct Sums {
  double squares = 0.0;
  float peak = 0.0F;
};

template <typename Sample>
Sums measure(const void* data, size_t samples, float scale) {
  const auto* values = static_cast<const Sample*>(data);
  constexpr size_t kChunk = 1024;  // a float sum stays exact enough over so many squares
  Sums sums;
  for (size_t at = 0; at < samples; at += kChunk) {
    const size_t end = std::min(samples, at + kChunk);
    float squares = 0.0F;
    for (size_t i = at; i < end; ++i) {
      const float value = static_cast<float>(values[i]) * scale;
      squares += value * value;
      sums.peak = std::max(sums.peak, std::fabs(value));
    }
    sums.squares += static_cast<double>(squares);
  }
  return sums;
}

Sums measure_s24(const void* data, size_t samples) {
  const auto* bytes = static_cast<const uint8_t*>(data);
  Sums sums;
  for (size_t i = 0; i < samples; ++i, bytes += 3) {
    const uint32_t bits =
        (uint32_t{bytes[0]} << 8) | (uint32_t{bytes[1]} << 16) | (uint32_t{bytes[2]} << 24);
    const float value = static_cast<float>(static_cast<int32_t>(bits)) * 0x1p-31F;
    sums.squares += static_cast<double>(value * value);
    sums.peak = std::max(sums.peak, std::fabs(value));
  }
  return sums;
}

}  // namespace

void Meter::add(const void* data, uint32_t frames, const sluice_format& format) noexcept {
  const size_t samples = size_t{frames} * format.channels;
  Sums sums;
  switch (format.sample_format) {
    case SLUICE_SAMPLE_F32:
      sums = measure<float>(data, samples, 1.0F);
      break;
    case SLUICE_SAMPLE_S16:
      sums = measure<int16_t>(data, samples, 0x1p-15F);
      break;
    case SLUICE_SAMPLE_S32:
      sums = measure<int32_t>(data, samples, 0x1p-31F);
      break;
    case SLUICE_SAMPLE_S24:
      sums = measure_s24(data, samples);
      break;
    default:
      return;
  }
  if (reset_.exchange(false, std::memory_order_acquire)) {
    sum_.store(0, std::memory_order_relaxed);
    samples_.store(0, std::memory_order_relaxed);
    peak_.store(0, std::memory_order_relaxed);
  }
  const double total = std::bit_cast<double>(sum_.load(std::memory_order_relaxed)) + sums.squares;
  sum_.store(std::bit_cast<uint64_t>(total), std::memory_order_relaxed);
  samples_.store(samples_.load(std::memory_order_relaxed) + samples, std::memory_order_relaxed);
  const uint32_t peak = std::bit_cast<uint32_t>(sums.peak);
  if (peak > peak_.load(std::memory_order_relaxed)) peak_.store(peak, std::memory_order_relaxed);
}

Levels Meter::take() noexcept {
  taken_ = {};
  if (reset_.load(std::memory_order_relaxed)) return taken_;
  const uint64_t samples = samples_.load(std::memory_order_relaxed);
  taken_.samples = samples;
  if (samples != 0) {
    const double squares = std::bit_cast<double>(sum_.load(std::memory_order_relaxed));
    taken_.rms = static_cast<float>(std::sqrt(squares / static_cast<double>(samples)));
    taken_.peak = std::bit_cast<float>(peak_.load(std::memory_order_relaxed));
  }
  reset_.store(true, std::memory_order_release);
  return taken_;
}

}  // namespace sluice::engine
