// The formats of all ports, from sources to sinks.
#include <algorithm>
#include <sluice/describe.hpp>
#include <sluice/frames.hpp>

#include "host/session/format_solver.hpp"
#include "host/session/graph_builder.hpp"

namespace sluice::session {

using engine::InputPort;
using engine::Node;
using engine::OutputPort;

namespace {

// Room in the buffers that routes read, for nodes that hold much back.
constexpr double kRouteRoomMs = 2000.0;

std::span<const sluice_format_offer> offers(const sluice_port_info& info) {
  return {info.offers, info.offer_count};
}

}  // namespace

void GraphBuilder::solve() {
  std::unordered_set<const Node*> joined_anew;
  for (const Wire& wire : wires_) {
    if (!wire.running && !wire.is_later) joined_anew.insert(&wire.to->node);
  }
  for (Node* node : ordered()) {
    if (is_running(*node)) {
      if (joined_anew.contains(node)) adapt_to_running(*node);
    } else if (solve_inputs(*node)) {
      solve_outputs(*node);
    }
  }
}

// Inputs that run keep their format: what is new there adapts to it.
void GraphBuilder::adapt_to_running(const Node& node) {
  for (size_t i = 0; i < wires_.size(); ++i) {
    if (&wires_[i].to->node != &node || wires_[i].running || wires_[i].is_later) continue;
    if (!wires_[i].to->is_pcm()) continue;
    Wire wire = wires_[i];
    if (wire.from->format.rate_hz == 0) return;
    adapt(wire, wire.to->format);
    wires_[i] = wire;
  }
}

std::optional<sluice_port_info> GraphBuilder::describe(Node& node, uint32_t port) {
  std::vector<sluice_format> formats;
  for (const auto& in : node.inputs) {
    if (in->is_pcm()) formats.push_back(in->format);
  }
  auto info = node.describe(port, formats);
  if (info) {
    planned(node).own_clocks[port] = clock_name(node.id(), *info);
    return *info;
  }
  const graph::Node* wanted = document_node_[&node];
  error(wanted ? wanted->at : document_.at, node.id() + ": " + info.error().message);
  return std::nullopt;
}

bool GraphBuilder::solve_inputs(Node& node) {
  for (const auto& port : node.inputs) {
    const auto info = describe(node, port->port_index);
    if (!info) return false;
    if (!port->is_pcm()) continue;
    std::vector<Wire*> feeding;
    for (Wire& wire : wires_) {
      if (wire.to == port.get()) feeding.push_back(&wire);
    }
    if (feeding.empty()) {
      solve_unfed(node, *port, *info);
      continue;
    }
    if (!solve_input(node, *port, *info, feeding)) return false;
  }
  return true;
}

// Gains and delays are those of sums.
bool GraphBuilder::is_summed(const Wire& wire) {
  if (wire.gain_db != 0.0) return true;
  return wire.edge && (wire.edge->options.delay_ms != 0.0 || !wire.edge->options.align.empty());
}

bool GraphBuilder::solve_input(Node& node, InputPort& port, const sluice_port_info& info,
                               std::vector<Wire*>& feeding) {
  // What feeds it could not be solved: that was said already.
  if (std::any_of(feeding.begin(), feeding.end(),
                  [](const Wire* wire) { return wire->from->format.rate_hz == 0; })) {
    return false;
  }
  const bool is_sum = feeding.size() > 1 || is_summed(*feeding.front());
  const sluice_format first = feeding.front()->from->format;
  if (feeding.front()->is_later) port.was_connected = true;
  if (!is_sum && accepts(offers(info), first)) {
    port.format = first;
    return true;
  }
  const auto target = nearest(offers(info), first, false);
  if (!target) return mismatch(node, port, info, *feeding.front());
  const bool is_f32 = std::all_of(feeding.begin(), feeding.end(), [](const Wire* wire) {
    return wire->from->format.sample_format == SLUICE_SAMPLE_F32;
  });
  if (target->sample_format == SLUICE_SAMPLE_F32 || !(is_sum || is_f32)) {
    port.format = *target;
    for (Wire* wire : feeding) {
      if (!adapt(*wire, *target)) return false;
    }
    return true;
  }
  // A sum is f32: it is made in front of a converter, which then feeds the port alone. So what
  // joins it later, or ramps, is f32 too.
  sluice_format sum = *target;
  sum.sample_format = SLUICE_SAMPLE_F32;
  Node* converter = insert(SLUICE_TYPE_ADAPTS_SAMPLE_FORMAT, port, "adapter", sum, *target);
  if (!converter) return mismatch(node, port, info, *feeding.front());
  note_inserted(*converter, port, *target);
  converter->inputs[0]->was_connected = port.was_connected;
  for (Wire* wire : feeding) {
    if (!adapt(*wire, sum)) return false;
    wire->to = converter->inputs[0].get();
  }
  port.format = *target;
  result_.landings.push_back({&port, converter, nullptr});
  wires_.push_back({nullptr, converter->outputs[0].get(), &port, 0.0});
  return true;
}

// Nothing feeds it now: where something may later, it is made ready for the usual.
void GraphBuilder::solve_unfed(const Node& node, InputPort& port, const sluice_port_info& info) {
  const auto wanted = document_node_.find(&node);
  if (wanted == document_node_.end()) return;
  const bool is_optional = (port.declaration.flags & SLUICE_PORT_OPTIONAL) != 0;
  if (is_optional && !wanted->second->standby) return;
  constexpr sluice_format kUsual{sizeof(sluice_format), SLUICE_SAMPLE_F32, 2, 48'000};
  if (const auto format = nearest(offers(info), kUsual, false)) port.format = *format;
  port.was_connected = true;
}

bool GraphBuilder::mismatch(const Node& node, const InputPort& port, const sluice_port_info& info,
                            const Wire& wire) {
  const graph::Location at = wire.edge ? wire.edge->at : document_.at;
  error(at, wire.from->node.id() + "." + wire.from->declaration.key + " gives " +
                to_text(wire.from->format) + ", " + node.id() + "." + port.declaration.key +
                " takes " + to_text(offers(info)) +
                "; put a node in between that converts one into the other.");
  return false;
}

bool GraphBuilder::solve_outputs(Node& node) {
  const sluice_format* first_input = nullptr;
  for (const auto& in : node.inputs) {
    if (in->is_pcm() && in->format.rate_hz != 0) {
      first_input = &in->format;
      break;
    }
  }
  for (const auto& port : node.outputs) {
    const auto info = describe(node, port->port_index);
    if (!info) return false;
    port->is_live = (info->flags & SLUICE_PORT_LIVE) != 0;
    if (!port->is_pcm()) continue;
    const auto format = choose_output(offers(*info), info->flags, first_input, wishes(*port));
    if (!format) {
      const graph::Node* wanted = document_node_[&node];
      error(wanted ? wanted->at : document_.at,
            node.id() + " cannot make any format of " +
                (first_input ? to_text(*first_input) : "nothing") + ".");
      return false;
    }
    port->format = *format;
  }
  return true;
}

// What the first reader of an output declares it would take.
std::span<const sluice_format_offer> GraphBuilder::wishes(const OutputPort& port) const {
  for (const Wire& wire : wires_) {
    if (wire.from != &port) continue;
    const sluice_port& declared = wire.to->declaration;
    return {declared.offers, declared.offer_count};
  }
  return {};
}

// What routes read has room for whatever their nodes hold back; these are not made yet.
void GraphBuilder::make_room() {
  for (const graph::Switch& one : document_.switches) {
    for (const graph::Route& route : one.routes) {
      for (const graph::Edge& edge : route.edges) {
        const auto from = by_id_.find(edge.from_node);
        if (from == by_id_.end() || is_running(*from->second)) continue;
        OutputPort* port = output(*from->second, edge.from_port);
        if (!port->is_pcm() || port->format.rate_hz == 0 || options_.is_offline) continue;
        port->least_frames = frames_of_ms(kRouteRoomMs, port->format.rate_hz);
      }
    }
  }
}

}  // namespace sluice::session
