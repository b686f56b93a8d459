#include "host/engine/net/memory_connection.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace sluice::engine {
namespace {

constexpr int64_t kVirtualNsPerMs = 1'000'000;
constexpr int64_t kNsPerS = 1'000'000'000;
constexpr int64_t kFirstRetryNs = kNsPerS;  // RFC 6298, section 2.1
constexpr size_t kDefaultSendBufferBytes = 256 * 1024;
constexpr uint32_t kDefaultKeepaliveIntervalS = 75;  // tcp(7)
constexpr uint32_t kDefaultKeepaliveCount = 9;       // tcp(7)
// With a rate, bytes travel in pieces the size of an Ethernet segment, otherwise in larger ones.
constexpr size_t kSegmentBytes = 1448;
constexpr size_t kUnpacedSegmentBytes = 65'536;

}  // namespace

MemoryConnection::MemoryConnection(const Address& server, const MemoryPath& path,
                                   const sluice_stream_options& client, int64_t now_ns)
    : server_address_(server),
      path_(path),
      request_sent_ns_(now_ns),
      request_arrival_ns_(now_ns + path.delay_ns),
      retry_ns_(kFirstRetryNs) {
  open(sides_[kClient], client, now_ns);
}

void MemoryConnection::open(Side& side, const sluice_stream_options& options, int64_t now_ns) {
  side.is_open = true;
  side.options = options;
  side.capacity_bytes =
      options.send_buffer_bytes ? options.send_buffer_bytes : kDefaultSendBufferBytes;
  side.edge = side.told_edge = path_.window_bytes;
  side.last_heard_ns = side.last_progress_ns = now_ns;
}

void MemoryConnection::request_lost() {
  request_arrival_ns_ = request_sent_ns_ + retry_ns_ + path_.delay_ns;
  retry_ns_ = 2 * retry_ns_ + kFirstRetryNs;
}

void MemoryConnection::request_unreachable(int64_t now_ns) {
  request_arrival_ns_ = SLUICE_FOREVER;
  answered_ = true;
  outcome_ = EHOSTUNREACH;
  sides_[kClient].last_heard_ns = now_ns;
}

void MemoryConnection::request_arrived(Answer answer, const sluice_stream_options& server) {
  const int64_t arrival_ns = std::exchange(request_arrival_ns_, SLUICE_FOREVER);
  if (answer == Answer::kAccepted) open(sides_[kServer], server, arrival_ns);
  travel(kClient, {arrival_ns + path_.delay_ns,
                   Kind::kAnswer,
                   {},
                   0,
                   0,
                   answer == Answer::kAccepted ? 0 : ECONNREFUSED});
}

// Nothing overtakes, whatever the path does meanwhile.
void MemoryConnection::travel(int to, Segment segment) {
  std::deque<Segment>& arriving = sides_[index(to)].arriving;
  if (!arriving.empty()) {
    segment.arrival_ns = std::max(segment.arrival_ns, arriving.back().arrival_ns);
  }
  arriving.push_back(std::move(segment));
}

void MemoryConnection::transmit(int side, int64_t now_ns) {
  Side& from = sides_[index(side)];
  if (from.error) return;
  const size_t limit = path_.bytes_per_s ? kSegmentBytes : kUnpacedSegmentBytes;
  while (!from.queue.empty() && from.sent < from.edge) {
    const size_t size =
        static_cast<size_t>(std::min<uint64_t>({from.queue.size(), limit, from.edge - from.sent}));
    const auto end = from.queue.begin() + static_cast<std::ptrdiff_t>(size);
    Segment segment{0, Kind::kBytes, {from.queue.begin(), end}, 0, 0, 0};
    from.queue.erase(from.queue.begin(), end);
    from.sent += size;
    from.line_free_ns = std::max(from.line_free_ns, now_ns);
    if (path_.bytes_per_s) {
      from.line_free_ns += static_cast<int64_t>(size * uint64_t{kNsPerS} / path_.bytes_per_s);
    }
    segment.arrival_ns = from.line_free_ns + path_.delay_ns;
    travel(1 - side, std::move(segment));
  }
  if (from.queue.empty() && from.finish_wanted && !from.finish_sent) {
    from.finish_sent = true;
    travel(1 - side,
           {std::max(from.line_free_ns, now_ns) + path_.delay_ns, Kind::kFinish, {}, 0, 0, 0});
  }
}

void MemoryConnection::acknowledge(int side, int64_t now_ns) {
  Side& self = sides_[index(side)];
  self.told_edge = std::max(self.told_edge, self.consumed + path_.window_bytes);
  travel(1 - side, {now_ns + path_.delay_ns, Kind::kAck, {}, self.received, self.told_edge, 0});
}

