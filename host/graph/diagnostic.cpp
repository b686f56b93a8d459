#include "host/graph/diagnostic.hpp"

#include <algorithm>

namespace sluice::graph {

std::string to_text(const Location& at) {
  std::string text = at.file + ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
  if (!at.pointer.empty()) text += ": " + at.pointer;
  return text;
}

std::string to_text(const Diagnostic& diagnostic) {
  return to_text(diagnostic.at) +
         (diagnostic.severity == Severity::kWarning ? ": warning: " : ": ") + diagnostic.message;
}

bool has_errors(const std::vector<Diagnostic>& diagnostics) {
  return std::any_of(diagnostics.begin(), diagnostics.end(),
                     [](const Diagnostic& d) { return d.severity == Severity::kError; });
}

std::string pointer_to(std::string_view parent, std::string_view token) {
  std::string pointer(parent);
  pointer += '/';
  for (const char c : token) {
    if (c == '~') {
      pointer += "~0";
    } else if (c == '/') {
      pointer += "~1";
    } else {
      pointer += c;
    }
  }
  return pointer;
}

}  // namespace sluice::graph
