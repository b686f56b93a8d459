// A sound file of any kind libsndfile knows, read in the sample format it is stored in.
#pragma once

#include <sluice/plugin.h>
#include <sndfile.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

// Not thread safe. Every function may block on the disk. [control, worker]
class SoundFile {
 public:
  static constexpr uint64_t kUnknown = std::numeric_limits<int64_t>::max();

  // Opens the file for reading; throws sluice::Failure with a sentence that names it.
  explicit SoundFile(const std::string& path);
  ~SoundFile();
  SoundFile(const SoundFile&) = delete;
  SoundFile& operator=(const SoundFile&) = delete;

  // Integer PCM, FLAC and ALAC: the narrowest of s16, s24, s32 that holds every bit. Telephone
  // codecs and ADPCM, which decode to 16 bits: s16. Everything else (floats, Vorbis, Opus, MP3):
  // f32.
  const sluice_format& format() const { return format_; }

  // Length, as far as the file itself knows it.
  uint64_t frames() const { return frames_; }

  // A sentence, if the file holds less than its header announces or not all of it can be played,
  // else empty.
  const std::string& complaint() const { return complaint_; }

  // Keeps writers that ask (sink.wav) away until this is destroyed; throws sluice::Failure if there
  // is one already.
  void lock();

  // Frame number `frame` is read next; throws sluice::Failure.
  void seek(uint64_t frame);

  // Reads up to `frames` frames in format(); fewer only where the file ends or cannot be read any
  // further (complaint() then says why).
  uint32_t read(void* to, uint32_t frames);

 private:
  enum class Access { kShort, kRaw, kInt24, kInt, kFloat };

  void choose_access(const SF_INFO& info);
  void find_cut(const SF_INFO& info);
  void find_misjudged_length();
  uint32_t read_int24(void* to, uint32_t frames);

  std::string path_;
  int descriptor_ = -1;
  SNDFILE* file_ = nullptr;
  Access access_ = Access::kFloat;
  sluice_format format_{};
  uint64_t frames_ = 0, position_ = 0;
  bool is_mpeg_ = false;
  std::string complaint_;
  std::vector<int> wide_;
};
