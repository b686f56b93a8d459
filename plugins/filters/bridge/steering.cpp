#include "steering.hpp"

#include <algorithm>
#include <cmath>

namespace bridge {
namespace {

// The fill comes back to its target with this time constant: a millisecond asks for 100 ppm.
constexpr double kReturnS = 10.0;
// What one event may say at most, once the line stands.
constexpr double kMostErrorS = 0.005;
// Further off than that several times in a row is no jitter, it is another line.
constexpr double kStrayS = 0.02;
constexpr uint32_t kStrays = 4;
// And so is, at once, a side that stood still for so long.
constexpr double kStandstillS = 0.25;
// What both sides must have been seen for before anything is heard.
constexpr double kReadyS = 0.2;
constexpr uint64_t kReadyEvents = 4;
// A ratio known worse than that is approached from 1.
constexpr double kKnownRatio = 50e-6;
// Beyond what both sides need: as much when the target is set, and never less than that.
constexpr double kMarginS = 0.0015;
constexpr double kLeastMarginS = 0.00075;
// A target that is too high by more than this comes down, by 500 ppm: a hundredth of a semitone.
constexpr double kTooHighS = 0.001;
constexpr double kFall = 0.0005;
constexpr double kGoodRatio = 10e-6;
constexpr uint32_t kSettledTurns = 3;
constexpr double kRestS = 100e-6;
// By how much clocks differ, as far as nothing is known of them.
constexpr double kUsualOffset = 100e-6;

}  // namespace

void Steering::prepare(double rate_hz, double wished_frames) noexcept {
  rate_hz_ = rate_hz;
  wished_frames_ = goal_ = wished_frames;
  ratio_ = 1.0;
  writer_need_.reset();
  reader_need_.reset();
  restart();
}

void Steering::restart() noexcept {
  writer_.stop();
  reader_.stop();
  writer_strays_ = reader_strays_ = 0;
  is_coming_down_ = false;
  has_begun_ = is_lost_ = false;
}

void Steering::follow(DelayLockedLoop& loop, uint32_t& strays, uint64_t frames,
                      int64_t time_ns) noexcept {
  if (!loop.is_running() || frames < loop.frames()) {
    loop.start(frames, time_ns, rate_hz_);
    return;
  }
  const double error_s = loop.update(frames, time_ns, has_begun_ ? kMostErrorS : kStrayS);
  strays = std::fabs(error_s) > kStrayS ? strays + 1 : 0;
  const bool is_off = strays >= kStrays || std::fabs(error_s) > kStandstillS;
  if (!is_off) return;
  if (has_begun_) {
    is_lost_ = true;
  } else {
    loop.start(frames, time_ns, rate_hz_);
    strays = 0;
  }
}

// Before the event is in the writer's line. As long as the writer is far off it no need can be told
// from a line that has moved.
void Steering::note_need(uint64_t frames_before, uint64_t frames, int64_t time_ns) noexcept {
  if (is_lost_ || writer_strays_ != 0) return;
  double need = static_cast<double>(frames - frames_before);
  // A line of less is drawn by the jitter itself.
  if (writer_.events() >= kReadyEvents) {
    const double behind =
        writer_.frames_at(writer_.seconds(time_ns)) - static_cast<double>(frames_before);
    if (behind - need > kStandstillS * rate_hz_) return;
    need = std::max(need, behind);
  }
  writer_need_.note(need);
}

void Steering::note_written(uint64_t frames, double output, int64_t time_ns) noexcept {
  const double before_s = writer_.is_running() ? writer_.time_s() : 0.0;
  if (writer_.is_running() && frames >= writer_.frames()) {
    note_need(writer_.frames(), frames, time_ns);
    set_goal(static_cast<double>(time_ns - need_ns_) * 1e-9);
  }
  need_ns_ = time_ns;
  follow(writer_, writer_strays_, frames, time_ns);
  output_ = output;
  if (!reader_.is_running()) return;
  // Both lines at the moment the writer's line reaches this count.
  const double since_reader_s =
      writer_.time_s() + static_cast<double>(writer_.base_ns() - reader_.base_ns()) * 1e-9;
  fill_ = output_ - reader_.frames_at(since_reader_s);
  if (!has_begun_ || is_lost_) return;
  steer(writer_.time_s() - before_s);
}

void Steering::note_read(uint64_t frames, int64_t time_ns) noexcept {
  if (reader_.is_running() && reader_.events() >= kReadyEvents && !is_lost_ &&
      reader_strays_ == 0) {
    reader_need_.note(static_cast<double>(frames) - reader_.frames_at(reader_.seconds(time_ns)));
  }
  follow(reader_, reader_strays_, frames, time_ns);
}

void Steering::set_goal(double seconds) noexcept {
  writer_need_.pass(seconds);
  reader_need_.pass(seconds);
  const double need = writer_need_.value() + reader_need_.value();
  const double wanted = std::max(wished_frames_, need + kMarginS * rate_hz_);
  if (!has_begun_ || need + kLeastMarginS * rate_hz_ > goal_) {
    goal_ = wanted;
  } else if (is_coming_down_ || goal_ > wanted + kTooHighS * rate_hz_) {
    goal_ = std::max(wanted, goal_ - kFall * rate_hz_ * seconds);
  }
  is_coming_down_ = goal_ > wanted && (is_coming_down_ || goal_ > wanted + kTooHighS * rate_hz_);
}

bool Steering::is_ready() const {
  return writer_.is_running() && reader_.is_running() && writer_.events() >= kReadyEvents &&
         reader_.events() >= kReadyEvents && writer_.time_s() >= kReadyS &&
         reader_.time_s() >= kReadyS;
}

int64_t Steering::begin() noexcept {
  has_begun_ = true;
  ratio_ = 1.0;
  if (rate_error() < kKnownRatio) {
    ratio_ = std::clamp(reader_.rate_hz() / writer_.rate_hz(), 1.0 - kMaxPpm * 1e-6,
                        1.0 + kMaxPpm * 1e-6);
  }
  rest_ = 0.0;
  turns_ = 0;
  return std::llround(target_frames() - fill_);
}

double Steering::rate_error() const {
  return std::hypot(writer_.rate_error(), reader_.rate_error());
}

double Steering::confidence() const {
  if (!has_begun_) return 0.0;
  const double error = rate_error() / kGoodRatio;
  return 1.0 / (1.0 + error * error);
}

void Steering::steer(double seconds) noexcept {
  // By now the ratio taken at begin has been in force for a whole event. Chasing a part of a frame
  // would bend the pitch for nothing.
  if (++turns_ == kSettledTurns && std::fabs(fill_ - target_frames()) < kRestS * rate_hz_) {
    rest_ = fill_ - target_frames();
  }
  if (turns_ < kSettledTurns) return;
  const double excess_s = (fill_ - target_frames() - rest_) / rate_hz_;
  if (std::fabs(excess_s) > std::max(kStrayS, target_frames() / rate_hz_)) {
    is_lost_ = true;
    return;
  }
  // What is measured counts for as much as it is surer than what clocks usually do.
  const double doubt = rate_error() / kUsualOffset;
  const double clocks = 1.0 + (reader_.rate_hz() / writer_.rate_hz() - 1.0) / (1.0 + doubt * doubt);
  const double wanted =
      std::clamp(clocks * (1.0 - excess_s / kReturnS), 1.0 - kMaxPpm * 1e-6, 1.0 + kMaxPpm * 1e-6);
  const double most = kMaxSlewPpmPerS * 1e-6 * std::max(seconds, 0.0);
  ratio_ = std::clamp(wanted, ratio_ - most, ratio_ + most);
}

}  // namespace bridge
