#include "host/engine/engine.hpp"

#include <algorithm>
#include <cstring>
#include <sluice/describe.hpp>
#include <utility>

#include "host/engine/layout.hpp"
#include "host/engine/net/network.hpp"

namespace sluice::engine {
namespace {

// A stall is reported when nothing has moved for so many looks, each kLookNs apart.
constexpr int kStallLooks = 5;
constexpr int64_t kLookNs = 100'000'000;

support::Error in_node(const Node& node, support::Error error) {
  error.message = node.id() + ": " + error.message;
  return error;
}

support::Error too_many_readers(const OutputPort& output) {
  return {support::ErrorCode::kNoMemory, output.node.id() + "." + output.declaration.key +
                                             " has more than " + std::to_string(kMaxCursors) +
                                             " readers; split them over several outputs."};
}

}  // namespace

Engine::Engine(EngineOptions options) : options_(options) {
  if (options_.time == TimeMode::kVirtual) {
    auto clock = std::make_unique<VirtualClock>();
    scheduler_ = std::make_unique<VirtualScheduler>(*clock, options_.network);
    clock_ = std::move(clock);
  } else {
    clock_ = std::make_unique<MonotonicClock>();
  }
  services_ = {clock_.get(), options_.network, options_.log, &changes_};
}

Engine::~Engine() { stop(); }

support::Result<Node*> Engine::add(std::string id, const sluice_type& type,
                                   std::vector<ParameterValue> values, uint64_t seed) {
  auto node = std::make_unique<Node>(std::move(id), type, std::move(values), services_);
  if (auto status = node->create(); !status) return in_node(*node, std::move(status).error());
  Node* made = node.get();
  entries_.push_back({std::move(node), seed});
  node_list_.push_back(made);
  return made;
}

Node* Engine::find(std::string_view id) const {
  const auto found = std::find_if(node_list_.begin(), node_list_.end(),
                                  [&](const Node* node) { return node->id() == id; });
  return found == node_list_.end() ? nullptr : *found;
}

Edge& Engine::connect(OutputPort& from, InputPort& to, const EdgeOptions& options) {
  edges_.push_back(std::make_unique<Edge>(from, to, options));
  return *edges_.back();
}

bool Engine::is_connected(const InputPort& port) const {
  return std::any_of(edges_.begin(), edges_.end(),
                     [&](const auto& edge) { return &edge->to == &port; });
}

bool Engine::is_source(const Node& node) const {
  return std::none_of(edges_.begin(), edges_.end(),
                      [&](const auto& edge) { return &edge->to.node == &node; });
}

bool Engine::is_sink(const Node& node) const {
  return std::none_of(edges_.begin(), edges_.end(),
                      [&](const auto& edge) { return &edge->from.node == &node; });
}

support::Status Engine::prepare_node(Node& node) {
  const sluice_type& type = node.type();
  std::vector<sluice_port_setup> ports(type.port_count);
  for (auto& port : ports) port.struct_size = sizeof(port);
  for (const auto& input : node.inputs) {
    ports[input->port_index].format = input->format;
    ports[input->port_index].is_connected = is_connected(*input);
  }
  for (const auto& output : node.outputs) {
    ports[output->port_index].format = output->format;
    ports[output->port_index].is_connected =
        std::any_of(edges_.begin(), edges_.end(),
                    [&](const auto& edge) { return &edge->from == output.get(); });
  }
  sluice_setup setup{};
  setup.struct_size = sizeof(setup);
  setup.mode = options_.is_offline ? SLUICE_MODE_OFFLINE : SLUICE_MODE_REAL_TIME;
  setup.block_frames = options_.block_frames;
  setup.port_count = type.port_count;
  setup.ports = ports.data();
  for (const Entry& entry : entries_) {
    if (entry.node.get() == &node) setup.seed = entry.seed;
  }
  if (auto status = node.prepare(setup); !status) return in_node(node, std::move(status).error());
  for (const auto& input : node.inputs) {
    const sluice_port_setup& port = ports[input->port_index];
    input->hold_frames = port.hold_frames;
    input->max_block_frames = port.max_block_frames;
    const double wish_ms = std::max({port.minimum_ms, port.target_ms, port.maximum_ms});
    input->wished_frames =
        input->is_pcm() ? ms_to_frames(wish_ms, std::max(1U, input->format.rate_hz)) : 0;
  }
  for (const auto& output : node.outputs) {
    output->latency_frames = ports[output->port_index].latency_frames;
    output->max_block_frames = ports[output->port_index].max_block_frames;
  }
  return {};
}

support::Status Engine::make_rings() {
  const SizingOptions sizing{options_.block_frames,
                             options_.is_offline ? 0.0 : options_.crossing_ms};
  accumulate_lags(ordered_, edges_);
  for (Node* node : ordered_) {
    for (const auto& output : node->outputs) {
      if (!output->is_pcm()) {
        auto ring = PacketRing::create({});
        if (!ring) return in_node(*node, std::move(ring).error());
        output->packet_ring = std::move(*ring);
        continue;
      }
      output->frame_bytes = frame_bytes(output->format);
      const RingSize size = ring_size(*output, edges_, sizing);
      const std::string name = node->id() + "." + output->declaration.key;
      auto ring = Ring::create({.frame_bytes = output->frame_bytes,
                                .minimum_frames = size.frames,
                                .live = output->is_live,
                                .name = name.c_str()});
      if (!ring) return in_node(*node, std::move(ring).error());
      output->ring = std::move(*ring);
      const uint64_t free_frames = output->ring->capacity_frames() - size.held_frames;
      output->largest_wait_frames =
          static_cast<uint32_t>(std::min<uint64_t>(free_frames, UINT32_MAX));
      if (const int error = output->ring->lock_error(); error != 0 && memory_note_.empty()) {
        memory_note_ = std::string("Audio memory is not locked (") + std::strerror(error) +
                       "): under memory pressure audio may stutter; raise the memlock limit.";
      }
    }
  }
  for (const auto& edge : edges_) {
    Edge& e = *edge;
    if (!e.from.is_pcm()) {
      if (e.packets.attach_at(*e.from.packet_ring, 0, CursorPolicy::kWait) !=
          AttachStatus::kAttached) {
        return too_many_readers(e.from);
      }
      e.marks = MarkReader(e.from.marks, 0);
      continue;
    }
    const auto policy =
        e.options.when_full == WhenFull::kSkip ? CursorPolicy::kSkip : CursorPolicy::kWait;
    if (e.cursor.attach_at(*e.from.ring, 0, policy, e.options.target_frames) !=
        AttachStatus::kAttached) {
      return too_many_readers(e.from);
    }
    e.marks = MarkReader(e.from.marks, 0);
    e.slot = e.cursor.slot();
    const double gain = from_db(e.options.gain_db);
    e.gain_target = static_cast<float>(gain);
    e.gain.reset(static_cast<double>(e.gain_target.load()), e.from.format.rate_hz);
    e.presence.reset(1.0, e.from.format.rate_hz);
    e.last_frame.assign(e.from.format.channels, 0.0F);
  }
  for (Node* node : ordered_) {
    for (const auto& input : node->inputs) {
      if (input->is_pcm()) input->frame_bytes = frame_bytes(input->format);
      input->prepare(static_cast<uint32_t>(
          std::min<uint64_t>(options_.block_frames + input->hold_frames, UINT32_MAX)));
    }
  }
  return {};
}

void Engine::make_lanes() {
  const LaneOptions lane_options{options_.block_frames, options_.priority};
  const auto layouts = assign_lanes(ordered_, edges_);
  for (const LaneLayout& layout : layouts) {
    auto lane =
        std::make_unique<Lane>(layout.name, layout.head, services_, lane_options, scheduler_.get());
    if (layout.head) layout.head->lane = lane.get();
    for (Node* node : layout.steps) node->lane = lane.get();
    lanes_.push_back(std::move(lane));
  }
  for (const auto& edge : edges_) edge->is_local = edge->from.node.lane == edge->to.node.lane;
}

support::Status Engine::prepare() {
  ordered_ = topological_order(node_list_, edges_);
  for (Node* node : ordered_) {
    if (auto status = prepare_node(*node); !status) return status;
  }
  make_lanes();
  if (auto status = make_rings(); !status) return status;
  const auto layouts = assign_lanes(ordered_, edges_);
  for (size_t i = 0; i < lanes_.size(); ++i) {
    auto plan = std::make_unique<LanePlan>();
    plan->number = 1;
    plan->steps = layouts[i].steps;
    std::vector<Node*> members = layouts[i].steps;
    if (layouts[i].head) members.push_back(layouts[i].head);
    for (Node* node : members) {
      for (const auto& input : node->inputs) {
        LanePlan::InputWiring wiring{input.get(), {}};
        for (const auto& edge : edges_) {
          if (&edge->to == input.get()) wiring.edges.push_back(edge.get());
        }
        plan->inputs.push_back(std::move(wiring));
      }
      for (const auto& output : node->outputs) {
        LanePlan::OutputWiring wiring{output.get(), {}, false};
        for (const auto& edge : edges_) {
          if (&edge->from != output.get()) continue;
          wiring.edges.push_back(edge.get());
          wiring.has_remote_edges |= !edge->is_local;
        }
        plan->outputs.push_back(std::move(wiring));
      }
    }
    lanes_[i]->offer_plan(std::move(plan));
    lanes_[i]->adopt_plan();
  }
  return {};
}

support::Status Engine::start() {
  is_started_ = true;
  for (auto lane = lanes_.rbegin(); lane != lanes_.rend(); ++lane) {
    if ((*lane)->is_device()) continue;
    if (auto status = (*lane)->start(); !status) {
      stop();
      return status;
    }
  }
  if (scheduler_) scheduler_->reverse();
  for (const auto& lane : lanes_) {
    if (!lane->is_device()) continue;
    Node& node = *lane->head();
    if (auto status = node.start_device(); !status) {
      support::Error error = in_node(node, std::move(status).error());
      stop();
      return error;
    }
    node.set_state(NodeState::kRunning, nullptr);
    lane->set_device_started();
  }
  return {};
}

bool Engine::are_sinks_done() const {
  bool has_sinks = false;
  for (const Node* node : node_list_) {
    if (is_source(*node) || !is_sink(*node)) continue;
    has_sinks = true;
    if (!node->is_finished() && !(node->is_device() && node->lane->is_done())) return false;
  }
  if (has_sinks) return true;
  return std::all_of(lanes_.begin(), lanes_.end(),
                     [](const auto& lane) { return lane->is_done(); });
}

// Everybody sleeps, nobody waits for time or for the world, and nobody has woken between looks.
bool Engine::is_stalled() {
  uint64_t wakes = 0;
  for (const auto& lane : lanes_) {
    if (lane->is_done()) continue;
    if (lane->is_device() || !lane->is_waiting_for_others()) {
      stall_looks_ = 0;
      return false;
    }
    wakes += lane->wakes();
  }
  if (wakes != std::exchange(stall_wakes_, wakes)) stall_looks_ = 0;
  return ++stall_looks_ > kStallLooks;
}

Engine::Outcome Engine::run(int64_t deadline_ns, const std::function<bool()>& keep_going) {
  if (scheduler_) {
    const auto go_on = [&] { return !are_sinks_done() && (!keep_going || keep_going()); };
    const auto outcome = scheduler_->run(deadline_ns, go_on);
    if (are_sinks_done()) return Outcome::kFinished;
    return outcome == VirtualScheduler::Outcome::kStalled ? Outcome::kStalled : Outcome::kRunning;
  }
  for (;;) {
    const auto ticket = changes_.prepare_wait();
    if (are_sinks_done()) {
      changes_.cancel_wait();
      return Outcome::kFinished;
    }
    const int64_t now_ns = clock_->now_ns();
    if (now_ns >= deadline_ns || (keep_going && !keep_going())) {
      changes_.cancel_wait();
      return Outcome::kRunning;
    }
    if (is_stalled()) {
      changes_.cancel_wait();
      return Outcome::kStalled;
    }
    changes_.wait(ticket, std::min(deadline_ns, now_ns + kLookNs));
  }
}

void Engine::fade_out() {
  for (const auto& edge : edges_) {
    if (edge->from.is_pcm() && edge->from.format.sample_format == SLUICE_SAMPLE_F32) {
      edge->gain_target.store(0.0F, std::memory_order_relaxed);
    }
  }
}

void Engine::stop_sources() {
  for (const auto& lane : lanes_) {
    if (lane->head() && lane->head()->is_threaded() && is_source(*lane->head())) {
      lane->request_head_stop();
    }
  }
}

void Engine::stop() {
  if (!std::exchange(is_started_, false)) return;
  for (const auto& lane : lanes_) {
    if (lane->is_device() && lane->has_started_device()) lane->head()->stop_device();
    lane->request_stop();
  }
  if (scheduler_) scheduler_->finish();
  for (const auto& lane : lanes_) lane->join();
}

void Engine::set_metered(bool is_metered) {
  for (const auto& lane : lanes_) lane->set_metered(is_metered);
}

Snapshot Engine::snapshot() {
  Snapshot snapshot;
  snapshot.time_ns = clock_->now_ns();
  for (const Node* node : node_list_) {
    NodeSnapshot& n = snapshot.nodes.emplace_back();
    n.node = node;
    n.state = node->state();
    n.sentence = node->sentence();
    n.calls = node->calls.load(std::memory_order_relaxed);
    n.busy_ns = node->busy_ns.load(std::memory_order_relaxed);
    n.violations = node->violations.load(std::memory_order_relaxed);
    for (uint32_t i = 0; i < node->type().statistic_count; ++i) {
      n.statistics.push_back(node->slot(i));
    }
    for (const auto& output : node->outputs) {
      if (!output->is_pcm()) continue;
      snapshot.outputs.push_back(
          {output.get(), output->written(), output->ring->dropped(), output->meter.take()});
    }
  }
  for (const auto& edge : edges_) {
    if (!edge->from.is_pcm()) continue;
    EdgeSnapshot& e = snapshot.edges.emplace_back();
    e.edge = edge.get();
    e.fill_frames = edge->fill();
    e.capacity_frames = edge->from.ring->capacity_frames();
    e.read_frames = edge->read_frames.load(std::memory_order_relaxed);
    e.lost_frames = edge->lost_frames.load(std::memory_order_relaxed);
    e.filled_frames = edge->filled_frames.load(std::memory_order_relaxed);
    e.unread_frames = edge->unread_frames.load(std::memory_order_relaxed);
    e.gaps = edge->gaps.load(std::memory_order_relaxed);
    e.loss_reason = edge->loss_reason.load(std::memory_order_relaxed);
    const int64_t latency_ns = edge->to.measured_latency_ns.load(std::memory_order_relaxed);
    if (latency_ns != SLUICE_NO_TIME) e.latency_ns = latency_ns;
  }
  return snapshot;
}

}  // namespace sluice::engine
