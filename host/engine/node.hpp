// One instance of a type in a running graph, and the host as its plugin sees it.
#pragma once

#include <sluice/plugin.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "host/engine/clock.hpp"
#include "host/engine/port.hpp"
#include "host/support/result.hpp"

namespace sluice::engine {

class Bell;
class Lane;
class Network;

// A flag of the host's own in sluice_type.flags: a passive node that may keep its thread waiting
// for a while, for another process, so its lane is for it and what it alone feeds.
inline constexpr uint32_t kTypeIsApart = 1U << 31U;

// The value of one parameter, complete and within its range.
struct ParameterValue {
  double number = 0.0;
  std::string text;
  std::vector<double> list;
  uint32_t rows = 0;
};

enum class NodeState : uint8_t {
  kStarting = SLUICE_STATE_STARTING,
  kWaiting = SLUICE_STATE_WAITING,
  kRunning = SLUICE_STATE_RUNNING,
  kDegraded = SLUICE_STATE_DEGRADED,
  kLost = SLUICE_STATE_LOST,
  kAsleep = SLUICE_STATE_ASLEEP,
  kFinished,
  kFailed,
};
const char* name_of(NodeState state);

// Where the nodes' words go. [any]
class NodeLog {
 public:
  virtual ~NodeLog() = default;
  virtual void write(const std::string& node, uint32_t level, const std::string& sentence) = 0;
};

// What every node of an engine shares. Owned by the engine, outlives the nodes.
struct NodeServices {
  Clock* clock = nullptr;
  Network* network = nullptr;
  NodeLog* log = nullptr;
  Bell* changes = nullptr;  // rung when a node or lane ends
};

class Node {
 public:
  // `type` must outlive the node; `values` has one entry for each parameter of it.
  Node(std::string id, const sluice_type& type, std::vector<ParameterValue> values,
       const NodeServices& services);
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node();

  // Calls of the plugin that may fail; the error holds the plugin's sentence. [control]
  support::Status create();
  support::Result<sluice_port_info> describe(uint32_t port,
                                             std::span<const sluice_format> input_formats);
  support::Status prepare(sluice_setup& setup);
  support::Status start_device();
  void stop_device();
  void release();

  const std::string& id() const { return id_; }
  const sluice_type& type() const { return type_; }
  bool is_passive() const { return type_.execution == SLUICE_EXECUTION_PASSIVE; }
  // Preparing it opens nothing that others could notice.
  bool tells_latency_unopened() const {
    return is_passive() && !inputs.empty() && !outputs.empty();
  }
  bool is_threaded() const { return type_.execution == SLUICE_EXECUTION_THREADED; }
  bool is_device() const { return type_.execution == SLUICE_EXECUTION_DEVICE; }
  bool is_apart() const { return (type_.flags & kTypeIsApart) != 0; }
  bool has_equal_counts() const { return has_equal_counts_; }

  std::vector<std::unique_ptr<InputPort>> inputs;
  std::vector<std::unique_ptr<OutputPort>> outputs;
  // By index in the type's array of ports; null for ports of the other direction or out of range.
  InputPort* input_at(uint32_t port) const;
  OutputPort* output_at(uint32_t port) const;

  // A clock moves frames through one of its ports, so nobody may wait for long. Set by who knows
  // the clocks, before the start and when they change. [any]
  std::atomic<bool> is_clocked{false};

  // Seconds by which its slowest path from a source lags; see layout.hpp.
  double lag_s = 0.0;

  // In force, no longer just announced. By the engine [control]
  bool is_running = false;

  // The lane that runs the node; set with a plan, read by the node's own calls.
  Lane* lane = nullptr;

  // What became of one step.
  enum Outcome : uint32_t {
    kIdle = 0,
    kMoved = 1,    // something was consumed, produced, delivered or ended
    kAgain = 2,    // it could go on at once
    kBlocked = 4,  // it has used up the room of an output: it may go on when that is read
  };
  // Runs a passive node once, inside an AudioSection; a mask of Outcome. [audio]
  uint32_t step(uint32_t block_frames, bool is_metered);
  // Whether something other than its inputs and outputs is a reason to call it. [any]
  bool has_events() const {
    return parameters_changed_.load(std::memory_order_relaxed) ||
           has_upstream_news.load(std::memory_order_relaxed);
  }
  // Runs a threaded node to its end. [worker]
  sluice_result run();

  // Frames a passive node waits for at one of its inputs; at least 1. Node's lane.
  uint32_t wanted_frames(const InputPort& port) const;

  // Done: no more calls of process, or run has returned. Written by the node's lane.
  bool is_finished() const { return is_finished_.load(std::memory_order_acquire); }
  // Ends the outputs and lets go of the inputs. Node's lane.
  void finish(NodeState state);

  // Changes a live parameter; takes effect at the node's next block or wait. [control]
  support::Status set_parameter(uint32_t index, double value);
  // Skips the wait before it tries again what has failed. Error: it never tries again by itself, or
  // there is no such wait now. [control]
  support::Status retry();
  const ParameterValue& initial_value(uint32_t index) const { return parameters_[index].initial; }
  double current_number(uint32_t index) const {
    return parameters_[index].number.load(std::memory_order_relaxed);
  }

