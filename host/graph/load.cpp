#include "host/graph/load.hpp"

#include <algorithm>
#include <map>
#include <system_error>
#include <utility>

#include "host/graph/file_text.hpp"
#include "host/graph/graph_reader.hpp"
#include "host/graph/nearest_name.hpp"
#include "host/graph/report.hpp"
#include "host/graph/resolver.hpp"
#include "host/graph/route_reader.hpp"
#include "host/graph/shown.hpp"
#include "host/graph/topology.hpp"

namespace sluice::graph {
namespace {

namespace fs = std::filesystem;
using support::Error;
using support::ErrorCode;

// What is made on the way from a document's parts, for looking things up in it again.
struct Lookup {
  Lookup(const Document& document, const Catalog& catalog) : expander(no_environment, report) {
    for (const Node& node : document.nodes) nodes.add(node.id, catalog.find(node.type));
  }
  static std::optional<std::string> no_environment(const std::string&) { return {}; }

  Report report;
  Expander expander;
  NodeIndex nodes;
};

Error first_error(Report& report) {
  for (const Diagnostic& diagnostic : report.take()) {
    if (diagnostic.severity == Severity::kError) return {ErrorCode::kInvalid, diagnostic.message};
  }
  return {ErrorCode::kInvalid, "the node's type is not known"};
}

}  // namespace

LoadResult load_file(const fs::path& file, const Catalog& catalog, const LoadOptions& options) {
  const fs::path absolute = options.folder / file;
  auto text = read_file(absolute, file.string(), kMaximumFileBytes);
  if (!text) return {{}, {{Severity::kError, {file.string(), 1, 1, {}}, text.error().message}}};
  return load_text(std::move(text).value(), file, catalog, options);
}

LoadResult load_text(std::string text, const fs::path& file, const Catalog& catalog,
                     const LoadOptions& options) {
  Report report;
  std::error_code ignored;
  const fs::path base = fs::absolute(options.folder.empty() ? "." : options.folder, ignored);
  const fs::path absolute = fs::weakly_canonical(base / file, ignored);
  const fs::path folder = file.empty() ? base.lexically_normal() : absolute.parent_path();
  GraphReader reader(report);
  reader.read(std::move(text), absolute, file.string(), folder);
  if (!reader.is_complete()) return {{}, report.take()};
  Resolver resolver(reader.graph(), catalog, options, base.lexically_normal(), report);
  Document document = resolver.resolve(absolute, folder, file.stem().string());
  const bool good = !report.has_errors();
  LoadResult result{{}, report.take()};
  if (good) result.document = std::move(document);
  return result;
}

RouteResult resolve_route(const Document& document, const Catalog& catalog,
                          std::string_view switch_id, std::string_view route,
                          const std::vector<std::pair<std::string, std::string>>& routes) {
  Lookup lookup(document, catalog);
  RouteReader reader(lookup.nodes, lookup.expander, true, lookup.report, nullptr);
  Document changed = document;
  const auto take = [&](std::string_view id, std::string_view name) -> const Switch* {
    const auto at = std::find_if(changed.switches.begin(), changed.switches.end(),
                                 [&](const Switch& s) { return s.id == id; });
    std::vector<std::string_view> names;
    if (at == changed.switches.end()) {
      for (const Switch& s : changed.switches) names.push_back(s.id);
      lookup.report.error(document.at,
                          "there is no switch " + shown(id) +
                              (names.empty() ? "; the graph has none" : listed(names)));
      return nullptr;
    }
    if (const Route* known = at->find_route(name)) {
      at->initial = *known;
    } else if (at->any != nullptr && !name.empty() && name != "*" &&
               name.find(kRouteMark) == std::string_view::npos) {
      at->initial = reader.read(put_name(*at->any, std::string(name)));
    } else {
      for (const Route& r : at->routes) names.push_back(r.name);
      std::string help = did_you_mean(name, names);
      if (help.empty()) help = names.empty() ? "" : listed(names);
      lookup.report.error(at->at,
                          "the switch " + shown(id) + " has no route " + shown(name) + help);
      return nullptr;
    }
    return &*at;
  };
  for (const auto& [id, name] : routes) {
    if (id != switch_id) take(id, name);
  }
  const Switch* target = take(switch_id, route);
  if (target != nullptr) {
    check_twice(changed, lookup.report);
    std::vector<const Edge*> edges;
    for (const Edge& edge : changed.edges) edges.push_back(&edge);
    for (const Switch& s : changed.switches) {
      for (const Edge& edge : s.initial.edges) edges.push_back(&edge);
    }
    check_circles(edges, "", lookup.report);
  }
  const bool good = !lookup.report.has_errors();
  RouteResult result{{}, lookup.report.take()};
  if (good && target != nullptr) result.route = target->initial;
  return result;
}

support::Result<Edge> parse_edge(const Document& document, const Catalog& catalog,
                                 std::string_view ends) {
  Lookup lookup(document, catalog);
  RawEdge raw;
  raw.form = RawEdge::Form::kKeyed;
  raw.texts.emplace_back();
  raw.texts.back().value = ends;
  raw.texts.back().literal = true;
  const std::vector<Edge> edges =
      EdgeReader(lookup.nodes, lookup.expander, lookup.report, nullptr).read(raw);
  if (lookup.report.has_errors() || edges.size() != 1) return first_error(lookup.report);
  return edges.front();
}

support::Result<Setting> parse_setting(const Document& document, const Catalog& catalog,
                                       std::string_view text) {
  Lookup lookup(document, catalog);
  std::error_code ignored;
  const auto argument = split_argument("--set", std::string(text), "NODE.PARAMETER=VALUE",
                                       fs::current_path(ignored), lookup.report);
  if (!argument) return first_error(lookup.report);
  RawValue value = raw_argument(argument->source, argument->value_begin, {});
  value.literal = true;
  SettingReader reader(lookup.nodes, lookup.expander, true, lookup.report);
  auto setting = reader.read({argument->key, argument->source->locate(0, {}), {}}, value);
  if (!setting) return first_error(lookup.report);
  return std::move(*setting);
}

}  // namespace sluice::graph
