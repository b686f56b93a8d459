// Changing single values in the text of a graph, so that comments, order, layout and ${...} of all
// the rest survive. [any]
//
// Each takes the whole text and returns the new one; `json` is the text of the value to write. An
// error (kInvalid: the text or `json` is no JSON; kNotFound: no such place) changes nothing.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "host/support/result.hpp"

namespace sluice::graph {

// Writes `json` where the value at `pointer` stands.
support::Result<std::string> replace_value(std::string_view text, std::string_view pointer,
                                           std::string_view json);

// Adds a member to the object at `pointer`, at the end. Refuses a key that is there.
support::Result<std::string> insert_member(std::string_view text, std::string_view pointer,
                                           std::string_view key, std::string_view json);

// Adds an element to the list at `pointer`, before the element `index` (none: at the end).
support::Result<std::string> insert_element(std::string_view text, std::string_view pointer,
                                            std::string_view json,
                                            std::optional<std::size_t> index = {});

// Gives the member another key, where it stands.
support::Result<std::string> rename_member(std::string_view text, std::string_view pointer,
                                           std::string_view key);

// Takes out the member or element at `pointer`, with what is left of its line. Comments on lines of
// their own stay.
support::Result<std::string> remove_value(std::string_view text, std::string_view pointer);

// Replaces the value, or adds it and every object above it that is missing.
support::Result<std::string> set_value(std::string_view text, std::string_view pointer,
                                       std::string_view json);

}  // namespace sluice::graph
