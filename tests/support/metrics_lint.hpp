// A strict reader of what a target shows to Prometheus: the text format 0.0.4
// (prometheus.io/docs/instrumenting/exposition_formats) and OpenMetrics 1.0.0
// (prometheus.io/docs/specs/om/open_metrics_spec), with the naming that `promtool check metrics`
// asks for besides: counters end in _total, nothing else does, everything has HELP and TYPE.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sluice::tests {

// Sentences about what is wrong, each with its line; none: the text is right. Knows counters,
// gauges and info, and no timestamps or exemplars: others are complained of.
std::vector<std::string> lint_metrics(std::string_view text, bool is_open_metrics);

}  // namespace sluice::tests
