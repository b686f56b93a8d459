// sink.pipe: raw PCM into a FIFO or standard output.
#include <poll.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <sluice/sluice.hpp>
#include <sluice/wav_header.hpp>
#include <span>
#include <string>
#include <vector>

#include "writing_end.hpp"

namespace {

constexpr uint32_t kIn = 0;
constexpr const char* kFormats[] = {"as-it-comes", "f32", "s16", "s24", "s32"};
constexpr const char* kHeaders[] = {"none", "wav"};
constexpr const char* kWithoutReader[] = {"hold", "drop"};
constexpr uint32_t kBlockFrames = 4096;
// Nothing tells when somebody opens the other end, so it is tried.
constexpr int64_t kRetryNs = 100'000'000;

class SinkPipe : public sluice::Threaded<SinkPipe> {
 public:
  static constexpr sluice::Info kInfo{
      "sink.pipe", "Pipe writer",
      "Writes raw interleaved little-endian PCM into a FIFO or to standard output, as fast as it "
      "is read. A FIFO that nobody reads is waited for, and a reader that leaves is no error: the "
      "next one begins at a whole frame. A path where nothing is becomes a FIFO for as long as it "
      "runs. With standard output the graph ends when its reader leaves."};
  enum Parameter : uint32_t { kPath, kFormat, kRateHz, kChannels, kHeader, kWhenAlone };
  static constexpr sluice_parameter kParameters[] = {
      sluice::text("path", "", "Path of the FIFO; empty for standard output.", sluice::kOutputPath),
      sluice::choice("format", kFormats, 0, "Sample format of the bytes."),
      sluice::integer("rate_hz", "Hz", 0, SLUICE_MAX_RATE_HZ, 0,
                      "Frames per second; 0 for the rate that comes."),
      sluice::integer("channels", nullptr, 0, SLUICE_MAX_CHANNELS, 0,
                      "Number of channels; 0 for as many as come."),
      sluice::choice("header", kHeaders, 0,
                     "wav: every reader gets a WAV header first, with the size left open."),
      sluice::choice("without_reader", kWithoutReader, 0,
                     "While nobody reads a FIFO: hold keeps audio back, and with it everything in "
                     "front; drop throws it away, so that a reader begins with what is new.")};
  enum Statistic : uint32_t { kFrames, kBytes, kReaders, kDroppedFrames, kConnected };
  static constexpr sluice_statistic kStatistics[] = {
      sluice::counter("frames", "frames", "Frames written."),
      sluice::counter("bytes", "bytes", "Bytes written, headers included."),
      sluice::counter("readers", nullptr, "Readers so far."),
      sluice::counter("dropped_frames", "frames", "Frames thrown away while nobody read."),
      sluice::gauge("connected", nullptr, "1 while somebody reads.")};
  static constexpr sluice_port kPorts[] = {
      sluice::input("in", "What is to be written.", sluice::kOfferAny)};

  void describe(uint32_t, const sluice_format*, sluice_port_info& info) {
    const uint32_t format = choice(kFormat);
    const uint32_t rate_hz = integer(kRateHz);
    const uint32_t channels = integer(kChannels);
    if (rate_hz != 0 && rate_hz < SLUICE_MIN_RATE_HZ) {
      throw sluice::Failure{SLUICE_ERROR_ARGUMENT, "Give a rate_hz of 1000 or more, or 0."};
    }
    offer_ = sluice::offer(
        format == 0 ? SLUICE_SAMPLE_ANY : SLUICE_SAMPLE_BIT(format),
        format == 0 ? sluice_sample_format{SLUICE_SAMPLE_UNSET} : sluice_sample_format{format},
        std::max(channels, 1u), channels != 0 ? channels : SLUICE_MAX_CHANNELS,
        std::max(rate_hz, SLUICE_MIN_RATE_HZ), rate_hz != 0 ? rate_hz : SLUICE_MAX_RATE_HZ);
    info.offers = &offer_;
    info.offer_count = 1;
  }

  void prepare(sluice::Setup& setup) {
    frame_bytes_ = sluice::frame_bytes(setup.format());
    drops_ = choice(kWhenAlone) == 1;
    header_.reset();
    if (choice(kHeader) == 1) header_ = sluice::WavHeader::of_stream(setup.format());
    end_.prepare(std::string(text(kPath)));
  }

