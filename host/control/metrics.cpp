#include "host/control/metrics.hpp"

#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <map>
#include <string_view>

#include "host/session/statistics.hpp"

namespace sluice::control {
namespace {

std::string label(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

void head(std::string& out, std::string_view name, std::string_view kind, std::string_view help) {
  out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, kind);
}

struct EdgeMetric {
  const char* name;
  const char* kind;
  const char* help;
  uint64_t engine::EdgeSnapshot::*value;
};

constexpr EdgeMetric kEdgeMetrics[] = {
    {"sluice_edge_fill_frames", "gauge", "Frames between writer and reader.",
     &engine::EdgeSnapshot::fill_frames},
    {"sluice_edge_capacity_frames", "gauge", "Frames that the edge's buffer holds.",
     &engine::EdgeSnapshot::capacity_frames},
    {"sluice_edge_read_frames_total", "counter", "Frames read.",
     &engine::EdgeSnapshot::read_frames},
    {"sluice_edge_lost_frames_total", "counter", "Frames skipped, discarded or late.",
     &engine::EdgeSnapshot::lost_frames},
    {"sluice_edge_filled_frames_total", "counter", "Frames of silence in place of missing ones.",
     &engine::EdgeSnapshot::filled_frames},
    {"sluice_edge_gaps_total", "counter", "How often frames were lost or missing.",
     &engine::EdgeSnapshot::gaps},
};

}  // namespace

std::string metrics_text(const engine::Snapshot& snapshot, int64_t start_ns,
                         const std::string& graph) {
  std::string out;
  head(out, "sluice_info", "gauge", "The version that runs.");
  out +=
      fmt::format("sluice_info{{graph=\"{}\",version=\"{}\"}} 1\n", label(graph), SLUICE_VERSION);
  head(out, "sluice_uptime_seconds", "gauge", "Since the graph was started.");
  out += fmt::format("sluice_uptime_seconds{{graph=\"{}\"}} {}\n", label(graph),
                     static_cast<double>(snapshot.time_ns - start_ns) / 1e9);
  head(out, "sluice_node_state", "gauge", "1 for the state that the node is in.");
  std::map<std::string, const engine::NodeSnapshot*> nodes;
  for (const auto& node : snapshot.nodes) nodes[node.node->id()] = &node;
  for (const auto& [id, node] : nodes) {
    out += fmt::format("sluice_node_state{{graph=\"{}\",node=\"{}\",type=\"{}\",state=\"{}\"}} 1\n",
                       label(graph), label(id), label(node->node->type().id),
                       engine::name_of(node->state));
  }
  std::map<std::string, const engine::EdgeSnapshot*> edges;
  for (const auto& edge : snapshot.edges) edges[session::key_of(*edge.edge)] = &edge;
  for (const EdgeMetric& metric : kEdgeMetrics) {
    head(out, metric.name, metric.kind, metric.help);
    for (const auto& [key, edge] : edges) {
      out += fmt::format("{}{{graph=\"{}\",edge=\"{}\"}} {}\n", metric.name, label(graph),
                         label(key), edge->*metric.value);
    }
  }
  // The nodes' own statistics, by type, so that each metric stands in one piece.
  struct Family {
    std::string kind, help;
    std::string lines;
  };
  std::map<std::string, Family> families;
  for (const auto& [id, node] : nodes) {
    const sluice_type& type = node->node->type();
    for (uint32_t i = 0; i < type.statistic_count; ++i) {
      const sluice_statistic& statistic = type.statistics[i];
      const double value = session::statistic_of(*node, i);
      if (!std::isfinite(value)) continue;
      const bool is_counter = statistic.kind == SLUICE_COUNTER;
      std::string name = "sluice_node_" + std::string(type.id) + "_" + statistic.key;
      for (char& c : name) {
        if (c == '.' || c == '-') c = '_';
      }
      if (is_counter) name += "_total";
      Family& family = families[name];
      family.kind = is_counter ? "counter" : "gauge";
      family.help = statistic.description;
      for (char& c : family.help) {
        if (c == '\n' || c == '\\') c = ' ';
      }
      family.lines +=
          fmt::format("{}{{graph=\"{}\",node=\"{}\"}} {}\n", name, label(graph), label(id), value);
    }
  }
  for (const auto& [name, family] : families) {
    head(out, name, family.kind, family.help);
    out += family.lines;
  }
  return out;
}

}  // namespace sluice::control
