#include "host/engine/net/resolver.hpp"

#include <netdb.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <thread>

#include "host/engine/net/sentences.hpp"

namespace sluice::engine {
namespace {

support::Error look_up_error(int code, int error, const std::string& name) {
  switch (code) {
    case EAI_NONAME:
    case EAI_NODATA:
    case EAI_ADDRFAMILY:
      return {support::ErrorCode::kNotFound, unknown_name_sentence(name)};
    case EAI_AGAIN:
      return {support::ErrorCode::kIo, "The name server gives no answer for \"" + name +
                                           "\": look at the network connection of this machine."};
    case EAI_MEMORY:
      return {support::ErrorCode::kNoMemory, "Not enough memory to look up \"" + name + "\"."};
    case EAI_SYSTEM:
      return {support::ErrorCode::kIo, "Looking up \"" + name + "\" failed: " +
                                           std::generic_category().message(error) + "."};
    default:
      return {support::ErrorCode::kIo,
              "Looking up \"" + name + "\" failed: " + ::gai_strerror(code) + "."};
  }
}

// Signals are the business of the program's own threads.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  ~AllSignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

}  // namespace

support::Result<std::vector<Address>> look_up(const std::string& name, uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int code = ::getaddrinfo(name.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (code != 0) return look_up_error(code, errno, name);
  std::vector<Address> addresses;
  for (const addrinfo* entry = found; entry; entry = entry->ai_next) {
    if (entry->ai_family != AF_INET && entry->ai_family != AF_INET6) continue;
    Address address;
    std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
    address.size_bytes = entry->ai_addrlen;
    addresses.push_back(address);
  }
  ::freeaddrinfo(found);
  if (addresses.empty()) {
    return support::Error{support::ErrorCode::kNotFound, unknown_name_sentence(name)};
  }
  return addresses;
}

Resolver::Request::~Request() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

const Resolver::Answer* Resolver::Request::answer() const {
  const std::scoped_lock lock(mutex_);
  return answer_ ? &*answer_ : nullptr;
}

support::Result<std::shared_ptr<Resolver::Request>> Resolver::start(const std::string& name,
                                                                    uint16_t port) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(under_way_, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<Request>& known = under_way_[{name, port}];
  if (std::shared_ptr<Request> request = known.lock(); request && !request->answer()) {
    return request;
  }
  auto request = std::make_shared<Request>();
  request->descriptor_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (request->descriptor_ < 0) {
    return support::Error{
        support::ErrorCode::kNoMemory,
        "Too many open files to look up \"" + name + "\": raise the limit (ulimit -n)."};
  }
  try {
    const AllSignalsBlocked blocked;
    std::thread([request, function = function_, name, port] {
      Answer answer = function(name, port);
      {
        const std::scoped_lock answer_lock(request->mutex_);
        request->answer_.emplace(std::move(answer));
      }
      ::eventfd_write(request->descriptor_, 1);
    }).detach();
  } catch (const std::system_error&) {
    return support::Error{support::ErrorCode::kNoMemory,
                          "No thread to be had for looking up \"" + name +
                              "\": raise the limit of processes (ulimit -u)."};
  }
  known = request;
  return request;
}

}  // namespace sluice::engine
