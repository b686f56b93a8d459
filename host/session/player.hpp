// A document, playing: built, prepared, started, watched, ended. [control]
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/engine/engine.hpp"
#include "host/engine/net/network.hpp"
#include "host/graph/document.hpp"
#include "host/loader/registry.hpp"
#include "host/session/builder.hpp"

namespace sluice::session {

struct PlayerOptions {
  engine::TimeMode time = engine::TimeMode::kReal;
  bool is_offline = false;
  uint32_t block_frames = 0;           // 0: what suits the mode
  int priority = 0;                    // SCHED_FIFO for lanes; 0: ordinary scheduling
  bool is_metered = false;             // levels and run times
  bool is_dry_run = false;             // solve formats and clocks only; cannot be started
  engine::Network* network = nullptr;  // outlives the player; null: sockets, or in virtual time
                                       // one in memory, where a graph meets itself alone
  bool isolates_third_party = false;   // see BuildOptions
};

class Player {
 public:
  // Ready to start, or none: then `diagnostics` says why. `document` and `registry` outlive it.
  static std::unique_ptr<Player> make(const graph::Document& document, loader::Registry& registry,
                                      const PlayerOptions& options,
                                      std::vector<graph::Diagnostic>& diagnostics);
  ~Player();

  engine::Engine& engine() { return *build_.engine; }
  const BuildOptions& build_options() const { return build_options_; }
  bool is_metered() const { return is_metered_; }
  const BuildResult& plan() const { return build_; }
  int64_t start_ns() const { return start_ns_; }

  support::Status start();

  enum class Outcome : uint8_t { kFinished, kStalled, kInterrupted };
  // Plays until all sinks have ended, nobody can go on, or `go_on` answers false. Calls `tick`
  // at the times of the graph's clock that `next_tick_ns` names, or a little later.
  Outcome play(const std::function<int64_t()>& next_tick_ns, const std::function<void()>& tick,
               const std::function<bool()>& go_on);

  // Ends what plays: fades out what can be faded, lets it reach the sinks, closes them.
  void end_gracefully(const std::function<bool()>& go_on);
  void stop() { engine().stop(); }

  // One sentence for each node that failed.
  std::vector<std::string> failures();

 private:
  class Log;
  explicit Player(engine::TimeMode time);
  // Once, as soon as a thread is known to have got less than it asked for.
  void warn_of_scheduling();

  std::unique_ptr<Log> log_;
  std::unique_ptr<engine::Network> network_;
  BuildOptions build_options_{engine::EngineOptions{}};
  bool is_metered_ = false, has_warned_of_scheduling_ = false;
  BuildResult build_;
  int64_t start_ns_ = 0;
};

}  // namespace sluice::session
