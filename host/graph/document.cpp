#include "host/graph/document.hpp"

#include <algorithm>

namespace sluice::graph {

const NodeParameter* Node::find_parameter(std::string_view key) const {
  for (const NodeParameter& parameter : parameters) {
    if (parameter.key == key) return &parameter;
  }
  return nullptr;
}

std::string Edge::key() const {
  std::string key;
  key.reserve(from_node.size() + from_port.size() + to_node.size() + to_port.size() + 4);
  key.append(from_node).append(1, '.').append(from_port).append("->");
  return key.append(to_node).append(1, '.').append(to_port);
}

const Route* Switch::find_route(std::string_view name) const {
  for (const Route& route : routes) {
    if (route.name == name) return &route;
  }
  return nullptr;
}

const Node* Document::find_node(std::string_view id) const {
  for (const Node& node : nodes) {
    if (node.id == id) return &node;
  }
  return nullptr;
}

const Switch* Document::find_switch(std::string_view id) const {
  for (const Switch& s : switches) {
    if (s.id == id) return &s;
  }
  return nullptr;
}

std::vector<Edge> Document::active_edges() const {
  std::vector<Edge> active = edges;
  for (const Switch& s : switches) {
    for (const Edge& edge : s.initial.edges) {
      active.push_back(edge);
      if (s.initial.align) active.back().options.align = s.id;
    }
  }
  return active;
}

Location Document::locate(std::string_view node, std::string_view parameter) const {
  const Node* found = find_node(node);
  if (found == nullptr) return at;
  const NodeParameter* value = found->find_parameter(parameter);
  return value == nullptr ? found->at : value->at;
}

}  // namespace sluice::graph
