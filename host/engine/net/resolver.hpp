// Looks up host names without making anybody wait: getaddrinfo cannot be ended, so each look-up has
// a helper thread that nobody joins.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/engine/net/address.hpp"
#include "host/support/result.hpp"

namespace sluice::engine {

// Blocking look-up of TCP addresses, sorted as RFC 6724 says (getaddrinfo); both families. The
// addresses carry `port`.
support::Result<std::vector<Address>> look_up(const std::string& name, uint16_t port);

class Resolver {
 public:
  using Function =
      std::function<support::Result<std::vector<Address>>(const std::string& name, uint16_t port)>;
  using Answer = support::Result<std::vector<Address>>;

  // One look-up. All members [any].
  class Request {
   public:
    ~Request();
    // Readable as soon as there is an answer, for good.
    int descriptor() const { return descriptor_; }
    // The answer, or null as long as there is none.
    const Answer* answer() const;

   private:
    friend class Resolver;
    int descriptor_ = -1;
    mutable std::mutex mutex_;
    std::optional<Answer> answer_;
  };

  explicit Resolver(Function function = look_up) : function_(std::move(function)) {}

  // Begins a look-up, or joins the one for the same name that is under way (so a resolver that
  // hangs holds one thread for a name, however often it is tried). Error: no thread or descriptor
  // to be had. [any]
  support::Result<std::shared_ptr<Request>> start(const std::string& name, uint16_t port);

 private:
  Function function_;
  std::mutex mutex_;
  std::map<std::pair<std::string, uint16_t>, std::weak_ptr<Request>> under_way_;
};

}  // namespace sluice::engine
