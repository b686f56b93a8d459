// sink.tcp: paced PCM over TCP, to a server or to a receiver that connects.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <sluice/back_off.hpp>
#include <sluice/net.hpp>
#include <sluice/sluice.hpp>
#include <string>
#include <vector>

#include "plugins/sinks/tcp/adaptive_level.hpp"
#include "plugins/sinks/tcp/connection_watch.hpp"
#include "plugins/sinks/tcp/declaration.hpp"
#include "plugins/sinks/tcp/frame_shaper.hpp"
#include "plugins/sinks/tcp/pacer.hpp"
#include "plugins/sinks/tcp/quality.hpp"
#include "plugins/sinks/tcp/receiver_clock.hpp"
#include "plugins/sinks/tcp/session_statistics.hpp"
#include "plugins/sinks/tcp/shared_moments.hpp"

namespace sluice {

// The node. Its life between connections is in tcp.cpp, a connection in playing.cpp.
class SinkTcp : public Threaded<SinkTcp>, public SinkTcpDeclaration {
 public:
  void describe(uint32_t port, const sluice_format* inputs, sluice_port_info& info);
  void prepare(Setup& setup);
  void release() noexcept {
    stream_.close();
    listener_.close();
  }
  void run();

 private:
  static constexpr uint32_t kIn = 0;
  static constexpr int64_t kNsPerMs = 1'000'000;
  static constexpr int64_t kLookNs = 250'000'000;   // at the peer and at the statistics
  static constexpr int64_t kMarginNs = 50'000'000;  // kept beyond the level while nobody takes it
  static constexpr int64_t kBeatNs = 30'000'000'000;
  static constexpr size_t kQuantileChunks = 1000;
  static constexpr size_t kWriteMeanChunks = 100;

  enum class Step {
    kGoOn,
    kStopped,  // by the host
    kEnded,    // all input has been sent
    kAsleep,   // the input has been silent for so long
    kLost      // the connection
  };

  bool is_listening() const { return choice(kMode) == 1; }

  // ---- Between connections ----
  void prepare_options();
  void prepare_level(Setup& setup);
  uint32_t parse_dscp() const;
  void raise_priority();
  // Connects, or waits for a receiver; meanwhile audio ages out.
  Step establish();
  void begin_connecting(int64_t now);
  // The next receiver that has not left again already.
  bool accept_next();
  // With mode listen: another receiver waits for its turn.
  bool has_one_waiting();
  void note_failed_attempt(const std::string& sentence);
  // Audio that nobody takes goes on aging at its rate: of what is there, the level and a margin are
  // kept, and of the rest what is overdue is thrown away, oldest first.
  void age_out();
  int64_t next_ageing_ns() const;
  // No more comes, or no more has room; some may be left.
  bool has_input_ended();
  bool is_input_over();
  Step sleep_through_silence();
  // Follows the silence of the input up to the newest mark, ahead of what has been read.
  void read_marks();
  // When it will have been silent for long enough to sleep.
  int64_t bedtime_ns() const;
  void discard_rest();
  // A line in the log every 30 s.
  void beat(int64_t now);
  std::string heartbeat() const;

