// filter.bridge: from the pace of one clock to that of another.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <sluice/sluice.hpp>
#include <string>
#include <vector>

#include "samples.hpp"
#include "steering.hpp"
#include "variable_rate.hpp"

namespace {

constexpr uint32_t kIn = 0;
constexpr uint32_t kOut = 1;
constexpr uint32_t kChunkFrames = 1024;
// What comes within so long came at once, in pieces.
constexpr int64_t kBurstNs = 500'000;
// A reader that has not read for so long is not at work.
constexpr int64_t kReaderGoneNs = 500'000'000;
// Silence that lies ready for the reader until its pace is known; doubled while it finds too
// little.
constexpr double kFirstLeadS = 0.02;
enum Parameter : uint32_t { kTargetMs };
enum Statistic : uint32_t {
  kPpm,
  kFillMs,
  kGoalMs,
  kConfidence,
  kWriterPpm,
  kReaderPpm,
  kStarts,
  kDroppedFrames,
  kInsertedFrames
};

class Bridge : public sluice::Passive<Bridge> {
 public:
  static constexpr sluice::Info kInfo{
      "filter.bridge", "Bridge",
      "Carries audio from one clock to another: what comes at the pace of the one leaves at the "
      "pace of the other, resampled by the few ppm by which they differ, so that nothing is "
      "dropped and nothing repeated. Two delay-locked loops follow what is written and what is "
      "read; the ratio follows them, by at most 2000 ppm and 200 ppm in a second. It is silent "
      "until it has seen both sides for 0.2 s, then fades in with the buffer at its target; when "
      "a side jumps it fades out and begins again. The host puts one in wherever two real-time "
      "clocks meet. Offline it passes everything at once.",
      SLUICE_TYPE_BRIDGES_CLOCKS};
  static constexpr sluice_parameter kParameters[] = {sluice::number(
      "target_ms", "ms", 1, 400, 5,
      "How much lies between the two clocks at the least, on average just after a write and a "
      "read. "
      "More where the two need it: a burst of the writer's, what both are late again and again, "
      "and 1.5 ms.")};
  static constexpr sluice_statistic kStatistics[] = {
      sluice::gauge("ppm", "ppm", "Frames made for each frame taken, less 1."),
      sluice::gauge("fill_ms", "ms", "What lies between the clocks, as the loops see it.",
                    "target_ms"),
      sluice::gauge("goal_ms", "ms", "The target in force."),
      sluice::gauge("confidence", nullptr,
                    "How well the ratio is known: 1 / (1 + (its standard error / 10 ppm)^2); 0 "
                    "until it has begun."),
      sluice::gauge("writer_ppm", "ppm", "The writer's clock against the host's."),
      sluice::gauge("reader_ppm", "ppm", "The reader's clock against the host's."),
      sluice::counter("starts", nullptr, "How often it began: 1 where nothing went wrong."),
      sluice::counter("dropped_frames", "frames", "Thrown away, silent, to begin at the target."),
      sluice::counter("inserted_frames", "frames", "Silence put in to begin at the target.")};
  static constexpr sluice_port kPorts[] = {
      sluice::input("in", "Audio at the pace of the one clock.", sluice::kOfferAny),
      sluice::output("out", "The same audio at the pace of the other.", sluice::kOfferAny,
                     SLUICE_PORT_SAME_FORMAT)};

