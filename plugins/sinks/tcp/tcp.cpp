// sink.tcp: paced PCM to a TCP server.
#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <sluice/back_off.hpp>
#include <sluice/net.hpp>
#include <sluice/sluice.hpp>
#include <string>

#include "plugins/sinks/tcp/declaration.hpp"
#include "plugins/sinks/tcp/dscp.hpp"
#include "plugins/sinks/tcp/pacer.hpp"
#include "plugins/sinks/tcp/session_statistics.hpp"

namespace {

constexpr uint32_t kIn = 0;
constexpr int64_t kNsPerMs = 1'000'000;
constexpr int64_t kLookNs = 250'000'000;   // at the peer and at the statistics
constexpr int64_t kMarginNs = 50'000'000;  // kept beyond the lead while nobody takes it
constexpr int64_t kNotReadingNs = 1'000'000'000;
constexpr uint32_t kNeverFrames = UINT32_MAX;  // an amount no input has: only its end is waited for
constexpr int64_t kFarewellNs = 2'000'000'000;
constexpr size_t kQuantileChunks = 1000;
constexpr size_t kWriteMeanChunks = 100;

class SinkTcp : public sluice::Threaded<SinkTcp>, public sluice::SinkTcpDeclaration {
 public:
  void describe(uint32_t, const sluice_format*, sluice_port_info&) {
    if (text(kHost).empty()) {
      throw sluice::Failure{SLUICE_ERROR_ARGUMENT,
                            "Give `host` the name or address of the server."};
    }
    parse_dscp();
  }

  void prepare(sluice::Setup& setup) {
    net_ = {host(), extension<sluice_net_host>(SLUICE_NET_HOST)};
    rate_hz_ = setup.rate_hz();
    frame_bytes_ = sluice::frame_bytes(setup.format());
    chunk_ = integer(kChunkFrames);
    lead_ = static_cast<uint32_t>(sluice::frames_of_ms(number(kLeadMs), rate_hz_));
    const auto burst = static_cast<uint32_t>(sluice::frames_of_ms(number(kBurstMs), rate_hz_));
    pacer_.emplace(rate_hz_, lead_, std::max(burst, chunk_));
    margin_ =
        std::max(static_cast<uint32_t>(sluice::frames_of_ns(kMarginNs, rate_hz_)), 2 * chunk_);
    back_off_.emplace(setup.seed());
    host_name_ = std::string(text(kHost));
    port_ = static_cast<uint16_t>(integer(kPort));
    deep_sleep_ns_ = static_cast<int64_t>(number(kDeepSleepMs) * kNsPerMs);
    holds_ = choice(kWhenDisconnected) == 1;
    spin_ns_ = setup.is_offline() ? 0 : int64_t{integer(kSpinUs)} * 1000;
    write_timeout_ns_ = int64_t{integer(kWriteTimeoutMs)} * kNsPerMs;

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
    sluice_port_setup& port = setup.port(kIn);
    port.hold_frames = uint64_t{lead_} + margin_;
    port.max_block_frames = chunk_;
  }

  void release() noexcept { stream_.close(); }

  void run() {
    retry_ns_ = now_ns();
    pacer_->start_satisfied(retry_ns_);
    for (;;) {
      Step step = establish();
      if (step == Step::kGoOn) {
        begin_session();
        step = play();
        end_session(step);
      }
      if (step == Step::kAsleep) step = sleep_through_silence();
      if (step != Step::kLost && step != Step::kGoOn) return;
    }
  }

 private:
  enum class Step {
    kGoOn,
    kStopped,  // by the host
    kEnded,    // all input has been sent
    kAsleep,   // the input has been silent for so long
    kLost      // the connection
  };

  uint32_t parse_dscp() const {
    const std::string_view word = text(kDscp);
    const std::optional<uint32_t> dscp = sluice::dscp_of(word);
    if (!dscp) {
      throw sluice::Failure{SLUICE_ERROR_ARGUMENT,
                            "`dscp` cannot be \"" + std::string(word) +
                                "\": choose voip, low-delay, throughput, best-effort or a number "
                                "from 0 to 63."};
    }
    return *dscp;
  }

  // ---- Without a connection ----

