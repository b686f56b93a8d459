#include "host/graph/graph_reader.hpp"

#include <algorithm>
#include <utility>

#include "host/graph/file_text.hpp"
#include "host/graph/load.hpp"
#include "host/graph/nearest_name.hpp"
#include "host/graph/shown.hpp"

namespace sluice::graph {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string_view> kGraphKeys = {"$schema",
                                                  "sluice",
                                                  "name",
                                                  "description",
                                                  "vars",
                                                  "nodes",
                                                  "edges",
                                                  "routes",
                                                  "route",
                                                  "switches",
                                                  "include",
                                                  "profiles",
                                                  "latency_budget_ms"};
const std::vector<std::string_view> kNodeKeys = {"type",    "params",  "description",
                                                 "isolate", "standby", "adapt"};
const std::vector<std::string_view> kSwitchKeys = {"routes", "initial"};
const std::vector<std::string_view> kRouteKeys = {"edges", "set", "align"};
const std::vector<std::string_view> kProfileKeys = {"vars", "set", "route"};

std::string place(const Location& at) {
  return at.file + ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
}

std::string_view kind_name(JsonKind kind) {
  switch (kind) {
    case JsonKind::kNull:
      return "null";
    case JsonKind::kBoolean:
      return "true or false";
    case JsonKind::kNumber:
      return "a number";
    case JsonKind::kText:
      return "text";
    case JsonKind::kList:
      return "a list";
    case JsonKind::kObject:
      return "an object";
  }
  return {};
}

}  // namespace

void GraphReader::read(std::string text, const fs::path& file, const std::string& shown_file,
                       const fs::path& folder) {
  sources_.push_back(std::make_shared<SourceText>(shown_file, folder, std::move(text)));
  const Source source = sources_.back();
  const std::size_t errors = report_.error_count();
  texts_.push_back(std::make_unique<JsonText>(*source, report_));
  const std::optional<Json> root = texts_.back()->root();
  if (report_.error_count() != errors) graph_.lacks_edges = true;
  if (!root) {
    complete_ = false;
    return;
  }
  open_.push_back({file, shown_file});
  document(*root, source);
  open_.pop_back();
}

void GraphReader::document(const Json& root, const Source& source) {
  if (!expect(root, JsonKind::kObject, "a graph")) {
    complete_ = false;
    return;
  }
  if (open_.size() == 1) graph_.at = root.at();
  version(root);
  for (const Json& json : root.children()) member(json, source);
  // Last, so that a clash is found where the included file repeats what this one says.
  if (const auto json = root.find("include")) include(*json, source);
}

void GraphReader::version(const Json& root) {
  constexpr std::int64_t kVersion = 1;
  const auto json = root.find("sluice");
  if (!json) {
    report_.error(root.at(), "the version of the format is missing; add \"sluice\": 1");
    return;
  }
  const Value value = json->value();
  if (value.is_number() && value == Value(kVersion)) return;
  report_.error(json->at(),
                value.is_number()
                    ? "this graph is of version " + to_json(value) + "; this Sluice reads version 1"
                    : "\"sluice\" is the version of the format and must be the number 1");
}

void GraphReader::member(const Json& json, const Source& source) {
  const std::string key = json.key();
  const bool outermost = open_.size() == 1;
  if (key == "$schema" || key == "include" || key == "sluice") return;
  if (key == "name") {
    if (outermost) graph_.name = raw_value(json, source);
  } else if (key == "description") {
    if (outermost) graph_.description = raw_value(json, source);
  } else if (key == "latency_budget_ms") {
    once(graph_.latency_budget_ms, json, source);
  } else if (key == "vars") {
    for (RawMember& var : members(json, source)) graph_.vars.push_back(std::move(var));
    if (!json.is(JsonKind::kObject)) return;
    for (const Json& child : json.children()) is_fresh(child, "variable", child.key());
  } else if (key == "nodes") {
    nodes(json, source);
  } else if (key == "edges") {
    for (RawEdge& edge : edges(json, source)) graph_.edges.push_back(std::move(edge));
  } else if (key == "switches") {
    switches(json, source);
  } else if (key == "routes") {
    own_routes(json, source);
  } else if (key == "route") {
    own_route(json, source);
  } else if (key == "profiles") {
    profiles(json, source);
  } else {
    unknown_key(json, "a graph", kGraphKeys);
  }
}

