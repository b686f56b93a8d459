// source.tcp: raw PCM from a TCP connection.
#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <optional>
#include <sluice/back_off.hpp>
#include <sluice/net.hpp>
#include <sluice/sluice.hpp>
#include <string>
#include <vector>

#include "plugins/sources/tcp/remote_clock.hpp"
#include "plugins/sources/tcp/wav_reader.hpp"

namespace {

constexpr uint32_t kOut = 0;
constexpr const char* kModes[] = {"listen", "connect"};
constexpr const char* kFormats[] = {"f32", "s16", "s24", "s32"};
constexpr sluice_sample_format kSampleFormats[] = {SLUICE_SAMPLE_F32, SLUICE_SAMPLE_S16,
                                                   SLUICE_SAMPLE_S24, SLUICE_SAMPLE_S32};
constexpr const char* kUntils[] = {"forever", "first-sender"};
constexpr uint32_t kBlockFrames = 4096;
constexpr uint32_t kRoomFrames = 512;  // worth waking up for when there was none
constexpr int kReadsPerTurn = 16;      // then others get a look
constexpr int64_t kHandOverNs = 200'000'000;
constexpr size_t kPendingBytes = 4096;

class SourceTcp : public sluice::Threaded<SourceTcp> {
 public:
  static constexpr sluice::Info kInfo{
      "source.tcp", "TCP receiver",
      "Receives raw interleaved little-endian PCM over TCP. mode listen: one sender at a time, and "
      "the newest wins: one that has vanished without a word never keeps the next one out; what "
      "the old one had already delivered is still played. Partial frames at the end of a "
      "connection are thrown away, so channels never swap. While nobody sends, the stream is "
      "silent; a new sender is a discontinuity. Audio carries its time of arrival. When the reader "
      "falls behind, nothing is lost here: the source stops receiving and TCP holds the sender "
      "back.",
      SLUICE_TYPE_RETRIES};
  enum Parameter : uint32_t { kMode, kHost, kPort, kFormat, kRateHz, kChannels, kHeader, kUntil };
  static constexpr sluice_parameter kParameters[] = {
      sluice::choice("mode", kModes, 0,
                     "listen: senders connect to this node. connect: this node connects to a "
                     "server that sends, and again when the connection is lost."),
      sluice::claiming(
          sluice::text("host", "",
                       "listen: address of this machine to listen on, empty for all. connect: name "
                       "or address of the server."),
          "tcp-port", "mode=listen"),
      sluice::claiming(sluice::integer("port", nullptr, 0, 65535, 4953,
                                       "TCP port; with listen, 0 takes a free one (see the "
                                       "statistic port)."),
                       "tcp-port", "mode=listen"),
      sluice::choice("format", kFormats, 1, "Sample format of the bytes."),
      sluice::integer("rate_hz", "Hz", SLUICE_MIN_RATE_HZ, SLUICE_MAX_RATE_HZ, 48000,
                      "Frames per second."),
      sluice::integer("channels", nullptr, 1, SLUICE_MAX_CHANNELS, 2, "Number of channels."),
      sluice::choice("header", sluice::kHeaderNames, 0,
                     "none: bytes are samples from the first on. wav: a WAV header comes first, "
                     "whose format must be the one given here. auto: a WAV header is recognised."),
      sluice::choice("until", kUntils, 0,
                     "forever: wait for the next sender. first-sender: end when a sender that sent "
                     "audio has left and no other has taken its place.")};
  enum Statistic : uint32_t {
    kFrames,
    kBytes,
    kConnections,
    kPeerChanges,
    kRefused,
    kCutFrames,
    kConnected,
    kListeningPort,
    kDriftPpm
  };
  static constexpr sluice_statistic kStatistics[] = {
      sluice::counter("frames", "frames", "Frames received."),
      sluice::counter("bytes", "bytes", "Bytes received, headers included."),
      sluice::counter("connections", nullptr, "Connections made."),
      sluice::counter("peer_changes", nullptr, "Senders replaced by a newer one."),
      sluice::counter("refused", nullptr, "Senders turned away for their format."),
      sluice::counter("cut_frames", "frames", "Frames cut off by the end of a connection."),
      sluice::gauge("connected", nullptr, "1 while a sender is connected."),
      sluice::gauge("port", nullptr, "Port listened on."),
      sluice::gauge(
          "drift_ppm", "ppm",
          "By how much the sender's clock runs faster than rate_hz, told from arrivals; 0 "
          "before it is known.")};
  static constexpr sluice_format_offer kOffers[] = {sluice::offer(SLUICE_SAMPLE_ANY)};
  static constexpr sluice_port kPorts[] = {sluice::output("out", "What the sender sends.", kOffers,
                                                          SLUICE_PORT_LIVE, SLUICE_CLOCK_REMOTE)};

