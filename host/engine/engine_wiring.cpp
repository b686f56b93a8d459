// From announced nodes and edges to rings, lanes and plans.
#include <algorithm>
#include <cstring>
#include <set>
#include <sluice/describe.hpp>
#include <sluice/frames.hpp>
#include <utility>

#include "host/engine/engine.hpp"
#include "host/engine/layout.hpp"

namespace sluice::engine {
namespace {

// Whether a live output leads here, through other nodes.
bool is_fed_live(const InputPort& input, std::set<const Node*>& seen) {
  return std::any_of(input.joined.begin(), input.joined.end(), [&](const Edge* edge) {
    if (edge->is_leaving) return false;
    if (edge->from.is_live) return true;
    const Node& feeder = edge->from.node;
    if (!seen.insert(&feeder).second) return false;
    return std::any_of(feeder.inputs.begin(), feeder.inputs.end(),
                       [&](const auto& port) { return is_fed_live(*port, seen); });
  });
}

bool is_bridged(const InputPort& input) {
  return std::any_of(input.joined.begin(), input.joined.end(), [](const Edge* edge) {
    return !edge->is_leaving && (edge->from.node.type().flags & SLUICE_TYPE_BRIDGES_CLOCKS) != 0;
  });
}

}  // namespace

support::Status Engine::prepare_node(Node& node) {
  const sluice_type& type = node.type();
  std::vector<sluice_port_setup> ports(type.port_count);
  for (auto& port : ports) port.struct_size = sizeof(port);
  for (const auto& input : node.inputs) {
    ports[input->port_index].format = input->format;
    ports[input->port_index].is_connected = !input->joined.empty() || input->was_connected;
    std::set<const Node*> seen;
    ports[input->port_index].is_fed_live = is_fed_live(*input, seen);
    ports[input->port_index].is_bridged = is_bridged(*input);
  }
  for (const auto& output : node.outputs) {
    ports[output->port_index].format = output->format;
    ports[output->port_index].is_connected = !output->joined.empty();
  }
  sluice_setup setup{};
  setup.struct_size = sizeof(setup);
  setup.mode = options_.is_offline ? SLUICE_MODE_OFFLINE : SLUICE_MODE_REAL_TIME;
  setup.block_frames = options_.block_frames;
  setup.port_count = type.port_count;
  setup.ports = ports.data();
  setup.seed = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
                 return entry.node.get() == &node;
               })->seed;
  if (auto status = node.prepare(setup); !status) return error_in(node, std::move(status).error());
  for (const auto& input : node.inputs) {
    const sluice_port_setup& port = ports[input->port_index];
    input->hold_frames = port.hold_frames;
    input->max_block_frames = port.max_block_frames;
    const double wish_ms = std::max({port.minimum_ms, port.target_ms, port.maximum_ms});
    input->wished_frames =
        input->is_pcm() ? frames_of_ms(wish_ms, std::max(1U, input->format.rate_hz)) : 0;
    input->kept_frames = input->is_pcm() ? frames_of_ms(port.target_ms, input->format.rate_hz) : 0;
    input->heard_after_frames = node.outputs.empty() ? port.latency_frames : 0;
  }
  for (const auto& output : node.outputs) {
    const sluice_port_setup& port = ports[output->port_index];
    output->latency_frames = port.latency_frames;
    output->kept_frames =
        output->is_pcm() ? frames_of_ms(port.target_ms, output->format.rate_hz) : 0;
    output->max_block_frames = port.max_block_frames;
  }
  return {};
}

// Lanes for the announced nodes, and the nodes' places in them.
void Engine::place(const std::vector<Node*>& ordered) {
  if (std::any_of(ordered.begin(), ordered.end(), [](const Node* node) { return !node->lane; })) {
    assign_places(ordered);
  }
  // Who follows a reader looks through the nodes in between.
  const bool has_follower = std::any_of(entries_.begin(), entries_.end(), [](const Entry& entry) {
    return (entry.node->type().flags & SLUICE_TYPE_FOLLOWS_READER) != 0;
  });
  for (const auto& edge : edges_) {
    if (edge->is_wired) continue;
    edge->is_local = edge->from.node.lane == edge->to.node.lane;
    if (has_follower && !edge->is_local && edge->to.is_pcm()) {
      edge->is_timed = edge->to.has_timed_edges = true;
    }
  }
}

