// A running graph: nodes, edges and the lanes that move audio through them. Knows no JSON, no
// plugin files, no command line.
//
// Use: add nodes, describe them, set the formats of their ports, connect, prepare, start, run,
// stop. A started graph changes by the same add and connect followed by apply, and by
// disconnect_live and remove_live. All functions are [control] and for one thread, except where
// said.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_set>
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
  // Whether the edge that had this address and number is still one of edges().
  bool has(const Edge* edge, uint64_t serial) const;

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
  // Between prepare and start: sources stop by themselves, behind as many frames as this takes.
  void end_sources_after(int64_t duration_ns);
  // Asks the sources to stop: what is under way still reaches the sinks, which then end.
  void stop_sources();
  // Stops and joins everything. Idempotent.
  void stop();

  // ---- Changing a started graph. What the change does not name loses nothing and waits for
  // nothing.

  // Brings what add and connect have announced since start into the running graph: prepares and
  // starts new nodes and attaches new edges. Those of running outputs begin as far back as their
  // siblings in the same input read, and at least `behind_frames` behind the newest frame. Those
  // with `enters_unheard` stay silent, beside what is heard, until turn; others into running inputs
  // ramp in. On failure the announced nodes and edges are gone and nothing audible has changed. The
  // output of a new edge needs a ring that is large enough for the new reader.
  support::Status apply(uint64_t behind_frames = 0);
  // How late what add and connect have announced would be: asks the announced nodes between sources
  // and sinks, and delays announced edges by their alignment, as apply would do. Other nodes are
  // not asked, as they would open what they play to. Nothing starts; to be followed by withdraw.
  support::Status foresee();
  // The node whose output's ring is too small, if that is why the last apply failed; else empty.
  const std::string& too_small() const { return too_small_; }
  // The running edges that would need a longer delay for their alignment, if that is why.
  const std::vector<Edge*>& too_early() const { return too_early_; }
  // Takes back what was announced since start or the last apply.
  void withdraw() {
    too_small_.clear();
    too_early_.clear();
    take_back_announced();
  }
  // An edge that came in unheard has its frames, or nothing to wait for: it may be turned up.
  bool is_ready_to_turn(const Edge& edge) const;
  // Ramps `entering` (unheard ones) up and `leaving` out, in each input from the same frame on;
  // the latter are removed then, as by disconnect_live. An entering edge that is on its way out
  // comes back from where its ramp is.
  void turn(std::span<Edge* const> entering, std::span<Edge* const> leaving, Ramp::Shape shape);
  // Ramps the edge to another gain.
  void set_gain_live(Edge& edge, double gain_db);
  // Another policy, in force with the next plans: those of apply, or of publish_policies.
  void set_policy_live(Edge& edge, WhenFull when_full, uint64_t fill_after_frames);
  void publish_policies();
  // Lets run ask its `keep_going` at once. [any]
  void look_up() { changes_.ring(); }
  // run asks its `keep_going` every 2 ms instead of every 100.
  void set_watched(bool is_watched) { is_watched_ = is_watched; }
  // On its way out, and can still be called back by turn.
  bool is_fading_out(const Edge& edge) const;
  // connect and apply in one.
  support::Result<Edge*> connect_live(OutputPort& from, InputPort& to, const EdgeOptions& options,
                                      uint64_t behind_frames = 0);
  // Ramps the edge out and then removes it; it is valid as long as it is found in edges(). What
  // cannot ramp (other formats than f32, packets, a reader that does not read) goes at once, the
  // last after a second.
  void disconnect_live(Edge& edge);
  // Disconnects the node, then stops and destroys it; it is valid as long as it is found in
  // nodes(). Refused for a device whose lane runs other nodes.
  support::Status remove_live(Node& node);
  // Something of the above is still under way. It goes on in run, or in tend.
  bool is_changing() const {
    return !leaving_edges_.empty() || !detaching_edges_.empty() || !leaving_nodes_.empty() ||
           has_spare_lanes_;
  }
  // What run does now and then: follows up changes, reports failures, frees what nobody uses.
  void tend();

  // One sentence for each edge that some lane waits at, with its fill; for a stall. Empty if none
  // does.
  std::string describe_waits() const;

  // Fills, levels, counts; meters run while `set_metered` is on. kTake: levels since it was last
  // taken so, for the one who looks at regular times; kLook: what was taken last.
  enum class Meters : uint8_t { kLook, kTake };
  Snapshot snapshot(Meters meters = Meters::kLook);
  void set_metered(bool is_metered);
  std::span<const std::unique_ptr<Lane>> lanes() const { return lanes_; }

  // Sentence for the log if some ring could not be locked in memory; empty otherwise.
  const std::string& memory_note() const { return memory_note_; }

 private:
  struct Entry {
    std::unique_ptr<Node> node;
    uint64_t seed;
  };
  struct LeavingEdge {
    Edge* edge;
    int64_t deadline_ns;  // for the ramp
  };
  // Out of the plans; its cursor goes when no lane uses an older plan any more.
  struct DetachingEdge {
    Edge* edge;
    uint64_t plan;
  };
  struct LeavingNode {
    Node* node;
    uint64_t plan = 0;  // without it; 0: not made yet
  };

  support::Status prepare_node(Node& node);
  support::Status order();
  support::Status prepare_nodes();
  support::Status align();
  support::Status make_rings(OutputPort& output);
  void make_inputs(Node& node);
  void place(const std::vector<Node*>& ordered);
  void assign_places(const std::vector<Node*>& ordered);
  support::Status attach(Edge& edge, uint64_t behind_frames);
  uint64_t sibling_distance(const Edge& edge) const;
  support::Status wire_demanded(uint64_t behind_frames);
  support::Status check_new_edges();
  using NodeSet = std::unordered_set<const Node*>;
  NodeSet demanded_nodes() const;
  NodeSet fed_nodes() const;
  bool is_retired(const Node& node) const;
  std::unique_ptr<LanePlan> plan_of(const Lane& lane) const;
  void publish_plans();
  bool has_seen(Lane& lane, uint64_t plan);
  bool is_detaching(const Edge& edge) const;
  void begin_detaching(Edge& edge);
  void keep_paced(const OutputPort& output);
  bool is_idle() const;
  void tend_edges();
  void tend_nodes();
  bool tend_node(LeavingNode& leaving);
  void forget(const Node& node);
  void erase_edges(const std::function<bool(const Edge&)>& is_gone);
  void take_back_announced();
  support::Status start_lane(Lane& lane);
  bool are_sinks_done() const;
  bool is_sink(const Node& node) const;
  bool is_source(const Node& node) const;
  bool is_stalled(int64_t now_ns);

  const EngineOptions options_;
  std::unique_ptr<Clock> clock_;
  std::unique_ptr<VirtualScheduler> scheduler_;
  Bell changes_;
  NodeServices services_;
  std::vector<Entry> entries_;
  std::vector<Node*> node_list_;
  std::vector<Node*> ordered_;
  NodeSet fed_;  // as of the newest plans
  std::vector<std::unique_ptr<Edge>> edges_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<LeavingEdge> leaving_edges_;
  std::vector<DetachingEdge> detaching_edges_;
  std::vector<LeavingNode> leaving_nodes_;
  uint64_t plan_number_ = 0;
  uint64_t last_serial_ = 0;
  std::string too_small_;
  std::vector<Edge*> too_early_;
  std::string memory_note_;
  uint64_t stall_wakes_ = 0;
  int64_t still_since_ns_ = kForever;
  bool is_started_ = false;
  bool is_watched_ = false;
  bool has_spare_lanes_ = false;  // that run nothing and have not ended
};

}  // namespace sluice::engine
