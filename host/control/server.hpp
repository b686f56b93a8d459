// Lines of text over a Unix socket, on a thread of its own. Knows nothing of what they mean.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "host/support/result.hpp"

namespace sluice::control {

struct ServerLimits {
  size_t line_bytes = size_t{1} << 20;     // of one message
  size_t connections = 64;                 // more are told so and closed
  double lines_per_s = 200;                // from one connection; then it is read more slowly
  double burst_lines = 400;                // that it may send at once
  size_t waiting_bytes = size_t{8} << 20;  // to a client that does not read; then it is closed
  size_t waiting_news_bytes = size_t{256} << 10;  // past this, what may be left out is left out
};

// What goes to a client.
struct Outgoing {
  std::string text;
  std::shared_ptr<const std::string> rest = nullptr;  // after it; shared by all that are told it
  bool may_be_left_out = false;                       // if the client is slow
  size_t size() const { return text.size() + (rest ? rest->size() : 0); }
};

class Server {
 public:
  // Called on the server's thread.
  struct Handlers {
    // What is returned is sent at once, unless it is empty.
    std::function<std::string(uint64_t connection, std::string line)> on_line;
    std::function<void(uint64_t connection)> on_close;
  };

  // Listens at `path`, replacing a socket that is there, readable and writable by the owner alone.
  static support::Result<std::unique_ptr<Server>> listen(const std::filesystem::path& path,
                                                         const ServerLimits& limits,
                                                         Handlers handlers);
  // Closes all connections and removes the socket.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Sends a line; a connection that is gone is none of the sender's business. [any]
  void send(uint64_t connection, Outgoing line);
  // After all that was sent before. [any]
  void close(uint64_t connection);

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::control
