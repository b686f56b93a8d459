// What stands behind build and extend (builder.hpp): one pass over a document, in steps that each
// need the one before. [control]
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "host/session/builder.hpp"
#include "host/session/clock_map.hpp"
#include "host/session/edge_ends.hpp"

namespace sluice::session {

class GraphBuilder {
 public:
  GraphBuilder(const graph::Document& document, loader::Registry& registry, BuildOptions options);
  GraphBuilder(const graph::Document& document, loader::Registry& registry, BuildOptions options,
               Running running);

  // Once.
  BuildResult run();

 private:
  // An edge of the document on its way to the engine: where it comes from after adapters.
  struct Wire {
    const graph::Edge* edge;
    engine::OutputPort* from;
    engine::InputPort* to;
    double gain_db;
    engine::Edge* running = nullptr;  // it is there already
    bool is_later = false;            // of a route that is not taken: decides formats alone
  };

  bool failed() const { return graph::has_errors(result_.diagnostics); }
  void error(graph::Location at, std::string message) {
    result_.diagnostics.push_back({graph::Severity::kError, std::move(at), std::move(message)});
  }
  bool is_running(const engine::Node& node) const { return running_nodes_.contains(&node); }

  // Nodes and wires.
  void make_nodes();
  bool is_isolated(const loader::Type& type, const graph::Node* wanted) const;
  support::Result<const sluice_type*> data_of(const loader::Type& type,
                                              const graph::Node* wanted) const;
  void make_wires();
  void add_wire(const graph::Edge& edge, bool is_later);
  const PlannedEdge* running_edge(const graph::Edge& edge) const;
  const Landing* landing_at(const engine::InputPort& port) const;
  void add_planned(engine::Node& node, bool is_inserted);
  PlannedNode& planned(const engine::Node& node);
  static engine::OutputPort* output(engine::Node& node, std::string_view key);
  static engine::InputPort* input(engine::Node& node, std::string_view key);
  std::vector<engine::Node*> ordered() const;
  // A number that is the same for the same node in every run: FNV-1a, 64 bits (Fowler, Noll, Vo).
  static uint64_t seed_of(std::string_view id);
  static engine::ParameterValue default_of(const sluice_parameter& declared);

  // Formats.
  void solve();
  void adapt_to_running(const engine::Node& node);
  std::optional<sluice_port_info> describe(engine::Node& node, uint32_t port);
  bool solve_inputs(engine::Node& node);
  bool solve_input(engine::Node& node, engine::InputPort& port, const sluice_port_info& info,
                   std::vector<Wire*>& feeding);
  static bool is_summed(const Wire& wire);
  void solve_unfed(const engine::Node& node, engine::InputPort& port, const sluice_port_info& info);
  bool solve_outputs(engine::Node& node);
  std::span<const sluice_format_offer> wishes(const engine::OutputPort& port) const;
  bool mismatch(const engine::Node& node, const engine::InputPort& port,
                const sluice_port_info& info, const Wire& wire);
  void make_room();

  // Adapters.
  bool adapt(Wire& wire, const sluice_format& target);
  bool cannot_adapt(const Wire& wire, const sluice_format& target);
  bool has_provider(uint32_t flag);
  engine::Node* insert(uint32_t flag, const engine::InputPort& port, const char* what,
                       const sluice_format& from, const sluice_format& to);
  void note_inserted(const engine::Node& adapter, const engine::InputPort& port,
                     const sluice_format& to);
  void lead_through(engine::Node& adapter, Wire& wire);
  static engine::ParameterValue adapter_value(const sluice_parameter& declared,
                                              const sluice_format& to);

  // Clocks and edges.
  std::vector<Wire> joined_wires() const;
  ClockMap clock_map(const std::vector<Wire>& all);
  bool bridge_clocks(const ClockMap& clocks, const std::vector<Wire>& all);
  void find_misplaced(const ClockMap& clocks, const std::vector<Wire>& all);
  const engine::InputPort& end_of(const Wire& wire) const;
  void join();
  engine::EdgeOptions options_of(const Wire& wire, const ClockMap::Policy& policy);
  uint32_t alignment_of(const std::string& switch_id);
  void note_edges();
  void complete_clocks(const ClockMap& clocks);

  const graph::Document& document_;
  loader::Registry& registry_;
  const BuildOptions options_;
  const Running running_;
  engine::Engine* engine_ = nullptr;
  std::unordered_set<const engine::Node*> running_nodes_;
  std::unordered_map<EdgeEnds, const PlannedEdge*> running_edges_;
  BuildResult result_;
  std::vector<graph::Edge> edges_;
  std::vector<Wire> wires_;
  std::vector<Wire> wires_extra_;
  std::unordered_map<const engine::Node*, const graph::Node*> document_node_;
  std::unordered_map<std::string_view, engine::Node*> by_id_;  // of the document
  std::unordered_map<const graph::Edge*, std::vector<engine::Edge*>> hops_;
  std::unordered_map<const graph::Edge*, std::vector<engine::Node*>> adapters_of_;
  std::deque<graph::Edge> later_edges_;         // of routes that are not taken
  std::map<std::string, uint32_t> alignments_;  // by switch
  uint32_t last_alignment_ = 0;
  std::map<std::string, int, std::less<>> inserted_;  // how many of each kind
};

}  // namespace sluice::session
