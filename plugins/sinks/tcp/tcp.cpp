#include <algorithm>
#include <array>
#include <cmath>

#include "plugins/sinks/tcp/dscp.hpp"
#include "plugins/sinks/tcp/presets.hpp"
#include "plugins/sinks/tcp/sink_tcp.hpp"

namespace sluice {
namespace {

constexpr uint32_t kNeverFrames = UINT32_MAX;  // an amount no input has: only its end is waited for
constexpr size_t kMostHeadBytes = 128;
constexpr uint32_t kPriority = 10;  // above ordinary programs, below sound cards' threads

}  // namespace

void SinkTcp::describe(uint32_t, const sluice_format*, sluice_port_info& info) {
  if (!is_listening() && text(kHost).empty()) {
    throw Failure{SLUICE_ERROR_ARGUMENT, "Give `host` the name or address of the server."};
  }
  if (!is_listening() && integer(kPort) == 0) {
    throw Failure{SLUICE_ERROR_ARGUMENT, "With mode connect, give `port` from 1 on."};
  }
  parse_dscp();
  if (number(kMinimumMs) > number(kMaximumMs)) {
    throw Failure{SLUICE_ERROR_ARGUMENT,
                  "`minimum_ms` is larger than `maximum_ms`: exchange them."};
  }
  if (choice(kReceiverClock) == 1) info.clock = SLUICE_CLOCK_REMOTE;
}

uint32_t SinkTcp::parse_dscp() const {
  const std::string_view word = text(kDscp);
  const std::optional<uint32_t> dscp = dscp_of(word);
  if (!dscp) {
    throw Failure{SLUICE_ERROR_ARGUMENT,
                  "`dscp` cannot be \"" + std::string(word) +
                      "\": choose voip, low-delay, throughput, best-effort or a number from 0 to "
                      "63."};
  }
  return *dscp;
}

void SinkTcp::prepare(Setup& setup) {
  net_ = {host(), extension<sluice_net_host>(SLUICE_NET_HOST)};
  is_measuring_ = choice(kReceiverClock) == 1;
  if (is_measuring_) clock_host_ = extension<sluice_clock_host>(SLUICE_CLOCK_HOST);
  if (boolean(kHighPriority)) thread_host_ = extension<sluice_thread_host>(SLUICE_THREAD_HOST);
  format_ = setup.format();
  rate_hz_ = setup.rate_hz();
  frame_bytes_ = frame_bytes(format_);
  prepare_level(setup);
  prepare_options();
  back_off_.emplace(setup.seed());
  host_name_ = std::string(text(kHost));
  port_ = static_cast<uint16_t>(integer(kPort));
  deep_sleep_ns_ = static_cast<int64_t>(number(kDeepSleepMs) * kNsPerMs);
  spin_ns_ = setup.is_offline() ? 0 : int64_t{integer(kSpinUs)} * 1000;
  write_timeout_ns_ = int64_t{integer(kWriteTimeoutMs)} * kNsPerMs;
  sends_head_ = choice(kHeader) == 1;
  clock_.emplace(rate_hz_);
  shaper_.emplace(format_);
  pending_.resize(kMostHeadBytes +
                  size_t{frame_bytes_} * std::max<uint64_t>(chunk_, level_->step_frames()));
  if (is_listening()) {
    listener_ = listen(net_, host_name_, port_, options_);
    if (!listener_) throw Failure{SLUICE_ERROR_NETWORK, {}};
    set(kListeningPort, listener_.port());
  }
  set_state(SLUICE_STATE_WAITING,
            listener_ ? "Waiting for a receiver on port " + std::to_string(listener_.port()) + "."
                      : std::string());
}

void SinkTcp::prepare_level(Setup& setup) {
  const Buffering custom{integer(kChunkFrames), number(kLevelMs), number(kMinimumMs),
                         number(kMaximumMs), boolean(kAdaptive)};
  const Buffering buffering = buffering_of(static_cast<Preset>(choice(kPreset)), custom);
  chunk_ = buffering.chunk_frames;
  lead_ = static_cast<uint32_t>(frames_of_ms(number(kLeadMs), rate_hz_));
  const auto burst = static_cast<uint32_t>(frames_of_ms(number(kBurstMs), rate_hz_));
  pacer_.emplace(rate_hz_, lead_, std::max(burst, chunk_));
  margin_ = std::max(static_cast<uint32_t>(frames_of_ns(kMarginNs, rate_hz_)), 2 * chunk_);
  const auto at_least_lead = [&](double ms) {
    return std::max<uint64_t>(std::max(lead_, chunk_), frames_of_ms(ms, rate_hz_));
  };
  level_.emplace(rate_hz_, at_least_lead(buffering.level_ms), at_least_lead(buffering.minimum_ms),
                 at_least_lead(buffering.maximum_ms), buffering.is_adaptive);
  watch_.emplace(
      ConnectionWatch::limits_of(uint64_t{chunk_} * frame_bytes_, uint64_t{lead_} * frame_bytes_),
      frame_bytes_);

  sluice_port_setup& port = setup.port(kIn);
  is_fed_live_ = port.is_fed_live != 0;
  const uint32_t policy = choice(kWhenDisconnected);
  holds_ = policy == kHold || (policy == kAuto && !is_fed_live_);
  const uint64_t most = buffering.is_adaptive
                            ? std::max(at_least_lead(buffering.maximum_ms), level_->frames())
                            : level_->frames();
  port.hold_frames = most + margin_;
  port.max_block_frames = chunk_;
}

void SinkTcp::prepare_options() {
  options_ = {};
  options_.struct_size = sizeof(options_);
  options_.no_delay = boolean(kNoDelay) ? 1 : 0;
  options_.send_buffer_bytes = integer(kSendBufferKib) * 1024;
  options_.connect_timeout_ms = integer(kConnectTimeoutMs);
  options_.user_timeout_ms = integer(kWriteTimeoutMs);
  options_.dscp = parse_dscp();
  if (boolean(kKeepalive)) {
    options_.keepalive_idle_s = 5;
    options_.keepalive_interval_s = 2;
  }
}

void SinkTcp::raise_priority() {
  if (!thread_host_) return;
  const char* why_not = "";
  const uint32_t priority = thread_host_->raise_priority(host(), kPriority, &why_not);
  set(kPriorityObtained, priority);
  if (*why_not) {
    warn(why_not);
  } else if (priority > 0) {
    info("Its thread runs with real-time priority " + std::to_string(priority) + " (SCHED_FIFO).");
  }
}

void SinkTcp::run() {
  raise_priority();
  retry_ns_ = now_ns();
  next_beat_ns_ = retry_ns_ + kBeatNs;
  pacer_->start_satisfied(retry_ns_);
  set(kLevel, static_cast<double>(level_->frames()) * 1000 / rate_hz_);
  for (;;) {
    Step step = establish();
    if (step == Step::kGoOn) {
      begin_session();
      step = play();
      end_session(step);
    }
    if (step == Step::kAsleep) step = sleep_through_silence();
    if (step != Step::kLost && step != Step::kGoOn) break;
  }
  listener_.close();
}

SinkTcp::Step SinkTcp::establish() {
  for (;;) {
    if (!listener_ && !stream_) begin_connecting(now_ns());
    const int64_t deadline_ns = std::min(
        {listener_ || stream_ ? SLUICE_FOREVER : retry_ns_, next_ageing_ns(), next_beat_ns_});
    const sluice_result result =
        listener_ ? wait(on_stream(listener_.get(), SLUICE_NET_READ), deadline_ns)
        : stream_ ? wait(on_stream(stream_.get(), SLUICE_NET_WRITE), deadline_ns)
                  : wait(on_retry(), deadline_ns);
    if (result == SLUICE_ERROR_STOPPED) return Step::kStopped;
    if (result == SLUICE_OK && !listener_ && !stream_) retry_ns_ = now_ns();
    beat(now_ns());
    age_out();
    if (is_input_over()) return Step::kEnded;
    if (listener_ && accept_next()) return Step::kGoOn;
    if (!stream_) continue;
    const sluice_stream_info info = stream_.info();
    if (info.state == SLUICE_STREAM_OPEN) return Step::kGoOn;
    if (info.state == SLUICE_STREAM_FAILED) note_failed_attempt(info.sentence);
  }
}

void SinkTcp::begin_connecting(int64_t now) {
  if (now < retry_ns_) return;
  stream_ = connect(net_, host_name_, port_, options_);
  if (!stream_) note_failed_attempt("No connection can be made now; trying again.");
}

bool SinkTcp::accept_next() {
  while (Stream next = listener_.accept()) {
    std::array<char, 2048> words;
    size_t received = 0;
    const sluice_result result = next.receive(words.data(), words.size(), received);
    if (result != SLUICE_ERROR_AGAIN && received == 0) continue;
    first_words_.assign(words.data(), received);
    stream_ = std::move(next);
    return true;
  }
  return false;
}

bool SinkTcp::has_one_waiting() {
  return listener_ && wait(on_stream(listener_.get(), SLUICE_NET_READ), now_ns()) == SLUICE_OK;
}

void SinkTcp::note_failed_attempt(const std::string& sentence) {
  set_state(SLUICE_STATE_LOST, sentence);
  stream_.close();
  add(kFailedConnections);
  quality_.note_trouble(now_ns());
  retry_ns_ = now_ns() + back_off_->next_ns();
}

void SinkTcp::age_out() {
  if (holds_) return;
  const int64_t now = now_ns();
  const uint64_t due = pacer_->due_frames(now);
  const uint64_t in_time = uint64_t{lead_} + margin_;
  if (due <= in_time) return;
  const uint64_t there = available(kIn);
  // After the end nothing newer comes that it could be kept for.
  const uint64_t kept = has_input_ended() ? 0 : level_->frames() + margin_;
  const uint64_t dropped = there > kept ? std::min(due - in_time, there - kept) : 0;
  pacer_->pass(due - in_time);
  if (dropped == 0) return;
  discard(kIn, dropped, "nobody took it");
  add(kFramesDropped, dropped);
  quality_.note_trouble(now);
  has_lost_some_ = has_sent_;
}

int64_t SinkTcp::next_ageing_ns() const {
  return holds_ ? SLUICE_FOREVER : pacer_->due_ns(uint64_t{lead_} + 2 * margin_);
}

bool SinkTcp::has_input_ended() { return wait(on_input(kIn, kNeverFrames), now_ns()) == SLUICE_OK; }

bool SinkTcp::is_input_over() {
  const sluice_read_span span = begin_read(kIn, 1);
  end_read(kIn, 0);
  return span.frames == 0 && (span.flags & SLUICE_INPUT_ENDED);
}

void SinkTcp::read_marks() {
  sluice_mark mark{};
  while (next_mark(kIn, UINT64_MAX, mark)) {
    if (mark.kind == SLUICE_MARK_SILENCE_BEGINS && silent_since_ns_ == SLUICE_NO_TIME) {
      const sluice_read_span span = begin_read(kIn, 1);
      end_read(kIn, 0);
      // What lies in front of it is still to be sent.
      const uint64_t ahead = mark.position - std::min(mark.position, span.position);
      silent_since_ns_ = now_ns() + ns_of_frames(ahead, rate_hz_);
    } else if (mark.kind == SLUICE_MARK_SILENCE_ENDS) {
      silent_since_ns_ = SLUICE_NO_TIME;
    }
  }
}

int64_t SinkTcp::bedtime_ns() const {
  if (deep_sleep_ns_ == 0 || silent_since_ns_ == SLUICE_NO_TIME) return SLUICE_FOREVER;
  return silent_since_ns_ + deep_sleep_ns_;
}

SinkTcp::Step SinkTcp::sleep_through_silence() {
  add(kSleeps);
  set_state(SLUICE_STATE_ASLEEP, "Asleep, until there is something to hear.");
  set(kQuality, quality_now_ = 100);
  tell_upstream(kIn, SLUICE_UPSTREAM_ASLEEP);
  while (silent_since_ns_ != SLUICE_NO_TIME) {
    std::array items{on_marks(kIn), on_input(kIn, kNeverFrames)};
    const sluice_result result = wait(items, std::min(next_ageing_ns(), next_beat_ns_));
    if (result == SLUICE_ERROR_STOPPED) return Step::kStopped;
    beat(now_ns());
    age_out();
    if (is_input_over()) return Step::kEnded;
    if (items[1].ready) discard_rest();
    read_marks();
  }
  tell_upstream(kIn, SLUICE_UPSTREAM_AWAKE);
  retry_ns_ = now_ns();
  has_lost_some_ = false;  // what was thrown away meanwhile was silence
  return Step::kGoOn;
}

// The input has ended while asleep: what is left is silence.
void SinkTcp::discard_rest() {
  const uint64_t rest = available(kIn);
  discard(kIn, rest, "silence at the end");
  add(kFramesDropped, rest);
}

void SinkTcp::beat(int64_t now) {
  if (now < next_beat_ns_) return;
  next_beat_ns_ = now + kBeatNs;
  info(heartbeat());
}

std::string SinkTcp::heartbeat() const {
  const auto whole = [](double number) { return std::to_string(std::llround(number)); };
  const std::string level = whole(static_cast<double>(level_->frames()) * 1000 / rate_hz_);
  if (silent_since_ns_ != SLUICE_NO_TIME && !stream_) return "Asleep.";
  if (session_start_ns_ == SLUICE_NO_TIME) {
    return "Not connected; what is new is kept up to " + level + " ms.";
  }
  return "Sends to " + peer_ + ": quality " + whole(quality_now_) + " (" +
         Quality::word(quality_now_) + "), jitter " + whole(jitter_.ms()) + " ms (" +
         Quality::jitter_word(jitter_.ms()) + "), lead " + whole(lead_ms_now_) + " ms, level " +
         level + " ms.";
}

}  // namespace sluice

SLUICE_PLUGIN("TCP sink", "1.1.0", "Sluice", "MIT", sluice::SinkTcp);
