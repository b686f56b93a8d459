// What sink.tcp shows of itself: description, parameters, statistics, port.
#pragma once

#include <sluice/describe.hpp>

#include "plugins/sinks/tcp/presets.hpp"

namespace sluice {

inline constexpr const char* kSinkModes[] = {"connect", "listen"};
inline constexpr const char* kDisconnectedPolicies[] = {"auto", "hold", "drop"};
inline constexpr const char* kReceiverClocks[] = {"own", "measured"};
inline constexpr const char* kStreamHeaders[] = {"none", "wav"};

struct SinkTcpDeclaration {
  static constexpr Info kInfo{
      "sink.tcp", "TCP sender",
      "Sends raw interleaved little-endian PCM to a TCP server at the rate of the audio, as a "
      "receiver with a clock of its own wants it; with mode listen, to a receiver that connects to "
      "this node. Of several receivers the first is served as long as it reads, and the next one, "
      "which waits meanwhile, when that has left or read nothing for a second: receivers that come "
      "back at once never drive each other out. After each connection, and after each time the "
      "input ran dry, lead_ms of audio goes out at once; then chunk after chunk on absolute "
      "deadlines, so that the receiver stays that far ahead. A connection that is lost is made "
      "again: 0.25 s later at first, then after waits that double up to 60 s, each spread by "
      "+-50 %; a session of 10 s starts over from the shortest, and for the 5 s after it no wait "
      "is longer than a second. A peer that takes nothing for write_timeout_ms is given up; one "
      "that does not read is given 64 KiB in all (or, if these are more, the lead and half of it "
      "or "
      "3 chunks) and no more. Meanwhile the newest audio is kept and the older thrown away at its "
      "rate (see "
      "when_disconnected); after a loss the rest fades in over 30 ms. At the end of the input all "
      "of it is sent, then the connection is closed and the peer is given 2 s beyond its lead to "
      "close too. After deep_sleep_ms of silence (as a gate in front says) it closes the "
      "connection and sleeps; the first sound wakes it at once. The level is all the audio in "
      "hand: the lead at the receiver, and what waits here in front of it, which bridges pauses "
      "of the input. Sending begins when it is there. With `adaptive`, or a preset, it goes up by "
      "half when the receiver ran dry, and down again by 10 ms every 2 s, cut out between two "
      "fades, after a minute without trouble while jitter is low and so much is to spare; only "
      "live audio is cut. quality = 100 - 50 * min(jitter / 20 ms, 1) - 30 * (1 - min(lead / (0.8 "
      "lead_ms), 1)) - 4 for each trouble of the last minute, 5 at most; 0 while not "
      "connected.",
      SLUICE_TYPE_RETRIES};
  enum Parameter : uint32_t {
    kMode,
    kHost,
    kPort,
    kPreset,
    kChunkFrames,
    kLevelMs,
    kAdaptive,
    kMinimumMs,
    kMaximumMs,
    kLeadMs,
    kBurstMs,
    kSpinUs,
    kHighPriority,
    kReceiverClock,
    kHeader,
    kWhenDisconnected,
    kDeepSleepMs,
    kConnectTimeoutMs,
    kWriteTimeoutMs,
    kNoDelay,
    kSendBufferKib,
    kKeepalive,
    kDscp
  };
  enum Policy : uint32_t { kAuto, kHold, kDrop };
  static constexpr sluice_parameter kParameters[] = {
      choice("mode", kSinkModes, 0,
             "connect: this node connects to a server that receives. listen: a receiver connects "
             "to this node, as Snapserver does with mode=client."),
      claiming(text("host", "127.0.0.1",
                    "connect: name or address of the server. listen: address of this machine to "
                    "listen on, empty for all."),
               "tcp-port", "mode=listen"),
      claiming(integer("port", nullptr, 0, 65535, 4953,
                       "TCP port; with listen, 0 takes a free one (see the statistic port)."),
               "tcp-port", "mode=listen"),
      choice("preset", kPresetNames, 0,
             "Decides chunk_frames, level_ms, adaptive, minimum_ms and maximum_ms. ethernet: 512 "
             "frames, 2 s, 2 to 6 s. wifi: 1024 frames, 4 s, 3 to 10 s. wifi-poor: 2048 frames, "
             "8 s, 5 to 15 s. custom: the parameters themselves."),
      integer("chunk_frames", "frames", 128, 4096, 480, "Frames sent at a time."),
      number("level_ms", "ms", 0, 20'000, 0,
             "Audio in hand, here and at the receiver, before sending begins; never less than "
             "lead_ms. As much additional latency."),
      boolean("adaptive", false,
              "Moves the level between minimum_ms and maximum_ms, by what happens."),
      number("minimum_ms", "ms", 0, 20'000, 1000, "Lowest level, if adaptive."),
      number("maximum_ms", "ms", 0, 20'000, 6000, "Highest level, if adaptive."),
      number("lead_ms", "ms", 0, 5000, 200,
             "How far ahead of its own clock the receiver is kept: what it survives when "
             "the network or this machine stalls, and as much additional latency."),
      number("burst_ms", "ms", 0, 5000, 200,
             "How much is caught up at once after a stall, one chunk at least; what is "
             "overdue beyond that delays the schedule."),
      integer("spin_us", "us", 0, 2000, 0,
              "The last part of each wait is spent spinning: more exact, costs CPU time."),
      boolean("high_priority", false,
              "Asks for real-time scheduling (SCHED_FIFO, priority 10) of this node's thread; what "
              "it got is in the log and in priority."),
      choice("receiver_clock", kReceiverClocks, 0,
             "own: the receiver plays by this machine's clock, near enough. measured: its rate is "
             "measured, up to 1000 ppm, from how fast it reads, and followed from 3 min on; "
             "for receivers that read at the rate they play."),
      choice("header", kStreamHeaders, 0,
             "wav: each connection begins with a WAV header without a length, for receivers that "
             "want one. Snapcast does not."),
      choice("when_disconnected", kDisconnectedPolicies, 0,
             "drop: while no server takes it, audio ages out at its rate and the newest is "
             "kept. hold: it waits, and with it everything in front. auto: drop if something in "
             "front is live, otherwise hold."),
      number("deep_sleep_ms", "ms", 0, 86'400'000, 0,
             "Closes the connection after so much silence; 0: never. What wakes it is heard from "
             "its start if the gate's lookback_ms covers the time to connect."),
      integer("connect_timeout_ms", "ms", 100, 120000, 10000,
              "For one attempt to connect, looking up the name included."),
      integer("write_timeout_ms", "ms", 100, 120000, 5000,
              "A peer that takes nothing for so long is given up."),
      boolean("no_delay", true, "Send each chunk at once (TCP_NODELAY)."),
      integer("send_buffer_kib", "KiB", 0, 4096, 64,
              "Send buffer of the socket; 0: the system's default. Larger ones hide "
              "seconds of audio, smaller than 64 starve some receivers."),
      boolean("keepalive", true,
              "Notice a server that vanished while nothing is sent: probes after 5 s, then "
              "every 2 s."),
      text("dscp", "voip",
           "Marking of the packets (DSCP): voip (46), low-delay (18), throughput (10), "
           "best-effort (0) or a number from 0 to 63.")};
  enum Statistic : uint32_t {
    kConnected,
    kWaiting,
    kListeningPort,
    kUptime,
    kBytes,
    kBitrate,
    kMeanBitrate,
    kFramesSent,
    kFramesDropped,
    kFramesCut,
    kUnderruns,
    kStalls,
    kConnections,
    kReconnects,
    kFailedConnections,
    kSleeps,
    kLatenessP50,
    kLatenessP99,
    kJitter,
    kWriteTime,
    kLead,
    kLevel,
    kUnsent,
    kPeerWindow,
    kRoundTrip,
    kRetransmits,
    kClockPpm,
    kPriorityObtained,
    kQuality
  };
  static constexpr sluice_statistic kStatistics[] = {
      gauge("connected", nullptr, "1 while connected."),
      gauge("waiting", nullptr, "listen: 1 while another receiver waits for its turn."),
      gauge("port", nullptr, "Port listened on."),
      gauge("uptime_s", "s", "How long this connection has lasted."),
      counter("bytes", "bytes", "Bytes handed to the network."),
      gauge("bitrate_kbit_s", "kbit/s", "Over the last quarter of a second."),
      gauge("mean_bitrate_kbit_s", "kbit/s", "Over this connection."),
      counter("frames_sent", "frames", "Frames handed to the network."),
      counter("frames_dropped", "frames", "Frames that aged out while nobody took them."),
      counter("frames_cut", "frames", "Frames cut out between two fades to lower the level."),
      counter("underruns", nullptr,
              "How often the receiver ran dry: because the input did, or nothing could be sent."),
      counter("stalls", nullptr,
              "How often this node was later than burst_ms and delayed its schedule."),
      counter("connections", nullptr, "Connections made."),
      counter("reconnects", nullptr, "Connections made after the first."),
      counter("failed_connections", nullptr, "Attempts to connect that failed."),
      counter("sleeps", nullptr, "How often it closed the connection for silence."),
      gauge("lateness_p50_us", "us", "Half of the last 1000 chunks left at most so late."),
      gauge("lateness_p99_us", "us", "99 % of the last 1000 chunks left at most so late."),
      gauge("jitter_ms", "ms",
            "How late chunks leave, smoothed (0.9 old, 0.1 new): below 5 excellent, below 15 good, "
            "up to 50 fair, beyond poor."),
      gauge("write_us", "us", "Mean time in send, last 100 chunks."),
      gauge("lead_ms", "ms",
            "What the receiver has in hand now, without what still "
            "waits in the socket."),
      gauge("level_ms", "ms", "Audio it wants to have in hand before it sends."),
      gauge("unsent_bytes", "bytes", "Handed to the network and not acknowledged."),
      gauge("peer_window_bytes", "bytes", "Receive window of the peer."),
      gauge("round_trip_us", "us", "Smoothed round trip of the connection."),
      gauge("retransmits", nullptr, "Segments sent again in this connection."),
      gauge("clock_ppm", "ppm",
            "How much faster the receiver's clock runs than this one; 0 until measured."),
      gauge("priority", nullptr, "Real-time priority that high_priority got; 0: none."),
      gauge("quality", nullptr,
            "0 to 100: from 90 excellent, from 70 good, from 50 fair, below poor.")};
  static constexpr sluice_port kPorts[] = {
      input("in", "Audio to be sent.", kOfferAny, 0, SLUICE_CLOCK_MONOTONIC)};
};

}  // namespace sluice