  // ---- A connection ----
  void begin_session();
  void end_session(Step step);
  Step lose(const std::string& sentence);
  // What the stream says of its end, the peer called as everywhere.
  std::string stream_sentence() const;
  Step play();
  // Waits until the level is there, or as much of it as comes in the time it lasts.
  Step prime();
  // Nothing came for as long as the receiver had something in hand.
  Step recover_from_dry_input();
  // Sleeps, then spins if asked to. False: stopped.
  bool sleep_until_due();
  // Sends what is due and there, in whole chunks where it can. `ready` frames are there at the
  // least; `now` is the time of the call, and when it returns that after the newest send.
  Step send_due(int64_t& now, uint64_t ready);
  // Straight from the ring. A frame that was sent in part goes on from a copy, so that the span
  // holds whole frames only.
  sluice_result send_frames(uint32_t frames, int64_t now);
  sluice_result send_pending(int64_t now);
  bool needs_shaping() const { return fade_done_ < fade_length_ || is_cutting_; }
  // Puts frames that cannot go out as they are into `pending_`.
  void shape_frames(uint32_t frames);
  void append_pending(const void* data, size_t bytes);
  void note_sent(size_t bytes, int64_t now);
  // The peer takes nothing, or is not to be given more: until that changes, or has not for too
  // long.
  Step wait_for_peer(int64_t now);
  void note_starvation(int64_t now, uint64_t missing);
  // The schedule was given up, or starts: what the receiver's clock says counts from here.
  void place_clock(int64_t now);

  // ---- Looking at the peer ----
  Step look_around(int64_t now);
  void look_at_peer(const sluice_stream_info& info, int64_t now);
  void follow_clock(int64_t now);
  void say_how_it_is();
  void announce(int64_t now);
  // A server that takes audio has nothing to say; if it does, somebody should know.
  Step listen_to_peer();
  void publish(const sluice_stream_info& info, int64_t now);
  void rate_quality(int64_t now);
  // The peer reads on until our end and then closes; a peer that does neither is not waited for.
  void bid_farewell();

  Net net_;
  const sluice_clock_host* clock_host_ = nullptr;
  const sluice_thread_host* thread_host_ = nullptr;
  std::string host_name_;
  uint16_t port_ = 0;
  sluice_stream_options options_{};
  sluice_format format_{};
  uint32_t rate_hz_ = 0, frame_bytes_ = 0;
  uint32_t chunk_ = 0, lead_ = 0, margin_ = 0;
  bool holds_ = false, is_fed_live_ = false, sends_head_ = false, is_measuring_ = false;
  int64_t spin_ns_ = 0, write_timeout_ns_ = 0, deep_sleep_ns_ = 0;
  std::optional<Pacer> pacer_;
  std::optional<SharedMoments> moments_;  // while connected
  std::optional<BackOff> back_off_;
  std::optional<AdaptiveLevel> level_;
  std::optional<ConnectionWatch> watch_;
  std::optional<ReceiverClock> clock_;
  std::optional<FrameShaper> shaper_;
  int64_t retry_ns_ = 0, next_beat_ns_ = 0;
  int64_t silent_since_ns_ = SLUICE_NO_TIME;
  bool has_sent_ = false;       // ever
  bool has_lost_some_ = false;  // since then

  Listener listener_;  // with mode listen
  Stream stream_;
  std::string peer_;  // with mode listen without its port, which changes from one time to the next
  std::string first_words_;                    // of a receiver, heard when it was accepted
  std::string complaint_;                      // about what the peer says
  int64_t session_start_ns_ = SLUICE_NO_TIME;  // while not connected
  int64_t next_look_ns_ = 0;
  bool is_announced_ = false, was_cut_short_ = false;
  int64_t due_ns_ = 0;  // of the chunk that goes out next
  int64_t blocked_since_ns_ = SLUICE_NO_TIME;
  uint64_t allowed_ = 0;
  uint64_t bytes_ = 0, session_bytes_ = 0;
  uint32_t retransmits_ = 0;
  double drift_base_ = 0;
  bool has_drift_base_ = false;

  std::vector<std::byte> pending_;  // goes out before anything else
  size_t pending_begin_ = 0, pending_end_ = 0;
  uint32_t fade_done_ = 0, fade_length_ = 0;
  bool is_cutting_ = false;

  RecentValues lateness_ns_{kQuantileChunks}, write_ns_{kWriteMeanChunks};
  Bitrate bitrate_;
  Jitter jitter_;
  Quality quality_;
  double quality_now_ = 0, lead_ms_now_ = 0;
  bool is_poor_ = false;
};

}  // namespace sluice
