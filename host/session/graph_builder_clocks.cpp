// Clocks, the policies that follow from them, and the edges of the engine.
#include <algorithm>
#include <sluice/frames.hpp>
#include <utility>

#include "host/session/graph_builder.hpp"

namespace sluice::session {

namespace {

// Between a bridge and its reader: room for the largest target, and where a reader goes on that was
// overtaken.
constexpr double kBridgeRoomMs = 500.0;
constexpr double kBridgeBehindMs = 50.0;

}  // namespace

// What runs after this change, from writers to readers where they belong to one edge.
std::vector<GraphBuilder::Wire> GraphBuilder::joined_wires() const {
  std::vector<Wire> all = wires_extra_;
  for (const Wire& wire : wires_) {
    if (!wire.is_later) all.push_back(wire);
  }
  return all;
}

ClockMap GraphBuilder::clock_map(const std::vector<Wire>& all) {
  ClockMap clocks;
  for (const PlannedNode& planned : result_.nodes) {
    for (uint32_t port = 0; port < planned.node->type().port_count; ++port) {
      clocks.add(*planned.node, port, planned.own_clocks[port]);
    }
  }
  for (const Wire& wire : all) {
    clocks.join(*wire.from, *wire.to, wire.edge ? wire.edge->options.pace : false,
                wire.edge ? wire.edge->options.when_full : std::nullopt, wire.running != nullptr);
  }
  for (const Landing& landing : result_.landings) clocks.follow_reader(*landing.converter);
  return clocks;
}

// The input that the wire is for, behind the converter of a landing.
const engine::InputPort& GraphBuilder::end_of(const Wire& wire) const {
  for (const Landing& landing : result_.landings) {
    if (landing.converter == &wire.to->node) return *landing.port;
  }
  return *wire.to;
}

// Puts a bridge where two clocks meet, if some plugin offers one and the graph lets it in. Returns
// whether it did.
bool GraphBuilder::bridge_clocks(const ClockMap& clocks, const std::vector<Wire>& all) {
  bool has_bridged = false;
  if (engine_ == running_.engine) find_misplaced(clocks, all);
  for (const size_t edge : clocks.meetings()) {
    const Wire& meeting = all[edge];
    if (meeting.running || !meeting.edge) continue;
    const auto wire = std::find_if(wires_.begin(), wires_.end(), [&](const Wire& it) {
      return it.edge == meeting.edge && it.to == meeting.to && !it.is_later;
    });
    if (wire == wires_.end()) continue;
    const engine::InputPort& end = end_of(*wire);
    const sluice_format format = wire->from->format;
    engine::Node* bridge = insert(SLUICE_TYPE_BRIDGES_CLOCKS, end, "bridge", format, format);
    if (!bridge) continue;
    result_.notes.push_back("Put a " + std::string(bridge->type().id) + " between " +
                            wire->from->node.id() + " (" + clocks.writer_clock(edge).name +
                            ") and " + end.node.id() + " (" + clocks.reader_clock(edge).name +
                            "), whose clocks differ.");
    lead_through(*bridge, *wire);
    has_bridged = true;
  }
  return has_bridged;
}

// Running edges that need a bridge now and have none, or have one that nothing drives any more.
void GraphBuilder::find_misplaced(const ClockMap& clocks, const std::vector<Wire>& all) {
  const auto note = [&](const Wire& wire) {
    if (wire.edge) result_.misplaced.push_back(wire.edge->key());
  };
  for (const size_t edge : clocks.meetings()) {
    const graph::Node* reader = document_node_[&end_of(all[edge]).node];
    const bool may_be = !reader || reader->adapt != graph::Adapt::kNever;
    if (all[edge].running && may_be && has_provider(SLUICE_TYPE_BRIDGES_CLOCKS)) note(all[edge]);
  }
  for (size_t in = 0; in < all.size(); ++in) {
    const engine::Node& bridge = all[in].to->node;
    if (!all[in].running || !is_bridge(bridge) || !planned(bridge).is_inserted) continue;
    for (size_t out = 0; out < all.size(); ++out) {
      if (&all[out].from->node != &bridge) continue;
      if (clocks.writer_clock(in).is_none() || clocks.reader_clock(out).is_none()) note(all[in]);
    }
  }
}

void GraphBuilder::join() {
  std::vector<Wire> all = joined_wires();
  ClockMap clocks = clock_map(all);
  if (!options_.is_offline && bridge_clocks(clocks, all)) {
    all = joined_wires();
    clocks = clock_map(all);
  }
  if (options_.is_offline) clocks.forget();
  for (const auto& edge : engine_->edges())
    last_alignment_ = std::max(last_alignment_, edge->options.alignment);
  for (size_t i = 0; i < all.size(); ++i) {
    const Wire& wire = all[i];
    const ClockMap::Policy policy = clocks.policy(i);
    if (!policy.complaint.empty()) {
      error(wire.edge ? wire.edge->at : document_.at, policy.complaint);
    }
    const engine::EdgeOptions options = options_of(wire, policy);
    if (wire.running) {
      wire.running->options.alignment = options.alignment;
      result_.policies.push_back({wire.running, options.when_full, options.fill_after_frames});
      continue;
    }
    engine::Edge& made = engine_->connect(*wire.from, *wire.to, options);
    if (wire.edge) {
      hops_[wire.edge].push_back(&made);
    } else {
      for (Landing& landing : result_.landings) {
        if (landing.port == wire.to) landing.edge = &made;
      }
    }
  }
  note_edges();
  for (const std::string& note : clocks.notes()) result_.notes.push_back(note);
  complete_clocks(clocks);
}

// The number of a switch's alignment. It is another one in each change, so that what leaves is not
// counted.
uint32_t GraphBuilder::alignment_of(const std::string& switch_id) {
  if (switch_id.empty()) return 0;
  const auto known = alignments_.find(switch_id);
  if (known != alignments_.end()) return known->second;
  return alignments_[switch_id] = ++last_alignment_;
}

engine::EdgeOptions GraphBuilder::options_of(const Wire& wire, const ClockMap::Policy& policy) {
  engine::EdgeOptions options;
  options.when_full = policy.when_full;
  options.gain_db = wire.gain_db;
  const uint32_t rate_hz = wire.from->format.rate_hz;
  const bool is_behind_bridge = is_bridge(wire.from->node) && !options_.is_offline;
  // A reader that stands still loses its own frames, and never holds up what feeds the bridge.
  if (is_behind_bridge) options.when_full = engine::WhenFull::kSkip;
  if (rate_hz == 0) return options;
  if (policy.fill_after_ms) {
    options.fill_after_frames = frames_of_ms(*policy.fill_after_ms, rate_hz);
  }
  options.target_frames =
      frames_of_ms(is_behind_bridge ? kBridgeBehindMs : policy.target_ms, rate_hz);
  // What the graph asks of an edge holds once, however many hops it has: at the last.
  const auto is_last = [&] {
    return std::any_of(wires_.begin(), wires_.end(),
                       [&](const Wire& it) { return it.to == wire.to; });
  };
  const bool asks =
      wire.edge && (wire.edge->options.buffer_ms || wire.edge->options.delay_ms != 0.0 ||
                    !wire.edge->options.align.empty());
  if (asks && is_last()) {
    options.buffer_frames = frames_of_ms(wire.edge->options.buffer_ms.value_or(0.0), rate_hz);
    options.delay_frames = frames_of_ms(wire.edge->options.delay_ms, rate_hz);
    options.alignment = alignment_of(wire.edge->options.align);
  }
  if (is_behind_bridge) options.buffer_frames += frames_of_ms(kBridgeRoomMs, rate_hz);
  return options;
}

void GraphBuilder::note_edges() {
  result_.edges.reserve(edges_.size());
  for (graph::Edge& edge : edges_) {
    if (const PlannedEdge* there = running_edge(edge)) {
      result_.edges.push_back({std::move(edge), there->hops, there->adapters});
    } else if (const auto hops = hops_.find(&edge); hops != hops_.end()) {
      std::vector<engine::Node*> adapters = std::move(adapters_of_[&edge]);
      result_.edges.push_back({std::move(edge), std::move(hops->second), std::move(adapters)});
    }
  }
}

void GraphBuilder::complete_clocks(const ClockMap& clocks) {
  for (PlannedNode& planned : result_.nodes) {
    for (uint32_t port = 0; port < planned.node->type().port_count; ++port) {
      planned.port_clocks[port] = clocks.clock(*planned.node, port);
    }
    const bool is_clocked = std::any_of(planned.port_clocks.begin(), planned.port_clocks.end(),
                                        [](const ClockName& clock) { return !clock.is_none(); });
    planned.node->is_clocked.store(is_clocked, std::memory_order_relaxed);
  }
}

}  // namespace sluice::session
