#include "host/graph/rewire.hpp"

#include <algorithm>
#include <utility>

#include "host/graph/load.hpp"
#include "host/graph/report.hpp"
#include "host/graph/topology.hpp"

namespace sluice::graph {

bool rewire(Document& document, const Catalog& catalog, const std::vector<std::string>& added,
            const std::vector<std::string>& removed) {
  const bool has_settings =
      std::any_of(document.switches.begin(), document.switches.end(), [](const Switch& one) {
        return one.any != nullptr ||
               std::any_of(one.routes.begin(), one.routes.end(),
                           [](const Route& route) { return !route.settings.empty(); });
      });
  if (has_settings) return false;
  for (const std::string& key : removed) {
    const auto gone = std::find_if(
        document.edges.begin(), document.edges.end(),
        [&](const Edge& edge) { return key.starts_with(edge.from_node) && edge.key() == key; });
    if (gone == document.edges.end()) return false;
    document.edges.erase(gone);
  }
  // With fewer edges than before there is no circle that was not there.
  if (added.empty()) return true;
  for (const std::string& key : added) {
    auto edge = parse_edge(document, catalog, key);
    if (!edge || edge->key() != key) return false;
    document.edges.push_back(*std::move(edge));
  }
  Report report;
  check_twice(document, report);
  check_circles(document, report);
  return !report.has_errors();
}

}  // namespace sluice::graph
