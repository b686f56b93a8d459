// When to try which address of a host: the schedule of RFC 8305 (Happy Eyeballs), without sockets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "host/engine/net/address.hpp"

namespace sluice::engine {

// The first attempt starts at once. The next one starts 250 ms after the one before (Connection
// Attempt Delay, RFC 8305 section 8), or as soon as none is under way; attempts under way go on.
// The first to succeed wins; the owner then drops the others.
class ConnectRace {
 public:
  static constexpr int64_t kAttemptDelayNs = 250'000'000;

  // `sorted` as a resolver gives them.
  explicit ConnectRace(const std::vector<Address>& sorted)
      : addresses_(interleave_families(sorted)) {}

  const std::vector<Address>& addresses() const { return addresses_; }

  // The address to try now, which then counts as under way; nothing if it is not yet time or none
  // is left. Ask until it answers nothing.
  std::optional<size_t> start_next(int64_t now_ns);
  // An attempt under way failed with errno value `error`.
  void failed(int error);
  // The errno value that tells most, once every attempt has failed.
  std::optional<int> outcome() const;
  // When to ask start_next again, or nothing.
  std::optional<int64_t> next_start_ns() const;

 private:
  std::vector<Address> addresses_;
  size_t started_ = 0;
  size_t under_way_ = 0;
  int64_t last_start_ns_ = 0;
  int worst_ = 0;
};

}  // namespace sluice::engine
