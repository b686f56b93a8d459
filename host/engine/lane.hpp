// What one thread runs: a device or threaded node, or none (a mixing lane), and the passive nodes
// that belong to it.
#pragma once

#include <sluice/plugin.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host/engine/fiber.hpp"
#include "host/engine/node.hpp"
#include "host/engine/ring/bell.hpp"
#include "host/support/result.hpp"
#include "host/support/thread.hpp"

namespace sluice::engine {

class VirtualScheduler;

// Order and wiring of one lane: immutable, made by the control thread, put into force by the lane.
struct LanePlan {
  uint64_t number = 0;
  std::vector<Node*> steps;  // passive nodes, in topological order
  // Other lanes can give a step something to do without this lane's being told at once.
  bool depends_on_others = false;
  struct InputWiring {
    InputPort* port;
    bool stays_open;  // without edges it is silent, not ended
    std::vector<Edge*> edges;
    std::vector<Edge*> remote_edges;  // of these, from other lanes
    std::vector<Edge*> unfed_edges;   // of these, from nodes that nothing feeds

    friend bool operator==(const InputWiring& a, const InputWiring& b) = default;
  };
  struct OutputWiring {
    OutputPort* port;
    std::vector<Edge*> edges;
    std::vector<Edge*> remote_edges;  // of these, to other lanes

    friend bool operator==(const OutputWiring& a, const OutputWiring& b) = default;
  };
  std::vector<InputWiring> inputs;
  std::vector<OutputWiring> outputs;
  mutable const LanePlan* next_retired = nullptr;  // by the lane, until the control thread frees it

  // The same order and wiring, whatever its number.
  bool is_like(const LanePlan& other) const {
    return steps == other.steps && depends_on_others == other.depends_on_others &&
           inputs == other.inputs && outputs == other.outputs;
  }
};

struct LaneOptions {
  uint32_t block_frames = 1024;
  int priority = 0;  // SCHED_FIFO priority wanted for whoever runs the lane; 0: ordinary
};

class Lane {
 public:
  // `head` is null for a mixing lane. `scheduler` is null in real time.
  Lane(std::string name, Node* head, const NodeServices& services, const LaneOptions& options,
       VirtualScheduler* scheduler);
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;
  ~Lane();

  const std::string& name() const { return name_; }
  // [control]
  Node* head() const { return head_; }
  bool is_device() const { return is_device_; }
  // The head has ended and is about to be destroyed; its steps stay. [control]
  void forget_head() { head_ = nullptr; }

  // Hands over a plan; the lane takes it up at its next wait or cycle. One like the newest is
  // dropped, and the lane goes on undisturbed, unless an edge has another policy: false. [control]
  bool offer_plan(std::unique_ptr<const LanePlan> plan);
  // An edge that the lane reads has another policy, to be taken up with the next plan. [control]
  void note_policy() { has_new_policy_ = true; }
  bool has_new_policy() const { return has_new_policy_; }
  // Number of the newest plan that was not dropped. [control]
  uint64_t offered_plan() const { return newest_plan_->number; }
  // Number of the plan in force. [any]
  uint64_t seen_plan() const { return seen_plan_.load(std::memory_order_acquire); }
  // Takes up the newest plan, if there is one: the lane itself, or [control] on behalf of one whose
  // thread does not run or is suspended. Frees nothing.
  void adopt_plan();
  // Frees the plans that the lane is done with. [control]
  void free_retired_plans();
  const LanePlan& plan() const { return *plan_; }

  // [control]
  // Starts the thread (not for devices: theirs is the driver's).
  support::Status start();
  // Every wait answers SLUICE_ERROR_STOPPED from now on.
  void request_stop();
  // The same for the head alone: its passive nodes still drain.
  void request_head_stop();
  void join();
  // The head has returned (or a device's inputs have ended) and all passive nodes are done. [any]
  bool is_done() const { return is_done_.load(std::memory_order_acquire); }
  // Sleeps without a deadline and without a descriptor, as it did `wakes()` wakes ago. [any]
  bool is_waiting_for_others() const { return waits_for_others_.load(std::memory_order_acquire); }
  uint64_t wakes() const { return wakes_.load(std::memory_order_relaxed); }
  // What the lane's thread got; that of a device, the driver's, is known from its first cycle on.
  // Ordinary scheduling until then and in virtual time. [control]
  support::SchedulingOutcome scheduling() const;
  void set_metered(bool is_metered) { is_metered_.store(is_metered, std::memory_order_relaxed); }
  bool is_metered() const { return is_metered_.load(std::memory_order_relaxed); }

