// Graphs in one line: source.wav path=a.wav -> filter.gain gain_db=-6 -> sink.null
//
// - A stage is a type with `key=value` parameters, or `name:type` to name the node, or the name (or
//   `name.port`) of a node of this expression, before or after.
// - `->` joins; `;` or a new line begins another chain.
// - A value ends at a blank, `;` or `->`; '...' keeps everything, "..." too, with \" and \\. Lists
// are
//   0,1 or [0, 1]; rows of a matrix [[1, 0], [0, 1]].
// - ${env:NAME}, ${file:PATH} and --var variables work as in a file; $${ is literal.
// - `isolate`, `standby` and `adapt` are understood where the type has no parameter of that name.
// - Nodes without a name get the last part of their type, with a number from the second on.
#pragma once

#include <string>
#include <string_view>

#include "host/graph/catalog.hpp"
#include "host/graph/load.hpp"
#include "host/support/result.hpp"

namespace sluice::graph {

// The graph file that means the same, in the layout of format(). Paths stay as written. [control]
// Error (kInvalid): all that load_expression() finds, one line each.
support::Result<std::string> expression_to_json(std::string_view expression, const Catalog& catalog,
                                                const LoadOptions& options = {});

}  // namespace sluice::graph
