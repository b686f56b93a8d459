#include "host/graph/diff.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace sluice::graph {
namespace {

using Kind = Operation::Kind;

Operation about_node(Kind kind, std::string node) {
  Operation operation;
  operation.kind = kind;
  operation.node = std::move(node);
  return operation;
}

Operation about_edge(Kind kind, const Edge& before, const Edge& after) {
  Operation operation;
  operation.kind = kind;
  operation.edge_before = before;
  operation.edge = after;
  return operation;
}

Operation about(std::string what) {
  Operation operation;
  operation.name = std::move(what);
  return operation;
}

// What each kind of change is ordered by, so that it can be carried out one after the other.
int rank(Kind kind) {
  switch (kind) {
    case Kind::kDescribe:
      return 0;
    case Kind::kAddNode:
    case Kind::kReplaceNode:
      return 1;
    case Kind::kAddEdge:
    case Kind::kReplaceEdge:
      return 2;
    case Kind::kSetParameter:
    case Kind::kSetEdgeGain:
      return 3;
    case Kind::kRemoveEdge:
      return 4;
    case Kind::kRemoveNode:
      return 5;
  }
  return 0;
}

Reach reach_of(Kind kind) {
  switch (kind) {
    case Kind::kDescribe:
      return Reach::kNone;
    case Kind::kSetParameter:
    case Kind::kSetEdgeGain:
      return Reach::kLive;
    case Kind::kAddEdge:
    case Kind::kRemoveEdge:
    case Kind::kReplaceEdge:
      return Reach::kEdges;
    case Kind::kAddNode:
    case Kind::kRemoveNode:
    case Kind::kReplaceNode:
      return Reach::kNodes;
  }
  return Reach::kNodes;
}

void compare_nodes(const Node& before, const Node& after, const Catalog& catalog,
                   std::vector<Operation>& operations) {
  const NodeType* type = catalog.find(after.type);
  Operation replace = about_node(Kind::kReplaceNode, after.id);
  std::vector<Operation> live;
  if (before.type != after.type) replace.names.emplace_back("type");
  if (before.isolate != after.isolate) replace.names.emplace_back("isolate");
  if (before.adapt != after.adapt) replace.names.emplace_back("adapt");
  if (before.dormant != after.dormant) replace.names.emplace_back("dormant");
  if (before.type == after.type) {
    for (const NodeParameter& value : after.parameters) {
      const NodeParameter* old = before.find_parameter(value.key);
      if (old != nullptr && old->value == value.value) continue;
      const Parameter* parameter = type == nullptr ? nullptr : type->find_parameter(value.key);
      if (old == nullptr || parameter == nullptr || !parameter->live) {
        replace.names.push_back(value.key);
        continue;
      }
      Operation set = about_node(Kind::kSetParameter, after.id);
      set.name = value.key;
      set.value = value.value;
      live.push_back(std::move(set));
    }
    for (const NodeParameter& old : before.parameters) {
      if (after.find_parameter(old.key) == nullptr) replace.names.push_back(old.key);
    }
  }
  if (before.description != after.description || before.standby != after.standby) {
    operations.push_back(about(after.id));
  }
  if (!replace.names.empty()) {
    operations.push_back(std::move(replace));
    return;
  }
  std::move(live.begin(), live.end(), std::back_inserter(operations));
}

void compare_edges(const Document& before, const Document& after,
                   std::vector<Operation>& operations) {
  const std::vector<Edge> old_edges = before.active_edges();
  const std::vector<Edge> new_edges = after.active_edges();
  std::map<std::string, const Edge*> old_by_key;
  for (const Edge& edge : old_edges) old_by_key.emplace(edge.key(), &edge);
  for (const Edge& edge : new_edges) {
    const auto old = old_by_key.find(edge.key());
    if (old == old_by_key.end()) {
      operations.push_back(about_edge(Kind::kAddEdge, {}, edge));
      continue;
    }
    const Edge& old_edge = *old->second;
    EdgeOptions with_new_gain = old_edge.options;
    with_new_gain.gain_db = edge.options.gain_db;
    if (with_new_gain != edge.options) {
      operations.push_back(about_edge(Kind::kReplaceEdge, old_edge, edge));
    } else if (old_edge.options != edge.options) {
      operations.push_back(about_edge(Kind::kSetEdgeGain, old_edge, edge));
    }
    old_by_key.erase(old);
  }
  for (const Edge& edge : old_edges) {
    if (old_by_key.contains(edge.key())) {
      operations.push_back(about_edge(Kind::kRemoveEdge, edge, {}));
    }
  }
}

void compare_heads(const Document& before, const Document& after,
                   std::vector<Operation>& operations) {
  if (before.name != after.name) operations.push_back(about("name"));
  if (before.description != after.description) operations.push_back(about("description"));
  if (before.latency_budget_ms != after.latency_budget_ms) {
    operations.push_back(about("latency_budget_ms"));
  }
  // Nodes and edges are compared by others, and are the most.
  const auto switches_of = [](const Document& document) {
    Document rest;
    rest.switches = document.switches;
    return to_normal_json(rest, Secrets::kReveal);
  };
  const Value old_json = switches_of(before);
  const Value new_json = switches_of(after);
  const Value* old_switches = old_json.find("switches");
  const Value* new_switches = new_json.find("switches");
  const bool same = (old_switches == nullptr) == (new_switches == nullptr) &&
                    (old_switches == nullptr || *old_switches == *new_switches);
  if (!same) operations.push_back(about("switches"));
}

}  // namespace

