// A WAV header in front of a stream whose length nobody knows.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <sluice/describe.hpp>
#include <span>

namespace pipes {

// RIFF/WAVE: Microsoft, "Multimedia Programming Interface and Data Specifications 1.0" (1991);
// WAVE_FORMAT_EXTENSIBLE, for more than two channels: "Multiple Channel Audio Data and WAVE Files"
// (2001). Both sizes are 0xffffffff, which readers of streams take for "until the end".
class StreamHeader {
 public:
  explicit StreamHeader(const sluice_format& format) {
    const bool is_extensible = format.channels > 2;
    const uint16_t kind = format.sample_format == SLUICE_SAMPLE_F32 ? 3 : 1;
    const uint32_t frame_bytes = sluice::frame_bytes(format);
    const auto bits = static_cast<uint16_t>(8 * sluice::sample_bytes(format.sample_format));
    put("RIFF", 4);
    put32(kOpen);
    put("WAVEfmt ", 8);
    put32(is_extensible ? 40 : 16);
    put16(is_extensible ? 0xfffe : kind);
    put16(static_cast<uint16_t>(format.channels));
    put32(format.rate_hz);
    put32(format.rate_hz * frame_bytes);
    put16(static_cast<uint16_t>(frame_bytes));
    put16(bits);
    if (is_extensible) {
      put16(22);
      put16(bits);
      put32(0);  // no speaker positions
      put16(kind);
      put("\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71", 14);
    }
    put("data", 4);
    put32(kOpen);
  }

  std::span<const std::byte> bytes() const { return std::span(bytes_).first(size_); }

 private:
  static_assert(std::endian::native == std::endian::little);
  static constexpr uint32_t kOpen = 0xffffffffu;

  void put(const void* data, size_t count) {
    std::memcpy(bytes_.data() + size_, data, count);
    size_ += count;
  }
  void put16(uint16_t value) { put(&value, sizeof(value)); }
  void put32(uint32_t value) { put(&value, sizeof(value)); }

  std::array<std::byte, 68> bytes_{};
  size_t size_ = 0;
};

}  // namespace pipes
