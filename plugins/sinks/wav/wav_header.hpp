// The head of a WAV file, and of the RF64 file it becomes when it outgrows 32-bit sizes.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <sluice/describe.hpp>

// Everything in front of the first frame. Its length depends on the format alone, so that it can be
// overwritten in place while the file grows.
//   RIFF/WAVE: Microsoft, "Multimedia Programming Interface and Data Specifications 1.0" (1991)
//   WAVE_FORMAT_EXTENSIBLE: Microsoft, "Multiple Channel Audio Data and WAVE Files" (2001); used
//   for more than two channels only, since some readers do not know it RF64: EBU Tech 3306 (2009):
//   the JUNK chunk that keeps the place turns into ds64
class WavHeader {
 public:
  // The head of a file with `frames` frames behind it; RF64 if `always_rf64` or if it must be.
  WavHeader(const sluice_format& format, uint64_t frames, bool always_rf64) {
    const bool is_extensible = format.channels > 2;
    const bool is_float = format.sample_format == SLUICE_SAMPLE_F32;
    const uint32_t frame_bytes = sluice::frame_bytes(format);
    const uint64_t data_bytes = frames * frame_bytes;
    const uint32_t fmt_bytes = is_extensible ? 40 : 16;
    const uint64_t riff_bytes =
        4 + (8 + 28) + (8 + fmt_bytes) + (is_float ? 12 : 0) + 8 + data_bytes + data_bytes % 2;
    const bool is_rf64 = always_rf64 || riff_bytes > kMaximum32;
    const auto size32 = [&](uint64_t size) {
      return is_rf64 ? kMaximum32 : static_cast<uint32_t>(size);
    };

    tag(is_rf64 ? "RF64" : "RIFF");
    put<uint32_t>(size32(riff_bytes));
    tag("WAVE");

    tag(is_rf64 ? "ds64" : "JUNK");
    put<uint32_t>(28);
    put<uint64_t>(is_rf64 ? riff_bytes : 0);
    put<uint64_t>(is_rf64 ? data_bytes : 0);
    put<uint64_t>(is_rf64 ? frames : 0);
    put<uint32_t>(0);

    const uint16_t kind = is_float ? 3 : 1;
    const auto bits = static_cast<uint16_t>(8 * sluice::sample_bytes(format.sample_format));
    tag("fmt ");
    put<uint32_t>(fmt_bytes);
    put<uint16_t>(is_extensible ? 0xfffe : kind);
    put<uint16_t>(static_cast<uint16_t>(format.channels));
    put<uint32_t>(format.rate_hz);
    put<uint32_t>(format.rate_hz * frame_bytes);
    put<uint16_t>(static_cast<uint16_t>(frame_bytes));
    put<uint16_t>(bits);
    if (is_extensible) {
      put<uint16_t>(22);
      put<uint16_t>(bits);
      put<uint32_t>(0);  // no speaker positions
      put<uint16_t>(kind);
      constexpr unsigned char kGuidTail[] = {0x00, 0x00, 0x00, 0x00, 0x10, 0x00, 0x80,
                                             0x00, 0x00, 0xaa, 0x00, 0x38, 0x9b, 0x71};
      bytes(kGuidTail, sizeof(kGuidTail));
    }
    if (is_float) {
      tag("fact");
      put<uint32_t>(4);
      put<uint32_t>(size32(frames));
    }
    tag("data");
    put<uint32_t>(size32(data_bytes));
  }

  const void* data() const { return bytes_.data(); }
  size_t size() const { return size_; }

 private:
  static_assert(std::endian::native == std::endian::little);
  static constexpr uint32_t kMaximum32 = 0xffffffffu;

  void bytes(const void* data, size_t count) {
    std::memcpy(bytes_.data() + size_, data, count);
    size_ += count;
  }
  void tag(const char* four) { bytes(four, 4); }
  template <typename T>
  void put(T value) {
    bytes(&value, sizeof(value));
  }

  std::array<unsigned char, 128> bytes_{};
  size_t size_ = 0;
};
