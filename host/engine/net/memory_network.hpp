// The in-memory twin of SocketNetwork on a clock of the caller's: deterministic, and hostile on
// demand. For virtual time, tests and fuzzers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "host/engine/net/memory_connection.hpp"
#include "host/engine/net/network.hpp"

namespace sluice::engine {

// Everybody who uses one MemoryNetwork sits on the same wire and meets by address. Nothing happens
// by itself: each call first lets happen what was due until now. The sentences are those of real
// sockets. "localhost" is 127.0.0.1 from the start. What it leaves out: congestion control (bytes
// travel as fast as rate and window allow), and retransmission timers (what a black hole swallowed
// arrives one delay after it opens). All members [any].
class MemoryNetwork final : public Network {
 public:
  explicit MemoryNetwork(std::function<int64_t()> now_ns);
  ~MemoryNetwork() override;

  // ---- What tests turn ----
  // Makes `name` known. Its addresses in the order a resolver would give them; the answer takes
  // `look_up_ns` (SLUICE_FOREVER: the resolver hangs).
  void add_name(const std::string& name, std::vector<std::string> addresses,
                int64_t look_up_ns = 0);
  // The way to and from `address`, for existing connections too.
  void set_path(const std::string& address, const MemoryPath& path);
  MemoryPath path(const std::string& address) const;
  // Breaks all connections to `address`, at both ends.
  void reset_connections(const std::string& address);
  // Connections to `address` that an application holds, at either end.
  size_t connection_count(const std::string& address) const;

  // ---- Network ----
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

 private:
  struct Object;
  class Stream;
  struct Listener;
  struct Name {
    std::vector<std::string> addresses;
    int64_t look_up_ns;
  };

  static Stream& as_stream(const sluice_stream* stream);
  static Listener& as_listener(const sluice_listener* listener);
  static Object& as_object(const void* object);
  MemoryPath& path_of(const std::string& address) const;
  std::shared_ptr<MemoryConnection> begin_connection(const Address& address,
                                                     const sluice_stream_options& options);
  Listener* find_listener(const Address& address) const;
  void advance(const std::shared_ptr<MemoryConnection>& connection, int64_t now_ns);
  void advance_requests(int64_t now_ns);
  void forget_finished(int64_t now_ns);
  void close_connection(const std::shared_ptr<MemoryConnection>& connection, int side, bool abort);

  std::function<int64_t()> now_ns_;
  mutable std::mutex mutex_;
  std::map<std::string, Name> names_;
  mutable std::map<std::string, std::unique_ptr<MemoryPath>> paths_;  // stay where they are
  std::vector<std::shared_ptr<MemoryConnection>> connections_;
  std::vector<Listener*> listeners_;
  uint16_t next_free_port_ = 40'000;
  uint16_t next_client_port_ = 50'000;  // shown as the peer of accepted streams
};

}  // namespace sluice::engine
