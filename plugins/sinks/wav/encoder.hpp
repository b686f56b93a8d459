// Writes FLAC and Ogg Vorbis through libsndfile.
#pragma once

#include <sndfile.h>

#include <vector>

#include "plugins/sinks/wav/output_file.hpp"
#include "plugins/sinks/wav/writer.hpp"

class Encoder : public Writer {
 public:
  enum class Codec { kFlac, kVorbis };

  // `file` has begun and outlives the encoder. FLAC takes s16 or s24, Vorbis f32. Throws
  // sluice::Failure if the codec cannot do that format.
  Encoder(OutputFile& file, const sluice_format& format, Codec codec);
  ~Encoder() override;
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  std::optional<sluice::Failure> write(const void* data, uint32_t frames) override;
  std::optional<sluice::Failure> finish() override;

 private:
  static sf_count_t length(void* self);
  static sf_count_t seek(sf_count_t offset, int whence, void* self);
  static sf_count_t read(void* to, sf_count_t bytes, void* self);
  static sf_count_t write_bytes(const void* data, sf_count_t bytes, void* self);
  static sf_count_t tell(void* self);

  OutputFile& file_;
  const sluice_format format_;
  SNDFILE* encoder_ = nullptr;
  uint64_t place_ = 0;  // where in the file libsndfile writes next
  uint64_t frames_ = 0;
  std::vector<int> wide_;
};