  // Connects; meanwhile audio ages out.
  Step establish() {
    for (;;) {
      const int64_t now = now_ns();
      if (!stream_ && now >= retry_ns_) {
        stream_ = sluice::connect(net_, host_name_, port_, options_);
        if (!stream_) note_failed_attempt("No connection can be made now; trying again.");
      }
      const int64_t deadline_ns = std::min(stream_ ? SLUICE_FOREVER : retry_ns_, next_ageing_ns());
      const sluice_result result =
          stream_ ? wait(on_stream(stream_.get(), SLUICE_NET_WRITE), deadline_ns)
                  : sleep_until(deadline_ns);
      if (result == SLUICE_ERROR_STOPPED) return Step::kStopped;
      age_out();
      if (is_input_over()) return Step::kEnded;
      if (!stream_) continue;
      const sluice_stream_info info = stream_.info();
      if (info.state == SLUICE_STREAM_OPEN) return Step::kGoOn;
      if (info.state == SLUICE_STREAM_FAILED) note_failed_attempt(info.sentence);
    }
  }

  void note_failed_attempt(const std::string& sentence) {
    set_state(SLUICE_STATE_LOST, sentence);
    stream_.close();
    add(kFailedConnections);
    retry_ns_ = now_ns() + back_off_->next_ns();
  }

  // Audio that nobody takes goes on aging at its rate: of what is there, the lead and a margin are
  // kept, and of the rest what is overdue is thrown away, oldest first.
  void age_out() {
    if (holds_) return;
    const uint64_t due = pacer_->due_frames(now_ns());
    const uint64_t kept = uint64_t{lead_} + margin_;
    if (due <= kept) return;
    const uint64_t there = available(kIn);
    const uint64_t dropped = there > kept ? std::min(due - kept, there - kept) : 0;
    if (dropped > 0) discard(kIn, dropped, "nobody took it");
    add(kFramesDropped, dropped);
    pacer_->pass(due - kept);
  }

  int64_t next_ageing_ns() const {
    return holds_ ? SLUICE_FOREVER : pacer_->due_ns(uint64_t{lead_} + 2 * margin_);
  }

  bool is_input_over() {
    const sluice_read_span span = begin_read(kIn, 1);
    end_read(kIn, 0);
    return span.frames == 0 && (span.flags & SLUICE_INPUT_ENDED);
  }

  // ---- Silence ----

  // Follows the silence of the input up to the newest mark, ahead of what has been read.
  void read_marks() {
    sluice_mark mark{};
    while (next_mark(kIn, UINT64_MAX, mark)) {
      if (mark.kind == SLUICE_MARK_SILENCE_BEGINS && silent_since_ns_ == SLUICE_NO_TIME) {
        silent_since_ns_ = now_ns();
      } else if (mark.kind == SLUICE_MARK_SILENCE_ENDS) {
        silent_since_ns_ = SLUICE_NO_TIME;
      }
    }
  }

  // When it will have been silent for long enough to sleep.
  int64_t bedtime_ns() const {
    if (deep_sleep_ns_ == 0 || silent_since_ns_ == SLUICE_NO_TIME) return SLUICE_FOREVER;
    return silent_since_ns_ + deep_sleep_ns_;
  }

  Step sleep_through_silence() {
    add(kSleeps);
    set_state(SLUICE_STATE_ASLEEP, "Asleep, until there is something to hear.");
    tell_upstream(kIn, SLUICE_UPSTREAM_ASLEEP);
    while (silent_since_ns_ != SLUICE_NO_TIME) {
      std::array items{on_marks(kIn), on_input(kIn, kNeverFrames)};
      const sluice_result result = wait(items, next_ageing_ns());
      if (result == SLUICE_ERROR_STOPPED) return Step::kStopped;
      age_out();
      if (is_input_over()) return Step::kEnded;
      if (items[1].ready) discard_rest();
      read_marks();
    }
    tell_upstream(kIn, SLUICE_UPSTREAM_AWAKE);
    retry_ns_ = now_ns();
    return Step::kGoOn;
  }

  // The input has ended while asleep: what is left is silence.
  void discard_rest() {
    const uint64_t rest = available(kIn);
    discard(kIn, rest, "silence at the end");
    add(kFramesDropped, rest);
  }

  // ---- A session ----

