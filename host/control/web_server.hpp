// HTTP and WebSocket on one TCP port, on a thread of its own. Decides who may ask; knows nothing of
// what is asked.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/control/server.hpp"
#include "host/control/web_policy.hpp"
#include "host/support/result.hpp"

namespace sluice::control {

struct WebOptions {
  WebAddress address;
  std::string token;                 // that every request shows, but /healthz; empty: none does
  std::vector<std::string> origins;  // of web pages that may ask: "https://desk.example"
  ServerLimits limits{.connections = 256};
  int request_timeout_ms = 10'000;  // for a whole request, and between two
  int silence_timeout_ms = 30'000;  // of a WebSocket, which is pinged after half of it
};

struct WebRequest {
  std::string method;
  std::string path;  // without the query
  std::string accept;
  std::string body;
};

struct WebAnswer {
  unsigned status = 200;
  std::string content_type;  // empty: no body
  std::string body;
  std::string allow;  // methods, with status 405
};

class WebServer {
 public:
  // Called on the server's thread.
  struct Handlers {
    // A message of a WebSocket; what is returned is sent at once, unless it is empty.
    std::function<std::string(uint64_t connection, std::string message)> on_message;
    // Without an answer one call of answer() follows; until then the connection is not read.
    std::function<std::optional<WebAnswer>(uint64_t connection, WebRequest request)> on_request;
    std::function<void(uint64_t connection)> on_close;
  };

  // Connections are numbered from here on, those of Server below.
  static constexpr uint64_t kFirstConnection = uint64_t{1} << 32;

  // Error: kPermission without a token at an address that is not the loopback's; kIo if there
  // cannot be listened.
  static support::Result<std::unique_ptr<WebServer>> listen(WebOptions options, Handlers handlers);
  ~WebServer();
  WebServer(const WebServer&) = delete;
  WebServer& operator=(const WebServer&) = delete;

  // With the port that the system chose.
  const WebAddress& address() const;

  // Sends a message to a WebSocket. [any]
  void send(uint64_t connection, Outgoing message);
  // [any]
  void answer(uint64_t connection, WebAnswer answer);

 private:
  class Impl;
  explicit WebServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::control
