// Whoever sits at the other end of a node's connections, in the in-memory network of NodeHost.
// [control]
#pragma once

#include <sluice/plugin.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "host/engine/net/memory_network.hpp"

namespace sluice::validate {

// Answers at every name and address that the node connects to, and connects to every address that
// it listens on.
class Peers {
 public:
  enum class Habit : uint8_t {
    kGood,    // takes all it is given
    kDead,    // answers no connection; as a client, connects and says nothing
    kSlow,    // takes and gives a few bytes a second, through a small window
    kRandom,  // sends noise, hangs up and resets at random, and comes again
  };

  // `network` outlives the peers.
  Peers(engine::MemoryNetwork& network, Habit habit, uint64_t seed)
      : network_(network), habit_(habit), random_(seed) {}
  ~Peers();
  Peers(const Peers&) = delete;
  Peers& operator=(const Peers&) = delete;

  // The node is about to connect there, or listens there now.
  void node_connects(const std::string& name, uint16_t port);
  void node_listens(const std::string& address, uint16_t port);

  // Does what is to be done at `now_ns`.
  void act(int64_t now_ns);
  // When to act again at the latest.
  int64_t wake_ns() const { return next_ns_; }

 private:
  struct Listener {
    std::string name;
    uint16_t port;
    sluice_listener* listener;
  };
  struct Target {
    std::string address;
    uint16_t port;
  };

  void talk(sluice_stream*& stream);

  engine::MemoryNetwork& network_;
  const Habit habit_;
  std::mt19937_64 random_;
  std::vector<Listener> listeners_;
  std::vector<Target> targets_;
  std::vector<sluice_stream*> streams_;
  int64_t next_ns_ = 0;
};

}  // namespace sluice::validate
