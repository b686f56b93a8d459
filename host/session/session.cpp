#include "host/session/session.hpp"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

#include "host/graph/diff.hpp"
#include "host/session/edits.hpp"
#include "host/session/ledger.hpp"
#include "host/session/plugin_catalog.hpp"
#include "host/session/statistics.hpp"
#include "host/support/nearest_name.hpp"

namespace sluice::session {
namespace {

using graph::Value;
using support::Error;
using support::ErrorCode;

// Changes that can be undone.
constexpr size_t kMostHistory = 100;
// How long a change waits for what an earlier one is still closing.
constexpr int64_t kLongestClosingNs = 3'000'000'000;

std::string sentence_of(const std::vector<graph::Diagnostic>& diagnostics) {
  for (const graph::Diagnostic& diagnostic : diagnostics) {
    if (diagnostic.severity != graph::Severity::kError) continue;
    return diagnostic.at.pointer.empty() ? diagnostic.message
                                         : diagnostic.at.pointer + ": " + diagnostic.message;
  }
  return "The graph cannot be loaded.";
}

// nodes.ID.params.KEY of a base; null if it is not there.
const Value* find_parameter_in(const Value& base, const std::string& id, const std::string& key) {
  const Value* at = &base;
  for (const std::string& step : {std::string("nodes"), id, std::string("params"), key}) {
    at = at->is_object() ? at->find(step) : nullptr;
    if (!at) return nullptr;
  }
  return at;
}

// It sets parameters and does nothing else.
bool is_of_parameters(const ChangeRequest& request) {
  if (request.operations.empty() || request.is_undo || request.patch || request.document ||
      !request.anew.empty()) {
    return false;
  }
  return std::all_of(request.operations.begin(), request.operations.end(), [](const Value& one) {
    const Value* op = one.is_object() ? one.find("op") : nullptr;
    const Value* target = op ? one.find("target") : nullptr;
    return op && op->is_text() && op->text() == "set" && target && target->is_text();
  });
}

// What nothing but live parameters comes to is put into `document` without reading `base` again,
// and said in `steps`. False if it is more than that, or not right, which reading it explains.
bool set_live_parameters(const Value& base, const ChangeRequest& request,
                         const graph::Catalog& types, graph::Document& document,
                         std::vector<std::string>& steps) {
  for (const Value& operation : request.operations) {
    const Value* target = operation.find("target");
    const size_t dot = target->text().rfind('.');
    if (dot == std::string::npos) return false;
    const std::string id = target->text().substr(0, dot);
    const std::string key = target->text().substr(dot + 1);
    const auto node = std::find_if(document.nodes.begin(), document.nodes.end(),
                                   [&](const graph::Node& it) { return it.id == id; });
    if (node == document.nodes.end()) return false;
    const graph::NodeType* type = types.find(node->type);
    const graph::Parameter* parameter = type ? type->find_parameter(key) : nullptr;
    if (!parameter || !parameter->live || parameter->secret) return false;
    // What a route sets holds over what is set.
    for (const graph::Switch& one : document.switches) {
      for (const graph::Setting& setting : one.initial.settings) {
        if (setting.node == id && setting.parameter == key) return false;
      }
    }
    const Value* given = find_parameter_in(base, id, key);
    if (!given || (given->is_text() && given->text().find("${") != std::string::npos)) return false;
    auto value = graph::check_value(*parameter, *given);
    const auto had = std::find_if(node->parameters.begin(), node->parameters.end(),
                                  [&](const graph::NodeParameter& it) { return it.key == key; });
    if (!value || had == node->parameters.end()) return false;
    if (had->value == *value) continue;
    had->value = *value;
    had->given = true;
    graph::Operation step;
    step.kind = graph::Operation::Kind::kSetParameter;
    step.node = id;
    step.name = key;
    step.value = *std::move(value);
    steps.push_back(graph::to_text(step, types, document));
  }
  return true;
}

// What secrets were written as, where they still are the same.
void take_over_sources(const graph::Document& before, graph::Document& after) {
  for (graph::Node& node : after.nodes) {
    const graph::Node* had = before.find_node(node.id);
    if (!had) continue;
    for (graph::NodeParameter& parameter : node.parameters) {
      const graph::NodeParameter* old = had->find_parameter(parameter.key);
      if (parameter.secret && old && old->value == parameter.value) {
        parameter.secret_source = old->secret_source;
      }
    }
  }
}

}  // namespace

Session::~Session() {
  if (player_) player_->stop();
}

graph::LoadResult Session::load_document(const Value& base, graph::Catalog& types) const {
  const std::string text = graph::to_json(base);
  graph::LoadOptions options;
  options.needs_inputs = false;
  graph::LoadResult loaded = graph::load_text(text, document_.file, types, options);
  if (loaded.document) return loaded;
  types = catalog_for(text, registry_);
  loaded = graph::load_text(text, document_.file, types, options);
  if (loaded.document) return loaded;
  types = full_catalog(registry_);
  return graph::load_text(text, document_.file, types, options);
}

std::vector<std::string> steps_between(const graph::Document& before, const graph::Document& after,
                                       const graph::Catalog& types) {
  std::vector<std::string> steps;
  for (const graph::Switch& one : after.switches) {
    const graph::Switch* was = before.find_switch(one.id);
    if (was && was->initial.name == one.initial.name) continue;
    steps.push_back("take the route " + one.initial.name +
                    (after.switches.size() == 1 ? "" : " of " + one.id));
  }
  const bool has_switched = !steps.empty();
  for (const auto& operation : graph::diff(before, after, types).operations) {
    const bool is_switches = operation.kind == graph::Operation::Kind::kDescribe &&
                             operation.name == "switches" && has_switched;
    if (!is_switches) steps.push_back(graph::to_text(operation, types, after));
  }
  return steps;
}

std::unique_ptr<Session> Session::make(graph::Document document, Value base,
                                       loader::Registry& registry, const PlayerOptions& options,
                                       std::vector<graph::Diagnostic>& diagnostics) {
  std::unique_ptr<Session> session(new Session(registry));
  session->types_ = catalog_for(graph::to_json(base), registry);
  session->first_base_ = session->base_ = std::move(base);
  session->first_document_ = session->document_ = std::move(document);
  session->player_ = Player::make(session->document_, registry, options, diagnostics);
  if (!session->player_) return nullptr;
  const BuildResult& plan = session->player_->plan();
  for (const PlannedNode& planned : plan.nodes) {
    RunningNode node{planned, {}};
    node.settings.id = planned.node->id();
    if (const auto* settings = session->document_.find_node(planned.node->id())) {
      node.settings = *settings;
    }
    session->nodes_.push_back(std::move(node));
  }
  session->edges_ = plan.edges;
  session->landings_ = plan.landings;
  return session;
}

void Session::note_saved() { note_file(document_, base_); }

void Session::note_file(graph::Document document, Value base) {
  first_document_ = std::move(document);
  first_base_ = std::move(base);
  ++file_version_;
}

Value Session::describe(const engine::Snapshot& snapshot) const {
  std::vector<PlannedNode> planned;
  for (const RunningNode& node : nodes_) planned.push_back(node.planned);
  Value all = to_json(snapshot, player_->start_ns());
  add_ledgers(all, clock_rows(planned, snapshot), latency_ledgers(snapshot),
              document_.latency_budget_ms);
  return all;
}

void Session::change(ChangeRequest request, Done done) {
  queue_.push_back({std::move(request), std::move(done), player_->engine().clock().now_ns()});
  tend();
}

bool Session::is_settled() const {
  return queue_.empty() && !warming_ && retired_.empty() && unwanted_.empty() && closing_.empty() &&
         !player_->engine().is_changing();
}

// "***" where a secret stands means that it stays.
void Session::keep_secrets(Value& base) const {
  Value* nodes = const_cast<Value*>(base.find("nodes"));
  if (!nodes || !nodes->is_object()) return;
  for (graph::Member& node : nodes->members()) {
    const graph::Node* had = document_.find_node(node.key);
    Value* params = const_cast<Value*>(node.value.find("params"));
    if (!had || !params || !params->is_object()) continue;
    for (graph::Member& member : params->members()) {
      const graph::NodeParameter* parameter = had->find_parameter(member.key);
      if (!parameter || !parameter->secret || !member.value.is_text()) continue;
      const std::string& text = member.value.text();
      if (text == "***" || (!text.empty() && text == parameter->secret_source)) {
        member.value = graph::to_value(parameter->value);
      }
    }
  }
}

support::Result<Value> Session::changed_base(const ChangeRequest& request) {
  if (request.is_undo) {
    if (history_.empty()) return Error{ErrorCode::kState, "There is nothing to undo."};
    return history_.back();
  }
  if (request.patch) return apply_patch(base_, types_, *request.patch);
  if (request.document) {
    Value document = *request.document;
    keep_secrets(document);
    const std::string text = graph::to_json(document);
    graph::LoadOptions options;
    options.applies_routes = false;
    options.needs_inputs = false;  // what was taken apart while it plays may stay so
    const graph::Catalog types = full_catalog(registry_);
    const auto loaded = graph::load_text(text, document_.file, types, options);
    if (!loaded.document) return Error{ErrorCode::kInvalid, sentence_of(loaded.diagnostics)};
    Value base = graph::to_normal_json(*loaded.document, graph::Secrets::kReveal);
    if (!request.keeps_routes) return base;
    for (const graph::Switch& one : document_.switches) {
      const graph::Switch* now = loaded.document->find_switch(one.id);
      if (!now || (!now->find_route(one.initial.name) && !now->any)) continue;
      auto taken = Value::object();
      taken.set("op", "route");
      taken.set("switch", one.id);
      taken.set("route", one.initial.name);
      auto changed = apply_operation(base, types, taken);
      if (changed) base = *std::move(changed);
    }
    return base;
  }
  Value base = base_;
  for (size_t i = 0; i < request.operations.size(); ++i) {
    const Value& operation = request.operations[i];
    // What is to be added may be of a type that nothing has asked for yet.
    const Value* node = operation.find("node");
    const Value* type = node && node->is_object() ? node->find("type") : node;
    if (type && type->is_text() && !types_.find(type->text())) types_ = full_catalog(registry_);
    auto changed = apply_operation(base, types_, operation);
    if (!changed) {
      Error error = std::move(changed).error();
      if (request.operations.size() > 1) {
        error.message = "Operation " + std::to_string(i + 1) + " (" + name_of_operation(operation) +
                        "): " + error.message;
      }
      return error;
    }
    base = *std::move(changed);
  }
  return base;
}

support::Result<Session::Next> Session::load(Value base, const ChangeRequest& request) {
  Next next;
  next.types = types_;
  if (is_of_parameters(request)) {
    next.document = document_;
    if (set_live_parameters(base, request, types_, next.document, next.steps)) {
      next.base = std::move(base);
      return next;
    }
    next.steps.clear();
  }
  // What is made anew may be of a type that was.
  if (!request.anew.empty()) next.types = catalog_for(graph::to_json(base), registry_);
  auto loaded = load_document(base, next.types);
  if (!loaded.document) {
    std::string message = sentence_of(loaded.diagnostics);
    if (request.operations.size() == 1) {
      message = name_of_operation(request.operations[0]) + ": " + message;
    }
    return Error{ErrorCode::kInvalid, std::move(message)};
  }
  next.base = std::move(base);
  next.document = *std::move(loaded.document);
  take_over_sources(document_, next.document);
  next.steps = steps_between(document_, next.document, next.types);
  for (const graph::Switch& one : next.document.switches) {
    const graph::Switch* before = document_.find_switch(one.id);
    const bool is_taken = before && before->initial.name != one.initial.name;
    next.needs_connection |= is_taken && !one.find_route(one.initial.name);
  }
  return next;
}

// The step that the engine's or a plugin's sentence is about, in front of it.
std::string Session::name_step(const Next& next, const std::string& message) const {
  const std::string_view id = std::string_view(message).substr(0, message.find_first_of(":. "));
  for (const std::string& step : next.steps) {
    const size_t at = id.empty() ? std::string::npos : step.find(id);
    if (at == std::string::npos) continue;
    const size_t end = at + id.size();
    const auto is_edge_of_word = [](char c) { return c == ' ' || c == '.' || c == '>'; };
    if ((at == 0 || is_edge_of_word(step[at - 1])) &&
        (end == step.size() || is_edge_of_word(step[end]))) {
      return step + ": " + message;
    }
  }
  return next.steps.size() == 1 ? next.steps[0] + ": " + message : message;
}

// For whoever meant another route than the one of any name that could not be taken.
std::string Session::name_routes(const Next& next) const {
  for (const graph::Switch& one : next.document.switches) {
    if (!next.needs_connection || one.find_route(one.initial.name)) continue;
    std::vector<std::string_view> names;
    for (const graph::Route& route : one.routes) names.push_back(route.name);
    if (names.empty()) return {};
    const std::string near = support::nearest_name(one.initial.name, names);
    return near.empty() ? " There are the routes " + support::joined(names, "and") + "."
                        : " Did you mean the route " + near + "?";
  }
  return {};
}

void Session::fail(Pending& pending, Error error) {
  ChangeResult result;
  result.status = std::move(error);
  result.version = version_;
  if (pending.done) pending.done(result);
}

bool Session::is_closing(const std::string& id) const {
  const auto is_it = [&](const auto& node) { return node.settings.id == id; };
  return std::any_of(closing_.begin(), closing_.end(),
                     [&](const auto& closing) { return closing.second == id; }) ||
         std::any_of(unwanted_.begin(), unwanted_.end(), is_it);
}

// Takes up a change. False: it has to wait for what an earlier one is closing.
bool Session::begin(Pending& pending) {
  const ChangeRequest& request = pending.request;
  if (request.if_version && *request.if_version != version_) {
    fail(pending, {ErrorCode::kState, "The graph has changed meanwhile: it is at version " +
                                          std::to_string(version_) + ", not " +
                                          std::to_string(*request.if_version) + "."});
    return true;
  }
  auto base = changed_base(request);
  if (!base) {
    fail(pending, std::move(base).error());
    return true;
  }
  auto next = load(*std::move(base), request);
  if (!next) {
    fail(pending, std::move(next).error());
    return true;
  }
  if (auto called_back = request.anew.empty() ? call_back(*next) : std::nullopt;
      called_back && !request.is_dry_run) {
    warming_ = *std::move(called_back);
    warming_->next = *std::move(next);
    if (auto status = build_beside(*warming_); !status) {
      Warming failed = *std::move(warming_);
      warming_.reset();
      if (const auto anew = to_make_anew(failed); !anew.empty()) {
        return carry_out(pending, std::move(failed.next), anew);
      }
      fail(pending, std::move(status).error());
      return true;
    }
    warming_->pending = std::move(pending);
    commit();
    return true;
  }
  return carry_out(pending, *std::move(next), request.anew);
}

// `anew`: ids of nodes and keys of edges to be replaced whatever their settings.
bool Session::carry_out(Pending& pending, Next wanted, const std::set<std::string>& anew) {
  const ChangeRequest& request = pending.request;
  Next* const next = &wanted;
  auto plan = plan_change(nodes_, edges_, next->document, next->types, anew);
  if (!plan) {
    fail(pending, {plan.error().code, name_step(*next, plan.error().message)});
    return true;
  }
  const bool has_time = player_->engine().clock().now_ns() < pending.since_ns + kLongestClosingNs;
  if (has_time && !request.is_dry_run) {
    for (const std::string& id : plan->built) {
      const bool is_replaced =
          std::find(plan->replaced.begin(), plan->replaced.end(), id) != plan->replaced.end();
      if (!is_replaced && is_closing(id)) return false;
    }
  }
  if (request.is_dry_run) {
    Warming warming;
    warming.next = std::move(wanted);
    warming.plan = *std::move(plan);
    std::set<std::string> more;
    auto latency = foresee(warming, more);
    if (!latency) return carry_out_otherwise(pending, warming.next, anew, more, latency.error());
    Value told = to_json(warming.plan);
    told.set("latency", *std::move(latency));
    if (pending.done) pending.done({{}, version_, warming.next.steps, std::move(told)});
    return true;
  }
  if (!plan->is_structural()) {
    set_live(*plan);
    finish(pending, *next, *plan);
    return true;
  }
  Warming warming;
  warming.next = std::move(wanted);
  warming.plan = *std::move(plan);
  if (auto status = build_beside(warming); !status) {
    return carry_out_otherwise(pending, warming.next, anew, to_make_anew(warming), status.error());
  }
  warming.pending = std::move(pending);
  warming_ = std::move(warming);
  player_->engine().set_watched(true);
  return true;
}

// With more made anew, where that helps against the error.
bool Session::carry_out_otherwise(Pending& pending, Next& wanted, const std::set<std::string>& anew,
                                  std::set<std::string> more, const Error& error) {
  more.insert(anew.begin(), anew.end());
  if (more.size() > anew.size()) return carry_out(pending, std::move(wanted), more);
  fail(pending, {error.code, name_step(wanted, error.message)});
  return true;
}

// What stood in the way of the change and can be made anew with it.
std::set<std::string> Session::to_make_anew(const Warming& warming) const {
  const auto& misplaced = warming.built.misplaced;
  std::set<std::string> anew(misplaced.begin(), misplaced.end());
  for (const engine::Edge* edge : player_->engine().too_early()) {
    for (const PlannedEdge& planned : edges_) {
      if (planned.hops.back() == edge) anew.insert(planned.edge.key());
    }
  }
  // What is to be read by more than its buffer was made for, if nobody can tell.
  const std::string& small = player_->engine().too_small();
  const bool is_filter = std::any_of(nodes_.begin(), nodes_.end(), [&](const RunningNode& node) {
    return node.settings.id == small && node.planned.node->is_passive() &&
           !node.planned.is_inserted;
  });
  if (anew.empty() && is_filter) anew.insert(small);
  return anew;
}

void Session::finish(Pending& pending, const Next& next, const ChangePlan& plan) {
  if (pending.request.is_undo) {
    history_.pop_back();
  } else if (pending.request.anew.empty()) {
    history_.push_back(std::move(base_));
    if (history_.size() > kMostHistory) history_.erase(history_.begin());
  }
  base_ = next.base;
  document_ = next.document;
  types_ = next.types;
  std::unordered_map<std::string_view, const graph::Node*> settings;
  for (const graph::Node& node : document_.nodes) settings.emplace(node.id, &node);
  for (RunningNode& node : nodes_) {
    const auto found = settings.find(node.settings.id);
    if (found != settings.end()) node.settings = *found->second;
  }
  std::map<std::string, graph::Edge> wanted;
  for (graph::Edge& edge : document_.active_edges()) wanted.emplace(edge.key(), std::move(edge));
  for (PlannedEdge& edge : edges_) {
    const auto found = wanted.find(edge.edge.key());
    if (found != wanted.end()) edge.edge = found->second;
  }
  ++version_;
  if (pending.request.carried_out) pending.request.carried_out();
  const ChangeResult result{{}, version_, next.steps, to_json(plan)};
  if (pending.done) pending.done(result);
  for (const Listener& listener : listeners_) listener(pending.request, result);
}

void Session::tend() {
  tend_retired();
  for (;;) {
    if (warming_) {
      bool is_ready = false;
      if (auto error = warm_up(is_ready)) {
        Pending pending = std::move(warming_->pending);
        const std::string sentence =
            name_step(warming_->next, error->message) + name_routes(warming_->next);
        roll_back();
        fail(pending, {error->code, sentence});
      } else if (is_ready) {
        commit();
      } else {
        return;
      }
    }
    if (queue_.empty()) return;
    Pending pending = std::move(queue_.front());
    queue_.pop_front();
    if (!begin(pending)) {
      queue_.push_front(std::move(pending));
      return;
    }
  }
}

}  // namespace sluice::session
