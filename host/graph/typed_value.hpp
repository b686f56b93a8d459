// Raw values become typed ones. [control]
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "host/graph/catalog.hpp"
#include "host/graph/document.hpp"
#include "host/graph/expander.hpp"
#include "host/graph/report.hpp"

namespace sluice::graph {

// The options of an edge, the host's own keys of a node, a route's and the graph's, described like
// parameters of a node type.
const std::vector<Parameter>& edge_parameters();
const std::vector<Parameter>& node_parameters();
const Parameter& latency_budget_parameter();
const std::vector<Parameter>& route_parameters();

const Parameter* find_parameter(const std::vector<Parameter>& parameters, std::string_view key);

// Checks kind, range, choices and, unless `check_files` is false, that files exist; makes paths
// absolute. Nothing if something was wrong (and is in the report, at `at`).
std::optional<ParameterValue> typed_value(const Parameter& parameter, const Expanded& expanded,
                                          const Location& at, bool check_files, Report& report);

// Writes a typed value of edge_parameters() or node_parameters() to where it belongs.
void set_option(EdgeOptions& options, std::string_view key, const ParameterValue& value);
void set_option(Node& node, std::string_view key, const ParameterValue& value);

// Types an edge's options; what is unknown or wrong goes to the report.
EdgeOptions edge_options(const std::vector<RawMember>& members, Expander& expander, Report& report);

}  // namespace sluice::graph
