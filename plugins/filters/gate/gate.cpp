// filter.gate: silence below a level.
#include <algorithm>
#include <array>
#include <cmath>
#include <sluice/sluice.hpp>

#include "delay_line.hpp"
#include "level_window.hpp"

namespace {

constexpr double kFloorDb = -120;
constexpr double kShortestFadeMs = 5;
constexpr const char* kSilences[] = {"nothing", "zeros"};
enum Parameter : uint32_t { kOpenDb, kCloseDb, kWindowMs, kHoldMs, kLookbackMs, kWhenClosed };
enum Statistic : uint32_t { kLevelDb, kIsOpen, kOpenings };

class Gate : public sluice::Passive<Gate> {
 public:
  static constexpr sluice::Info kInfo{
      "filter.gate", "Gate",
      "Passes audio while its level is high enough, and silence otherwise. The level is the RMS "
      "over all channels and the last window_ms; a full-scale sine has -3 dB. It starts open. "
      "Open, every bit passes unchanged; only opening and closing fade. When it opens it also "
      "passes the last lookback_ms, so that a first transient is never cut; the fade lies within "
      "the part of them that the window does not reach (5 to 30 ms). With closed set to zeros "
      "it makes a frame of each frame, all of them lookback_ms late. With nothing it adds no "
      "latency: while closed nothing comes out at all, and opening it hands the look-back out at "
      "once, as a burst. Marks tell where silence begins and ends."};
  static constexpr sluice_parameter kParameters[] = {
      sluice::number("open_db", "dB", kFloorDb, 0, -50, "It opens at this level.", sluice::kLive),
      sluice::number("close_db", "dB", kFloorDb, 0, -56,
                     "It closes below this level, after hold_ms; not above open_db (live, a higher "
                     "one counts as open_db).",
                     sluice::kLive),
      sluice::number("window_ms", "ms", 1, 1000, 20, "Length over which the level is measured."),
      sluice::number("hold_ms", "ms", 0, 600000, 1000,
                     "How long the level must stay below close_db before it closes.",
                     sluice::kLive),
      sluice::number("lookback_ms", "ms", 0, 5000, 50,
                     "How much from before the opening is passed; best at least window_ms + 30."),
      sluice::choice("closed", kSilences, 0,
                     "What comes out while closed: nothing at all, or zeros, which keep a live "
                     "reader supplied.")};
  static constexpr sluice_statistic kStatistics[] = {
      sluice::gauge("level_db", "dB", "Level now; -120 at the least.", "open_db"),
      sluice::gauge("is_open", nullptr, "1 while it passes audio, 0 while closed."),
      sluice::counter("openings", nullptr, "How often it opened.")};
  static constexpr const auto& kPorts = sluice::kFilterPorts;

  void prepare(sluice::Setup& setup) {
    open_db_ = number(kOpenDb);
    close_db_ = number(kCloseDb);
    if (close_db_ > open_db_) {
      throw sluice::Failure{SLUICE_ERROR_ARGUMENT,
                            "close_db is above open_db: lower it, best by a few dB."};
    }
    has_zeros_ = choice(kWhenClosed) == 1;
    rate_hz_ = setup.rate_hz();
    channels_ = setup.channels();
    hold_frames_ = frames(number(kHoldMs));
    set_thresholds();
    const double window_ms = number(kWindowMs);
    const double lookback_ms = number(kLookbackMs);
    fade_ms_ = std::clamp(lookback_ms - window_ms, kShortestFadeMs, sluice::kRampMs);
    window_.prepare(channels_, rate_hz_, window_ms);
    line_.prepare(static_cast<uint32_t>(frames(lookback_ms)), channels_);
    if (has_zeros_) setup.port(1).latency_frames = line_.capacity_frames();
    reset();
  }

  void reset() noexcept {
    window_.reset();
    line_.clear();
    if (has_zeros_) line_.fill();
    ramp_.reset(1.0, rate_hz_, fade_ms_);
    state_ = State::kOpen;
    quiet_frames_ = 0;
    pending_count_ = 0;
    is_upstream_silent_ = is_told_silent_ = false;
  }

