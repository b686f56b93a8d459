// What it takes to turn one running document into another. [any]
#pragma once

#include <string>
#include <vector>

#include "host/graph/catalog.hpp"
#include "host/graph/document.hpp"

namespace sluice::graph {

// How far a change reaches, least first.
enum class Reach {
  kNone,   // nothing that runs: descriptions, the order of members, other routes
  kLive,   // live parameters, gains of edges
  kEdges,  // edges come, go or are rebuilt
  kNodes   // nodes come, go or are replaced
};

struct Operation {
  enum class Kind {
    kDescribe,      // name, descriptions, latency budget, switches that are not taken: `name` says
    kSetParameter,  // node, name (parameter), value: live
    kSetEdgeGain,   // edge_before, edge
    kAddEdge,       // edge
    kRemoveEdge,    // edge
    kReplaceEdge,   // edge_before, edge: same ends, other options
    kAddNode,       // node
    kRemoveNode,    // node
    kReplaceNode    // node; names: what changed
  };
  Kind kind = Kind::kDescribe;
  std::string node;
  std::string name;
  ParameterValue value;
  Edge edge_before;
  Edge edge;
  std::vector<std::string> names;
};

struct Change {
  Reach reach = Reach::kNone;
  // In an order that can be carried out: nodes added and replaced, edges added, parameters and
  // gains, edges removed, nodes removed. Edges at a replaced node are not repeated unless they
  // changed.
  std::vector<Operation> operations;
};

// Compares what runs: nodes and active_edges(). Node parameters that are not live replace the node.
Change diff(const Document& before, const Document& after, const Catalog& catalog);

// One line for people: "set gate.hold_ms to 200", "connect a.out->b.in". Secrets are not shown.
std::string to_text(const Operation& operation, const Catalog& catalog, const Document& after);

}  // namespace sluice::graph
