// Changes to a started graph. Nodes, rings, cursors and ramps outlive plans: a change attaches new
// cursors, publishes plans with them, and detaches old cursors when no lane uses a plan with them
// any more.
#include <algorithm>
#include <set>
#include <utility>

#include "host/engine/engine.hpp"
#include "host/engine/layout.hpp"

namespace sluice::engine {
namespace {

// A reader that has not moved for so long hears nothing that could click.
constexpr int64_t kLongestFadeNs = 1'000'000'000;

std::vector<Edge*> edges_of(const Node& node) {
  std::vector<Edge*> edges;
  for (const auto& input : node.inputs) {
    edges.insert(edges.end(), input->joined.begin(), input->joined.end());
  }
  for (const auto& output : node.outputs) {
    edges.insert(edges.end(), output->joined.begin(), output->joined.end());
  }
  return edges;
}

std::string name_of(const Edge& edge) {
  return edge.from.node.id() + "." + edge.from.declaration.key + " -> " + edge.to.node.id() + "." +
         edge.to.declaration.key;
}

}  // namespace

support::Status Engine::check_new_edges() {
  too_small_.clear();
  for (const auto& edge : edges_) {
    if (!edge->is_new) continue;
    const InputPort& to = edge->to;
    const auto refuse = [&](const std::string& why) {
      return support::Error{support::ErrorCode::kState, name_of(*edge) + ": " + why};
    };
    if (to.node.is_running) {
      if (to.node.is_finished()) return refuse(to.node.id() + " has finished; add a new node.");
      const bool has_others =
          std::any_of(to.joined.begin(), to.joined.end(),
                      [&](const Edge* other) { return other != edge.get() && !other->is_leaving; });
      if (has_others && !to.is_pcm()) return refuse("an input of packets takes one edge only.");
    }
    if (!edge->from.node.is_running || !edge->from.is_pcm()) continue;
    const RingSize size = ring_size(edge->from, {options_.block_frames, 0.0, false});
    const uint64_t needed = size.held_frames + uint64_t{2} * options_.block_frames;
    const uint64_t capacity = edge->from.ring->capacity_frames();
    if (needed > capacity) {
      too_small_ = edge->from.node.id();
      return refuse("the buffer behind " + edge->from.node.id() + " holds " +
                    std::to_string(capacity) + " frames, but this reader needs " +
                    std::to_string(needed) + "; start with a larger buffer_ms there.");
    }
  }
  return {};
}

// Nothing of what was announced since the last apply has ever run.
void Engine::take_back_announced() {
  erase_edges([](const Edge& edge) { return edge.is_new; });
  const auto is_fresh = [](const Node* node) { return !node->is_running; };
  std::erase_if(lanes_, [&](const auto& lane) {
    const bool is_used = std::any_of(node_list_.begin(), node_list_.end(), [&](const Node* node) {
      return node->lane == lane.get() && !is_fresh(node);
    });
    if (!is_used && scheduler_ && !lane->is_done()) scheduler_->remove(*lane);
    return !is_used && (!lane->head() || is_fresh(lane->head()));
  });
  std::erase_if(ordered_, is_fresh);
  std::erase_if(node_list_, is_fresh);
  std::erase_if(entries_, [](const Entry& entry) { return !entry.node->is_running; });
}

support::Status Engine::apply(uint64_t behind_frames) {
  const size_t lanes_before = lanes_.size();
  const auto bring_in = [&]() -> support::Status {
    if (auto status = prepare_nodes(); !status) return status;
    if (auto status = check_new_edges(); !status) return status;
    if (auto status = wire_demanded(behind_frames); !status) return status;
    // The new lanes first: they may still fail to start, and nobody hears them yet.
    ++plan_number_;
    fed_ = fed_nodes();
    for (size_t i = lanes_before; i < lanes_.size(); ++i) {
      lanes_[i]->offer_plan(plan_of(*lanes_[i]));
      lanes_[i]->adopt_plan();
    }
    for (size_t i = lanes_.size(); i > lanes_before; --i) {
      if (auto status = start_lane(*lanes_[i - 1]); !status) return status;
    }
    return {};
  };
  if (auto status = bring_in(); !status) {
    for (size_t i = lanes_before; i < lanes_.size(); ++i) {
      if (lanes_[i]->has_started_device()) lanes_[i]->head()->stop_device();
      lanes_[i]->request_stop();
    }
    if (scheduler_) {
      for (size_t i = lanes_before; i < lanes_.size(); ++i) scheduler_->finish(*lanes_[i]);
    }
    for (size_t i = lanes_before; i < lanes_.size(); ++i) lanes_[i]->join();
    take_back_announced();
    return status;
  }
  for (Node* node : node_list_) node->is_running = true;
  for (const auto& edge : edges_) edge->is_new = false;
  publish_plans();
  return {};
}

support::Status Engine::foresee() {
  if (auto status = order(); !status) return status;
  for (Node* node : ordered_) {
    if (node->is_running || !node->tells_latency_unopened()) continue;
    if (auto status = prepare_node(*node); !status) return status;
  }
  if (auto status = align(); !status) return status;
  return check_new_edges();
}

support::Result<Edge*> Engine::connect_live(OutputPort& from, InputPort& to,
                                            const EdgeOptions& options, uint64_t behind_frames) {
  Edge& edge = connect(from, to, options);
  if (auto status = apply(behind_frames); !status) return std::move(status).error();
  return &edge;
}

void Engine::disconnect_live(Edge& edge) {
  Edge* const leaving[] = {&edge};
  turn({}, leaving, Ramp::Shape::kEqualGain);
}

bool Engine::is_fading_out(const Edge& edge) const {
  return edge.is_wired && std::any_of(leaving_edges_.begin(), leaving_edges_.end(),
                                      [&](const LeavingEdge& it) { return it.edge == &edge; });
}

bool Engine::is_ready_to_turn(const Edge& edge) const {
  if (!edge.from.is_pcm() || !edge.is_wired || edge.is_closed || edge.is_warm) return true;
  const StreamState state = edge.from.marks.state();
  return state.has_ended() || state.is_silent() || edge.from.node.is_finished() ||
         edge.to.node.is_finished();
}

void Engine::turn(std::span<Edge* const> entering, std::span<Edge* const> leaving,
                  Ramp::Shape shape) {
  std::set<InputPort*> inputs;
  for (Edge* edge : entering) {
    if (is_fading_out(*edge)) {
      std::erase_if(leaving_edges_, [&](const LeavingEdge& it) { return it.edge == edge; });
      edge->is_leaving.store(false, std::memory_order_release);
    }
    edge->target_shape.store(shape, std::memory_order_relaxed);
    edge->gain_target.store(static_cast<float>(from_db(edge->options.gain_db)),
                            std::memory_order_relaxed);
    inputs.insert(&edge->to);
  }
  const int64_t deadline_ns = clock_->now_ns() + kLongestFadeNs;
  for (Edge* edge : leaving) {
    if (edge->is_leaving.load(std::memory_order_acquire)) continue;
    edge->has_faded.store(false, std::memory_order_relaxed);
    edge->is_leaving.store(true, std::memory_order_release);
    edge->target_shape.store(shape, std::memory_order_relaxed);
    edge->gain_target.store(0.0F, std::memory_order_relaxed);
    leaving_edges_.push_back({edge, deadline_ns});
    inputs.insert(&edge->to);
  }
  for (InputPort* input : inputs) {
    input->call_targets();
    if (input->node.lane) input->node.lane->wake();
  }
}

void Engine::set_gain_live(Edge& edge, double gain_db) {
  edge.options.gain_db = gain_db;
  if (edge.is_leaving) return;
  edge.target_shape.store(Ramp::Shape::kEqualGain, std::memory_order_relaxed);
  edge.gain_target.store(static_cast<float>(from_db(gain_db)), std::memory_order_relaxed);
  edge.to.call_targets();
  edge.to.node.lane->wake();
}

void Engine::set_policy_live(Edge& edge, WhenFull when_full, uint64_t fill_after_frames) {
  edge.fill_after_frames.store(fill_after_frames, std::memory_order_relaxed);
  if (edge.when_full.exchange(when_full, std::memory_order_relaxed) == when_full) return;
  if (edge.to.node.lane) edge.to.node.lane->note_policy();
}

support::Status Engine::remove_live(Node& node) {
  if (node.is_device()) {
    for (const Node* other : node_list_) {
      if (other == &node || other->lane != node.lane) continue;
      return support::Error{support::ErrorCode::kState, other->id() + " runs in the lane of " +
                                                            node.id() + "; remove it first."};
    }
  }
  for (Edge* edge : edges_of(node)) disconnect_live(*edge);
  leaving_nodes_.push_back({&node});
  return {};
}

void Engine::publish_policies() {
  const bool has_any = std::any_of(lanes_.begin(), lanes_.end(),
                                   [](const auto& lane) { return lane->has_new_policy(); });
  if (has_any) publish_plans();
}

// Attaches every edge whose reader is heard.
support::Status Engine::wire_demanded(uint64_t behind_frames) {
  const auto demanded = demanded_nodes();
  for (const auto& edge : edges_) {
    // Not the end of an input: as soon as its node is heard it has an edge again.
    edge->to.was_connected = true;
    if (edge->is_wired || edge->is_leaving || !demanded.contains(&edge->to.node)) continue;
    if (is_detaching(*edge)) continue;
    if (auto status = attach(*edge, behind_frames); !status) return status;
  }
  return {};
}

// Has the lane let go of the plans before `plan`? One that is like its newest was never offered.
bool Engine::has_seen(Lane& lane, uint64_t plan) {
  if (lane.is_done() && !lane.is_device()) lane.adopt_plan();
  return lane.seen_plan() >= std::min(plan, lane.offered_plan());
}

bool Engine::is_detaching(const Edge& edge) const {
  return std::any_of(detaching_edges_.begin(), detaching_edges_.end(),
                     [&](const DetachingEdge& it) { return it.edge == &edge; });
}

// Leaves it out of the plans from the next one on.
void Engine::begin_detaching(Edge& edge) {
  edge.is_wired = false;
  if (!is_detaching(edge)) detaching_edges_.push_back({&edge, plan_number_ + 1});
}

// What can wait goes at the pace of one of its readers. If that one has left before the others, the
// next sets the pace: without any it would run free.
void Engine::keep_paced(const OutputPort& output) {
  Edge* next = nullptr;
  for (Edge* edge : output.joined) {
    if (!edge->is_wired || edge->is_closed) continue;
    if (edge->when_full.load(std::memory_order_relaxed) == WhenFull::kWait) return;
    const bool can_wait = edge->fill_after_frames == EdgeOptions::kNeverFill;
    if (can_wait && !next) next = edge;
  }
  if (next) set_policy_live(*next, WhenFull::kWait, next->fill_after_frames);
}

void Engine::tend_edges() {
  const int64_t now_ns = clock_->now_ns();
  const size_t before = detaching_edges_.size();
  std::erase_if(leaving_edges_, [&](const LeavingEdge& leaving) {
    Edge& edge = *leaving.edge;
    const bool is_heard = edge.is_wired && edge.from.is_pcm() && !edge.has_faded &&
                          !edge.is_closed && !edge.from.marks.state().has_ended() &&
                          !edge.to.node.is_finished();
    if (is_heard && now_ns < leaving.deadline_ns) return false;
    begin_detaching(edge);
    return true;
  });
  if (detaching_edges_.size() != before) {
    // What feeds only those who are gone is parked: its cursors must not hold up others.
    const auto demanded = demanded_nodes();
    for (const auto& edge : edges_) {
      if (!edge->is_wired || demanded.contains(&edge->to.node)) continue;
      begin_detaching(*edge);
    }
    for (const DetachingEdge& detaching : detaching_edges_) keep_paced(detaching.edge->from);
    publish_plans();
  }
  const bool has_detached =
      std::erase_if(detaching_edges_, [&](const DetachingEdge& detaching) {
        Edge& edge = *detaching.edge;
        if (!has_seen(*edge.from.node.lane, detaching.plan) ||
            !has_seen(*edge.to.node.lane, detaching.plan)) {
          return false;
        }
        edge.close();
        if (std::exchange(edge.is_starving, false)) edge.from.starving_readers.fetch_sub(1);
        edge.from.node.lane->wake();
        if (edge.is_leaving) {
          // It may have been parked while it was still to ramp out.
          std::erase_if(leaving_edges_, [&](const auto& it) { return it.edge == &edge; });
          erase_edges([&](const Edge& it) { return &it == &edge; });
        }
        return true;
      }) != 0;
  if (!has_detached) return;
  // Somebody may have asked for a parked edge while it was being detached.
  const auto is_wired = [](const auto& edge) { return edge->is_wired; };
  const auto wired = std::count_if(edges_.begin(), edges_.end(), is_wired);
  static_cast<void>(wire_demanded(0));
  if (std::count_if(edges_.begin(), edges_.end(), is_wired) != wired) publish_plans();
}

// One step towards the end of a node without edges. Returns whether it is gone.
bool Engine::tend_node(LeavingNode& leaving) {
  Node& node = *leaving.node;
  Lane& lane = *node.lane;
  if (!edges_of(node).empty()) return false;
  if (leaving.plan == 0) {
    if (node.is_device() && lane.has_started_device()) {
      node.stop_device();
      lane.set_device_stopped();
    } else if (node.is_threaded() && !node.is_finished()) {
      // What else the lane runs goes on without it.
      lane.request_head_stop();
      return false;
    }
    leaving.plan = plan_number_ + 1;
    publish_plans();
  }
  if (node.is_device()) lane.adopt_plan();
  if (!has_seen(lane, leaving.plan)) return false;
  forget(node);
  return true;
}

void Engine::forget(const Node& node) {
  if (node.lane->head() == &node) node.lane->forget_head();
  std::erase(node_list_, &node);
  std::erase(ordered_, &node);
  std::erase_if(entries_, [&](const Entry& entry) { return entry.node.get() == &node; });
}

void Engine::tend_nodes() {
  for (size_t i = 0; i < leaving_nodes_.size();) {
    // It may publish plans, which look at this list.
    if (tend_node(leaving_nodes_[i])) {
      leaving_nodes_.erase(leaving_nodes_.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
  has_spare_lanes_ = false;
  std::erase_if(lanes_, [&](const auto& lane) {
    if (lane->head()) return false;
    const bool is_used = std::any_of(node_list_.begin(), node_list_.end(),
                                     [&](const Node* node) { return node->lane == lane.get(); });
    if (is_used) return false;
    if (!lane->is_done() && !lane->is_device()) {
      has_spare_lanes_ = true;  // it has not noticed yet
      return false;
    }
    if (scheduler_ && !lane->is_device()) scheduler_->remove(*lane);
    return true;
  });
}

void Engine::tend() {
  for (const Entry& entry : entries_) entry.node->tell_failure();
  if (!leaving_edges_.empty() || !detaching_edges_.empty()) tend_edges();
  if (!leaving_nodes_.empty() || has_spare_lanes_) tend_nodes();
  for (const auto& lane : lanes_) lane->free_retired_plans();
}

}  // namespace sluice::engine
