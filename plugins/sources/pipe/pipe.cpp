// source.pipe: raw PCM from a FIFO or standard input.
#include <poll.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <sluice/sluice.hpp>
#include <string>

#include "reading_end.hpp"

namespace {

constexpr uint32_t kOut = 0;
constexpr const char* kFormats[] = {"f32", "s16", "s24", "s32"};
constexpr const char* kUntils[] = {"forever", "first-writer"};
constexpr uint32_t kBlockFrames = 4096;
constexpr uint32_t kRoomFrames = 512;  // worth waking up for when there was none

class SourcePipe : public sluice::Threaded<SourcePipe> {
 public:
  static constexpr sluice::Info kInfo{
      "source.pipe", "Pipe reader",
      "Reads raw interleaved little-endian PCM from a FIFO or from standard input, as fast as it "
      "is taken. While nobody writes a FIFO the stream is silent; the next writer begins at a "
      "whole frame, after a discontinuity, whatever the last one had left unfinished. Standard "
      "input ends the stream when it ends. When the reader behind falls behind, nothing is lost: "
      "the pipe fills up and holds the writer back."};
  enum Parameter : uint32_t { kPath, kFormat, kRateHz, kChannels, kUntil };
  static constexpr sluice_parameter kParameters[] = {
      sluice::text("path", "", "Path of the FIFO; empty for standard input.", sluice::kInputPath),
      sluice::choice("format", kFormats, 1, "Sample format of the bytes."),
      sluice::integer("rate_hz", "Hz", SLUICE_MIN_RATE_HZ, SLUICE_MAX_RATE_HZ, 48000,
                      "Frames per second."),
      sluice::integer("channels", nullptr, 1, SLUICE_MAX_CHANNELS, 2, "Number of channels."),
      sluice::choice("until", kUntils, 0,
                     "forever: wait for the next writer of a FIFO. first-writer: end when one that "
                     "wrote audio has left.")};
  enum Statistic : uint32_t { kFrames, kBytes, kWriters, kCutFrames, kConnected };
  static constexpr sluice_statistic kStatistics[] = {
      sluice::counter("frames", "frames", "Frames read."),
      sluice::counter("bytes", "bytes", "Bytes read."),
      sluice::counter("writers", nullptr, "Writers that sent something."),
      sluice::counter("cut_frames", "frames", "Frames cut off when a writer left."),
      sluice::gauge("connected", nullptr, "1 while somebody writes.")};
  static constexpr sluice_port kPorts[] = {
      sluice::output("out", "What is written into the pipe.", sluice::kOfferAny)};

  void describe(uint32_t, const sluice_format*, sluice_port_info& info) {
    offer_ = sluice::offer({sizeof(sluice_format), SLUICE_SAMPLE_F32 + choice(kFormat),
                            integer(kChannels), integer(kRateHz)});
    info.offers = &offer_;
    info.offer_count = 1;
  }

  void prepare(sluice::Setup& setup) {
    frame_bytes_ = sluice::frame_bytes(setup.format());
    setup.port(kOut).max_block_frames = kBlockFrames;
    ends_with_writer_ = choice(kUntil) == 1;
    end_.prepare(std::string(text(kPath)));
    ends_with_writer_ |= end_.has_one_writer();
  }

  void release() noexcept { end_.release(); }

  void run() {
    rest();
    while (turn()) {
    }
  }

 private:
  // False when the node is done.
  bool turn() {
    const sluice_wait_item item =
        has_no_room_ ? on_output(kOut, kRoomFrames) : on_descriptor(end_.descriptor(), POLLIN);
    if (wait(item) == SLUICE_ERROR_STOPPED) return false;
    const sluice_write_span span = begin_write(kOut, kBlockFrames);
    has_no_room_ = span.frames == 0;
    if (has_no_room_) {
      end_write(kOut, 0);
      return true;
    }
    // The part of a frame that came last time, then what is there now.
    auto* const bytes = static_cast<std::byte*>(span.data);
    std::memcpy(bytes, cut_.data(), cut_bytes_);
    size_t done = 0;
    auto outcome = pipes::ReadingEnd::Read::kEnd;
    try {
      outcome =
          end_.read(bytes + cut_bytes_, size_t{span.frames} * frame_bytes_ - cut_bytes_, done);
    } catch (const sluice::Failure&) {
      end_write(kOut, 0);
      throw;
    }
    const size_t there = cut_bytes_ + done;
    const auto frames = static_cast<uint32_t>(there / frame_bytes_);
    if (done != 0) {
      cut_bytes_ = there % frame_bytes_;
      std::memcpy(cut_.data(), bytes + size_t{frames} * frame_bytes_, cut_bytes_);
      add(kBytes, done);
      begin_writer();
    }
    if (frames != 0 && done != 0) {
      announce(span.position);
      end_write(kOut, frames, now_ns());
      add(kFrames, frames);
    } else {
      end_write(kOut, 0);
    }
    return outcome != pipes::ReadingEnd::Read::kEnd || leave();
  }

  void begin_writer() {
    if (is_connected_) return;
    is_connected_ = true;
    add(kWriters);
    set(kConnected, 1);
    set_state(SLUICE_STATE_RUNNING, "Reading " + end_.name() + ".");
  }

  void announce(uint64_t position) {
    if (!is_silent_) return;
    is_silent_ = false;
    mark(kOut, SLUICE_MARK_SILENCE_ENDS, position);
    if (has_written_) mark(kOut, SLUICE_MARK_DISCONTINUITY, position);
    has_written_ = true;
  }

  bool leave() {
    if (cut_bytes_ != 0) add(kCutFrames);
    cut_bytes_ = 0;
    const bool is_over = ends_with_writer_ && (is_connected_ || end_.has_one_writer());
    is_connected_ = false;
    set(kConnected, 0);
    if (is_over) return false;
    rest();
    end_.reopen();
    return true;
  }

  // Nobody writes.
  void rest() {
    set_state(SLUICE_STATE_WAITING, "Waiting for somebody to write to " + end_.name() + ".");
    if (is_silent_) return;
    is_silent_ = true;
    const sluice_write_span span = begin_write(kOut, 1);
    end_write(kOut, 0);
    mark(kOut, SLUICE_MARK_SILENCE_BEGINS, span.position);
  }

  sluice_format_offer offer_{};
  uint32_t frame_bytes_ = 0;
  bool ends_with_writer_ = false;
  pipes::ReadingEnd end_;

  std::array<std::byte, size_t{SLUICE_MAX_CHANNELS} * 4> cut_{};
  size_t cut_bytes_ = 0;  // of a frame whose rest has not come yet
  bool has_no_room_ = false;
  bool is_connected_ = false;
  bool is_silent_ = false;
  bool has_written_ = false;
};

}  // namespace

SLUICE_PLUGIN("Pipe source", "1.0.0", "Sluice", "MIT", SourcePipe);
