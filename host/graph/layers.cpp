#include "host/graph/layers.hpp"

#include <algorithm>
#include <map>

#include "host/graph/value.hpp"

namespace sluice::graph {
namespace {

constexpr int kSweeps = 4;

std::map<std::string, size_t> depths(const Document& document, const std::vector<Edge>& edges) {
  std::map<std::string, size_t> depth;
  for (const Node& node : document.nodes) depth[node.id] = 0;
  for (size_t round = 0; round < document.nodes.size(); ++round) {
    bool has_changed = false;
    for (const Edge& edge : edges) {
      size_t& to = depth[edge.to_node];
      if (to >= depth[edge.from_node] + 1) continue;
      to = depth[edge.from_node] + 1;
      has_changed = true;
    }
    if (!has_changed) break;
  }
  return depth;
}

// Mean row of what is joined to `place` on one side; its own row if nothing is.
double centre(const Layers& layers, size_t place, bool looks_left) {
  double sum = 0;
  size_t count = 0;
  for (const Segment& segment : layers.segments) {
    if ((looks_left ? segment.to : segment.from) != place) continue;
    sum += static_cast<double>(layers.places[looks_left ? segment.from : segment.to].row);
    ++count;
  }
  return count == 0 ? static_cast<double>(layers.places[place].row)
                    : sum / static_cast<double>(count);
}

void order(Layers& layers) {
  const auto number = [&](std::vector<size_t>& column) {
    for (size_t row = 0; row < column.size(); ++row) layers.places[column[row]].row = row;
  };
  for (auto& column : layers.columns) number(column);
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    const bool looks_left = sweep % 2 == 0;
    for (size_t i = 0; i < layers.columns.size(); ++i) {
      auto& column = layers.columns[looks_left ? i : layers.columns.size() - 1 - i];
      std::stable_sort(column.begin(), column.end(), [&](size_t a, size_t b) {
        return centre(layers, a, looks_left) < centre(layers, b, looks_left);
      });
      number(column);
    }
  }
}

}  // namespace

Layers arrange(const Document& document) {
  Layers layers;
  layers.edges = document.active_edges();
  const auto depth = depths(document, layers.edges);
  std::map<std::string, size_t> place_of;
  const auto add = [&](const Node* node, size_t layer) {
    if (layers.columns.size() <= layer) layers.columns.resize(layer + 1);
    layers.columns[layer].push_back(layers.places.size());
    layers.places.push_back({node, layer, 0});
    return layers.places.size() - 1;
  };
  for (const Node& node : document.nodes) place_of[node.id] = add(&node, depth.at(node.id));
  for (const Edge& edge : layers.edges) {
    size_t from = place_of.at(edge.from_node);
    const size_t to = place_of.at(edge.to_node);
    while (layers.places[from].layer + 1 < layers.places[to].layer) {
      const size_t passing = add(nullptr, layers.places[from].layer + 1);
      layers.segments.push_back({from, passing, &edge, false});
      from = passing;
    }
    layers.segments.push_back({from, to, &edge, true});
  }
  order(layers);
  return layers;
}

std::string label_of(const Edge& edge) {
  std::string label;
  const auto add = [&](const std::string& part) { label += (label.empty() ? "" : ", ") + part; };
  const EdgeOptions& options = edge.options;
  if (options.gain_db != 0) add(number_text(options.gain_db) + " dB");
  if (options.delay_ms != 0) add(number_text(options.delay_ms) + " ms late");
  if (options.buffer_ms) add(number_text(*options.buffer_ms) + " ms buffer");
  if (options.when_full) add(*options.when_full == WhenFull::kSkip ? "skips" : "waits");
  if (options.pace) add("paces");
  return label;
}

}  // namespace sluice::graph
