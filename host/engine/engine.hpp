// A running graph: nodes, edges and the lanes that move audio through them. Knows no JSON, no
// plugin files, no command line.
//
// Use: add nodes, create and describe them, set the formats of their ports, connect, prepare,
// start, wait or run, stop. All functions are [control] and for one thread, except where said.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host/engine/clock.hpp"
#include "host/engine/lane.hpp"
#include "host/engine/node.hpp"
#include "host/engine/snapshot.hpp"
#include "host/engine/virtual_scheduler.hpp"
#include "host/support/result.hpp"

namespace sluice::engine {

enum class TimeMode : uint8_t {
  kReal,     // CLOCK_MONOTONIC, a thread for each lane
  kVirtual,  // one thread, time moves when nobody can go on
};

struct EngineOptions {
  TimeMode time = TimeMode::kReal;
  bool is_offline = false;       // tell nodes that nobody listens: files may be used in place
  uint32_t block_frames = 1024;  // most that a passive node is offered at once
  double crossing_ms = 100.0;    // buffer where an edge crosses lanes
  int priority = 0;              // SCHED_FIFO for the lanes' threads; 0: ordinary
  Network* network = nullptr;    // outlives the engine; null: nodes have none
  NodeLog* log = nullptr;        // outlives the engine; may be null
};

class Engine {
 public:
  explicit Engine(EngineOptions options);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine();

  Clock& clock() { return *clock_; }
  // Virtual time only.
  VirtualClock& virtual_clock() { return static_cast<VirtualClock&>(*clock_); }
  VirtualScheduler& scheduler() { return *scheduler_; }

  // Makes and creates a node; `type` outlives the engine.
  support::Result<Node*> add(std::string id, const sluice_type& type,
                             std::vector<ParameterValue> values, uint64_t seed = 0);
  Node* find(std::string_view id) const;
  std::span<Node* const> nodes() const { return node_list_; }
  std::span<const std::unique_ptr<Edge>> edges() const { return edges_; }

  // Joins two ports whose formats are set. PCM inputs with several edges or with a gain are f32.
  Edge& connect(OutputPort& from, InputPort& to, const EdgeOptions& options);

  // Prepares the nodes, sizes and makes the rings, assigns the lanes. On failure the error names
  // the node and nothing runs.
  support::Status prepare();
  // Starts sinks before sources. On failure everything started is stopped again.
  support::Status start();

  enum class Outcome : uint8_t {
    kRunning,   // the deadline came first
    kFinished,  // every sink has had its end
    kStalled,   // nobody can go on
  };
  // Lets the graph run until it is finished or `deadline_ns` has come. In virtual time this is what
  // moves it. `keep_going`, asked now and then, ends the wait when it answers false.
  Outcome run(int64_t deadline_ns, const std::function<bool()>& keep_going = {});

  // Ramps all that can be ramped down to silence; takes 30 ms of audio. A first step of a graceful
  // end.
  void fade_out();
  // Asks the sources to stop: what is under way still reaches the sinks, which then end.
  void stop_sources();
  // Stops and joins everything. Idempotent.
  void stop();

  // Fills, levels, counts; meters run while `set_metered` is on.
  Snapshot snapshot();
  void set_metered(bool is_metered);
  std::span<const std::unique_ptr<Lane>> lanes() const { return lanes_; }

  // Sentence for the log if some ring could not be locked in memory; empty otherwise.
  const std::string& memory_note() const { return memory_note_; }

 private:
  support::Status prepare_node(Node& node);
  support::Status make_rings();
  void make_lanes();
  bool are_sinks_done() const;
  bool is_sink(const Node& node) const;
  bool is_source(const Node& node) const;
  bool is_connected(const InputPort& port) const;
  bool is_stalled();

  const EngineOptions options_;
  std::unique_ptr<Clock> clock_;
  std::unique_ptr<VirtualScheduler> scheduler_;
  Bell changes_;
  NodeServices services_;
  struct Entry {
    std::unique_ptr<Node> node;
    uint64_t seed;
  };
  std::vector<Entry> entries_;
  std::vector<Node*> node_list_;
  std::vector<Node*> ordered_;
  std::vector<std::unique_ptr<Edge>> edges_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::string memory_note_;
  uint64_t stall_wakes_ = 0;
  int stall_looks_ = 0;
  bool is_started_ = false;
};

}  // namespace sluice::engine
