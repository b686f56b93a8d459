// A TCP server on a real socket that does exactly what a test says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace sluice::tests {

// Serves one connection at a time. It belongs to the network name space of the thread that makes
// it. Waits are up to a minute, which only a broken test uses up. Not thread safe.
class SocketServer {
 public:
  // Listens; `receive_buffer_bytes` is SO_RCVBUF of its connections, 0: the system's.
  explicit SocketServer(const std::string& address, int receive_buffer_bytes = 0);
  ~SocketServer();
  SocketServer(const SocketServer&) = delete;
  SocketServer& operator=(const SocketServer&) = delete;

  uint16_t port() const { return port_; }
  // The next connection takes the place of the one there was. False: nobody came.
  bool accept();
  // What is there, at most `most_bytes`; empty at the end, after a reset, or when nothing comes.
  std::string read(size_t most_bytes);
  // Until the end.
  std::string read_all();
  // Received and not read yet.
  size_t queued_bytes() const;
  void reset();
  void close();

 private:
  int listener_ = -1, connection_ = -1;
  uint16_t port_ = 0;
};

}  // namespace sluice::tests
