// Two network name spaces and a wire between them that the test holds in its hand: it delays, it
// swallows, and it shows what went over it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace sluice::tests {

// A TCP packet as it went over the wire.
struct WirePacket {
  bool is_from_near = false;
  int ip_version = 0;  // 4 or 6
  uint8_t dscp = 0;
  uint16_t from_port = 0, to_port = 0;
  uint32_t sequence = 0, acknowledged = 0;
  bool syn = false, fin = false, rst = false, ack = false;
  uint32_t payload_bytes = 0;
  int64_t time_ns = 0;  // of the monotonic clock, when it entered the wire
  // Just behind it, as TCP counts.
  uint32_t end() const { return sequence + payload_bytes + (syn ? 1 : 0) + (fin ? 1 : 0); }
};

// Near and far end are network name spaces, joined by two veth pairs whose other ends a thread
// joins, frame by frame. Offloads are off, so packets are as on a cable. Needs no program, and the
// right to make name spaces. [any]
class Wire {
 public:
  static constexpr const char* kNear4 = "10.213.0.1";
  static constexpr const char* kFar4 = "10.213.0.2";
  static constexpr const char* kNear6 = "fd00:d5::1";
  static constexpr const char* kFar6 = "fd00:d5::2";

  // None: name spaces are refused here, or packet sockets are; `why` says which.
  static std::unique_ptr<Wire> make(std::string& why);
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  // While it lives, the calling thread, and what it starts, is at that end.
  class At {
   public:
    explicit At(int space);
    ~At();
    At(const At&) = delete;
    At& operator=(const At&) = delete;

   private:
    int home_;
  };
  At near() const { return At(near_); }
  At far() const { return At(far_); }

  // Of frames that enter from now on, one way.
  void set_delay_ns(int64_t delay_ns) { delay_ns_ = delay_ns; }
  // Frames that enter are lost without a word.
  void set_black_hole(bool swallows) { is_black_hole_ = swallows; }
  // TCP packets so far, also those that were swallowed.
  std::vector<WirePacket> packets() const;

 private:
  struct Frame {
    int64_t leaves_ns;
    std::vector<std::byte> bytes;
  };
  struct Side {
    int socket = -1;
    std::deque<Frame> leaving;
  };

  Wire() = default;
  std::string build();
  void carry(const std::stop_token& stop);
  void take(size_t from);
  void record(bool is_from_near, const std::byte* frame, size_t size_bytes);

  int near_ = -1, far_ = -1, middle_ = -1;  // name spaces
  Side sides_[2];                           // near, far
  std::atomic<int64_t> delay_ns_{0};
  std::atomic<bool> is_black_hole_{false};
  mutable std::mutex mutex_;
  std::vector<WirePacket> packets_;
  std::jthread thread_;
};

}  // namespace sluice::tests