void Engine::assign_places(const std::vector<Node*>& ordered) {
  const LaneOptions lane_options{options_.block_frames, options_.priority};
  std::vector<LaneLayout> layouts;
  for (const auto& lane : lanes_) {
    LaneLayout& layout = layouts.emplace_back();
    layout.name = lane->name();
    layout.head = lane->head();
    layout.is_closed = lane->is_done();
    for (Node* node : ordered) {
      if (node->lane == lane.get() && node->is_passive()) layout.steps.push_back(node);
    }
  }
  const size_t known = layouts.size();
  assign_lanes(ordered, layouts);
  for (size_t i = 0; i < layouts.size(); ++i) {
    if (i >= known) {
      lanes_.push_back(std::make_unique<Lane>(layouts[i].name, layouts[i].head, services_,
                                              lane_options, scheduler_.get()));
      if (layouts[i].head) layouts[i].head->lane = lanes_[i].get();
    }
    // Those who run already read theirs at this moment.
    for (Node* node : layouts[i].steps) {
      if (node->lane == nullptr) node->lane = lanes_[i].get();
    }
  }
}

support::Status Engine::make_rings(OutputPort& output) {
  const Node& node = output.node;
  if (!output.is_pcm()) {
    PacketRingOptions options;
    options.live = !options_.is_offline;
    auto ring = PacketRing::create(options);
    if (!ring) return error_in(node, std::move(ring).error());
    output.packet_ring = std::move(*ring);
    return {};
  }
  output.frame_bytes = frame_bytes(output.format);
  const RingSize size =
      ring_size(output, {.block_frames = options_.block_frames,
                         .crossing_ms = options_.is_offline ? 0.0 : options_.crossing_ms});
  const std::string name = node.id() + "." + output.declaration.key;
  auto ring = Ring::create(
      {.frame_bytes = output.frame_bytes,
       .minimum_frames = std::max(size.frames, output.least_frames) + size.trail_frames,
       .history_frames = std::max(size.history_frames, output.least_frames),
       .trail_frames = size.trail_frames,
       .live = !options_.is_offline,
       .name = name.c_str()});
  if (!ring) return error_in(node, std::move(ring).error());
  output.ring = std::move(*ring);
  const uint64_t ahead = output.ring->ahead_frames();
  const uint64_t want = std::max(size.held_frames, ahead / 2);
  output.largest_want_frames = static_cast<uint32_t>(std::min<uint64_t>(want, UINT32_MAX));
  output.largest_wait_frames = static_cast<uint32_t>(std::min<uint64_t>(ahead - want, UINT32_MAX));
  if (const int error = output.ring->lock_error(); error != 0 && memory_note_.empty()) {
    memory_note_ = std::string("Audio memory is not locked (") + std::strerror(error) +
                   "): under memory pressure audio may stutter; raise the memlock limit.";
  }
  return {};
}

void Engine::make_inputs(Node& node) {
  for (const auto& input : node.inputs) {
    if (input->is_pcm()) input->frame_bytes = frame_bytes(input->format);
    const bool has_gain =
        std::any_of(input->joined.begin(), input->joined.end(), [](const Edge* edge) {
          return edge->options.gain_db != 0.0 || edge->options.delay_frames != 0;
        });
    const uint64_t frames = std::max<uint64_t>(options_.block_frames, input->max_block_frames);
    input->prepare(
        static_cast<uint32_t>(std::min<uint64_t>(frames + input->hold_frames, UINT32_MAX)),
        input->joined.size() > 1 || has_gain);
  }
}

