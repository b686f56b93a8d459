#include "host/session/builder.hpp"

#include <string_view>
#include <unordered_set>
#include <utility>

#include "host/session/graph_builder.hpp"

namespace sluice::session {

BuildResult build(const graph::Document& document, loader::Registry& registry,
                  BuildOptions options) {
  return GraphBuilder(document, registry, options).run();
}

BuildResult extend(const graph::Document& document, loader::Registry& registry,
                   BuildOptions options, Running running) {
  return GraphBuilder(document, registry, options, std::move(running)).run();
}

std::vector<const graph::Node*> used_nodes(const graph::Document& document) {
  std::unordered_set<std::string_view> joined(document.nodes.size());
  const auto note = [&](const std::vector<graph::Edge>& edges) {
    for (const graph::Edge& edge : edges) {
      joined.insert(edge.from_node);
      joined.insert(edge.to_node);
    }
  };
  note(document.edges);
  for (const graph::Switch& one : document.switches) note(one.initial.edges);
  std::vector<const graph::Node*> used;
  for (const graph::Node& node : document.nodes) {
    if (node.dormant) continue;
    if (node.standby || joined.contains(node.id) || joined.empty()) used.push_back(&node);
  }
  return used;
}

}  // namespace sluice::session