  void prepare(sluice::Setup& setup) {
    reader_host_ = extension<sluice_reader_host>(SLUICE_READER_HOST);
    format_ = setup.format(kIn);
    channels_ = format_.channels;
    frame_bytes_ = sluice::frame_bytes(format_);
    rate_hz_ = format_.rate_hz;
    if (const char* why = resampler_.prepare(channels_)) {
      throw sluice::Failure{SLUICE_ERROR_MEMORY,
                            std::string("libsamplerate cannot be used: ") + why + "."};
    }
    input_.assign(size_t{kChunkFrames} * channels_, 0.0f);
    output_.resize(size_t{resample_room()} * channels_);
    steering_.prepare(rate_hz_, number(kTargetMs) * 1e-3 * rate_hz_);
    setup.port(kIn).hold_frames = static_cast<uint64_t>(std::ceil(resampler_.look_ahead_frames()));
    setup.port(kOut).max_block_frames =
        bridge::VariableRate::room_for(std::max(setup.block_frames(), kChunkFrames));
    is_offline_ = setup.is_offline();
    setup.port(kOut).target_ms = is_offline_ ? 0.0 : number(kTargetMs);
    start();
  }

  void reset() noexcept {
    resampler_.reset();
    steering_.restart();
    start();
  }

  sluice_status process(sluice_block& block) noexcept {
    sluice_input& in = *block.inputs;
    sluice_output& out = *block.outputs;
    const int64_t time_ns = now_ns();
    if (!is_offline_) {
      look_at_reader(out.position, time_ns);
      if (has_event_ && time_ns - event_ns_ > kBurstNs) settle_event();
    }
    if (in.capture_ns != SLUICE_NO_TIME) {
      const double ahead = zeros_ + resampler_.held_frames();
      out.capture_ns = in.capture_ns - std::llround(ahead * 1e9 / rate_hz_);
    }
    uint32_t mark = 0;
    const auto forward_up_to = [&](uint64_t position) {
      for (; mark < in.mark_count && in.marks[mark].position <= position; ++mark) {
        forward(in.marks[mark], in, out);
      }
    };
    forward_up_to(in.position);
    while (put_zeros(out) && in.consumed < in.frames) {
      const uint32_t frames =
          std::min({in.frames - in.consumed, kChunkFrames,
                    bridge::VariableRate::frames_for(out.frames - out.produced)});
      if (frames == 0) break;
      forward_up_to(in.position + in.consumed + frames);
      take(in, out, frames);
    }
    if (in.consumed != 0) note_event(in, out, time_ns);
    if (!(in.flags & SLUICE_INPUT_ENDED)) {
      return in.consumed < in.frames ? SLUICE_STATUS_NEED_ROOM : SLUICE_STATUS_CONTINUE;
    }
    return in.consumed == in.frames && hand_out_rest(out) ? SLUICE_STATUS_DRAINED
                                                          : SLUICE_STATUS_NEED_ROOM;
  }

 private:
  enum class State : uint8_t { kSilent, kPlaying, kFading };

  static constexpr uint32_t resample_room() { return bridge::VariableRate::room_for(kChunkFrames); }

  void start() noexcept {
    // Where nothing keeps time there is nothing to follow.
    state_ = is_offline_ ? State::kPlaying : State::kSilent;
    gain_.reset(is_offline_ ? 1.0 : 0.0, rate_hz_);
    zeros_ = skip_ = 0;
    lead_frames_ = kFirstLeadS * rate_hz_;
    has_event_ = false;
    read_ns_ = SLUICE_NO_TIME;
  }

  void look_at_reader(uint64_t written_frames, int64_t time_ns) noexcept {
    sluice_reading reading{};
    reading.struct_size = sizeof(reading);
    if (reader_host_->last_read(host(), kOut, &reading) != SLUICE_OK) return;
    capacity_frames_ = reading.capacity_frames;
    read_frames_ = reading.frames;
    if (state_ == State::kSilent) {
      // It is to read at its own pace, so there must be something to read.
      if (read_frames_ >= written_frames) {
        steering_.note_starved();
        if (written_frames != 0) lead_frames_ *= 2.0;
      }
      const auto there =
          static_cast<uint32_t>(written_frames - std::min(read_frames_, written_frames));
      const auto wanted = static_cast<uint32_t>(
          std::max(steering_.target_frames(),
                   std::min(lead_frames_, static_cast<double>(capacity_frames_) / 2.0)));
      if (there < wanted) zeros_ = wanted - there;
    }
    if (reading.time_ns != SLUICE_NO_TIME && reading.time_ns != read_ns_) {
      read_ns_ = reading.time_ns;
      steering_.note_read(reading.frames, reading.time_ns);
      set(kReaderPpm, steering_.reader_ppm());
    } else if (state_ == State::kPlaying && time_ns - read_ns_ > kReaderGoneNs) {
      begin_again();
    }
  }

