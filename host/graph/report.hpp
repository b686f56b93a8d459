// Collects what is wrong, up to a limit. [control]
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "host/graph/diagnostic.hpp"

namespace sluice::graph {

class Report {
 public:
  void error(Location at, std::string message);
  void warning(Location at, std::string message);

  bool has_errors() const { return error_count_ > 0; }
  std::size_t error_count() const { return error_count_; }
  // Looking for what was meant costs time; behind this many errors nobody reads on.
  bool wants_suggestions() const { return error_count_ < 100; }

  // Everything in order of files (as they were first seen), then lines and columns; the same
  // complaint about the same place once. Leaves the report empty.
  std::vector<Diagnostic> take();

  // Gives a file its place in the order before anything is wrong in it.
  void announce(const std::string& file);

 private:
  void add(Severity severity, Location at, std::string message);
  std::size_t rank(const std::string& file) const;

  std::vector<Diagnostic> diagnostics_;
  std::vector<std::string> files_;
  std::size_t error_count_ = 0;
  std::size_t dropped_ = 0;
};

}  // namespace sluice::graph
