// The objects behind the pointers that SocketNetwork hands out.
#pragma once

#include <poll.h>
#include <sluice/plugin.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/engine/net/connecting.hpp"
#include "host/engine/net/resolver.hpp"

namespace sluice::engine {

// What can be waited for; a sluice_stream or sluice_listener pointer is one to its SocketObject.
class SocketObject {
 public:
  SocketObject() = default;
  SocketObject(const SocketObject&) = delete;
  SocketObject& operator=(const SocketObject&) = delete;
  virtual ~SocketObject() = default;
  virtual uint32_t ready(uint32_t events, int64_t now_ns) = 0;
  virtual void poll_set(uint32_t events, std::vector<pollfd>& fds, int64_t& wake_ns) const = 0;
};

// One TCP connection, from the look-up of the name on.
class SocketStream final : public SocketObject, private AttemptMaker {
 public:
  // A connection that was accepted; takes the socket over.
  SocketStream(int socket, const Address& peer);
  // A connection to be made once addresses are known.
  SocketStream(const std::string& name, uint16_t port, const sluice_stream_options& options,
               int64_t now_ns);
  ~SocketStream() override;

  // Exactly one of these, once, for a connection to be made.
  void begin(const Address& address, int64_t now_ns);
  void begin(std::shared_ptr<Resolver::Request> look_up) { look_up_ = std::move(look_up); }

  uint32_t ready(uint32_t events, int64_t now_ns) override;
  void poll_set(uint32_t events, std::vector<pollfd>& fds, int64_t& wake_ns) const override;

  sluice_result send(const void* data, size_t size_bytes, size_t& sent);
  sluice_result receive(void* data, size_t size_bytes, size_t& received);
  void info(sluice_stream_info& info) const;
  void finish();
  void close(bool abort);
  int descriptor() const { return socket_; }

 private:
  Begun begin(const Address& address) override;
  std::optional<int> outcome(int handle) override;
  void drop(int handle) override;

  void drive(int64_t now_ns);
  sluice_result broken(int error);

  uint32_t state_ = SLUICE_STREAM_CONNECTING;
  int socket_ = -1;
  bool finished_ = false;
  bool we_connected_ = false;
  uint64_t sent_bytes_ = 0;
  std::string sentence_;
  std::string peer_;

  // Only while connecting.
  sluice_stream_options options_{};
  std::shared_ptr<Resolver::Request> look_up_;
  std::optional<Connecting> connecting_;
};

class SocketListener final : public SocketObject {
 public:
  // Takes the socket over.
  SocketListener(int socket, const sluice_stream_options& options);
  ~SocketListener() override;

  uint32_t ready(uint32_t events, int64_t now_ns) override;
  void poll_set(uint32_t events, std::vector<pollfd>& fds, int64_t& wake_ns) const override;

  sluice_result accept(std::unique_ptr<SocketStream>& stream);
  uint16_t port() const;

 private:
  void turn_one_away();

  int socket_;
  int spare_ = -1;  // given up to turn a peer away when there are no descriptors left
  sluice_stream_options options_;
};

}  // namespace sluice::engine
