// Finds the audio in a stream of bytes that may begin with a WAV header.
#pragma once

#include <sluice/plugin.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace sluice {

// Whether there is a header in front of the audio.
enum class Header : uint32_t { kNone, kWav, kAuto };
inline constexpr const char* kHeaderNames[] = {"none", "wav", "auto"};

// Understands RIFF and RF64 (EBU Tech 3306), PCM and float, WAVE_FORMAT_EXTENSIBLE, chunks of any
// kind around the audio, and a further file behind the first. Programs that write to a pipe cannot
// know the size: 0 and everything from 0x7ff00000 on count as "until the end". Nothing in the bytes
// makes it allocate or wait.
class WavReader {
 public:
  WavReader(Header header, const sluice_format& expected);

  // For a new sender.
  void restart();
  // Takes as much of `bytes` as it understands; the rest is to be offered again, with more behind
  // it. It never wants to see more than 40 bytes before it takes some.
  size_t parse(std::span<const std::byte> bytes);

  // What follows is audio: up to audio_left() bytes, to be reported with take_audio.
  bool is_in_audio() const { return state_ == State::kAudio; }
  uint64_t audio_left() const { return audio_left_; }
  void take_audio(uint64_t bytes);

  // The sender has ended while bytes were still undecided: they are audio.
  void end();
  bool is_refused() const { return state_ == State::kRefused; }
  // Why, as the end of a sentence that begins with the sender.
  const std::string& complaint() const { return complaint_; }

 private:
  enum class State { kUndecided, kFile, kChunk, kFormat, kSizes, kSkip, kAudio, kRefused };

  size_t parse_one(std::span<const std::byte> bytes);
  void begin_chunk(std::span<const std::byte> bytes);
  void read_format(std::span<const std::byte> body);
  void begin_audio(uint32_t size);
  void refuse(std::string complaint);

  Header header_;
  sluice_format expected_;
  State state_ = State::kUndecided;
  bool is_rf64_ = false;
  bool has_format_ = false;
  bool is_behind_audio_ = false;
  uint64_t rf64_audio_bytes_ = 0;
  uint64_t chunk_left_ = 0;  // with the pad byte
  uint64_t audio_left_ = 0;
  bool is_audio_padded_ = false;
  std::string complaint_;
};

// "s16, 48000 Hz, 2 channels".
std::string text_of(const sluice_format& format);

}  // namespace sluice
