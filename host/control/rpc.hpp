// JSON-RPC 2.0 (jsonrpc.org/specification): from the text of a message to calls of methods, and
// from their answers to the text that goes back. Knows no sockets. [control]
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "host/graph/value.hpp"
#include "host/support/result.hpp"

namespace sluice::control {

// Codes of the specification; those of support::Error are kFirstOwnCode less the ErrorCode.
inline constexpr int kParseError = -32700;
inline constexpr int kInvalidRequest = -32600;
inline constexpr int kMethodNotFound = -32601;
inline constexpr int kInvalidParams = -32602;
inline constexpr int kFirstOwnCode = -32000;

// Requests in one batch.
inline constexpr size_t kMostInBatch = 100;

struct RpcError {
  int code = kInvalidRequest;
  std::string message;
};
RpcError to_rpc(const support::Error& error);

using RpcResult = std::variant<graph::Value, RpcError>;
using Reply = std::function<void(RpcResult)>;

// Who asks.
struct Caller {
  uint64_t connection = 0;
  bool takes_events = true;  // not by HTTP, which only answers
};

// Answers now or later, once. `params` is an object; a list is refused before.
using Method = std::function<void(const graph::Value& params, const Caller& caller, Reply reply)>;

class Rpc {
 public:
  void add(std::string name, Method method) { methods_[std::move(name)] = std::move(method); }
  bool has(std::string_view name) const { return methods_.find(name) != methods_.end(); }
  std::vector<std::string> names() const;

  // Carries out one message, which may be a batch; `message` is nothing if it was no JSON. `send`
  // is called once with what goes back, without line ends; empty where nothing does.
  void handle(const std::optional<graph::Value>& message, const Caller& caller,
              const std::function<void(std::string)>& send) const;

 private:
  void call(const graph::Value& request, const Caller& caller,
            const std::function<void(std::optional<graph::Value>)>& done) const;

  std::map<std::string, Method, std::less<>> methods_;
};

// {"jsonrpc": "2.0", "method": method, "params": params}
std::string notification(std::string_view method, graph::Value params);

}  // namespace sluice::control