// Lags of all nodes, with the delays that alignments ask for.
support::Status Engine::align() {
  accumulate_lags(ordered_);
  too_early_ = align_edges(ordered_, edges_);
  if (!too_early_.empty()) {
    const Node& node = too_early_.front()->to.node;
    return support::Error{support::ErrorCode::kState,
                          node.id() + " would be heard before what the change adds."};
  }
  accumulate_lags(ordered_);
  return {};
}

support::Status Engine::order() {
  auto ordered = topological_order(node_list_);
  if (ordered.size() != node_list_.size()) {
    return support::Error{support::ErrorCode::kInvalid,
                          "The edges close a circle; take one of them out."};
  }
  ordered_ = std::move(ordered);
  return {};
}

// Prepares all announced nodes, with their lanes, rings and inputs.
support::Status Engine::prepare_nodes() {
  if (auto status = order(); !status) return status;
  for (Node* node : ordered_) {
    if (node->is_running) continue;
    if (auto status = prepare_node(*node); !status) return status;
  }
  place(ordered_);
  if (auto status = align(); !status) return status;
  for (Node* node : ordered_) {
    if (node->is_running) continue;
    for (const auto& output : node->outputs) {
      if (auto status = make_rings(*output); !status) return status;
    }
  }
  for (Node* node : ordered_) {
    if (!node->is_running) make_inputs(*node);
  }
  return {};
}

// How far behind their writers the input's other edges read: a new one has then as much in hand.
uint64_t Engine::sibling_distance(const Edge& edge) const {
  uint64_t frames = 0;
  for (const Edge* other : edge.to.joined) {
    if (other == &edge || !other->is_wired || other->is_closed) continue;
    // A twin reads on while the new edge is being attached, so it comes from further back; and if
    // it is to be heard later than the twin, from as much further.
    uint64_t margin = 0;
    if (&other->from == &edge.from) {
      const uint64_t delay = edge.options.delay_frames;
      margin = options_.block_frames + delay - std::min(delay, other->options.delay_frames);
    }
    frames = std::max(frames, other->fill() + margin);
  }
  return frames;
}

support::Status Engine::attach(Edge& edge, uint64_t behind_frames) {
  const bool is_writer_new = !edge.from.node.is_running;
  const bool is_reader_new = !edge.to.node.is_running;
  Edge::Entry entry = Edge::Entry::kAtOnce;
  if (edge.from.is_pcm() && edge.enters_unheard && edge.is_new) {
    entry = Edge::Entry::kUnheard;
  } else if (edge.from.is_pcm() && !is_reader_new) {
    entry = Edge::Entry::kRamped;
  }
  uint64_t behind = behind_frames;
  // A reader that wants much in hand before it begins finds it there: what was just played.
  const auto is_sibling = [&](const Edge* other) {
    return other != &edge && other->is_wired && !other->is_closed;
  };
  const auto& siblings = edge.to.joined;
  const bool is_alone = std::none_of(siblings.begin(), siblings.end(), is_sibling);
  const bool comes_by_itself = edge.options.fill_after_frames != EdgeOptions::kNeverFill;
  if (entry == Edge::Entry::kUnheard && !is_writer_new && is_alone && comes_by_itself) {
    behind = std::max(behind, edge.to.hold_frames);
  }
  if (!is_writer_new && !is_reader_new && edge.from.is_pcm()) {
    behind = std::max(behind, sibling_distance(edge));
    // Beside a twin it finds its place by it, so what it is delayed by may be there already.
    const bool has_twin = std::any_of(siblings.begin(), siblings.end(), [&](const Edge* other) {
      return &other->from == &edge.from && is_sibling(other);
    });
    if (has_twin) behind += edge.options.delay_frames;
  }
  if (edge.attach(is_writer_new ? 0 : Edge::kAtNewest, behind, entry)) {
    edge.is_wired = true;
    edge.to.was_connected = true;
    return {};
  }
  return support::Error{support::ErrorCode::kNoMemory,
                        edge.from.node.id() + "." + edge.from.declaration.key + " has more than " +
                            std::to_string(kMaxCursors) +
                            " readers; split them over several outputs."};
}