  NodeState state() const { return state_.load(std::memory_order_acquire); }
  std::string sentence() const;  // why it is in that state; [any]
  uint64_t slot(uint32_t statistic) const {
    return std::atomic_ref<const uint64_t>(slots_[statistic].word).load(std::memory_order_relaxed);
  }

  // Time spent in process, and calls; counted while metered.
  std::atomic<uint64_t> busy_ns{0};
  std::atomic<uint64_t> calls{0};
  // Blocks that broke the contract.
  std::atomic<uint64_t> violations{0};

  // What a node that this one replaces had counted: added to its own in snapshots. Counters of its
  // type's statistics by index. [control]
  struct Carried {
    std::vector<uint64_t> statistics;
    uint64_t calls = 0, busy_ns = 0, violations = 0;
  };
  const Carried& carried() const { return carried_; }
  // Goes on counting where `before`, which it replaces, is now. [control]
  void continue_from(const Node& before);

  // Goes on from the state of `before`, of the same type, as soon as this one is prepared, if its
  // plugin hands that over (sluice/state.h). `before` outlives that. [control]
  void inherit(const Node& before) { predecessor_ = &before; }

  // A reader has pushed a code into the queue of an edge of this node; its lane looks. [any]
  std::atomic<bool> has_upstream_news{false};
  // Packets put or taken by its own calls. Node's lane.
  uint64_t packet_moves = 0;

  // Logs, once, why a passive node failed: process may not do so itself. [control]
  void tell_failure();

  // Used by the host tables.
  const NodeServices& services() const { return services_; }
  support::Error take_error(sluice_result result, const char* doing);
  void fail(sluice_result result, const char* sentence);
  void set_state(NodeState state, const char* sentence);
  sluice_result value(uint32_t index, sluice_value& value) const;
  sluice_slot* slots() { return slots_.data(); }
  bool take_parameter_change() {
    return parameters_changed_.exchange(false, std::memory_order_acquire);
  }
  bool has_parameter_change() const { return parameters_changed_.load(std::memory_order_acquire); }
  bool take_retry() { return is_asked_to_retry_.exchange(false, std::memory_order_acquire); }
  bool is_asked_to_retry() const { return is_asked_to_retry_.load(std::memory_order_acquire); }
  const sluice_host* host() const { return &host_; }
  // The node in front of whose process, run or cycle a host function was called.
  static Node& of(const sluice_host* host) { return *static_cast<Node*>(host->context); }

 private:
  struct Parameter {
    ParameterValue initial;
    std::atomic<double> number{0.0};
    std::atomic<bool> is_changed{false};
  };

  static constexpr size_t kMaxEvents = 64;

  // The first function that the node's table lacks; null if it is complete.
  const char* missing_function() const;
  bool offer_inputs(uint32_t block_frames);
  bool offer_outputs(uint32_t block_frames);
  uint32_t useful_room(uint32_t limit) const;
  bool is_abandoned() const;
  void release_inputs();
  void take_state_of(const Node& before);
  void collect_events();
  void add_event(const sluice_event& event);
  void forward_marks(const sluice_input& in);
  uint32_t settle(sluice_status status, bool is_metered);
  uint32_t settle_outputs(bool is_metered);
  uint32_t settle_inputs(sluice_status status, uint32_t moved);

  const std::string id_;
  const sluice_type& type_;
  const bool has_equal_counts_;
  const NodeServices& services_;
  sluice_host host_{};
  sluice_node* node_ = nullptr;
  const sluice_passive* passive_ = nullptr;
  sluice_status (*process_)(sluice_node*, sluice_block*) = nullptr;  // of passive_
  const sluice_threaded* threaded_ = nullptr;
  const sluice_device* device_ = nullptr;
  bool is_prepared_ = false;
  const Node* predecessor_ = nullptr;

  std::vector<Parameter> parameters_;
  std::atomic<bool> parameters_changed_{false};
  std::atomic<bool> is_asked_to_retry_{false};
  std::vector<sluice_slot> slots_;

  std::atomic<bool> is_finished_{false};
  std::atomic<NodeState> state_{NodeState::kStarting};
  mutable std::mutex sentence_mutex_;
  std::string sentence_;

  Carried carried_;
  std::string error_sentence_;  // of a failing call, until take_error
  // The literal of a fail() from an audio call.
  std::atomic<const char*> audio_sentence_{nullptr};
  bool has_told_failure_ = false;

  // Scratch of step().
  sluice_block block_{};
  std::vector<sluice_input> block_inputs_;
  std::vector<sluice_output> block_outputs_;
  std::array<sluice_event, kMaxEvents> events_{};
  std::vector<uint32_t> wanted_;
  std::vector<uint32_t> offered_limit_;
};

// An error with the node's id in front.
support::Error error_in(const Node& node, support::Error error);

// The extension tables of the host, defined in host_tables.cpp.
const void* host_extension(const sluice_host* host, const char* id);
void fill_host(sluice_host& host, Node& node);

}  // namespace sluice::engine
