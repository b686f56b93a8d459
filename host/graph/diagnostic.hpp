// What is wrong with a graph, and where. Plain data, [any].
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sluice::graph {

// A place in what somebody wrote. Lines and columns count from 1; a column is one character
// (Unicode code point), a tab too. `file` is the path as it was given, or "-e", "--set NODE.KEY",
// "--var NAME" for what came from the command line, whose columns count within that argument.
struct Location {
  std::string file;
  int line = 0;
  int column = 0;
  std::string pointer;  // JSON pointer (RFC 6901); empty: the whole document

  friend bool operator==(const Location& a, const Location& b) = default;
};

enum class Severity { kError, kWarning };

struct Diagnostic {
  Severity severity = Severity::kError;
  Location at;
  std::string message;  // one sentence that says what to do

  friend bool operator==(const Diagnostic& a, const Diagnostic& b) = default;
};

// "FILE:LINE:COL", and ": POINTER" unless the pointer is empty.
std::string to_text(const Location& at);
// "FILE:LINE:COL: POINTER: sentence"; a warning's sentence begins with "warning: ".
std::string to_text(const Diagnostic& diagnostic);

bool has_errors(const std::vector<Diagnostic>& diagnostics);

// Appends one reference token to a JSON pointer ("~" and "/" in it are escaped).
std::string pointer_to(std::string_view parent, std::string_view token);

}  // namespace sluice::graph
