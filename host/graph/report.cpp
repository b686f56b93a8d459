#include "host/graph/report.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "host/graph/load.hpp"

namespace sluice::graph {

void Report::error(Location at, std::string message) {
  ++error_count_;
  add(Severity::kError, std::move(at), std::move(message));
}

void Report::warning(Location at, std::string message) {
  add(Severity::kWarning, std::move(at), std::move(message));
}

void Report::announce(const std::string& file) {
  if (std::find(files_.begin(), files_.end(), file) == files_.end()) files_.push_back(file);
}

void Report::add(Severity severity, Location at, std::string message) {
  if (diagnostics_.size() >= kMaximumDiagnostics) {
    ++dropped_;
    return;
  }
  announce(at.file);
  diagnostics_.push_back({severity, std::move(at), std::move(message)});
}

std::size_t Report::rank(const std::string& file) const {
  return static_cast<std::size_t>(std::find(files_.begin(), files_.end(), file) - files_.begin());
}

std::vector<Diagnostic> Report::take() {
  std::vector<Diagnostic> sorted = std::move(diagnostics_);
  std::stable_sort(sorted.begin(), sorted.end(), [this](const Diagnostic& a, const Diagnostic& b) {
    const std::size_t rank_a = rank(a.at.file);
    const std::size_t rank_b = rank(b.at.file);
    return std::tie(rank_a, a.at.line, a.at.column) < std::tie(rank_b, b.at.line, b.at.column);
  });
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  if (dropped_ > 0 && !sorted.empty()) {
    sorted.push_back({has_errors() ? Severity::kError : Severity::kWarning, sorted.back().at,
                      "there is more: " + std::to_string(dropped_) +
                          " further messages are not shown; correct these first"});
  }
  diagnostics_.clear();
  error_count_ = 0;
  dropped_ = 0;
  return sorted;
}

}  // namespace sluice::graph
