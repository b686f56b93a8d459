// What stands in front of the first frame of a WAV file or stream.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <sluice/describe.hpp>
#include <span>

namespace sluice {

// RIFF/WAVE: Microsoft, "Multimedia Programming Interface and Data Specifications 1.0" (1991).
// WAVE_FORMAT_EXTENSIBLE: Microsoft, "Multiple Channel Audio Data and WAVE Files" (2001); used for
// more than two channels only, since some readers do not know it.
// RF64: EBU Tech 3306 (2009): the JUNK chunk that keeps the place turns into ds64.
// Allocates nothing. [any]
class WavHeader {
 public:
  // Of a file with `frames` frames behind it; RF64 if `always_rf64` or if it must be. Its length
  // depends on the format alone, so that it can be overwritten in place while the file grows.
  static WavHeader of_file(const sluice_format& format, uint64_t frames, bool always_rf64) {
    const bool is_float = format.sample_format == SLUICE_SAMPLE_F32;
    const uint64_t data_bytes = frames * frame_bytes(format);
    const uint64_t riff_bytes = 4 + (8 + kDs64Bytes) + (8 + fmt_bytes(format)) +
                                (is_float ? 12 : 0) + 8 + data_bytes + data_bytes % 2;
    const bool is_rf64 = always_rf64 || riff_bytes > kOpen;
    const auto size32 = [&](uint64_t size) {
      return is_rf64 ? kOpen : static_cast<uint32_t>(size);
    };

    WavHeader header;
    header.tag(is_rf64 ? "RF64" : "RIFF");
    header.put<uint32_t>(size32(riff_bytes));
    header.tag("WAVE");
    header.tag(is_rf64 ? "ds64" : "JUNK");
    header.put<uint32_t>(kDs64Bytes);
    header.put<uint64_t>(is_rf64 ? riff_bytes : 0);
    header.put<uint64_t>(is_rf64 ? data_bytes : 0);
    header.put<uint64_t>(is_rf64 ? frames : 0);
    header.put<uint32_t>(0);
    header.put_fmt(format);
    if (is_float) {
      header.tag("fact");
      header.put<uint32_t>(4);
      header.put<uint32_t>(size32(frames));
    }
    header.tag("data");
    header.put<uint32_t>(size32(data_bytes));
    return header;
  }

  // Of a stream whose length nobody knows: both sizes are 0xffffffff, which readers of streams take
  // for "until the end".
  static WavHeader of_stream(const sluice_format& format) {
    WavHeader header;
    header.tag("RIFF");
    header.put<uint32_t>(kOpen);
    header.tag("WAVE");
    header.put_fmt(format);
    header.tag("data");
    header.put<uint32_t>(kOpen);
    return header;
  }

  // Valid as long as the header itself.
  std::span<const std::byte> bytes() const { return std::span(bytes_).first(size_); }

 private:
  static_assert(std::endian::native == std::endian::little);
  static constexpr uint32_t kOpen = 0xffffffffu;
  static constexpr uint32_t kDs64Bytes = 28;

  static bool is_extensible(const sluice_format& format) { return format.channels > 2; }
  static uint32_t fmt_bytes(const sluice_format& format) { return is_extensible(format) ? 40 : 16; }

  void put_fmt(const sluice_format& format) {
    const uint16_t kind = format.sample_format == SLUICE_SAMPLE_F32 ? 3 : 1;
    const auto bits = static_cast<uint16_t>(8 * sample_bytes(format.sample_format));
    tag("fmt ");
    put<uint32_t>(fmt_bytes(format));
    put<uint16_t>(is_extensible(format) ? 0xfffe : kind);
    put<uint16_t>(static_cast<uint16_t>(format.channels));
    put<uint32_t>(format.rate_hz);
    put<uint32_t>(format.rate_hz * frame_bytes(format));
    put<uint16_t>(static_cast<uint16_t>(frame_bytes(format)));
    put<uint16_t>(bits);
    if (!is_extensible(format)) return;
    put<uint16_t>(22);
    put<uint16_t>(bits);
    put<uint32_t>(0);  // no speaker positions
    put<uint16_t>(kind);
    constexpr unsigned char kGuidTail[] = {0x00, 0x00, 0x00, 0x00, 0x10, 0x00, 0x80,
                                           0x00, 0x00, 0xaa, 0x00, 0x38, 0x9b, 0x71};
    append(kGuidTail, sizeof(kGuidTail));
  }
  void append(const void* data, size_t count) {
    std::memcpy(bytes_.data() + size_, data, count);
    size_ += count;
  }
  void tag(const char* four) { append(four, 4); }
  template <typename T>
  void put(T value) {
    append(&value, sizeof(value));
  }

  std::array<std::byte, 128> bytes_{};
  size_t size_ = 0;
};

}  // namespace sluice
