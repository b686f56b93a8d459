#include "sink_alsa.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace alsa {
namespace {

constexpr int64_t kDelayLookNs = 250'000'000;
constexpr int64_t kPlayOnNs = 10'000'000;

}  // namespace

void SinkAlsa::describe(uint32_t, const sluice_format*, sluice_port_info& info) {
  device_ = text(kDevice);
  Pcm pcm;
  const Trouble trouble = pcm.open(device_, Direction::kPlayback);
  if (trouble.is_final()) throw sluice::Failure{trouble.result(), trouble.sentence};
  choose_offers(trouble ? nullptr : &pcm.offered());
  clock_id_ = pcm.clock_id();
  info.clock_id = clock_id_.c_str();
  info.offers = offers_.data();
  info.offer_count = static_cast<uint32_t>(offers_.size());
}

void SinkAlsa::prepare(sluice::Setup& setup) {
  if (setup.is_offline()) {
    throw sluice::Failure{SLUICE_ERROR_UNSUPPORTED,
                          "A sound device runs in real time alone: use 'sluice run'."};
  }
  device_ = text(kDevice);
  format_ = setup.format();
  period_frames_ = integer(kBuffer);
  periods_ = integer(kCount);
  holds_ = choice(kAbsent) == 1;
  auto& port = setup.port(kIn);
  is_fed_live_ = port.is_fed_live != 0;
  port.max_block_frames = period_frames_;
  port.hold_frames = is_fed_live_ ? period_frames_ : uint64_t{period_frames_} * periods_;
  port.target_ms = 2000.0 * period_frames_ / format_.rate_hz;
  port.latency_frames = port.is_bridged ? period_frames_ : fill_of(period_frames_);
  const void* clock_host = host()->get_extension(host(), SLUICE_CLOCK_HOST);
  clock_host_ = static_cast<const sluice_clock_host*>(clock_host);
  const void* play_host = host()->get_extension(host(), SLUICE_PLAY_HOST);
  play_host_ = static_cast<const sluice_play_host*>(play_host);
  is_first_ = true;
}

void SinkAlsa::run() {
  for (End end = End::kGone; end == End::kGone;) {
    is_bridged_ = tell_played(0, SLUICE_NO_TIME);
    if (!wait_for_device()) break;
    do {
      end = play();
    } while (end == End::kAgain);
    if (end == End::kGone) add(kLosses);
    pcm_.close();
  }
}

// What the device has, as far as the parameters leave it open.
void SinkAlsa::choose_offers(const Offered* offered) {
  const sluice_format wanted{sizeof(wanted), chosen_format(choice(kFormat)), integer(kChannels),
                             integer(kRateHz)};
  offers_ = offers_of(offered, wanted);
  if (!offers_.empty()) return;
  throw sluice::Failure{SLUICE_ERROR_FORMAT, "ALSA device '" + device_ +
                                                 "' does not offer what is asked for; it offers " +
                                                 offered->text() + "."};
}

void SinkAlsa::say_state(DeviceState state, const std::string& sentence) {
  static constexpr uint32_t kStates[] = {SLUICE_STATE_WAITING, SLUICE_STATE_STARTING,
                                         SLUICE_STATE_RUNNING, SLUICE_STATE_LOST};
  set(kDeviceState, static_cast<double>(state));
  set_state(kStates[static_cast<size_t>(state)], sentence);
}

bool SinkAlsa::wait_for_device() {
  Trouble::Kind said = Trouble::Kind::kNone;
  say_state(DeviceState::kOpening);
  for (;;) {
    Trouble trouble = pcm_.open(device_, Direction::kPlayback);
    // What comes live never waits for room: a period more, which stays empty. Where frames are
    // passed on as they come it stays empty by itself; in two periods there is room for another
    // one just when the device has taken one.
    const uint32_t periods = is_bridged_ ? 2 : periods_ + (is_fed_live_ ? 1 : 0);
    if (!trouble) trouble = pcm_.set_up(format_, period_frames_, periods);
    if (!trouble) break;
    pcm_.close();
    if (trouble.kind == Trouble::Kind::kUnknown && is_first_) {
      throw sluice::Failure{trouble.result(), trouble.sentence};
    }
    if (trouble.kind != said) {
      say_state(is_first_ ? DeviceState::kAbsent : DeviceState::kLost,
                trouble.sentence + " It is waited for.");
      said = trouble.kind;
    }
    if (!rest_until(now_ns() + kLookNs)) return false;
  }
  const uint32_t period = pcm_.period_frames();
  fill_frames_ =
      is_fed_live_ ? std::min(pcm_.buffer_frames(), fill_of(period)) : pcm_.buffer_frames();
  set(kPeriodFrames, period);
  set(kDeviceBufferFrames, pcm_.buffer_frames());
  block_.resize(size_t{period} * sluice::frame_bytes(format_));
  smoother_.reset(format_, is_first_ ? 1 : 0);
  say_state(DeviceState::kRunning, "Plays into '" + pcm_.name() + "': " + text_of(format_) +
                                       ", periods of " + std::to_string(period) + " frames, " +
                                       std::to_string(pcm_.buffer_frames()) + " in its buffer" +
                                       (pcm_.is_mapped() ? ", in shared memory." : "."));
  is_first_ = false;
  is_fresh_ = true;
  late_frames_ = 0;
  reserve_frames_ = std::min(reserve_frames_, period);
  return true;
}

