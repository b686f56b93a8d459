#include "host/session/builder.hpp"

#include <set>
#include <string_view>
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
  const std::vector<graph::Edge> edges = document.active_edges();
  std::set<std::string_view> joined;
  for (const graph::Edge& edge : edges) {
    joined.insert(edge.from_node);
    joined.insert(edge.to_node);
  }
  std::vector<const graph::Node*> used;
  for (const graph::Node& node : document.nodes) {
    if (node.dormant) continue;
    if (node.standby || joined.contains(node.id) || edges.empty()) used.push_back(&node);
  }
  return used;
}

}  // namespace sluice::session
