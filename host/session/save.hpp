// Writes what was changed live into the text of a graph, in place, so that comments, order and
// ${...} of all the rest survive. [control]
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "host/graph/catalog.hpp"
#include "host/graph/value.hpp"
#include "host/support/result.hpp"

namespace sluice::session {

// The text with the differences between the two bases written into it. Error: something that
// changed does not stand in this text (in an included file, or behind a variable that others use),
// or is a secret; the sentence names it.
support::Result<std::string> write_changes(std::string_view text, const graph::Value& before,
                                           const graph::Value& after, const graph::Catalog& types);

// Replaces the file's content at once: whoever reads it, also after a crash, finds the old content
// or the new one.
support::Status replace_file(const std::filesystem::path& file, std::string_view content);

}  // namespace sluice::session
