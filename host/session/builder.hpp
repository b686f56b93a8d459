// From a checked document to an engine that is ready to start: nodes created, formats solved,
// adapters inserted, clocks followed, policies chosen. [control]
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
  std::vector<ClockName> port_clocks;  // in the order of the type's ports
};

struct BuildResult {
  std::unique_ptr<engine::Engine> engine;  // null if there are errors
  std::vector<PlannedNode> nodes;          // in the order of the graph, adapters at their reader
  std::vector<std::string> notes;          // sentences worth telling: what was inserted and why
  std::vector<graph::Diagnostic> diagnostics;
};

// Creates every node of the document and joins them; prepares nothing, opens nothing but what nodes
// must look at to say what they are. All errors at once, as far as one does not hide another.
BuildResult build(const graph::Document& document, loader::Registry& registry,
                  engine::EngineOptions options);

}  // namespace sluice::session
