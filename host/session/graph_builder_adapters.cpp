// Nodes that the graph does not name, put in where two ends differ in format.
#include <algorithm>
#include <sluice/describe.hpp>

#include "host/session/format_solver.hpp"
#include "host/session/graph_builder.hpp"

namespace sluice::session {

using engine::InputPort;
using engine::Node;

// Brings what comes over `wire` to `target` by adapters, one aspect after the other.
bool GraphBuilder::adapt(Wire& wire, const sluice_format& target) {
  if (wire.is_later) return true;
  const auto step = [&](uint32_t flag, sluice_format wanted) {
    if (wanted.sample_format == wire.from->format.sample_format &&
        wanted.channels == wire.from->format.channels &&
        wanted.rate_hz == wire.from->format.rate_hz) {
      return true;
    }
    Node* adapter = insert(flag, *wire.to, "adapter", wire.from->format, wanted);
    if (!adapter) return cannot_adapt(wire, target);
    note_inserted(*adapter, *wire.to, wanted);
    lead_through(*adapter, wire);
    return true;
  };
  const sluice_format& from = wire.from->format;
  if (from.channels != target.channels || from.rate_hz != target.rate_hz) {
    sluice_format wanted = from;
    wanted.sample_format = SLUICE_SAMPLE_F32;
    if (!step(SLUICE_TYPE_ADAPTS_SAMPLE_FORMAT, wanted)) return false;
    wanted.channels = target.channels;
    if (!step(SLUICE_TYPE_ADAPTS_CHANNELS, wanted)) return false;
    wanted.rate_hz = target.rate_hz;
    if (!step(SLUICE_TYPE_ADAPTS_RATE, wanted)) return false;
  }
  return step(SLUICE_TYPE_ADAPTS_SAMPLE_FORMAT, target);
}

bool GraphBuilder::cannot_adapt(const Wire& wire, const sluice_format& target) {
  error(wire.edge ? wire.edge->at : document_.at,
        wire.from->node.id() + "." + wire.from->declaration.key + " gives " +
            to_text(wire.from->format) + ", " + wire.to->node.id() + "." +
            wire.to->declaration.key + " needs " + to_text(target) +
            " here, and no plugin may be put in between that converts it; add such a node.");
  return false;
}

// The wire comes from `adapter` now, and what it came from leads there.
void GraphBuilder::lead_through(Node& adapter, Wire& wire) {
  wires_extra_.push_back({wire.edge, wire.from, adapter.inputs[0].get(), 0.0});
  if (wire.edge) adapters_of_[wire.edge].push_back(&adapter);
  wire.from = adapter.outputs[0].get();
}

bool GraphBuilder::has_provider(uint32_t flag) {
  const auto& all = registry_.all();
  return std::any_of(all.begin(), all.end(),
                     [&](const loader::Type* type) { return type->has_flag(flag); });
}

// Makes a node of the kind `flag` in front of `port`, called after it and `what`; null if nobody
// offers one or it may not be inserted.
Node* GraphBuilder::insert(uint32_t flag, const InputPort& port, const char* what,
                           const sluice_format& from, const sluice_format& to) {
  const graph::Node* wanted = document_node_[&port.node];
  if (wanted && wanted->adapt == graph::Adapt::kNever) return nullptr;
  for (const loader::Type* candidate : registry_.all()) {
    if (!candidate->has_flag(flag)) continue;
    auto type = registry_.find(candidate->id());
    if (!type) continue;
    const std::string stem = port.node.id() + "." + port.declaration.key + "." + what;
    std::string id;
    do {
      id = stem + std::to_string(++inserted_[what]);
    } while (engine_->find(id));
    std::vector<engine::ParameterValue> values;
    for (const sluice_parameter& declared : (*type)->parameters()) {
      values.push_back(adapter_value(declared, to));
    }
    const auto data = data_of(**type, nullptr);
    if (!data) continue;
    auto node = engine_->add(id, **data, std::move(values), seed_of(id));
    if (!node) continue;
    add_planned(**node, true);
    (*node)->inputs[0]->format = from;
    return solve_outputs(**node) ? *node : nullptr;
  }
  return nullptr;
}

void GraphBuilder::note_inserted(const Node& adapter, const InputPort& port,
                                 const sluice_format& to) {
  result_.notes.push_back("Inserted a " + std::string(adapter.type().id) + " in front of " +
                          port.node.id() + ": " + to_text(adapter.inputs[0]->format) + " becomes " +
                          to_text(to) + ".");
}

engine::ParameterValue GraphBuilder::adapter_value(const sluice_parameter& declared,
                                                   const sluice_format& to) {
  engine::ParameterValue value = default_of(declared);
  const std::string_view key = declared.key;
  if (key == "rate_hz") value.number = to.rate_hz;
  if (key == "channels") value.number = to.channels;
  if (key == "format") {
    value.text = sample_name(to.sample_format);
    for (uint32_t i = 0; i < declared.choice_count; ++i) {
      if (value.text == declared.choices[i]) value.number = i;
    }
  }
  return value;
}

}  // namespace sluice::session
