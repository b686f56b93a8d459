#include "host/engine/engine.hpp"

namespace sluice::engine {

void Engine::set_metered(bool is_metered) {
  for (const auto& lane : lanes_) lane->set_metered(is_metered);
}

Snapshot Engine::snapshot(Meters meters) {
  Snapshot snapshot;
  snapshot.time_ns = clock_->now_ns();
  for (const auto& entry : entries_) {
    Node* const node = entry.node.get();
    if (!node->is_running) continue;
    node->tell_failure();
    NodeSnapshot& n = snapshot.nodes.emplace_back();
    n.node = node;
    n.state = node->state();
    n.sentence = node->sentence();
    const Node::Carried& carried = node->carried();
    n.calls = carried.calls + node->calls.load(std::memory_order_relaxed);
    n.busy_ns = carried.busy_ns + node->busy_ns.load(std::memory_order_relaxed);
    n.violations = carried.violations + node->violations.load(std::memory_order_relaxed);
    for (uint32_t i = 0; i < node->type().statistic_count; ++i) {
      const bool is_counter = node->type().statistics[i].kind == SLUICE_COUNTER;
      const bool is_carried = is_counter && i < carried.statistics.size();
      n.statistics.push_back(node->slot(i) + (is_carried ? carried.statistics[i] : 0));
    }
    for (const auto& output : node->outputs) {
      if (!output->is_pcm()) continue;
      snapshot.outputs.push_back(
          {output.get(), output->carried_written_frames + output->written(),
           output->carried_dropped_frames + output->ring->dropped(),
           meters == Meters::kTake ? output->meter.take() : output->meter.taken()});
    }
  }
  for (const auto& edge : edges_) {
    if (!edge->from.is_pcm() || !edge->from.ring) continue;
    EdgeSnapshot& e = snapshot.edges.emplace_back();
    e.edge = edge.get();
    e.fill_frames = edge->fill();
    e.capacity_frames = edge->from.ring->capacity_frames();
    const Edge::Carried& carried = edge->carried;
    const uint64_t counted = edge->lost_frames.load(std::memory_order_relaxed);
    const uint64_t lost = edge->all_lost_frames();
    e.read_frames = carried.read_frames + edge->read_frames.load(std::memory_order_relaxed);
    e.lost_frames = carried.lost_frames + lost;
    e.filled_frames = carried.filled_frames + edge->filled_frames.load(std::memory_order_relaxed);
    e.unread_frames = edge->unread_frames.load(std::memory_order_relaxed);
    e.gaps = carried.gaps + edge->gaps.load(std::memory_order_relaxed) + (lost > counted ? 1 : 0);
    e.loss_reason = lost > counted ? kOvertaken : edge->loss_reason.load(std::memory_order_relaxed);
    const int64_t latency_ns = edge->to.measured_latency_ns.load(std::memory_order_relaxed);
    if (latency_ns != SLUICE_NO_TIME) e.latency_ns = latency_ns;
  }
  return snapshot;
}

std::string Engine::describe_waits() const {
  std::string text;
  for (const auto& edge : edges_) {
    const Edge& e = *edge;
    if (!e.is_wired || e.is_closed || !e.from.is_pcm()) continue;
    const uint64_t fill = e.fill();
    const uint64_t capacity = e.from.ring->capacity_frames();
    const std::string name = e.from.node.id() + "." + e.from.declaration.key + " -> " +
                             e.to.node.id() + "." + e.to.declaration.key;
    const std::string frames = std::to_string(fill) + " of " + std::to_string(capacity) + " frames";
    const uint32_t wanted =
        e.to.node.is_passive() ? e.to.node.wanted_frames(e.to) : e.wanted_frames.load();
    const bool is_reader_waiting =
        wanted != UINT32_MAX && fill < wanted && !e.to.node.is_finished();
    const bool is_writer_waiting =
        !e.from.node.is_finished() && capacity - fill < std::max(1U, e.least_room.load());
    if (!is_reader_waiting && !is_writer_waiting) continue;
    if (!text.empty()) text += ' ';
    text += name + " holds " + frames + "; ";
    text += is_reader_waiting ? e.to.node.id() + " waits for " + std::to_string(wanted) + "."
                              : e.from.node.id() + " waits for room.";
  }
  return text;
}

}  // namespace sluice::engine
