// What nodes take of the world: files, devices, ports. [control]
#pragma once

#include "host/graph/document.hpp"
#include "host/graph/edge_reader.hpp"
#include "host/graph/report.hpp"

namespace sluice::graph {

// Reports two nodes that take the same thing, at the second one's parameter.
void check_claims(const Document& document, const NodeIndex& nodes, Report& report);

}  // namespace sluice::graph
