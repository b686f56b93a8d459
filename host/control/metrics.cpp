#include "host/control/metrics.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <map>
#include <string_view>

#include "host/session/statistics.hpp"

namespace sluice::control {
namespace {

enum class Kind : uint8_t { kGauge, kCounter, kInfo };

// The two formats differ in where a counter's "_total" stands, in the kind of "info", in what is
// escaped in HELP, and in the end.
class Exposition {
 public:
  explicit Exposition(MetricsFormat format) : is_open_(format == MetricsFormat::kOpenMetrics) {}

  // Begins a family, named without "_total" or "_info".
  void family(std::string_view name, Kind kind, std::string_view help) {
    name_ = name;
    if (kind == Kind::kCounter) name_ += "_total";
    if (kind == Kind::kInfo) name_ += "_info";
    static constexpr const char* kNames[] = {"gauge", "counter", "info"};
    const char* const kind_name =
        kind == Kind::kInfo && !is_open_ ? "gauge" : kNames[static_cast<size_t>(kind)];
    const std::string_view shown = is_open_ ? name : name_;
    text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", shown, escaped(help, is_open_), shown,
                         kind_name);
  }

  // `labels` is made by label().
  template <typename Number>
  void sample(std::string_view labels, Number value) {
    text_ += fmt::format("{}{{{}}} {}\n", name_, labels, value);
  }

  static std::string label(std::string_view name, std::string_view value) {
    return fmt::format("{}=\"{}\"", name, escaped(value, true));
  }

  std::string finish() {
    if (is_open_) text_ += "# EOF\n";
    return std::move(text_);
  }

 private:
  static std::string escaped(std::string_view text, bool escapes_quotes) {
    std::string out;
    for (const char c : text) {
      if (c == '\\' || (c == '"' && escapes_quotes)) out += '\\';
      if (c == '\n') {
        out += "\\n";
      } else {
        out += c;
      }
    }
    return out;
  }

  const bool is_open_;
  std::string name_;  // of samples
  std::string text_;
};

struct EdgeMetric {
  const char* name;
  Kind kind;
  const char* help;
  uint64_t engine::EdgeSnapshot::*value;
};

constexpr EdgeMetric kEdgeMetrics[] = {
    {"sluice_edge_fill_frames", Kind::kGauge, "Frames between writer and reader.",
     &engine::EdgeSnapshot::fill_frames},
    {"sluice_edge_capacity_frames", Kind::kGauge, "Frames that the edge's buffer holds.",
     &engine::EdgeSnapshot::capacity_frames},
    {"sluice_edge_read_frames", Kind::kCounter, "Frames read.", &engine::EdgeSnapshot::read_frames},
    {"sluice_edge_lost_frames", Kind::kCounter, "Frames skipped, discarded or late.",
     &engine::EdgeSnapshot::lost_frames},
    {"sluice_edge_filled_frames", Kind::kCounter, "Frames of silence in place of missing ones.",
     &engine::EdgeSnapshot::filled_frames},
    {"sluice_edge_gaps", Kind::kCounter, "How often frames were lost or missing.",
     &engine::EdgeSnapshot::gaps},
};

void add_host(Exposition& out, const std::string& graph_label, double uptime_s,
              const HostUse& host) {
  out.family("sluice", Kind::kInfo, "The version that runs.");
  out.sample(graph_label + "," + Exposition::label("version", SLUICE_VERSION), 1);
  out.family("sluice_uptime_seconds", Kind::kGauge, "Since the graph was started.");
  out.sample(graph_label, uptime_s);
  out.family("sluice_document_version", Kind::kGauge, "Goes up by one with each change.");
  out.sample(graph_label, host.version);
  out.family("sluice_subscriptions", Kind::kGauge, "Of clients that are told what happens.");
  out.sample(graph_label, host.subscriptions);
  rusage use{};
  ::getrusage(RUSAGE_SELF, &use);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  out.family("process_cpu_seconds", Kind::kCounter, "Time of all processors, user and system.");
  out.sample(graph_label, seconds(use.ru_utime) + seconds(use.ru_stime));
  std::ifstream statm("/proc/self/statm");
  uint64_t all_pages = 0, resident_pages = 0;
  if (statm >> all_pages >> resident_pages) {
    out.family("process_resident_memory_bytes", Kind::kGauge, "Memory that is in use.");
    out.sample(graph_label, resident_pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)));
  }
}

