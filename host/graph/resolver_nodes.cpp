// Nodes and their parameters; see resolver.hpp.
#include <algorithm>
#include <unordered_map>
#include <utility>

#include "host/graph/nearest_name.hpp"
#include "host/graph/resolver.hpp"
#include "host/graph/shown.hpp"
#include "host/graph/typed_value.hpp"

namespace sluice::graph {

void Resolver::read_nodes() {
  if (raw_.nodes.empty() && !raw_.lacks_edges) {
    report_.error(raw_.at, "the graph has no nodes; add \"nodes\": {\"a\": \"TYPE\"}");
  }
  for (const RawNode& raw : raw_.nodes) {
    const NodeType* type = index_.type(raw.id);
    if (type == nullptr && raw.type) {
      const auto id = text_of(*raw.type, "the type of a node");
      if (!id) continue;
      if (id->find("${") != std::string::npos || *id != raw.type->value.text()) {
        report_.error(raw.type->at, "the type of a node cannot hold variables");
      } else if (const std::string* reason = catalog_.unavailable_reason(*id)) {
        report_.error(raw.type->at, "the type " + shown(*id) + " cannot be used: " + *reason);
      } else if (id->empty()) {
        report_.error(raw.type->at, "the type of " + raw.id +
                                        " is empty; \"sluice plugins\" lists those "
                                        "there are");
      } else {
        const std::string nearest = catalog_.nearest_type(*id);
        report_.error(raw.type->at,
                      "there is no node type " + shown(*id) +
                          (nearest.empty() ? "; \"sluice plugins\" lists those there are"
                                           : "; did you mean " + shown(nearest) + "?"));
      }
    }
    read_node(raw, type);
  }
}

void Resolver::read_node(const RawNode& raw, const NodeType* type) {
  Node node;
  node.id = raw.id;
  node.at = raw.at;
  node.type_at = raw.type ? raw.type->at : raw.at;
  read_host_keys(raw, node);
  if (type != nullptr) {
    node.type = type->id;
    read_parameters(raw, *type, node);
  }
  document_.nodes.push_back(std::move(node));
}

void Resolver::read_host_keys(const RawNode& raw, Node& node) {
  for (const RawMember& member : raw.host) {
    const Parameter* parameter = find_parameter(node_parameters(), member.key);
    const auto expanded = expander_.expand(member.value);
    if (parameter == nullptr || !expanded) continue;
    if (auto value = typed_value(*parameter, *expanded, member.value.at, false, report_)) {
      set_option(node, member.key, *value);
    }
  }
}

void Resolver::read_parameters(const RawNode& raw, const NodeType& type, Node& node) {
  refuse_unknown_parameters(raw, type);
  std::unordered_map<std::string_view, const RawMember*> given;
  for (const RawMember& member : raw.params) given[member.key] = &member;
  for (const Parameter& parameter : type.parameters) {
    const auto written = given.find(parameter.key);
    if (const auto set = overrides_.find({node.id, parameter.key}); set != overrides_.end()) {
      const Setting& setting = set->second;
      node.parameters.push_back({parameter.key, setting.value, true, parameter.secret, setting.at,
                                 setting.secret_source});
    } else if (written != given.end()) {
      if (auto value = given_parameter(*written->second, parameter)) {
        node.parameters.push_back(std::move(*value));
      }
    } else if (parameter.required) {
      missing_parameter(type, parameter, node);
    } else {
      ParameterValue value = default_value(parameter);
      auto* path = std::get_if<std::string>(&value);
      if (parameter.path != PathUse::kNone && path != nullptr && !path->empty()) {
        Expanded expanded;
        expanded.value = *path;
        expanded.folder = document_.folder;
        const auto typed = typed_value(parameter, expanded, node.at, options_.check_files, report_);
        if (typed) value = *typed;
      }
      node.parameters.push_back(
          {parameter.key, std::move(value), false, parameter.secret, node.at, {}});
    }
  }
}

std::optional<NodeParameter> Resolver::given_parameter(const RawMember& member,
                                                       const Parameter& parameter) {
  const auto expanded = expander_.expand(member.value);
  if (!expanded) return {};
  auto value = typed_value(parameter, *expanded, member.value.at, options_.check_files, report_);
  if (!value) return {};
  return NodeParameter{parameter.key,
                       std::move(*value),
                       true,
                       parameter.secret,
                       member.value.at,
                       parameter.secret ? expanded->outside_source : std::string()};
}

void Resolver::missing_parameter(const NodeType& type, const Parameter& parameter, Node& node) {
  const bool routed = routed_.contains({node.id, parameter.key});
  if (routed && (!active_.contains(node.id) || !options_.applies_routes)) {
    node.dormant = true;
    return;
  }
  const std::string purpose =
      parameter.description.empty() ? "" : " (" + parameter.description + ")";
  report_.error(node.at,
                node.id + " (" + type.id + ") needs " + shown(parameter.key) + purpose +
                    (routed                 ? "; no route that is taken at the start sets it"
                     : node.at.file == "-e" ? "; write " + parameter.key + "=VALUE behind its type"
                                            : "; add it to its \"params\""));
}

void Resolver::refuse_unknown_parameters(const RawNode& raw, const NodeType& type) {
  for (const RawMember& member : raw.params) {
    if (type.find_parameter(member.key) != nullptr) continue;
    std::vector<std::string_view> known;
    for (const Parameter& parameter : type.parameters) known.push_back(parameter.key);
    std::string help = did_you_mean(member.key, known);
    if (help.empty() && find_parameter(node_parameters(), member.key) != nullptr) {
      help = "; it belongs to the node itself, outside \"params\"";
    }
    if (help.empty()) {
      help = known.empty() ? "; it has none" : listed(known);
    }
    report_.error(member.key_at,
                  raw.id + " (" + type.id + ") has no parameter " + shown(member.key) + help);
  }
}

}  // namespace sluice::graph