  void begin_session() {
    const sluice_stream_info info = stream_.info();
    peer_ = info.peer;
    session_start_ns_ = next_look_ns_ = now_ns();
    tail_bytes_ = 0;
    blocked_since_ns_ = SLUICE_NO_TIME;
    reading_ = {};
    add(kConnections);
    set(kConnected, 1);
    bitrate_.start(session_start_ns_, bytes_);
    set_state(SLUICE_STATE_RUNNING, "Connected to " + peer_ + ".");
    tell_upstream(kIn, SLUICE_UPSTREAM_RECONNECTED);
  }

  void end_session(Step step) {
    if (step == Step::kEnded) {
      bid_farewell();
    } else if (step == Step::kStopped || step == Step::kAsleep) {
      stream_.finish();
    }
    const int64_t now = now_ns();
    back_off_->session_ended(now - session_start_ns_);
    retry_ns_ = now + back_off_->next_ns();
    stream_.close(step == Step::kLost);
    set(kConnected, 0);
  }

  Step lose(const std::string& sentence) {
    set_state(SLUICE_STATE_LOST, sentence);
    return Step::kLost;
  }

  Step play() {
    Step step = prime();
    while (step == Step::kGoOn) {
      // The next chunk is made ready first, so that nothing stands between deadline and send.
      const sluice_result result =
          wait(on_input(kIn, chunk_), pacer_->due_ns(uint64_t{lead_} + chunk_));
      if (result == SLUICE_ERROR_STOPPED) return Step::kStopped;
      if (result == SLUICE_ERROR_TIMEOUT && available(kIn) < chunk_) {
        step = recover_from_dry_input();
        continue;
      }
      const uint64_t ready = available(kIn);
      if (ready == 0 && is_input_over()) return Step::kEnded;
      due_ns_ = pacer_->due_ns(std::min<uint64_t>(chunk_, ready));
      if (!sleep_until_due()) return Step::kStopped;
      if (pacer_->forgive(now_ns()) > 0) add(kStalls);
      step = send_due();
      if (step == Step::kGoOn) step = look_around();
    }
    return step;
  }

  // Waits until the lead can go out at once, or as much of it as comes in the time it lasts.
  Step prime() {
    const uint32_t wanted = std::max(lead_, chunk_);
    for (uint32_t frames : {1u, wanted}) {
      const int64_t deadline_ns =
          frames == 1 ? SLUICE_FOREVER : now_ns() + sluice::ns_of_frames(wanted, rate_hz_);
      for (bool is_waiting = true; is_waiting;) {
        std::array items{on_input(kIn, frames), on_stream(stream_.get(), SLUICE_NET_READ),
                         on_marks(kIn)};
        const sluice_result result = wait(items, std::min(deadline_ns, bedtime_ns()));
        if (result == SLUICE_ERROR_STOPPED) return Step::kStopped;
        read_marks();
        if (now_ns() >= bedtime_ns()) return Step::kAsleep;
        is_waiting = result == SLUICE_OK && !items[0].ready;
        if (items[1].ready) {
          if (const Step step = listen_to_peer(); step != Step::kGoOn) return step;
        }
      }
    }
    pacer_->start(now_ns());
    return Step::kGoOn;
  }

  // Nothing came for as long as the receiver had something in hand.
  Step recover_from_dry_input() {
    const sluice_read_span span = begin_read(kIn, 1);
    end_read(kIn, 0);
    if (!(span.flags & SLUICE_INPUT_IDLE)) {
      add(kUnderruns);
      tell_upstream(kIn, SLUICE_UPSTREAM_STARVED);
    }
    const Step step = send_due();
    return step == Step::kGoOn ? prime() : step;
  }

  // Sleeps, then spins if asked to. False: stopped.
  bool sleep_until_due() {
    if (due_ns_ <= now_ns()) return true;
    if (sleep_until(due_ns_ - spin_ns_) == SLUICE_ERROR_STOPPED) return false;
    if (spin_ns_ == 0) return true;
    // A clock that stands still while nobody waits is a virtual one.
    const int64_t start_ns = now_ns();
    for (int i = 0; i < 1000 || now_ns() != start_ns; ++i) {
      if (now_ns() >= due_ns_) return true;
    }
    return sleep_until(due_ns_) != SLUICE_ERROR_STOPPED;
  }

