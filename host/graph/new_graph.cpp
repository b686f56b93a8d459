#include "host/graph/new_graph.hpp"

#include <algorithm>
#include <utility>

#include "host/graph/expression.hpp"
#include "host/graph/format.hpp"
#include "host/graph/raw_graph.hpp"
#include "host/graph/shown.hpp"

namespace sluice::graph {
namespace {

// Of the parameters that have defaults, the first are those a reader wants to see.
constexpr std::size_t kShownParameters = 4;

std::string unique(std::string base, const std::vector<std::string>& taken) {
  const auto is_taken = [&](const std::string& name) {
    return std::find(taken.begin(), taken.end(), name) != taken.end();
  };
  if (!is_taken(base)) return base;
  for (int i = 2;; ++i) {
    std::string name = base + std::to_string(i);
    if (!is_taken(name)) return name;
  }
}

std::string id_for(const NodeType& type, const std::vector<std::string>& taken) {
  std::string id = type.id.substr(type.id.rfind('.') + 1);
  if (!is_id(id)) id = "n" + id;
  return unique(std::move(id), taken);
}

// A value within range for a parameter that somebody has to fill in.
Value placeholder(const Parameter& parameter) {
  if (parameter.kind == ParameterKind::kText) {
    return parameter.path == PathUse::kNone ? "" : "FILE";
  }
  if (parameter.kind == ParameterKind::kChoice) return parameter.choices.front();
  Parameter optional = parameter;
  optional.required = false;
  const bool numeric =
      parameter.kind == ParameterKind::kNumber || parameter.kind == ParameterKind::kInteger;
  if (numeric && parameter.minimum && *parameter.minimum > 0) return *parameter.minimum;
  return to_value(default_value(optional));
}

struct Skeleton {
  Value vars = Value::object();
  Value nodes = Value::object();
  std::vector<std::string> ids;
  std::vector<std::string> names;  // of variables
};

void add_node(const NodeType& type, Skeleton& skeleton) {
  const std::string id = id_for(type, skeleton.ids);
  Value params = Value::object();
  std::size_t shown_count = 0;
  for (const Parameter& parameter : type.parameters) {
    if (parameter.required) {
      const std::string name = unique(parameter.key, skeleton.names);
      skeleton.names.push_back(name);
      skeleton.vars.set(name, placeholder(parameter));
      params.set(parameter.key, "${" + name + "}");
    } else if (shown_count < kShownParameters && parameter.path == PathUse::kNone &&
               !parameter.secret) {
      ++shown_count;
      params.set(parameter.key, to_value(default_value(parameter)));
    }
  }
  Value node = type.id;
  if (!params.members().empty()) {
    node = Value::Object{{"type", type.id}, {"params", std::move(params)}};
  }
  skeleton.nodes.set(id, std::move(node));
  skeleton.ids.push_back(id);
}

// Chains through the nodes, broken where one has no output or the next no input.
Value chains(const std::vector<const NodeType*>& types, const std::vector<std::string>& ids) {
  Value edges = Value::array();
  std::string chain;
  const auto end_chain = [&] {
    if (chain.find("->") != std::string::npos) edges.push_back(chain);
    chain.clear();
  };
  const auto first_port = [](const NodeType& type, PortDirection direction) -> const Port* {
    if (const Port* port = type.default_port(direction)) return port;
    for (const Port& port : type.ports) {
      if (port.direction == direction) return &port;
    }
    return nullptr;
  };
  for (std::size_t i = 0; i < types.size(); ++i) {
    const Port* in = first_port(*types[i], PortDirection::kInput);
    const Port* out = i == 0 ? nullptr : first_port(*types[i - 1], PortDirection::kOutput);
    if (in == nullptr || out == nullptr || in->kind != out->kind) {
      end_chain();
      chain = ids[i];
      continue;
    }
    if (types[i - 1]->default_port(PortDirection::kOutput) == nullptr) {
      end_chain();
      chain = ids[i - 1] + "." + out->key;
    }
    const bool plain = types[i]->default_port(PortDirection::kInput) != nullptr;
    chain += " -> " + ids[i] + (plain ? "" : "." + in->key);
  }
  end_chain();
  return edges;
}

}  // namespace

support::Result<std::string> new_graph(std::string_view name,
                                       const std::vector<std::string>& type_ids,
                                       const Catalog& catalog, std::string_view schema) {
  std::vector<const NodeType*> types;
  Skeleton skeleton;
  for (const std::string& id : type_ids) {
    const NodeType* type = catalog.find(id);
    if (type == nullptr) {
      const std::string nearest = catalog.nearest_type(id);
      return support::Error{support::ErrorCode::kNotFound,
                            "there is no node type " + shown(id) +
                                (nearest.empty() ? "; \"sluice plugins\" lists those there are"
                                                 : "; did you mean " + shown(nearest) + "?")};
    }
    types.push_back(type);
    add_node(*type, skeleton);
  }
  Value json = Value::object();
  if (!schema.empty()) json.set("$schema", schema);
  json.set("sluice", 1);
  json.set("name", name);
  json.set("description", "What this graph does, in one sentence.");
  if (!skeleton.vars.members().empty()) json.set("vars", std::move(skeleton.vars));
  json.set("nodes", std::move(skeleton.nodes));
  json.set("edges", chains(types, skeleton.ids));
  return format(to_json(json), "new graph").text;
}

}  // namespace sluice::graph