  void describe(uint32_t, const sluice_format*, sluice_port_info& info) {
    if (!is_listening() && text(kHost).empty()) {
      throw sluice::Failure{SLUICE_ERROR_ARGUMENT,
                            "With mode connect, give `host` the name or address of the server."};
    }
    if (!is_listening() && integer(kPort) == 0) {
      throw sluice::Failure{SLUICE_ERROR_ARGUMENT, "With mode connect, give `port` from 1 on."};
    }
    offer_ = sluice::offer({sizeof(sluice_format), kSampleFormats[choice(kFormat)],
                            integer(kChannels), integer(kRateHz)});
    info.offers = &offer_;
    info.offer_count = 1;
  }

  void prepare(sluice::Setup& setup) {
    net_ = {host(), extension<sluice_net_host>(SLUICE_NET_HOST)};
    clock_host_ = extension<sluice_clock_host>(SLUICE_CLOCK_HOST);
    frame_bytes_ = sluice::frame_bytes(setup.format());
    reader_.emplace(static_cast<sluice::Header>(choice(kHeader)), setup.format());
    back_off_.emplace(setup.seed());
    setup.port(kOut).max_block_frames = kBlockFrames;
    pending_.reserve(kPendingBytes);
    host_ = std::string(text(kHost));
    port_ = static_cast<uint16_t>(integer(kPort));
    if (!is_listening()) return;
    listener_ = sluice::listen(net_, host_, port_, stream_options());
    if (!listener_) throw sluice::Failure{SLUICE_ERROR_NETWORK, {}};
    set(kListeningPort, listener_.port());
  }

  void release() noexcept {
    sender_.close();
    next_.close();
    listener_.close();
  }

  void run() {
    begin_silence();
    set_waiting();
    while (turn()) {
    }
  }

 private:
  enum class Read { kNothing, kSome, kNoRoom, kOver };

  bool is_listening() const { return choice(kMode) == 0; }

  static sluice_stream_options stream_options() {
    sluice_stream_options options{};
    options.struct_size = sizeof(options);
    // A sender that vanished without a word is noticed after 11 s.
    options.keepalive_idle_s = 5;
    options.keepalive_interval_s = 2;
    options.keepalive_count = 3;
    return options;
  }

  // Waits for whatever is next and deals with it; false when the node is done.
  bool turn() {
    std::array<sluice_wait_item, 2> items{};
    size_t count = 0;
    int64_t deadline_ns = next_ ? hand_over_ns_ : SLUICE_FOREVER;
    if (listener_) items[count++] = on_stream(listener_.get(), SLUICE_NET_READ);
    if (is_connecting_) {
      items[count++] = on_stream(sender_.get(), SLUICE_NET_WRITE);
    } else if (sender_) {
      items[count++] =
          has_no_room_ ? on_output(kOut, kRoomFrames) : on_stream(sender_.get(), SLUICE_NET_READ);
    } else if (!listener_) {
      items[count++] = on_retry();
      deadline_ns = retry_ns_;
    }
    if (wait(std::span(items).first(count), deadline_ns) == SLUICE_ERROR_STOPPED) return false;

    if (listener_) {
      if (items[0].ready) accept_newest();
    } else if (!sender_) {
      if (items[0].ready || now_ns() >= retry_ns_) begin_connecting();
      return true;
    }
    if (is_connecting_ && !finish_connecting()) return true;
    if (!sender_) return take_next();

    Read read = Read::kSome;
    for (int i = 0; i < kReadsPerTurn && read == Read::kSome; ++i) read = receive_some();
    has_no_room_ = read == Read::kNoRoom;
    if (read == Read::kOver) {
      leave();
      return take_next();
    }
    if (next_ && (read == Read::kNothing || now_ns() >= hand_over_ns_)) {
      add(kPeerChanges);
      sender_.close(true);
      leave();
      return take_next();
    }
    return true;
  }

