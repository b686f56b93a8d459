// Frames that are handed on as they come.
//
// To a bridge in front what the device holds is a part of what lies between two clocks: it follows
// what the device has taken (sluice_play_host), not what was read here. So nothing is kept that it
// does not ask for: the device holds what it takes at once, and by how much all are late.
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <span>

#include "sink_alsa.hpp"

namespace alsa {
namespace {

// So long before the device runs dry silence is put in place of what has not come.
constexpr int64_t kMarginNs = 400'000;
// Nothing is heard before, while the bridge looks at both clocks.
constexpr int64_t kSettledNs = sluice::kNsPerSecond;
// A reserve that was not needed for so long is made smaller, by 100 us.
constexpr int64_t kReserveRestNs = 10 * sluice::kNsPerSecond;

}  // namespace

SinkAlsa::End SinkAlsa::start_on_arrival() {
  if (is_fresh_) discard(kIn, available(kIn), "came before the device began");
  // What the device held is gone.
  tell_played(0, now_ns());
  if (wait(on_input(kIn, 1)) != SLUICE_OK) return End::kDone;
  if (is_fresh_ ? !write_silence(pcm_.period_frames()) : !make_up(frames_since(dry_ns_))) {
    return lose(-ENODEV);
  }
  if (!pass_on(pcm_.buffer_frames() - static_cast<uint32_t>(written_frames_)) ||
      (written_frames_ == 0 && !write_silence(reserve_frames_))) {
    return lose(-ENODEV);
  }
  if (const Trouble trouble = start(); trouble) return lose(trouble.sentence);
  return End::kOtherWay;
}

// Once between two arrivals the device is asked how far it is, just when it has taken something.
SinkAlsa::End SinkAlsa::play_on_arrival() {
  const uint32_t period = pcm_.period_frames();
  pcm_.wake_for(std::max(pcm_.buffer_frames() - period, period));
  bool has_taken = true;  // the device, since frames were handed on
  for (;;) {
    if (is_over_) return finish();
    uint32_t room = 0;
    if (const std::optional<End> end = look(room)) return *end;
    if (has_taken && taken_frames_ != 0)
      is_bridged_ = tell_played(pcm_.buffer_frames() - room, look_ns_);
    if (!is_bridged_) {
      tell_played(0, SLUICE_NO_TIME);
      return End::kOtherWay;
    }
    const std::optional<uint32_t> moved = pass_on(room);
    if (!moved) return lose(-ENODEV);
    const bool is_full = *moved == room || available(kIn) != 0;
    const bool asks_device = is_full || *moved != 0 || !has_taken;
    std::span<sluice_wait_item> asked(items_);
    if (asks_device) pcm_.will_be_polled();
    if (is_full) asked = asked.subspan(1);
    if (!asks_device) asked = asked.first(1);
    const int64_t deadline_ns = is_full ? moved_ns_ + kStalledNs : dry_ns_ - kMarginNs;
    const sluice_result woken = wait(asked, deadline_ns);
    if (woken == SLUICE_ERROR_STOPPED) return End::kDone;
    if (woken == SLUICE_ERROR_TIMEOUT && !is_full && !bridge_gap()) return lose(-ENODEV);
    if (woken == SLUICE_OK) note_late();
    has_taken = asks_device && woken == SLUICE_OK && is_woken();
  }
}

std::optional<uint32_t> SinkAlsa::pass_on(uint32_t room) {
  if (const uint64_t late = std::min(late_frames_, available(kIn)); late != 0) {
    discard(kIn, late, "came too late for the device");
    late_frames_ -= late;
  }
  uint32_t done = 0;
  while (done < room) {
    const sluice_read_span span = begin_read(kIn, room - done);
    const int64_t moved = span.frames == 0 ? 0 : write_sound(span.data, span.frames);
    end_read(kIn, static_cast<uint32_t>(std::max<int64_t>(moved, 0)));
    if (moved < 0) return std::nullopt;
    is_over_ = span.frames == 0 && (span.flags & SLUICE_INPUT_ENDED);
    is_quiet_ = span.frames == 0 && (span.flags & SLUICE_INPUT_IDLE);
    if (moved == 0) break;
    done += static_cast<uint32_t>(moved);
  }
  add(kFrames, done);
  if (done != 0) was_starving_ = false;
  return done;
}

int64_t SinkAlsa::frames_since(int64_t time_ns) {
  const int64_t ns = now_ns() - time_ns;
  const auto frames = static_cast<int64_t>(sluice::frames_of_ns(std::abs(ns), format_.rate_hz));
  return ns < 0 ? -frames : frames;
}

// Whoever wakes when the device should have been fed by now has been lucky.
void SinkAlsa::note_late() {
  if (was_starving_ || is_quiet_) return;
  const int64_t frames = frames_since(dry_ns_ - kMarginNs);
  if (frames > 0) keep_reserve(static_cast<uint64_t>(frames));
}

// The device is about to run dry. Silence is played: half a period, by which what follows comes
// later from now on, and whole ones after it, which it makes up for. Deliberate silence is nobody's
// fault.
bool SinkAlsa::bridge_gap() {
  if (is_quiet_) {
    was_starving_ = false;
    return write_silence(pcm_.period_frames());
  }
  const bool is_new = !was_starving_;
  const uint32_t frames = is_new ? pcm_.period_frames() / 2 : pcm_.period_frames();
  note_missing(frames);
  was_starving_ = true;
  late_frames_ += frames - (is_new ? keep_reserve(frames) : 0);
  return write_silence(frames);
}

bool SinkAlsa::make_up(int64_t missed) {
  const int64_t too_late = missed - keep_reserve(pcm_.period_frames() / 2);
  if (too_late > 0) late_frames_ += static_cast<uint64_t>(too_late);
  for (int64_t left = -too_late; left > 0; left -= pcm_.period_frames()) {
    const auto most = std::min<int64_t>(left, pcm_.period_frames());
    if (!write_silence(static_cast<uint32_t>(most))) return false;
  }
  return true;
}

uint32_t SinkAlsa::keep_reserve(uint64_t frames) {
  const int64_t time_ns = now_ns();
  if (time_ns < opened_ns_ + kSettledNs) return 0;
  const auto more =
      static_cast<uint32_t>(std::min<uint64_t>(frames, pcm_.period_frames() - reserve_frames_));
  reserve_frames_ += more;
  reserve_ns_ = time_ns;
  return more;
}

bool SinkAlsa::tell_played(uint32_t queued, int64_t time_ns) {
  if (reserve_frames_ != 0 && time_ns > reserve_ns_ + kReserveRestNs) {
    reserve_frames_ -= std::min(reserve_frames_, std::max(format_.rate_hz / 10'000, 1U));
    reserve_ns_ = time_ns;
  }
  return play_host_ && play_host_->played(host(), kIn, queued - std::min(queued, reserve_frames_),
                                          time_ns) == SLUICE_OK;
}

}  // namespace alsa
