// filter.gate: lets sound through and keeps noise out.
#include <algorithm>
#include <array>
#include <cstdint>
#include <sluice/frames.hpp>
#include <sluice/sluice.hpp>
#include <span>
#include <vector>

#include "plugins/filters/gate/level_window.hpp"

namespace {

constexpr const char* kClosedChoices[] = {"nothing", "zeros"};
constexpr double kDefaultOpenDb = -50.0;

class Gate : public sluice::Passive<Gate> {
 public:
  static constexpr sluice::Info kInfo{
      "filter.gate", "Gate",
      "Lets sound through and keeps noise out. It starts open, passes every bit unchanged while it "
      "is open, closes when the level (RMS over window_ms, all channels together) has stayed below "
      "close_db for hold_ms, and opens as soon as it reaches open_db. Closing fades out over 30 "
      "ms; opening fades in over the first half of lookback_ms, so that the sound that opened it "
      "is heard from its first transient on. With `closed: zeros` the output never pauses and is "
      "late by lookback_ms all the time. With `closed: nothing` it is not late, nothing comes out "
      "while it is closed, and opening lets go of the last lookback_ms at once. A mark tells "
      "readers when silence begins and ends."};
  static constexpr const auto& kPorts = sluice::kFilterPorts;
  enum Parameter : uint32_t { kOpenDb, kCloseDb, kWindowMs, kHoldMs, kLookbackMs, kClosed };
  static constexpr sluice_parameter kParameters[] = {
      sluice::number("open_db", "dB", -100, 0, kDefaultOpenDb, "Opens at this level (RMS).",
                     sluice::kLive),
      sluice::number("close_db", "dB", -100, 0, -56,
                     "Closes below this level; not above open_db, and a few dB under it keeps the "
                     "gate from flapping.",
                     sluice::kLive),
      sluice::number("window_ms", "ms", 1, 1000, 20, "The level is measured over so much audio."),
      sluice::number("hold_ms", "ms", 0, 600'000, 500, "How long it must be quiet to close.",
                     sluice::kLive),
      sluice::number("lookback_ms", "ms", 0, 1000, 20,
                     "How much of what came before it opened is heard."),
      sluice::choice("closed", kClosedChoices, 0, "What comes out while it is closed.")};
  enum Statistic : uint32_t { kLevelDb, kIsOpen, kOpenings };
  static constexpr sluice_statistic kStatistics[] = {
      sluice::gauge("level_db", "dB", "Level now, RMS over the window.", "open_db"),
      sluice::gauge("is_open", nullptr, "1 while it is open."),
      sluice::counter("openings", nullptr, "How often it opened.")};

  void prepare(sluice::Setup& setup) {
    const uint32_t rate_hz = setup.rate_hz();
    if (number(kCloseDb) > number(kOpenDb)) {
      throw sluice::Failure{SLUICE_ERROR_ARGUMENT,
                            "close_db is above open_db: the gate would flap; lower close_db."};
    }
    rate_hz_ = rate_hz;
    channels_ = setup.channels();
    has_zeros_ = choice(kClosed) == 1;
    lookback_ = static_cast<uint32_t>(sluice::frames_of_ms(number(kLookbackMs), rate_hz));
    level_.reset(
        std::max(1U, static_cast<uint32_t>(sluice::frames_of_ms(number(kWindowMs), rate_hz))),
        channels_);
    open_db_ = number(kOpenDb);
    close_db_ = number(kCloseDb);
    hold_ = sluice::frames_of_ms(number(kHoldMs), rate_hz);
    opening_ms_ = std::clamp(number(kLookbackMs) / 2.0, 1.0, sluice::kRampMs);
    past_.assign(size_t{std::max(1U, lookback_)} * channels_, 0.0F);
    setup.port(1).latency_frames = has_zeros_ ? lookback_ : 0;
    set_thresholds();
    reset();
  }

