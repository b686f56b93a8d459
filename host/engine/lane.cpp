#include "host/engine/lane.hpp"

#include <poll.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "host/engine/net/network.hpp"
#include "host/engine/virtual_scheduler.hpp"
#include "host/support/audio_section.hpp"
#include "host/support/thread.hpp"

namespace sluice::engine {
namespace {

constexpr uint32_t kNever = UINT32_MAX;  // a threshold nobody reaches: do not wake me for this edge

template <typename Pointer>
void push_once(std::vector<Pointer>& list, Pointer item) {
  if (list.empty() || list.back() != item) list.push_back(item);
}

bool has_packets(const InputPort& port) {
  return std::any_of(port.edges.begin(), port.edges.end(),
                     [](const Edge* edge) { return edge->packets.available() != 0; });
}

}  // namespace

Lane::Lane(std::string name, Node* head, const NodeServices& services, const LaneOptions& options,
           VirtualScheduler* scheduler)
    : name_(std::move(name)),
      head_(head),
      services_(services),
      options_(options),
      scheduler_(scheduler),
      plan_(std::make_unique<LanePlan>()) {
  committed_.reserve(256);
  released_.reserve(256);
  news_.reserve(64);
  descriptors_.reserve(16);
}

Lane::~Lane() {
  join();
  delete offered_plan_.load(std::memory_order_acquire);
}

void Lane::offer_plan(std::unique_ptr<const LanePlan> plan) {
  delete offered_plan_.exchange(plan.release(), std::memory_order_acq_rel);
  wake();
}

void Lane::adopt_plan() {
  if (offered_plan_.load(std::memory_order_relaxed) == nullptr) return;
  const LanePlan* offered = offered_plan_.exchange(nullptr, std::memory_order_acq_rel);
  if (!offered) return;
  for (const auto& wiring : offered->inputs) wiring.port->edges = wiring.edges;
  for (const auto& wiring : offered->outputs) {
    wiring.port->edges = wiring.edges;
    wiring.port->has_remote_edges = wiring.has_remote_edges;
  }
  plan_.reset(offered);
  seen_plan_.store(offered->number, std::memory_order_release);
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

void Lane::join() {
  if (thread_.is_joinable()) thread_.join();
}

void Lane::wake() {
  if (scheduler_) {
    is_dirty_ = true;
    return;
  }
  bell_.ring();
}

// The life of a lane's thread: the head's run, then what its passive nodes still hold.
void Lane::body() {
  adopt_plan();
  if (head_) {
    head_->set_state(NodeState::kRunning, nullptr);
    is_head_running_ = true;
    const sluice_result result = head_->run();
    is_head_running_ = false;
    if (open_spans_ != 0) head_->violations.fetch_add(1, std::memory_order_relaxed);
    const bool is_failed = result != SLUICE_OK && result != SLUICE_ERROR_STOPPED;
    if (is_failed) {
      const support::Error error = head_->take_error(result, "run");
      head_->set_state(NodeState::kFailed, error.message.c_str());
    }
    head_->finish(is_failed ? NodeState::kFailed : NodeState::kFinished);
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

void Lane::progress() {
  const bool is_metered = is_metered_.load(std::memory_order_relaxed);
  for (bool has_moved = true; has_moved;) {
    has_moved = false;
    for (Node* node : plan_->steps) has_moved |= node->step(options_.block_frames, is_metered);
  }
  flush();
}

void Lane::note_commit(OutputPort& port) {
  if (port.has_remote_edges) push_once(committed_, &port);
}

void Lane::note_news(OutputPort& port) {
  if (port.has_remote_edges) push_once(news_, &port);
}

void Lane::note_release(InputPort& port) { push_once(released_, &port); }

void Lane::tell_upstream(InputPort& port, uint32_t code) {
  for (Edge* edge : port.edges) {
    edge->upstream.push(code);
    if (!edge->is_local) edge->from.node.lane->wake();
  }
}

// Wakes the lanes that wait for what this one has published. Their sleep is announced before their
// last look, our positions are published before this look, and a full fence stands between on both
// sides: one of the two sees the other.
void Lane::flush() {
  if (committed_.empty() && released_.empty() && news_.empty()) return;
  if (!scheduler_) full_fence();
  const auto rouse = [this](Lane* lane) {
    if (lane == this) return;
    if (scheduler_) {
      lane->is_dirty_ = true;
    } else if (lane->bell_.is_waiting()) {
      lane->bell_.ring();
    }
  };
  for (OutputPort* port : committed_) {
    for (Edge* edge : port->edges) {
      if (edge->is_local) continue;
      Lane* reader = edge->to.node.lane;
      if (port->is_ended || !port->is_pcm() ||
          edge->fill() >= edge->wanted_frames.load(std::memory_order_relaxed)) {
        rouse(reader);
      }
    }
  }
  for (OutputPort* port : news_) {
    for (Edge* edge : port->edges) {
      if (!edge->is_local) rouse(edge->to.node.lane);
    }
  }
  for (InputPort* port : released_) {
    for (Edge* edge : port->edges) {
      if (edge->is_local) continue;
      Lane* writer = edge->from.node.lane;
      if (edge->is_closed || !port->is_pcm()) {
        rouse(writer);
        continue;
      }
      const uint64_t room = edge->from.ring->capacity_frames() - edge->fill();
      if (room >= edge->wanted_room.load(std::memory_order_relaxed)) rouse(writer);
    }
  }
  committed_.clear();
  released_.clear();
  news_.clear();
}

bool Lane::is_ready(Node& node, sluice_wait_item& item) {
  item.ready = 0;
  switch (item.kind) {
    case SLUICE_WAIT_INPUT: {
      InputPort* port = node.input_at(item.port);
      if (!port) return false;
      if (!port->is_pcm()) {
        item.ready = has_packets(*port) || port->is_ended();
      } else {
        // After the end what is there is all there will be.
        const bool has_ended =
            std::all_of(port->edges.begin(), port->edges.end(), [](const Edge* edge) {
              return edge->is_closed || edge->from.marks.state().has_ended();
            });
        item.ready = has_ended || port->available() >= std::max(1U, item.amount);
      }
      break;
    }
    case SLUICE_WAIT_OUTPUT: {
      OutputPort* port = node.output_at(item.port);
      if (!port) return false;
      if (!port->is_pcm()) {
        item.ready = port->packet_ring->has_room(item.amount);
      } else {
        const uint32_t amount = std::clamp(item.amount, 1U, port->largest_wait_frames);
        item.ready = port->room(amount) >= amount;
        port->ring->end_write(0);
      }
      break;
    }
    case SLUICE_WAIT_STREAM:
      item.ready = services_.network->ready(item.object, item.amount);
      break;
    case SLUICE_WAIT_PARAMETERS:
      item.ready = node.take_parameter_change();
      break;
    case SLUICE_WAIT_MARKS: {
      const InputPort* port = node.input_at(item.port);
      item.ready = port && port->has_new_marks();
      break;
    }
    default:
      break;
  }
  return item.ready != 0;
}

bool Lane::evaluate(Node& node, std::span<sluice_wait_item> items) {
  bool is_any_ready = false;
  bool has_descriptors = false;
  for (sluice_wait_item& item : items) {
    if (item.kind == SLUICE_WAIT_DESCRIPTOR) {
      has_descriptors = true;
      item.ready = 0;
    } else {
      is_any_ready |= is_ready(node, item);
    }
  }
  if (!has_descriptors) return is_any_ready;
  for (sluice_wait_item& item : items) {
    if (item.kind != SLUICE_WAIT_DESCRIPTOR) continue;
    pollfd descriptor{item.descriptor, static_cast<short>(item.amount), 0};
    if (::poll(&descriptor, 1, 0) > 0) {
      item.ready = static_cast<uint16_t>(descriptor.revents);
      is_any_ready = true;
    }
  }
  return is_any_ready;
}

sluice_result Lane::wait(Node& node, std::span<sluice_wait_item> items, int64_t deadline_ns) {
  if (open_spans_ != 0) return SLUICE_ERROR_STATE;
  for (;;) {
    adopt_plan();
    progress();
    const bool is_any_ready = evaluate(node, items);
    if (is_stopping_.load(std::memory_order_acquire) ||
        is_head_stopping_.load(std::memory_order_acquire)) {
      return SLUICE_ERROR_STOPPED;
    }
    if (is_any_ready) return SLUICE_OK;
    if (deadline_ns != kForever && services_.clock->now_ns() >= deadline_ns) {
      return SLUICE_ERROR_TIMEOUT;
    }
    set_thresholds(&node, items);
    sleep(items, deadline_ns);
  }
}

// Says at each edge to other lanes from which fill on it is worth waking this one. A writer that
// could go on by a frame sleeps on until it can go on by half a ring: fewer, larger turns.
void Lane::set_thresholds(Node* node, std::span<const sluice_wait_item> items) {
  for (const auto& wiring : plan_->inputs) {
    uint32_t wanted = 1;
    if (&wiring.port->node == head_) {
      wanted = kNever;
      for (const sluice_wait_item& item : items) {
        if (node == head_ && item.kind == SLUICE_WAIT_INPUT &&
            item.port == wiring.port->port_index) {
          wanted = std::max(1U, item.amount);
        }
      }
    } else {
      wanted = wiring.port->node.wanted_frames(*wiring.port);
    }
    for (Edge* edge : wiring.edges) edge->wanted_frames.store(wanted, std::memory_order_relaxed);
  }
  for (const auto& wiring : plan_->outputs) {
    if (!wiring.has_remote_edges || !wiring.port->is_pcm()) continue;
    uint32_t wanted = 1;
    if (&wiring.port->node == head_) {
      wanted = kNever;
      for (const sluice_wait_item& item : items) {
        if (node == head_ && item.kind == SLUICE_WAIT_OUTPUT &&
            item.port == wiring.port->port_index) {
          wanted = std::clamp(item.amount, 1U, wiring.port->largest_wait_frames);
        }
      }
    }
    const auto half = static_cast<uint32_t>(std::min<uint64_t>(
        wiring.port->ring->capacity_frames() / 2, wiring.port->largest_wait_frames));
    const uint32_t comfortable = wanted == kNever ? kNever : std::max(wanted, half);
    for (Edge* edge : wiring.edges) {
      edge->least_room.store(wanted, std::memory_order_relaxed);
      edge->wanted_room.store(comfortable, std::memory_order_relaxed);
    }
  }
}

// A reader about to sleep for want of data must not find its writer sleeping in comfort.
void Lane::rouse_feeders() {
  for (const auto& wiring : plan_->inputs) {
    if (!wiring.port->is_pcm()) continue;
    for (Edge* edge : wiring.edges) {
      if (edge->is_local || edge->is_closed) continue;
      const uint64_t fill = edge->fill();
      if (fill >= edge->wanted_frames.load(std::memory_order_relaxed)) continue;
      if (edge->wanted_frames.load(std::memory_order_relaxed) == kNever) continue;
      Lane* writer = edge->from.node.lane;
      const uint64_t room = edge->from.ring->capacity_frames() - fill;
      if (room < edge->least_room.load(std::memory_order_relaxed)) continue;
      if (scheduler_) {
        writer->is_dirty_ = true;
      } else if (writer->bell_.is_waiting()) {
        writer->bell_.ring();
      }
    }
  }
}

void Lane::sleep(std::span<sluice_wait_item> items, int64_t deadline_ns) {
  if (scheduler_) {
    rouse_feeders();
    items_ = items;
    deadline_ns_ = deadline_ns;
    is_dirty_ = false;
    is_suspended_ = true;
    fiber_->suspend();
    is_suspended_ = false;
    return;
  }
  const bool needs_poll = std::any_of(items.begin(), items.end(), [](const sluice_wait_item& item) {
    return item.kind == SLUICE_WAIT_DESCRIPTOR || item.kind == SLUICE_WAIT_STREAM;
  });
  const auto ticket = needs_poll ? bell_.prepare_wait_descriptors() : bell_.prepare_wait();
  rouse_feeders();
  // The last look, after the announcement.
  progress();
  bool is_pointless = is_stopping_.load(std::memory_order_acquire) ||
                      (is_head_running_ && is_head_stopping_.load(std::memory_order_acquire)) ||
                      offered_plan_.load(std::memory_order_acquire) != nullptr;
  int64_t wake_ns = deadline_ns;
  descriptors_.clear();
  for (sluice_wait_item& item : items) {
    if (item.kind == SLUICE_WAIT_DESCRIPTOR) {
      descriptors_.push_back({item.descriptor, static_cast<short>(item.amount), 0});
    } else if (item.kind == SLUICE_WAIT_STREAM) {
      services_.network->poll_set(item.object, item.amount, descriptors_, wake_ns);
    } else if (item.kind == SLUICE_WAIT_PARAMETERS) {
      is_pointless |= head_ && head_->has_parameter_change();
    } else if (head_) {
      is_pointless |= is_ready(*head_, item);
    }
  }
  if (is_pointless) {
    bell_.cancel_wait();
    return;
  }
  waits_for_others_.store(wake_ns == kForever && !needs_poll, std::memory_order_release);
  if (needs_poll) {
    bell_.wait_descriptors(ticket, descriptors_, wake_ns);
  } else {
    bell_.wait(ticket, wake_ns);
  }
  waits_for_others_.store(false, std::memory_order_release);
  wakes_.fetch_add(1, std::memory_order_relaxed);
}

void Lane::cycle(const sluice_cycle& cycle) {
  const support::AudioSection section;
  adopt_plan();
  for (size_t i = 0; i < head_->outputs.size(); ++i) {
    const void* captured = cycle.captured ? cycle.captured[i] : nullptr;
    if (!captured) continue;
    OutputPort& port = *head_->outputs[i];
    const WriteSpan span = port.begin(cycle.frames);
    std::memcpy(span.data, captured, size_t{span.frames} * port.frame_bytes);
    if (is_metered()) port.meter.add(captured, cycle.frames, port.format);
    port.commit(span.frames, cycle.time_ns);
    if (span.frames < cycle.frames) port.drop(cycle.frames - span.frames, *this);
    note_commit(port);
  }
  const bool is_metered_now = is_metered();
  for (Node* node : plan_->steps) node->step(cycle.frames, is_metered_now);
  play(cycle);
  set_thresholds(nullptr, {});
  flush();
}

void Lane::play(const sluice_cycle& cycle) {
  bool is_over = !head_->inputs.empty();
  for (size_t i = 0; i < head_->inputs.size(); ++i) {
    InputPort& port = *head_->inputs[i];
    is_over &= port.is_ended();
    void* played = cycle.played ? cycle.played[i] : nullptr;
    if (!played) continue;
    auto* bytes = static_cast<std::byte*>(played);
    for (uint32_t done = 0; done < cycle.frames;) {
      const uint32_t part = std::min(cycle.frames - done, options_.block_frames);
      const InputView view = port.begin_filled(part);
      std::memcpy(bytes, view.data, size_t{view.frames} * port.frame_bytes);
      if (view.capture_ns != SLUICE_NO_TIME) {
        port.measured_latency_ns.store(cycle.time_ns - view.capture_ns, std::memory_order_relaxed);
      }
      port.end(view.frames);
      bytes += size_t{view.frames} * port.frame_bytes;
      done += view.frames;
    }
    note_release(port);
  }
  if (is_over && are_steps_done() && !is_done_.exchange(true, std::memory_order_acq_rel)) {
    services_.changes->ring_if_waiting();
  }
}

}  // namespace sluice::engine
