#include "host/session/statistics.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace sluice::session {
namespace {

constexpr double kLeastDb = -144.0;

}  // namespace

std::string key_of(const engine::OutputPort& port) {
  return port.node.id() + "." + port.declaration.key;
}

std::string key_of(const engine::Edge& edge) {
  return key_of(edge.from) + "->" + edge.to.node.id() + "." + edge.to.declaration.key;
}

double rounded(double value) { return std::round(value * 1000.0) / 1000.0; }

graph::Value whole(uint64_t count) { return graph::Value(static_cast<int64_t>(count)); }

double ms(uint64_t frames, const sluice_format& format) {
  return format.rate_hz == 0 ? 0.0 : static_cast<double>(frames) * 1000.0 / format.rate_hz;
}

double level_db(float linear) {
  return linear > 0.0F ? std::max(kLeastDb, 20.0 * std::log10(static_cast<double>(linear)))
                       : kLeastDb;
}

double statistic_of(const engine::NodeSnapshot& node, uint32_t index) {
  const uint64_t word = node.statistics[index];
  return node.node->type().statistics[index].kind == SLUICE_COUNTER ? static_cast<double>(word)
                                                                    : std::bit_cast<double>(word);
}

graph::Value to_json(const engine::Snapshot& snapshot, int64_t start_ns) {
  graph::Value nodes = graph::Value::object();
  for (const auto& node : snapshot.nodes) {
    graph::Value entry = graph::Value::object();
    const sluice_type& type = node.node->type();
    entry.set("type", type.id);
    entry.set("state", engine::name_of(node.state));
    if (!node.sentence.empty()) entry.set("sentence", node.sentence);
    if (node.calls != 0) {
      entry.set("calls", whole(node.calls));
      entry.set("busy_ns", whole(node.busy_ns));
    }
    if (node.violations != 0) entry.set("violations", whole(node.violations));
    if (type.statistic_count != 0) {
      graph::Value statistics = graph::Value::object();
      for (uint32_t i = 0; i < type.statistic_count; ++i) {
        const double value = statistic_of(node, i);
        if (type.statistics[i].kind == SLUICE_COUNTER) {
          statistics.set(type.statistics[i].key, whole(node.statistics[i]));
        } else if (std::isfinite(value)) {
          statistics.set(type.statistics[i].key, rounded(value));
        } else {
          statistics.set(type.statistics[i].key, graph::Value());
        }
      }
      entry.set("statistics", std::move(statistics));
    }
    nodes.set(node.node->id(), std::move(entry));
  }
  graph::Value outputs = graph::Value::object();
  for (const auto& output : snapshot.outputs) {
    graph::Value entry = graph::Value::object();
    entry.set("written_frames", whole(output.written_frames));
    entry.set("dropped_frames", whole(output.dropped_frames));
    entry.set("peak_db", rounded(level_db(output.levels.peak)));
    entry.set("rms_db", rounded(level_db(output.levels.rms)));
    entry.set("latency_ms", rounded(ms(output.port->latency_frames, output.port->format)));
    outputs.set(key_of(*output.port), std::move(entry));
  }
  graph::Value edges = graph::Value::object();
  for (const auto& edge : snapshot.edges) {
    graph::Value entry = graph::Value::object();
    const sluice_format& format = edge.edge->from.format;
    entry.set("fill_frames", whole(edge.fill_frames));
    entry.set("fill_ms", rounded(ms(edge.fill_frames, format)));
    entry.set("capacity_frames", whole(edge.capacity_frames));
    entry.set("read_frames", whole(edge.read_frames));
    entry.set("lost_frames", whole(edge.lost_frames));
    entry.set("filled_frames", whole(edge.filled_frames));
    entry.set("unread_frames", whole(edge.unread_frames));
    entry.set("gaps", whole(edge.gaps));
    if (edge.loss_reason) entry.set("loss_reason", edge.loss_reason);
    if (edge.latency_ns) {
      entry.set("measured_latency_ms", rounded(static_cast<double>(*edge.latency_ns) / 1e6));
    }
    edges.set(key_of(*edge.edge), std::move(entry));
  }
  graph::Value all = graph::Value::object();
  all.set("time_s", rounded(static_cast<double>(snapshot.time_ns - start_ns) / 1e9));
  all.set("nodes", std::move(nodes));
  all.set("outputs", std::move(outputs));
  all.set("edges", std::move(edges));
  return all;
}

}  // namespace sluice::session
