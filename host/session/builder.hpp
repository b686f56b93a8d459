// From a checked document to an engine that is ready to start, or from a changed one to what has to
// be added to an engine that runs: nodes created, formats solved, adapters and bridges inserted,
// clocks followed, policies chosen. [control]
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/engine/engine.hpp"
#include "host/graph/diagnostic.hpp"
#include "host/graph/document.hpp"
#include "host/loader/registry.hpp"
#include "host/session/clock_name.hpp"

namespace sluice::session {

// One node as it will run.
struct PlannedNode {
  engine::Node* node = nullptr;
  bool is_inserted = false;            // an adapter the graph does not name
  bool is_isolated = false;            // runs in a process of its own
  std::vector<ClockName> own_clocks;   // declared by its ports, in the order of the type's ports
  std::vector<ClockName> port_clocks;  // what moves frames there, neighbours' clocks included
};

// One edge of the document as it runs.
struct PlannedEdge {
  graph::Edge edge;
  std::vector<engine::Edge*> hops;  // from writer to reader; the last has the gain and the ramps
  std::vector<engine::Node*> adapters;  // between the hops
};

// Stands in front of an input of another sample format, so that what feeds it is summed as f32.
struct Landing {
  engine::InputPort* port = nullptr;
  engine::Node* converter = nullptr;
  engine::Edge* edge = nullptr;  // from the converter to the port
};

// How an edge of the engine behaves from now on.
struct PolicyChange {
  engine::Edge* edge = nullptr;
  engine::WhenFull when_full = engine::WhenFull::kWait;
  uint64_t fill_after_frames = engine::EdgeOptions::kNeverFill;
};

// What runs and stays when a document changes.
struct Running {
  engine::Engine* engine = nullptr;
  std::vector<const PlannedNode*> nodes;  // adapters and converters of landings too
  std::vector<const PlannedEdge*> edges;
  std::vector<Landing> landings;
};

struct BuildOptions : engine::EngineOptions {
  BuildOptions(engine::EngineOptions options)  // NOLINT: implicit
      : engine::EngineOptions(options) {}

  // Nodes of plugins that were not made with this program run in processes of their own.
  bool isolates_third_party = false;
};

struct BuildResult {
  std::unique_ptr<engine::Engine> engine;  // null if there are errors, and from extend
  std::vector<PlannedNode> nodes;          // in the order of the graph, adapters at their reader
  std::vector<PlannedEdge> edges;          // in the order of the document's active ones
  std::vector<Landing> landings;
  std::vector<PolicyChange> policies;  // of edges that run already; from extend
  // Keys of running edges that cannot stay as they are, because between clocks something has to be
  // put in or taken out there; from extend. They are to be made anew with the rest.
  std::vector<std::string> misplaced;
  std::vector<std::string> notes;  // sentences worth telling: what was inserted and why
  std::vector<graph::Diagnostic> diagnostics;
};

// Creates every node of the document and joins them; prepares nothing, opens nothing but what nodes
// must look at to say what they are. All errors at once, as far as one does not hide another.
BuildResult build(const graph::Document& document, loader::Registry& registry,
                  BuildOptions options);

// Announces to the running engine (add, connect) what the document has beyond `running`, which is
// everything that stays. In the result is what stays and what is new. If there are errors the
// caller withdraws what was announced.
BuildResult extend(const graph::Document& document, loader::Registry& registry,
                   BuildOptions options, Running running);

// Nodes of the document that run: those with an active edge, those on standby, or all of a document
// without edges.
std::vector<const graph::Node*> used_nodes(const graph::Document& document);

}  // namespace sluice::session
