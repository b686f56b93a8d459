// UTF-8 in the text of a graph; what a valid character is says support::utf8_length. [any]
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sluice::graph {

// Offset of the first byte that is not UTF-8; npos if all is well.
std::size_t find_invalid_utf8(std::string_view text);

// Appends a code point (a valid scalar value) to `out`.
void append_utf8(std::string& out, char32_t code_point);

// Code points in `text`; a byte that is not UTF-8 counts as one.
std::size_t count_code_points(std::string_view text);

}  // namespace sluice::graph
