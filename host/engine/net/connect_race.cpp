#include "host/engine/net/connect_race.hpp"

#include <cerrno>

#include "host/engine/net/sentences.hpp"

namespace sluice::engine {

std::optional<size_t> ConnectRace::start_next(int64_t now_ns) {
  if (started_ == addresses_.size()) return std::nullopt;
  if (under_way_ > 0 && now_ns < last_start_ns_ + kAttemptDelayNs) return std::nullopt;
  last_start_ns_ = now_ns;
  ++under_way_;
  return started_++;
}

void ConnectRace::failed(int error) {
  --under_way_;
  if (worst_ == 0 || tells_more(error, worst_)) worst_ = error;
}

std::optional<int> ConnectRace::outcome() const {
  if (started_ < addresses_.size() || under_way_ > 0) return std::nullopt;
  return worst_ == 0 ? EADDRNOTAVAIL : worst_;
}

std::optional<int64_t> ConnectRace::next_start_ns() const {
  if (started_ == addresses_.size()) return std::nullopt;
  return under_way_ == 0 ? last_start_ns_ : last_start_ns_ + kAttemptDelayNs;
}

}  // namespace sluice::engine
