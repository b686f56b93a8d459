// JSON Schema for graph files, generated from the node types that exist. [any]
#pragma once

#include <string>

#include "host/graph/catalog.hpp"
#include "host/graph/value.hpp"

namespace sluice::graph {

// Draft-07, which every editor with JSON support understands (VS Code's reads 2019-09 and later
// only in part). Each type's parameters are offered with description, unit, range and default. A
// text of the form "${name}" is allowed wherever a value is.
Value graph_schema(const Catalog& catalog);

}  // namespace sluice::graph
