// Whether a graph's edges make sense together. [control]
#pragma once

#include <string>
#include <vector>

#include "host/graph/catalog.hpp"
#include "host/graph/document.hpp"
#include "host/graph/edge_reader.hpp"
#include "host/graph/report.hpp"

namespace sluice::graph {

// Reports every circle ("a -> b -> a") at one of its edges. `where` ends the sentence.
void check_circles(const std::vector<const Edge*>& edges, const std::string& where, Report& report);

// Reports circles among the permanent edges and those of the initial routes, and with each other
// route of each switch in place of its initial one.
void check_circles(const Document& document, Report& report);

// Reports inputs that must be connected and never are, whatever route is taken. `more`: edges of
// "*" routes; `doubts.nodes` are passed over. Warns of nodes that no edge reaches.
void check_inputs(const Document& document, const std::vector<Edge>& more, const EdgeDoubts& doubts,
                  const NodeIndex& nodes, Report& report);

// Reports edges that would exist twice: permanent and in a route, or in two switches.
void check_twice(const Document& document, Report& report);

}  // namespace sluice::graph
