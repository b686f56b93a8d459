// What a graph says for itself when it has ended. [control]
#pragma once

#include <string>

#include "host/engine/snapshot.hpp"

namespace sluice::cli {

// A few lines: for each node at the end of the graph what arrived, what was lost on the way there,
// and its statistics; then those of nodes that lost or dropped anything.
std::string summary(const engine::Snapshot& snapshot, int64_t start_ns);

}  // namespace sluice::cli
