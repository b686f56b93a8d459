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
// Beyond a burst of the writer's, for both to be a little late.
constexpr double kMarginS = 0.005;
constexpr double kGoodRatio = 10e-6;
constexpr uint32_t kSettledTurns = 3;
constexpr double kRestS = 100e-6;
// By how much clocks differ, as far as nothing is known of them.
constexpr double kUsualOffset = 100e-6;

}  // namespace

void Steering::prepare(double rate_hz, double target_frames) noexcept {
  rate_hz_ = rate_hz;
  wished_frames_ = target_frames;
  ratio_ = 1.0;
  restart();
}

void Steering::restart() noexcept {
  writer_.stop();
  reader_.stop();
  writer_strays_ = reader_strays_ = 0;
  largest_burst_ = 0.0;
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

void Steering::note_written(uint64_t frames, double output, int64_t time_ns) noexcept {
  const double before_s = writer_.is_running() ? writer_.time_s() : 0.0;
  const uint64_t frames_before = writer_.frames();
  const bool was_running = writer_.is_running() && frames >= frames_before;
  follow(writer_, writer_strays_, frames, time_ns);
  if (was_running) {
    largest_burst_ = std::max(largest_burst_, static_cast<double>(frames - frames_before));
  }
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
  follow(reader_, reader_strays_, frames, time_ns);
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

double Steering::target_frames() const {
  return std::max(wished_frames_, largest_burst_ + kMarginS * rate_hz_);
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
