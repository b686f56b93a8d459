#include "host/engine/lane.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "host/engine/virtual_scheduler.hpp"
#include "host/support/audio_section.hpp"
#include "host/support/thread.hpp"

namespace sluice::engine {

Lane::Lane(std::string name, Node* head, const NodeServices& services, const LaneOptions& options,
           VirtualScheduler* scheduler)
    : name_(std::move(name)),
      head_(head),
      services_(services),
      options_(options),
      scheduler_(scheduler),
      plan_(std::make_unique<LanePlan>()),
      newest_plan_(plan_.get()),
      is_device_(head && head->is_device()) {
  descriptors_.reserve(Bell::kMaxDescriptors);
  places_.reserve(Bell::kMaxDescriptors);
}

Lane::~Lane() {
  join();
  delete offered_plan_.load(std::memory_order_acquire);
  free_retired_plans();
}

bool Lane::offer_plan(std::unique_ptr<const LanePlan> plan) {
  if (!std::exchange(has_new_policy_, false) && plan->is_like(*newest_plan_)) return false;
  newest_plan_ = plan.get();
  delete offered_plan_.exchange(plan.release(), std::memory_order_acq_rel);
  wake();
  return true;
}

void Lane::adopt_plan() {
  if (offered_plan_.load(std::memory_order_relaxed) == nullptr) return;
  const LanePlan* offered = offered_plan_.exchange(nullptr, std::memory_order_acq_rel);
  if (!offered) return;
  for (const auto& wiring : offered->inputs) {
    wiring.port->edges = wiring.edges;
    wiring.port->stays_open = wiring.stays_open;
    wiring.port->has_remote_edges = !wiring.remote_edges.empty();
    for (Edge* edge : wiring.edges) {
      edge->take_policy();
      edge->is_fed = true;
    }
    for (Edge* edge : wiring.unfed_edges) edge->is_fed = false;
    note_release(*wiring.port);
  }
  // Whoever became a reader before this lane knew of it may be asleep by now.
  for (const auto& wiring : offered->outputs) {
    wiring.port->edges = wiring.edges;
    wiring.port->has_remote_edges = !wiring.remote_edges.empty();
    note_news(*wiring.port);
  }
  is_settled_ = false;
  const LanePlan* retired = plan_.release();
  plan_.reset(offered);
  retired->next_retired = retired_plans_.load(std::memory_order_relaxed);
  while (!retired_plans_.compare_exchange_weak(retired->next_retired, retired,
                                               std::memory_order_acq_rel)) {
  }
  seen_plan_.store(offered->number, std::memory_order_release);
  if (services_.changes) services_.changes->ring_if_waiting();
}

void Lane::free_retired_plans() {
  const LanePlan* plan = retired_plans_.exchange(nullptr, std::memory_order_acq_rel);
  while (plan) delete std::exchange(plan, plan->next_retired);
}

support::Status Lane::start() {
  if (is_device()) return {};
  if (scheduler_) {
    fiber_ = std::make_unique<Fiber>([this] { body(); });
    scheduler_->add(*this);
    return {};
  }
  support::ThreadOptions thread;
  thread.name = name_;
  if (options_.priority > 0) {
    thread.scheduling = support::Scheduling::kFifo;
    thread.priority = options_.priority;
  }
  if (auto status = bell_.prepare_descriptors(); !status) return status;
  auto started = support::Thread::start(std::move(thread), [this] { body(); });
  if (!started) return std::move(started).error();
  thread_ = std::move(*started);
  return {};
}

void Lane::request_stop() {
  is_stopping_.store(true, std::memory_order_release);
  wake();
}

void Lane::request_head_stop() {
  is_head_stopping_.store(true, std::memory_order_release);
  wake();
}

uint32_t Lane::raise_priority(uint32_t priority, const char** why_not) {
  *why_not = "";
  if (scheduler_) return 0;
  const auto wanted = static_cast<int>(priority);
  if (support::real_time_priority() < wanted) {
    raised_ = support::set_scheduling(support::Scheduling::kFifo, wanted);
    *why_not = raised_.why_not.c_str();
  }
  return static_cast<uint32_t>(support::real_time_priority());
}

support::SchedulingOutcome Lane::scheduling() const {
  if (thread_.is_joinable()) return thread_.scheduling();
  const int obtained = driver_priority_.load(std::memory_order_relaxed);
  return obtained < 0 ? support::SchedulingOutcome{}
                      : support::outcome_of(options_.priority, obtained);
}

void Lane::join() {
  if (thread_.is_joinable()) thread_.join();
}

void Lane::wake() {
  is_called_.store(true, std::memory_order_release);
  if (scheduler_) {
    is_dirty_ = true;
    return;
  }
  bell_.ring();
}

// The life of a lane's thread: the head's run, then what its passive nodes still hold.
void Lane::body() {
  adopt_plan();
  if (Node* const head = head_) {
    // Who said while preparing that it waits for something goes on waiting.
    if (head->state() == NodeState::kStarting) head->set_state(NodeState::kRunning, nullptr);
    runner_ = head;
    const sluice_result result = head->run();
    runner_ = nullptr;
    if (open_spans_ != 0) head->violations.fetch_add(1, std::memory_order_relaxed);
    open_spans_ = 0;
    const bool is_failed = result != SLUICE_OK && result != SLUICE_ERROR_STOPPED;
    if (is_failed) {
      const support::Error error = head->take_error(result, "run");
      head->set_state(NodeState::kFailed, error.message.c_str());
    }
    head->finish(is_failed ? NodeState::kFailed : NodeState::kFinished);
    flush();
  }
  drain();
  for (Node* node : plan_->steps) {
    if (!node->is_finished()) node->finish(NodeState::kFinished);
  }
  flush();
  is_done_.store(true, std::memory_order_release);
  if (services_.changes) services_.changes->ring_if_waiting();
}

void Lane::drain() {
  for (;;) {
    adopt_plan();
    progress();
    if (is_stopping_.load(std::memory_order_acquire) || are_steps_done()) return;
    set_thresholds(nullptr, {});
    sleep({}, kForever);
  }
}

bool Lane::are_steps_done() const {
  return std::all_of(plan_->steps.begin(), plan_->steps.end(),
                     [](const Node* node) { return node->is_finished(); });
}

// Runs the steps until none of them can go on.
bool Lane::progress() {
  if (is_called_.load(std::memory_order_relaxed) &&
      is_called_.exchange(false, std::memory_order_acquire)) {
    is_settled_ = false;
  }
  const bool has_moved = (!is_settled_ || plan_->depends_on_others) && run_steps();
  flush();
  return has_moved;
}

// A pass in topological order takes what has come all the way through. Where a step has used up its
// room the next pass goes the other way, as room comes from behind: passing on a whole chain of
// full rings takes one pass then, not one for each step.
bool Lane::run_steps() {
  const support::AudioSection section;
  const bool is_metered = is_metered_.load(std::memory_order_relaxed);
  const std::span<Node* const> steps = plan_->steps;
  bool has_moved = false;
  bool is_backward = false;
  bool is_blocked = false;
  for (bool goes_on = true; goes_on; is_backward = is_blocked) {
    goes_on = is_blocked = false;
    for (size_t i = 0; i < steps.size(); ++i) {
      Node& node = *steps[is_backward ? steps.size() - 1 - i : i];
      const uint32_t outcome = node.step(options_.block_frames, is_metered);
      if ((outcome & Node::kMoved) != 0) {
        has_moved = true;
        goes_on |= is_blocked || is_backward;
      }
      goes_on |= (outcome & Node::kAgain) != 0;
      is_blocked |= (outcome & Node::kBlocked) != 0;
    }
    goes_on |= std::exchange(has_told_steps_, false);
  }
  is_settled_ = !is_blocked;
  return has_moved;
}

// A sound system's threads are made by its library, each time a device is opened.
void Lane::raise_driver() {
  static thread_local int asked_for = 0;
  if (asked_for == options_.priority) return;
  asked_for = options_.priority;
  driver_priority_.store(support::raise_to_real_time(asked_for), std::memory_order_relaxed);
}

void Lane::cycle(Node& device, const sluice_cycle& cycle) {
  runner_ = &device;
  if (options_.priority > 0 && !scheduler_) raise_driver();
  {
    const support::AudioSection section;
    adopt_plan();
    capture(cycle);
    const bool is_metered_now = is_metered();
    for (Node* node : plan_->steps) node->step(cycle.frames, is_metered_now);
    play(cycle);
    set_thresholds(nullptr, {});
  }
  flush();
}

void Lane::capture(const sluice_cycle& cycle) {
  for (size_t i = 0; i < runner_->outputs.size(); ++i) {
    const auto* captured =
        static_cast<const std::byte*>(cycle.captured ? cycle.captured[i] : nullptr);
    if (!captured) continue;
    OutputPort& port = *runner_->outputs[i];
    if (is_metered()) port.meter.add(captured, cycle.frames, port.format);
    const WriteSpan span = port.begin(cycle.frames);
    if (span.frames != 0) {
      std::memcpy(span.data, captured, size_t{span.frames} * port.frame_bytes);
      port.commit(span.frames, cycle.time_ns);
    }
    if (span.frames < cycle.frames) port.drop(cycle.frames - span.frames);
    note_news(port);
  }
}

void Lane::play(const sluice_cycle& cycle) {
  bool is_over = !runner_->inputs.empty();
  for (size_t i = 0; i < runner_->inputs.size(); ++i) {
    InputPort& port = *runner_->inputs[i];
    is_over &= port.is_ended();
    auto* played = static_cast<std::byte*>(cycle.played ? cycle.played[i] : nullptr);
    if (!played) continue;
    for (uint32_t done = 0; done < cycle.frames;) {
      const InputView view = port.begin_filled(cycle.frames - done);
      std::memcpy(played, view.data, size_t{view.frames} * port.frame_bytes);
      if (view.capture_ns != SLUICE_NO_TIME) {
        port.measured_latency_ns.store(cycle.time_ns - view.capture_ns, std::memory_order_relaxed);
      }
      port.end(view.frames);
      played += size_t{view.frames} * port.frame_bytes;
      done += view.frames;
    }
    note_release(port);
  }
  if (is_over && are_steps_done() && !is_done_.exchange(true, std::memory_order_acq_rel)) {
    services_.changes->ring_if_waiting();
  }
}

}  // namespace sluice::engine