// There is no device. What is due meanwhile is not heard. False when the node is done.
bool SinkAlsa::rest_until(int64_t deadline_ns) {
  if (holds_) return sleep_until(deadline_ns) != SLUICE_ERROR_STOPPED;
  const int64_t start_ns = now_ns();
  for (uint64_t taken = 0;;) {
    const int64_t now = now_ns();
    if (now >= deadline_ns) return true;
    if (sleep_until(std::min(now + kPlayOnNs, deadline_ns)) == SLUICE_ERROR_STOPPED) return false;
    const uint64_t due = sluice::frames_of_ns(now_ns() - start_ns, format_.rate_hz);
    while (taken < due) {
      const auto wanted = static_cast<uint32_t>(std::min<uint64_t>(due - taken, 65536));
      const sluice_read_span span = begin_read(kIn, wanted);
      end_read(kIn, span.frames);
      taken += span.frames;
      if (span.frames == 0 && (span.flags & SLUICE_INPUT_ENDED)) return false;
      if (span.frames == 0) taken = due;
    }
  }
}

SinkAlsa::End SinkAlsa::play() {
  written_frames_ = 0;
  End end = is_bridged_ ? start_on_arrival() : start_in_periods();
  while (end == End::kOtherWay) end = is_bridged_ ? play_on_arrival() : play_in_periods();
  return end;
}

Trouble SinkAlsa::start() {
  if (Trouble trouble = pcm_.start(); trouble) return trouble;
  start_ns_ = look_ns_ = now_ns();
  taken_frames_ = 0;
  if (is_fresh_) moved_ns_ = opened_ns_ = start_ns_;
  next_look_ns_ = 0;
  has_filled_in_ = false;
  dry_ns_ = start_ns_ + sluice::ns_of_frames(written_frames_, format_.rate_hz);
  clock_.restart(format_.rate_hz);
  is_fresh_ = false;
  polled_ = pcm_.descriptors();
  items_.assign(1, on_input(kIn, 1));
  for (const pollfd& descriptor : polled_) {
    items_.push_back(on_descriptor(descriptor.fd, static_cast<unsigned short>(descriptor.events)));
  }
  return {};
}

std::optional<SinkAlsa::End> SinkAlsa::look(uint32_t& room) {
  switch (pcm_.state()) {
    case Pcm::State::kGone:
      return lose(-ENODEV);
    case Pcm::State::kSuspended:
      return lose("The machine has slept.");
    case Pcm::State::kStopped:
      return lose("ALSA device '" + device_ + "' was stopped by its driver.");
    default:
      break;
  }
  const int64_t time_ns = now_ns();
  int64_t there = -1;
  if (!is_bridged_ && time_ns < next_look_ns_ && time_ns < dry_ns_) there = pcm_.available();
  const bool is_known = there >= pcm_.period_frames();
  if (!is_known) there = pcm_.available_now();
  if (there == -EPIPE) return recover();
  if (there < 0) return lose(there);
  const int64_t missed = there - pcm_.buffer_frames();
  if (missed > 0 && !catch_up(static_cast<uint64_t>(missed))) return lose(-ENODEV);
  room = static_cast<uint32_t>(std::min<int64_t>(there, pcm_.buffer_frames()));
  if (is_known) return std::nullopt;
  if (has_stalled(pcm_.buffer_frames() - room, time_ns)) {
    return lose(stalled());
  }
  look_ns_ = time_ns;
  dry_ns_ = time_ns + sluice::ns_of_frames(pcm_.buffer_frames() - room, format_.rate_hz);
  watch(room);
  return std::nullopt;
}

bool SinkAlsa::has_stalled(uint32_t queued, int64_t time_ns) {
  const uint64_t taken = written_frames_ - std::min<uint64_t>(written_frames_, queued);
  const bool has_moved = taken != std::exchange(taken_frames_, taken) && taken != 0;
  if (queued == 0 || has_moved) moved_ns_ = time_ns;
  return time_ns >= moved_ns_ + kStalledNs;
}

