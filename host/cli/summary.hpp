// What a graph says for itself when it has ended. [control]
#pragma once

#include <string>

#include "host/engine/snapshot.hpp"

namespace sluice::cli {

// A few lines: for each node at an end of the graph what arrived, what was lost on the way there,
// and its statistics; then those of nodes that lost or dropped anything. The last line is one
// sentence on the whole: frames and where they arrived, losses, and as far as nodes publish them
// whether all is bit-exact (is_exact), how late it left (lateness_p99_us) and the latency
// (delay_ms, or from the capture times).
std::string summary(const engine::Snapshot& snapshot, int64_t start_ns);

}  // namespace sluice::cli