  // Sends what is due and there, in whole chunks where it can.
  Step send_due() {
    bool is_first = true;
    for (;;) {
      const int64_t now = now_ns();
      const uint64_t due = pacer_->due_frames(now);
      const uint64_t ready = std::min(due, available(kIn));
      const uint64_t whole = ready / chunk_ * chunk_;
      const auto frames = static_cast<uint32_t>(whole > 0 ? whole : is_first ? ready : 0);
      if (tail_bytes_ == 0 && frames == 0) return Step::kGoOn;
      if (is_first) lateness_ns_.add(std::max<int64_t>(0, now - due_ns_));
      is_first = false;
      const sluice_result result = tail_bytes_ > 0 ? send_tail() : send_frames(frames);
      const int64_t after_ns = now_ns();
      write_ns_.add(after_ns - now);
      if (result == SLUICE_ERROR_NETWORK) return lose(stream_.info().sentence);
      if (result == SLUICE_OK) {
        blocked_since_ns_ = SLUICE_NO_TIME;
      } else if (const Step step = wait_for_peer(after_ns); step != Step::kGoOn) {
        return step;
      }
    }
  }

  // Straight from the ring. A frame that was sent in part goes on from a copy, so that the span
  // holds whole frames only.
  sluice_result send_frames(uint32_t frames) {
    const sluice_read_span span = begin_read(kIn, frames);
    const size_t size = size_t{span.frames} * frame_bytes_;
    size_t sent = 0;
    sluice_result result = stream_.send(span.data, size, sent);
    auto passed = static_cast<uint32_t>(sent / frame_bytes_);
    if (const size_t part = sent % frame_bytes_) {
      tail_bytes_ = frame_bytes_ - part;
      std::memcpy(tail_.data(), static_cast<const std::byte*>(span.data) + sent, tail_bytes_);
      ++passed;
    }
    end_read(kIn, passed);
    pacer_->pass(passed);
    add(kFramesSent, passed);
    note_sent(sent);
    if (result == SLUICE_OK && sent < size) result = SLUICE_ERROR_AGAIN;
    return result;
  }

  sluice_result send_tail() {
    size_t sent = 0;
    const sluice_result result = stream_.send(tail_.data(), tail_bytes_, sent);
    tail_bytes_ -= sent;
    std::memmove(tail_.data(), tail_.data() + sent, tail_bytes_);
    note_sent(sent);
    return result == SLUICE_OK && tail_bytes_ > 0 ? SLUICE_ERROR_AGAIN : result;
  }

  void note_sent(size_t bytes) {
    if (bytes == 0) return;
    bytes_ += bytes;
    add(kBytes, bytes);
    blocked_since_ns_ = SLUICE_NO_TIME;
  }

  // The socket is full: until the peer takes something, or has not for too long.
  Step wait_for_peer(int64_t now) {
    if (blocked_since_ns_ == SLUICE_NO_TIME) blocked_since_ns_ = now;
    const int64_t give_up_ns = blocked_since_ns_ + write_timeout_ns_;
    for (;;) {
      const sluice_result result = wait(on_stream(stream_.get(), SLUICE_NET_WRITE),
                                        std::min({give_up_ns, next_ageing_ns(), next_look_ns_}));
      if (result == SLUICE_ERROR_STOPPED) return Step::kStopped;
      age_out();
      if (result == SLUICE_OK) break;
      if (const Step step = look_around(); step != Step::kGoOn) return step;
      if (now_ns() >= give_up_ns) {
        return lose(peer_ + " has taken nothing for " +
                    std::to_string(write_timeout_ns_ / kNsPerMs) +
                    " ms: its program hangs or the network on the way is gone. Connecting anew.");
      }
    }
    if (holds_ && pacer_->forgive(now_ns()) > 0) add(kStalls);
    return Step::kGoOn;
  }

  // ---- Looking at the peer ----

  Step look_around() {
    const int64_t now = now_ns();
    if (now < next_look_ns_) return Step::kGoOn;
    next_look_ns_ = now + kLookNs;
    const sluice_stream_info info = stream_.info();
    publish(info, now);
    watch_reading(info, now);
    read_marks();
    if (now >= bedtime_ns()) return Step::kAsleep;
    return listen_to_peer();
  }

  // A peer whose program does not read still acknowledges, but the end of its receive window stands
  // still.
  void watch_reading(const sluice_stream_info& info, int64_t now) {
    const uint64_t window_end = info.acknowledged_bytes + info.peer_window_bytes;
    if (window_end != reading_.window_end || info.unsent_bytes == 0) {
      if (reading_.is_named) set_state(SLUICE_STATE_RUNNING, "Connected to " + peer_ + ".");
      reading_ = {window_end, now, false};
    } else if (now - reading_.since_ns >= kNotReadingNs && !reading_.is_named) {
      reading_.is_named = true;
      set_state(SLUICE_STATE_DEGRADED,
                peer_ +
                    " accepts audio and does not read it: its program hangs, or it serves "
                    "another sender first.");
    }
  }

