// What a running graph tells, for Prometheus. [control]
#pragma once

#include <cstdint>
#include <string>

#include "host/engine/snapshot.hpp"

namespace sluice::control {

enum class MetricsFormat : uint8_t {
  kPrometheus,   // text 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats)
  kOpenMetrics,  // OpenMetrics 1.0.0 (prometheus.io/docs/specs/om/open_metrics_spec)
};
const char* content_type_of(MetricsFormat format);

// The host around the graph.
struct HostUse {
  uint64_t version = 0;  // of the document
  size_t subscriptions = 0;
};

std::string metrics_text(MetricsFormat format, const engine::Snapshot& snapshot, int64_t start_ns,
                         const std::string& graph, const HostUse& host);

}  // namespace sluice::control