bool SinkAlsa::is_woken() {
  for (size_t i = 0; i < polled_.size(); ++i) {
    polled_[i].revents = static_cast<short>(items_[i + 1].ready);
  }
  return pcm_.woken(polled_.data());
}

bool SinkAlsa::has_no_clock() const {
  const uint64_t due = sluice::frames_of_ns(look_ns_ - start_ns_, format_.rate_hz);
  return written_frames_ > due + due / 4 + 4 * uint64_t{pcm_.buffer_frames()};
}

void SinkAlsa::note_missing(uint32_t frames) {
  add(kUnderrunFrames, frames);
  if (was_starving_) return;
  add(kUnderruns);
  tell_upstream(kIn, SLUICE_UPSTREAM_STARVED);
}

int64_t SinkAlsa::write_sound(const void* frames, uint32_t count) {
  int64_t moved = 0;
  if (smoother_.is_open()) {
    moved = pcm_.write(frames, count);
    if (moved > 0) smoother_.passed(frames, static_cast<uint32_t>(moved));
  } else {
    count = static_cast<uint32_t>(std::min<size_t>(count, block_.size() / smoother_.frame_bytes()));
    std::memcpy(block_.data(), frames, count * smoother_.frame_bytes());
    smoother_.sound(block_.data(), count);
    moved = pcm_.write(block_.data(), count);
  }
  note_written(moved);
  return moved;
}

bool SinkAlsa::write_silence(uint32_t count) {
  smoother_.silence(block_.data(), count);
  const int64_t moved = pcm_.write(block_.data(), count);
  note_written(moved);
  return moved >= 0;
}

void SinkAlsa::note_written(int64_t frames) {
  if (frames <= 0) return;
  written_frames_ += static_cast<uint64_t>(frames);
  dry_ns_ += sluice::ns_of_frames(static_cast<uint64_t>(frames), format_.rate_hz);
}

// What a live stream brought meanwhile is late by as much.
bool SinkAlsa::catch_up(uint64_t missed) {
  add(kXruns);
  add(kLostFrames, missed);
  if (is_fed_live_ && !is_bridged_) {
    discard(kIn, std::min(missed, available(kIn)), "came too late for the device");
  }
  smoother_.reset(format_, 0);
  const int64_t passed = pcm_.pass_over(missed);
  if (passed > 0) written_frames_ += static_cast<uint64_t>(passed);
  return passed >= 0 && (!is_bridged_ || make_up(static_cast<int64_t>(missed)));
}

SinkAlsa::End SinkAlsa::recover() {
  add(kXruns);
  // It stops again as soon as it is started.
  if (taken_frames_ == 0 && sleep_until(now_ns() + kPlayOnNs) == SLUICE_ERROR_STOPPED) {
    return End::kDone;
  }
  if (now_ns() >= moved_ns_ + kStalledNs) return lose(stalled());
  if (const Trouble trouble = pcm_.restart(); trouble) return lose(trouble.sentence);
  smoother_.reset(format_, 0);
  return End::kAgain;
}

SinkAlsa::End SinkAlsa::lose(const std::string& sentence) {
  say_state(DeviceState::kLost, sentence);
  return End::kGone;
}

// The rest is played out. snd-aloop forgets the last period of what drains, hence another one.
SinkAlsa::End SinkAlsa::finish() {
  if (!has_no_clock()) write_silence(pcm_.period_frames());
  pcm_.drain();
  const int64_t deadline_ns =
      now_ns() + 2 * sluice::ns_of_frames(pcm_.buffer_frames(), format_.rate_hz) + kStalledNs;
  while (!pcm_.is_drained() && now_ns() < deadline_ns) {
    if (sleep_until(now_ns() + kPlayOnNs) == SLUICE_ERROR_STOPPED) break;
  }
  return End::kDone;
}

void SinkAlsa::watch(uint64_t room) {
  const double queued = static_cast<double>(pcm_.buffer_frames()) - static_cast<double>(room);
  if (clock_.passed(static_cast<double>(written_frames_) - queued, look_ns_)) {
    set(kRatePpm, (clock_.ratio() - 1) * 1e6);
    if (clock_host_ && clock_.is_settled()) {
      clock_host_->publish(host(), kIn, clock_.frames(), clock_.time_ns(), clock_.ratio());
    }
  }
  if (look_ns_ < next_look_ns_) return;
  if (!is_bridged_) is_bridged_ = tell_played(0, SLUICE_NO_TIME);
  next_look_ns_ = look_ns_ + kDelayLookNs;
  if (const int64_t delay = pcm_.delay_frames(); delay >= 0) {
    set(kDelayMs, 1000.0 * static_cast<double>(delay) / format_.rate_hz);
  }
}

}  // namespace alsa

SLUICE_PLUGIN("ALSA playback", "1.0.0", "Sluice", "MIT", alsa::SinkAlsa);