void GraphReader::include(const Json& json, const Source& source) {
  if (!expect(json, JsonKind::kList, "\"include\"")) return;
  for (const Json& element : json.children()) include_file(element, source);
}

void GraphReader::include_file(const Json& json, const Source& source) {
  if (!expect(json, JsonKind::kText, "the name of a file to include")) return;
  const std::string name = json.text();
  const fs::path relative = name;
  if (name.find("${") != std::string::npos) {
    report_.error(json.at(), "the name of a file to include cannot hold variables");
    return;
  }
  std::error_code ignored;
  const fs::path file = fs::weakly_canonical(source->folder() / relative, ignored);
  const fs::path shown_file =
      relative.is_absolute() ? relative : fs::path(source->name()).parent_path() / relative;
  const auto same = [&](const Open& open) { return open.file == file; };
  if (const auto first = std::find_if(open_.begin(), open_.end(), same); first != open_.end()) {
    std::string circle;
    for (auto step = first; step != open_.end(); ++step) circle += step->shown_file + " -> ";
    report_.error(json.at(), "this file includes itself: " + circle + shown_file.string());
    return;
  }
  if (std::find(graph_.included.begin(), graph_.included.end(), file) != graph_.included.end()) {
    return;
  }
  if (open_.size() > static_cast<std::size_t>(kMaximumIncludeDepth)) {
    report_.error(json.at(), "files include each other more than 16 deep here");
    return;
  }
  auto text = read_file(file, shown_file.string(), kMaximumFileBytes);
  if (!text) {
    report_.error(json.at(), text.error().message);
    return;
  }
  graph_.included.push_back(file);
  read(std::move(text).value(), file, shown_file.string(), file.parent_path());
}

void GraphReader::nodes(const Json& json, const Source& source) {
  if (!expect(json, JsonKind::kObject, "\"nodes\"")) {
    graph_.lacks_edges = true;
    return;
  }
  for (const Json& child : json.children()) {
    const std::string id = child.key();
    if (!is_id(id)) {
      report_.error(child.key_at(), shown(id) +
                                        " cannot be the id of a node; use a-z, then a-z, "
                                        "0-9, _ and -");
    }
    if (is_fresh(child, "node", id)) node(child, source);
  }
}

void GraphReader::node(const Json& json, const Source& source) {
  RawNode node;
  node.id = json.key();
  node.at = json.key_at();
  if (json.is(JsonKind::kText)) {
    node.type = raw_value(json, source);
  } else if (json.is(JsonKind::kObject)) {
    for (const Json& child : json.children()) {
      const std::string key = child.key();
      if (key == "type") {
        node.type = raw_value(child, source);
      } else if (key == "params") {
        node.params = members(child, source);
      } else if (std::find(kNodeKeys.begin(), kNodeKeys.end(), key) != kNodeKeys.end()) {
        node.host.push_back({key, child.key_at(), raw_value(child, source)});
      } else {
        unknown_key(child, "a node (parameters stand in \"params\")", kNodeKeys);
      }
    }
    if (!node.type) {
      report_.error(json.key_at(),
                    "the node " + shown(node.id) + " has no type; add \"type\": \"...\"");
    }
  } else {
    report_.error(json.at(), "a node must be an object, or the name of its type; this is " +
                                 std::string(kind_name(json.kind())));
  }
  graph_.nodes.push_back(std::move(node));
}

void GraphReader::switches(const Json& json, const Source& source) {
  if (!expect(json, JsonKind::kObject, "\"switches\"")) return;
  for (const Json& child : json.children()) a_switch(child, source);
}

