// The head of a WAV stream without an end.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <sluice/describe.hpp>

namespace sluice {

// RIFF/WAVE (Microsoft, "Multimedia Programming Interface and Data Specifications 1.0", 1991), as
// programs write it to a pipe: both sizes are 0xffffffff, "until the end". For more than two
// channels, and for integers of more than 16 bits, WAVE_FORMAT_EXTENSIBLE (Microsoft, "Multiple
// Channel Audio Data and WAVE Files", 2001).
class WavHead {
 public:
  explicit WavHead(const sluice_format& format) {
    static_assert(std::endian::native == std::endian::little);
    const bool is_float = format.sample_format == SLUICE_SAMPLE_F32;
    const uint32_t frame = frame_bytes(format);
    const auto bits = static_cast<uint16_t>(8 * sample_bytes(format.sample_format));
    const uint16_t kind = is_float ? 3 : 1;
    const bool is_extensible = format.channels > 2 || (!is_float && bits > 16);
    put("RIFF", 4);
    put32(UINT32_MAX);
    put("WAVEfmt ", 8);
    put32(is_extensible ? 40 : 16);
    put16(is_extensible ? 0xfffe : kind);
    put16(static_cast<uint16_t>(format.channels));
    put32(format.rate_hz);
    put32(format.rate_hz * frame);
    put16(static_cast<uint16_t>(frame));
    put16(bits);
    if (is_extensible) {
      constexpr unsigned char kGuidTail[] = {0x00, 0x00, 0x00, 0x00, 0x10, 0x00, 0x80,
                                             0x00, 0x00, 0xaa, 0x00, 0x38, 0x9b, 0x71};
      put16(22);
      put16(bits);
      put32(0);  // no speaker positions
      put16(kind);
      put(kGuidTail, sizeof(kGuidTail));
    }
    put("data", 4);
    put32(UINT32_MAX);
  }

  const std::byte* data() const { return bytes_.data(); }
  size_t size() const { return size_; }

 private:
  void put(const void* from, size_t count) {
    std::memcpy(bytes_.data() + size_, from, count);
    size_ += count;
  }
  void put16(uint16_t value) { put(&value, sizeof(value)); }
  void put32(uint32_t value) { put(&value, sizeof(value)); }

  std::array<std::byte, 68> bytes_{};
  size_t size_ = 0;
};

}  // namespace sluice
