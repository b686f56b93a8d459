#include "plugins/sinks/wav/encoder.hpp"

#include <cstdio>
#include <cstring>

namespace {

// About 192 kbit/s for stereo at 48 kHz.
constexpr double kVorbisQuality = 0.6;

}  // namespace

Encoder::Encoder(OutputFile& file, const sluice_format& format, Codec codec)
    : file_(file), format_(format) {
  SF_INFO info{};
  info.channels = static_cast<int>(format.channels);
  info.samplerate = static_cast<int>(format.rate_hz);
  if (codec == Codec::kVorbis) {
    info.format = SF_FORMAT_OGG | SF_FORMAT_VORBIS;
  } else {
    info.format = SF_FORMAT_FLAC |
                  (format.sample_format == SLUICE_SAMPLE_S16 ? SF_FORMAT_PCM_16 : SF_FORMAT_PCM_24);
  }
  SF_VIRTUAL_IO io{length, seek, read, write_bytes, tell};
  encoder_ = sf_open_virtual(&io, SFM_WRITE, &info, this);
  if (!encoder_) {
    throw sluice::Failure{SLUICE_ERROR_FORMAT,
                          "'" + file.path() + "' cannot hold this format: " + sf_strerror(nullptr)};
  }
  double quality = kVorbisQuality;
  if (codec == Codec::kVorbis) {
    sf_command(encoder_, SFC_SET_VBR_ENCODING_QUALITY, &quality, sizeof(quality));
  } else {
    // The head, so that the file can be opened from the start. Not for Vorbis: libsndfile would
    // write it a second time with the first frame.
    sf_command(encoder_, SFC_UPDATE_HEADER_NOW, nullptr, 0);
  }
}

Encoder::~Encoder() {
  if (encoder_) sf_close(encoder_);
}

std::optional<sluice::Failure> Encoder::write(const void* data, uint32_t frames) {
  switch (format_.sample_format) {
    case SLUICE_SAMPLE_F32:
      sf_writef_float(encoder_, static_cast<const float*>(data), frames);
      break;
    case SLUICE_SAMPLE_S16:
      sf_writef_short(encoder_, static_cast<const short*>(data), frames);
      break;
    default: {
      const size_t samples = size_t{frames} * format_.channels;
      const auto* packed = static_cast<const unsigned char*>(data);
      wide_.assign(samples, 0);
      for (size_t i = 0; i < samples; ++i) {
        std::memcpy(reinterpret_cast<unsigned char*>(&wide_[i]) + 1, packed + 3 * i, 3);
      }
      sf_writef_int(encoder_, wide_.data(), frames);
    }
  }
  if (file_.has_failed()) return file_.failure(frames_);
  if (sf_error(encoder_) != SF_ERR_NO_ERROR) {
    return sluice::Failure{SLUICE_ERROR_INTERNAL, "Encoding '" + file_.path() + "' failed after " +
                                                      std::to_string(frames_) +
                                                      " frames: " + sf_strerror(encoder_)};
  }
  frames_ += frames;
  return std::nullopt;
}

std::optional<sluice::Failure> Encoder::finish() {
  // libsndfile writes the head of an Ogg with its first frame, and so never without one.
  if (file_.bytes() == 0) sf_command(encoder_, SFC_UPDATE_HEADER_NOW, nullptr, 0);
  sf_close(std::exchange(encoder_, nullptr));
  if (file_.has_failed()) return file_.failure(frames_);
  return std::nullopt;
}

sf_count_t Encoder::length(void* self) {
  return static_cast<sf_count_t>(static_cast<Encoder*>(self)->file_.bytes());
}

sf_count_t Encoder::seek(sf_count_t offset, int whence, void* self) {
  auto& encoder = *static_cast<Encoder*>(self);
  sf_count_t from = 0;
  if (whence == SEEK_CUR) from = tell(self);
  if (whence == SEEK_END) from = length(self);
  encoder.place_ = static_cast<uint64_t>(from + offset);
  return from + offset;
}

sf_count_t Encoder::read(void*, sf_count_t, void*) { return 0; }

sf_count_t Encoder::write_bytes(const void* data, sf_count_t bytes, void* self) {
  auto& encoder = *static_cast<Encoder*>(self);
  const auto wanted = static_cast<size_t>(bytes);
  const uint64_t before = encoder.file_.bytes();
  const size_t written = encoder.file_.write_at(encoder.place_, data, wanted);
  if (written < wanted) {  // half a packet is worse than none
    encoder.file_.truncate(before);
    return 0;
  }
  encoder.place_ += written;
  return bytes;
}

sf_count_t Encoder::tell(void* self) {
  return static_cast<sf_count_t>(static_cast<Encoder*>(self)->place_);
}
