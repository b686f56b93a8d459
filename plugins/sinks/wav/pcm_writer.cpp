#include "plugins/sinks/wav/pcm_writer.hpp"

#include <sluice/wav_header.hpp>

namespace {

constexpr uint32_t kHeadersPerSecond = 10;

}  // namespace

PcmWriter::PcmWriter(OutputFile& file, const sluice_format& format, bool always_rf64)
    : file_(file), format_(format), always_rf64_(always_rf64) {
  if (const auto failure = write_header()) throw *failure;
}

std::optional<sluice::Failure> PcmWriter::write(const void* data, uint32_t frames) {
  const uint32_t frame_bytes = sluice::frame_bytes(format_);
  const uint64_t at = file_.bytes();
  const size_t written = file_.write_at(at, data, size_t{frames} * frame_bytes);
  const auto whole_frames = static_cast<uint32_t>(written / frame_bytes);
  frames_ += whole_frames;
  if (whole_frames == frames) {
    if (frames_ < next_header_frames_) return std::nullopt;
    next_header_frames_ = frames_ + format_.rate_hz / kHeadersPerSecond;
    return write_header();
  }

  file_.truncate(at + uint64_t{whole_frames} * frame_bytes);
  // The header needs no new room.
  if (auto failure = write_header()) return failure;
  return file_.failure(frames_);
}

std::optional<sluice::Failure> PcmWriter::finish() {
  if (auto failure = write_header()) return failure;
  // RIFF chunks have an even length; a reader does not miss the byte if there is no room for it.
  if (file_.bytes() % 2 != 0) file_.write_at(file_.bytes(), "", 1);
  return std::nullopt;
}

std::optional<sluice::Failure> PcmWriter::write_header() {
  const auto header = sluice::WavHeader::of_file(format_, frames_, always_rf64_);
  const auto bytes = header.bytes();
  if (file_.write_at(0, bytes.data(), bytes.size()) < bytes.size()) {
    return file_.failure(frames_);
  }
  return std::nullopt;
}
