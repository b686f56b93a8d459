#include "host/session/edits.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "host/graph/json_text.hpp"
#include "host/graph/load.hpp"
#include "host/support/nearest_name.hpp"

namespace sluice::session {
namespace {

using graph::Value;
using support::Error;
using support::ErrorCode;
using support::Result;

Error invalid(std::string sentence) { return {ErrorCode::kInvalid, std::move(sentence)}; }

Value* find(Value& object, std::string_view key) {
  return const_cast<Value*>(std::as_const(object).find(key));
}

void erase(Value& object, std::string_view key) {
  std::erase_if(object.members(), [&](const graph::Member& member) { return member.key == key; });
}

// The member's text; empty if it has none.
std::string text_of(const Value& operation, std::string_view key) {
  const Value* value = operation.find(key);
  return value && value->is_text() ? value->text() : std::string();
}

// The base's nodes with their types, which is all that looking up names in it takes. With `text`
// those alone whose ids occur in it.
graph::Document skeleton(const Value& base, const std::string* text = nullptr) {
  graph::Document document;
  if (const Value* nodes = base.find("nodes"); nodes && nodes->is_object()) {
    for (const graph::Member& member : nodes->members()) {
      if (text && text->find(member.key) == std::string::npos) continue;
      graph::Node& node = document.nodes.emplace_back();
      node.id = member.key;
      node.type = member.value.is_text() ? member.value.text() : text_of(member.value, "type");
    }
  }
  return document;
}

// The end of a sentence about a name that is not there.
std::string did_you_mean(const std::string& name, const std::vector<std::string_view>& names) {
  const std::string help = support::did_you_mean(name, names);
  return help.empty() ? "." : help;
}

Error no_node(const graph::Document& document, const std::string& id) {
  std::vector<std::string_view> names;
  for (const graph::Node& node : document.nodes) names.push_back(node.id);
  return {ErrorCode::kNotFound, "There is no node " + id + did_you_mean(id, names)};
}

// Where the edge stands: the permanent ones, or a route of a switch that is taken, else any route.
struct EdgePlace {
  Value* edges = nullptr;
  bool is_permanent = true;
};

EdgePlace place_of(Value& base, const std::string& key) {
  Value* edges = find(base, "edges");
  if (edges && edges->find(key)) return {edges, true};
  Value* switches = find(base, "switches");
  if (!switches) return {};
  EdgePlace any;
  for (graph::Member& one : switches->members()) {
    const std::string initial = text_of(one.value, "initial");
    Value* routes = find(one.value, "routes");
    if (!routes) continue;
    for (graph::Member& route : routes->members()) {
      Value* of_route = find(route.value, "edges");
      if (!of_route || !of_route->is_object() || !of_route->find(key)) continue;
      if (route.key == initial) return {of_route, false};
      any = {of_route, false};
    }
  }
  return any;
}

// A value given as text where its parameter is of another kind.
Result<Value> typed(const graph::Parameter& parameter, const Value& value) {
  const bool is_texty = parameter.kind == graph::ParameterKind::kText ||
                        parameter.kind == graph::ParameterKind::kChoice;
  if (!value.is_text() || is_texty) return value;
  auto parsed = graph::parse_value(parameter, value.text());
  if (!parsed) return invalid(parameter.key + " " + parsed.error().message + ".");
  return graph::to_value(*parsed);
}

Result<Value> set_parameter(Value base, const graph::Catalog& types, const std::string& target,
                            const Value& value) {
  const size_t dot = target.rfind('.');
  if (dot == std::string::npos) {
    return invalid("A parameter is written NODE.PARAMETER, not \"" + target + "\".");
  }
  const std::string id = target.substr(0, dot);
  const std::string key = target.substr(dot + 1);
  const graph::Document document = skeleton(base);
  const graph::Node* node = document.find_node(id);
  if (!node) return no_node(document, id);
  const graph::NodeType* type = types.find(node->type);
  const graph::Parameter* parameter = type ? type->find_parameter(key) : nullptr;
  if (!parameter) {
    std::vector<std::string_view> names;
    if (type) {
      for (const graph::Parameter& one : type->parameters) names.push_back(one.key);
    }
    return Error{ErrorCode::kNotFound,
                 id + " (" + node->type + ") has no parameter " + key + did_you_mean(key, names)};
  }
  auto right = typed(*parameter, value);
  if (!right) return right;
  Value* params = find(*find(*find(base, "nodes"), id), "params");
  if (!params) params = &find(*find(base, "nodes"), id)->set("params", Value::object());
  params->set(key, *std::move(right));
  // A route that is taken and sets it has the last word, so it is that word which changes.
  if (Value* switches = find(base, "switches")) {
    for (graph::Member& one : switches->members()) {
      const std::string name = text_of(one.value, "initial");
      Value* routes = find(one.value, "routes");
      Value* taken = routes ? find(*routes, name) : nullptr;
      Value* any = routes && !taken ? find(*routes, "*") : nullptr;
      Value* set = taken || any ? find(taken ? *taken : *any, "set") : nullptr;
      if (!set || !set->find(target)) continue;
      if (any) {
        return Error{ErrorCode::kState, "The route " + name + " (\"*\" of " + one.key + ") sets " +
                                            target +
                                            "; take another route first, or change its \"set\" in "
                                            "the graph's file."};
      }
      set->set(target, *params->find(key));
    }
  }
  return base;
}

Result<std::string> key_of_edge(const Value& base, const graph::Catalog& types,
                                const std::string& ends) {
  auto edge = graph::parse_edge(skeleton(base, &ends), types, ends);
  // Whoever mistypes a name is told the nearest of all.
  if (!edge) edge = graph::parse_edge(skeleton(base), types, ends);
  if (!edge) return std::move(edge).error();
  return edge->key();
}

Result<Value> set_option(Value base, const graph::Catalog& types, const std::string& target,
                         const Value& value) {
  const size_t colon = target.rfind(':');
  if (colon == std::string::npos) {
    return invalid("An option of an edge is written \"a.out->b.in:gain_db\".");
  }
  auto key = key_of_edge(base, types, target.substr(0, colon));
  if (!key) return std::move(key).error();
  const EdgePlace place = place_of(base, *key);
  if (!place.edges) return Error{ErrorCode::kNotFound, "There is no edge " + *key + "."};
  Value right = value;
  if (value.is_text()) {
    if (auto parsed = graph::parse_json_value(value.text())) right = *parsed;
  }
  find(*place.edges, *key)->set(target.substr(colon + 1), std::move(right));
  return base;
}

Result<Value> take_route(Value base, const Value& operation) {
  Value* switches = find(base, "switches");
  if (!switches || switches->members().empty()) {
    return Error{ErrorCode::kNotFound, "The graph has no routes."};
  }
  const std::string route = text_of(operation, "route");
  if (route.empty()) return invalid("Say which route.");
  std::string id = text_of(operation, "switch");
  if (id.empty() && switches->members().size() == 1) id = switches->members()[0].key;
  if (id.empty()) id = "main";
  Value* one = find(*switches, id);
  if (!one) {
    std::vector<std::string_view> names;
    for (const graph::Member& member : switches->members()) names.push_back(member.key);
    return Error{ErrorCode::kNotFound,
                 "There is no switch " + id + "; there are " + support::joined(names, "and") + "."};
  }
  one->set("initial", route);
  return base;
}

std::vector<std::string> stops_of(const std::string& chain) {
  std::vector<std::string> stops;
  for (size_t at = 0; at <= chain.size();) {
    const size_t arrow = std::min(chain.find("->", at), chain.size());
    std::string stop = chain.substr(at, arrow - at);
    stop.erase(0, stop.find_first_not_of(' '));
    stop.erase(stop.find_last_not_of(' ') + 1);
    stops.push_back(stop);
    at = arrow + 2;
  }
  return stops;
}

// In the middle of a chain a named port is the one of its direction.
Result<std::string> key_of_link(const Value& base, const graph::Catalog& types,
                                const std::vector<std::string>& stops, size_t index) {
  const auto bare = [](const std::string& stop) { return stop.substr(0, stop.find('.')); };
  std::optional<Error> first;
  for (const std::string& from : {stops[index], bare(stops[index])}) {
    for (const std::string& to : {stops[index + 1], bare(stops[index + 1])}) {
      auto key = key_of_edge(base, types, from + " -> " + to);
      if (key) return key;
      if (!first) first = key.error();
      if (index + 2 == stops.size()) break;
    }
    if (index == 0) break;
  }
  return *std::move(first);
}

Result<Value> connect(Value base, const graph::Catalog& types, const std::string& chain,
                      const Value* options) {
  const std::vector<std::string> stops = stops_of(chain);
  if (stops.size() < 2) return invalid("An edge is written \"a -> b\", not \"" + chain + "\".");
  Value* edges = find(base, "edges");
  if (!edges) edges = &base.set("edges", Value::object());
  for (size_t i = 0; i + 1 < stops.size(); ++i) {
    auto key = key_of_link(base, types, stops, i);
    if (!key) return std::move(key).error();
    if (edges->find(*key)) {
      return Error{ErrorCode::kState, "The edge " + *key + " is there already."};
    }
    if (place_of(base, *key).edges) {
      return Error{ErrorCode::kState,
                   "The edge " + *key +
                       " belongs to a route: take that route, or 'disconnect' it "
                       "first, which takes it out of the route."};
    }
    edges->members().push_back({*key, options ? *options : Value::object()});
  }
  return base;
}

Result<Value> disconnect(Value base, const graph::Catalog& types, const std::string& ends) {
  auto key = key_of_edge(base, types, ends);
  if (!key) return std::move(key).error();
  const EdgePlace place = place_of(base, *key);
  if (!place.edges) {
    return Error{ErrorCode::kNotFound,
                 "There is no edge " + *key + " to take out; one of a \"*\" route goes with it."};
  }
  erase(*place.edges, *key);
  return base;
}

Result<Value> add(Value base, const graph::Catalog& types, const Value& operation) {
  const std::string id = text_of(operation, "id");
  const Value* wanted = operation.find("node");
  if (id.empty() || !wanted) return invalid("To add a node takes its \"id\" and \"node\".");
  Value* nodes = find(base, "nodes");
  if (!nodes) nodes = &base.set("nodes", Value::object());
  if (nodes->find(id)) return Error{ErrorCode::kState, "There is a node " + id + " already."};
  Value node = *wanted;
  if (node.is_text()) {
    node = Value::object();
    node.set("type", wanted->text());
  }
  if (!node.is_object()) return invalid("\"node\" is an object, or the name of a type.");
  const graph::NodeType* type = types.find(text_of(node, "type"));
  Value* params = find(node, "params");
  if (type && params && params->is_object()) {
    for (graph::Member& member : params->members()) {
      const graph::Parameter* parameter = type->find_parameter(member.key);
      if (!parameter) continue;
      auto right = typed(*parameter, member.value);
      if (!right) return right;
      member.value = *std::move(right);
    }
  }
  nodes->members().push_back({id, std::move(node)});
  const Value* edges = operation.find("edges");
  if (!edges) return base;
  if (!edges->is_array()) return invalid("\"edges\" is a list of texts like \"a -> b\".");
  for (const Value& chain : edges->elements()) {
    if (!chain.is_text()) return invalid("\"edges\" is a list of texts like \"a -> b\".");
    auto changed = connect(std::move(base), types, chain.text(), nullptr);
    if (!changed) return changed;
    base = *std::move(changed);
  }
  return base;
}

bool touches(const std::string& key, const std::string& id) {
  return key.starts_with(id + ".") || key.find("->" + id + ".") != std::string::npos;
}

Result<Value> remove(Value base, const std::string& id) {
  Value* nodes = find(base, "nodes");
  if (!nodes || !nodes->find(id)) return no_node(skeleton(base), id);
  erase(*nodes, id);
  const auto clean = [&](Value* edges) {
    if (!edges || !edges->is_object()) return;
    std::erase_if(edges->members(),
                  [&](const graph::Member& member) { return touches(member.key, id); });
  };
  clean(find(base, "edges"));
  Value* switches = find(base, "switches");
  if (!switches) return base;
  for (graph::Member& one : switches->members()) {
    Value* routes = find(one.value, "routes");
    if (!routes) continue;
    for (graph::Member& route : routes->members()) {
      clean(find(route.value, "edges"));
      if (Value* set = find(route.value, "set")) {
        std::erase_if(set->members(), [&](const graph::Member& member) {
          return member.key.starts_with(id + ".");
        });
      }
    }
  }
  return base;
}

bool is_within(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

// Places of the base whose values nobody may see.
std::vector<std::string> secret_pointers(const Value& base, const graph::Catalog& types) {
  std::vector<std::string> found;
  for (const graph::Node& node : skeleton(base).nodes) {
    const graph::NodeType* type = types.find(node.type);
    if (!type) continue;
    for (const graph::Parameter& parameter : type->parameters) {
      if (parameter.secret) found.push_back("/nodes/" + node.id + "/params/" + parameter.key);
    }
  }
  return found;
}

}  // namespace

Result<Value> apply_operation(Value base, const graph::Catalog& types, const Value& operation) {
  if (!operation.is_object()) return invalid("An operation is an object with an \"op\".");
  const std::string op = text_of(operation, "op");
  if (op == "set") {
    const std::string target = text_of(operation, "target");
    const Value* value = operation.find("value");
    if (target.empty() || !value) return invalid("To set takes \"target\" and \"value\".");
    return target.find("->") == std::string::npos
               ? set_parameter(std::move(base), types, target, *value)
               : set_option(std::move(base), types, target, *value);
  }
  if (op == "route") return take_route(std::move(base), operation);
  if (op == "connect") {
    const Value* options = operation.find("options");
    if (options && !options->is_object()) return invalid("\"options\" is an object.");
    return connect(std::move(base), types, text_of(operation, "edge"), options);
  }
  if (op == "disconnect") return disconnect(std::move(base), types, text_of(operation, "edge"));
  if (op == "add") return add(std::move(base), types, operation);
  if (op == "remove") return remove(std::move(base), text_of(operation, "id"));
  return invalid("There is no operation \"" + op +
                 "\"; there are set, route, connect, disconnect, add and remove.");
}

Result<Value> apply_patch(const Value& base, const graph::Catalog& types, const Value& patch) {
  if (!patch.is_array()) return invalid("A patch is a list of operations (RFC 6902).");
  using Json = nlohmann::ordered_json;
  const std::vector<std::string> secrets = secret_pointers(base, types);
  Json document = Json::parse(graph::to_json(base), nullptr, false);
  for (size_t i = 0; i < patch.elements().size(); ++i) {
    const Value& operation = patch.elements()[i];
    const std::string name =
        "Operation " + std::to_string(i + 1) + " (" + name_of_operation(operation) + ")";
    const std::string op = text_of(operation, "op");
    const std::string read = op == "test" ? text_of(operation, "path") : text_of(operation, "from");
    for (const std::string& secret : secrets) {
      const bool is_read = is_within(read, secret) || (op == "test" && is_within(secret, read));
      if (!read.empty() && is_read) {
        return Error{ErrorCode::kPermission, name + " would read a secret; set it anew instead."};
      }
    }
    try {
      document = document.patch(Json::array({Json::parse(graph::to_json(operation))}));
    } catch (const Json::exception& exception) {
      // "[json.exception.out_of_range.403] key 'x' not found": what people need stands behind.
      const std::string_view what = exception.what();
      const size_t end = what.find("] ");
      return invalid(name + " cannot be done: " +
                     std::string(end == what.npos ? what : what.substr(end + 2)) + ".");
    }
  }
  auto result = graph::parse_json_value(document.dump());
  if (!result) return invalid("The patch makes no JSON of the graph.");
  return *std::move(result);
}

std::optional<ChainLink> find_link(const Value& base, const graph::Catalog& types,
                                   const std::string& chain, const std::string& key) {
  const std::vector<std::string> stops = stops_of(chain);
  const auto join = [&](size_t begin, size_t end) {
    std::string part;
    for (size_t i = begin; end - begin > 1 && i < end; ++i) {
      part += (part.empty() ? "" : " -> ") + stops[i];
    }
    return part;
  };
  for (size_t i = 0; i + 1 < stops.size(); ++i) {
    const auto there = key_of_link(base, types, stops, i);
    if (there && *there == key) return ChainLink{join(0, i + 1), join(i + 1, stops.size())};
  }
  return std::nullopt;
}

std::string name_of_operation(const Value& operation) {
  if (!operation.is_object()) return "no object";
  std::string name = text_of(operation, "op");
  if (name.empty()) name = "no \"op\"";
  for (const char* key : {"target", "switch", "route", "edge", "id", "from", "path"}) {
    if (const std::string text = text_of(operation, key); !text.empty()) name += " " + text;
  }
  return name;
}

}  // namespace sluice::session