  // A server that takes audio has nothing to say; if it does, somebody should know.
  Step listen_to_peer() {
    std::array<char, 2048> words;
    size_t received = 0;
    const sluice_result result = stream_.receive(words.data(), words.size(), received);
    if (result == SLUICE_ERROR_AGAIN) return Step::kGoOn;
    if (result != SLUICE_OK) return lose(stream_.info().sentence);
    if (received == 0) return lose(peer_ + " has closed the connection.");
    const bool is_http = std::string_view(words.data(), received).starts_with("HTTP/");
    set_state(SLUICE_STATE_DEGRADED,
              is_http ? peer_ + " answers with HTTP, so it is a web server: mend `port`."
                      : peer_ +
                            " sends instead of only receiving: see that `port` is the one of "
                            "its audio input.");
    return Step::kGoOn;
  }

  void publish(const sluice_stream_info& info, int64_t now) {
    const double unsent_frames =
        static_cast<double>(info.unsent_bytes) / static_cast<double>(frame_bytes_);
    set(kUptime, static_cast<double>(now - session_start_ns_) / 1e9);
    set(kBitrate, bitrate_.current_kbit_s(now, bytes_));
    set(kMeanBitrate, bitrate_.mean_kbit_s(now, bytes_));
    set(kLatenessP50, static_cast<double>(lateness_ns_.quantile(0.5)) / 1000);
    set(kLatenessP99, static_cast<double>(lateness_ns_.quantile(0.99)) / 1000);
    set(kWriteTime, write_ns_.mean() / 1000);
    set(kLead, (static_cast<double>(pacer_->lead_frames(now)) - unsent_frames) * 1000 / rate_hz_);
    set(kUnsent, static_cast<double>(info.unsent_bytes));
    set(kPeerWindow, info.peer_window_bytes);
    set(kRoundTrip, info.round_trip_us);
    set(kRetransmits, info.retransmits);
  }

  // The peer reads on until our end and then closes; a peer that does neither is not waited for.
  void bid_farewell() {
    stream_.finish();
    const int64_t deadline_ns = now_ns() + sluice::ns_of_frames(lead_, rate_hz_) + kFarewellNs;
    std::array<char, 2048> words;
    size_t received = 0;
    do {
      if (wait(on_stream(stream_.get(), SLUICE_NET_READ), deadline_ns) != SLUICE_OK) return;
    } while (stream_.receive(words.data(), words.size(), received) == SLUICE_OK && received > 0);
  }

  sluice::Net net_;
  std::string host_name_;
  uint16_t port_ = 0;
  sluice_stream_options options_{};
  uint32_t rate_hz_ = 0, frame_bytes_ = 0;
  uint32_t chunk_ = 0, lead_ = 0, margin_ = 0;
  bool holds_ = false;
  int64_t spin_ns_ = 0, write_timeout_ns_ = 0, deep_sleep_ns_ = 0;
  std::optional<sluice::Pacer> pacer_;
  std::optional<sluice::BackOff> back_off_;
  int64_t retry_ns_ = 0;
  int64_t silent_since_ns_ = SLUICE_NO_TIME;

  sluice::Stream stream_;
  std::string peer_;
  int64_t session_start_ns_ = 0, next_look_ns_ = 0;
  int64_t due_ns_ = 0;  // of the chunk that goes out next
  int64_t blocked_since_ns_ = SLUICE_NO_TIME;
  uint64_t bytes_ = 0;
  struct {
    uint64_t window_end = 0;
    int64_t since_ns = 0;  // neither moved nor empty
    bool is_named = false;
  } reading_;
  std::array<std::byte, size_t{SLUICE_MAX_CHANNELS} * 4> tail_{};  // rest of a frame
  size_t tail_bytes_ = 0;

  sluice::RecentValues lateness_ns_{kQuantileChunks}, write_ns_{kWriteMeanChunks};
  sluice::Bitrate bitrate_;
};

}  // namespace

SLUICE_PLUGIN("TCP sink", "1.0.0", "Sluice", "MIT", SinkTcp);
