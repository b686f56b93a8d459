// The two networks under one name, for tests that hold for both: real loopback sockets on the real
// clock, and the in-memory network on a clock that moves when somebody waits.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "host/engine/net/memory_network.hpp"
#include "host/engine/net/socket_network.hpp"

namespace sluice::engine {

inline sluice_stream_options stream_options() {
  sluice_stream_options options{};
  options.struct_size = sizeof(options);
  return options;
}

class NetWorld {
 public:
  virtual ~NetWorld() = default;
  virtual Network& network() = 0;
  virtual int64_t now_ns() = 0;
  // Sleeps until a descriptor has something or the time has come.
  virtual void sleep(std::vector<pollfd>& fds, int64_t until_ns) = 0;

  // What of `events` becomes ready within `limit_ns`.
  uint32_t wait(const void* object, uint32_t events, int64_t limit_ns = 5'000'000'000) {
    const int64_t deadline_ns = now_ns() + limit_ns;
    for (;;) {
      if (const uint32_t ready = network().ready(object, events)) return ready;
      if (now_ns() >= deadline_ns) return 0;
      std::vector<pollfd> fds;
      int64_t wake_ns = deadline_ns;
      network().poll_set(object, events, fds, wake_ns);
      sleep(fds, wake_ns);
    }
  }

  sluice_stream* connect(const std::string& name, uint16_t port,
                         const sluice_stream_options& options = stream_options()) {
    auto stream = network().connect(name, port, options);
    EXPECT_TRUE(stream.has_value()) << (stream ? "" : stream.error().message);
    return stream.value();
  }
  sluice_listener* listen(const std::string& address = "127.0.0.1", uint16_t port = 0,
                          const sluice_stream_options& options = stream_options()) {
    auto listener = network().listen(address, port, options);
    EXPECT_TRUE(listener.has_value()) << (listener ? "" : listener.error().message);
    return listener.value();
  }
  sluice_stream* accept(sluice_listener* listener) {
    sluice_stream* stream = nullptr;
    EXPECT_EQ(wait(listener, SLUICE_NET_READ), uint32_t{SLUICE_NET_READ});
    EXPECT_EQ(network().accept(listener, &stream), SLUICE_OK);
    return stream;
  }
  sluice_stream_info info(sluice_stream* stream) {
    sluice_stream_info info{};
    network().info(stream, info);
    return info;
  }
  std::string sentence(sluice_stream* stream) { return info(stream).sentence; }

  // Sends all of it, waiting where needed.
  bool send_all(sluice_stream* stream, std::string_view bytes) {
    while (!bytes.empty()) {
      size_t sent = 0;
      const sluice_result result = network().send(stream, bytes.data(), bytes.size(), sent);
      if (result == SLUICE_ERROR_AGAIN) {
        if (!wait(stream, SLUICE_NET_WRITE)) return false;
      } else if (result != SLUICE_OK) {
        return false;
      }
      bytes.remove_prefix(sent);
    }
    return true;
  }
  // What comes until `bytes` are there, the end, or an error.
  std::string receive(sluice_stream* stream, size_t bytes = SIZE_MAX) {
    std::string all;
    std::vector<char> buffer(65536);
    while (all.size() < bytes) {
      size_t received = 0;
      const sluice_result result = network().receive(
          stream, buffer.data(), std::min(buffer.size(), bytes - all.size()), received);
      if (result == SLUICE_ERROR_AGAIN) {
        if (!wait(stream, SLUICE_NET_READ)) break;
        continue;
      }
      if (result != SLUICE_OK || received == 0) break;
      all.append(buffer.data(), received);
    }
    return all;
  }
};

class SocketWorld final : public NetWorld {
 public:
  explicit SocketWorld(Resolver::Function function = look_up)
      : network_([] { return monotonic_ns(); }, std::move(function)) {}
  static int64_t monotonic_ns() {
    timespec t{};
    ::clock_gettime(CLOCK_MONOTONIC, &t);
    return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
  }
  Network& network() override { return network_; }
  int64_t now_ns() override { return monotonic_ns(); }
  void sleep(std::vector<pollfd>& fds, int64_t until_ns) override {
    const int64_t left_ms = (until_ns - now_ns() + 999'999) / 1'000'000;
    ::poll(fds.data(), fds.size(), static_cast<int>(std::clamp<int64_t>(left_ms, 0, 60'000)));
  }

 private:
  SocketNetwork network_;
};

class MemoryWorld final : public NetWorld {
 public:
  MemoryWorld() : network_([this] { return now_ns_; }) {}
  Network& network() override { return network_; }
  MemoryNetwork& memory() { return network_; }
  int64_t now_ns() override { return now_ns_; }
  void sleep(std::vector<pollfd>&, int64_t until_ns) override {
    now_ns_ = std::max(now_ns_, until_ns);
  }
  void pass(int64_t ns) { now_ns_ += ns; }

 private:
  int64_t now_ns_ = 1'000'000'000;
  MemoryNetwork network_;
};

}  // namespace sluice::engine
