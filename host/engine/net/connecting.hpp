// A connection while it is being made: look-up answer, race of attempts, time limit. Used by real
// sockets and by their twin alike.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "host/engine/net/connect_race.hpp"
#include "host/support/result.hpp"

namespace sluice::engine {

// Makes single attempts; known to Connecting by a handle (a descriptor, an index), 0 or more.
class AttemptMaker {
 public:
  struct Begun {
    int handle = -1;
    int error = 0;  // errno if it failed at once
  };
  virtual ~AttemptMaker() = default;
  virtual Begun begin(const Address& address) = 0;
  // 0: connected; an errno value: failed; nothing: under way.
  virtual std::optional<int> outcome(int handle) = 0;
  // Ends an attempt that failed or lost.
  virtual void drop(int handle) = 0;
};

class Connecting {
 public:
  struct Attempt {
    int handle;
    size_t address;
  };
  struct Winner {
    int handle;
    Address address;
  };

  // `timeout_ms` for the whole, look-up included; 0: 10 s.
  Connecting(const std::string& name, uint16_t port, uint32_t timeout_ms, int64_t now_ns);

  bool is_looked_up() const { return race_.has_value(); }
  void looked_up(const support::Result<std::vector<Address>>& answer);

  // Goes on as far as possible now. The winner, once; the others are then dropped.
  std::optional<Winner> drive(AttemptMaker& maker, int64_t now_ns);
  // Why it failed; empty as long as it has not. All attempts are dropped by then.
  const std::string& sentence() const { return sentence_; }
  void drop_all(AttemptMaker& maker);

  const std::vector<Attempt>& attempts() const { return attempts_; }
  // When drive must be called again even if nothing happens.
  int64_t wake_ns() const;

 private:
  std::optional<Winner> look_at_attempts(AttemptMaker& maker);
  void fail(AttemptMaker& maker, std::string sentence);

  std::string name_;
  std::string target_;  // "NAME:PORT"
  std::string sentence_;
  uint32_t timeout_ms_;
  int64_t deadline_ns_;
  std::optional<ConnectRace> race_;
  std::vector<Attempt> attempts_;
};

}  // namespace sluice::engine
