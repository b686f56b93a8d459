#include "host/session/ledger.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <unordered_map>

#include "host/session/clock_map.hpp"
#include "host/session/statistics.hpp"

namespace sluice::session {
namespace {

std::optional<double> gauge(const engine::Snapshot& snapshot, const engine::Node& node,
                            const char* key) {
  for (const engine::NodeSnapshot& it : snapshot.nodes) {
    if (it.node != &node) continue;
    for (uint32_t i = 0; i < node.type().statistic_count; ++i) {
      if (std::strcmp(node.type().statistics[i].key, key) == 0) return statistic_of(it, i);
    }
  }
  return std::nullopt;
}

ClockRow& row_of(std::vector<ClockRow>& rows, const ClockName& clock) {
  const auto found = std::find_if(rows.begin(), rows.end(),
                                  [&](const ClockRow& row) { return row.name == clock.name; });
  if (found != rows.end()) return *found;
  rows.push_back({clock.name, std::nullopt, {}, {}});
  if (clock.kind == SLUICE_CLOCK_MONOTONIC) rows.back().ppm = 0.0;
  return rows.back();
}

void note_published(std::vector<ClockRow>& rows, const PlannedNode& planned, uint32_t port,
                    const engine::ClockReading& reading) {
  const ClockName& clock = planned.port_clocks[port];
  if (reading.ratio == 0.0 || clock.is_none()) return;
  ClockRow& row = row_of(rows, clock);
  row.ppm = (reading.ratio - 1.0) * 1e6;
  row.measured_by = planned.node->id();
}

// What the edge adds, by what is declared.
double declared_ms(const engine::Edge& edge) {
  // What both ends keep there is the same frames.
  return ms(edge.options.delay_frames, edge.from.format) +
         std::max(ms(edge.from.kept_frames, edge.from.format),
                  ms(edge.to.kept_frames, edge.to.format));
}

// The ways that lead to each node, and the slowest of them.
class Ways {
 public:
  explicit Ways(std::span<const engine::EdgeSnapshot> edges) {
    for (const engine::EdgeSnapshot& edge : edges) into_[&edge.edge->to.node].push_back(&edge);
  }

  LatencyLedger to(const engine::Node& sink) {
    LatencyLedger ledger;
    ledger.sink = ledger.source = sink.id();
    std::optional<double> seen_ms;
    const auto add = [&](const std::string& what, double declared, std::optional<double> measured) {
      if (declared == 0.0 && !measured) return;
      ledger.parts.push_back({what, declared, measured});
      ledger.declared_ms += declared;
      ledger.measured_ms += ledger.parts.back().ms();
    };
    const engine::Node* node = &sink;
    while (const engine::EdgeSnapshot* found = slowest_into(*node)) {
      const engine::Edge& edge = *found->edge;
      if (node == &sink) {
        const double heard_ms = ms(edge.to.heard_after_frames, edge.to.format);
        if (found->latency_ns) seen_ms = static_cast<double>(*found->latency_ns) / 1e6 + heard_ms;
        add(sink.id(), heard_ms, std::nullopt);
      }
      // What a node holds back mostly lies in the ring in front of it, and is there counted as
      // such.
      const double hold_ms = ms(edge.to.hold_frames, edge.to.format);
      const double fill_ms = ms(found->fill_frames, edge.from.format);
      add(node->id(), hold_ms, std::nullopt);
      add(key_of(edge), declared_ms(edge),
          edge.is_new ? std::nullopt : std::optional(std::max(0.0, fill_ms - hold_ms)));
      node = &edge.from.node;
      add(node->id(), ms(edge.from.latency_frames, edge.from.format), std::nullopt);
      ledger.source = node->id();
    }
    std::reverse(ledger.parts.begin(), ledger.parts.end());
    if (seen_ms) ledger.measured_ms = *seen_ms;
    return ledger;
  }

 private:
  const engine::EdgeSnapshot* slowest_into(const engine::Node& node) {
    const engine::EdgeSnapshot* slowest = nullptr;
    double most_ms = -1.0;
    for (const engine::EdgeSnapshot* it : into_[&node]) {
      const double late_ms =
          late_behind_ms(*it->edge) +
          std::max(declared_ms(*it->edge), ms(it->fill_frames, it->edge->from.format));
      if (late_ms <= most_ms) continue;
      most_ms = late_ms;
      slowest = it;
    }
    return slowest;
  }

