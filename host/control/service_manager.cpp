#include "host/control/service_manager.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <optional>

#include "host/support/printable.hpp"

namespace sluice::control {
namespace {

std::string take_from_environment(const char* name) {
  const char* const value = std::getenv(name);
  std::string text = value ? value : "";
  ::unsetenv(name);
  return text;
}

std::optional<int64_t> whole(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

ServiceManager::ServiceManager() : address_(take_from_environment("NOTIFY_SOCKET")) {
  const auto interval_us = whole(take_from_environment("WATCHDOG_USEC"));
  const auto process = whole(take_from_environment("WATCHDOG_PID"));
  if (address_.size() < 2 || address_.size() > sizeof(sockaddr_un::sun_path) - 1) return;
  if (address_[0] == '@') {
    address_[0] = '\0';
  } else if (address_[0] != '/') {
    return;
  }
  descriptor_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (interval_us && *interval_us > 0 && (!process || *process == ::getpid())) {
    interval_ns_ = *interval_us * 1000 / 2;
  }
}

ServiceManager::~ServiceManager() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void ServiceManager::send(const std::string& message) {
  if (descriptor_ < 0) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, address_.data(), address_.size());
  // The length tells an abstract address from a padded one.
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  // Nobody could do anything about a manager that does not listen.
  [[maybe_unused]] const ssize_t sent =
      ::sendto(descriptor_, message.data(), message.size(), MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(&address), size);
}

void ServiceManager::tell_ready(std::string_view status) {
  send(fmt::format("READY=1\nSTATUS={}", support::printable(status)));
}

void ServiceManager::tell_reloading() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}",
                   int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000));
}

void ServiceManager::tell_stopping() { send("STOPPING=1"); }

void ServiceManager::tend(int64_t now_ns) {
  if (interval_ns_ == 0 || now_ns < due_ns_) return;
  due_ns_ = now_ns + interval_ns_;
  send("WATCHDOG=1");
}

}  // namespace sluice::control
