// A device that is kept full, a period at a time: of a file, or of a live stream at its own pace.
#include <algorithm>
#include <cerrno>

#include "sink_alsa.hpp"

namespace alsa {
namespace {

// So long before the device runs dry silence is put in place of what has not come.
constexpr int64_t kSpareNs = 1'000'000;

}  // namespace

SinkAlsa::End SinkAlsa::start_in_periods() {
  const uint32_t first = is_fed_live_ ? pcm_.period_frames() : fill_frames_;
  // What came while there was no device would be heard late for ever.
  if (is_fed_live_ && available(kIn) >= first) {
    discard(kIn, available(kIn), "came before the device began");
  }
  if (wait(on_input(kIn, first)) != SLUICE_OK) return End::kDone;
  // A live stream comes at the pace of its clock: what the buffer holds in front of it is all
  // that it will ever hold.
  if (is_fed_live_ && !fill_up(available(kIn))) return lose(-ENODEV);
  while (pcm_.available() >= pcm_.period_frames() && available(kIn) >= pcm_.period_frames()) {
    if (write_frames(pcm_.period_frames()) != Outcome::kWritten) break;
  }
  // Some devices do not start with nothing to play.
  if (written_frames_ == 0 && !write_silence(pcm_.period_frames())) return lose(-ENODEV);
  if (const Trouble trouble = start(); trouble) return lose(trouble.sentence);
  return End::kOtherWay;
}

bool SinkAlsa::fill_up(uint64_t there) {
  while (there < fill_frames_) {
    const auto frames =
        static_cast<uint32_t>(std::min<uint64_t>(fill_frames_ - there, pcm_.period_frames()));
    if (!write_silence(frames)) return false;
    there += frames;
  }
  return true;
}

// Waits for frames first, and for the device only where it has no room for them yet: what comes
// live comes when it has, so that one wake serves a period.
SinkAlsa::End SinkAlsa::play_in_periods() {
  const uint32_t period = pcm_.period_frames();
  pcm_.wake_for(period);
  late_frames_ = 0;
  for (bool is_due = false;;) {
    if (is_over_) return finish();
    if (is_bridged_) return End::kOtherWay;
    if (!is_due && !wait_for_frames()) return End::kDone;
    is_due = true;
    uint32_t room = 0;
    if (const std::optional<End> end = look(room)) return *end;
    Outcome outcome = Outcome::kFull;
    if (room >= period) {
      if (is_fed_live_ && has_filled_in_ && available(kIn) >= period) {
        if (!come_back(room)) return lose(-ENODEV);
        is_due = false;
        continue;
      }
      outcome = write_frames(room);
    }
    if (outcome == Outcome::kFailed) return lose(-ENODEV);
    if (outcome == Outcome::kWritten) {
      is_due = false;
      continue;
    }
    const sluice_result woken = wait_for_room();
    if (woken == SLUICE_ERROR_STOPPED) return End::kDone;
  }
}

// Live frames are there again, in whose place silence was played. What it was too much of would be
// heard late for ever, and what is too little would be missing at the next delay.
bool SinkAlsa::come_back(uint32_t room) {
  has_filled_in_ = false;
  const uint64_t there = available(kIn) + pcm_.buffer_frames() - room;
  if (there <= fill_frames_) return fill_up(there);
  discard(kIn, std::min<uint64_t>(there - fill_frames_, available(kIn)),
          "came too late for the device");
  return true;
}

sluice_result SinkAlsa::wait_for_room() {
  const int64_t deadline_ns = moved_ns_ + kStalledNs;
  for (;;) {
    pcm_.will_be_polled();
    const sluice_result result = wait(std::span(items_).subspan(1), deadline_ns);
    if (result != SLUICE_OK || is_woken()) return result;
    // A plugin whose server is gone may wake for nothing for ever.
    if (now_ns() >= deadline_ns) return SLUICE_ERROR_TIMEOUT;
  }
}

// A period of input, if it comes while the device still has something to play. A PCM without a
// clock (of type null or file) has all the time there is. False when the node is to stop.
bool SinkAlsa::wait_for_frames() {
  int64_t deadline_ns = SLUICE_FOREVER;
  if (!has_no_clock()) {
    const int64_t half_ns = sluice::ns_of_frames(pcm_.period_frames() / 2, format_.rate_hz);
    deadline_ns = dry_ns_ - std::min(half_ns, kSpareNs);
  }
  return wait(on_input(kIn, pcm_.period_frames()), deadline_ns) != SLUICE_ERROR_STOPPED;
}

SinkAlsa::Outcome SinkAlsa::write_frames(uint32_t room) {
  const auto wanted =
      static_cast<uint32_t>(std::clamp<uint64_t>(available(kIn), pcm_.period_frames(), room));
  uint32_t done = 0;
  uint32_t flags = 0;
  while (done < wanted) {
    const sluice_read_span span = begin_read(kIn, wanted - done);
    flags = span.flags;
    if (span.frames == 0) {
      end_read(kIn, 0);
      break;
    }
    const int64_t moved = write_sound(span.data, span.frames);
    end_read(kIn, static_cast<uint32_t>(std::max<int64_t>(moved, 0)));
    if (moved < 0) return Outcome::kFailed;
    if (moved == 0) return Outcome::kFull;
    done += static_cast<uint32_t>(moved);
    add(kFrames, static_cast<uint64_t>(moved));
  }
  if (done == wanted) {
    was_starving_ = false;
    return Outcome::kWritten;
  }
  if (flags & SLUICE_INPUT_ENDED) {
    is_over_ = true;
    return Outcome::kWritten;
  }
  // Deliberate silence is nobody's fault.
  const bool is_starving = !(flags & SLUICE_INPUT_IDLE);
  if (is_starving) note_missing(wanted - done);
  was_starving_ = is_starving;
  has_filled_in_ = true;
  return write_silence(std::min(wanted - done, pcm_.period_frames())) ? Outcome::kWritten
                                                                      : Outcome::kFailed;
}

}  // namespace alsa
