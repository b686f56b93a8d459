// Clocks, the policies that follow from them, and the edges of the engine.
#include <algorithm>
#include <sluice/frames.hpp>

#include "host/session/graph_builder.hpp"

namespace sluice::session {

void GraphBuilder::join() {
  std::vector<Wire> all = wires_extra_;
  for (const Wire& wire : wires_) {
    if (!wire.is_later) all.push_back(wire);
  }
  ClockMap clocks;
  for (const PlannedNode& planned : result_.nodes) {
    for (uint32_t port = 0; port < planned.node->type().port_count; ++port) {
      clocks.add(*planned.node, port, planned.own_clocks[port]);
    }
  }
  for (const Wire& wire : all) {
    clocks.join(*wire.from, *wire.to, wire.edge ? wire.edge->options.pace : false,
                wire.edge ? wire.edge->options.when_full : std::nullopt);
  }
  if (options_.is_offline) clocks.forget();
  for (size_t i = 0; i < all.size(); ++i) {
    const Wire& wire = all[i];
    const uint32_t rate_hz = wire.from->format.rate_hz;
    engine::EdgeOptions edge;
    const ClockMap::Policy policy = clocks.policy(i);
    edge.when_full = policy.when_full;
    if (!policy.complaint.empty()) {
      error(wire.edge ? wire.edge->at : document_.at, policy.complaint);
    }
    edge.gain_db = wire.gain_db;
    if (rate_hz != 0 && policy.fill_after_ms) {
      edge.fill_after_frames = frames_of_ms(*policy.fill_after_ms, rate_hz);
    }
    if (wire.running) {
      result_.policies.push_back({wire.running, edge.when_full, edge.fill_after_frames});
      continue;
    }
    if (rate_hz != 0) {
      edge.target_frames = frames_of_ms(policy.target_ms, rate_hz);
      if (wire.edge) {
        edge.buffer_frames = frames_of_ms(wire.edge->options.buffer_ms.value_or(0.0), rate_hz);
        edge.delay_frames = frames_of_ms(wire.edge->options.delay_ms, rate_hz);
      }
    }
    engine::Edge& made = engine_->connect(*wire.from, *wire.to, edge);
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

void GraphBuilder::note_edges() {
  for (const graph::Edge& edge : edges_) {
    const auto there =
        std::find_if(running_.edges.begin(), running_.edges.end(),
                     [&](const auto& planned) { return same_ends(planned.edge, edge); });
    if (there != running_.edges.end()) {
      result_.edges.push_back(*there);
      result_.edges.back().edge = edge;
    } else if (const auto hops = hops_.find(&edge); hops != hops_.end()) {
      result_.edges.push_back({edge, hops->second, adapters_of_[&edge]});
    }
  }
}

void GraphBuilder::complete_clocks(const ClockMap& clocks) {
  for (PlannedNode& planned : result_.nodes) {
    for (uint32_t port = 0; port < planned.node->type().port_count; ++port) {
      planned.port_clocks[port] = clocks.clock(*planned.node, port);
    }
  }
}

}  // namespace sluice::session
