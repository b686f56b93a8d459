// Documents as JSON in their normal form; see document.hpp.
#include <utility>

#include "host/graph/document.hpp"
#include "host/graph/expander.hpp"
#include "host/graph/route_reader.hpp"

namespace sluice::graph {
namespace {

// Texts as they are read back: ${ is no variable, the route's mark is one.
Value readable(const Value& value) {
  if (value.is_text()) {
    std::string text;
    for (const char c : escaped(value.text())) {
      if (c == kRouteMark) {
        text += "${route}";
      } else {
        text += c;
      }
    }
    return text;
  }
  if (!value.is_array()) return value;
  Value all = Value::array();
  for (const Value& element : value.elements()) all.push_back(readable(element));
  return all;
}

Value shown_value(const ParameterValue& value, bool secret, const std::string& source,
                  Secrets secrets) {
  if (secret && secrets == Secrets::kHide) return source.empty() ? Value("***") : Value(source);
  return readable(to_value(value));
}

Value edges_json(const std::vector<Edge>& edges) {
  Value all = Value::object();
  for (const Edge& edge : edges) {
    all.members().push_back({edge.key(), to_normal_json(edge.options)});
  }
  return all;
}

Value route_json(const Route& route, Secrets secrets) {
  Value json = Value::object();
  json.set("edges", edges_json(route.edges));
  if (route.align) json.set("align", true);
  Value set = Value::object();
  for (const Setting& setting : route.settings) {
    set.set(setting.node + "." + setting.parameter,
            shown_value(setting.value, setting.secret, setting.secret_source, secrets));
  }
  if (!set.members().empty()) json.set("set", std::move(set));
  return json;
}

Value members_json(const std::vector<RawMember>& members) {
  Value json = Value::object();
  for (const RawMember& member : members) json.set(member.key, readable(member.value.value));
  return json;
}

// A "*" route keeps the form it was written in: its ends are not known yet.
Value template_json(const RouteTemplate& route_template, Secrets secrets) {
  const RawRoute& route = route_template.route;
  Value edges = Value::array();
  for (const RawEdge& edge : route.edges) {
    Value json = members_json(edge.options);
    if (edge.form == RawEdge::Form::kEnds) {
      json.set("from", readable(edge.texts[0].value));
      json.set("to", readable(edge.texts[1].value));
      edges.push_back(std::move(json));
    } else if (json.members().empty()) {
      edges.push_back(readable(edge.texts[0].value));
    } else {
      // A keyed edge names exactly two ends.
      const std::string& key = edge.texts[0].value.text();
      const std::size_t arrow = key.find("->");
      json.set("from", readable(key.substr(0, arrow)));
      json.set("to", readable(key.substr(arrow + 2)));
      edges.push_back(std::move(json));
    }
  }
  Value json = Value::object();
  json.set("edges", std::move(edges));
  if (route.align) json.set("align", readable(route.align->value));
  if (route.set.empty()) return json;
  Value& set = json.set("set", members_json(route.set));
  if (secrets == Secrets::kHide) {
    for (const auto& [key, source] : route_template.secrets) {
      set.set(key, source.empty() ? "***" : source);
    }
  }
  return json;
}

Value switch_json(const Switch& s, Secrets secrets) {
  Value routes = Value::object();
  for (const Route& route : s.routes) routes.set(route.name, route_json(route, secrets));
  if (s.any != nullptr) routes.set("*", template_json(*s.any, secrets));
  Value json = Value::object();
  json.set("routes", std::move(routes));
  json.set("initial", readable(s.initial.name));
  return json;
}

bool same_parameters(const Node& a, const Node& b) {
  if (a.parameters.size() != b.parameters.size()) return false;
  for (std::size_t i = 0; i < a.parameters.size(); ++i) {
    if (a.parameters[i].key != b.parameters[i].key ||
        a.parameters[i].value != b.parameters[i].value) {
      return false;
    }
  }
  return true;
}

}  // namespace

Value to_normal_json(const EdgeOptions& options) {
  Value json = Value::object();
  if (options.buffer_ms) json.set("buffer_ms", *options.buffer_ms);
  if (options.when_full) {
    json.set("when_full", options.when_full == WhenFull::kWait ? "wait" : "skip");
  }
  if (options.gain_db != 0) json.set("gain_db", options.gain_db);
  if (options.delay_ms != 0) json.set("delay_ms", options.delay_ms);
  if (options.pace) json.set("pace", true);
  return json;
}

Value to_normal_json(const Node& node, Secrets secrets) {
  Value json = Value::object();
  json.set("type", node.type);
  if (!node.description.empty()) json.set("description", readable(node.description));
  Value params = Value::object();
  for (const NodeParameter& parameter : node.parameters) {
    params.set(parameter.key,
               shown_value(parameter.value, parameter.secret, parameter.secret_source, secrets));
  }
  json.set("params", std::move(params));
  if (node.isolate) json.set("isolate", true);
  if (node.standby) json.set("standby", true);
  if (node.adapt == Adapt::kNever) json.set("adapt", "never");
  return json;
}

Value to_normal_json(const Document& document, Secrets secrets) {
  Value json = Value::object();
  json.set("sluice", 1);
  json.set("name", document.name);
  if (!document.description.empty()) json.set("description", readable(document.description));
  if (document.latency_budget_ms) json.set("latency_budget_ms", *document.latency_budget_ms);
  Value nodes = Value::object();
  for (const Node& node : document.nodes) {
    nodes.members().push_back({node.id, to_normal_json(node, secrets)});
  }
  json.set("nodes", std::move(nodes));
  json.set("edges", edges_json(document.edges));
  if (document.switches.empty()) return json;
  Value switches = Value::object();
  for (const Switch& s : document.switches) switches.set(s.id, switch_json(s, secrets));
  json.set("switches", std::move(switches));
  return json;
}

bool same_graph(const Document& a, const Document& b) {
  if (a.nodes.size() != b.nodes.size()) return false;
  for (std::size_t i = 0; i < a.nodes.size(); ++i) {
    if (a.nodes[i].dormant != b.nodes[i].dormant || !same_parameters(a.nodes[i], b.nodes[i])) {
      return false;
    }
  }
  return to_normal_json(a, Secrets::kReveal) == to_normal_json(b, Secrets::kReveal);
}

}  // namespace sluice::graph