void MemoryConnection::arrive(int side, Segment segment) {
  Side& self = sides_[index(side)];
  self.last_heard_ns = segment.arrival_ns;
  const int64_t now_ns = segment.arrival_ns;
  if (segment.kind == Kind::kAnswer) {
    answered_ = true;
    outcome_ = segment.error;
    if (outcome_) {
      break_side(side, outcome_);
    } else if (!self.is_open) {
      // The application gave up while the request was on its way.
      travel(1 - side, {now_ns + path_.delay_ns, Kind::kReset, {}, 0, 0, 0});
    }
    return;
  }
  if (self.error) return;
  switch (segment.kind) {
    case Kind::kAnswer:
      break;
    case Kind::kBytes:
      if (!self.is_open) {
        travel(1 - side, {now_ns + path_.delay_ns, Kind::kReset, {}, 0, 0, 0});
        break;
      }
      self.received += segment.bytes.size();
      self.inbox.insert(self.inbox.end(), segment.bytes.begin(), segment.bytes.end());
      acknowledge(side, now_ns);
      break;
    case Kind::kAck:
      if (segment.acknowledged > self.acknowledged) self.last_progress_ns = now_ns;
      self.acknowledged = std::max(self.acknowledged, segment.acknowledged);
      self.edge = std::max(self.edge, segment.edge);
      transmit(side, now_ns);
      break;
    case Kind::kFinish:
      self.finish_received = true;
      break;
    case Kind::kReset:
      break_side(side, self.finish_received ? EPIPE : ECONNRESET);
      break;
  }
}

// What was received before can still be read.
void MemoryConnection::break_side(int side, int error) {
  Side& self = sides_[index(side)];
  self.error = error;
  self.queue.clear();
}

// When the kernel of this side declares the other one dead: TCP_USER_TIMEOUT for what is not
// acknowledged or may not be sent (tcp(7)), keepalive while nothing is under way.
int64_t MemoryConnection::give_up_ns(const Side& side) const {
  if (side.error || !answered_ || outcome_) return SLUICE_FOREVER;
  const sluice_stream_options& o = side.options;
  if (side.acknowledged < side.accepted) {
    if (!o.user_timeout_ms) return SLUICE_FOREVER;
    return side.last_progress_ns + int64_t{o.user_timeout_ms} * kVirtualNsPerMs;
  }
  const bool has_keepalive = o.keepalive_idle_s || o.keepalive_interval_s || o.keepalive_count;
  if (is_passable() || !has_keepalive) return SLUICE_FOREVER;
  const int64_t idle_ns = int64_t{o.keepalive_idle_s ? o.keepalive_idle_s : 7200} * kNsPerS;
  const int64_t interval_ns =
      int64_t{o.keepalive_interval_s ? o.keepalive_interval_s : kDefaultKeepaliveIntervalS} *
      kNsPerS;
  int64_t probes = o.keepalive_count ? o.keepalive_count : kDefaultKeepaliveCount;
  if (o.user_timeout_ms) {
    // The user timeout replaces the count: it ends at the first probe due after it (tcp(7)).
    const int64_t rest_ns = int64_t{o.user_timeout_ms} * kVirtualNsPerMs - idle_ns;
    probes = std::max<int64_t>(1, (rest_ns + interval_ns - 1) / interval_ns);
  }
  return side.last_heard_ns + idle_ns + probes * interval_ns;
}

int64_t MemoryConnection::next_ns() const {
  int64_t next = SLUICE_FOREVER;
  for (const Side& side : sides_) {
    if (is_passable() && !side.arriving.empty()) {
      next = std::min(next, side.arriving.front().arrival_ns);
    }
    if (side.is_open || !side.queue.empty()) next = std::min(next, give_up_ns(side));
  }
  return next;
}

void MemoryConnection::advance(int64_t now_ns) {
  for (;;) {
    const int64_t next = next_ns();
    if (next > now_ns) return;
    for (int side : {kClient, kServer}) {
      Side& self = sides_[index(side)];
      if (is_passable() && !self.arriving.empty() && self.arriving.front().arrival_ns == next) {
        Segment segment = std::move(self.arriving.front());
        self.arriving.pop_front();
        arrive(side, std::move(segment));
        break;
      }
      if (give_up_ns(self) == next) {
        break_side(side, ETIMEDOUT);
        travel(1 - side, {next + path_.delay_ns, Kind::kReset, {}, 0, 0, 0});
        break;
      }
    }
  }
}

