#include "tests/support/socket_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

namespace sluice::tests {
namespace {

constexpr int kPatienceMs = 60'000;

bool is_readable(int socket) {
  pollfd entry{socket, POLLIN, 0};
  return ::poll(&entry, 1, kPatienceMs) > 0;
}

}  // namespace

SocketServer::SocketServer(const std::string& address, int receive_buffer_bytes) {
  sockaddr_in6 six{};
  sockaddr_in four{};
  const bool is_four = inet_pton(AF_INET, address.c_str(), &four.sin_addr) == 1;
  four.sin_family = AF_INET;
  six.sin6_family = AF_INET6;
  if (!is_four && inet_pton(AF_INET6, address.c_str(), &six.sin6_addr) != 1) std::abort();
  auto* const any =
      is_four ? reinterpret_cast<sockaddr*>(&four) : reinterpret_cast<sockaddr*>(&six);
  socklen_t size = is_four ? sizeof(four) : sizeof(six);
  listener_ = ::socket(any->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (receive_buffer_bytes > 0) {
    setsockopt(listener_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes,
               sizeof(receive_buffer_bytes));
  }
  if (::bind(listener_, any, size) != 0 || ::listen(listener_, 8) != 0) std::abort();
  getsockname(listener_, any, &size);
  port_ = ntohs(is_four ? four.sin_port : six.sin6_port);
}

SocketServer::~SocketServer() {
  close();
  ::close(listener_);
}

bool SocketServer::accept() {
  close();
  if (is_readable(listener_)) connection_ = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  return connection_ >= 0;
}

std::string SocketServer::read(size_t most_bytes) {
  std::string bytes(most_bytes, '\0');
  const ssize_t count =
      is_readable(connection_) ? ::recv(connection_, bytes.data(), bytes.size(), 0) : 0;
  bytes.resize(count > 0 ? static_cast<size_t>(count) : 0);
  return bytes;
}

std::string SocketServer::read_all() {
  std::string all;
  for (std::string part = read(65'536); !part.empty(); part = read(65'536)) all += part;
  return all;
}

size_t SocketServer::queued_bytes() const {
  int bytes = 0;
  ioctl(connection_, FIONREAD, &bytes);
  return bytes > 0 ? static_cast<size_t>(bytes) : 0;
}

void SocketServer::reset() {
  const linger at_once{1, 0};
  setsockopt(connection_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  close();
}

void SocketServer::close() {
  if (connection_ >= 0) ::close(std::exchange(connection_, -1));
}

}  // namespace sluice::tests