  sluice_status process(sluice_block& block) noexcept {
    sluice_input& in = *block.inputs;
    sluice_output& out = *block.outputs;
    const float* from = static_cast<const float*>(in.data);
    in.consumed = out.produced = 0;
    uint32_t event = 0;
    uint32_t mark = 0;
    while (true) {
      uint32_t stop = in.frames;
      for (; event < block.event_count && block.events[event].frame <= in.consumed; ++event) {
        take(block.events[event]);
      }
      if (event < block.event_count) stop = std::min(stop, block.events[event].frame);
      for (; mark < in.mark_count && in.marks[mark].position <= in.position + in.consumed; ++mark) {
        take(in.marks[mark], out);
      }
      if (mark < in.mark_count && in.marks[mark].position < in.position + stop) {
        stop = static_cast<uint32_t>(in.marks[mark].position - in.position);
      }
      const uint32_t room = largest_part(out);
      if (!has_zeros_ && state_ != State::kClosed && line_.frames() != 0) {
        if (room == 0) break;
        hand_out(in, out, std::min(room, line_.frames()));
        continue;
      }
      uint32_t count = std::min(stop - in.consumed, window_.frames_left());
      if (!is_swallowing()) count = std::min(count, room);
      if (has_zeros_ && line_.capacity_frames() != 0) {
        count = std::min(count, line_.capacity_frames());
      }
      if (count == 0) break;
      const float* audio = from + size_t{in.consumed} * channels_;
      const bool is_step = window_.add(audio, count);
      if (is_swallowing()) {
        line_.push(audio, count);
      } else if (line_.frames() != 0) {
        hand_out(in, out, count);
        line_.push(audio, count);
      } else {
        std::copy_n(audio, size_t{count} * channels_, room_in(out));
        finish(in, out, count, in.consumed);
      }
      in.consumed += count;
      if (is_step) decide(out);
    }
    for (; event < block.event_count; ++event) take(block.events[event]);
    publish();
    if (!(in.flags & SLUICE_INPUT_ENDED) || in.consumed < in.frames) {
      return out.produced == out.frames ? SLUICE_STATUS_NEED_ROOM : SLUICE_STATUS_CONTINUE;
    }
    while (!is_swallowing() && line_.frames() != 0) {
      const uint32_t room = largest_part(out);
      if (room == 0) return SLUICE_STATUS_NEED_ROOM;
      hand_out(in, out, std::min(room, line_.frames()));
    }
    return SLUICE_STATUS_DRAINED;
  }

 private:
  enum class State : uint8_t { kOpen, kClosing, kClosed };

  uint64_t frames(double ms) const {
    return static_cast<uint64_t>(std::llround(ms * rate_hz_ / 1000.0));
  }
  void set_thresholds() noexcept {
    open_power_ = std::pow(10.0, open_db_ / 10.0);
    close_power_ = std::pow(10.0, std::min(close_db_, open_db_) / 10.0);
  }
  bool is_swallowing() const { return !has_zeros_ && state_ == State::kClosed; }

  float* room_in(const sluice_output& out) const {
    return static_cast<float*>(out.data) + size_t{out.produced} * channels_;
  }
  // Room, up to where a fade-out ends.
  uint32_t largest_part(const sluice_output& out) const {
    const uint32_t room = out.frames - out.produced;
    return state_ == State::kClosing ? std::min(room, ramp_.frames_left()) : room;
  }

  void take(const sluice_event& event) noexcept {
    if (event.kind != SLUICE_EVENT_PARAMETER) return;
    if (event.index == kOpenDb) open_db_ = event.value;
    if (event.index == kCloseDb) close_db_ = event.value;
    if (event.index == kHoldMs) hold_frames_ = frames(event.value);
    set_thresholds();
  }

