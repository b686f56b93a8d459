#include "host/engine/net/socket_network.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <utility>

#include "host/engine/net/sentences.hpp"
#include "host/engine/net/socket_options.hpp"
#include "host/engine/net/socket_stream.hpp"

namespace sluice::engine {
namespace {

SocketStream& as_stream(const sluice_stream* stream) {
  auto* object = reinterpret_cast<SocketObject*>(const_cast<sluice_stream*>(stream));
  return static_cast<SocketStream&>(*object);
}
SocketListener& as_listener(const sluice_listener* listener) {
  auto* object = reinterpret_cast<SocketObject*>(const_cast<sluice_listener*>(listener));
  return static_cast<SocketListener&>(*object);
}
SocketObject& as_object(const void* object) {
  return *static_cast<SocketObject*>(const_cast<void*>(object));
}

sluice_stream* hand_out(std::unique_ptr<SocketStream> stream) {
  return reinterpret_cast<sluice_stream*>(static_cast<SocketObject*>(stream.release()));
}

// A bound and listening socket, or -1 with errno.
int open_listening_socket(const Address& address, bool both_families) {
  const int socket = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket < 0) return -1;
  const int on = 1;
  const int off = 0;
  (void)::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (address.family() == AF_INET6) {
    (void)::setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, both_families ? &off : &on, sizeof(on));
  }
  if (::bind(socket, address.get(), address.size_bytes) == 0 && ::listen(socket, SOMAXCONN) == 0) {
    return socket;
  }
  const int error = errno;
  ::close(socket);
  errno = error;
  return -1;
}

}  // namespace

SocketNetwork::SocketNetwork(std::function<int64_t()> now_ns, Resolver::Function function)
    : now_ns_(std::move(now_ns)), resolver_(std::move(function)) {}

support::Result<sluice_stream*> SocketNetwork::connect(const std::string& name, uint16_t port,
                                                       const sluice_stream_options& options) {
  if (name.empty()) {
    return support::Error{support::ErrorCode::kInvalid,
                          "There is no machine to connect to: give `host` a name or an address."};
  }
  const int64_t now_ns = now_ns_();
  auto stream = std::make_unique<SocketStream>(name, port, options, now_ns);
  if (const std::optional<Address> address = parse_address(name, port)) {
    stream->begin(*address, now_ns);
  } else {
    auto request = resolver_.start(name, port);
    if (!request) return std::move(request).error();
    stream->begin(std::move(request).value());
  }
  return hand_out(std::move(stream));
}

support::Result<sluice_listener*> SocketNetwork::listen(const std::string& address, uint16_t port,
                                                        const sluice_stream_options& options) {
  const bool everywhere = address.empty() || address == "*";
  const std::string numeric = everywhere ? "::" : address == "localhost" ? "127.0.0.1" : address;
  const std::optional<Address> own = parse_address(numeric, port);
  if (!own) {
    return support::Error{support::ErrorCode::kInvalid,
                          "Cannot listen on \"" + address +
                              "\": give an address of this machine, such as 127.0.0.1, or leave "
                              "`host` empty for all."};
  }
  int socket = open_listening_socket(*own, everywhere);
  if (socket < 0 && everywhere && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
    socket = open_listening_socket(*parse_address("0.0.0.0", port), false);
  }
  if (socket < 0) {
    const int error = errno;
    const auto code = error == EACCES || error == EPERM ? support::ErrorCode::kPermission
                                                        : support::ErrorCode::kIo;
    return support::Error{code, listen_sentence(error, address, port)};
  }
  auto listener = std::make_unique<SocketListener>(socket, options);
  return reinterpret_cast<sluice_listener*>(static_cast<SocketObject*>(listener.release()));
}

uint16_t SocketNetwork::listener_port(const sluice_listener* listener) const {
  return as_listener(listener).port();
}

sluice_result SocketNetwork::accept(sluice_listener* listener, sluice_stream** stream) {
  std::unique_ptr<SocketStream> accepted;
  const sluice_result result = as_listener(listener).accept(accepted);
  *stream = accepted ? hand_out(std::move(accepted)) : nullptr;
  return result;
}

sluice_result SocketNetwork::send(sluice_stream* stream, const void* data, size_t size_bytes,
                                  size_t& sent) {
  return as_stream(stream).send(data, size_bytes, sent);
}

sluice_result SocketNetwork::receive(sluice_stream* stream, void* data, size_t size_bytes,
                                     size_t& received) {
  return as_stream(stream).receive(data, size_bytes, received);
}

void SocketNetwork::info(sluice_stream* stream, sluice_stream_info& info) {
  as_stream(stream).info(info);
}

void SocketNetwork::finish(sluice_stream* stream) { as_stream(stream).finish(); }

void SocketNetwork::close(sluice_stream* stream, bool abort) {
  const std::unique_ptr<SocketStream> owned(&as_stream(stream));
  owned->close(abort);
}

void SocketNetwork::close_listener(sluice_listener* listener) { delete &as_listener(listener); }

uint32_t SocketNetwork::ready(const void* object, uint32_t events) {
  return as_object(object).ready(events, now_ns_());
}

void SocketNetwork::poll_set(const void* object, uint32_t events, std::vector<pollfd>& fds,
                             int64_t& wake_ns) {
  as_object(object).poll_set(events, fds, wake_ns);
}

int SocketNetwork::descriptor(const sluice_stream* stream) {
  return as_stream(stream).descriptor();
}

}  // namespace sluice::engine
