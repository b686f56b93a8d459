// sink.wav: writes a sound file.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <sluice/sluice.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/sinks/wav/encoder.hpp"
#include "plugins/sinks/wav/output_file.hpp"
#include "plugins/sinks/wav/pcm_writer.hpp"

namespace {

constexpr uint32_t kIn = 0;

enum class Container : uint32_t { kAuto, kWav, kRf64, kFlac, kOgg };
constexpr const char* kContainers[] = {"auto", "wav", "rf64", "flac", "ogg"};
constexpr const char* kFormats[] = {"as_input", "s16", "s24", "s32", "f32"};
constexpr sluice_sample_format kSampleFormats[] = {SLUICE_SAMPLE_UNSET, SLUICE_SAMPLE_S16,
                                                   SLUICE_SAMPLE_S24, SLUICE_SAMPLE_S32,
                                                   SLUICE_SAMPLE_F32};

// How long a disk may stall before frames are lost.
constexpr double kStallMs = 2000;

class SinkWav : public sluice::Threaded<SinkWav> {
 public:
  static constexpr sluice::Info kInfo{
      "sink.wav", "Sound file",
      "Writes a sound file: WAV, RF64, FLAC or Ogg Vorbis. Frames are written as they come, "
      "without conversion: WAV and RF64 hold s16, s24, s32 and f32, FLAC s16 and s24, Ogg f32 (at "
      "about 192 kbit/s). A WAV that grows past 4 GiB becomes RF64. The file can be played at any "
      "moment, after a crash or on a full disk too, but for the last fifth of a second (Ogg: the "
      "last second). A file of that name is overwritten when the graph starts, with a line in the "
      "log; a folder, a device, a pipe or a file that is in use is refused."};
  enum Parameter : uint32_t { kPath, kFormat, kContainer };
  static constexpr sluice_parameter kParameters[] = {
      sluice::text("path", "", "The file to write.", sluice::kRequired | sluice::kOutputPath,
                   "file"),
      sluice::choice("format", kFormats, 0,
                     "Sample format in the file; as_input: that of the audio, if the container can "
                     "hold it."),
      sluice::choice("container", kContainers, 0,
                     "Kind of file; auto: by its name (.wav, .rf64, .flac, .ogg).")};
  enum Statistic : uint32_t { kFrames, kBytes };
  static constexpr sluice_statistic kStatistics[] = {
      sluice::counter("frames", "frames", "Frames written."),
      sluice::gauge("bytes", "bytes", "Length of the file.")};
  static constexpr sluice_port kPorts[] = {
      sluice::input("in", "The audio to write.", sluice::kOfferAny)};

  void describe(uint32_t, const sluice_format*, sluice_port_info& info) {
    const Container kind = container();
    offer_ = *sluice::kOfferAny;
    if (kind == Container::kFlac) {  // limits of RFC 9639
      offer_ =
          sluice::offer(SLUICE_SAMPLE_BIT(SLUICE_SAMPLE_S16) | SLUICE_SAMPLE_BIT(SLUICE_SAMPLE_S24),
                        SLUICE_SAMPLE_UNSET, 1, 8, SLUICE_MIN_RATE_HZ, 655350);
    } else if (kind == Container::kOgg) {  // limits of libvorbisenc
      offer_ = sluice::offer(SLUICE_SAMPLE_BIT(SLUICE_SAMPLE_F32), SLUICE_SAMPLE_F32, 1, 8, 8000,
                             192000);
    }
    if (const sluice_sample_format wanted = kSampleFormats[choice(kFormat)]) {
      if (!(offer_.sample_formats & SLUICE_SAMPLE_BIT(wanted))) {
        throw sluice::Failure{
            SLUICE_ERROR_FORMAT,
            std::string(kind == Container::kFlac ? "FLAC holds s16 and s24 only"
                                                 : "Ogg Vorbis is encoded from f32 only") +
                "; set format to one of these or to as_input."};
      }
      offer_.sample_formats = SLUICE_SAMPLE_BIT(wanted);
      offer_.preferred = wanted;
    }
    info.offers = &offer_;
    info.offer_count = 1;
  }