  // A mark of the input belongs in front of the frame that comes next behind those in line_. While
  // nothing comes out there is no such place, and only silence still matters.
  void take(const sluice_mark& mark, const sluice_output& out) noexcept {
    if (mark.kind == SLUICE_MARK_END) return;
    const bool is_silence =
        mark.kind == SLUICE_MARK_SILENCE_BEGINS || mark.kind == SLUICE_MARK_SILENCE_ENDS;
    if (is_swallowing() && !is_silence) return;
    if (pending_count_ == pending_.size()) forward(pending_[0].position);
    sluice_mark moved = mark;
    moved.position = out.position + out.produced + (is_swallowing() ? 0 : line_.frames());
    pending_[pending_count_++] = moved;
    forward(out.position + out.produced);
  }
  // Puts out what lies at or before an output position.
  void forward(uint64_t position) noexcept {
    uint32_t done = 0;
    for (; done < pending_count_ && pending_[done].position <= position; ++done) {
      const sluice_mark& m = pending_[done];
      if (m.kind == SLUICE_MARK_SILENCE_BEGINS || m.kind == SLUICE_MARK_SILENCE_ENDS) {
        is_upstream_silent_ = m.kind == SLUICE_MARK_SILENCE_BEGINS;
        tell_silence(m.position, m.capture_ns);
      } else {
        mark(1, m.kind, m.position, m.value, m.capture_ns);
      }
    }
    std::copy(pending_.begin() + done, pending_.begin() + pending_count_, pending_.begin());
    pending_count_ -= done;
  }
  // It is silent while this gate or one in front of it is closed.
  void tell_silence(uint64_t position, int64_t capture_ns = SLUICE_NO_TIME) noexcept {
    const bool is_silent = state_ == State::kClosed || is_upstream_silent_;
    if (is_silent == is_told_silent_) return;
    is_told_silent_ = is_silent;
    mark(1, is_silent ? SLUICE_MARK_SILENCE_BEGINS : SLUICE_MARK_SILENCE_ENDS, position, 0,
         capture_ns);
  }

  void hand_out(const sluice_input& in, sluice_output& out, uint32_t count) noexcept {
    const int64_t first = int64_t{in.consumed} - line_.frames();
    line_.pop(room_in(out), count);
    finish(in, out, count, first);
  }
  // Makes the frames just put into the room audible or not. `first` is where the first of them lies
  // in the input's block.
  void finish(const sluice_input& in, sluice_output& out, uint32_t count, int64_t first) noexcept {
    float* audio = room_in(out);
    if (state_ == State::kClosed) {
      std::fill_n(audio, size_t{count} * channels_, 0.0f);
    } else {
      for (uint32_t n = 0; n < count && ramp_.is_moving(); ++n) {
        const auto gain = static_cast<float>(ramp_.next());
        for (uint32_t c = 0; c < channels_; ++c) audio[size_t{n} * channels_ + c] *= gain;
      }
    }
    if (!has_zeros_ && out.produced == 0 && in.capture_ns != SLUICE_NO_TIME) {
      out.capture_ns = in.capture_ns + std::llround(static_cast<double>(first) * 1e9 / rate_hz_);
    }
    out.produced += count;
    const uint64_t position = out.position + out.produced;
    forward(position);
    if (state_ == State::kClosing && !ramp_.is_moving()) {
      state_ = State::kClosed;
      if (!has_zeros_) line_.clear();
      tell_silence(position);
    }
  }

  void decide(const sluice_output& out) noexcept {
    const double power = window_.power();
    if (state_ != State::kOpen && power >= open_power_) {
      const bool was_closed = state_ == State::kClosed;
      state_ = State::kOpen;
      quiet_frames_ = 0;
      ramp_.to(1.0);
      if (!was_closed) return;
      add(kOpenings);
      tell_silence(out.position + out.produced);
    } else if (power >= close_power_) {
      quiet_frames_ = 0;
    } else {
      quiet_frames_ += window_.step_frames();
      if (state_ == State::kOpen && quiet_frames_ >= hold_frames_) {
        state_ = State::kClosing;
        ramp_.to(0.0);
      }
    }
  }

  void publish() noexcept {
    set(kLevelDb, std::max(kFloorDb, 10.0 * std::log10(std::max(window_.power(), 1e-12))));
    set(kIsOpen, state_ == State::kClosed ? 0 : 1);
  }

  bool has_zeros_ = false;
  uint32_t rate_hz_ = 48000, channels_ = 1;
  double open_db_ = 0, close_db_ = 0, fade_ms_ = 0;
  double open_power_ = 0, close_power_ = 0;
  uint64_t hold_frames_ = 0, quiet_frames_ = 0;

  State state_ = State::kOpen;
  sluice::Ramp ramp_;
  gate::LevelWindow window_;
  gate::DelayLine line_;  // zeros: what is on its way; nothing: the look-back, while closed
  std::array<sluice_mark, 64> pending_{};  // at output positions not reached yet
  uint32_t pending_count_ = 0;
  bool is_upstream_silent_ = false, is_told_silent_ = false;
};

}  // namespace

SLUICE_PLUGIN("Gate", "1.0.0", "Sluice", "MIT", Gate);