  // After all of a block that there was room for.
  void note_event(const sluice_input& in, const sluice_output& out, int64_t time_ns) noexcept {
    has_event_ = true;
    event_ns_ = time_ns;
    event_frames_ = in.position + in.consumed;
    // What the input so far comes to, to a fraction of a frame.
    event_output_ = static_cast<double>(out.position + out.produced) + zeros_ - skip_ +
                    (resampler_.held_frames() - resampler_.look_ahead_frames()) * steering_.ratio();
  }

  void settle_event() noexcept {
    has_event_ = false;
    steering_.note_written(event_frames_, event_output_, event_ns_);
    if (state_ == State::kSilent && steering_.is_ready()) {
      begin();
    } else if (state_ == State::kPlaying && steering_.is_lost()) {
      begin_again();
    }
    if (state_ != State::kSilent) resampler_.set_ratio(steering_.ratio());
    publish();
  }

  void begin() noexcept {
    const int64_t longer = steering_.begin();
    zeros_ = static_cast<uint32_t>(std::max<int64_t>(longer, 0));
    skip_ = static_cast<uint32_t>(std::max<int64_t>(-longer, 0));
    add(kInsertedFrames, zeros_);
    add(kDroppedFrames, skip_);
    add(kStarts);
    state_ = State::kPlaying;
    gain_.to(1.0);
  }
  void begin_again() noexcept {
    state_ = State::kFading;
    gain_.to(0.0);
  }

  void publish() noexcept {
    set(kPpm, (steering_.ratio() - 1.0) * 1e6);
    set(kFillMs, steering_.fill_frames() * 1e3 / rate_hz_);
    set(kGoalMs, steering_.target_frames() * 1e3 / rate_hz_);
    set(kConfidence, steering_.confidence());
    set(kWriterPpm, steering_.writer_ppm());
  }

  void forward(const sluice_mark& mark_in, const sluice_input& in,
               const sluice_output& out) noexcept {
    if (mark_in.kind == SLUICE_MARK_END) return;
    const double behind =
        static_cast<double>(static_cast<int64_t>(mark_in.position - in.position - in.consumed)) +
        resampler_.held_frames();
    const uint64_t place =
        out.position + out.produced + zeros_ +
        static_cast<uint64_t>(std::max(0.0, std::nearbyint(behind * steering_.ratio()) - skip_));
    mark(kOut, mark_in.kind, place, mark_in.value, mark_in.capture_ns);
  }

  std::byte* room_in(const sluice_output& out) const {
    return static_cast<std::byte*>(out.data) + size_t{out.produced} * frame_bytes_;
  }

  // Whether all of them are out.
  bool put_zeros(sluice_output& out) noexcept {
    const uint32_t frames = std::min(zeros_, out.frames - out.produced);
    std::memset(room_in(out), 0, size_t{frames} * frame_bytes_);
    out.produced += frames;
    zeros_ -= frames;
    return zeros_ == 0;
  }

  void take(sluice_input& in, sluice_output& out, uint32_t frames) noexcept {
    const auto* from = static_cast<const std::byte*>(in.data) + size_t{in.consumed} * frame_bytes_;
    const float* samples = reinterpret_cast<const float*>(from);
    if (!is_f32()) {
      bridge::to_floats(format_.sample_format, from, input_.data(), size_t{frames} * channels_);
      samples = input_.data();
    }
    make(samples, frames, out);
    in.consumed += frames;
  }

