// Pictures of a graph: for the terminal, for Graphviz, for a page. [any]
#pragma once

#include <string>

#include "host/graph/document.hpp"

namespace sluice::graph {

// Boxes and lines in a fixed-width font, from left to right; what edges say of themselves stands
// below. `is_unicode`: box-drawing characters, else ASCII.
std::string draw_text(const Document& document, bool is_unicode);

// For Graphviz.
std::string draw_dot(const Document& document);

// A picture that stands alone, in colours that can be read on light and on dark ground.
std::string draw_svg(const Document& document);

}  // namespace sluice::graph
