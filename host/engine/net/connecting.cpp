#include "host/engine/net/connecting.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "host/engine/net/sentences.hpp"

namespace sluice::engine {
namespace {

constexpr uint32_t kDefaultTimeoutMs = 10'000;
constexpr int64_t kNsPerMs = 1'000'000;

}  // namespace

Connecting::Connecting(const std::string& name, uint16_t port, uint32_t timeout_ms, int64_t now_ns)
    : name_(name),
      target_(join_host_port(name, port)),
      timeout_ms_(timeout_ms ? timeout_ms : kDefaultTimeoutMs),
      deadline_ns_(now_ns + int64_t{timeout_ms_} * kNsPerMs) {}

void Connecting::looked_up(const support::Result<std::vector<Address>>& answer) {
  if (answer) {
    race_.emplace(answer.value());
  } else {
    sentence_ = answer.error().message;
  }
}

std::optional<Connecting::Winner> Connecting::drive(AttemptMaker& maker, int64_t now_ns) {
  if (!sentence_.empty()) return std::nullopt;
  if (race_) {
    if (auto winner = look_at_attempts(maker)) return winner;
    while (const std::optional<size_t> index = race_->start_next(now_ns)) {
      const AttemptMaker::Begun begun = maker.begin(race_->addresses()[*index]);
      if (begun.error) {
        race_->failed(begun.error);
      } else {
        attempts_.push_back({begun.handle, *index});
      }
      if (auto winner = look_at_attempts(maker)) return winner;
    }
    if (const std::optional<int> error = race_->outcome()) {
      fail(maker, connect_sentence(*error, target_));
      return std::nullopt;
    }
  }
  if (now_ns >= deadline_ns_) {
    fail(maker, race_ ? connect_timeout_sentence(target_, timeout_ms_)
                      : look_up_timeout_sentence(name_, timeout_ms_));
  }
  return std::nullopt;
}

std::optional<Connecting::Winner> Connecting::look_at_attempts(AttemptMaker& maker) {
  for (size_t i = 0; i < attempts_.size();) {
    const Attempt attempt = attempts_[i];
    const std::optional<int> outcome = maker.outcome(attempt.handle);
    if (!outcome) {
      ++i;
      continue;
    }
    attempts_.erase(attempts_.begin() + static_cast<std::ptrdiff_t>(i));
    if (*outcome == 0) {
      drop_all(maker);
      return Winner{attempt.handle, race_->addresses()[attempt.address]};
    }
    race_->failed(*outcome);
    maker.drop(attempt.handle);
  }
  return std::nullopt;
}

void Connecting::fail(AttemptMaker& maker, std::string sentence) {
  sentence_ = std::move(sentence);
  drop_all(maker);
}

void Connecting::drop_all(AttemptMaker& maker) {
  for (const Attempt& attempt : attempts_) maker.drop(attempt.handle);
  attempts_.clear();
}

int64_t Connecting::wake_ns() const {
  if (!race_) return deadline_ns_;
  return std::min(deadline_ns_, race_->next_start_ns().value_or(deadline_ns_));
}

}  // namespace sluice::engine
