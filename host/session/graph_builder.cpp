// The nodes of a document and what joins them.
#include "host/session/graph_builder.hpp"

#include <algorithm>
#include <functional>
#include <queue>
#include <unordered_map>
#include <utility>

#include "host/isolate/isolated_type.hpp"

namespace sluice::session {

using engine::InputPort;
using engine::Node;
using engine::OutputPort;

namespace {

engine::ParameterValue to_engine(const sluice_parameter& declared,
                                 const graph::ParameterValue& value) {
  engine::ParameterValue result;
  if (const auto* flag = std::get_if<bool>(&value)) result.number = *flag ? 1 : 0;
  if (const auto* whole = std::get_if<int64_t>(&value)) result.number = static_cast<double>(*whole);
  if (const auto* number = std::get_if<double>(&value)) result.number = *number;
  if (const auto* list = std::get_if<std::vector<double>>(&value)) {
    result.list = *list;
    result.rows = 1;
  }
  if (const auto* matrix = std::get_if<graph::Matrix>(&value)) {
    result.list = matrix->numbers;
    result.rows = static_cast<uint32_t>(matrix->rows);
  }
  if (const auto* text = std::get_if<std::string>(&value)) {
    result.text = *text;
    for (uint32_t i = 0; i < declared.choice_count; ++i) {
      if (*text == declared.choices[i]) result.number = i;
    }
  }
  return result;
}

}  // namespace

uint64_t GraphBuilder::seed_of(std::string_view id) {
  uint64_t hash = 14695981039346656037ULL;
  for (const char c : id) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

engine::ParameterValue GraphBuilder::default_of(const sluice_parameter& declared) {
  engine::ParameterValue value;
  value.number = declared.default_number;
  if (declared.default_text) value.text = declared.default_text;
  return value;
}

GraphBuilder::GraphBuilder(const graph::Document& document, loader::Registry& registry,
                           BuildOptions options)
    : document_(document), registry_(registry), options_(options) {
  result_.engine = std::make_unique<engine::Engine>(options);
  engine_ = result_.engine.get();
}

GraphBuilder::GraphBuilder(const graph::Document& document, loader::Registry& registry,
                           BuildOptions options, Running running)
    : document_(document),
      registry_(registry),
      options_(options),
      running_(std::move(running)),
      engine_(running_.engine) {
  for (const PlannedNode* planned : running_.nodes) running_nodes_.insert(planned->node);
  result_.landings = running_.landings;
}

BuildResult GraphBuilder::run() {
  edges_ = document_.active_edges();
  make_nodes();
  if (!failed()) make_wires();
  if (!failed()) solve();
  if (!failed()) make_room();
  if (!failed()) join();
  if (failed()) {
    result_.nodes.clear();
    result_.engine.reset();
  }
  return std::move(result_);
}

void GraphBuilder::make_nodes() {
  std::unordered_map<std::string_view, const PlannedNode*> running(running_.nodes.size());
  result_.nodes.reserve(running_.nodes.size());
  for (const PlannedNode* planned : running_.nodes) {
    if (planned->is_inserted) {
      result_.nodes.push_back(*planned);
    } else {
      running.emplace(planned->node->id(), planned);
    }
  }
  for (const graph::Node* used : used_nodes(document_)) {
    const graph::Node& wanted = *used;
    if (const auto there = running.find(wanted.id); there != running.end()) {
      result_.nodes.push_back(*there->second);
      document_node_[there->second->node] = &wanted;
      by_id_[wanted.id] = there->second->node;
      continue;
    }
    auto type = registry_.describe(wanted.type);
    if (type && !is_isolated(**type, &wanted)) type = registry_.find(wanted.type);
    if (!type) {
      error(wanted.type_at, type.error().message);
      continue;
    }
    std::vector<engine::ParameterValue> values;
    for (const sluice_parameter& declared : (*type)->parameters()) {
      const graph::NodeParameter* given = wanted.find_parameter(declared.key);
      values.push_back(given ? to_engine(declared, given->value) : default_of(declared));
    }
    auto data = data_of(**type, &wanted);
    if (!data) {
      error(wanted.at, wanted.id + ": " + data.error().message);
      continue;
    }
    auto node = engine_->add(wanted.id, **data, std::move(values), seed_of(wanted.id));
    if (!node) {
      error(wanted.at, node.error().message);
      continue;
    }
    add_planned(**node, false);
    if (is_isolated(**type, &wanted)) {
      result_.nodes.back().is_isolated = true;
      if (!wanted.isolate) {
        result_.notes.push_back(wanted.id + " runs in a process of its own: " +
                                (*type)->file().string() + " did not come with Sluice.");
      }
    }
    document_node_[*node] = &wanted;
    by_id_[wanted.id] = *node;
  }
}

// `wanted` is null for a node that the graph does not name.
bool GraphBuilder::is_isolated(const loader::Type& type, const graph::Node* wanted) const {
  if (wanted && wanted->isolate) return true;
  return options_.isolates_third_party && !registry_.is_shipped(type);
}

// What the engine makes nodes of: the type itself, or its kind in a process of its own.
support::Result<const sluice_type*> GraphBuilder::data_of(const loader::Type& type,
                                                          const graph::Node* wanted) const {
  if (!is_isolated(type, wanted)) return &type.data();
  auto isolated = isolate::isolated(type, registry_.prober());
  if (!isolated) return std::move(isolated).error();
  return *isolated;
}

void GraphBuilder::make_wires() {
  for (const PlannedEdge* planned : running_.edges) {
    running_edges_.emplace(planned->edge, planned);
  }
  for (const graph::Edge& edge : edges_) {
    if (const PlannedEdge* there = running_edge(edge)) {
      for (engine::Edge* hop : there->hops) {
        wires_.push_back({&edge, &hop->from, &hop->to, 0.0, hop});
      }
      continue;
    }
    add_wire(edge, false);
  }
  for (const Landing& landing : running_.landings) {
    wires_.push_back({nullptr, &landing.edge->from, landing.port, 0.0, landing.edge});
  }
  // A node on standby is made for what its routes will bring.
  for (const graph::Switch& one : document_.switches) {
    for (const graph::Route& route : one.routes) {
      for (const graph::Edge& edge : route.edges) {
        const graph::Node* reader = document_.find_node(edge.to_node);
        if (!reader || !reader->standby) continue;
        later_edges_.push_back(edge);
        if (route.align) later_edges_.back().options.align = one.id;
        add_wire(later_edges_.back(), true);
      }
    }
  }
}

const PlannedEdge* GraphBuilder::running_edge(const graph::Edge& edge) const {
  const auto there = running_edges_.find(edge);
  return there == running_edges_.end() ? nullptr : there->second;
}

void GraphBuilder::add_wire(const graph::Edge& edge, bool is_later) {
  const auto from = by_id_.find(edge.from_node);
  const auto to = by_id_.find(edge.to_node);
  if (from == by_id_.end() || to == by_id_.end()) return;
  InputPort* port = input(*to->second, edge.to_port);
  if (is_later) {
    const bool is_fed =
        is_running(*to->second) || std::any_of(wires_.begin(), wires_.end(),
                                               [&](const Wire& wire) { return wire.to == port; });
    if (is_fed) return;
  } else if (const Landing* landing = landing_at(*port)) {
    port = landing->converter->inputs[0].get();
  }
  Wire wire{&edge, output(*from->second, edge.from_port), port, edge.options.gain_db};
  wire.is_later = is_later;
  wires_.push_back(wire);
}

const Landing* GraphBuilder::landing_at(const InputPort& port) const {
  for (const Landing& landing : result_.landings) {
    if (landing.port == &port) return &landing;
  }
  return nullptr;
}

void GraphBuilder::add_planned(Node& node, bool is_inserted) {
  const std::vector<ClockName> clocks(node.type().port_count);
  result_.nodes.push_back({&node, is_inserted, false, clocks, clocks});
}

PlannedNode& GraphBuilder::planned(const Node& node) {
  return *std::find_if(result_.nodes.begin(), result_.nodes.end(),
                       [&](const PlannedNode& p) { return p.node == &node; });
}

OutputPort* GraphBuilder::output(Node& node, std::string_view key) {
  for (const auto& port : node.outputs) {
    if (key == port->declaration.key) return port.get();
  }
  return nullptr;
}

InputPort* GraphBuilder::input(Node& node, std::string_view key) {
  for (const auto& port : node.inputs) {
    if (key == port->declaration.key) return port.get();
  }
  return nullptr;
}

// Nodes in an order in which every edge points forward; otherwise as they stand.
std::vector<Node*> GraphBuilder::ordered() const {
  std::unordered_map<const Node*, size_t> place_of;
  for (const PlannedNode& planned : result_.nodes) place_of.emplace(planned.node, place_of.size());
  std::vector<std::vector<size_t>> readers(place_of.size());
  std::vector<size_t> feeders(place_of.size());
  for (const Wire& wire : wires_) {
    const auto from = place_of.find(&wire.from->node);
    const auto to = place_of.find(&wire.to->node);
    if (from == place_of.end() || to == place_of.end()) continue;
    readers[from->second].push_back(to->second);
    ++feeders[to->second];
  }
  std::priority_queue<size_t, std::vector<size_t>, std::greater<>> ready;
  for (size_t place = 0; place < feeders.size(); ++place) {
    if (feeders[place] == 0) ready.push(place);
  }
  std::vector<Node*> order;
  while (!ready.empty()) {
    const size_t place = ready.top();
    ready.pop();
    order.push_back(result_.nodes[place].node);
    for (const size_t reader : readers[place]) {
      if (--feeders[reader] == 0) ready.push(reader);
    }
  }
  return order;
}

}  // namespace sluice::session
