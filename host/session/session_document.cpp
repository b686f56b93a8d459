// How a Session makes the document that a change asks for, and says what differs.
#include <algorithm>
#include <string_view>
#include <utility>

#include "host/graph/diff.hpp"
#include "host/graph/rewire.hpp"
#include "host/session/edits.hpp"
#include "host/session/plugin_catalog.hpp"
#include "host/session/session.hpp"
#include "host/support/nearest_name.hpp"

namespace sluice::session {
namespace {

using graph::Value;
using support::Error;
using support::ErrorCode;

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

// Nothing but operations, each of one of these kinds.
bool is_of(const ChangeRequest& request, std::initializer_list<std::string_view> kinds) {
  if (request.operations.empty() || request.is_undo || request.patch || request.document ||
      !request.anew.empty()) {
    return false;
  }
  return std::all_of(request.operations.begin(), request.operations.end(), [&](const Value& one) {
    const Value* op = one.is_object() ? one.find("op") : nullptr;
    return op && op->is_text() && std::find(kinds.begin(), kinds.end(), op->text()) != kinds.end();
  });
}

bool is_of_parameters(const ChangeRequest& request) {
  return is_of(request, {"set"}) &&
         std::all_of(request.operations.begin(), request.operations.end(), [](const Value& one) {
           const Value* target = one.find("target");
           return target && target->is_text();
         });
}

bool is_of_edges(const ChangeRequest& request) { return is_of(request, {"connect", "disconnect"}); }

// The keys that the second has more, and less, than the first. False unless what both have stands
// unchanged at the beginning of the second.
bool find_difference(const Value* before, const Value* after, std::vector<std::string>& added,
                     std::vector<std::string>& removed) {
  if (!before || !after || !before->is_object() || !after->is_object()) return false;
  auto at = after->members().begin();
  for (const graph::Member& member : before->members()) {
    if (at != after->members().end() && *at == member) {
      ++at;
    } else {
      removed.push_back(member.key);
    }
  }
  for (; at != after->members().end(); ++at) added.push_back(at->key);
  // One that was taken out and put back may have lost its options, and its place.
  return std::none_of(removed.begin(), removed.end(),
                      [&](const std::string& key) { return after->find(key) != nullptr; });
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

graph::LoadResult Session::load_document(const Value& base, Types& types) const {
  const std::string text = graph::to_json(base);
  graph::LoadOptions options;
  options.needs_inputs = false;
  graph::LoadResult loaded = graph::load_text(text, document_.file, *types, options);
  if (loaded.document) return loaded;
  types = std::make_shared<const graph::Catalog>(catalog_for(text, registry_));
  loaded = graph::load_text(text, document_.file, *types, options);
  if (loaded.document) return loaded;
  types = std::make_shared<const graph::Catalog>(full_catalog(registry_));
  return graph::load_text(text, document_.file, *types, options);
}

// What nothing but permanent edges without options comes to is put into the document without
// reading `base` again. False if it is more than that, or not right, which reading it explains.
bool Session::rewire(const Value& base, const ChangeRequest& request, Next& next) const {
  const bool has_options =
      std::any_of(request.operations.begin(), request.operations.end(),
                  [](const Value& operation) { return operation.find("options") != nullptr; });
  const Value* routes_before = base_.find("switches");
  const Value* routes_after = base.find("switches");
  const bool has_routed = (routes_before == nullptr) != (routes_after == nullptr) ||
                          (routes_before && !(*routes_before == *routes_after));
  if (has_options || has_routed) return false;
  const Value* before = base_.find("edges");
  const Value* after = base.find("edges");
  std::vector<std::string> added, removed;
  if (!find_difference(before, after, added, removed)) return false;
  next.document = document_;
  if (!graph::rewire(next.document, *types_, added, removed)) return false;
  for (const std::string& key : added) next.steps.push_back("connect " + key);
  for (const std::string& key : removed) next.steps.push_back("disconnect " + key);
  return true;
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
  if (request.patch) return apply_patch(base_, *types_, *request.patch);
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
    if (type && type->is_text() && !types_->find(type->text())) {
      types_ = std::make_shared<const graph::Catalog>(full_catalog(registry_));
    }
    auto changed = apply_operation(std::move(base), *types_, operation);
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
    if (set_live_parameters(base, request, *types_, next.document, next.steps)) {
      next.base = std::move(base);
      return next;
    }
    next.steps.clear();
  }
  if (is_of_edges(request) && rewire(base, request, next)) {
    next.base = std::move(base);
    return next;
  }
  // What is made anew may be of a type that was.
  if (!request.anew.empty()) {
    next.types =
        std::make_shared<const graph::Catalog>(catalog_for(graph::to_json(base), registry_));
  }
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
  next.steps = steps_between(document_, next.document, *next.types);
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

}  // namespace sluice::session
