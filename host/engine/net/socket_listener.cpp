#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "host/engine/net/socket_options.hpp"
#include "host/engine/net/socket_stream.hpp"

namespace sluice::engine {
namespace {

int open_spare() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

// Errors that belong to the one connection that was about to be accepted, see accept(2).
bool concerns_one_peer(int error) {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case ENETDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
      return true;
    default:
      return false;
  }
}

}  // namespace

SocketListener::SocketListener(int socket, const sluice_stream_options& options)
    : socket_(socket), spare_(open_spare()), options_(options) {}

SocketListener::~SocketListener() {
  ::close(socket_);
  if (spare_ >= 0) ::close(spare_);
}

uint32_t SocketListener::ready(uint32_t events, int64_t /*now_ns*/) {
  if (!(events & SLUICE_NET_READ)) return 0;
  pollfd entry{socket_, POLLIN, 0};
  return ::poll(&entry, 1, 0) > 0 ? uint32_t{SLUICE_NET_READ} : 0u;
}

void SocketListener::poll_set(uint32_t events, std::vector<pollfd>& fds,
                              int64_t& /*wake_ns*/) const {
  if (events & SLUICE_NET_READ) fds.push_back({socket_, POLLIN, 0});
}

sluice_result SocketListener::accept(std::unique_ptr<SocketStream>& stream) {
  for (;;) {
    Address peer;
    peer.size_bytes = sizeof(peer.storage);
    const int socket = ::accept4(socket_, reinterpret_cast<sockaddr*>(&peer.storage),
                                 &peer.size_bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket >= 0) {
      apply_stream_options(socket, peer.family(), options_);
      stream = std::make_unique<SocketStream>(socket, peer);
      return SLUICE_OK;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return SLUICE_ERROR_AGAIN;
    if (concerns_one_peer(errno)) continue;
    if (errno == EMFILE || errno == ENFILE) {
      turn_one_away();
      return SLUICE_ERROR_MEMORY;
    }
    return errno == ENOBUFS || errno == ENOMEM ? SLUICE_ERROR_MEMORY : SLUICE_ERROR_NETWORK;
  }
}

// A peer that stays in the queue would keep the listener ready for ever.
void SocketListener::turn_one_away() {
  if (spare_ >= 0) ::close(spare_);
  const int socket = ::accept4(socket_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (socket >= 0) ::close(socket);
  spare_ = open_spare();
}

uint16_t SocketListener::port() const {
  Address own;
  own.size_bytes = sizeof(own.storage);
  if (::getsockname(socket_, reinterpret_cast<sockaddr*>(&own.storage), &own.size_bytes) != 0) {
    return 0;
  }
  return own.port();
}

}  // namespace sluice::engine
