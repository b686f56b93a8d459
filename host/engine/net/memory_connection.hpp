// One TCP connection of the in-memory network: two sides and what travels between them.
#pragma once

#include <sluice/plugin.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "host/engine/net/address.hpp"

namespace sluice::engine {

// How bytes travel between everybody and one address. Changes hold for what is sent from then on.
struct MemoryPath {
  enum class Reach {
    kOpen,
    kBlackHole,    // everything is lost without a word; it is sent again once the path is open
    kUnreachable,  // connection attempts get EHOSTUNREACH; existing connections as kBlackHole
  };
  int64_t delay_ns = 0;          // one way
  uint64_t bytes_per_s = 0;      // of each connection and direction; 0: no limit
  size_t window_bytes = 65'536;  // receive buffer of either side
  Reach reach = Reach::kOpen;
};

// Not thread safe. All times are those of the caller's clock and never go back. Every member that
// takes now_ns first lets happen what was due until then, in order of time; so it does not matter
// when or how often it is asked.
class MemoryConnection {
 public:
  static constexpr int kClient = 0;
  static constexpr int kServer = 1;

  // What a listener has to say to a connection request that arrives.
  enum class Answer { kAccepted, kRefused };

  // The client's request leaves at now_ns. `path` stays valid as long as the connection.
  MemoryConnection(const Address& server, const MemoryPath& path,
                   const sluice_stream_options& client, int64_t now_ns);

  const Address& server_address() const { return server_address_; }
  const MemoryPath& path() const { return path_; }

  // When the request arrives at the server (SLUICE_FOREVER: it already did). The owner asks the
  // listener as of that time and says `request_arrived`.
  int64_t request_arrival_ns() const { return request_arrival_ns_; }
  // The request is lost and will be sent again 1, 3, 7 ... s after the first (RFC 6298).
  void request_lost();
  void request_unreachable(int64_t now_ns);
  void request_arrived(Answer answer, const sluice_stream_options& server);

  // For the client: whether the request was answered; outcome 0 or an errno value.
  bool is_answered() const { return answered_; }
  int outcome() const { return outcome_; }

  sluice_result send(int side, const void* data, size_t size_bytes, size_t& sent, int64_t now_ns);
  sluice_result receive(int side, void* data, size_t size_bytes, size_t& received, int64_t now_ns);
  void finish(int side, int64_t now_ns);
  void close(int side, bool abort, int64_t now_ns);
  uint32_t ready(int side, uint32_t events, int64_t now_ns);
  // Fills in the counters.
  void info(int side, sluice_stream_info& info, int64_t now_ns);
  // errno value of why it broke, or 0.
  int error(int side) const { return sides_[index(side)].error; }
  // The next time at which something happens by itself, or SLUICE_FOREVER.
  int64_t next_ns() const;
  void advance(int64_t now_ns);
  // Both sides are closed: nothing can come of it any more.
  bool is_over() const;

  // Both sides see a reset at now_ns.
  void reset(int64_t now_ns);
  // Call with the path still as it was before it changes, then after.
  void path_will_change(int64_t now_ns) { advance(now_ns); }
  void path_changed(bool was_open, int64_t now_ns);

 private:
  enum class Kind { kAnswer, kBytes, kAck, kFinish, kReset };
  struct Segment {
    int64_t arrival_ns;
    Kind kind;
    std::vector<unsigned char> bytes;
    uint64_t acknowledged = 0;  // kAck: received so far
    uint64_t edge = 0;          // kAck: may be sent up to here
    int error = 0;              // kAnswer
  };
  struct Side {
    // Sending.
    std::deque<unsigned char> queue;  // accepted, not on its way yet
    size_t capacity_bytes = 0;
    uint64_t accepted = 0, sent = 0, acknowledged = 0, edge = 0;
    bool finish_wanted = false, finish_sent = false;
    int64_t line_free_ns = 0;
    int64_t last_progress_ns = 0;
    // Receiving.
    std::deque<unsigned char> inbox;
    uint64_t received = 0, consumed = 0, told_edge = 0;
    bool finish_received = false;
    int64_t last_heard_ns = 0;
    // Both.
    bool is_open = false;  // the application holds it
    int error = 0;
    sluice_stream_options options{};
    std::deque<Segment> arriving;
  };

  static size_t index(int side) { return static_cast<size_t>(side); }
  bool is_passable() const { return path_.reach == MemoryPath::Reach::kOpen; }
  void open(Side& side, const sluice_stream_options& options, int64_t now_ns);
  void travel(int to, Segment segment);
  void transmit(int side, int64_t now_ns);
  void acknowledge(int side, int64_t now_ns);
  void arrive(int side, Segment segment);
  void break_side(int side, int error);
  int64_t give_up_ns(const Side& side) const;

  Address server_address_;
  const MemoryPath& path_;
  std::array<Side, 2> sides_;
  int64_t request_sent_ns_;
  int64_t request_arrival_ns_;
  int64_t retry_ns_;
  bool answered_ = false;
  bool withdrawn_ = false;
  int outcome_ = 0;
};

}  // namespace sluice::engine
