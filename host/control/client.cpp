#include "host/control/client.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "host/control/runtime_folder.hpp"
#include "host/graph/json_text.hpp"

namespace sluice::control {

using graph::Value;
using support::Error;
using support::ErrorCode;

std::string request_text(int64_t id, const std::string& method, const Value& params) {
  Value request = Value::object();
  request.set("jsonrpc", "2.0");
  request.set("id", id);
  request.set("method", method);
  request.set("params", params);
  return graph::to_json(request);
}

std::optional<support::Result<Value>> meaning_of(const Value& message, int64_t wanted) {
  const Value* id = message.find("id");
  if (!id || (!id->is_null() && !(id->is_integer() && id->integer() == wanted))) {
    return std::nullopt;
  }
  if (const Value* result = message.find("result")) return support::Result<Value>(*result);
  const Value* error = message.find("error");
  const Value* sentence = error ? error->find("message") : nullptr;
  return support::Result<Value>(
      Error{ErrorCode::kInvalid, sentence && sentence->is_text()
                                     ? sentence->text()
                                     : "The host gave no answer that makes sense."});
}

support::Result<Client> Client::connect(const std::string& graph) {
  const std::string path = socket_path(graph).string();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return Error{ErrorCode::kInvalid, "The path " + path + " is too long for a socket."};
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return Error{ErrorCode::kIo, std::strerror(errno)};
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    const int error = errno;
    ::close(descriptor);
    if (error == EACCES) {
      return Error{ErrorCode::kPermission, "The graph " + graph + " belongs to another user."};
    }
    return Error{ErrorCode::kNotFound, "No graph named " + graph + " runs."};
  }
  return Client(descriptor);
}

Client::Client(Client&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      last_id_(other.last_id_),
      patience_ms_(other.patience_ms_),
      is_gone_(other.is_gone_),
      buffer_(std::move(other.buffer_)) {}

Client::~Client() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::optional<std::string> Client::read_line(int timeout_ms) {
  for (;;) {
    if (const size_t end = buffer_.find('\n'); end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    pollfd descriptor{descriptor_, POLLIN, 0};
    const int ready = ::poll(&descriptor, 1, timeout_ms);
    if (ready == 0 || (ready < 0 && errno == EINTR)) return std::nullopt;
    std::array<char, 65536> part;
    const ssize_t size = ::recv(descriptor_, part.data(), part.size(), 0);
    if (size <= 0) {
      is_gone_ = true;
      return std::nullopt;
    }
    buffer_.append(part.data(), static_cast<size_t>(size));
  }
}

std::optional<Value> Client::next(int timeout_ms) {
  const auto line = read_line(timeout_ms);
  return line ? graph::parse_json_value(*line) : std::nullopt;
}

support::Result<Value> Client::call(const std::string& method, const Value& params) {
  const std::string line = request_text(++last_id_, method, params) + "\n";
  for (size_t sent = 0; sent < line.size();) {
    const ssize_t size = ::send(descriptor_, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return Error{ErrorCode::kIo, "The host has gone."};
    sent += static_cast<size_t>(size);
  }
  for (;;) {
    const auto message = next(patience_ms_);
    if (!message) return Error{ErrorCode::kIo, "The host has gone before it answered."};
    if (auto answer = meaning_of(*message, last_id_)) return *std::move(answer);
  }
}

}  // namespace sluice::control