void GraphReader::a_switch(const Json& json, const Source& source) {
  const std::string id = json.key();
  if (!is_id(id)) {
    report_.error(json.key_at(), shown(id) +
                                     " cannot be the id of a switch; use a-z, then a-z, "
                                     "0-9, _ and -");
  }
  if (!is_fresh(json, "switch", id) || !expect(json, JsonKind::kObject, "a switch")) return;
  RawSwitch to;
  to.id = id;
  to.at = json.key_at();
  for (const Json& child : json.children()) {
    const std::string key = child.key();
    if (key == "routes") {
      routes(child, source, to);
    } else if (key == "initial") {
      to.initial = raw_value(child, source);
    } else {
      unknown_key(child, "a switch", kSwitchKeys);
    }
  }
  if (!json.find("routes")) {
    report_.error(json.key_at(), "the switch " + shown(id) + " has no \"routes\"");
  }
  graph_.switches.push_back(std::move(to));
}

RawSwitch& GraphReader::main_switch(const Json& json) {
  if (!main_switch_) {
    is_fresh(json, "switch", "main");
    main_switch_ = graph_.switches.size();
    graph_.switches.push_back({"main", json.key_at(), {}, {}});
  }
  return graph_.switches[*main_switch_];
}

void GraphReader::own_routes(const Json& json, const Source& source) {
  RawSwitch& to = main_switch(json);
  if (is_fresh(json, "list of routes", "routes")) routes(json, source, to);
}

void GraphReader::own_route(const Json& json, const Source& source) {
  once(main_switch(json).initial, json, source);
}

void GraphReader::routes(const Json& json, const Source& source, RawSwitch& to) {
  if (!expect(json, JsonKind::kObject, "\"routes\"")) return;
  for (const Json& child : json.children()) {
    RawRoute route;
    route.name = child.key();
    route.at = child.key_at();
    if (route.name.empty()) report_.error(child.key_at(), "a route needs a name");
    if (child.is(JsonKind::kObject)) {
      for (const Json& part : child.children()) {
        const std::string key = part.key();
        if (key == "edges") {
          route.edges = edges(part, source);
        } else if (key == "set") {
          route.set = members(part, source);
        } else if (key == "align") {
          route.align = raw_value(part, source);
        } else {
          unknown_key(part, "a route", kRouteKeys);
        }
      }
    } else if (child.is(JsonKind::kList)) {
      route.edges = edges(child, source);
    } else {
      report_.error(child.at(),
                    "a route must be a list of edges, or an object with \"edges\", \"set\" and "
                    "\"align\"; this is " +
                        std::string(kind_name(child.kind())));
    }
    to.routes.push_back(std::move(route));
  }
}

void GraphReader::profiles(const Json& json, const Source& source) {
  if (!expect(json, JsonKind::kObject, "\"profiles\"")) return;
  for (const Json& child : json.children()) {
    RawProfile profile;
    profile.name = child.key();
    profile.at = child.key_at();
    if (!is_fresh(child, "profile", profile.name)) continue;
    if (!expect(child, JsonKind::kObject, "a profile")) continue;
    for (const Json& part : child.children()) {
      const std::string key = part.key();
      if (key == "vars") {
        profile.vars = members(part, source);
      } else if (key == "set") {
        profile.set = members(part, source);
      } else if (key == "route") {
        if (part.is(JsonKind::kObject)) {
          profile.routes = members(part, source);
        } else {
          profile.routes.push_back({"", part.key_at(), raw_value(part, source)});
        }
      } else {
        unknown_key(part, "a profile", kProfileKeys);
      }
    }
    graph_.profiles.push_back(std::move(profile));
  }
}

