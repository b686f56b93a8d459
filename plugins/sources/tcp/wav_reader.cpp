#include "plugins/sources/tcp/wav_reader.hpp"

#include <algorithm>
#include <cstring>
#include <sluice/describe.hpp>
#include <utility>

namespace sluice {
namespace {

constexpr uint64_t kUntilTheEnd = UINT64_MAX;
constexpr uint32_t kUnknownSizeFrom = 0x7ff00000;
constexpr uint32_t kRf64Size = 0xffffffff;
constexpr size_t kFileHeaderBytes = 12;
constexpr size_t kChunkHeaderBytes = 8;
constexpr size_t kFormatBytes = 16;
constexpr size_t kExtensibleBytes = 40;
constexpr size_t kSizesBytes = 28;
constexpr uint16_t kPcm = 1, kFloat = 3, kExtensible = 0xfffe;
// KSDATAFORMAT_SUBTYPE_*: the format tag, then these bytes.
constexpr unsigned char kGuidTail[] = {0x00, 0x00, 0x00, 0x00, 0x10, 0x00, 0x80,
                                       0x00, 0x00, 0xaa, 0x00, 0x38, 0x9b, 0x71};

uint64_t little_endian(std::span<const std::byte> bytes, size_t at, size_t count) {
  uint64_t value = 0;
  for (size_t i = 0; i < count; ++i) {
    value |= std::to_integer<uint64_t>(bytes[at + i]) << (8 * i);
  }
  return value;
}
uint32_t u32(std::span<const std::byte> bytes, size_t at) {
  return static_cast<uint32_t>(little_endian(bytes, at, 4));
}
uint16_t u16(std::span<const std::byte> bytes, size_t at) {
  return static_cast<uint16_t>(little_endian(bytes, at, 2));
}
bool is_tag(std::span<const std::byte> bytes, size_t at, const char (&tag)[5]) {
  return std::memcmp(bytes.data() + at, tag, 4) == 0;
}
// Whether `bytes` begin like a tag, as far as they go.
bool begins_like(std::span<const std::byte> bytes, const char (&tag)[5]) {
  return std::memcmp(bytes.data(), tag, std::min<size_t>(bytes.size(), 4)) == 0;
}

sluice_sample_format sample_format(uint16_t tag, uint16_t bits) {
  if (tag == kFloat) return bits == 32 ? SLUICE_SAMPLE_F32 : SLUICE_SAMPLE_UNSET;
  if (tag != kPcm) return SLUICE_SAMPLE_UNSET;
  switch (bits) {
    case 16:
      return SLUICE_SAMPLE_S16;
    case 24:
      return SLUICE_SAMPLE_S24;
    case 32:
      return SLUICE_SAMPLE_S32;
    default:
      return SLUICE_SAMPLE_UNSET;
  }
}

}  // namespace

std::string text_of(const sluice_format& format) {
  return std::string(sample_name(format.sample_format)) + ", " + std::to_string(format.rate_hz) +
         " Hz, " + std::to_string(format.channels) +
         (format.channels == 1 ? " channel" : " channels");
}

WavReader::WavReader(Header header, const sluice_format& expected)
    : header_(header), expected_(expected) {
  restart();
}

void WavReader::restart() {
  state_ = header_ == Header::kNone ? State::kAudio : State::kUndecided;
  audio_left_ = kUntilTheEnd;
  is_behind_audio_ = false;
  complaint_.clear();
}

void WavReader::end() {
  if (state_ == State::kUndecided && header_ == Header::kAuto) {
    state_ = State::kAudio;
    audio_left_ = kUntilTheEnd;
  }
}

void WavReader::refuse(std::string complaint) {
  state_ = State::kRefused;
  complaint_ = std::move(complaint);
}

void WavReader::take_audio(uint64_t bytes) {
  if (audio_left_ == kUntilTheEnd) return;
  audio_left_ -= bytes;
  if (audio_left_ > 0) return;
  is_behind_audio_ = true;
  chunk_left_ = is_audio_padded_ ? 1 : 0;
  state_ = chunk_left_ ? State::kSkip : State::kChunk;
}

size_t WavReader::parse(std::span<const std::byte> bytes) {
  size_t taken = 0;
  while (!is_in_audio() && !is_refused()) {
    const State before = state_;
    const size_t step = parse_one(bytes.subspan(taken));
    taken += step;
    if (step == 0 && state_ == before) break;
  }
  return taken;
}

// One step; nothing taken and no change of state means that it takes more bytes.
size_t WavReader::parse_one(std::span<const std::byte> bytes) {
  switch (state_) {
    case State::kUndecided:
      if (!begins_like(bytes, "RIFF") && !begins_like(bytes, "RF64")) {
        if (header_ == Header::kAuto) {
          end();
        } else {
          refuse("sends no WAV header: set `header` to none or auto.");
        }
      } else if (bytes.size() >= kFileHeaderBytes) {
        state_ =
            header_ == Header::kAuto && !is_tag(bytes, 8, "WAVE") ? State::kAudio : State::kFile;
      }
      return 0;
    case State::kFile:
      if (bytes.size() < kFileHeaderBytes) return 0;
      if (!is_tag(bytes, 8, "WAVE")) {
        refuse("sends a RIFF file that is no WAV file: send WAV or raw samples.");
        return 0;
      }
      is_rf64_ = is_tag(bytes, 0, "RF64");
      has_format_ = false;
      is_behind_audio_ = false;
      rf64_audio_bytes_ = 0;
      state_ = State::kChunk;
      return kFileHeaderBytes;
    case State::kChunk:
      if (bytes.size() < kChunkHeaderBytes) return 0;
      if (is_behind_audio_ && (is_tag(bytes, 0, "RIFF") || is_tag(bytes, 0, "RF64"))) {
        state_ = State::kFile;
        return 0;
      }
      begin_chunk(bytes);
      return is_refused() ? 0 : kChunkHeaderBytes;
    case State::kFormat: {
      const size_t wanted = static_cast<size_t>(std::min<uint64_t>(chunk_left_, kExtensibleBytes));
      if (bytes.size() < wanted) return 0;
      state_ = State::kSkip;
      read_format(bytes.first(wanted));
      chunk_left_ -= wanted;
      return wanted;
    }
    case State::kSizes:
      if (bytes.size() < kSizesBytes) return 0;
      rf64_audio_bytes_ = little_endian(bytes, 8, 8);
      chunk_left_ -= kSizesBytes;
      state_ = State::kSkip;
      return kSizesBytes;
    case State::kSkip: {
      const auto step = static_cast<size_t>(std::min<uint64_t>(chunk_left_, bytes.size()));
      chunk_left_ -= step;
      if (chunk_left_ == 0) state_ = State::kChunk;
      return step;
    }
    case State::kAudio:
    case State::kRefused:
      return 0;
  }
  return 0;
}

void WavReader::begin_chunk(std::span<const std::byte> bytes) {
  const uint32_t size = u32(bytes, 4);
  chunk_left_ = uint64_t{size} + (size & 1);
  state_ = State::kSkip;
  if (is_behind_audio_) return;
  if (is_tag(bytes, 0, "fmt ")) {
    if (size < kFormatBytes) return refuse("sends a WAV header whose format is cut short.");
    state_ = State::kFormat;
  } else if (is_tag(bytes, 0, "ds64") && is_rf64_ && size >= kSizesBytes) {
    state_ = State::kSizes;
  } else if (is_tag(bytes, 0, "data")) {
    begin_audio(size);
  }
}

void WavReader::begin_audio(uint32_t size) {
  if (!has_format_) return refuse("sends a WAV header without a format in front of the audio.");
  audio_left_ = size;
  if (is_rf64_ && size == kRf64Size) {
    audio_left_ = rf64_audio_bytes_;
    if (audio_left_ > static_cast<uint64_t>(INT64_MAX)) audio_left_ = 0;
  } else if (size >= kUnknownSizeFrom) {
    audio_left_ = 0;
  }
  is_audio_padded_ = (audio_left_ & 1) != 0;
  if (audio_left_ == 0) audio_left_ = kUntilTheEnd;
  state_ = State::kAudio;
}

void WavReader::read_format(std::span<const std::byte> body) {
  uint16_t tag = u16(body, 0);
  const uint16_t channels = u16(body, 2);
  const uint32_t rate_hz = u32(body, 4);
  const uint16_t block_bytes = u16(body, 12);
  const uint16_t bits = u16(body, 14);
  if (tag == kExtensible && body.size() >= kExtensibleBytes &&
      std::memcmp(body.data() + 26, kGuidTail, sizeof(kGuidTail)) == 0) {
    tag = u16(body, 24);
  }
  const sluice_format sent{sizeof(sluice_format), sample_format(tag, bits), channels, rate_hz};
  if (sent.sample_format == SLUICE_SAMPLE_UNSET) {
    return refuse("sends a WAV file of format " + std::to_string(tag) + " with " +
                  std::to_string(bits) +
                  " bits: send PCM of 16, 24 or 32 bits or float of 32 bits.");
  }
  if (channels == 0 || block_bytes != frame_bytes(sent)) {
    return refuse("sends a WAV header that contradicts itself.");
  }
  if (sent.sample_format != expected_.sample_format || channels != expected_.channels ||
      rate_hz != expected_.rate_hz) {
    return refuse("sends " + text_of(sent) + ", but " + text_of(expected_) +
                  " is expected: set `format`, `rate_hz` and `channels` alike, or change the "
                  "sender.");
  }
  has_format_ = true;
}

}  // namespace sluice
