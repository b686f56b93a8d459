#include "host/session/change_plan.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "host/session/edge_ends.hpp"

namespace sluice::session {
namespace {

using support::Error;
using support::ErrorCode;

std::optional<double> number_of(const graph::Parameter& parameter,
                                const graph::ParameterValue& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? 1.0 : 0.0;
  if (const auto* whole = std::get_if<int64_t>(&value)) return static_cast<double>(*whole);
  if (const auto* number = std::get_if<double>(&value)) return *number;
  if (const auto* text = std::get_if<std::string>(&value)) {
    const auto at = std::find(parameter.choices.begin(), parameter.choices.end(), *text);
    if (at != parameter.choices.end()) {
      return static_cast<double>(at - parameter.choices.begin());
    }
  }
  return std::nullopt;
}

// Whether the running node would have to be made anew, and which live parameters differ.
bool needs_replacement(const RunningNode& running, const graph::Node& after,
                       const graph::NodeType* type, std::vector<ChangePlan::Parameter>& live) {
  const graph::Node& before = running.settings;
  if (before.type != after.type || before.isolate != after.isolate || before.adapt != after.adapt) {
    return true;
  }
  for (uint32_t i = 0; i < after.parameters.size(); ++i) {
    const graph::NodeParameter& wanted = after.parameters[i];
    const graph::NodeParameter* had = before.find_parameter(wanted.key);
    if (had && had->value == wanted.value) continue;
    const graph::Parameter* parameter = type ? type->find_parameter(wanted.key) : nullptr;
    if (!parameter || !parameter->live) return true;
    const auto number = number_of(*parameter, wanted.value);
    if (!number) return true;
    const auto index = static_cast<uint32_t>(parameter - type->parameters.data());
    live.push_back({running.planned.node, after.id, index, *number, wanted.value});
  }
  return false;
}

// What both would hold at once: the name of a parameter, or nothing.
std::string common_hold(const graph::Node& before, const graph::Node& after,
                        const graph::NodeType* type) {
  if (!type || before.type != after.type) return {};
  const auto same = [&](const std::string& key) {
    const auto* a = before.find_parameter(key);
    const auto* b = after.find_parameter(key);
    return a && b && a->value == b->value;
  };
  for (const graph::Parameter& parameter : type->parameters) {
    if (parameter.path == graph::PathUse::kOutput && same(parameter.key)) return parameter.key;
  }
  for (const graph::Claim& claim : type->claims) {
    const auto is_free = [&](const graph::Claim::Part& part) {
      const auto* value = after.find_parameter(part.parameter);
      return !value || !same(part.parameter) ||
             std::find(part.none.begin(), part.none.end(), graph::to_text(value->value)) !=
                 part.none.end();
    };
    if (claim.is_waited_for || claim.parts.empty()) continue;
    if (std::none_of(claim.parts.begin(), claim.parts.end(), is_free)) {
      return claim.parts.front().parameter;
    }
  }
  return {};
}

const engine::InputPort* port_of(const engine::Node& node, const std::string& key) {
  for (const auto& port : node.inputs) {
    if (key == port->declaration.key) return port.get();
  }
  return nullptr;
}

}  // namespace

bool same_but_gain(graph::EdgeOptions a, const graph::EdgeOptions& b) {
  a.gain_db = b.gain_db;
  return a == b;
}

support::Result<ChangePlan> plan_change(const std::vector<RunningNode>& nodes,
                                        const std::vector<PlannedEdge>& edges,
                                        const graph::Document& after, const graph::Catalog& types,
                                        const std::set<std::string>& anew) {
  ChangePlan plan;
  std::unordered_map<std::string_view, const RunningNode*> running(nodes.size());
  for (const RunningNode& node : nodes) {
    if (!node.planned.is_inserted) running[node.settings.id] = &node;
  }
  std::unordered_map<EdgeEnds, const PlannedEdge*> running_edges(edges.size());
  for (const PlannedEdge& edge : edges) running_edges[edge.edge] = &edge;
  const std::vector<graph::Edge> wanted_edges = after.active_edges();
  std::vector<const graph::Edge*> new_edges;
  for (const graph::Edge& edge : wanted_edges) {
    const auto there = running_edges.find(edge);
    if (there == running_edges.end() || (!anew.empty() && anew.contains(edge.key())) ||
        !same_but_gain(there->second->edge.options, edge.options)) {
      new_edges.push_back(&edge);
    }
  }
  // A node that has ended, or an input that was never told a format, takes no new edge.
  const auto is_closed_to = [&](const RunningNode& node, const graph::Edge& edge) {
    const engine::Node& made = *node.planned.node;
    if (edge.to_node == node.settings.id) {
      const engine::InputPort* port = port_of(made, edge.to_port);
      return made.is_finished() || (port && port->is_pcm() && port->format.rate_hz == 0);
    }
    return edge.from_node == node.settings.id && made.is_finished();
  };

  std::unordered_set<std::string_view> kept(after.nodes.size());
  for (const graph::Node* wanted : used_nodes(after)) {
    const auto there = running.find(wanted->id);
    if (there == running.end()) {
      plan.built.push_back(wanted->id);
      continue;
    }
    const RunningNode& before = *there->second;
    const graph::NodeType* type = types.find(wanted->type);
    std::vector<ChangePlan::Parameter> live;
    const bool is_replaced =
        needs_replacement(before, *wanted, type, live) || anew.contains(wanted->id) ||
        std::any_of(new_edges.begin(), new_edges.end(),
                    [&](const graph::Edge* edge) { return is_closed_to(before, *edge); });
    if (!is_replaced) {
      kept.insert(wanted->id);
      plan.kept_nodes.insert(before.planned.node);
      plan.stays.push_back(wanted->id);
      plan.parameters.insert(plan.parameters.end(), live.begin(), live.end());
      continue;
    }
    const std::string hold = common_hold(before.settings, *wanted, type);
    if (!hold.empty() && !before.planned.node->is_finished()) {
      return Error{ErrorCode::kState, "A new " + wanted->id +
                                          " cannot stand beside the one that runs, for both would "
                                          "hold the same " +
                                          hold + ": give it another, or remove it first."};
    }
    plan.built.push_back(wanted->id);
    plan.replaced.push_back(wanted->id);
  }
  for (const auto& [id, node] : running) {
    const bool is_built = std::find(plan.built.begin(), plan.built.end(), id) != plan.built.end();
    if (!kept.contains(id) && !is_built) plan.closed.emplace_back(id);
  }
  std::sort(plan.closed.begin(), plan.closed.end());

  for (const graph::Edge& edge : wanted_edges) {
    const bool is_new = std::find(new_edges.begin(), new_edges.end(), &edge) != new_edges.end();
    if (is_new || !kept.contains(edge.from_node) || !kept.contains(edge.to_node)) {
      plan.entering.push_back(edge.key());
      continue;
    }
    const PlannedEdge& before = *running_edges.at(edge);
    plan.kept_edges.insert(before.hops.back());
    if (before.edge.options.gain_db != edge.options.gain_db) {
      plan.gains.push_back({before.hops.back(), edge.options.gain_db});
    }
  }
  for (const PlannedEdge& edge : edges) {
    if (!plan.kept_edges.contains(edge.hops.back())) plan.leaving.push_back(edge.edge.key());
  }
  std::sort(plan.leaving.begin(), plan.leaving.end());
  return plan;
}

graph::Value to_json(const ChangePlan& plan) {
  const auto list = [](const std::vector<std::string>& names) {
    graph::Value all = graph::Value::array();
    for (const std::string& name : names) all.push_back(name);
    return all;
  };
  graph::Value set = graph::Value::array();
  for (const auto& parameter : plan.parameters) {
    set.push_back(parameter.id + "." + parameter.node->type().parameters[parameter.index].key);
  }
  graph::Value json = graph::Value::object();
  json.set("stays", list(plan.stays));
  json.set("built", list(plan.built));
  json.set("replaced", list(plan.replaced));
  json.set("closed", list(plan.closed));
  json.set("set", std::move(set));
  json.set("ramps_in", list(plan.entering));
  json.set("ramps_out", list(plan.leaving));
  return json;
}

std::vector<const PlannedEdge*> edges_to_ramp(const std::vector<const PlannedEdge*>& edges,
                                              const std::set<std::string>& moving) {
  const auto from = [](const PlannedEdge& edge) -> const auto& { return edge.edge.from_node; };
  const auto to = [](const PlannedEdge& edge) -> const auto& { return edge.edge.to_node; };
  // Nodes that come or go and lead on into what stays: the ramp stands where they do.
  std::set<std::string> inner;
  for (bool has_grown = true; has_grown;) {
    has_grown = false;
    for (const PlannedEdge* edge : edges) {
      const bool leads_back = !moving.contains(to(*edge)) || inner.contains(to(*edge));
      if (leads_back && moving.contains(from(*edge))) has_grown |= inner.insert(from(*edge)).second;
    }
  }
  std::vector<const PlannedEdge*> ramped;
  for (const PlannedEdge* edge : edges) {
    const bool begins_outside = !moving.contains(from(*edge)) || inner.contains(from(*edge));
    const bool ends_outside = !moving.contains(to(*edge));
    const bool ends_the_way = ends_outside || (begins_outside && !inner.contains(to(*edge)));
    if (ends_the_way) ramped.push_back(edge);
  }
  return ramped;
}

}  // namespace sluice::session