std::vector<RawEdge> GraphReader::edges(const Json& json, const Source& source) {
  std::vector<RawEdge> all;
  if (json.is(JsonKind::kObject)) {
    for (const Json& child : json.children()) all.push_back(keyed_edge(child, source));
  } else if (json.is(JsonKind::kList)) {
    for (const Json& child : json.children()) {
      auto edge = edge_element(child, source);
      graph_.lacks_edges = graph_.lacks_edges || !edge;
      if (edge) all.push_back(std::move(*edge));
    }
  } else {
    graph_.lacks_edges = true;
    report_.error(json.at(),
                  "edges must be a list, or an object keyed by \"a.out->b.in\"; this is " +
                      std::string(kind_name(json.kind())));
  }
  return all;
}

RawEdge GraphReader::keyed_edge(const Json& json, const Source& source) {
  RawEdge edge;
  edge.form = RawEdge::Form::kKeyed;
  edge.at = json.key_at();
  edge.texts.push_back(raw_key(json, source));
  edge.options = members(json, source);
  return edge;
}

std::optional<RawEdge> GraphReader::edge_element(const Json& json, const Source& source) {
  RawEdge edge;
  edge.at = json.at();
  if (json.is(JsonKind::kText)) {
    edge.texts.push_back(raw_value(json, source));
    return edge;
  }
  if (!json.is(JsonKind::kObject)) {
    report_.error(json.at(),
                  "an edge must be text like \"a -> b\", or an object with \"from\" and "
                  "\"to\"; this is " +
                      std::string(kind_name(json.kind())));
    return {};
  }
  edge.form = RawEdge::Form::kEnds;
  for (const std::string_view end : {"from", "to"}) {
    if (const auto value = json.find(end)) {
      edge.texts.push_back(raw_value(*value, source));
    } else {
      report_.error(json.at(), "this edge has no \"" + std::string(end) +
                                   "\"; an edge is {\"from\": "
                                   "\"a\", \"to\": \"b\"}");
    }
  }
  for (const Json& child : json.children()) {
    const std::string key = child.key();
    if (key == "from" || key == "to") continue;
    edge.options.push_back({key, child.key_at(), raw_value(child, source)});
  }
  if (edge.texts.size() != 2) return {};
  return edge;
}

std::vector<RawMember> GraphReader::members(const Json& json, const Source& source) {
  std::vector<RawMember> all;
  if (!expect(json, JsonKind::kObject, shown(json.key()))) return all;
  for (const Json& child : json.children()) {
    all.push_back({child.key(), child.key_at(), raw_value(child, source)});
  }
  return all;
}

bool GraphReader::expect(const Json& json, JsonKind kind, std::string_view what) {
  if (json.is(kind)) return true;
  report_.error(json.at(), std::string(what) + " must be " + std::string(kind_name(kind)) +
                               ", not " + std::string(kind_name(json.kind())));
  return false;
}

void GraphReader::unknown_key(const Json& json, std::string_view of,
                              const std::vector<std::string_view>& known) {
  const std::string key = json.key();
  std::string help = did_you_mean(key, known);
  if (help.empty()) help = listed(known);
  report_.error(json.key_at(), shown(key) + " is no key of " + std::string(of) + help);
}

bool GraphReader::is_fresh(const Json& json, std::string_view what, const std::string& name) {
  const auto [seen, fresh] = seen_.emplace(std::string(what) + "\n" + name, json.key_at());
  if (fresh) return true;
  // Within one file the reading of JSON has refused a second key already.
  if (seen->second.file != json.source().name()) {
    report_.error(json.key_at(), "the " + std::string(what) + " " + shown(name) +
                                     " is there already, at " + place(seen->second) +
                                     "; rename or remove one of them");
  } else if (what == "switch") {
    report_.error(json.key_at(),
                  "the routes of the graph itself are the switch \"main\", which is "
                  "there already, at " +
                      place(seen->second) + "; rename one of them");
  }
  return false;
}

void GraphReader::once(std::optional<RawValue>& to, const Json& json, const Source& source) {
  if (to && to->at.file != source->name()) {
    report_.error(json.key_at(), shown(json.key()) + " is there already, at " + place(to->at) +
                                     "; remove one of them");
    return;
  }
  to = raw_value(json, source);
}

}  // namespace sluice::graph
