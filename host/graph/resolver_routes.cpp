// Switches, routes and settings; see resolver.hpp.
#include <algorithm>
#include <memory>
#include <utility>

#include "host/graph/nearest_name.hpp"
#include "host/graph/resolver.hpp"
#include "host/graph/route_reader.hpp"
#include "host/graph/shown.hpp"
#include "host/graph/typed_value.hpp"
#include "host/graph/utf8.hpp"

namespace sluice::graph {
namespace {

constexpr std::string_view kAnyRoute = "*";

std::vector<std::string_view> route_names(const RawSwitch& raw) {
  std::vector<std::string_view> names;
  for (const RawRoute& route : raw.routes) {
    if (route.name != kAnyRoute) names.push_back(route.name);
  }
  return names;
}

RawMember literal_member(std::string key, const Location& at, std::string text) {
  RawMember member{std::move(key), at, {}};
  member.value.value = std::move(text);
  member.value.at = at;
  member.value.literal = true;
  return member;
}

}  // namespace

RawMember Resolver::initial_route(const RawSwitch& raw) {
  if (raw.initial) return {raw.id, raw.initial->at, *raw.initial};
  for (const RawRoute& route : raw.routes) {
    if (route.name != kAnyRoute) return literal_member(raw.id, route.at, route.name);
  }
  return {raw.id, raw.at, {}};
}

void Resolver::choose_routes() {
  std::vector<std::string_view> ids;
  for (const RawSwitch& raw : raw_.switches) {
    ids.push_back(raw.id);
    chosen_.insert_or_assign(raw.id, initial_route(raw));
  }
  const auto choose = [&](const std::string& id, const RawMember& route) {
    const std::string only = ids.size() == 1 ? std::string(ids.front()) : "main";
    const auto chosen = chosen_.find(id.empty() ? only : id);
    if (chosen != chosen_.end()) {
      chosen->second = route;
      return;
    }
    std::string help = did_you_mean(id, ids);
    if (help.empty()) {
      help = ids.empty() ? "; the graph has none" : listed(ids);
    }
    report_.error(route.key_at, id.empty() ? "say which switch: \"SWITCH=ROUTE\"" + help
                                           : "there is no switch " + shown(id) + help);
  };
  if (profile_ != nullptr) {
    for (const RawMember& route : profile_->routes) {
      choose(route.key, route);
      const bool is_only = route.key.empty() && ids.size() == 1;
      document_.profile_switches.emplace_back(is_only             ? std::string(ids.front())
                                              : route.key.empty() ? "main"
                                                                  : route.key);
    }
  }
  for (const std::string& text : options_.routes) {
    if (find_invalid_utf8(text) != std::string::npos || text.find('\0') != std::string::npos) {
      report_.error({"--route", 1, 1, {}}, "this argument holds bytes that are not text");
      continue;
    }
    const std::size_t equals = text.find('=');
    const std::string id = text.substr(0, equals == std::string::npos ? 0 : equals);
    const std::string route = equals == std::string::npos ? text : text.substr(equals + 1);
    choose(id, literal_member(id, {"--route " + shown(text), 1, 1, {}}, route));
  }
}

void Resolver::read_switches() {
  RouteReader reader(index_, expander_, options_.check_files, report_, &doubts_);
  for (const RawSwitch& raw : raw_.switches) {
    Switch target;
    target.id = raw.id;
    target.at = raw.at;
    for (const RawRoute& route : raw.routes) {
      for (const RawMember& member : route.set) {
        const std::size_t dot = member.key.find('.');
        if (dot == std::string::npos) continue;
        routed_.emplace(member.key.substr(0, dot), member.key.substr(dot + 1));
      }
      if (route.name == kAnyRoute) {
        std::vector<Edge> edges;
        target.any = std::make_shared<const RouteTemplate>(reader.read_template(route, edges));
        for (Edge& edge : edges) more_.push_back(std::move(edge));
      } else {
        target.routes.push_back(reader.read(route));
      }
    }
    take_initial(target, raw);
    document_.switches.push_back(std::move(target));
  }
}

void Resolver::take_initial(Switch& target, const RawSwitch& raw) {
  const RawMember& chosen = chosen_.find(raw.id)->second;
  if (chosen.value.value.is_null() && !raw.initial) {
    report_.error(raw.at, "the switch " + shown(raw.id) +
                              " does not say where it is at the start; add \"initial\"");
    return;
  }
  const auto name = text_of(chosen.value, "the name of a route");
  if (!name) return;
  if (const Route* route = target.find_route(*name)) {
    target.initial = *route;
  } else if (target.any != nullptr && !name->empty() && *name != kAnyRoute) {
    RouteReader reader(index_, expander_, options_.check_files, report_, &doubts_);
    target.initial = reader.read(put_name(*target.any, *name));
  } else {
    const auto names = route_names(raw);
    std::string help = did_you_mean(*name, names);
    if (help.empty()) {
      help = names.empty() ? "; it has none" : listed(names);
    }
    report_.error(chosen.value.at,
                  "the switch " + shown(raw.id) + " has no route " + shown(*name) + help);
  }
}

void Resolver::read_settings() {
  if (profile_ != nullptr) {
    for (const RawMember& member : profile_->set) {
      const SettingKey key{member.key, member.key_at, {}};
      if (member.key.find("->") != std::string::npos) {
        read_edge_option(key, member.value);
      } else if (const auto setting = settings_.read(key, member.value)) {
        override_with(*setting);
      }
    }
  }
  for (const Switch& s : document_.switches) {
    if (!options_.applies_routes) break;
    for (const Setting& setting : s.initial.settings) override_with(setting);
  }
  for (const std::string& text : options_.settings) read_setting_argument(text);
}

// A setting of the command line holds while the routes at the start are taken: where one of them
// sets the same parameter, that is what it sets from now on. A "*" route makes its settings anew
// whenever it is taken.
void Resolver::override_routes(const Setting& setting) {
  const auto is_it = [&](const Setting& other) {
    return other.node == setting.node && other.parameter == setting.parameter;
  };
  for (Switch& one : document_.switches) {
    const auto taken = std::find_if(one.routes.begin(), one.routes.end(), [&](const Route& route) {
      return route.name == one.initial.name;
    });
    for (Setting& other : one.initial.settings) {
      if (!is_it(other)) continue;
      if (taken == one.routes.end()) {
        report_.warning(setting.at, "the route " + shown(one.initial.name) + " of " +
                                        shown(one.id) + " sets " + setting.node + "." +
                                        setting.parameter +
                                        " too, and will again with the first change while the "
                                        "graph plays; change its \"set\" in the file");
      } else {
        other = setting;
      }
    }
    if (taken == one.routes.end()) continue;
    for (Setting& other : taken->settings) {
      if (is_it(other)) other = setting;
    }
  }
}

void Resolver::override_with(const Setting& setting) {
  overrides_.insert_or_assign({setting.node, setting.parameter}, setting);
}

void Resolver::read_setting_argument(const std::string& text) {
  const auto argument = split_argument("--set", text, "NODE.PARAMETER=VALUE", folder_, report_);
  if (!argument) return;
  const bool is_edge = argument->key.find("->") != std::string::npos;
  std::string pointer;
  if (const std::size_t end = argument->key.find_last_of(is_edge ? ':' : '.');
      end != std::string::npos) {
    pointer = pointer_to(is_edge ? "/edges" : "/nodes", argument->key.substr(0, end));
    if (!is_edge) pointer += "/params";
    pointer = pointer_to(pointer, argument->key.substr(end + 1));
  }
  const RawValue value = raw_argument(argument->source, argument->value_begin, pointer);
  const auto source = argument->source;
  const SettingKey key{argument->key, source->locate(0, pointer),
                       [source, pointer](std::size_t i) { return source->locate(i, pointer); }};
  if (is_edge) {
    read_edge_option(key, value);
  } else if (const auto setting = settings_.read(key, value)) {
    override_with(*setting);
    override_routes(*setting);
  }
}

void Resolver::read_edge_option(const SettingKey& key, const RawValue& value) {
  const auto at = [&](std::size_t index) { return key.at_index ? key.at_index(index) : key.at; };
  const std::size_t colon = key.text.rfind(':');
  if (colon == std::string::npos) {
    report_.error(key.at, "an option of an edge is written \"a.out->b.in:gain_db\"");
    return;
  }
  const std::string option = key.text.substr(colon + 1);
  const Parameter* parameter = find_parameter(edge_parameters(), option);
  if (parameter == nullptr) {
    std::vector<std::string_view> known;
    for (const Parameter& p : edge_parameters()) known.push_back(p.key);
    std::string help = did_you_mean(option, known);
    if (help.empty()) help = listed(known);
    report_.error(at(colon + 1), "an edge has no " + shown(option) + help);
  }
  RawEdge raw;
  raw.form = RawEdge::Form::kKeyed;
  raw.at = key.at;
  raw.texts.emplace_back();
  RawValue& ends = raw.texts.back();
  ends.value = key.text.substr(0, colon);
  ends.at = key.at;
  ends.literal = true;
  EdgeReader reader(index_, expander_, report_, &doubts_);
  const std::vector<Edge> edges = reader.read(raw);
  const auto expanded = expander_.expand(value);
  if (parameter == nullptr || edges.empty() || !expanded) return;
  if (auto typed = typed_value(*parameter, *expanded, value.at, false, report_)) {
    edge_overrides_.push_back({edges.front().key(), option, std::move(*typed), key.at});
  }
}

}  // namespace sluice::graph