  void reset() noexcept {
    level_.clear();
    std::fill(past_.begin(), past_.end(), 0.0F);
    past_at_ = past_frames_ = 0;
    gain_.reset(1.0, rate_hz_);
    is_open_ = true;
    quiet_ = 0;
    burst_ = 0;
    left_ = has_zeros_ ? lookback_ : 0;
    later_count_ = 0;
    is_silent_ = false;
    omitted_ = 0;
    set(kIsOpen, 1);
  }

  sluice_status process(sluice_block& block) noexcept {
    sluice_input& in = *block.inputs;
    sluice_output& out = *block.outputs;
    const float* from = static_cast<const float*>(in.data);
    to_ = static_cast<float*>(out.data);
    room_ = out.frames;
    made_ = 0;
    first_position_ = out.position;
    uint32_t taken = 0;
    uint32_t event = 0;
    uint32_t mark = 0;
    for (;; ++taken) {
      for (; event < block.event_count && block.events[event].frame <= taken; ++event) {
        change(block.events[event]);
      }
      for (; mark < in.mark_count && in.marks[mark].position <= in.position + taken; ++mark) {
        pass_on(in.marks[mark]);
      }
      emit_burst();
      if (taken == in.frames || made_ == room_) break;
      take(from + size_t{taken} * channels_);
    }
    for (; event < block.event_count; ++event) change(block.events[event]);
    in.consumed = taken;
    const bool is_over = (in.flags & SLUICE_INPUT_ENDED) != 0 && taken == in.frames;
    if (is_over) flush();
    out.produced = made_;
    send_marks();
    set(kLevelDb, level_.level_db());
    if (!is_over) return SLUICE_STATUS_CONTINUE;
    return left_ == 0 && burst_ == 0 ? SLUICE_STATUS_DRAINED : SLUICE_STATUS_NEED_ROOM;
  }

 private:
  void set_thresholds() {
    open_sum_ = std::max<uint64_t>(1, level_.sum_at(open_db_));
    close_sum_ = std::max<uint64_t>(1, level_.sum_at(std::min(close_db_, open_db_)));
  }

  void change(const sluice_event& event) noexcept {
    if (event.kind != SLUICE_EVENT_PARAMETER) return;
    if (event.index == kOpenDb) open_db_ = event.value;
    if (event.index == kCloseDb) close_db_ = event.value;
    if (event.index == kHoldMs) hold_ = sluice::frames_of_ms(event.value, rate_hz_);
    set_thresholds();
  }

  // One frame in, and at most one out.
  void take(const float* frame) noexcept {
    judge(level_.add(frame));
    if (has_zeros_) {
      emit_delayed(frame);
    } else if (is_open_ || gain_.is_moving()) {
      if (burst_ != 0) {
        // The past has to leave first; this frame takes its place at the end of the queue.
        emit_past();
        remember(frame);
        ++burst_;
        return;
      }
      emit(frame);
    } else {
      remember(frame);
      ++omitted_;
    }
  }

  void judge(uint64_t sum) noexcept {
    if (is_open_) {
      quiet_ = sum < close_sum_ ? quiet_ + 1 : 0;
      if (quiet_ <= hold_) return;
      is_open_ = false;
      retarget(0.0, sluice::kRampMs);
      set(kIsOpen, 0);
    } else if (sum >= open_sum_) {
      is_open_ = true;
      quiet_ = 0;
      retarget(1.0, opening_ms_);
      add(kOpenings);
      set(kIsOpen, 1);
      if (!has_zeros_ && is_silent_) burst_ = past_frames_;
    }
  }

  // A ramp of its own length from where the gain stands.
  void retarget(double target, double ramp_ms) noexcept {
    gain_.reset(gain_.value(), rate_hz_, ramp_ms);
    gain_.to(target);
    if (target > 0.0 && is_silent_) announce(SLUICE_MARK_SILENCE_ENDS);
  }

  void announce(uint32_t kind) noexcept {
    send_marks();
    is_silent_ = kind == SLUICE_MARK_SILENCE_BEGINS;
    const uint64_t omitted = is_silent_ ? 0 : omitted_ - std::min<uint64_t>(omitted_, past_frames_);
    mark(1, kind, first_position_ + made_, has_zeros_ ? 0 : omitted);
    if (!is_silent_) omitted_ = 0;
  }

