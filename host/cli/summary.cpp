#include "host/cli/summary.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "host/session/statistics.hpp"
#include "host/support/nearest_name.hpp"

namespace sluice::cli {
namespace {

constexpr size_t kColumns = 100;
constexpr size_t kIndent = 6;
constexpr size_t kMostEnds = 8;  // named in the closing sentence

// Whole numbers whole, others with about three digits that mean something.
std::string number_text(double value, bool is_count) {
  const double size = std::abs(value);
  if (is_count || size >= 100 || value == std::round(value)) return fmt::format("{:.0f}", value);
  return size >= 10 ? fmt::format("{:.1f}", value) : fmt::format("{:.2f}", value);
}

// "lead_ms" and "ms" as "lead", since the unit stands behind the figure.
std::string label(std::string_view key, std::string_view unit) {
  std::string end(unit);
  for (char& c : end) c = c == '/' ? '_' : static_cast<char>(std::tolower(c));
  if (!end.empty() && key == end) return {};
  if (!end.empty() && key.ends_with("_" + end)) key.remove_suffix(end.size() + 1);
  if (!end.empty() && key.starts_with(end + "_")) key.remove_prefix(end.size() + 1);
  if (key.starts_with("is_")) key.remove_prefix(3);
  std::string words(key);
  std::replace(words.begin(), words.end(), '_', ' ');
  return words;
}

// "lead 200 ms", "24950 bytes", "open yes".
std::string figure(const sluice_statistic& statistic, double value) {
  const std::string_view key = statistic.key;
  const std::string_view unit = statistic.unit;
  const std::string words = label(key, unit);
  const bool is_count =
      statistic.kind == SLUICE_COUNTER || unit.empty() || unit == "frames" || unit == "bytes";
  std::string text =
      key.starts_with("is_") ? (value != 0.0 ? "yes" : "no") : number_text(value, is_count);
  if (!unit.empty()) text += fmt::format(" {}", unit);
  return words.empty() ? text : words + " " + text;
}

// What a node says of itself; counters that never counted and signs of what is over are left out.
std::vector<std::string> figures_of(const engine::NodeSnapshot& node) {
  const sluice_type& type = node.node->type();
  std::vector<std::string> figures;
  for (uint32_t i = 0; i < type.statistic_count; ++i) {
    const double value = session::statistic_of(node, i);
    const sluice_statistic& statistic = type.statistics[i];
    const bool is_sign = std::string_view(statistic.unit).empty() &&
                         !std::string_view(statistic.key).starts_with("is_");
    const bool is_idle = value == 0.0 && (is_sign || statistic.kind == SLUICE_COUNTER);
    if (std::isfinite(value) && !is_idle) figures.push_back(figure(statistic, value));
  }
  return figures;
}

std::string wrapped(const std::vector<std::string>& figures) {
  std::string out;
  size_t column = kColumns;  // so that the first one begins a line
  for (const std::string& figure : figures) {
    const bool is_first = out.empty();
    if (!is_first) out += ',';
    if (column + figure.size() + 3 > kColumns) {
      out += (is_first ? "" : "\n") + std::string(kIndent, ' ');
      column = kIndent;
    } else {
      out += ' ';
      ++column;
    }
    out += figure;
    column += figure.size() + 1;
  }
  return out + "\n";
}

std::optional<double> statistic(const engine::NodeSnapshot& node, std::string_view key) {
  const sluice_type& type = node.node->type();
  for (uint32_t i = 0; i < type.statistic_count; ++i) {
    if (key != type.statistics[i].key) continue;
    const double value = session::statistic_of(node, i);
    if (std::isfinite(value)) return value;
  }
  return {};
}

std::string lost_text(uint64_t lost) {
  return lost == 0 ? "none lost" : fmt::format("{} lost", lost);
}

std::string frames_text(const engine::EdgeSnapshot& edge) {
  const uint32_t rate_hz = edge.edge->from.format.rate_hz;
  if (!edge.edge->from.is_pcm() || rate_hz == 0) return fmt::format("{} packets", edge.read_frames);
  return fmt::format("{} frames ({:.2f} s)", edge.read_frames,
                     static_cast<double>(edge.read_frames) / rate_hz);
}

// "48000 frames (1.00 s) at file and null, 100 frames (0.00 s) at peak".
std::string arrivals(const engine::Snapshot& snapshot) {
  std::vector<std::pair<std::string, std::vector<std::string>>> arrived;
  size_t ends = 0;
  for (const auto& edge : snapshot.edges) {
    const engine::Node& node = edge.edge->to.node;
    if (!node.outputs.empty() || ++ends > kMostEnds) continue;
    const std::string frames = frames_text(edge);
    if (arrived.empty() || arrived.back().first != frames) arrived.push_back({frames, {}});
    const bool is_only = node.inputs.size() == 1;
    arrived.back().second.push_back(
        is_only ? node.id() : fmt::format("{}.{}", node.id(), edge.edge->to.declaration.key));
  }
  if (ends == 0) return "nothing, as no edge leads to an end of the graph";
  std::string text;
  for (const auto& [frames, names] : arrived) {
    const std::vector<std::string_view> views(names.begin(), names.end());
    text +=
        fmt::format("{}{} at {}", text.empty() ? "" : ", ", frames, support::joined(views, "and"));
  }
  if (ends > kMostEnds) text += fmt::format(" and more at {} other ends", ends - kMostEnds);
  return text;
}

// "Arrived: 48000 frames (1.00 s) at null; none lost; latency 12 ms."
std::string closing_sentence(const engine::Snapshot& snapshot) {
  uint64_t lost = 0;
  std::optional<double> latency_ms, delay_ms, lateness_us, exact;
  for (const auto& output : snapshot.outputs) lost += output.dropped_frames;
  for (const auto& edge : snapshot.edges) {
    lost += edge.lost_frames;
    if (!edge.latency_ns || !edge.edge->to.node.outputs.empty()) continue;
    latency_ms = std::max(latency_ms.value_or(0), static_cast<double>(*edge.latency_ns) / 1e6);
  }
  for (const auto& node : snapshot.nodes) {
    if (const auto value = statistic(node, "is_exact")) exact = std::min(exact.value_or(1), *value);
    if (const auto value = statistic(node, "lateness_p99_us")) {
      lateness_us = std::max(lateness_us.value_or(0), *value);
    }
    if (const auto value = statistic(node, "delay_ms")) {
      delay_ms = std::max(delay_ms.value_or(0), *value);
    }
  }
  std::string text = "Arrived: " + arrivals(snapshot);
  text += "; " + lost_text(lost);
  if (exact) text += *exact != 0.0 ? "; bit-exact" : "; not bit-exact";
  if (lateness_us) {
    text += fmt::format("; 99 % left at most {} ms late", number_text(*lateness_us / 1000, false));
  }
  if (delay_ms) {
    text +=
        fmt::format("; latency {} ms, waiting in buffers included", number_text(*delay_ms, false));
  } else if (latency_ms) {
    text += fmt::format("; latency {} ms", number_text(*latency_ms, false));
  }
  return text + ".\n";
}

}  // namespace

std::string summary(const engine::Snapshot& snapshot, int64_t start_ns) {
  std::string text =
      fmt::format("Played {:.2f} s.\n", static_cast<double>(snapshot.time_ns - start_ns) / 1e9);
  for (const auto& node : snapshot.nodes) {
    const bool is_end = node.node->outputs.empty();
    std::string read;
    uint64_t lost = 0;
    uint64_t filled = 0;
    for (const auto& edge : snapshot.edges) {
      if (&edge.edge->to.node != node.node) continue;
      read += (read.empty() ? "" : ", ") + frames_text(edge);
      if (node.node->inputs.size() > 1)
        read += fmt::format(" in {}", edge.edge->to.declaration.key);
      lost += edge.lost_frames;
      filled += edge.filled_frames;
    }
    const bool is_source = node.node->inputs.empty();
    if (!is_end && !is_source && lost == 0 && filled == 0) continue;
    text += fmt::format("  {} ({})", node.node->id(), node.node->type().id);
    if (!read.empty()) text += fmt::format(": {}, {}", read, lost_text(lost));
    if (filled != 0) text += fmt::format(", {} filled with silence", filled);
    text += node.state == engine::NodeState::kFailed ? ", failed\n" : "\n";
    if (const auto figures = figures_of(node); !figures.empty()) text += wrapped(figures);
  }
  return text + closing_sentence(snapshot);
}

}  // namespace sluice::cli
