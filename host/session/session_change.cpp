// How a Session brings a change into the running engine: beside, unheard, ramped, closed.
#include <algorithm>
#include <iterator>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "host/session/clock_map.hpp"
#include "host/session/ledger.hpp"
#include "host/session/session.hpp"
#include "host/session/statistics.hpp"
#include "host/support/log.hpp"

namespace sluice::session {
namespace {

using support::Error;
using support::ErrorCode;

// How long new edges may take to have something to be heard; then they join when they have.
constexpr int64_t kLongestWarmUpNs = 500'000'000;
// How long a "*" route may take to resolve its name and to connect.
constexpr int64_t kLongestConnectNs = 2'000'000'000;

// The node, and all that lie before it, or behind it.
std::set<const engine::Node*> reached_from(const engine::Node& node, const engine::Engine& engine,
                                           bool is_forward) {
  std::set<const engine::Node*> seen{&node};
  std::vector<const engine::Node*> left{&node};
  while (!left.empty()) {
    const engine::Node* at = left.back();
    left.pop_back();
    for (const auto& edge : engine.edges()) {
      const engine::Node* here = is_forward ? &edge->from.node : &edge->to.node;
      const engine::Node* there = is_forward ? &edge->to.node : &edge->from.node;
      if (here == at && seen.insert(there).second) left.push_back(there);
    }
  }
  return seen;
}

std::set<const engine::Node*> sources_of(const engine::Node& node, const engine::Engine& engine) {
  auto sources = reached_from(node, engine, false);
  for (const auto& edge : engine.edges()) sources.erase(&edge->to.node);
  return sources;
}

// Both carry something of the same source: their levels add, not their powers.
bool is_alike(const engine::Edge& a, const engine::Edge& b, const engine::Engine& engine) {
  const auto of_a = sources_of(a.from.node, engine);
  const auto of_b = sources_of(b.from.node, engine);
  return std::any_of(of_a.begin(), of_a.end(),
                     [&](const engine::Node* node) { return of_b.contains(node); });
}

// A bridge is silent until it has seen both its clocks.
bool is_silent_bridge(const engine::Node& node) {
  if (!is_bridge(node)) return false;
  const sluice_type& type = node.type();
  for (uint32_t i = 0; i < type.statistic_count; ++i) {
    if (std::string_view(type.statistics[i].key) == "starts") return node.slot(i) == 0;
  }
  return false;
}

// A running reader that holds up the writer.
bool has_pacer(const engine::OutputPort& port, const engine::Engine& engine) {
  return std::any_of(engine.edges().begin(), engine.edges().end(), [&](const auto& edge) {
    return &edge->from == &port && !edge->is_new && edge->is_wired && !edge->is_closed &&
           !edge->is_leaving && edge->when_full == engine::WhenFull::kWait;
  });
}

const PlannedEdge* find_edge(const std::vector<PlannedEdge>& edges, const std::string& key) {
  for (const PlannedEdge& edge : edges) {
    if (key.starts_with(edge.edge.from_node) && edge.edge.key() == key) return &edge;
  }
  return nullptr;
}

}  // namespace

// What the change wants back may still be ramping out. If that is all it wants, it is called back
// from where it is.
std::optional<Session::Warming> Session::call_back(const Next& next) const {
  if (retired_.empty()) return std::nullopt;
  std::vector<RunningNode> nodes = nodes_;
  for (const RunningNode& node : unwanted_) {
    const bool is_replaced = std::any_of(nodes_.begin(), nodes_.end(), [&](const auto& wanted) {
      return wanted.settings.id == node.settings.id;
    });
    if (!is_replaced) nodes.push_back(node);
  }
  std::set<const engine::Node*> wanted_nodes;
  for (const RunningNode& node : nodes) wanted_nodes.insert(node.planned.node);
  std::vector<PlannedEdge> edges = edges_;
  std::vector<PlannedEdge> displaced;
  std::set<std::string> fading;
  for (const graph::Edge& wanted : next.document.active_edges()) {
    const std::string key = wanted.key();
    const PlannedEdge* now = find_edge(edges_, key);
    if (now && same_but_gain(now->edge.options, wanted.options)) continue;
    const auto back = std::find_if(retired_.begin(), retired_.end(), [&](const Retired& retired) {
      return retired.is_ramping && retired.edge.edge.key() == key && engine_has(retired) &&
             wanted_nodes.contains(&retired.edge.hops.back()->to.node) &&
             wanted_nodes.contains(&retired.edge.hops.front()->from.node) &&
             same_but_gain(retired.edge.edge.options, wanted.options) &&
             player_->engine().is_fading_out(*retired.edge.hops.back());
    });
    if (back == retired_.end()) return std::nullopt;
    if (now) {
      displaced.push_back(*now);
      std::erase_if(edges, [&](const PlannedEdge& edge) { return edge.edge.key() == key; });
    }
    fading.insert(key);
    edges.push_back(back->edge);
  }
  if (fading.empty()) return std::nullopt;
  auto plan = plan_change(nodes, edges, next.document, *next.types);
  if (!plan || !plan->built.empty() || !plan->entering.empty()) return std::nullopt;
  Warming warming;
  warming.displaced = std::move(displaced);
  for (const PlannedEdge& edge : edges) {
    const bool is_kept = plan->kept_edges.contains(edge.hops.back());
    if (is_kept && fading.contains(edge.edge.key())) warming.revived.push_back(edge);
  }
  if (warming.revived.empty()) return std::nullopt;
  // What has left already is no news.
  std::erase_if(plan->leaving, [&](const std::string& key) { return fading.contains(key); });
  std::erase_if(plan->closed, [&](const std::string& id) {
    return std::none_of(nodes_.begin(), nodes_.end(),
                        [&](const RunningNode& node) { return node.settings.id == id; });
  });
  warming.plan = *std::move(plan);
  for (const PlannedEdge& edge : warming.revived) warming.entering.push_back(edge.hops.back());
  return warming;
}

bool Session::engine_has(const Retired& retired) const {
  return player_->engine().has(retired.edge.hops.back(), retired.serials.back());
}

// Announces to the engine what is new.
support::Status Session::announce(Warming& warming) {
  engine::Engine& engine = player_->engine();
  Running running;
  running.engine = &engine;
  std::unordered_set<const engine::Node*> helpers;  // that the graph does not name
  const auto keep_edge = [&](const PlannedEdge& edge) {
    running.edges.push_back(&edge);
    helpers.insert(edge.adapters.begin(), edge.adapters.end());
  };
  for (const PlannedEdge& edge : edges_) {
    if (warming.plan.kept_edges.contains(edge.hops.back())) keep_edge(edge);
  }
  for (const PlannedEdge& edge : warming.revived) keep_edge(edge);
  for (const Landing& landing : landings_) {
    if (!warming.plan.kept_nodes.contains(&landing.port->node)) continue;
    running.landings.push_back(landing);
    helpers.insert(landing.converter);
  }
  std::unordered_set<const engine::Node*> old;
  for (const auto* nodes : {&nodes_, &unwanted_}) {
    for (const RunningNode& node : *nodes) {
      const engine::Node* made = node.planned.node;
      if (!warming.plan.kept_nodes.contains(made) && !helpers.contains(made)) continue;
      running.nodes.push_back(&node.planned);
      old.insert(made);
    }
  }
  warming.built =
      extend(warming.next.document, registry_, player_->build_options(), std::move(running));
  for (const graph::Diagnostic& diagnostic : warming.built.diagnostics) {
    if (diagnostic.severity != graph::Severity::kError) continue;
    engine.withdraw();
    return Error{ErrorCode::kInvalid, diagnostic.message};
  }
  if (!warming.built.misplaced.empty()) {
    engine.withdraw();
    return Error{ErrorCode::kState, warming.built.misplaced.front() +
                                        " would need another way from clock to clock than it has."};
  }
  for (const PlannedNode& planned : warming.built.nodes) {
    if (!old.contains(planned.node)) warming.fresh.push_back(planned.node);
  }
  return {};
}

// How late it would be, or why it cannot be, with what would have to be made anew for it. Nothing
// of it is left.
support::Result<graph::Value> Session::foresee(Warming& warming, std::set<std::string>& anew) {
  engine::Engine& engine = player_->engine();
  const engine::Snapshot now = engine.snapshot();
  auto status = announce(warming);
  if (status) status = engine.foresee();
  graph::Value latency;
  if (status) latency = planned_json(planned_ledgers(warming.built, now), latency_ledgers(now));
  if (!status) anew = to_make_anew(warming);
  engine.withdraw();
  if (!status) return std::move(status).error();
  return latency;
}

// Makes and starts what is new. Nothing of it is heard.
support::Status Session::build_beside(Warming& warming) {
  engine::Engine& engine = player_->engine();
  if (auto status = announce(warming); !status) return status;
  mark_entering(warming);
  // Beside a reader that paces the writer nobody may hold it up before being heard.
  for (const PlannedEdge& planned : warming.built.edges) {
    for (engine::Edge* hop : planned.hops) {
      if (!hop->is_new || hop->when_full != engine::WhenFull::kWait) continue;
      if (!has_pacer(hop->from, engine)) continue;
      warming.yielding.push_back(hop);
      warming.built.policies.push_back({hop, hop->when_full, hop->fill_after_frames});
      engine.set_policy_live(*hop, engine::WhenFull::kSkip, hop->fill_after_frames);
    }
  }
  hand_over_state(warming);
  if (auto status = engine.apply(); !status) return status;
  engine.set_metered(player_->is_metered());
  carry_statistics(warming);
  const int64_t patience_ns = warming.next.needs_connection ? kLongestConnectNs : kLongestWarmUpNs;
  // A delayed edge has its frames when they are as old as that.
  double delay_ms = 0.0;
  for (const std::string& key : warming.plan.entering) {
    const PlannedEdge* edge = find_edge(warming.built.edges, key);
    if (edge) delay_ms = std::max(delay_ms, edge->edge.options.delay_ms);
  }
  warming.deadline_ns =
      engine.clock().now_ns() + patience_ns + static_cast<int64_t>(delay_ms * 1e6);
  return {};
}

void Session::hand_over_state(const Warming& warming) {
  for (const PlannedNode& made : warming.built.nodes) {
    if (made.is_inserted ||
        std::find(warming.fresh.begin(), warming.fresh.end(), made.node) == warming.fresh.end()) {
      continue;
    }
    const auto old = std::find_if(nodes_.begin(), nodes_.end(), [&](const RunningNode& node) {
      return node.settings.id == made.node->id() && node.planned.node != made.node;
    });
    if (old == nodes_.end()) continue;
    const engine::Node& before = *old->planned.node;
    if (std::string_view(before.type().id) == made.node->type().id) made.node->inherit(before);
  }
}

// What replaces a node, or an edge of the same name, goes on counting where that is now.
void Session::carry_statistics(const Warming& warming) {
  for (const std::string& id : warming.plan.replaced) {
    const auto old = std::find_if(nodes_.begin(), nodes_.end(),
                                  [&](const RunningNode& node) { return node.settings.id == id; });
    const auto made = std::find_if(
        warming.built.nodes.begin(), warming.built.nodes.end(), [&](const PlannedNode& planned) {
          return !planned.is_inserted && planned.node->id() == id &&
                 std::find(warming.fresh.begin(), warming.fresh.end(), planned.node) !=
                     warming.fresh.end();
        });
    if (old != nodes_.end() && made != warming.built.nodes.end()) {
      made->node->continue_from(*old->planned.node);
    }
  }
  for (const std::string& key : warming.plan.entering) {
    const PlannedEdge* old = find_edge(edges_, key);
    const PlannedEdge* now = find_edge(warming.built.edges, key);
    if (!old || !now) continue;
    for (engine::Edge* hop : now->hops) {
      for (const engine::Edge* before : old->hops) {
        if (hop != before && key_of(*hop) == key_of(*before)) hop->continue_from(*before);
      }
    }
  }
}

void Session::mark_entering(Warming& warming) {
  std::vector<const PlannedEdge*> edges;
  for (const std::string& key : warming.plan.entering) {
    if (const PlannedEdge* edge = find_edge(warming.built.edges, key)) edges.push_back(edge);
  }
  const std::set<std::string> moving(warming.plan.built.begin(), warming.plan.built.end());
  for (const PlannedEdge* edge : edges_to_ramp(edges, moving)) {
    engine::Edge* hop = edge->hops.back();
    // What comes from a new source into a new end begins at its own beginning.
    hop->enters_unheard = hop->from.is_pcm();
    warming.entering.push_back(hop);
  }
}

// The reader that set the pace may have been parked meanwhile, as what it fed has faded out.
void Session::set_pace_where_nobody_does(Warming& warming) {
  engine::Engine& engine = player_->engine();
  const size_t before = warming.yielding.size();
  std::erase_if(warming.yielding, [&](engine::Edge* hop) {
    if (has_pacer(hop->from, engine)) return false;
    engine.set_policy_live(*hop, engine::WhenFull::kWait, hop->fill_after_frames);
    return true;
  });
  if (warming.yielding.size() != before) engine.publish_policies();
}

// An error ends the change.
std::optional<Error> Session::warm_up(bool& is_ready) {
  Warming& warming = *warming_;
  set_pace_where_nobody_does(warming);
  engine::Engine& engine = player_->engine();
  const bool is_late = engine.clock().now_ns() >= warming.deadline_ns;
  bool is_connected = true, is_sounding = true;
  for (const engine::Node* node : warming.fresh) {
    is_sounding &= !is_silent_bridge(*node);
    const engine::NodeState state = node->state();
    const std::string why = node->sentence();
    if (state == engine::NodeState::kFailed) {
      return Error{ErrorCode::kIo, node->id() + ": " + (why.empty() ? "It failed." : why)};
    }
    if (!warming.next.needs_connection || node->is_passive()) continue;
    if (state == engine::NodeState::kLost) return Error{ErrorCode::kIo, node->id() + ": " + why};
    if (state == engine::NodeState::kStarting || state == engine::NodeState::kWaiting) {
      is_connected = false;
      if (is_late) {
        return Error{ErrorCode::kTimeout, node->id() + ": It was not connected within 2 s."};
      }
    }
  }
  is_ready =
      is_late ||
      (is_connected && is_sounding &&
       std::all_of(warming.entering.begin(), warming.entering.end(),
                   [&](const engine::Edge* edge) { return engine.is_ready_to_turn(*edge); }));
  return std::nullopt;
}

void Session::set_live(const ChangePlan& plan) {
  for (const ChangePlan::Parameter& parameter : plan.parameters) {
    if (auto status = parameter.node->set_parameter(parameter.index, parameter.value); !status) {
      support::log_warning(parameter.id + ": " + status.error().message);
    }
  }
  for (const ChangePlan::Gain& gain : plan.gains) {
    player_->engine().set_gain_live(*gain.edge, gain.gain_db);
  }
}

// The moment from which the change is heard.
void Session::commit() {
  Warming warming = *std::move(warming_);
  warming_.reset();
  engine::Engine& engine = player_->engine();
  engine.set_watched(false);

  std::vector<const PlannedEdge*> leaving;
  for (const std::string& key : warming.plan.leaving) {
    if (const PlannedEdge* edge = find_edge(edges_, key)) leaving.push_back(edge);
  }
  for (const PlannedEdge& edge : warming.displaced) leaving.push_back(&edge);
  std::set<std::string> going(warming.plan.closed.begin(), warming.plan.closed.end());
  going.insert(warming.plan.replaced.begin(), warming.plan.replaced.end());
  const auto ramped = edges_to_ramp(leaving, going);

  // Input by input, as each has its own sources.
  std::map<engine::InputPort*, std::pair<std::vector<engine::Edge*>, std::vector<engine::Edge*>>>
      turns;
  for (engine::Edge* edge : warming.entering) turns[&edge->to].first.push_back(edge);
  for (const PlannedEdge* edge : ramped) {
    turns[&edge->hops.back()->to].second.push_back(edge->hops.back());
  }
  set_live(warming.plan);
  for (const PolicyChange& policy : warming.built.policies) {
    engine.set_policy_live(*policy.edge, policy.when_full, policy.fill_after_frames);
  }
  engine.publish_policies();
  for (const auto& [input, turn] : turns) {
    const auto& in = turn.first;
    const auto& out = turn.second;
    const bool is_exchange = !in.empty() && !out.empty();
    const bool is_alike_there =
        !is_exchange || std::any_of(in.begin(), in.end(), [&](const engine::Edge* a) {
          return std::any_of(out.begin(), out.end(),
                             [&](const engine::Edge* b) { return is_alike(*a, *b, engine); });
        });
    engine.turn(in, out, is_alike_there ? Ramp::Shape::kEqualGain : Ramp::Shape::kEqualPower);
  }
  for (const PlannedEdge* edge : leaving) {
    retire(*edge, std::find(ramped.begin(), ramped.end(), edge) != ramped.end());
  }

  for (const PlannedEdge& edge : warming.revived) {
    std::erase_if(retired_, [&](const Retired& retired) {
      return retired.edge.hops.back() == edge.hops.back();
    });
  }
  take_nodes(warming);
  edges_ = std::move(warming.built.edges);
  landings_ = std::move(warming.built.landings);
  for (const std::string& note : warming.built.notes) support::log_debug(note);
  finish(warming.pending, std::move(warming.next), warming.plan);
}

// What the plan has is wanted from now on; what else there was is not.
void Session::take_nodes(Warming& warming) {
  std::vector<RunningNode> before = std::move(nodes_);
  before.insert(before.end(), std::make_move_iterator(unwanted_.begin()),
                std::make_move_iterator(unwanted_.end()));
  nodes_.clear();
  std::unordered_map<const engine::Node*, RunningNode*> there;
  for (RunningNode& node : before) there.emplace(node.planned.node, &node);
  nodes_.reserve(warming.built.nodes.size());
  for (PlannedNode& planned : warming.built.nodes) {
    const auto old = there.find(planned.node);
    RunningNode& node = nodes_.emplace_back();
    if (old != there.end()) {
      node.settings = std::move(old->second->settings);
      there.erase(old);
    } else {
      node.settings.id = planned.node->id();
      const auto* settings = warming.next.document.find_node(planned.node->id());
      if (settings && !planned.is_inserted) node.settings = *settings;
    }
    node.planned = std::move(planned);
  }
  std::erase_if(before,
                [&](const RunningNode& node) { return !there.contains(node.planned.node); });
  unwanted_ = std::move(before);
}

void Session::retire(const PlannedEdge& edge, bool is_ramping) {
  Retired retired{edge, {}, is_ramping};
  for (const engine::Edge* hop : edge.hops) retired.serials.push_back(hop->serial);
  retired_.push_back(std::move(retired));
}

// Takes out what the change has made; nobody has heard it.
void Session::roll_back() {
  Warming warming = *std::move(warming_);
  warming_.reset();
  player_->engine().set_watched(false);
  player_->engine().turn({}, warming.entering, Ramp::Shape::kEqualGain);
  for (const std::string& key : warming.plan.entering) {
    const PlannedEdge* edge = find_edge(warming.built.edges, key);
    if (!edge) continue;
    const bool is_ramping = std::find(warming.entering.begin(), warming.entering.end(),
                                      edge->hops.back()) != warming.entering.end();
    retire(*edge, is_ramping);
  }
  for (const PlannedNode& planned : warming.built.nodes) {
    if (std::find(warming.fresh.begin(), warming.fresh.end(), planned.node) ==
        warming.fresh.end()) {
      continue;
    }
    RunningNode node{planned, {}};
    node.settings.id = planned.node->id();
    unwanted_.push_back(std::move(node));
  }
}

// Follows up what has left: edges that have ramped out, then the nodes that only they kept.
void Session::tend_retired() {
  engine::Engine& engine = player_->engine();
  std::erase_if(retired_, [&](Retired& retired) {
    for (size_t i = 0; i < retired.serials.size(); ++i) {
      if (engine.has(retired.edge.hops[i], retired.serials[i])) return false;
    }
    return true;
  });
  close_unwanted();
  std::erase_if(closing_, [&](const auto& closing) {
    return std::find(engine.nodes().begin(), engine.nodes().end(), closing.first) ==
           engine.nodes().end();
  });
}

// Closes the unwanted nodes that nothing passes any more which still fades out.
void Session::close_unwanted() {
  if (unwanted_.empty()) return;
  engine::Engine& engine = player_->engine();
  std::set<const engine::Node*> held;
  for (const Retired& retired : retired_) {
    if (!retired.is_ramping || !engine_has(retired)) continue;
    const engine::Edge* hop = retired.edge.hops.back();
    held.merge(reached_from(hop->from.node, engine, false));
    held.merge(reached_from(hop->to.node, engine, true));
  }
  std::erase_if(unwanted_, [&](const RunningNode& unwanted) {
    engine::Node* node = unwanted.planned.node;
    // A device whose lane runs other nodes stays until these are gone.
    if (held.contains(node) || !engine.remove_live(*node)) return false;
    closing_.emplace_back(node, unwanted.settings.id);
    return true;
  });
}

}  // namespace sluice::session
