#include "host/session/builder.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <sluice/describe.hpp>
#include <sluice/frames.hpp>
#include <utility>

#include "host/session/clock_map.hpp"
#include "host/session/format_solver.hpp"

namespace sluice::session {
namespace {

using engine::InputPort;
using engine::Node;
using engine::OutputPort;

// Room in the buffers that routes read, for nodes that hold much back.
constexpr double kRouteRoomMs = 2000.0;

// A number that is the same for the same node in every run: FNV-1a, 64 bits (Fowler, Noll, Vo).
uint64_t seed_of(std::string_view id) {
  uint64_t hash = 14695981039346656037ULL;
  for (const char c : id) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

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

engine::ParameterValue default_of(const sluice_parameter& declared) {
  engine::ParameterValue value;
  value.number = declared.default_number;
  if (declared.default_text) value.text = declared.default_text;
  return value;
}

class Builder {
 public:
  Builder(const graph::Document& document, loader::Registry& registry,
          engine::EngineOptions options)
      : document_(document), registry_(registry), options_(options) {
    result_.engine = std::make_unique<engine::Engine>(options);
    engine_ = result_.engine.get();
  }
  Builder(const graph::Document& document, loader::Registry& registry,
          engine::EngineOptions options, Running running)
      : document_(document),
        registry_(registry),
        options_(options),
        running_(std::move(running)),
        engine_(running_.engine) {
    for (const PlannedNode& planned : running_.nodes) running_nodes_.insert(planned.node);
    result_.landings = running_.landings;
  }

  BuildResult run() {
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

 private:
  // An edge of the document on its way to the engine: where it comes from after adapters.
  struct Wire {
    const graph::Edge* edge;
    OutputPort* from;
    InputPort* to;
    double gain_db;
    engine::Edge* running = nullptr;  // it is there already
    bool is_later = false;            // of a route that is not taken: decides formats alone
  };

  bool failed() const { return graph::has_errors(result_.diagnostics); }
  void error(graph::Location at, std::string message) {
    result_.diagnostics.push_back({graph::Severity::kError, std::move(at), std::move(message)});
  }

  bool is_running(const Node& node) const { return running_nodes_.contains(&node); }

  void make_nodes() {
    for (const PlannedNode& planned : running_.nodes) {
      if (planned.is_inserted) result_.nodes.push_back(planned);
    }
    for (const graph::Node* used : used_nodes(document_)) {
      const graph::Node& wanted = *used;
      const auto there =
          std::find_if(running_.nodes.begin(), running_.nodes.end(), [&](const auto& planned) {
            return !planned.is_inserted && planned.node->id() == wanted.id;
          });
      if (there != running_.nodes.end()) {
        result_.nodes.push_back(*there);
        document_node_[there->node] = &wanted;
        by_id_[wanted.id] = there->node;
        continue;
      }
      auto type = registry_.find(wanted.type);
      if (!type) {
        error(wanted.type_at, type.error().message);
        continue;
      }
      std::vector<engine::ParameterValue> values;
      for (const sluice_parameter& declared : (*type)->parameters()) {
        const graph::NodeParameter* given = wanted.find_parameter(declared.key);
        values.push_back(given ? to_engine(declared, given->value) : default_of(declared));
      }
      auto node = engine_->add(wanted.id, (*type)->data(), std::move(values), seed_of(wanted.id));
      if (!node) {
        error(wanted.at, node.error().message);
        continue;
      }
      add_planned(**node, false);
      document_node_[*node] = &wanted;
      by_id_[wanted.id] = *node;
      if (wanted.isolate) {
        result_.diagnostics.push_back(
            {graph::Severity::kWarning, wanted.at,
             wanted.id + " asks for a process of its own (isolate), which this version does not "
                         "give: it runs inside sluice, and a crash of it ends sluice"});
      }
    }
  }

  void make_wires() {
    for (const graph::Edge& edge : edges_) {
      const auto there =
          std::find_if(running_.edges.begin(), running_.edges.end(),
                       [&](const auto& planned) { return planned.edge.key() == edge.key(); });
      if (there != running_.edges.end()) {
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
          if (reader && reader->standby) add_wire(edge, true);
        }
      }
    }
  }

  void add_wire(const graph::Edge& edge, bool is_later) {
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

  const Landing* landing_at(const InputPort& port) const {
    for (const Landing& landing : result_.landings) {
      if (landing.port == &port) return &landing;
    }
    return nullptr;
  }

  void add_planned(Node& node, bool is_inserted) {
    const std::vector<ClockName> clocks(node.type().port_count);
    result_.nodes.push_back({&node, is_inserted, clocks, clocks});
  }
  PlannedNode& planned(const Node& node) {
    return *std::find_if(result_.nodes.begin(), result_.nodes.end(),
                         [&](const PlannedNode& p) { return p.node == &node; });
  }

  static OutputPort* output(Node& node, std::string_view key) {
    for (const auto& port : node.outputs) {
      if (key == port->declaration.key) return port.get();
    }
    return nullptr;
  }
  static InputPort* input(Node& node, std::string_view key) {
    for (const auto& port : node.inputs) {
      if (key == port->declaration.key) return port.get();
    }
    return nullptr;
  }

  // Nodes in an order in which every edge points forward.
  std::vector<Node*> ordered() const {
    std::vector<Node*> order;
    std::vector<Node*> left;
    for (const PlannedNode& planned : result_.nodes) left.push_back(planned.node);
    while (!left.empty()) {
      const auto next = std::find_if(left.begin(), left.end(), [&](const Node* node) {
        return std::none_of(wires_.begin(), wires_.end(), [&](const Wire& wire) {
          return &wire.to->node == node &&
                 std::find(left.begin(), left.end(), &wire.from->node) != left.end();
        });
      });
      if (next == left.end()) break;
      order.push_back(*next);
      left.erase(next);
    }
    return order;
  }

  void solve() {
    // What follows a node in error has no format either, which is no error of its own.
    std::set<const Node*> unsolved;
    for (Node* node : ordered()) {
      const bool follows_error = std::any_of(wires_.begin(), wires_.end(), [&](const Wire& wire) {
        return &wire.to->node == node && unsolved.contains(&wire.from->node);
      });
      const bool is_solved =
          is_running(*node) ? adapt_to_running(*node) : solve_inputs(*node) && solve_outputs(*node);
      if (follows_error || !is_solved) unsolved.insert(node);
    }
  }

  // Inputs that run keep their format: what is new there adapts to it.
  bool adapt_to_running(const Node& node) {
    bool is_good = true;
    for (size_t i = 0; i < wires_.size(); ++i) {
      if (&wires_[i].to->node != &node || wires_[i].running || wires_[i].is_later) continue;
      if (!wires_[i].to->is_pcm()) continue;
      Wire wire = wires_[i];
      if (wire.from->format.rate_hz == 0) return false;
      is_good &= adapt(wire, wire.to->format);
      wires_[i] = wire;
    }
    return is_good;
  }

  std::optional<sluice_port_info> describe(Node& node, uint32_t port) {
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

  static std::span<const sluice_format_offer> offers(const sluice_port_info& info) {
    return {info.offers, info.offer_count};
  }

  bool solve_inputs(Node& node) {
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

  bool solve_input(Node& node, InputPort& port, const sluice_port_info& info,
                   std::vector<Wire*>& feeding) {
    // What feeds it could not be solved: that was said already.
    if (std::any_of(feeding.begin(), feeding.end(),
                    [](const Wire* wire) { return wire->from->format.rate_hz == 0; })) {
      return false;
    }
    const bool is_sum = feeding.size() > 1 || feeding.front()->gain_db != 0.0;
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
    Node* converter = insert(SLUICE_TYPE_ADAPTS_SAMPLE_FORMAT, node, port, sum, *target);
    if (!converter) return mismatch(node, port, info, *feeding.front());
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

  // What routes read has room for whatever their nodes hold back; these are not made yet.
  void make_room() {
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

  // Nothing feeds it now: where something may later, it is made ready for the usual.
  void solve_unfed(const Node& node, InputPort& port, const sluice_port_info& info) {
    const auto wanted = document_node_.find(&node);
    if (wanted == document_node_.end()) return;
    const bool is_optional = (port.declaration.flags & SLUICE_PORT_OPTIONAL) != 0;
    if (is_optional && !wanted->second->standby) return;
    constexpr sluice_format kUsual{sizeof(sluice_format), SLUICE_SAMPLE_F32, 2, 48'000};
    if (const auto format = nearest(offers(info), kUsual, false)) port.format = *format;
    port.was_connected = true;
  }

  bool mismatch(const Node& node, const InputPort& port, const sluice_port_info& info,
                const Wire& wire) {
    const graph::Location at = wire.edge ? wire.edge->at : document_.at;
    error(at, wire.from->node.id() + "." + wire.from->declaration.key + " gives " +
                  to_text(wire.from->format) + ", " + node.id() + "." + port.declaration.key +
                  " takes " + to_text(offers(info)) +
                  "; put a node in between that converts one into the other.");
    return false;
  }

  bool cannot_adapt(const Wire& wire, const sluice_format& target) {
    error(wire.edge ? wire.edge->at : document_.at,
          wire.from->node.id() + "." + wire.from->declaration.key + " gives " +
              to_text(wire.from->format) + ", " + wire.to->node.id() + "." +
              wire.to->declaration.key + " needs " + to_text(target) +
              " here, and no plugin may be put in between that converts it; add such a node.");
    return false;
  }

  // Brings what comes over `wire` to `target` by adapters, one aspect after the other.
  bool adapt(Wire& wire, const sluice_format& target) {
    if (wire.is_later) return true;
    const auto step = [&](uint32_t flag, sluice_format wanted) {
      if (wanted.sample_format == wire.from->format.sample_format &&
          wanted.channels == wire.from->format.channels &&
          wanted.rate_hz == wire.from->format.rate_hz) {
        return true;
      }
      Node* adapter = insert(flag, wire.to->node, *wire.to, wire.from->format, wanted);
      if (!adapter) return cannot_adapt(wire, target);
      wires_extra_.push_back({wire.edge, wire.from, adapter->inputs[0].get(), 0.0});
      if (wire.edge) adapters_of_[wire.edge].push_back(adapter);
      wire.from = adapter->outputs[0].get();
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

  // Makes an adapter of the kind `flag` in front of `port`; null if nobody offers one or it may not
  // be inserted.
  Node* insert(uint32_t flag, const Node& reader, const InputPort& port, const sluice_format& from,
               const sluice_format& to) {
    const graph::Node* wanted = document_node_[&reader];
    if (wanted && wanted->adapt == graph::Adapt::kNever) return nullptr;
    for (const loader::Type* candidate : registry_.all()) {
      if (!candidate->has_flag(flag)) continue;
      auto type = registry_.find(candidate->id());
      if (!type) continue;
      std::string id =
          reader.id() + "." + port.declaration.key + ".adapter" + std::to_string(++adapters_);
      std::vector<engine::ParameterValue> values;
      for (const sluice_parameter& declared : (*type)->parameters()) {
        values.push_back(adapter_value(declared, to));
      }
      auto node = engine_->add(id, (*type)->data(), std::move(values), seed_of(id));
      if (!node) continue;
      add_planned(**node, true);
      (*node)->inputs[0]->format = from;
      if (!solve_outputs(**node)) return nullptr;
      result_.notes.push_back("Inserted a " + std::string((*type)->id()) + " in front of " +
                              reader.id() + ": " + to_text(from) + " becomes " + to_text(to) + ".");
      return *node;
    }
    return nullptr;
  }

  static engine::ParameterValue adapter_value(const sluice_parameter& declared,
                                              const sluice_format& to) {
    engine::ParameterValue value = default_of(declared);
    const std::string_view key = declared.key;
    if (key == "rate_hz") value.number = to.rate_hz;
    if (key == "channels") value.number = to.channels;
    if (key == "format") {
      static constexpr const char* kNames[] = {"", "f32", "s16", "s24", "s32"};
      value.text = kNames[to.sample_format];
      for (uint32_t i = 0; i < declared.choice_count; ++i) {
        if (value.text == declared.choices[i]) value.number = i;
      }
    }
    return value;
  }

  bool solve_outputs(Node& node) {
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
  std::span<const sluice_format_offer> wishes(const OutputPort& port) const {
    for (const Wire& wire : wires_) {
      if (wire.from != &port) continue;
      const sluice_port& declared = wire.to->declaration;
      return {declared.offers, declared.offer_count};
    }
    return {};
  }

  void join() {
    std::vector<Wire> all = wires_extra_;
    for (const Wire& wire : wires_) {
      if (!wire.is_later) all.push_back(wire);
    }
    ClockMap clocks;
    for (const PlannedNode& planned : result_.nodes) {
      for (uint32_t port = 0; port < planned.node->type().port_count; ++port) {
        clocks.add(*planned.node, port, planned.own_clocks[port]);
      }
    }
    for (const Wire& wire : all) {
      clocks.join(*wire.from, *wire.to, wire.edge ? wire.edge->options.pace : false,
                  wire.edge ? wire.edge->options.when_full : std::nullopt);
    }
    if (options_.is_offline) clocks.forget();
    for (size_t i = 0; i < all.size(); ++i) {
      const Wire& wire = all[i];
      const uint32_t rate_hz = wire.from->format.rate_hz;
      engine::EdgeOptions edge;
      const ClockMap::Policy policy = clocks.policy(i);
      edge.when_full = policy.when_full;
      if (!policy.complaint.empty()) {
        error(wire.edge ? wire.edge->at : document_.at, policy.complaint);
      }
      edge.gain_db = wire.gain_db;
      if (rate_hz != 0 && policy.fill_after_ms) {
        edge.fill_after_frames = frames_of_ms(*policy.fill_after_ms, rate_hz);
      }
      if (wire.running) {
        result_.policies.push_back({wire.running, edge.when_full, edge.fill_after_frames});
        continue;
      }
      if (rate_hz != 0) {
        edge.target_frames = frames_of_ms(policy.target_ms, rate_hz);
        if (wire.edge) {
          edge.buffer_frames = frames_of_ms(wire.edge->options.buffer_ms.value_or(0.0), rate_hz);
          edge.delay_frames = frames_of_ms(wire.edge->options.delay_ms, rate_hz);
        }
      }
      engine::Edge& made = engine_->connect(*wire.from, *wire.to, edge);
      if (wire.edge) {
        hops_[wire.edge].push_back(&made);
      } else {
        for (Landing& landing : result_.landings) {
          if (landing.port == wire.to) landing.edge = &made;
        }
      }
    }
    note_edges();
    for (const std::string& note : clocks.notes()) result_.notes.push_back(note);
    complete_clocks(clocks);
  }

  void note_edges() {
    for (const graph::Edge& edge : edges_) {
      const auto there =
          std::find_if(running_.edges.begin(), running_.edges.end(),
                       [&](const auto& planned) { return planned.edge.key() == edge.key(); });
      if (there != running_.edges.end()) {
        result_.edges.push_back(*there);
        result_.edges.back().edge = edge;
      } else if (const auto hops = hops_.find(&edge); hops != hops_.end()) {
        result_.edges.push_back({edge, hops->second, adapters_of_[&edge]});
      }
    }
  }

  void complete_clocks(const ClockMap& clocks) {
    for (PlannedNode& planned : result_.nodes) {
      for (uint32_t port = 0; port < planned.node->type().port_count; ++port) {
        planned.port_clocks[port] = clocks.clock(*planned.node, port);
      }
    }
  }

  const graph::Document& document_;
  loader::Registry& registry_;
  const engine::EngineOptions options_;
  const Running running_;
  engine::Engine* engine_ = nullptr;
  std::set<const Node*> running_nodes_;
  BuildResult result_;
  std::vector<graph::Edge> edges_;
  std::vector<Wire> wires_;
  std::vector<Wire> wires_extra_;
  std::map<const Node*, const graph::Node*> document_node_;
  std::map<std::string, Node*, std::less<>> by_id_;
  std::map<const graph::Edge*, std::vector<engine::Edge*>> hops_;
  std::map<const graph::Edge*, std::vector<Node*>> adapters_of_;
  int adapters_ = 0;
};

}  // namespace

BuildResult build(const graph::Document& document, loader::Registry& registry,
                  engine::EngineOptions options) {
  return Builder(document, registry, options).run();
}

BuildResult extend(const graph::Document& document, loader::Registry& registry,
                   engine::EngineOptions options, Running running) {
  return Builder(document, registry, options, std::move(running)).run();
}

std::vector<const graph::Node*> used_nodes(const graph::Document& document) {
  const std::vector<graph::Edge> edges = document.active_edges();
  std::set<std::string_view> joined;
  for (const graph::Edge& edge : edges) {
    joined.insert(edge.from_node);
    joined.insert(edge.to_node);
  }
  std::vector<const graph::Node*> used;
  for (const graph::Node& node : document.nodes) {
    if (node.dormant) continue;
    if (node.standby || joined.contains(node.id) || edges.empty()) used.push_back(&node);
  }
  return used;
}

}  // namespace sluice::session
