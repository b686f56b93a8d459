// A client of a running graph's control socket, for the commands. Blocking. [control]
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "host/graph/value.hpp"
#include "host/support/result.hpp"

namespace sluice::control {

class Client {
 public:
  // Error (kNotFound): no graph of that name runs.
  static support::Result<Client> connect(const std::string& graph);
  Client(Client&& other) noexcept;
  Client& operator=(Client&&) = delete;
  ~Client();

  // Calls a method and waits for its answer. An error holds the host's sentence; its code says only
  // that the host refused (kInvalid) or is gone (kIo).
  support::Result<graph::Value> call(const std::string& method, const graph::Value& params);
  // The next message that is no answer. Nothing if the host is gone, or `timeout_ms` (-1: none) has
  // passed.
  std::optional<graph::Value> next(int timeout_ms = -1);

 private:
  explicit Client(int descriptor) : descriptor_(descriptor) {}
  std::optional<std::string> read_line(int timeout_ms);

  int descriptor_;
  int64_t last_id_ = 0;
  std::string buffer_;
};

}  // namespace sluice::control
