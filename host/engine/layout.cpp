#include "host/engine/layout.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <queue>
#include <set>
#include <sluice/frames.hpp>
#include <unordered_map>

namespace sluice::engine {
namespace {

// Ways that differ by less are not told apart: a tenth of a frame.
constexpr double kHearableS = 1e-6;

double seconds(uint64_t frames, const sluice_format& format) {
  return format.rate_hz == 0 ? 0.0
                             : static_cast<double>(frames) / static_cast<double>(format.rate_hz);
}

// What an edge adds, with what its writer adds behind its inputs.
double lag_over(const Edge& edge) {
  // What both ends keep there is the same frames.
  return seconds(edge.from.latency_frames + edge.options.delay_frames, edge.from.format) +
         std::max(seconds(edge.from.kept_frames, edge.from.format),
                  seconds(edge.to.kept_frames, edge.to.format));
}

// Lag of what arrives over an edge, before its reader.
double lag_at(const Edge& edge) { return edge.from.node.lag_s + lag_over(edge); }

// Whether one of the edges behind the node has that alignment.
bool leads_on(const Node& node, uint32_t alignment) {
  const auto is_aligned = [&](const Edge* edge) {
    return !edge->is_leaving &&
           (edge->options.alignment == alignment || leads_on(edge->to.node, alignment));
  };
  return std::any_of(node.outputs.begin(), node.outputs.end(), [&](const auto& output) {
    return std::any_of(output->joined.begin(), output->joined.end(), is_aligned);
  });
}

using LaneOf = std::unordered_map<const Node*, size_t>;

// Lanes of devices that `node` feeds, directly or through passive nodes.
std::set<size_t> devices_fed(const Node& node, const LaneOf& lane_of) {
  std::set<size_t> found;
  for (const auto& output : node.outputs) {
    for (const Edge* edge : output->joined) {
      const Node& reader = edge->to.node;
      if (reader.is_device()) {
        found.insert(lane_of.at(&reader));
      } else if (reader.is_passive()) {
        found.merge(devices_fed(reader, lane_of));
      }
    }
  }
  return found;
}

}  // namespace

std::vector<Node*> topological_order(std::span<Node* const> nodes) {
  std::unordered_map<const Node*, size_t> place_of;
  std::vector<size_t> feeders(nodes.size());
  std::priority_queue<size_t, std::vector<size_t>, std::greater<>> ready;  // first by place
  for (size_t place = 0; place < nodes.size(); ++place) {
    place_of[nodes[place]] = place;
    for (const auto& input : nodes[place]->inputs) feeders[place] += input->joined.size();
    if (feeders[place] == 0) ready.push(place);
  }
  std::vector<Node*> ordered;
  while (!ready.empty()) {
    Node* const node = nodes[ready.top()];
    ready.pop();
    ordered.push_back(node);
    for (const auto& output : node->outputs) {
      for (const Edge* edge : output->joined) {
        const size_t reader = place_of.at(&edge->to.node);
        if (--feeders[reader] == 0) ready.push(reader);
      }
    }
  }
  return ordered;
}

void assign_lanes(std::span<Node* const> ordered, std::vector<LaneLayout>& lanes) {
  LaneOf lane_of;
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
  const auto is_apart = [&](size_t lane) {
    return !lanes[lane].steps.empty() && lanes[lane].steps.front()->is_apart();
  };
  for (Node* node : ordered) {
    if (!node->is_passive() || lane_of.contains(node)) continue;
    const bool is_heavy = (node->type().flags & SLUICE_TYPE_HEAVY) != 0;
    std::set<size_t> feeding;
    for (const auto& input : node->inputs) {
      for (const Edge* edge : input->joined) feeding.insert(lane_of.at(&edge->from.node));
    }
    const std::set<size_t> devices = is_heavy ? std::set<size_t>{} : devices_fed(*node, lane_of);
    const auto mixing = std::find_if(feeding.begin(), feeding.end(), [&](size_t lane) {
      return !lanes[lane].head && !lanes[lane].is_closed && !is_apart(lane);
    });
    size_t lane = lanes.size();
    if (node->is_apart()) {
      lanes.push_back({"mix " + node->id(), nullptr, {}, false});
    } else if (feeding.size() == 1 && !lanes[*feeding.begin()].is_closed &&
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

void accumulate_lags(std::span<Node* const> ordered) {
  for (Node* node : ordered) {
    node->lag_s = 0.0;
    for (const auto& input : node->inputs) {
      for (const Edge* edge : input->joined) {
        node->lag_s =
            std::max(node->lag_s, lag_at(*edge) + seconds(input->hold_frames, input->format));
      }
    }
  }
}

std::vector<Edge*> align_edges(std::span<Node* const> ordered,
                               std::span<const std::unique_ptr<Edge>> edges) {
  if (std::none_of(edges.begin(), edges.end(),
                   [](const auto& edge) { return edge->options.alignment != 0; })) {
    return {};
  }
  // From a node's output to where the slowest way behind it is heard.
  std::unordered_map<const Node*, double> behind_s;
  const auto end_s = [&](const Edge& edge) {
    return seconds(edge.to.hold_frames + edge.to.heard_after_frames, edge.to.format) +
           behind_s[&edge.to.node];
  };
  for (auto node = ordered.rbegin(); node != ordered.rend(); ++node) {
    for (const auto& output : (*node)->outputs) {
      for (const Edge* edge : output->joined) {
        if (edge->is_leaving) continue;
        behind_s[*node] = std::max(behind_s[*node], lag_over(*edge) + end_s(*edge));
      }
    }
  }
  // The inputs that edges of a number end at, and when what they bring is heard.
  struct End {
    std::vector<Edge*> edges;
    double heard_s = 0.0;
    bool is_running = false;
    uint64_t delayed_frames = 0;
  };
  std::map<uint32_t, std::map<const InputPort*, End>> ends;
  for (const auto& edge : edges) {
    if (edge->options.alignment == 0 || edge->is_leaving || !edge->from.is_pcm()) continue;
    if (leads_on(edge->to.node, edge->options.alignment)) continue;
    End& end = ends[edge->options.alignment][&edge->to];
    end.edges.push_back(edge.get());
    end.is_running |= !edge->is_new;
    end.delayed_frames = std::max(end.delayed_frames, edge->alignment_frames);
    const double without_s = seconds(edge->alignment_frames, edge->from.format);
    end.heard_s = std::max(end.heard_s, lag_at(*edge) - without_s + end_s(*edge));
  }
  std::vector<Edge*> too_early;
  for (auto& [number, inputs] : ends) {
    double latest_s = 0.0, running_s = -1.0;
    for (const auto& [input, end] : inputs) {
      latest_s = std::max(latest_s, end.heard_s);
      if (!end.is_running) continue;
      running_s = std::max(running_s, end.heard_s + seconds(end.delayed_frames, input->format));
    }
    for (auto& [input, end] : inputs) {
      if (end.is_running && latest_s > running_s + kHearableS) {
        too_early.insert(too_early.end(), end.edges.begin(), end.edges.end());
      }
      const double wait_s = std::max(latest_s, running_s) - end.heard_s;
      const auto wait_frames =
          end.is_running ? end.delayed_frames
                         : static_cast<uint64_t>(std::llround(wait_s * input->format.rate_hz));
      for (Edge* edge : end.edges) {
        if (!edge->is_new) continue;
        edge->options.delay_frames += wait_frames - edge->alignment_frames;
        edge->alignment_frames = wait_frames;
      }
    }
  }
  std::erase_if(too_early, [](const Edge* edge) { return edge->is_new; });
  return too_early;
}

RingSize ring_size(const OutputPort& output, const SizingOptions& options) {
  RingSize size;
  const sluice_format& format = output.format;
  for (const Edge* edge : output.joined) {
    const Node& reader = edge->to.node;
    const double hold_s = seconds(edge->to.hold_frames, edge->to.format);
    const double skew_s = std::max(0.0, reader.lag_s - lag_at(*edge) - hold_s);
    // While the input waits for a live sibling, this one has to keep what it is ahead, and as much
    // again for the reader to have something to take.
    uint64_t patience = 0;
    for (const Edge* sibling : edge->to.joined) {
      if (sibling == edge || !options.has_patience) continue;
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
    size.history_frames = std::max(size.history_frames, held + 2 * block);
    const uint64_t frames =
        held + 2 * block + wish + edge->options.buffer_frames + edge->options.target_frames;
    size.frames = std::max(size.frames, frames);
    if (edge->options.when_full == WhenFull::kSkip &&
        edge->options.fill_after_frames == EdgeOptions::kNeverFill) {
      size.trail_frames = std::max(size.trail_frames, frames);
    }
  }
  size.frames = std::max<uint64_t>(size.frames, 2 * options.block_frames);
  return size;
}

}  // namespace sluice::engine
