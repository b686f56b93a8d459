#include "host/graph/schema.hpp"

#include <utility>

#include "host/graph/document.hpp"
#include "host/graph/typed_value.hpp"

namespace sluice::graph {
namespace {

constexpr const char* kIdPattern = "^[a-z][a-z0-9_-]*$";
// A text that is one variable, which may be of any kind.
constexpr const char* kVariablePattern = "^\\$\\{[^}]*\\}$";

Value object(std::initializer_list<Member> members) { return Value::Object(members); }

Value reference(const char* name) {
  return object({{"$ref", std::string("#/definitions/") + name}});
}

// Adds "or a variable" to a schema that takes no text anyway.
Value or_variable(Value schema) {
  Value either = Value::array();
  either.push_back(std::move(schema));
  either.push_back(reference("variable"));
  return object({{"anyOf", std::move(either)}});
}

void add_range(Value& schema, const Parameter& parameter) {
  if (parameter.minimum) schema.set("minimum", *parameter.minimum);
  if (parameter.maximum) schema.set("maximum", *parameter.maximum);
}

Value list_of(Value items) { return object({{"type", "array"}, {"items", std::move(items)}}); }

Value kind_schema(const Parameter& parameter) {
  switch (parameter.kind) {
    case ParameterKind::kNumber:
    case ParameterKind::kInteger: {
      Value schema =
          object({{"type", parameter.kind == ParameterKind::kNumber ? "number" : "integer"}});
      add_range(schema, parameter);
      return or_variable(std::move(schema));
    }
    case ParameterKind::kBoolean:
      return or_variable(object({{"type", "boolean"}}));
    case ParameterKind::kText:
      return object({{"type", "string"}});
    case ParameterKind::kChoice: {
      Value choices = Value::array();
      for (const std::string& choice : parameter.choices) choices.push_back(choice);
      return or_variable(object({{"enum", std::move(choices)}}));
    }
    case ParameterKind::kList:
    case ParameterKind::kMatrix: {
      Value item = object({{"type", "number"}});
      add_range(item, parameter);
      item = or_variable(std::move(item));
      return or_variable(parameter.kind == ParameterKind::kList
                             ? list_of(std::move(item))
                             : list_of(list_of(std::move(item))));
    }
  }
  return {};
}

std::string described(const Parameter& parameter) {
  std::string text = parameter.description;
  const auto add = [&text](const std::string& more) { text += (text.empty() ? "" : " ") + more; };
  if (parameter.kind != ParameterKind::kChoice && parameter.kind != ParameterKind::kBoolean) {
    const std::string range = allowed_range(parameter);
    if (!range.empty()) {
      add("Range: " + range + ".");
    } else if (!parameter.unit.empty()) {
      add("Unit: " + parameter.unit + ".");
    }
  }
  if (parameter.live) add("May change while running.");
  if (parameter.secret) add("Secret: use ${env:NAME} or ${file:PATH}.");
  return text;
}

Value parameter_schema(const Parameter& parameter) {
  Value schema = kind_schema(parameter);
  if (const std::string text = described(parameter); !text.empty()) {
    schema.set("description", text);
  }
  if (!parameter.required) schema.set("default", to_value(default_value(parameter)));
  return schema;
}

Value properties_of(const std::vector<Parameter>& parameters) {
  Value properties = Value::object();
  for (const Parameter& parameter : parameters) {
    properties.set(parameter.key, parameter_schema(parameter));
  }
  return properties;
}

// The host's options have no default of their own: left out means undecided.
Value option_properties(const std::vector<Parameter>& parameters) {
  Value properties = Value::object();
  for (const Parameter& parameter : parameters) {
    Value schema = kind_schema(parameter);
    schema.set("description", described(parameter));
    properties.set(parameter.key, std::move(schema));
  }
  return properties;
}

std::string type_text(const NodeType& type) {
  return type.name.empty() ? type.description : type.name + ": " + type.description;
}

Value type_ids(const Catalog& catalog) {
  Value types = Value::array();
  for (const NodeType& type : catalog.types()) {
    types.push_back(object({{"const", type.id}, {"description", type_text(type)}}));
  }
  // A graph may name types of plugins that were not there when this was made.
  types.push_back(object({{"type", "string"}, {"pattern", "^[a-z0-9][a-z0-9_.-]*(/[!-~]+)?$"}}));
  return object({{"anyOf", std::move(types)}});
}

Value params_of(const NodeType& type) {
  Value params = object({{"type", "object"},
                         {"properties", properties_of(type.parameters)},
                         {"additionalProperties", false}});
  return params;
}

Value node_schema(const Catalog& catalog) {
  Value properties =
      object({{"type", reference("type")}, {"params", object({{"type", "object"}})}});
  Value options = option_properties(node_parameters());
  for (Member& member : options.members()) {
    properties.set(member.key, std::move(member.value));
  }
  Value rules = Value::array();
  for (const NodeType& type : catalog.types()) {
    Value condition = object({{"properties", object({{"type", object({{"const", type.id}})}})},
                              {"required", Value::Array{"type"}}});
    Value consequence =
        object({{"properties", object({{"params", reference(("params of " + type.id).c_str())}})}});
    rules.push_back(object({{"if", std::move(condition)}, {"then", std::move(consequence)}}));
  }
  Value full = object({{"type", "object"},
                       {"properties", std::move(properties)},
                       {"required", Value::Array{"type"}},
                       {"additionalProperties", false}});
  if (!rules.elements().empty()) full.set("allOf", std::move(rules));
  return object({{"description", "A node: the name of its type, or an object."},
                 {"if", object({{"type", "string"}})},
                 {"then", reference("type")},
                 {"else", std::move(full)}});
}

Value edge_schema() {
  Value properties =
      object({{"from", object({{"type", "string"}, {"description", "NODE or NODE.PORT"}})},
              {"to", object({{"type", "string"}, {"description", "NODE or NODE.PORT"}})}});
  Value options = option_properties(edge_parameters());
  for (Member& member : options.members()) {
    properties.set(member.key, std::move(member.value));
  }
  Value chain = object({{"type", "string"},
                        {"pattern", "->"},
                        {"description", "\"a -> b.in -> c\": one edge for each arrow."}});
  Value full = object({{"type", "object"},
                       {"properties", std::move(properties)},
                       {"required", Value::Array{"from", "to"}},
                       {"additionalProperties", false}});
  return object({{"if", object({{"type", "string"}})},
                 {"then", std::move(chain)},
                 {"else", std::move(full)}});
}

Value edges_schema() {
  Value options = object({{"type", "object"},
                          {"properties", option_properties(edge_parameters())},
                          {"additionalProperties", false}});
  Value keyed = object({{"type", "object"},
                        {"propertyNames", object({{"pattern", "->"}})},
                        {"additionalProperties", std::move(options)}});
  return object({{"description", "Which output feeds which input."},
                 {"if", object({{"type", "array"}})},
                 {"then", list_of(reference("edge"))},
                 {"else", std::move(keyed)}});
}

Value settings_schema() {
  return object({{"description", "Parameters to change: \"NODE.PARAMETER\": VALUE."},
                 {"type", "object"},
                 {"propertyNames", object({{"pattern", "\\."}})}});
}

Value route_schema() {
  Value properties = object({{"edges", reference("edges")}, {"set", reference("settings")}});
  Value options = option_properties(route_parameters());
  for (Member& member : options.members()) {
    properties.set(member.key, std::move(member.value));
  }
  Value full = object(
      {{"type", "object"}, {"properties", std::move(properties)}, {"additionalProperties", false}});
  return object({{"description", "Edges that are switched as one, by the name of the route."},
                 {"if", object({{"type", "array"}})},
                 {"then", list_of(reference("edge"))},
                 {"else", std::move(full)}});
}

Value routes_schema() {
  return object({{"description",
                  "Routes by name; \"*\" stands for every other name, which is ${route} in it."},
                 {"type", "object"},
                 {"additionalProperties", reference("route")}});
}

Value by_id(Value schema, const char* description) {
  return object({{"description", description},
                 {"type", "object"},
                 {"propertyNames", object({{"pattern", kIdPattern}})},
                 {"additionalProperties", std::move(schema)}});
}

Value switch_schema() {
  return object(
      {{"type", "object"},
       {"properties",
        object({{"routes", reference("routes")},
                {"initial", object({{"type", "string"},
                                    {"description", "The route that is taken at the start."}})}})},
       {"required", Value::Array{"routes"}},
       {"additionalProperties", false}});
}

Value profile_schema() {
  Value route = object({{"description", "The route at the start; by switch if there are several."},
                        {"type", Value::Array{"string", "object"}}});
  return object({{"type", "object"},
                 {"properties", object({{"vars", object({{"type", "object"}})},
                                        {"set", reference("settings")},
                                        {"route", std::move(route)}})},
                 {"additionalProperties", false}});
}

Value graph_properties() {
  const auto text = [](const char* description) {
    return object({{"type", "string"}, {"description", description}});
  };
  Value properties = Value::object();
  properties.set("$schema", text("Where this schema is, for editors."));
  properties.set("sluice", object({{"const", 1}, {"description", "Version of the format."}}));
  properties.set("name", text("Name of the graph; the file's if left out."));
  properties.set("description", text("What the graph does."));
  properties.set("vars", object({{"type", "object"},
                                 {"description", "Variables: ${name} in any text below."}}));
  properties.set("nodes", by_id(reference("node"), "Nodes by id."));
  properties.set("edges", reference("edges"));
  properties.set("routes", reference("routes"));
  properties.set("route", text("The route that is taken at the start."));
  properties.set("switches", by_id(reference("switch"), "Switches by id."));
  properties.set("profiles",
                 object({{"type", "object"},
                         {"description", "Sets of variables, settings and routes, by name."},
                         {"additionalProperties", reference("profile")}}));
  Value include = list_of(object({{"type", "string"}}));
  include.set("description", "Graph files that belong to this one, relative to it.");
  properties.set("include", std::move(include));
  properties.set("latency_budget_ms",
                 option_properties({latency_budget_parameter()}).members().front().value);
  return properties;
}

}  // namespace

Value graph_schema(const Catalog& catalog) {
  Value definitions =
      object({{"variable", object({{"type", "string"},
                                   {"pattern", kVariablePattern},
                                   {"description", "${name}, ${env:NAME} or ${file:PATH}."}})},
              {"type", type_ids(catalog)},
              {"node", node_schema(catalog)},
              {"edge", edge_schema()},
              {"edges", edges_schema()},
              {"settings", settings_schema()},
              {"route", route_schema()},
              {"routes", routes_schema()},
              {"switch", switch_schema()},
              {"profile", profile_schema()}});
  for (const NodeType& type : catalog.types()) {
    definitions.set("params of " + type.id, params_of(type));
  }
  return object({{"$schema", "http://json-schema.org/draft-07/schema#"},
                 {"title", "A graph for Sluice"},
                 {"type", "object"},
                 {"properties", graph_properties()},
                 {"required", Value::Array{"sluice", "nodes"}},
                 {"additionalProperties", false},
                 {"definitions", std::move(definitions)}});
}

}  // namespace sluice::graph
