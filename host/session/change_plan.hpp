// What a change of document does to what runs: decided before anything is touched. [control]
#pragma once

#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "host/graph/catalog.hpp"
#include "host/graph/document.hpp"
#include "host/graph/value.hpp"
#include "host/session/builder.hpp"
#include "host/support/result.hpp"

namespace sluice::session {

// A node that runs, with the settings it was made from.
struct RunningNode {
  PlannedNode planned;
  graph::Node settings;  // of an adapter: the id alone
};

struct ChangePlan {
  struct Parameter {
    engine::Node* node;
    std::string id;
    uint32_t index;
    double value;
    graph::ParameterValue document_value;
  };
  struct Gain {
    engine::Edge* edge;
    double gain_db;
  };

  std::vector<std::string> built;     // ids of nodes to be made; a replaced one is here too
  std::vector<std::string> replaced;  // of these, those that run with other settings now
  std::vector<std::string> closed;    // ids that run now and will not
  std::vector<std::string> stays;
  std::unordered_set<const engine::Node*> kept_nodes;
  std::unordered_set<const engine::Edge*> kept_edges;  // their last hops
  std::vector<std::string> entering;                   // keys of edges to be made
  std::vector<std::string> leaving;                    // keys of edges to be taken out
  std::vector<Parameter> parameters;                   // live ones
  std::vector<Gain> gains;                             // of kept edges
  bool is_structural() const { return !built.empty() || !closed.empty() || has_edges(); }
  bool has_edges() const { return !entering.empty() || !leaving.empty(); }
};

// Compares what runs with what `after` wants; the nodes and edges `anew` (ids and keys) are
// replaced in any case. An error (kState) is a replacement that cannot stand beside what it
// replaces, because both would hold the same file or port.
support::Result<ChangePlan> plan_change(const std::vector<RunningNode>& nodes,
                                        const std::vector<PlannedEdge>& edges,
                                        const graph::Document& after, const graph::Catalog& types,
                                        const std::set<std::string>& anew = {});

// The same ends are joined in the same way, but perhaps for the gain.
bool same_but_gain(graph::EdgeOptions a, const graph::EdgeOptions& b);

// {"stays": [...], "built": [...], "closed": [...], "set": [...], "ramps_in": [...], "ramps_out":
// [...]}
graph::Value to_json(const ChangePlan& plan);

// Of edges that come (or go) together: those that have to ramp, so that each way from what stays
// into what stays, or into new ends, passes exactly one of them. `moving` are the ids of the nodes
// that come (or go).
std::vector<const PlannedEdge*> edges_to_ramp(const std::vector<const PlannedEdge*>& edges,
                                              const std::set<std::string>& moving);

}  // namespace sluice::session