Change diff(const Document& before, const Document& after, const Catalog& catalog) {
  Change change;
  compare_heads(before, after, change.operations);
  std::map<std::string_view, const Node*> old_nodes;
  for (const Node& node : before.nodes) old_nodes.emplace(node.id, &node);
  for (const Node& node : after.nodes) {
    const auto old = old_nodes.find(node.id);
    if (old == old_nodes.end()) {
      change.operations.push_back(about_node(Kind::kAddNode, node.id));
      continue;
    }
    compare_nodes(*old->second, node, catalog, change.operations);
    old_nodes.erase(old);
  }
  for (const Node& node : before.nodes) {
    if (old_nodes.contains(node.id)) {
      change.operations.push_back(about_node(Kind::kRemoveNode, node.id));
    }
  }
  compare_edges(before, after, change.operations);
  std::stable_sort(
      change.operations.begin(), change.operations.end(),
      [](const Operation& a, const Operation& b) { return rank(a.kind) < rank(b.kind); });
  for (const Operation& operation : change.operations) {
    change.reach = std::max(change.reach, reach_of(operation.kind));
  }
  return change;
}

std::string to_text(const Operation& operation, const Catalog& catalog, const Document& after) {
  const auto names = [&] {
    std::string all;
    for (const std::string& name : operation.names) all += (all.empty() ? "" : ", ") + name;
    return all;
  };
  switch (operation.kind) {
    case Kind::kDescribe:
      return "note the change of " + operation.name;
    case Kind::kSetParameter: {
      const Node* node = after.find_node(operation.node);
      const NodeType* type = node == nullptr ? nullptr : catalog.find(node->type);
      const Parameter* parameter = type == nullptr ? nullptr : type->find_parameter(operation.name);
      const bool secret = parameter == nullptr || parameter->secret;
      return "set " + operation.node + "." + operation.name + " to " +
             (secret ? "***" : to_text(operation.value));
    }
    case Kind::kSetEdgeGain:
      return "set " + operation.edge.key() + ":gain_db to " +
             to_json(operation.edge.options.gain_db);
    case Kind::kAddEdge:
      return "connect " + operation.edge.key();
    case Kind::kRemoveEdge:
      return "disconnect " + operation.edge_before.key();
    case Kind::kReplaceEdge:
      return "rebuild the edge " + operation.edge.key();
    case Kind::kAddNode:
      return "add " + operation.node;
    case Kind::kRemoveNode:
      return "remove " + operation.node;
    case Kind::kReplaceNode:
      return "replace " + operation.node + " (" + names() + ")";
  }
  return {};
}

}  // namespace sluice::graph