// Nodes whose work somebody hears: all but passive ones that feed nobody of these. What nobody
// hears must not hold up those who share its sources, so its edges are not attached.
Engine::NodeSet Engine::demanded_nodes() const {
  NodeSet demanded(ordered_.size());
  for (auto at = ordered_.rbegin(); at != ordered_.rend(); ++at) {
    const Node* node = *at;
    bool is_demanded = !node->is_passive() || node->outputs.empty();
    for (const auto& output : node->outputs) {
      for (const Edge* edge : output->joined) {
        const bool is_gone = edge->is_leaving && !edge->is_wired;
        is_demanded |= !is_gone && demanded.contains(&edge->to.node);
      }
    }
    if (is_demanded) demanded.insert(node);
  }
  return demanded;
}

// Nodes that have something to pass on: those that make it, and those where something comes to each
// input that was ever connected. The others may stand still for as long as nobody joins them again.
Engine::NodeSet Engine::fed_nodes() const {
  NodeSet fed(ordered_.size());
  for (const Node* node : ordered_) {
    const bool makes_it =
        node->is_device() || std::any_of(node->outputs.begin(), node->outputs.end(),
                                         [](const auto& output) { return output->is_live; });
    const auto is_fed = [&](const auto& input) {
      return !input->was_connected ||
             std::any_of(input->joined.begin(), input->joined.end(), [&](const Edge* edge) {
               return edge->is_wired && fed.contains(&edge->from.node);
             });
    };
    if (makes_it || std::all_of(node->inputs.begin(), node->inputs.end(), is_fed)) {
      fed.insert(node);
    }
  }
  return fed;
}

bool Engine::is_retired(const Node& node) const {
  return std::any_of(leaving_nodes_.begin(), leaving_nodes_.end(),
                     [&](const LeavingNode& it) { return it.node == &node && it.plan != 0; });
}

std::unique_ptr<LanePlan> Engine::plan_of(const Lane& lane) const {
  auto plan = std::make_unique<LanePlan>();
  plan->number = plan_number_;
  for (Node* node : ordered_) {
    if (node->lane != &lane || is_retired(*node)) continue;
    const bool is_step = node->is_passive();
    if (is_step) plan->steps.push_back(node);
    plan->depends_on_others |= is_step && node->inputs.empty();
    for (const auto& input : node->inputs) {
      LanePlan::InputWiring wiring{input.get(), input->was_connected, {}, {}, {}};
      for (Edge* edge : input->joined) {
        if (!edge->is_wired) continue;
        wiring.edges.push_back(edge);
        if (!edge->is_local) wiring.remote_edges.push_back(edge);
        if (!fed_.contains(&edge->from.node)) wiring.unfed_edges.push_back(edge);
      }
      plan->depends_on_others |= is_step && !wiring.remote_edges.empty();
      plan->inputs.push_back(std::move(wiring));
    }
    for (const auto& output : node->outputs) {
      LanePlan::OutputWiring wiring{output.get(), {}, {}};
      for (Edge* edge : output->joined) {
        if (!edge->is_wired) continue;
        wiring.edges.push_back(edge);
        if (!edge->is_local) wiring.remote_edges.push_back(edge);
      }
      plan->depends_on_others |= is_step && !output->is_pcm() && !wiring.remote_edges.empty();
      plan->outputs.push_back(std::move(wiring));
    }
  }
  return plan;
}

void Engine::publish_plans() {
  ++plan_number_;
  fed_ = fed_nodes();
  for (const auto& lane : lanes_) {
    const bool is_offered = lane->offer_plan(plan_of(*lane));
    // In virtual time, and before the start, no lane runs now: each is asleep or not yet born.
    if (is_offered && (scheduler_ || !is_started_)) lane->adopt_plan();
  }
}

support::Status Engine::prepare() {
  if (auto status = prepare_nodes(); !status) return status;
  if (auto status = wire_demanded(0); !status) return status;
  publish_plans();
  for (Node* node : node_list_) node->is_running = true;
  for (const auto& edge : edges_) edge->is_new = false;
  return {};
}

}  // namespace sluice::engine
