#include "host/engine/layout.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <sluice/frames.hpp>

namespace sluice::engine {
namespace {

using Edges = std::span<const std::unique_ptr<Edge>>;

double seconds(uint64_t frames, const sluice_format& format) {
  return format.rate_hz == 0 ? 0.0
                             : static_cast<double>(frames) / static_cast<double>(format.rate_hz);
}

// Lag of what arrives over an edge, before its reader.
double lag_at(const Edge& edge) {
  const Node& from = edge.from.node;
  // What both ends keep there is the same frames.
  return from.lag_s +
         seconds(edge.from.latency_frames + edge.options.delay_frames, edge.from.format) +
         std::max(seconds(edge.from.kept_frames, edge.from.format),
                  seconds(edge.to.kept_frames, edge.to.format));
}

// Lanes of devices that `node` feeds, directly or through passive nodes.
std::set<size_t> devices_fed(const Node& node, Edges edges,
                             const std::map<const Node*, size_t>& lane_of) {
  std::set<size_t> found;
  for (const auto& edge : edges) {
    if (&edge->from.node != &node) continue;
    const Node& reader = edge->to.node;
    if (reader.is_device()) {
      found.insert(lane_of.at(&reader));
    } else if (reader.is_passive()) {
      found.merge(devices_fed(reader, edges, lane_of));
    }
  }
  return found;
}

}  // namespace

std::vector<Node*> topological_order(std::span<Node* const> nodes, Edges edges) {
  std::map<const Node*, size_t> feeders;
  for (const auto& edge : edges) ++feeders[&edge->to.node];
  std::vector<Node*> ordered;
  std::vector<Node*> left(nodes.begin(), nodes.end());
  while (!left.empty()) {
    const auto next =
        std::find_if(left.begin(), left.end(), [&](Node* node) { return feeders[node] == 0; });
    if (next == left.end()) return ordered;
    Node* node = *next;
    left.erase(next);
    ordered.push_back(node);
    for (const auto& edge : edges) {
      if (&edge->from.node == node) --feeders[&edge->to.node];
    }
  }
  return ordered;
}

void assign_lanes(std::span<Node* const> ordered, Edges edges, std::vector<LaneLayout>& lanes) {
  std::map<const Node*, size_t> lane_of;
  for (size_t i = 0; i < lanes.size(); ++i) {
    if (lanes[i].head) lane_of[lanes[i].head] = i;
    for (const Node* node : lanes[i].steps) lane_of[node] = i;
  }
  for (Node* node : ordered) {
    if (node->is_passive() || lane_of.contains(node)) continue;
    lane_of[node] = lanes.size();
    lanes.push_back({node->id(), node, {}, false});
  }
  const auto is_device = [&](size_t lane) {
    return lanes[lane].head && lanes[lane].head->is_device();
  };
  for (Node* node : ordered) {
    if (!node->is_passive() || lane_of.contains(node)) continue;
    const bool is_heavy = (node->type().flags & SLUICE_TYPE_HEAVY) != 0;
    std::set<size_t> feeding;
    for (const auto& edge : edges) {
      if (&edge->to.node == node) feeding.insert(lane_of.at(&edge->from.node));
    }
    const std::set<size_t> devices =
        is_heavy ? std::set<size_t>{} : devices_fed(*node, edges, lane_of);
    const auto mixing = std::find_if(feeding.begin(), feeding.end(), [&](size_t lane) {
      return !lanes[lane].head && !lanes[lane].is_closed;
    });
    size_t lane = lanes.size();
    if (feeding.size() == 1 && !lanes[*feeding.begin()].is_closed &&
        !(is_heavy && is_device(*feeding.begin()))) {
      lane = *feeding.begin();
    } else if (devices.size() == 1) {
      lane = *devices.begin();
    } else if (mixing != feeding.end()) {
      lane = *mixing;
    } else {
      lanes.push_back({"mix " + node->id(), nullptr, {}, false});
    }
    lane_of[node] = lane;
    lanes[lane].steps.push_back(node);
  }
}

void accumulate_lags(std::span<Node* const> ordered, Edges edges) {
  for (Node* node : ordered) {
    node->lag_s = 0.0;
    for (const auto& edge : edges) {
      if (&edge->to.node != node) continue;
      node->lag_s =
          std::max(node->lag_s, lag_at(*edge) + seconds(edge->to.hold_frames, edge->to.format));
    }
  }
}

RingSize ring_size(const OutputPort& output, Edges edges, const SizingOptions& options) {
  RingSize size;
  const sluice_format& format = output.format;
  for (const auto& edge : edges) {
    if (&edge->from != &output) continue;
    const Node& reader = edge->to.node;
    const double hold_s = seconds(edge->to.hold_frames, edge->to.format);
    const double skew_s = std::max(0.0, reader.lag_s - lag_at(*edge) - hold_s);
    // While the input waits for a live sibling, this one has to keep what it is ahead, and as much
    // again for the reader to have something to take.
    uint64_t patience = 0;
    for (const auto& sibling : edges) {
      if (sibling == edge || &sibling->to != &edge->to || !options.has_patience) continue;
      if (sibling->options.fill_after_frames == EdgeOptions::kNeverFill) continue;
      patience = std::max(patience, sibling->options.fill_after_frames);
    }
    const auto held = edge->to.hold_frames + edge->options.delay_frames + 2 * patience +
                      static_cast<uint64_t>(std::ceil(skew_s * format.rate_hz));
    const uint64_t block =
        std::max({options.block_frames, edge->to.max_block_frames, output.max_block_frames});
    const uint64_t crossing =
        edge->is_local ? 0 : frames_of_ms(options.crossing_ms, format.rate_hz);
    const uint64_t wish = std::max(crossing, edge->to.wished_frames);
    size.held_frames = std::max(size.held_frames, held);
    size.frames = std::max(size.frames, held + 2 * block + wish + edge->options.buffer_frames +
                                            edge->options.target_frames);
  }
  size.frames = std::max<uint64_t>(size.frames, 2 * options.block_frames);
  return size;
}

}  // namespace sluice::engine
