// The text of a new graph to start from (`sluice new-graph`). [any]
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/graph/catalog.hpp"
#include "host/support/result.hpp"

namespace sluice::graph {

// A graph with one node for each type id, in a chain as far as their ports allow, laid out as
// format() does. Required parameters are there to be filled in (as variables); of the others, those
// of the first rank are shown with their defaults. `schema` is the path for "$schema"; empty: none.
// Error (kNotFound): a type that does not exist, with the nearest name.
support::Result<std::string> new_graph(std::string_view name,
                                       const std::vector<std::string>& type_ids,
                                       const Catalog& catalog, std::string_view schema = {});

}  // namespace sluice::graph