  bool is_f32() const { return format_.sample_format == SLUICE_SAMPLE_F32; }

  // Resamples into the room, without what is to be passed over, under the gain.
  void make(const float* samples, uint32_t frames, sluice_output& out) noexcept {
    // Straight into the ring where nothing is left out and nothing converted.
    const bool is_direct = is_f32() && skip_ == 0 && state_ != State::kSilent;
    float* made = is_direct ? reinterpret_cast<float*>(room_in(out)) : output_.data();
    uint32_t count = resampler_.convert(samples, frames, made, resample_room());
    if (state_ == State::kSilent) {
      // Silence goes out for the reader to begin with, but not without end.
      if (out.position + out.produced + count > read_frames_ + capacity_frames_ / 4 * 3) return;
      std::memset(room_in(out), 0, size_t{count} * frame_bytes_);
      out.produced += count;
      return;
    }
    const uint32_t skipped = std::min(skip_, count);
    skip_ -= skipped;
    made += size_t{skipped} * channels_;
    count -= skipped;
    ramp(made, count);
    if (!is_direct) {
      bridge::from_floats(format_.sample_format, made, room_in(out), size_t{count} * channels_);
    }
    out.produced += count;
  }

  void ramp(float* samples, uint32_t frames) noexcept {
    for (; frames != 0 && gain_.is_moving(); --frames, samples += channels_) {
      const auto gain = static_cast<float>(gain_.next());
      for (uint32_t c = 0; c < channels_; ++c) samples[c] *= gain;
    }
    if (gain_.is_moving() || state_ != State::kFading) return;
    std::fill_n(samples, size_t{frames} * channels_, 0.0f);
    steering_.restart();
    start();
  }

  // Pushes the last frames out of the resampler; whether there was room for all.
  bool hand_out_rest(sluice_output& out) noexcept {
    const double ratio = steering_.ratio();
    std::fill(input_.begin(), input_.end(), 0.0f);
    if (!has_rest_) {
      has_rest_ = true;
      rest_ =
          static_cast<uint32_t>(std::max(0.0, std::nearbyint(resampler_.held_frames() * ratio)));
    }
    while (rest_ != 0) {
      const uint32_t frames =
          bridge::VariableRate::frames_for(std::min(out.frames - out.produced, resample_room()));
      if (frames == 0) return false;
      const uint32_t made =
          resampler_.convert(input_.data(), frames, output_.data(), resample_room());
      const uint32_t count = std::min(made, rest_);
      ramp(output_.data(), count);
      if (state_ == State::kSilent) std::fill(output_.begin(), output_.end(), 0.0f);
      bridge::from_floats(format_.sample_format, output_.data(), room_in(out),
                          size_t{count} * channels_);
      out.produced += count;
      rest_ -= count;
    }
    return true;
  }

  const sluice_reader_host* reader_host_ = nullptr;
  sluice_format format_{};
  uint32_t channels_ = 1, frame_bytes_ = 4, rate_hz_ = 48000;
  bool is_offline_ = false;
  bridge::VariableRate resampler_;
  bridge::Steering steering_;
  std::vector<float> input_, output_;  // a chunk each

  State state_ = State::kSilent;
  sluice::Ramp gain_;
  uint32_t zeros_ = 0, skip_ = 0;  // output frames still to put in, or to pass over
  uint64_t read_frames_ = 0, capacity_frames_ = 0;
  double lead_frames_ = 0.0;  // see kFirstLeadS
  int64_t read_ns_ = SLUICE_NO_TIME;

  // What was written last, told to the loops when the burst is over.
  bool has_event_ = false;
  int64_t event_ns_ = 0;
  uint64_t event_frames_ = 0;
  double event_output_ = 0.0;
  bool has_rest_ = false;
  uint32_t rest_ = 0;
};

}  // namespace

SLUICE_PLUGIN("Bridge", "1.0.0", "Sluice", "MIT", Bridge);
