// What a running graph tells, for Prometheus. [control]
#pragma once

#include <cstdint>
#include <string>

#include "host/engine/snapshot.hpp"

namespace sluice::control {

// The text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats).
std::string metrics_text(const engine::Snapshot& snapshot, int64_t start_ns,
                         const std::string& graph);

}  // namespace sluice::control