  void accept_newest() {
    while (sluice::Stream stream = listener_.accept()) {
      add(kConnections);
      if (next_) {
        add(kPeerChanges);
        next_.close(true);
      } else {
        hand_over_ns_ = now_ns() + kHandOverNs;
      }
      next_ = std::move(stream);
    }
  }

  // The sender that waits becomes the one that plays; false if the node is done instead.
  bool take_next() {
    if (!next_) {
      if (had_audio_ && choice(kUntil) == 1) return false;
      if (!listener_ && !sender_) retry_ns_ = now_ns() + back_off_->next_ns();
      return true;
    }
    sender_ = std::move(next_);
    welcome();
    return true;
  }

  void begin_connecting() {
    sender_ = sluice::connect(net_, host_, port_, stream_options());
    is_connecting_ = static_cast<bool>(sender_);
    if (!sender_) retry_ns_ = now_ns() + back_off_->next_ns();
  }

  bool finish_connecting() {
    const sluice_stream_info info = sender_.info();
    if (info.state == SLUICE_STREAM_CONNECTING) return false;
    is_connecting_ = false;
    if (info.state == SLUICE_STREAM_FAILED) {
      set_state(SLUICE_STATE_LOST, info.sentence);
      sender_.close();
      retry_ns_ = now_ns() + back_off_->next_ns();
      return false;
    }
    add(kConnections);
    welcome();
    return true;
  }

  void welcome() {
    sender_name_ = sluice::host_of(sender_.info().peer);
    session_start_ns_ = now_ns();
    reader_->restart();
    clock_.restart(integer(kRateHz));
    set(kDriftPpm, 0);
    pending_.clear();
    cut_bytes_ = 0;
    had_audio_ = false;
    has_no_room_ = false;
    set(kConnected, 1);
    set_state(SLUICE_STATE_RUNNING, "Receiving from " + sender_name_ + ".");
  }

  // After the sender has gone or was sent away.
  void leave() {
    drop_cut_frame();
    back_off_->session_ended(now_ns() - session_start_ns_);
    set(kConnected, 0);
    has_no_room_ = false;
    begin_silence();
    if (reader_->is_refused()) {
      add(kRefused);
      set_state(SLUICE_STATE_DEGRADED,
                "The sender at " + sender_name_ + " " + reader_->complaint());
    } else {
      set_waiting();
    }
    sender_.close(reader_->is_refused());
  }

  void set_waiting() {
    if (listener_) {
      set_state(SLUICE_STATE_WAITING,
                "Waiting for a sender on port " + std::to_string(listener_.port()) + ".");
    } else {
      set_state(SLUICE_STATE_LOST, "Waiting for " + host_ + ".");
    }
  }

  Read receive_some() {
    if (reader_->is_refused()) return Read::kOver;
    if (!reader_->is_in_audio()) return receive_header();
    if (!pending_.empty()) return play_pending();
    return receive_audio();
  }

  Read receive_header() {
    const size_t known = pending_.size();
    pending_.resize(kPendingBytes);
    size_t received = 0;
    const sluice_result result =
        sender_.receive(pending_.data() + known, kPendingBytes - known, received);
    pending_.resize(known + received);
    if (result == SLUICE_ERROR_AGAIN) return Read::kNothing;
    add(kBytes, received);
    if (received == 0) {
      reader_->end();
      return reader_->is_in_audio() && !pending_.empty() ? Read::kSome : Read::kOver;
    }
    drop_pending(reader_->parse(pending_));
    return Read::kSome;
  }

  // Audio that came together with the header.
  Read play_pending() {
    const sluice_write_span span = begin_audio();
    if (span.frames == 0) {
      end_audio(span, 0);
      return Read::kNoRoom;
    }
    const size_t room = size_t{span.frames} * frame_bytes_ - cut_bytes_;
    const auto size =
        static_cast<size_t>(std::min<uint64_t>({room, pending_.size(), reader_->audio_left()}));
    std::memcpy(static_cast<std::byte*>(span.data) + cut_bytes_, pending_.data(), size);
    end_audio(span, size);
    drop_pending(size);
    // A file may end and another begin within what is pending.
    if (!reader_->is_in_audio()) drop_pending(reader_->parse(pending_));
    return Read::kSome;
  }

  void drop_pending(size_t bytes) {
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(bytes));
  }