  void prepare(sluice::Setup& setup) {
    format_ = setup.format();
    file_.emplace(path());
    // A span must not be held while the disk is waited for, so in real time frames are copied out
    // first; offline nobody minds, and the copy is saved.
    is_direct_ = setup.is_offline();
    block_frames_ =
        std::max(setup.block_frames(), is_direct_ ? 0 : std::max(format_.rate_hz / 10, 1u));
    buffer_.resize(is_direct_ ? 0 : size_t{block_frames_} * sluice::frame_bytes(format_));
    setup.port(kIn).max_block_frames = block_frames_;
    if (!is_direct_) setup.port(kIn).maximum_ms = kStallMs;
  }

  void release() noexcept { file_.reset(); }

  void run() {
    if (file_->previous_bytes() > 0) {
      this->info("'" + file_->path() + "' is overwritten; it was " +
                 std::to_string(file_->previous_bytes()) + " bytes long.");
    }
    file_->begin();
    const std::unique_ptr<Writer> writer = make_writer();
    has_ended_ = false;
    while (!has_ended_ && wait(on_input(kIn, block_frames_)) == SLUICE_OK) {
      take(*writer, block_frames_);
    }
    // Told to stop: what has arrived by then is written too.
    for (uint64_t left = has_ended_ ? 0 : available(kIn); left > 0;) {
      const auto frames = static_cast<uint32_t>(std::min<uint64_t>(left, block_frames_));
      take(*writer, frames);
      left -= frames;
    }
    if (const auto failure = writer->finish()) throw *failure;
    set(kBytes, static_cast<double>(file_->bytes()));
  }

 private:
  std::string path() const { return std::string(text(kPath)); }

  Container container() const {
    if (const auto chosen = static_cast<Container>(choice(kContainer));
        chosen != Container::kAuto) {
      return chosen;
    }
    std::string end = path();
    end.erase(0, std::min(end.rfind('.'), end.size()));
    for (char& c : end) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (end == ".wav" || end == ".wave") return Container::kWav;
    if (end == ".rf64") return Container::kRf64;
    if (end == ".flac") return Container::kFlac;
    if (end == ".ogg" || end == ".oga") return Container::kOgg;
    throw sluice::Failure{SLUICE_ERROR_ARGUMENT,
                          "The name '" + path() +
                              "' does not tell what kind of file to write; let it end in .wav, "
                              ".rf64, .flac or .ogg, or set container."};
  }

  std::unique_ptr<Writer> make_writer() {
    switch (container()) {
      case Container::kFlac:
        return std::make_unique<Encoder>(*file_, format_, Encoder::Codec::kFlac);
      case Container::kOgg:
        return std::make_unique<Encoder>(*file_, format_, Encoder::Codec::kVorbis);
      case Container::kRf64:
        return std::make_unique<PcmWriter>(*file_, format_, true);
      default:
        return std::make_unique<PcmWriter>(*file_, format_, false);
    }
  }

  // Writes what there is, up to `maximum` frames.
  void take(Writer& writer, uint32_t maximum) {
    const sluice_read_span span = begin_read(kIn, maximum);
    has_ended_ = span.frames == 0 && (span.flags & SLUICE_INPUT_ENDED);
    if (span.frames == 0) return end_read(kIn, 0);
    std::optional<sluice::Failure> failure;
    if (is_direct_) {
      failure = writer.write(span.data, span.frames);
      end_read(kIn, span.frames);
    } else {
      std::memcpy(buffer_.data(), span.data, size_t{span.frames} * sluice::frame_bytes(format_));
      end_read(kIn, span.frames);
      failure = writer.write(buffer_.data(), span.frames);
    }
    set(kBytes, static_cast<double>(file_->bytes()));
    if (failure) throw *failure;
    add(kFrames, span.frames);
  }

  sluice_format_offer offer_{};
  sluice_format format_{};
  std::optional<OutputFile> file_;
  std::vector<std::byte> buffer_;
  bool is_direct_ = false, has_ended_ = false;
  uint32_t block_frames_ = 0;
};

}  // namespace

SLUICE_PLUGIN("Sound file sink", "1.0.0", "Sluice", "MIT", SinkWav);
