// A connection of sink.tcp, from its first byte to its last.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <sluice/wav_header.hpp>
#include <string_view>
#include <utility>

#include "plugins/sinks/tcp/sink_tcp.hpp"

namespace sluice {
namespace {

constexpr int64_t kFarewellNs = 2'000'000'000;
constexpr int64_t kHeldLookNs = 10'000'000;  // while the peer is given nothing
// After a connection that did not last, the next one is not announced before it has.
constexpr int64_t kProvenNs = 2'000'000'000;

}  // namespace

void SinkTcp::begin_session() {
  peer_ = listener_ ? host_of(stream_.info().peer) : stream_.info().peer;
  const int64_t now = now_ns();
  session_start_ns_ = next_look_ns_ = now;
  session_bytes_ = 0;
  retransmits_ = 0;
  // Schedules that follow another clock do not stay together.
  if (!is_measuring_) moments_.emplace();
  pending_begin_ = pending_end_ = 0;
  fade_done_ = fade_length_ = 0;
  is_cutting_ = false;
  blocked_since_ns_ = SLUICE_NO_TIME;
  complaint_.clear();
  watch_->begin(now);
  clock_->restart(now);
  level_->restart(now);
  bitrate_.start(now, bytes_);
  add(kConnections);
  if (has_sent_) add(kReconnects);
  set(kConnected, 1);
  is_announced_ = false;
  if (!was_cut_short_) announce(now);
  tell_upstream(kIn, SLUICE_UPSTREAM_RECONNECTED);
  if (!sends_head_) return;
  const auto header = WavHeader::of_stream(format_);
  append_pending(header.bytes().data(), header.bytes().size());
}

void SinkTcp::end_session(Step step) {
  if (step == Step::kEnded) {
    bid_farewell();
  } else if (step == Step::kStopped || step == Step::kAsleep) {
    stream_.finish();
  }
  moments_.reset();
  const int64_t now = now_ns();
  const int64_t lasted_ns = now - session_start_ns_;
  session_start_ns_ = SLUICE_NO_TIME;
  was_cut_short_ = step == Step::kLost && lasted_ns < BackOff::kGoodSessionNs;
  back_off_->session_ended(lasted_ns);
  retry_ns_ = now + back_off_->next_ns();
  stream_.close(step == Step::kLost);
  set(kConnected, 0);
  set(kWaiting, 0);
  set(kQuality, quality_now_ = 0);
  has_lost_some_ = has_sent_ && step == Step::kLost;
}

SinkTcp::Step SinkTcp::lose(const std::string& sentence) {
  set_state(SLUICE_STATE_LOST, sentence);
  quality_.note_trouble(now_ns());
  return Step::kLost;
}

std::string SinkTcp::stream_sentence() const {
  const sluice_stream_info info = stream_.info();
  std::string sentence = info.sentence;
  const std::string_view peer = info.peer;
  if (const size_t at = sentence.find(peer); !peer.empty() && at != std::string::npos) {
    sentence.replace(at, peer.size(), peer_);
  }
  return sentence;
}

SinkTcp::Step SinkTcp::play() {
  Step step = prime();
  while (step == Step::kGoOn) {
    // The next chunk is made ready first, so that nothing stands between deadline and send.
    uint64_t ready = available(kIn);
    if (ready < chunk_) {
      const sluice_result result =
          wait(on_input(kIn, chunk_), pacer_->due_ns(uint64_t{lead_} + chunk_));
      if (result == SLUICE_ERROR_STOPPED) return Step::kStopped;
      ready = available(kIn);
      if (result == SLUICE_ERROR_TIMEOUT && ready < chunk_) {
        step = recover_from_dry_input();
        continue;
      }
    }
    if (ready == 0 && is_input_over()) return Step::kEnded;
    due_ns_ = pacer_->due_ns(std::min<uint64_t>(chunk_, ready));
    if (!sleep_until_due()) return Step::kStopped;
    int64_t now = now_ns();
    if (pacer_->forgive(now) > 0) {
      add(kStalls);
      quality_.note_trouble(now);
      place_clock(now);
    }
    step = send_due(now, ready);
    // All book-keeping waits until the chunk is on its way.
    level_->note_spare(now, ready - std::min<uint64_t>(ready, chunk_));
    if (step == Step::kGoOn) step = look_around(now);
  }
  return step;
}

SinkTcp::Step SinkTcp::prime() {
  const auto wanted = static_cast<uint32_t>(level_->frames());
  for (uint32_t frames : {1u, wanted}) {
    const int64_t deadline_ns =
        frames == 1 ? SLUICE_FOREVER : now_ns() + ns_of_frames(wanted, rate_hz_);
    for (bool is_waiting = true; is_waiting;) {
      std::array items{on_input(kIn, frames), on_stream(stream_.get(), SLUICE_NET_READ),
                       on_marks(kIn)};
      const int64_t proof_ns = is_announced_ ? SLUICE_FOREVER : session_start_ns_ + kProvenNs;
      const sluice_result result =
          wait(items, std::min({deadline_ns, bedtime_ns(), next_beat_ns_, proof_ns}));
      if (result == SLUICE_ERROR_STOPPED) return Step::kStopped;
      const int64_t now = now_ns();
      beat(now);
      announce(now);
      read_marks();
      if (now >= bedtime_ns()) return Step::kAsleep;
      is_waiting = !items[0].ready && now < deadline_ns;
      if (items[1].ready) {
        if (const Step step = listen_to_peer(); step != Step::kGoOn) return step;
      }
    }
  }
  const int64_t now = now_ns();
  if (moments_) pacer_->share_moments(moments_->reference_ns(now), chunk_);
  pacer_->start(now);
  place_clock(now);
  return Step::kGoOn;
}

SinkTcp::Step SinkTcp::recover_from_dry_input() {
  const sluice_read_span span = begin_read(kIn, 1);
  end_read(kIn, 0);
  read_marks();
  if (!(span.flags & SLUICE_INPUT_IDLE) && silent_since_ns_ == SLUICE_NO_TIME) {
    tell_upstream(kIn, SLUICE_UPSTREAM_STARVED);
    note_starvation(now_ns(), chunk_);
  }
  int64_t now = due_ns_ = now_ns();  // what is left goes out by nobody's schedule
  const Step step = send_due(now, available(kIn));
  return step == Step::kGoOn ? prime() : step;
}

void SinkTcp::note_starvation(int64_t now, uint64_t missing) {
  add(kUnderruns);
  quality_.note_trouble(now);
  level_->raise(now, missing);
  set(kLevel, static_cast<double>(level_->frames()) * 1000 / rate_hz_);
}

void SinkTcp::place_clock(int64_t now) {
  clock_->interrupt();
  has_drift_base_ = clock_->is_measured();
  drift_base_ = clock_->drift_frames(now);
}

bool SinkTcp::sleep_until_due() {
  if (sleep_until(due_ns_ - spin_ns_) == SLUICE_ERROR_STOPPED) return false;
  if (spin_ns_ == 0) return true;
  // A clock that stands still while nobody waits is a virtual one.
  const int64_t start_ns = now_ns();
  for (int i = 0; i < 1000 || now_ns() != start_ns; ++i) {
    if (now_ns() >= due_ns_) return true;
  }
  return sleep_until(due_ns_) != SLUICE_ERROR_STOPPED;
}

SinkTcp::Step SinkTcp::send_due(int64_t& now, uint64_t ready) {
  for (bool is_first = true;; is_first = false) {
    const uint64_t due = pacer_->due_frames(now);
    if (!is_first && due < chunk_ && pending_begin_ == pending_end_) return Step::kGoOn;
    if (!is_first || due > ready) ready = available(kIn);
    const uint64_t there = std::min(due, ready);
    const uint64_t whole =
        there < 2 * uint64_t{chunk_} ? (there < chunk_ ? 0 : chunk_) : there / chunk_ * chunk_;
    const auto frames = static_cast<uint32_t>(whole > 0 ? whole : is_first ? there : 0);
    if (pending_begin_ == pending_end_ && frames == 0) return Step::kGoOn;
    if (!watch_->allows(session_bytes_ + uint64_t{frames} * frame_bytes_)) {
      look_at_peer(stream_.info(), now);
    }
    allowed_ = watch_->allowance(session_bytes_, now);
    if (allowed_ == 0) watch_->hold(now);
    sluice_result result = SLUICE_ERROR_AGAIN;
    if (allowed_ > 0) {
      result = pending_begin_ != pending_end_ ? send_pending(now) : send_frames(frames, now);
    }
    const int64_t begin_ns = std::exchange(now, now_ns());
    if (is_first) {
      const int64_t lateness_ns = std::max<int64_t>(0, begin_ns - due_ns_);
      lateness_ns_.add(lateness_ns);
      jitter_.add(lateness_ns);
    }
    write_ns_.add(now - begin_ns);
    if (result == SLUICE_ERROR_NETWORK) {
      // Its last words may say more than that it is gone.
      const std::string sentence = stream_sentence();
      const Step step = listen_to_peer();
      return step == Step::kGoOn ? lose(sentence) : step;
    }
    if (result == SLUICE_OK) {
      if (!watch_->is_held()) blocked_since_ns_ = SLUICE_NO_TIME;
    } else {
      const Step step = wait_for_peer(now);
      if (step != Step::kGoOn) return step;
      now = now_ns();
    }
  }
}

sluice_result SinkTcp::send_frames(uint32_t frames, int64_t now) {
  if (has_lost_some_) {
    has_lost_some_ = false;
    fade_done_ = 0;
    fade_length_ = static_cast<uint32_t>(frames_of_ms(kRampMs, rate_hz_));
  }
  frames = static_cast<uint32_t>(
      std::min<uint64_t>(frames, std::max<uint64_t>(1, allowed_ / frame_bytes_)));
  if (needs_shaping()) {
    shape_frames(std::min(frames, chunk_));
    return send_pending(now);
  }
  const sluice_read_span span = begin_read(kIn, frames);
  const size_t size = size_t{span.frames} * frame_bytes_;
  size_t sent = 0;
  sluice_result result = stream_.send(span.data, size, sent);
  auto passed = static_cast<uint32_t>(sent / frame_bytes_);
  if (const size_t part = sent % frame_bytes_) {
    append_pending(static_cast<const std::byte*>(span.data) + sent, frame_bytes_ - part);
    ++passed;
  }
  end_read(kIn, passed);
  pacer_->pass(passed);
  add(kFramesSent, passed);
  note_sent(sent, now);
  if (result == SLUICE_OK && sent < size) result = SLUICE_ERROR_AGAIN;
  return result;
}

void SinkTcp::shape_frames(uint32_t frames) {
  const auto step = static_cast<uint32_t>(level_->step_frames());
  std::byte* to = pending_.data() + pending_end_;
  if (is_cutting_ && !watch_->is_held() && available(kIn) >= 2 * uint64_t{step}) {
    const sluice_read_span span = begin_read(kIn, 2 * step);
    is_cutting_ = false;
    if (span.frames == 2 * step) {
      shaper_->splice(static_cast<const std::byte*>(span.data), step, to, step);
      pending_end_ += size_t{step} * frame_bytes_;
      end_read(kIn, 2 * step);
      pacer_->pass(step);
      add(kFramesSent, step);
      add(kFramesCut, step);
      return;
    }
    end_read(kIn, 0);
  }
  is_cutting_ = false;
  const sluice_read_span span = begin_read(kIn, frames);
  append_pending(span.data, size_t{span.frames} * frame_bytes_);
  end_read(kIn, span.frames);
  if (fade_done_ < fade_length_) {
    shaper_->fade_in(to, span.frames, fade_done_, fade_length_);
    fade_done_ += span.frames;
  }
  pacer_->pass(span.frames);
  add(kFramesSent, span.frames);
}

void SinkTcp::append_pending(const void* data, size_t bytes) {
  if (bytes == 0) return;  // there may be no pointer either
  std::memcpy(pending_.data() + pending_end_, data, bytes);
  pending_end_ += bytes;
}

sluice_result SinkTcp::send_pending(int64_t now) {
  const size_t size = pending_end_ - pending_begin_;
  size_t sent = 0;
  const sluice_result result = stream_.send(pending_.data() + pending_begin_, size, sent);
  pending_begin_ += sent;
  if (pending_begin_ == pending_end_) pending_begin_ = pending_end_ = 0;
  note_sent(sent, now);
  return result == SLUICE_OK && sent < size ? SLUICE_ERROR_AGAIN : result;
}

void SinkTcp::note_sent(size_t bytes, int64_t now) {
  if (bytes == 0) return;
  has_sent_ = true;
  bytes_ += bytes;
  session_bytes_ += bytes;
  add(kBytes, bytes);
  watch_->note_handed(now);
  if (!watch_->is_held()) blocked_since_ns_ = SLUICE_NO_TIME;
}

SinkTcp::Step SinkTcp::wait_for_peer(int64_t now) {
  if (blocked_since_ns_ == SLUICE_NO_TIME) blocked_since_ns_ = now;
  const int64_t give_up_ns = blocked_since_ns_ + write_timeout_ns_;
  const int64_t dry_ns = now + ns_of_frames(lead_, rate_hz_);
  for (;;) {
    const int64_t held_look_ns = now_ns() + kHeldLookNs;
    std::array items{on_stream(stream_.get(), SLUICE_NET_WRITE)};
    const bool is_held = watch_->is_held();
    const sluice_result result =
        wait(std::span(items).first(is_held ? 0 : 1),
             std::min({give_up_ns, next_ageing_ns(), is_held ? held_look_ns : next_look_ns_}));
    if (result == SLUICE_ERROR_STOPPED) return Step::kStopped;
    age_out();
    now = now_ns();
    if (is_held) look_at_peer(stream_.info(), now);
    if (is_held ? watch_->allowance(session_bytes_, now) > 0 : result == SLUICE_OK) break;
    if (const Step step = look_around(now); step != Step::kGoOn) return step;
    if (now >= give_up_ns) {
      return lose(peer_ + " has taken nothing for " + std::to_string(write_timeout_ns_ / kNsPerMs) +
                  " ms: its program hangs or the network on the way is gone. " +
                  (listener_ ? "Waiting for the next receiver." : "Connecting anew."));
    }
    if (watch_->is_not_reading() && has_one_waiting()) {
      return lose(peer_ +
                  " does not read what it is sent, and another receiver waits: serving "
                  "that one.");
    }
  }
  if (now > dry_ns && !watch_->is_held())
    note_starvation(now, frames_of_ns(now - dry_ns, rate_hz_));
  if (holds_ && pacer_->forgive(now) > 0) {
    add(kStalls);
    place_clock(now);
  }
  return Step::kGoOn;
}

// ---- Looking at the peer ----

SinkTcp::Step SinkTcp::look_around(int64_t now) {
  const bool is_due = now >= next_look_ns_;
  if (!is_due && !is_measuring_ && watch_->is_placed()) return Step::kGoOn;
  const sluice_stream_info info = stream_.info();
  look_at_peer(info, now);
  if (!is_due) return Step::kGoOn;
  next_look_ns_ = now + kLookNs;
  publish(info, now);
  say_how_it_is();
  if (is_measuring_) follow_clock(now);
  if (level_->lower(now, jitter_.ms())) {
    set(kLevel, static_cast<double>(level_->frames()) * 1000 / rate_hz_);
    is_cutting_ = is_fed_live_;
  }
  beat(now);
  read_marks();
  if (now >= bedtime_ns()) return Step::kAsleep;
  return listen_to_peer();
}

void SinkTcp::look_at_peer(const sluice_stream_info& info, int64_t now) {
  watch_->look(info, session_bytes_, blocked_since_ns_ != SLUICE_NO_TIME, now);
  if (is_measuring_ && watch_->is_placed()) {
    clock_->observe(now, static_cast<double>(watch_->window_end()) / frame_bytes_);
  }
}

void SinkTcp::follow_clock(int64_t now) {
  if (!clock_->is_measured()) return;
  if (!has_drift_base_) drift_base_ = clock_->drift_frames(pacer_->start_ns());
  has_drift_base_ = true;
  pacer_->follow(now, clock_->drift_frames(now) - drift_base_, clock_->ratio());
  const sluice_read_span span = begin_read(kIn, 1);
  end_read(kIn, 0);
  const auto due = static_cast<double>(pacer_->due_frames(now));
  clock_host_->publish(host(), kIn, static_cast<double>(span.position) + due, now, clock_->ratio());
  set(kClockPpm, (clock_->ratio() - 1) * 1e6);
}

void SinkTcp::announce(int64_t now) {
  if (is_announced_) return;
  if (was_cut_short_ && now - session_start_ns_ < kProvenNs) return;
  is_announced_ = true;
  say_how_it_is();
}

void SinkTcp::say_how_it_is() {
  if (!is_announced_) {
    announce(now_ns());
  } else if (watch_->is_not_reading()) {
    set_state(SLUICE_STATE_DEGRADED,
              peer_ +
                  " accepts audio and does not read it: its program hangs, or it serves another "
                  "sender first.");
  } else if (!complaint_.empty()) {
    set_state(SLUICE_STATE_DEGRADED, complaint_);
  } else {
    const bool is_one_waiting = has_one_waiting();
    set(kWaiting, is_one_waiting ? 1 : 0);
    set_state(SLUICE_STATE_RUNNING,
              "Connected to " + peer_ +
                  (is_one_waiting ? "; another receiver waits for its turn." : "."));
  }
}

SinkTcp::Step SinkTcp::listen_to_peer() {
  std::array<char, 2048> words;
  size_t received = first_words_.copy(words.data(), words.size());
  first_words_.clear();
  if (received == 0) {
    const sluice_result result = stream_.receive(words.data(), words.size(), received);
    if (result == SLUICE_ERROR_AGAIN) return Step::kGoOn;
    if (result != SLUICE_OK) return lose(complaint_.empty() ? stream_sentence() : complaint_);
  }
  if (received == 0) {
    return lose(complaint_.empty() ? peer_ + " has closed the connection." : complaint_);
  }
  const std::string_view said(words.data(), received);
  if (!listener_ && said.starts_with("HTTP/")) {
    return lose(peer_ + " answers with HTTP, so it is a web server: mend `port`.");
  }
  if (listener_ && (said.starts_with("GET ") || said.starts_with("HEAD "))) {
    return lose(peer_ +
                " asks by HTTP, and here is raw audio: let it open a plain TCP connection.");
  }
  if (listener_) {
    complaint_ = peer_ + " sends instead of only receiving: here is raw audio and nothing else.";
  } else {
    complaint_ =
        peer_ + " sends instead of only receiving: see that `port` is the one of its audio input.";
  }
  say_how_it_is();
  return Step::kGoOn;
}

void SinkTcp::publish(const sluice_stream_info& info, int64_t now) {
  const double unsent_frames =
      static_cast<double>(info.unsent_bytes) / static_cast<double>(frame_bytes_);
  lead_ms_now_ = (static_cast<double>(pacer_->lead_frames(now)) - unsent_frames) * 1000 / rate_hz_;
  set(kUptime, static_cast<double>(now - session_start_ns_) / 1e9);
  set(kBitrate, bitrate_.current_kbit_s(now, bytes_));
  set(kMeanBitrate, bitrate_.mean_kbit_s(now, bytes_));
  set(kLatenessP50, static_cast<double>(lateness_ns_.quantile(0.5)) / 1000);
  set(kLatenessP99, static_cast<double>(lateness_ns_.quantile(0.99)) / 1000);
  set(kJitter, jitter_.ms());
  set(kWriteTime, write_ns_.mean() / 1000);
  set(kLead, lead_ms_now_);
  set(kUnsent, static_cast<double>(info.unsent_bytes));
  set(kPeerWindow, info.peer_window_bytes);
  set(kRoundTrip, info.round_trip_us);
  set(kRetransmits, info.retransmits);
  if (info.retransmits > retransmits_) quality_.note_trouble(now);
  retransmits_ = info.retransmits;
  rate_quality(now);
}

void SinkTcp::rate_quality(int64_t now) {
  const double wanted_ms = static_cast<double>(lead_) * 1000 / rate_hz_;
  quality_now_ = quality_.value(now, jitter_.ms(), wanted_ms > 0 ? lead_ms_now_ / wanted_ms : 1);
  set(kQuality, quality_now_);
  if (!is_poor_ && quality_now_ < Quality::kPoor) {
    is_poor_ = true;
    warn("The connection is poor now. " + heartbeat());
  } else if (is_poor_ && quality_now_ >= Quality::kGoodAgain) {
    is_poor_ = false;
    info("The connection is good again. " + heartbeat());
  }
}

void SinkTcp::bid_farewell() {
  stream_.finish();
  const int64_t deadline_ns = now_ns() + ns_of_frames(lead_, rate_hz_) + kFarewellNs;
  std::array<char, 2048> words;
  size_t received = 0;
  do {
    if (wait(on_stream(stream_.get(), SLUICE_NET_READ), deadline_ns) != SLUICE_OK) return;
  } while (stream_.receive(words.data(), words.size(), received) == SLUICE_OK && received > 0);
}

}  // namespace sluice