void add_edges(Exposition& out, const std::string& graph_label, const engine::Snapshot& snapshot) {
  std::map<std::string, const engine::EdgeSnapshot*> edges;
  for (const auto& edge : snapshot.edges) {
    edges[graph_label + "," + Exposition::label("edge", session::key_of(*edge.edge))] = &edge;
  }
  for (const EdgeMetric& metric : kEdgeMetrics) {
    out.family(metric.name, metric.kind, metric.help);
    for (const auto& [labels, edge] : edges) out.sample(labels, edge->*metric.value);
  }
  out.family("sluice_edge_latency_seconds", Kind::kGauge,
             "From capture to the reading node, where capture is known.");
  for (const auto& [labels, edge] : edges) {
    if (edge->latency_ns) out.sample(labels, static_cast<double>(*edge->latency_ns) / 1e9);
  }
  std::map<std::string, const engine::OutputSnapshot*> outputs;
  for (const auto& output : snapshot.outputs) {
    outputs[graph_label + "," + Exposition::label("output", session::key_of(*output.port))] =
        &output;
  }
  out.family("sluice_output_written_frames", Kind::kCounter, "Frames that the node put out.");
  for (const auto& [labels, output] : outputs) out.sample(labels, output->written_frames);
  out.family("sluice_output_dropped_frames", Kind::kCounter, "Frames that nobody had room for.");
  for (const auto& [labels, output] : outputs) out.sample(labels, output->dropped_frames);
}

// The nodes' own statistics, by type, so that each family stands in one piece.
void add_statistics(Exposition& out, const std::string& graph_label,
                    const std::map<std::string, const engine::NodeSnapshot*>& nodes) {
  struct Family {
    Kind kind = Kind::kGauge;
    std::string help;
    std::vector<std::pair<std::string, double>> samples;
  };
  std::map<std::string, Family> families;
  for (const auto& [id, node] : nodes) {
    const sluice_type& type = node->node->type();
    for (uint32_t i = 0; i < type.statistic_count; ++i) {
      const sluice_statistic& statistic = type.statistics[i];
      const double value = session::statistic_of(*node, i);
      if (!std::isfinite(value)) continue;
      std::string name = "sluice_node_" + std::string(type.id) + "_" + statistic.key;
      for (char& c : name) {
        const bool is_plain =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        if (!is_plain) c = '_';
      }
      Family& family = families[name];
      family.kind = statistic.kind == SLUICE_COUNTER ? Kind::kCounter : Kind::kGauge;
      family.help = statistic.description;
      family.samples.emplace_back(graph_label + "," + Exposition::label("node", id), value);
    }
  }
  for (const auto& [name, family] : families) {
    out.family(name, family.kind, family.help);
    for (const auto& [labels, value] : family.samples) out.sample(labels, value);
  }
}

}  // namespace

const char* content_type_of(MetricsFormat format) {
  return format == MetricsFormat::kPrometheus
             ? "text/plain; version=0.0.4; charset=utf-8"
             : "application/openmetrics-text; version=1.0.0; charset=utf-8";
}

std::string metrics_text(MetricsFormat format, const engine::Snapshot& snapshot, int64_t start_ns,
                         const std::string& graph, const HostUse& host) {
  Exposition out(format);
  const std::string graph_label = Exposition::label("graph", graph);
  add_host(out, graph_label, static_cast<double>(snapshot.time_ns - start_ns) / 1e9, host);
  std::map<std::string, const engine::NodeSnapshot*> nodes;
  for (const auto& node : snapshot.nodes) nodes[node.node->id()] = &node;
  out.family("sluice_node_state", Kind::kGauge, "1 for the state that the node is in.");
  for (const auto& [id, node] : nodes) {
    out.sample(graph_label + "," + Exposition::label("node", id) + "," +
                   Exposition::label("type", node->node->type().id) + "," +
                   Exposition::label("state", engine::name_of(node->state)),
               1);
  }
  add_edges(out, graph_label, snapshot);
  add_statistics(out, graph_label, nodes);
  return out.finish();
}

}  // namespace sluice::control
