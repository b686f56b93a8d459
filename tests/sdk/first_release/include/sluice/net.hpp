// TCP streams for threaded nodes in C++: sluice_net_host with owners that close. Not part of
// sluice.hpp. Thread classes are those of sluice_net_host.
#pragma once

#include <sluice/plugin.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace sluice {

// The host's network, as one node sees it.
struct Net {
  const sluice_host* host = nullptr;
  const sluice_net_host* table = nullptr;
};

// A connection, or none. Closes politely when it goes.
class Stream {
 public:
  Stream() = default;
  Stream(Net net, sluice_stream* stream) : net_(net), stream_(stream) {}
  Stream(Stream&& other) noexcept
      : net_(other.net_), stream_(std::exchange(other.stream_, nullptr)) {}
  Stream& operator=(Stream&& other) noexcept {
    if (this != &other) {
      close();
      net_ = other.net_;
      stream_ = std::exchange(other.stream_, nullptr);
    }
    return *this;
  }
  ~Stream() { close(); }

  explicit operator bool() const { return stream_ != nullptr; }
  // For SLUICE_WAIT_STREAM.
  const void* get() const { return stream_; }

  sluice_result send(const void* data, size_t size_bytes, size_t& sent) {
    return net_.table->send(net_.host, stream_, data, size_bytes, &sent);
  }
  sluice_result receive(void* data, size_t size_bytes, size_t& received) {
    return net_.table->receive(net_.host, stream_, data, size_bytes, &received);
  }
  // Its strings are valid until close.
  sluice_stream_info info() const {
    sluice_stream_info info{};
    info.struct_size = sizeof(info);
    net_.table->info(net_.host, stream_, &info);
    return info;
  }
  void finish() { net_.table->finish(net_.host, stream_); }
  void close(bool abort = false) {
    if (stream_) net_.table->close(net_.host, std::exchange(stream_, nullptr), abort ? 1 : 0);
  }

 private:
  Net net_;
  sluice_stream* stream_ = nullptr;
};

class Listener {
 public:
  Listener() = default;
  Listener(Net net, sluice_listener* listener) : net_(net), listener_(listener) {}
  Listener(Listener&& other) noexcept
      : net_(other.net_), listener_(std::exchange(other.listener_, nullptr)) {}
  Listener& operator=(Listener&& other) noexcept {
    if (this != &other) {
      close();
      net_ = other.net_;
      listener_ = std::exchange(other.listener_, nullptr);
    }
    return *this;
  }
  ~Listener() { close(); }

  explicit operator bool() const { return listener_ != nullptr; }
  // For SLUICE_WAIT_STREAM.
  const void* get() const { return listener_; }
  uint16_t port() const { return net_.table->listener_port(net_.host, listener_); }

  // The next peer, or none.
  Stream accept() {
    sluice_stream* stream = nullptr;
    net_.table->accept(net_.host, listener_, &stream);
    return {net_, stream};
  }
  void close() {
    if (listener_) net_.table->close_listener(net_.host, std::exchange(listener_, nullptr));
  }

 private:
  Net net_;
  sluice_listener* listener_ = nullptr;
};

// Begins to connect; no stream if that is not even possible (the host has the sentence).
inline Stream connect(Net net, const std::string& name, uint16_t port,
                      const sluice_stream_options& options) {
  sluice_stream* stream = nullptr;
  net.table->connect(net.host, name.c_str(), port, &options, &stream);
  return {net, stream};
}

// No listener if it cannot be (the host has the sentence).
inline Listener listen(Net net, const std::string& address, uint16_t port,
                       const sluice_stream_options& options) {
  sluice_listener* listener = nullptr;
  net.table->listen(net.host, address.c_str(), port, &options, &listener);
  return {net, listener};
}

// "192.0.2.1" of "192.0.2.1:4953": sentences that name a peer without its changing port are logged
// once and not for each connection.
inline std::string host_of(const std::string& peer) { return peer.substr(0, peer.rfind(':')); }

}  // namespace sluice
