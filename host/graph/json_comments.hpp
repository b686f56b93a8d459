// The comments of a well-formed JSON text. [any]
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace sluice::graph {

struct JsonComment {
  std::size_t begin;
  std::size_t end;  // a // comment ends before the line's end
  // Line ends between it and what stands before it (a value, a bracket, a comment).
  std::size_t line_ends_before;
};

// The comments that begin within begin..end of `json`, which must be blanks, commas, colons and
// comments only. `line_ends_after`: those behind the last comment, or all if there is none.
std::vector<JsonComment> comments_between(std::string_view json, std::size_t begin, std::size_t end,
                                          std::size_t& line_ends_after);

// Where comments begin in the whole of a well-formed text, in order.
std::vector<std::size_t> comment_begins(std::string_view json);

}  // namespace sluice::graph