sluice_result MemoryConnection::send(int side, const void* data, size_t size_bytes, size_t& sent,
                                     int64_t now_ns) {
  sent = 0;
  advance(now_ns);
  Side& self = sides_[index(side)];
  if (self.error) return SLUICE_ERROR_NETWORK;
  if (self.finish_wanted) return SLUICE_ERROR_STATE;
  const size_t held = static_cast<size_t>(self.accepted - self.acknowledged);
  const size_t room = held < self.capacity_bytes ? self.capacity_bytes - held : 0;
  sent = std::min(room, size_bytes);
  if (sent == 0) return size_bytes == 0 ? SLUICE_OK : SLUICE_ERROR_AGAIN;
  if (held == 0) self.last_progress_ns = now_ns;
  const auto* bytes = static_cast<const unsigned char*>(data);
  self.queue.insert(self.queue.end(), bytes, bytes + sent);
  self.accepted += sent;
  transmit(side, now_ns);
  advance(now_ns);
  return SLUICE_OK;
}

sluice_result MemoryConnection::receive(int side, void* data, size_t size_bytes, size_t& received,
                                        int64_t now_ns) {
  received = 0;
  advance(now_ns);
  Side& self = sides_[index(side)];
  if (self.inbox.empty()) {
    if (self.error) return SLUICE_ERROR_NETWORK;
    return self.finish_received || size_bytes == 0 ? SLUICE_OK : SLUICE_ERROR_AGAIN;
  }
  received = std::min(size_bytes, self.inbox.size());
  const auto end = self.inbox.begin() + static_cast<std::ptrdiff_t>(received);
  std::copy(self.inbox.begin(), end, static_cast<unsigned char*>(data));
  self.inbox.erase(self.inbox.begin(), end);
  self.consumed += received;
  // The other side hears of new room when at most half of the window is left to it.
  if (self.told_edge - self.received <= path_.window_bytes / 2 && !self.finish_received) {
    acknowledge(side, now_ns);
    advance(now_ns);
  }
  return SLUICE_OK;
}

void MemoryConnection::finish(int side, int64_t now_ns) {
  advance(now_ns);
  sides_[index(side)].finish_wanted = true;
  transmit(side, now_ns);
  advance(now_ns);
}

void MemoryConnection::close(int side, bool abort, int64_t now_ns) {
  advance(now_ns);
  Side& self = sides_[index(side)];
  self.is_open = false;
  self.inbox.clear();
  if (self.error) return;
  if (side == kClient && request_arrival_ns_ != SLUICE_FOREVER) {
    // Given up before it arrived: nobody hears of it.
    request_arrival_ns_ = SLUICE_FOREVER;
    withdrawn_ = true;
    return;
  }
  if (abort) {
    break_side(side, ECONNRESET);
    // A request still on its way is reset when its answer comes, see arrive.
    if (side == kServer || answered_) {
      travel(1 - side, {now_ns + path_.delay_ns, Kind::kReset, {}, 0, 0, 0});
    }
  } else if (side == kServer || answered_) {
    self.finish_wanted = true;
    transmit(side, now_ns);
  }
  advance(now_ns);
}

uint32_t MemoryConnection::ready(int side, uint32_t events, int64_t now_ns) {
  advance(now_ns);
  const Side& self = sides_[index(side)];
  if (self.error) return events;
  uint32_t ready = 0;
  if (!self.inbox.empty() || self.finish_received) ready |= SLUICE_NET_READ;
  // As poll(2) has it: a third of the buffer is free.
  const uint64_t held = self.accepted - self.acknowledged;
  if (held < self.capacity_bytes && self.capacity_bytes - held >= held / 2) {
    ready |= SLUICE_NET_WRITE;
  }
  return ready & events;
}

void MemoryConnection::info(int side, sluice_stream_info& info, int64_t now_ns) {
  advance(now_ns);
  const Side& self = sides_[index(side)];
  info.unsent_bytes = self.accepted - self.acknowledged;
  info.acknowledged_bytes = self.acknowledged;
  info.peer_window_bytes = static_cast<uint32_t>(self.edge - self.acknowledged);
  info.round_trip_us = static_cast<uint32_t>(2 * path_.delay_ns / 1000);
}

bool MemoryConnection::is_over() const {
  const auto done = [](const Side& side) {
    return !side.is_open && (side.error || (side.finish_sent && side.arriving.empty()));
  };
  if (request_arrival_ns_ != SLUICE_FOREVER) return false;
  return (done(sides_[kClient]) && done(sides_[kServer])) || withdrawn_ ||
         (outcome_ && !sides_[kClient].is_open);
}

void MemoryConnection::reset(int64_t now_ns) {
  advance(now_ns);
  for (int side : {kClient, kServer}) {
    Side& self = sides_[index(side)];
    self.arriving.clear();
    if (!self.error && self.is_open) break_side(side, ECONNRESET);
  }
}

void MemoryConnection::path_changed(bool was_open, int64_t now_ns) {
  for (Side& side : sides_) {
    if (was_open == is_passable()) continue;
    side.last_heard_ns = now_ns;
    for (Segment& segment : side.arriving) {
      segment.arrival_ns = std::max(segment.arrival_ns, now_ns + path_.delay_ns);
    }
  }
}

}  // namespace sluice::engine
