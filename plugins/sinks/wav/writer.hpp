// What sink.wav writes its frames with: PcmWriter (WAV, RF64) or Encoder (FLAC, Ogg Vorbis).
#pragma once

#include <cstdint>
#include <optional>
#include <sluice/sluice.hpp>

// Not thread safe. Every function may block on the disk. [worker]
class Writer {
 public:
  virtual ~Writer() = default;

  // Appends frames in the format the writer was made for. Answers why that failed, if it did; the
  // file can then be played up to there, and nothing more must be written.
  [[nodiscard]] virtual std::optional<sluice::Failure> write(const void* data, uint32_t frames) = 0;
  // Completes the file; as write. Without it (a crash) all but about the last second can be played.
  [[nodiscard]] virtual std::optional<sluice::Failure> finish() = 0;
};
