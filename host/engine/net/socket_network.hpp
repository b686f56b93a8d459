// Network of real TCP sockets: IPv4 and IPv6, names, Happy Eyeballs (RFC 8305).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "host/engine/net/network.hpp"
#include "host/engine/net/resolver.hpp"

namespace sluice::engine {

// All sockets are non-blocking, closed on exec and free of SIGPIPE. Both families of a name are
// asked for in one getaddrinfo, so the Resolution Delay of RFC 8305 does not apply.
class SocketNetwork final : public Network {
 public:
  // `now_ns` is CLOCK_MONOTONIC, and times the turns of connection attempts. Another look-up
  // `function` is for tests.
  explicit SocketNetwork(std::function<int64_t()> now_ns, Resolver::Function function = look_up);

  support::Result<sluice_stream*> connect(const std::string& name, uint16_t port,
                                          const sluice_stream_options& options) override;
  support::Result<sluice_listener*> listen(const std::string& address, uint16_t port,
                                           const sluice_stream_options& options) override;
  uint16_t listener_port(const sluice_listener* listener) const override;
  sluice_result accept(sluice_listener* listener, sluice_stream** stream) override;
  sluice_result send(sluice_stream* stream, const void* data, size_t size_bytes,
                     size_t& sent) override;
  sluice_result receive(sluice_stream* stream, void* data, size_t size_bytes,
                        size_t& received) override;
  void info(sluice_stream* stream, sluice_stream_info& info) override;
  void finish(sluice_stream* stream) override;
  void close(sluice_stream* stream, bool abort) override;
  void close_listener(sluice_listener* listener) override;
  uint32_t ready(const void* object, uint32_t events) override;
  void poll_set(const void* object, uint32_t events, std::vector<pollfd>& fds,
                int64_t& wake_ns) override;

  // The descriptor of an open stream, for tests that look at socket options; -1 if it is not open.
  static int descriptor(const sluice_stream* stream);

 private:
  std::function<int64_t()> now_ns_;
  Resolver resolver_;
};

}  // namespace sluice::engine
