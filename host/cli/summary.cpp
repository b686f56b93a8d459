#include "host/cli/summary.hpp"

#include <fmt/format.h>

#include <cmath>

#include "host/session/statistics.hpp"

namespace sluice::cli {
namespace {

std::string statistics_of(const engine::NodeSnapshot& node) {
  const sluice_type& type = node.node->type();
  std::string text;
  for (uint32_t i = 0; i < type.statistic_count; ++i) {
    const sluice_statistic& statistic = type.statistics[i];
    const double value = session::statistic_of(node, i);
    if (!std::isfinite(value)) continue;
    const std::string number = statistic.kind == SLUICE_COUNTER ? fmt::format("{:.0f}", value)
                                                                : fmt::format("{:.4g}", value);
    // The unit stands at the end of most keys already.
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", statistic.key, number);
  }
  return text;
}

std::string wrapped(const std::string& text, size_t indent, size_t columns) {
  std::string out;
  size_t line = indent;
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find(", ", at);
    end = end == std::string::npos ? text.size() : end + 2;
    if (line + (end - at) > columns && line > indent) {
      out += "\n" + std::string(indent, ' ');
      line = indent;
    }
    out += text.substr(at, end - at);
    line += end - at;
    at = end;
  }
  return out;
}

}  // namespace

std::string summary(const engine::Snapshot& snapshot, int64_t start_ns) {
  std::string text =
      fmt::format("Played {:.2f} s.\n", static_cast<double>(snapshot.time_ns - start_ns) / 1e9);
  for (const auto& node : snapshot.nodes) {
    const bool is_end = node.node->outputs.empty();
    uint64_t read = 0;
    uint64_t lost = 0;
    uint64_t filled = 0;
    uint32_t rate_hz = 0;
    for (const auto& edge : snapshot.edges) {
      if (&edge.edge->to.node != node.node) continue;
      read += edge.read_frames;
      lost += edge.lost_frames;
      filled += edge.filled_frames;
      rate_hz = edge.edge->from.format.rate_hz;
    }
    const bool is_source = node.node->inputs.empty();
    if (!is_end && !is_source && lost == 0 && filled == 0) continue;
    text += fmt::format("  {} ({})", node.node->id(), node.node->type().id);
    if (rate_hz != 0) {
      text += fmt::format(": {} frames ({:.2f} s), {} lost", read,
                          static_cast<double>(read) / rate_hz, lost);
      if (filled != 0) text += fmt::format(", {} filled with silence", filled);
    }
    text += node.state == engine::NodeState::kFailed ? ", failed\n" : "\n";
    if (const std::string statistics = statistics_of(node); !statistics.empty()) {
      text += "      " + wrapped(statistics, 6, 100) + "\n";
    }
  }
  return text;
}

}  // namespace sluice::cli