  void emit(const float* frame) noexcept {
    float* out = to_ + size_t{made_} * channels_;
    const bool was_moving = gain_.is_moving();
    const auto gain = static_cast<float>(gain_.next());
    if (!was_moving && gain == 1.0F) {
      std::copy_n(frame, channels_, out);
    } else if (gain == 0.0F) {
      std::fill_n(out, channels_, 0.0F);
    } else {
      for (uint32_t c = 0; c < channels_; ++c) out[c] = frame[c] * gain;
    }
    ++made_;
    if (was_moving && !gain_.is_moving() && gain_.value() == 0.0) {
      announce(SLUICE_MARK_SILENCE_BEGINS);
      past_frames_ = has_zeros_ ? past_frames_ : 0;
      omitted_ = 0;
    }
  }

  void emit_delayed(const float* frame) noexcept {
    if (lookback_ == 0) return emit(frame);
    float* slot = past_.data() + size_t{past_at_} * channels_;
    emit(slot);
    std::copy_n(frame, channels_, slot);
    if (++past_at_ == lookback_) past_at_ = 0;
  }

  void remember(const float* frame) noexcept {
    if (lookback_ == 0) return;
    std::copy_n(frame, channels_, past_.data() + size_t{past_at_} * channels_);
    if (++past_at_ == lookback_) past_at_ = 0;
    past_frames_ = std::min(past_frames_ + 1, lookback_);
  }

  // The oldest frame that is still to be heard.
  void emit_past() noexcept {
    const uint32_t at = (past_at_ + lookback_ - burst_) % lookback_;
    emit(past_.data() + size_t{at} * channels_);
    --burst_;
    if (burst_ == 0) past_frames_ = 0;
  }
  void emit_burst() noexcept {
    while (burst_ != 0 && made_ < room_) emit_past();
  }

  // What is still inside when the input has ended.
  void flush() noexcept {
    emit_burst();
    for (; left_ != 0 && made_ < room_; --left_) {
      static constexpr std::array<float, SLUICE_MAX_CHANNELS> kSilence{};
      emit_delayed(kSilence.data());
    }
  }

  // A mark of the input reappears where its frame does.
  void pass_on(const sluice_mark& mark) noexcept {
    if (later_count_ == later_.size()) return;
    sluice_mark& later = later_[later_count_++];
    later = mark;
    later.position = first_position_ + made_ + (has_zeros_ ? lookback_ : burst_);
  }
  // Those whose place has come; marks never go back.
  void send_marks() noexcept {
    uint32_t sent = 0;
    for (; sent < later_count_ && later_[sent].position <= first_position_ + made_; ++sent) {
      host()->mark(host(), 1, &later_[sent]);
    }
    if (sent == 0) return;
    std::copy(later_.begin() + sent, later_.begin() + later_count_, later_.begin());
    later_count_ -= sent;
  }

  uint32_t rate_hz_ = 0, channels_ = 1;
  bool has_zeros_ = false;
  LevelWindow level_;
  double open_db_ = 0, close_db_ = 0, opening_ms_ = 0;
  uint64_t open_sum_ = 0, close_sum_ = 0;
  uint64_t hold_ = 0, quiet_ = 0;  // frames

  bool is_open_ = true;
  bool is_silent_ = false;  // closed and faded out
  sluice::Ramp gain_;
  std::vector<float> past_;  // the last lookback_ frames, in a circle
  uint32_t lookback_ = 0, past_at_ = 0, past_frames_ = 0;
  uint32_t burst_ = 0;    // frames of the past that are to be heard before anything new
  uint32_t left_ = 0;     // frames inside the delay when the input ends
  uint64_t omitted_ = 0;  // frames that were not let out since it closed

  // Of the call under way.
  float* to_ = nullptr;
  uint32_t room_ = 0, made_ = 0;
  uint64_t first_position_ = 0;

  std::array<sluice_mark, 64> later_{};
  uint32_t later_count_ = 0;
};

}  // namespace

SLUICE_PLUGIN("Gate", "1.0.0", "Sluice", "MIT", Gate);
