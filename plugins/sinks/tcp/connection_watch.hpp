// Watches whether the program at the other end reads what it is sent.
#pragma once

#include <sluice/plugin.h>

#include <algorithm>
#include <cstdint>

namespace sluice {

// A kernel takes and acknowledges bytes for a program that never reads; what gives it away is the
// end of its receive window, which moves on only as fast as the program reads. It does so in lumps:
// Linux frees receive buffers whole, each of up to 17 segments, so a program that reads all the
// time may show no sign of it for as long. A window grows a little by itself (by 10 KB under the
// first 64 KiB, Linux 6.18), and it shrinks by up to two thirds, once, where small chunks fill the
// receiver's buffers badly (95 to 52 KB with chunks of 2 KB, Linux 6.18). So a sign of reading is
// that since the last sign the window's end has moved by more than a quarter of what was sent;
// without one, no more than an allowance is handed over, and then a frame now and then, whose
// acknowledgement brings news.
class ConnectionWatch {
 public:
  static constexpr uint64_t kLimitBytes = 65'536;
  static constexpr int64_t kNotReadingNs = 1'000'000'000;
  // Probes of a held peer: often while it may be one that only shows no sign yet.
  static constexpr int64_t kEarlyNs = 500'000'000;
  static constexpr int64_t kEarlyProbeNs = 20'000'000;
  static constexpr int64_t kProbeNs = 1'000'000'000;
  static constexpr uint64_t kProbes = 160;  // kept in reserve; write_timeout_ms of 120 s takes 144

  // What a peer may be handed without a sign of reading, in bytes.
  struct Limits {
    // Since the connection began: 64 KiB, or what it takes not to starve a reader before its first
    // sign, which comes with the lead as its first lump.
    uint64_t at_first;
    // Since the last sign: 64 KiB, or a lump of chunks of that size, or the lead.
    uint64_t later;
  };
  static Limits limits_of(uint64_t chunk_bytes, uint64_t lead_bytes);

  ConnectionWatch(Limits limits, uint64_t frame_bytes)
      : limits_(limits), probe_(frame_bytes), reserve_(kProbes * frame_bytes) {}

  void begin(int64_t now_ns);
  // Takes in what the kernel says; `handed` bytes have been given to it in this connection, and it
  // takes no more just now if `is_blocked`.
  void look(const sluice_stream_info& info, uint64_t handed, bool is_blocked, int64_t now_ns);
  // Whether the first bytes have been acknowledged, and with them the receive window become known.
  bool is_placed() const { return is_placed_; }

  // It has used up its allowance.
  bool is_held() const { return is_held_; }
  bool allows(uint64_t handed) const { return handed <= end(); }
  // Bytes that may still be handed over; now and then a frame while it is held.
  uint64_t allowance(uint64_t handed, int64_t now_ns) const;
  // Its allowance is used up.
  void hold(int64_t now_ns);
  // It was handed some bytes.
  void note_handed(int64_t now_ns);
  // For a second it has been handed no more, and shown no sign of reading, while nothing was on its
  // way to it that it had room for.
  bool is_not_reading() const { return is_not_reading_; }
  // Up to where it has read, plus a constant, in bytes of this connection; 0: not known.
  uint64_t window_end() const { return window_end_; }

 private:
  // Up to where it may be handed bytes, without probes.
  uint64_t end() const {
    return (has_read_ ? sign_handed_ + limits_.later : limits_.at_first) - reserve_;
  }

  const Limits limits_;
  const uint64_t probe_, reserve_;
  uint64_t sign_handed_ = 0, sign_window_end_ = 0;  // at the last sign of reading
  uint64_t window_end_ = 0;
  int64_t since_ns_ = 0, held_ns_ = 0, probe_ns_ = 0;
  bool is_placed_ = false;
  bool has_read_ = false;  // ever
  bool is_held_ = false;
  bool is_not_reading_ = false;
};

}  // namespace sluice
