// A WebSocket to a running graph, for `sluice call --ws`. Blocking. [control]
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "host/support/result.hpp"

namespace sluice::control {

class WebClient {
 public:
  // `url`: "http://127.0.0.1:8080". `token` may be empty. Error: kInvalid if it is no such URL, kIo
  // if nobody answers there, kPermission if the host refuses.
  static support::Result<WebClient> connect(const std::string& url, const std::string& token);
  WebClient(WebClient&& other) noexcept;
  WebClient& operator=(WebClient&&) = delete;
  ~WebClient();

  support::Status send(const std::string& message);
  // The next message; nothing if the host is gone.
  std::optional<std::string> receive();

 private:
  class Impl;
  explicit WebClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::control
