#include "host/graph/rewire.hpp"

#include <algorithm>
#include <set>
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
  const std::set<std::string> gone(removed.begin(), removed.end());
  const auto taken_out =
      std::erase_if(document.edges, [&](const Edge& edge) { return gone.contains(edge.key()); });
  if (taken_out != gone.size()) return false;
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
