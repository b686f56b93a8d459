// A value or the sentence that says why there is none.
#pragma once

#include <cassert>
#include <string>
#include <utility>
#include <variant>

namespace sluice::support {

// What went wrong, by class. `message` is one complete sentence for the person at the keyboard.
enum class ErrorCode {
  kInvalid = 1,  // the request itself is wrong (argument, document, parameter)
  kNotFound,     // a file, type, node, device or host that does not exist
  kState,        // right request, wrong moment
  kUnsupported,  // a format, version or feature that is not offered
  kPermission,   // the system refused
  kNoMemory,     // memory, address space or a fixed table is exhausted
  kIo,           // a file, socket or device failed
  kTimeout,      // a deadline passed
  kInternal,     // a broken promise inside Sluice or a plugin
};

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
};

// Holds a T or an Error. Not thread safe. Reading the wrong side is a programming error (asserted).
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

  bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  T& value() & { return *std::get_if<0>(&state_); }
  const T& value() const& { return *std::get_if<0>(&state_); }
  T&& value() && { return std::move(*std::get_if<0>(&state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return std::get_if<0>(&state_); }
  const T* operator->() const { return std::get_if<0>(&state_); }

  const Error& error() const& { return *std::get_if<1>(&state_); }
  Error&& error() && { return std::move(*std::get_if<1>(&state_)); }

 private:
  std::variant<T, Error> state_;
};

// Success without a value, or an Error.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : error_(std::move(error)), failed_(true) {}  // NOLINT: implicit

  bool ok() const noexcept { return !failed_; }
  explicit operator bool() const noexcept { return ok(); }
  const Error& error() const& { return error_; }
  Error&& error() && { return std::move(error_); }

 private:
  Error error_;
  bool failed_ = false;
};

}  // namespace sluice::support
