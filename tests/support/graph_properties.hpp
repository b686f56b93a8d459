// What must hold for every text, however broken; for tests and fuzzers of the graph module. Each
// returns what does not hold, or nothing.
#pragma once

#include <string>
#include <string_view>

#include "host/graph/document.hpp"

namespace sluice::test {

// A document's normal form reads back as the same document.
std::string broken_normal_form(const graph::Document& document);

// Formatting twice changes nothing more and keeps every value and comment.
std::string broken_format(std::string_view text);

// Every edit of a well-formed text leaves a well-formed one that differs as it should.
std::string broken_edits(std::string_view text);

}  // namespace sluice::test
