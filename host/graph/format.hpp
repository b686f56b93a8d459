// The canonical layout of a graph file (`sluice fmt`). [any]
//
// Two spaces a level; what fits in 100 columns stays on one line, but the graph itself, its nodes,
// routes, switches and profiles always have one member a line, and so do two or more edges.
// Comments, order and the spelling of every text and number stay; of blank lines at most one. LF,
// no byte order mark, a line end at the end.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/graph/diagnostic.hpp"

namespace sluice::graph {

struct FormatResult {
  std::string text;                     // empty if there are errors
  std::vector<Diagnostic> diagnostics;  // what makes it no JSON
};

// Formatting twice changes nothing more. `file` is for messages.
FormatResult format(std::string_view text, std::string_view file);

}  // namespace sluice::graph
