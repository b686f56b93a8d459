// Finding what somebody meant by a misspelt name. [any]
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::support {

// Insertions, deletions, replacements and swaps of neighbours (Damerau 1964, restricted: no part is
// edited twice) that turn `a` into `b`, upper and lower case being the same. Stops counting at
// `limit` + 1. Bytes, not characters.
std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t limit);

// The candidate nearest to `name` (the first of equals); empty if all are too different to be
// meant: more than a third of the longer name, or more than 3; then the one that goes on behind it
// with _, as gain_db does for gain, if there is only one. Empty too for names over 128 bytes and
// lists of over 4096.
std::string nearest_name(std::string_view name, const std::vector<std::string_view>& candidates);

// "; did you mean \"gate\"?" or nothing.
std::string did_you_mean(std::string_view name, const std::vector<std::string_view>& candidates);

// "; there are a, b and c", "; there is only a" or nothing: for what does not resemble any.
std::string listed(const std::vector<std::string_view>& names);

// "a", "a and b", "a, b and c" (`last` instead of "and").
std::string joined(const std::vector<std::string_view>& names, std::string_view last);

}  // namespace sluice::support