  // From the socket straight into the ring.
  Read receive_audio() {
    const sluice_write_span span = begin_audio();
    if (span.frames == 0) {
      end_audio(span, 0);
      return Read::kNoRoom;
    }
    const size_t room = static_cast<size_t>(
        std::min<uint64_t>(size_t{span.frames} * frame_bytes_ - cut_bytes_, reader_->audio_left()));
    size_t received = 0;
    const sluice_result result =
        sender_.receive(static_cast<std::byte*>(span.data) + cut_bytes_, room, received);
    add(kBytes, received);
    end_audio(span, received);
    if (result == SLUICE_ERROR_AGAIN) return Read::kNothing;
    if (received == 0) return Read::kOver;
    return received < room ? Read::kNothing : Read::kSome;
  }

  // Room in the ring, the cut frame of last time at its beginning.
  sluice_write_span begin_audio() {
    const sluice_write_span span = begin_write(kOut, kBlockFrames);
    if (span.frames > 0) std::memcpy(span.data, cut_.data(), cut_bytes_);
    return span;
  }

  // Publishes the whole frames of what now lies in the span and keeps the rest for next time.
  void end_audio(const sluice_write_span& span, size_t new_bytes) {
    const size_t bytes = cut_bytes_ + new_bytes;
    const auto frames = static_cast<uint32_t>(bytes / frame_bytes_);
    if (new_bytes > 0) {
      cut_bytes_ = bytes % frame_bytes_;
      std::memcpy(cut_.data(), static_cast<std::byte*>(span.data) + size_t{frames} * frame_bytes_,
                  cut_bytes_);
    }
    if (frames > 0 && new_bytes > 0) {
      announce_audio(span.position);
      const int64_t arrival_ns = now_ns();
      end_write(kOut, frames, arrival_ns);
      add(kFrames, frames);
      has_written_ = true;
      if (clock_.arrived(span.position + frames, arrival_ns)) publish_clock();
    } else {
      end_write(kOut, 0);
    }
    if (new_bytes == 0) return;
    reader_->take_audio(new_bytes);
    if (!reader_->is_in_audio()) drop_cut_frame();
  }

  void publish_clock() {
    set(kDriftPpm, (clock_.ratio() - 1) * 1e6);
    if (clock_host_) {
      clock_host_->publish(host(), kOut, clock_.frames(), clock_.time_ns(), clock_.ratio());
    }
  }

  void drop_cut_frame() {
    if (cut_bytes_ > 0) add(kCutFrames);
    cut_bytes_ = 0;
  }

  void announce_audio(uint64_t position) {
    if (had_audio_) return;
    had_audio_ = true;
    if (is_silent_) mark(kOut, SLUICE_MARK_SILENCE_ENDS, position);
    if (has_written_) mark(kOut, SLUICE_MARK_DISCONTINUITY, position);
    is_silent_ = false;
  }

  void begin_silence() {
    if (is_silent_) return;
    const sluice_write_span span = begin_write(kOut, 1);
    end_write(kOut, 0);
    mark(kOut, SLUICE_MARK_SILENCE_BEGINS, span.position);
    is_silent_ = true;
  }

  sluice_format_offer offer_{};
  sluice::Net net_;
  const sluice_clock_host* clock_host_ = nullptr;
  RemoteClock clock_;
  std::string host_;
  uint16_t port_ = 0;
  uint32_t frame_bytes_ = 0;
  std::optional<sluice::BackOff> back_off_;
  std::optional<sluice::WavReader> reader_;

  sluice::Listener listener_;
  sluice::Stream sender_;
  sluice::Stream next_;       // accepted, waits until the sender has nothing more at hand
  int64_t hand_over_ns_ = 0;  // until then at the latest
  int64_t retry_ns_ = 0;
  int64_t session_start_ns_ = 0;
  bool is_connecting_ = false;
  bool has_no_room_ = false;
  std::string sender_name_;

  std::vector<std::byte> pending_;  // received and not understood or not played yet
  std::array<std::byte, size_t{SLUICE_MAX_CHANNELS} * 4> cut_{};
  size_t cut_bytes_ = 0;      // of a frame whose rest has not come yet
  bool had_audio_ = false;    // of this sender
  bool has_written_ = false;  // of any
  bool is_silent_ = false;
};

}  // namespace

SLUICE_PLUGIN("TCP source", "1.0.0", "Sluice", "MIT", SourceTcp);
