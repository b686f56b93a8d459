#include "host/engine/net/socket_stream.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "host/engine/net/sentences.hpp"
#include "host/engine/net/socket_options.hpp"

namespace sluice::engine {
namespace {

short poll_events(uint32_t events) {
  short wanted = 0;
  if (events & SLUICE_NET_READ) wanted |= POLLIN | POLLRDHUP;
  if (events & SLUICE_NET_WRITE) wanted |= POLLOUT;
  return wanted;
}

// What of `events` poll(2) found; an error or hang-up is ready for everything.
uint32_t net_events(short found, uint32_t events) {
  if (found & (POLLERR | POLLHUP | POLLNVAL)) return events;
  uint32_t ready = 0;
  if (found & (POLLIN | POLLRDHUP)) ready |= SLUICE_NET_READ;
  if (found & POLLOUT) ready |= SLUICE_NET_WRITE;
  return ready & events;
}

uint32_t look(int socket, uint32_t events) {
  pollfd entry{socket, poll_events(events), 0};
  while (::poll(&entry, 1, 0) < 0) {
    if (errno != EINTR) return 0;
  }
  return net_events(entry.revents, events);
}

}  // namespace

SocketStream::SocketStream(int socket, const Address& peer)
    : state_(SLUICE_STREAM_OPEN), socket_(socket), peer_(peer.text()) {}

SocketStream::SocketStream(const std::string& name, uint16_t port,
                           const sluice_stream_options& options, int64_t now_ns)
    : we_connected_(true), options_(options) {
  connecting_.emplace(name, port, options.connect_timeout_ms, now_ns);
}

SocketStream::~SocketStream() { close(false); }

void SocketStream::begin(const Address& address, int64_t now_ns) {
  connecting_->looked_up(std::vector<Address>{address});
  drive(now_ns);
}

AttemptMaker::Begun SocketStream::begin(const Address& address) {
  const int socket = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket < 0) return {-1, errno};
  apply_stream_options(socket, address.family(), options_);
  if (::connect(socket, address.get(), address.size_bytes) == 0 || errno == EINPROGRESS ||
      errno == EINTR) {
    return {socket, 0};
  }
  const int error = errno;
  ::close(socket);
  return {-1, error};
}

std::optional<int> SocketStream::outcome(int handle) {
  if (!look(handle, SLUICE_NET_WRITE)) return std::nullopt;
  return take_socket_error(handle);
}

void SocketStream::drop(int handle) { ::close(handle); }

void SocketStream::drive(int64_t now_ns) {
  if (state_ != SLUICE_STREAM_CONNECTING) return;
  if (look_up_) {
    if (const Resolver::Answer* answer = look_up_->answer()) {
      connecting_->looked_up(*answer);
      look_up_.reset();
    }
  }
  if (const auto winner = connecting_->drive(*this, now_ns)) {
    socket_ = winner->handle;
    peer_ = winner->address.text();
    state_ = SLUICE_STREAM_OPEN;
  } else if (!connecting_->sentence().empty()) {
    sentence_ = connecting_->sentence();
    state_ = SLUICE_STREAM_FAILED;
  } else {
    return;
  }
  look_up_.reset();
  connecting_.reset();
}

uint32_t SocketStream::ready(uint32_t events, int64_t now_ns) {
  drive(now_ns);
  if (state_ == SLUICE_STREAM_CONNECTING) return 0;
  if (state_ == SLUICE_STREAM_FAILED) return events;
  return look(socket_, events);
}

void SocketStream::poll_set(uint32_t events, std::vector<pollfd>& fds, int64_t& wake_ns) const {
  if (connecting_) {
    wake_ns = std::min(wake_ns, connecting_->wake_ns());
    if (look_up_) fds.push_back({look_up_->descriptor(), POLLIN, 0});
    for (const auto& attempt : connecting_->attempts()) {
      fds.push_back({attempt.handle, POLLOUT, 0});
    }
  } else if (socket_ >= 0) {
    fds.push_back({socket_, poll_events(events), 0});
  }
}

sluice_result SocketStream::broken(int error) {
  sentence_ = broken_sentence(error, peer_);
  state_ = SLUICE_STREAM_FAILED;
  return SLUICE_ERROR_NETWORK;
}

sluice_result SocketStream::send(const void* data, size_t size_bytes, size_t& sent) {
  sent = 0;
  if (state_ == SLUICE_STREAM_FAILED) return SLUICE_ERROR_NETWORK;
  if (state_ == SLUICE_STREAM_CONNECTING) return SLUICE_ERROR_AGAIN;
  if (finished_) return SLUICE_ERROR_STATE;
  ssize_t done = -1;
  do {
    done = ::send(socket_, data, size_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (done < 0 && errno == EINTR);
  if (done < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) return SLUICE_ERROR_AGAIN;
    return broken(errno);
  }
  sent = static_cast<size_t>(done);
  sent_bytes_ += sent;
  return SLUICE_OK;
}

sluice_result SocketStream::receive(void* data, size_t size_bytes, size_t& received) {
  received = 0;
  if (state_ == SLUICE_STREAM_CONNECTING) return SLUICE_ERROR_AGAIN;
  if (socket_ < 0) return SLUICE_ERROR_NETWORK;
  ssize_t done = -1;
  do {
    done = ::recv(socket_, data, size_bytes, MSG_DONTWAIT);
  } while (done < 0 && errno == EINTR);
  // Of a connection that broke while sending only what had arrived before is to be had.
  if (state_ == SLUICE_STREAM_FAILED && done <= 0) return SLUICE_ERROR_NETWORK;
  if (done < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return SLUICE_ERROR_AGAIN;
    return broken(errno);
  }
  received = static_cast<size_t>(done);
  return SLUICE_OK;
}

void SocketStream::info(sluice_stream_info& info) const {
  info = {};
  info.struct_size = sizeof(info);
  info.state = state_;
  info.sentence = sentence_.c_str();
  info.peer = peer_.c_str();
  if (socket_ < 0) return;
  read_stream_info(socket_, info);
  // The kernel counts a SYN and a FIN of ours as bytes.
  if (we_connected_ && info.acknowledged_bytes > 0) --info.acknowledged_bytes;
  info.acknowledged_bytes = std::min(info.acknowledged_bytes, sent_bytes_);
}

void SocketStream::finish() {
  if (socket_ >= 0 && !finished_) ::shutdown(socket_, SHUT_WR);
  finished_ = true;
}

void SocketStream::close(bool abort) {
  if (connecting_) connecting_->drop_all(*this);
  if (socket_ < 0) return;
  if (abort) {
    close_with_reset(socket_);
  } else {
    close_politely(socket_);
  }
  socket_ = -1;
}

}  // namespace sluice::engine
