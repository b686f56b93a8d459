// A client of a running graph's control socket, for the commands. Blocking. [control]
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "host/graph/value.hpp"
#include "host/support/result.hpp"

namespace sluice::control {

// A request of JSON-RPC on one line, and what an answer to it means: nothing if it answers another.
std::string request_text(int64_t id, const std::string& method, const graph::Value& params);
std::optional<support::Result<graph::Value>> meaning_of(const graph::Value& message, int64_t id);

class Client {
 public:
  // Error (kNotFound): no graph of that name runs.
  static support::Result<Client> connect(const std::string& graph);
  Client(Client&& other) noexcept;
  Client& operator=(Client&&) = delete;
  ~Client();

  // How long call() waits for each message; -1, as at first: as long as it takes.
  void set_patience_ms(int patience_ms) { patience_ms_ = patience_ms; }
  // Calls a method and waits for its answer. An error holds the host's sentence; its code says only
  // that the host refused (kInvalid) or is gone (kIo).
  support::Result<graph::Value> call(const std::string& method, const graph::Value& params);
  // The next message that is no answer. Nothing if the host is gone, or `timeout_ms` (-1: none) has
  // passed.
  std::optional<graph::Value> next(int timeout_ms = -1);
  // Nothing more will come.
  bool is_gone() const { return is_gone_; }

 private:
  explicit Client(int descriptor) : descriptor_(descriptor) {}
  std::optional<std::string> read_line(int timeout_ms);

  int descriptor_;
  int64_t last_id_ = 0;
  int patience_ms_ = -1;
  bool is_gone_ = false;
  std::string buffer_;
};

}  // namespace sluice::control