  // Bookkeeping of the control thread.
  void set_device_started() { has_started_device_ = true; }
  void set_device_stopped() { has_started_device_ = false; }
  bool has_started_device() const { return has_started_device_; }

  // Wakes the lane if it sleeps. [any]
  void wake();

  // The rest is for the lane's own thread.
  sluice_result wait(Node& node, std::span<sluice_wait_item> items, int64_t deadline_ns);
  void cycle(Node& device, const sluice_cycle& cycle);
  // Remembers whom to wake; the waking is done in one go when the lane has done what it can.
  void note_commit(OutputPort& port) {
    is_settled_ = false;
    if (port.has_remote_edges) port.has_commits = has_news_ = true;
  }
  // A mark or an end.
  void note_news(OutputPort& port) {
    is_settled_ = false;
    if (port.has_remote_edges) port.has_marks = has_news_ = true;
  }
  void note_release(InputPort& port) {
    is_settled_ = false;
    if (port.has_remote_edges) port.has_releases = has_news_ = true;
  }
  void tell_upstream(InputPort& port, uint32_t code);
  void note_span(int change) { open_spans_ += change; }
  // As sluice_thread_host.raise_priority says.
  uint32_t raise_priority(uint32_t priority, const char** why_not);

  // For the scheduler: whether resuming the lane's fiber could achieve anything, and when it should
  // be resumed at the latest.
  bool is_dirty() const { return is_dirty_; }
  void set_dirty() { is_dirty_ = true; }
  int64_t deadline_ns() const { return deadline_ns_; }
  bool is_suspended() const { return is_suspended_; }
  std::span<const sluice_wait_item> waiting_for() const { return items_; }
  Fiber* fiber() const { return fiber_.get(); }

 private:
  void body();
  bool progress();
  bool run_steps();
  void flush();
  void rouse(Lane& lane);
  bool are_steps_done() const;
  bool evaluate(Node& node, std::span<sluice_wait_item> items, int64_t deadline_ns);
  bool is_late(int64_t deadline_ns) const;
  bool nap(int64_t deadline_ns);
  void note_polled(std::span<sluice_wait_item> items, Bell::Woken woken);
  bool is_ready(Node& node, sluice_wait_item& item);
  void set_thresholds(Node* node, std::span<const sluice_wait_item> items);
  void rouse_feeders();
  void end_starving();
  void sleep(std::span<sluice_wait_item> items, int64_t deadline_ns);
  void raise_driver();
  void capture(const sluice_cycle& cycle);
  void play(const sluice_cycle& cycle);
  void drain();

  const std::string name_;
  Node* head_;              // [control]
  Node* runner_ = nullptr;  // the head while it runs; lane's own
  const NodeServices& services_;
  const LaneOptions options_;
  VirtualScheduler* const scheduler_;

  Bell bell_;
  std::atomic<const LanePlan*> offered_plan_{nullptr};
  std::unique_ptr<const LanePlan> plan_;
  const LanePlan* newest_plan_;  // offered or in force; freed by the control thread alone [control]
  bool has_new_policy_ = false;  // [control]
  std::atomic<const LanePlan*> retired_plans_{nullptr};
  std::atomic<uint64_t> seen_plan_{0};

  std::atomic<bool> is_called_{false};  // by wake(): whatever it was for, the steps take a look
  std::atomic<bool> is_stopping_{false};
  std::atomic<bool> is_head_stopping_{false};
  const bool is_device_;
  std::atomic<int> driver_priority_{-1};  // that the thread of the device has; -1: not known yet
  bool has_started_device_ = false;
  std::atomic<bool> is_done_{false};
  std::atomic<bool> is_metered_{false};
  std::atomic<bool> waits_for_others_{false};
  std::atomic<uint64_t> wakes_{0};
  support::Thread thread_;
  std::unique_ptr<Fiber> fiber_;

  // Lane's own.
  bool has_news_ = false;        // some port has something to tell other lanes
  bool has_told_steps_ = false;  // an upstream code went to a step of this lane
  bool is_settled_ = false;      // no step can go on before something else in this lane moves
  std::vector<pollfd> descriptors_;
  std::vector<size_t> places_;  // of the node's own descriptors among them
  // What is known of them: nothing yet, what a sleep has just seen, or nothing though one has
  // ended.
  enum class Polled : uint8_t { kNo, kYes, kOwed };
  Polled polled_ = Polled::kNo;
  support::SchedulingOutcome raised_;  // by the node itself
  int open_spans_ = 0;
  bool is_dirty_ = true;
  bool is_suspended_ = false;
  int64_t deadline_ns_ = kForever;
  std::span<sluice_wait_item> items_;
};

}  // namespace sluice::engine
