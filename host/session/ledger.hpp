// What a running graph says about time: its clocks, and what lies between a source and a sink.
// [control]
#pragma once

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/engine/snapshot.hpp"
#include "host/graph/value.hpp"
#include "host/session/builder.hpp"

namespace sluice::session {

// One clock of the graph.
struct ClockRow {
  std::string name;                       // as in ClockName
  std::optional<double> ppm;              // fast against the host's clock, where somebody measures
  std::string measured_by;                // the node that does; "" for the host's own
  std::vector<std::string> corrected_by;  // bridges on one side of it
};
// A clock is measured by its owner (sluice_clock_host.publish) or by a bridge, in its statistics
// writer_ppm and reader_ppm.
std::vector<ClockRow> clock_rows(std::span<const PlannedNode> nodes,
                                 const engine::Snapshot& snapshot);

// The slowest way into one sink.
struct LatencyLedger {
  // A node, or an edge.
  struct Part {
    std::string what;                   // the id, or the key
    double declared_ms = 0.0;           // see below
    std::optional<double> measured_ms;  // of an edge: what lies there, its delay included

    double ms() const { return measured_ms ? std::max(declared_ms, *measured_ms) : declared_ms; }
  };
  std::string source, sink;
  std::vector<Part> parts;  // from the source on
  // Of planned_ledgers: nodes on the way that say how late they are only when they are opened.
  std::vector<std::string> unasked;
  // What nodes say they are late by and hold back, what they say they keep lying in front of them
  // or behind, and the delays of edges.
  double declared_ms = 0.0;
  // From capture to when it is heard, where the source knows when it captured; otherwise the parts,
  // each by what lies there or what is declared, whichever is more.
  double measured_ms = 0.0;

  double ms() const { return std::max(declared_ms, measured_ms); }
};
std::vector<LatencyLedger> latency_ledgers(const engine::Snapshot& snapshot);
// The same of a plan that is announced and foreseen (Engine::foresee): what stays in it with what
// lies there now, what is new by what it declares.
std::vector<LatencyLedger> planned_ledgers(const BuildResult& plan, const engine::Snapshot& now);

// The ledger with the largest latency; null if there is none.
const LatencyLedger* slowest(std::span<const LatencyLedger> ledgers);

// Adds "clocks" and "latency" to the object of session::to_json.
void add_ledgers(graph::Value& all, std::span<const ClockRow> clocks,
                 std::span<const LatencyLedger> ledgers, std::optional<double> budget_ms);

// [{"source", "sink", "declared_ms", "expected_ms", "now_ms", "parts", "unasked"}, ...]: what is
// planned, beside what there is into the same sink.
graph::Value planned_json(std::span<const LatencyLedger> planned,
                          std::span<const LatencyLedger> now);

// A sentence on the slowest ledger if it is over the budget, with its largest part; else empty.
std::string over_budget(std::span<const LatencyLedger> ledgers, double budget_ms);

}  // namespace sluice::session
