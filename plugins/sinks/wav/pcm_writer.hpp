// Writes WAV and RF64: frames as they are, behind a header that is there from the start and brought
// up to date with every tenth of a second.
#pragma once

#include "plugins/sinks/wav/output_file.hpp"
#include "plugins/sinks/wav/writer.hpp"

class PcmWriter : public Writer {
 public:
  // `file` has begun and outlives the writer. A WAV that passes 4 GiB turns into RF64 by itself.
  // Throws sluice::Failure if not even the header can be written.
  PcmWriter(OutputFile& file, const sluice_format& format, bool always_rf64);

  std::optional<sluice::Failure> write(const void* data, uint32_t frames) override;
  std::optional<sluice::Failure> finish() override;

 private:
  std::optional<sluice::Failure> write_header();

  OutputFile& file_;
  const sluice_format format_;
  const bool always_rf64_;
  uint64_t frames_ = 0;
  uint64_t next_header_frames_ = 0;
};
