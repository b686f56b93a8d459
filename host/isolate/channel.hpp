// The socket between the host and the process of an isolated node.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "host/isolate/wire.hpp"

namespace sluice::isolate {

// One end of a Unix stream socket that carries whole notes. Not thread safe. [control]
class Channel {
 public:
  enum class Outcome : uint8_t { kDone, kNothing, kClosed };

  Channel() = default;
  explicit Channel(int descriptor) : descriptor_(descriptor) {}
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // Two ends, joined; -1, -1 if the system has no descriptor left.
  static void make_pair(int (&ends)[2]);

  int descriptor() const { return descriptor_; }
  void open(int descriptor);
  void close();

  // False if the other end is gone, or takes nothing for two seconds.
  bool send(Note kind, std::span<const std::byte> bytes, std::span<const int> descriptors = {});

  struct Received {
    Note kind{};
    std::vector<std::byte> bytes;
    std::vector<int> descriptors;  // the taker's to close
  };
  // Takes one note. kNothing: no whole one has come within `timeout_ms` (-1: for ever).
  Outcome receive(Received& received, int timeout_ms);

 private:
  bool has_whole() const;

  int descriptor_ = -1;
  std::vector<std::byte> pending_;
  std::vector<int> pending_descriptors_;
};

// Hands descriptors over on a socket of their own, and takes them. False if that did not work.
bool send_descriptors(int socket, std::span<const int> descriptors);
bool receive_descriptors(int socket, std::span<int> descriptors);

}  // namespace sluice::isolate
