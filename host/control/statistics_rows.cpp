#include "host/control/statistics_rows.hpp"

#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <string_view>

#include "host/graph/value.hpp"
#include "host/session/statistics.hpp"

namespace sluice::control {
namespace {

constexpr const char* kOutputColumns =
    R"(["written_frames", "dropped_frames", "peak_db", "rms_db", "latency_ms"])";
constexpr const char* kEdgeColumns =
    R"(["fill_frames", "capacity_frames", "read_frames", "lost_frames", "filled_frames", )"
    R"("unread_frames", "gaps", "measured_latency_ms"])";

// A list that is written from its front to its end.
class List {
 public:
  explicit List(std::string& out) : out_(out) { out_ += '['; }
  ~List() { out_ += ']'; }
  List(const List&) = delete;
  List& operator=(const List&) = delete;

  void add(uint64_t count) {
    begin();
    fmt::format_to(std::back_inserter(out_), "{}", count);
  }
  // With three digits behind the point.
  void add(double number) {
    begin();
    if (std::isfinite(number)) {
      out_ += graph::number_text(std::round(number * 1000.0) / 1000.0);
    } else {
      out_ += "null";
    }
  }
  void add_plain(std::string_view text) {
    begin();
    out_ += text;
  }

 private:
  void begin() {
    if (out_.back() != '[') out_ += ',';
  }
  std::string& out_;
};

double ms(uint64_t frames, const sluice_format& format) {
  return format.rate_hz == 0 ? 0.0 : static_cast<double>(frames) * 1000.0 / format.rate_hz;
}

void write_node(const engine::NodeSnapshot& node, std::string& out) {
  List row(out);
  row.add_plain(fmt::format("\"{}\"", engine::name_of(node.state)));
  row.add(node.calls);
  row.add(node.busy_ns);
  row.add(node.violations);
  const sluice_type& type = node.node->type();
  for (uint32_t i = 0; i < type.statistic_count; ++i) {
    if (type.statistics[i].kind == SLUICE_COUNTER) {
      row.add(node.statistics[i]);
    } else {
      row.add(session::statistic_of(node, i));
    }
  }
}

void write_output(const engine::OutputSnapshot& output, std::string& out) {
  List row(out);
  row.add(output.written_frames);
  row.add(output.dropped_frames);
  row.add(session::level_db(output.levels.peak));
  row.add(session::level_db(output.levels.rms));
  row.add(ms(output.port->latency_frames, output.port->format));
}

void write_edge(const engine::EdgeSnapshot& edge, std::string& out) {
  List row(out);
  for (const uint64_t count :
       {edge.fill_frames, edge.capacity_frames, edge.read_frames, edge.lost_frames,
        edge.filled_frames, edge.unread_frames, edge.gaps}) {
    row.add(count);
  }
  row.add(edge.latency_ns ? static_cast<double>(*edge.latency_ns) / 1e6 : std::nan(""));
}

// `write` each of `all`, as a list.
template <typename All, typename Write>
void write_table(const char* name, const All& all, const Write& write, std::string& out) {
  out += fmt::format(", \"{}\": [", name);
  for (const auto& one : all) {
    if (out.back() != '[') out += ',';
    write(one, out);
  }
  out += ']';
}

}  // namespace

void StatisticsRows::lay_out(const engine::Snapshot& snapshot) {
  graph::Value nodes = graph::Value::object();
  for (const auto& node : snapshot.nodes) {
    graph::Value columns(graph::Value::Array{"state", "calls", "busy_ns", "violations"});
    const sluice_type& type = node.node->type();
    for (uint32_t i = 0; i < type.statistic_count; ++i) columns.push_back(type.statistics[i].key);
    nodes.set(node.node->id(), std::move(columns));
  }
  layout_ = "{\"nodes\": " + graph::to_json(nodes) + ", \"outputs\": {";
  const auto add = [this](const std::string& key, const char* columns) {
    if (layout_.back() != '{') layout_ += ", ";
    layout_ += graph::quote_json(key) + ": " + columns;
  };
  for (const auto& output : snapshot.outputs) add(session::key_of(*output.port), kOutputColumns);
  layout_ += "}, \"edges\": {";
  for (const auto& edge : snapshot.edges) add(session::key_of(*edge.edge), kEdgeColumns);
  layout_ += "}}";
}

bool StatisticsRows::take(const engine::Snapshot& snapshot, int64_t start_ns, uint64_t version) {
  std::vector<const void*> there;
  for (const auto& node : snapshot.nodes) there.push_back(node.node);
  for (const auto& output : snapshot.outputs) there.push_back(output.port);
  for (const auto& edge : snapshot.edges) there.push_back(edge.edge);
  bool is_new = there != laid_out_ || version != version_;
  if (is_new) {
    laid_out_ = std::move(there);
    version_ = version;
    const std::string before = std::move(layout_);
    lay_out(snapshot);
    is_new = layout_ != before;
  }
  const double time_s = static_cast<double>(snapshot.time_ns - start_ns) / 1e9;
  rows_ = "{\"time_s\": " + graph::number_text(std::round(time_s * 1000.0) / 1000.0);
  write_table("nodes", snapshot.nodes, write_node, rows_);
  write_table("outputs", snapshot.outputs, write_output, rows_);
  write_table("edges", snapshot.edges, write_edge, rows_);
  rows_ += '}';
  return is_new;
}

}  // namespace sluice::control
