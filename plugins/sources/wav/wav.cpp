// source.wav: plays a sound file in its own format.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <optional>
#include <sluice/sluice.hpp>
#include <string>
#include <vector>

#include "plugins/sources/wav/sound_file.hpp"

namespace {

constexpr double kDayMs = 86'400'000.0;

class SourceWav : public sluice::Threaded<SourceWav> {
 public:
  static constexpr sluice::Info kInfo{
      "source.wav", "Sound file",
      "Plays a sound file: WAV, RF64, FLAC, Ogg, MP3, AIFF and whatever else libsndfile reads. "
      "The output has the file's own format: s16, s24, s32 or f32, never converted; compressed "
      "files without a bit depth (Ogg, MP3) are f32. A file that is cut off is played as far as it "
      "goes, with a warning."};
  enum Parameter : uint32_t { kPath, kStartMs, kLengthMs, kLoop };
  static constexpr sluice_parameter kParameters[] = {
      sluice::text("path", "", "The file to play.", sluice::kRequired | sluice::kInputPath),
      sluice::number("start_ms", "ms", 0, 365 * kDayMs, 0, "Where in the file to begin."),
      sluice::number("length_ms", "ms", 0, 365 * kDayMs, 0,
                     "How much to play from there; 0, or more than there is: to the end."),
      sluice::boolean("loop", false, "Begin again at the start, without a gap, for ever.")};
  enum Statistic : uint32_t { kPositionMs, kLoops };
  static constexpr sluice_statistic kStatistics[] = {
      sluice::gauge("position_ms", "ms", "Place in the file up to which it was read."),
      sluice::counter("loops", nullptr, "How often it began again at the start.")};
  static constexpr sluice_port kPorts[] = {
      sluice::output("out", "The audio of the file.", sluice::kOfferAny)};

  void describe(uint32_t, const sluice_format*, sluice_port_info& info) {
    const SoundFile file(path());
    find_region(file);
    offer_ = sluice::offer(file.format());
    info.offers = &offer_;
    info.offer_count = 1;
  }

  void prepare(sluice::Setup& setup) {
    file_.emplace(path());
    file_->lock();
    find_region(*file_);
    rate_hz_ = setup.rate_hz();
    if (std::memcmp(&file_->format(), &setup.format(), sizeof(sluice_format)) != 0) {
      throw sluice::Failure{
          SLUICE_ERROR_FORMAT,
          "'" + path() + "' changed its format since it was looked at; try again."};
    }
    complaint_.clear();
    complain();
    loop_ = boolean(kLoop);
    frame_bytes_ = sluice::frame_bytes(setup.format());
    // A span must not be held while the disk is waited for, so in real time the file is read into a
    // buffer; offline nobody minds, and the copy is saved.
    is_direct_ = setup.is_offline();
    block_frames_ = std::max(setup.block_frames(), is_direct_ ? 0 : rate_hz_ / 20);
    buffer_.resize(is_direct_ ? 0 : size_t{block_frames_} * frame_bytes_);
    setup.port(0).max_block_frames = block_frames_;
  }

  void release() noexcept { file_.reset(); }

  void run() {
    file_->seek(position_ = start_);
    for (bool more = true; more;) {
      if (is_direct_) {
        if (wait(on_output(0, block_frames_)) != SLUICE_OK) return;
        const sluice_write_span span = begin_write(0, block_frames_);
        const uint32_t frames = fill(static_cast<std::byte*>(span.data), span.frames);
        end_write(0, frames);
        more = frames == span.frames;
      } else {
        const uint32_t frames = fill(buffer_.data(), block_frames_);
        if (!pass_on(frames)) return;
        more = frames == block_frames_;
      }
      set(kPositionMs, 1000.0 * static_cast<double>(position_) / rate_hz_);
    }
  }

 private:
  std::string path() const { return std::string(text(kPath)); }

  void find_region(const SoundFile& file) {
    const uint32_t rate_hz = file.format().rate_hz;
    start_ = sluice::frames_of_ms(number(kStartMs), rate_hz);
    if (start_ >= file.frames()) {
      const uint64_t there_ms = file.frames() * 1000 / rate_hz;
      throw sluice::Failure{SLUICE_ERROR_ARGUMENT,
                            file.frames() == 0
                                ? "'" + path() + "' holds no audio."
                                : "start_ms lies beyond the end of '" + path() + "', which is " +
                                      std::to_string(there_ms) + " ms long."};
    }
    const uint64_t length = sluice::frames_of_ms(number(kLengthMs), rate_hz);
    end_ = number(kLengthMs) > 0 ? start_ + std::max<uint64_t>(length, 1) : file.frames();
    end_ = std::min(end_, file.frames());
  }

  // Reads `frames` frames, going round the loop as often as needed; fewer at the end of it all.
  uint32_t fill(std::byte* to, uint32_t frames) {
    uint32_t done = 0;
    while (done < frames) {
      const auto wanted =
          static_cast<uint32_t>(std::min<uint64_t>(frames - done, end_ - position_));
      const uint32_t got = file_->read(to + size_t{done} * frame_bytes_, wanted);
      done += got;
      position_ += got;
      if (got < wanted) end_ = position_;
      if (position_ == end_) complain();
      if (position_ < end_) continue;
      if (!loop_ || end_ == start_) break;
      file_->seek(position_ = start_);
      add(kLoops);
    }
    return done;
  }

  // Says once what is wrong with the file.
  void complain() {
    if (complaint_ != file_->complaint()) warn(complaint_ = file_->complaint());
  }

  bool pass_on(uint32_t frames) {
    for (uint32_t done = 0; done < frames;) {
      if (wait(on_output(0, frames - done)) != SLUICE_OK) return false;
      const sluice_write_span span = begin_write(0, frames - done);
      std::memcpy(span.data, buffer_.data() + size_t{done} * frame_bytes_,
                  size_t{span.frames} * frame_bytes_);
      end_write(0, span.frames);
      done += span.frames;
    }
    return true;
  }

  sluice_format_offer offer_{};
  std::optional<SoundFile> file_;
  std::string complaint_;
  std::vector<std::byte> buffer_;
  bool loop_ = false, is_direct_ = false;
  uint32_t rate_hz_ = 0, block_frames_ = 0, frame_bytes_ = 0;
  uint64_t start_ = 0, end_ = 0;  // the region, in frames of the file
  uint64_t position_ = 0;
};

}  // namespace

SLUICE_PLUGIN("Sound file source", "1.0.0", "Sluice", "MIT", SourceWav);
