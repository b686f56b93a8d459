#include "host/graph/route_reader.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "host/graph/setting_reader.hpp"
#include "host/graph/shown.hpp"
#include "host/graph/typed_value.hpp"

namespace sluice::graph {
namespace {

bool has_mark(const Value& value) {
  if (value.is_text()) return value.text().find(kRouteMark) != std::string::npos;
  if (!value.is_array()) return false;
  return std::any_of(value.elements().begin(), value.elements().end(), has_mark);
}

bool has_mark(const RawEdge& edge) {
  return std::any_of(edge.texts.begin(), edge.texts.end(),
                     [](const RawValue& text) { return has_mark(text.value); }) ||
         std::any_of(edge.options.begin(), edge.options.end(),
                     [](const RawMember& option) { return has_mark(option.value.value); });
}

void put_name(Value& value, const std::string& name) {
  if (value.is_text()) {
    std::string text;
    for (const char c : value.text()) {
      if (c == kRouteMark) {
        text += name;
      } else {
        text += c;
      }
    }
    value = std::move(text);
  } else if (value.is_array()) {
    for (Value& element : value.elements()) put_name(element, name);
  }
}

template <typename Visit>
void for_each_edge_value(RawRoute& route, const Visit& visit) {
  for (RawEdge& edge : route.edges) {
    for (RawValue& text : edge.texts) visit(text);
    for (RawMember& option : edge.options) visit(option.value);
  }
}

// A path that begins with the route's name stays as it is: the name may be a whole path.
void make_absolute(RawValue& value) {
  if (!value.value.is_text() || value.value.text().empty()) return;
  const std::string& path = value.value.text();
  if (path[0] == kRouteMark || path[0] == '/') return;
  value.value = (value.source->folder() / path).lexically_normal().string();
}

}  // namespace

RawRoute put_name(const RouteTemplate& route_template, const std::string& name) {
  RawRoute route = route_template.route;
  route.name = name;
  for_each_edge_value(route, [&name](RawValue& value) { put_name(value.value, name); });
  for (RawMember& member : route.set) put_name(member.value.value, name);
  return route;
}

Route RouteReader::read(const RawRoute& raw) {
  expander_.set_route(raw.name);
  Route route;
  route.name = raw.name;
  route.at = raw.at;
  std::map<std::string, Location> seen;
  EdgeReader edges(nodes_, expander_, report_, doubts_);
  for (const RawEdge& raw_edge : raw.edges) {
    for (Edge& edge : edges.read(raw_edge)) {
      const auto [first, fresh] = seen.emplace(edge.key(), edge.at);
      if (fresh) {
        route.edges.push_back(std::move(edge));
      } else {
        report_.error(edge.at, "the edge " + edge.key() + " is there already, at line " +
                                   std::to_string(first->second.line) + ", column " +
                                   std::to_string(first->second.column) + "; remove one of them");
      }
    }
  }
  if (raw.align) {
    if (const auto expanded = expander_.expand(*raw.align)) {
      const auto value =
          typed_value(route_parameters().front(), *expanded, raw.align->at, false, report_);
      route.align = value && std::get<bool>(*value);
    }
  }
  SettingReader settings(nodes_, expander_, check_files_, report_);
  for (const RawMember& member : raw.set) {
    if (auto setting = settings.read({member.key, member.key_at, {}}, member.value)) {
      route.settings.push_back(std::move(*setting));
    }
  }
  expander_.set_route({});
  return route;
}

RouteTemplate RouteReader::read_template(const RawRoute& raw, std::vector<Edge>& edges) {
  RouteTemplate result{raw, {}};
  expander_.set_route(std::string(1, kRouteMark));
  bool good = true;
  SettingReader settings(nodes_, expander_, check_files_, report_);
  const auto put_variables = [&](RawValue& value) {
    auto expanded = expander_.expand(value);
    good = good && expanded;
    if (!expanded) return std::string();
    value.value = std::move(expanded->value);
    value.loose = expanded->loose;
    value.literal = true;
    // The folder that a relative path starts at is what is still needed of the source.
    value.source = std::make_shared<SourceText>(value.at.file, expanded->folder, "");
    value.json.reset();
    value.quote.reset();
    value.offsets.clear();
    return expanded->outside_source;
  };
  for_each_edge_value(result.route, put_variables);
  if (result.route.align) put_variables(*result.route.align);
  for (RawMember& member : result.route.set) {
    std::string node;
    const Parameter* parameter = settings.find({member.key, member.key_at, {}}, node);
    const std::string source = put_variables(member.value);
    if (parameter == nullptr) continue;
    if (parameter->secret) result.secrets.emplace(member.key, source);
    if (parameter->path != PathUse::kNone) make_absolute(member.value);
  }
  if (good) {
    RawRoute plain = result.route;
    std::erase_if(plain.edges, [](const RawEdge& edge) { return has_mark(edge); });
    std::erase_if(plain.set, [](const RawMember& member) { return has_mark(member.value.value); });
    edges = read(plain).edges;
  }
  expander_.set_route({});
  return result;
}

}  // namespace sluice::graph