  // By what is declared: lag of what the edge is given.
  double late_behind_ms(const engine::Edge& edge) {
    const engine::Node& node = edge.from.node;
    auto known = late_ms_.find(&node);
    if (known == late_ms_.end()) {
      double most_ms = 0.0;
      for (const engine::EdgeSnapshot* it : into_[&node]) {
        most_ms = std::max(most_ms, late_behind_ms(*it->edge) + declared_ms(*it->edge) +
                                        ms(it->edge->to.hold_frames, it->edge->to.format));
      }
      known = late_ms_.emplace(&node, most_ms).first;
    }
    return known->second + ms(edge.from.latency_frames, edge.from.format);
  }

  std::unordered_map<const engine::Node*, std::vector<const engine::EdgeSnapshot*>> into_;
  std::unordered_map<const engine::Node*, double> late_ms_;  // in front of the node, declared
};

graph::Value parts_json(const LatencyLedger& ledger) {
  graph::Value parts = graph::Value::array();
  for (const LatencyLedger::Part& part : ledger.parts) {
    graph::Value one = graph::Value::object();
    one.set("what", part.what);
    one.set("declared_ms", rounded(part.declared_ms));
    if (part.measured_ms) one.set("measured_ms", rounded(*part.measured_ms));
    parts.push_back(std::move(one));
  }
  return parts;
}

}  // namespace

std::vector<ClockRow> clock_rows(std::span<const PlannedNode> nodes,
                                 const engine::Snapshot& snapshot) {
  std::vector<ClockRow> rows;
  for (const PlannedNode& planned : nodes) {
    for (const ClockName& clock : planned.port_clocks) {
      if (!clock.is_none()) row_of(rows, clock);
    }
    for (const auto& port : planned.node->inputs) {
      note_published(rows, planned, port->port_index, port->clock.read());
    }
    for (const auto& port : planned.node->outputs) {
      note_published(rows, planned, port->port_index, port->clock.read());
    }
  }
  for (const PlannedNode& planned : nodes) {
    const engine::Node& node = *planned.node;
    if (!is_bridge(node)) continue;
    const std::pair<uint32_t, const char*> sides[] = {{node.inputs[0]->port_index, "writer_ppm"},
                                                      {node.outputs[0]->port_index, "reader_ppm"}};
    for (const auto& [port, key] : sides) {
      const ClockName& clock = planned.port_clocks[port];
      if (clock.is_none()) continue;
      ClockRow& row = row_of(rows, clock);
      row.corrected_by.push_back(node.id());
      if (row.ppm) continue;
      row.ppm = gauge(snapshot, node, key);
      row.measured_by = node.id();
    }
  }
  return rows;
}

std::vector<LatencyLedger> latency_ledgers(const engine::Snapshot& snapshot) {
  std::vector<engine::EdgeSnapshot> wired;
  for (const engine::EdgeSnapshot& edge : snapshot.edges) {
    if (edge.edge->is_wired) wired.push_back(edge);
  }
  Ways ways(wired);
  std::vector<LatencyLedger> ledgers;
  for (const engine::NodeSnapshot& sink : snapshot.nodes) {
    if (!sink.node->outputs.empty()) continue;
    LatencyLedger ledger = ways.to(*sink.node);
    if (!ledger.parts.empty()) ledgers.push_back(std::move(ledger));
  }
  return ledgers;
}

std::vector<LatencyLedger> planned_ledgers(const BuildResult& plan, const engine::Snapshot& now) {
  std::vector<engine::EdgeSnapshot> edges;
  const auto add = [&](const engine::Edge& edge) {
    const auto running = std::find_if(now.edges.begin(), now.edges.end(),
                                      [&](const auto& it) { return it.edge == &edge; });
    edges.push_back(running != now.edges.end() ? *running : engine::EdgeSnapshot{});
    edges.back().edge = &edge;
    // The time since capture is that of the plan that runs.
    edges.back().latency_ns.reset();
  };
  for (const PlannedEdge& edge : plan.edges) {
    for (const engine::Edge* hop : edge.hops) add(*hop);
  }
  for (const Landing& landing : plan.landings) {
    if (landing.edge) add(*landing.edge);
  }
  Ways ways(edges);
  std::vector<LatencyLedger> ledgers;
  for (const PlannedNode& sink : plan.nodes) {
    if (!sink.node->outputs.empty()) continue;
    LatencyLedger ledger = ways.to(*sink.node);
    if (ledger.source == ledger.sink) continue;
    for (const std::string& id : {ledger.source, ledger.sink}) {
      const bool is_unasked =
          std::any_of(plan.nodes.begin(), plan.nodes.end(), [&](const auto& it) {
            return it.node->id() == id && it.node->lane == nullptr &&
                   !it.node->tells_latency_unopened();
          });
      if (is_unasked) ledger.unasked.push_back(id);
    }
    ledgers.push_back(std::move(ledger));
  }
  return ledgers;
}

graph::Value planned_json(std::span<const LatencyLedger> planned,
                          std::span<const LatencyLedger> now) {
  graph::Value all = graph::Value::array();
  for (const LatencyLedger& ledger : planned) {
    graph::Value entry = graph::Value::object();
    entry.set("source", ledger.source);
    entry.set("sink", ledger.sink);
    entry.set("declared_ms", rounded(ledger.declared_ms));
    entry.set("expected_ms", rounded(ledger.measured_ms));
    for (const LatencyLedger& before : now) {
      if (before.sink == ledger.sink) entry.set("now_ms", rounded(before.ms()));
    }
    entry.set("parts", parts_json(ledger));
    graph::Value unasked = graph::Value::array();
    for (const std::string& id : ledger.unasked) unasked.push_back(id);
    entry.set("unasked", std::move(unasked));
    all.push_back(std::move(entry));
  }
  return all;
}

const LatencyLedger* slowest(std::span<const LatencyLedger> ledgers) {
  const auto most = std::max_element(ledgers.begin(), ledgers.end(),
                                     [](const auto& a, const auto& b) { return a.ms() < b.ms(); });
  return most == ledgers.end() ? nullptr : &*most;
}

void add_ledgers(graph::Value& all, std::span<const ClockRow> clocks,
                 std::span<const LatencyLedger> ledgers, std::optional<double> budget_ms) {
  graph::Value of_clocks = graph::Value::object();
  for (const ClockRow& row : clocks) {
    graph::Value entry = graph::Value::object();
    entry.set("ppm", row.ppm ? graph::Value(rounded(*row.ppm)) : graph::Value());
    if (!row.measured_by.empty()) entry.set("measured_by", row.measured_by);
    graph::Value bridges = graph::Value::array();
    for (const std::string& id : row.corrected_by) bridges.push_back(id);
    entry.set("corrected_by", std::move(bridges));
    of_clocks.set(row.name, std::move(entry));
  }
  graph::Value of_latency = graph::Value::array();
  for (const LatencyLedger& ledger : ledgers) {
    graph::Value entry = graph::Value::object();
    entry.set("source", ledger.source);
    entry.set("sink", ledger.sink);
    entry.set("declared_ms", rounded(ledger.declared_ms));
    entry.set("measured_ms", rounded(ledger.measured_ms));
    if (budget_ms) entry.set("budget_ms", *budget_ms);
    entry.set("parts", parts_json(ledger));
    of_latency.push_back(std::move(entry));
  }
  all.set("clocks", std::move(of_clocks));
  all.set("latency", std::move(of_latency));
}

std::string over_budget(std::span<const LatencyLedger> ledgers, double budget_ms) {
  const LatencyLedger* worst = slowest(ledgers);
  if (!worst || worst->ms() <= budget_ms) return {};
  const auto largest =
      std::max_element(worst->parts.begin(), worst->parts.end(),
                       [](const auto& a, const auto& b) { return a.ms() < b.ms(); });
  return fmt::format(
      "From {} to {} it takes {:.0f} ms, more than the {:.0f} ms of latency_budget_ms; most of it, "
      "{:.0f} ms, is {}.",
      worst->source, worst->sink, worst->ms(), budget_ms, largest->ms(), largest->what);
}

}  // namespace sluice::session