  void release() noexcept { end_.release(); }

  void run() {
    const pipes::NoPipeSignal no_signal;
    set_waiting();
    while (end_.is_open() ? play() : wait_for_reader()) {
    }
    end_.close();
  }

 private:
  void set_waiting() {
    set_state(SLUICE_STATE_WAITING, "Waiting for somebody to read " + end_.name() + ".");
  }

  // Each returns false when the node is done.

  bool wait_for_reader() {
    if (end_.open()) {
      add(kReaders);
      set(kConnected, 1);
      set_state(SLUICE_STATE_RUNNING, "Writing to " + end_.name() + ".");
      cut_bytes_ = 0;
      header_left_ = header_ ? header_->bytes() : std::span<const std::byte>();
      return true;
    }
    const int64_t until_ns = now_ns() + kRetryNs;
    if (!drops_) return sleep_until(until_ns) == SLUICE_ERROR_TIMEOUT;
    for (;;) {
      const sluice_result result = wait(on_input(kIn), until_ns);
      if (result != SLUICE_OK) return result == SLUICE_ERROR_TIMEOUT;
      const sluice_read_span span = begin_read(kIn, kBlockFrames);
      const uint32_t frames = span.frames;
      end_read(kIn, frames);
      add(kDroppedFrames, frames);
      if (span.flags & SLUICE_INPUT_ENDED) return false;
    }
  }

  bool play() {
    std::array items = {is_full_ ? on_descriptor(end_.descriptor(), POLLOUT) : on_input(kIn),
                        on_descriptor(end_.descriptor(), 0)};
    const sluice_result result = wait(std::span(items).first(is_full_ ? 1 : 2));
    if (result == SLUICE_ERROR_STOPPED) return false;
    if (!is_full_ && (items[1].ready & (POLLERR | POLLHUP))) return leave();
    is_full_ = false;
    if (!header_left_.empty()) return write_header();
    return write_audio();
  }

  bool write_header() {
    size_t done = 0;
    const auto outcome = end_.write(header_left_.data(), header_left_.size(), done);
    add(kBytes, done);
    header_left_ = header_left_.subspan(done);
    return go_on(outcome, !header_left_.empty());
  }

  // From the ring straight into the pipe. Of a frame that was cut the rest comes first.
  bool write_audio() {
    const sluice_read_span span = begin_read(kIn, kBlockFrames);
    const size_t bytes = size_t{span.frames} * frame_bytes_ - (span.frames ? cut_bytes_ : 0);
    size_t done = 0;
    auto outcome = pipes::WritingEnd::Write::kSome;
    try {
      if (bytes != 0) {
        outcome = end_.write(static_cast<const std::byte*>(span.data) + cut_bytes_, bytes, done);
      }
    } catch (const sluice::Failure&) {
      end_read(kIn, 0);
      throw;
    }
    const size_t written = cut_bytes_ + done;
    const auto frames = static_cast<uint32_t>(written / frame_bytes_);
    end_read(kIn, frames);
    cut_bytes_ = written % frame_bytes_;
    add(kBytes, done);
    add(kFrames, frames);
    if (frames == span.frames && (span.flags & SLUICE_INPUT_ENDED)) return false;
    return go_on(outcome, done < bytes);
  }

  bool go_on(pipes::WritingEnd::Write outcome, bool is_full) {
    if (outcome == pipes::WritingEnd::Write::kGone) return leave();
    is_full_ = is_full;
    return true;
  }

  bool leave() {
    end_.close();
    is_full_ = false;
    set(kConnected, 0);
    tell_upstream(kIn, SLUICE_UPSTREAM_RECONNECTED);
    if (end_.is_standard_output()) {
      info("Whoever read standard output has left.");
      return false;
    }
    set_waiting();
    return true;
  }

  sluice_format_offer offer_{};
  uint32_t frame_bytes_ = 0;
  bool drops_ = false;
  pipes::WritingEnd end_;
  std::optional<sluice::WavHeader> header_;
  std::span<const std::byte> header_left_;
  size_t cut_bytes_ = 0;  // of the next frame, written already
  bool is_full_ = false;
};

}  // namespace

SLUICE_PLUGIN("Pipe sink", "1.0.0", "Sluice", "MIT", SinkPipe);
