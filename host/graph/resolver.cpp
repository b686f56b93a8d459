#include "host/graph/resolver.hpp"

#include <algorithm>
#include <utility>

#include "host/graph/claims.hpp"
#include "host/graph/nearest_name.hpp"
#include "host/graph/shown.hpp"
#include "host/graph/topology.hpp"
#include "host/graph/typed_value.hpp"

namespace sluice::graph {
namespace {

constexpr std::size_t kMaximumNameBytes = 64;

bool is_graph_name(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && name.size() <= kMaximumNameBytes && plain(name[0]) &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return plain(c) || c == '.' || c == '-'; });
}

// A name made of whatever a file is called.
std::string graph_name_from(std::string name) {
  for (char& c : name) {
    if (!is_graph_name(std::string("a") + c)) c = '-';
  }
  name = name.substr(0, kMaximumNameBytes);
  if (name.empty()) return "graph";
  if (!is_graph_name(name)) name[0] = 'x';
  return name;
}

}  // namespace

Resolver::Resolver(const RawGraph& raw, const Catalog& catalog, const LoadOptions& options,
                   std::filesystem::path folder, Report& report)
    : raw_(raw),
      catalog_(catalog),
      options_(options),
      folder_(std::move(folder)),
      report_(report),
      expander_(options.environment, report),
      settings_(index_, expander_, options.check_files, report) {}

Document Resolver::resolve(const std::filesystem::path& file, const std::filesystem::path& folder,
                           std::string default_name) {
  document_.file = file;
  document_.folder = folder;
  document_.at = raw_.at;
  document_.included = raw_.included;
  doubts_.all = raw_.lacks_edges;
  index_nodes();
  choose_profile();
  define_variables();
  read_head(std::move(default_name));
  choose_routes();
  read_edges();
  read_switches();
  read_settings();
  override_edges();
  for (const Edge& edge : document_.active_edges()) {
    active_.insert(edge.from_node);
    active_.insert(edge.to_node);
  }
  read_nodes();
  check_twice(document_, report_);
  check_circles(document_, report_);
  if (!doubts_.all && options_.needs_inputs)
    check_inputs(document_, more_, doubts_, index_, report_);
  check_claims(document_, index_, report_);
  expander_.warn_unused();
  return std::move(document_);
}

void Resolver::index_nodes() {
  for (const RawNode& raw : raw_.nodes) {
    const NodeType* type = nullptr;
    if (raw.type && raw.type->value.is_text()) type = catalog_.find(raw.type->value.text());
    index_.add(raw.id, type);
  }
}

void Resolver::choose_profile() {
  for (const RawProfile& profile : raw_.profiles) {
    document_.profiles.push_back(profile.name);
    if (profile.name == options_.profile) profile_ = &profile;
  }
  document_.profile = options_.profile;
  if (options_.profile.empty() || profile_ != nullptr) return;
  const std::vector<std::string_view> names(document_.profiles.begin(), document_.profiles.end());
  std::string help = did_you_mean(options_.profile, names);
  if (help.empty()) {
    help = names.empty() ? "; the graph has none" : listed(names);
  }
  report_.error({"--profile", 1, 1, {}}, "there is no profile " + shown(options_.profile) + help);
}

void Resolver::define_variables() {
  for (const RawMember& var : raw_.vars) expander_.define(var.key, var.value, var.key_at);
  const std::vector<std::string> of_graph = expander_.names();
  const auto override_with = [&](const std::string& name, const RawValue& value,
                                 const Location& at) {
    if (!expander_.is_defined(name) && !expander_.is_used(name)) {
      report_.error(at, "the graph has no variable " + shown(name) +
                            did_you_mean(name, {of_graph.begin(), of_graph.end()}));
      return;
    }
    expander_.define(name, value, at);
  };
  // A variable need not be defined to be used, so uses count before what would define it.
  note_uses();
  if (profile_ != nullptr) {
    for (const RawMember& var : profile_->vars) override_with(var.key, var.value, var.key_at);
  }
  for (const std::string& text : options_.variables) {
    const auto argument = split_argument("--var", text, "NAME=VALUE", folder_, report_);
    if (!argument) continue;
    override_with(argument->key,
                  raw_argument(argument->source, argument->value_begin, "/vars/" + argument->key),
                  argument->source->locate(0, {}));
  }
}

void Resolver::note_uses() {
  const auto note = [this](const RawValue& value) {
    if (!value.literal) expander_.note_uses(value.value);
  };
  const auto note_all = [&](const std::vector<RawMember>& members) {
    for (const RawMember& member : members) note(member.value);
  };
  const auto note_edges = [&](const std::vector<RawEdge>& edges) {
    for (const RawEdge& edge : edges) {
      for (const RawValue& text : edge.texts) note(text);
      note_all(edge.options);
    }
  };
  if (raw_.name) note(*raw_.name);
  if (raw_.description) note(*raw_.description);
  if (raw_.latency_budget_ms) note(*raw_.latency_budget_ms);
  for (const RawNode& node : raw_.nodes) {
    if (node.type) note(*node.type);
    note_all(node.params);
    note_all(node.host);
  }
  note_edges(raw_.edges);
  for (const RawSwitch& s : raw_.switches) {
    if (s.initial) note(*s.initial);
    for (const RawRoute& route : s.routes) {
      note_edges(route.edges);
      note_all(route.set);
    }
  }
  for (const RawProfile& profile : raw_.profiles) {
    note_all(profile.vars);
    note_all(profile.set);
    note_all(profile.routes);
  }
  for (const std::string& text : options_.settings) expander_.note_uses(Value(text));
}

std::optional<std::string> Resolver::text_of(const RawValue& raw, std::string_view what) {
  const auto expanded = expander_.expand(raw);
  if (!expanded) return {};
  if (expanded->value.is_text()) return expanded->value.text();
  report_.error(
      raw.at, std::string(what) + " must be text, not " + std::string(expanded->value.kind_name()));
  return {};
}

void Resolver::read_head(std::string default_name) {
  document_.name = graph_name_from(std::move(default_name));
  if (raw_.name) {
    if (auto name = text_of(*raw_.name, "the name of a graph")) {
      document_.name = *name;
      if (!is_graph_name(*name)) {
        report_.error(raw_.name->at, shown(*name) +
                                         " cannot be the name of a graph; use at most 64 letters, "
                                         "digits, ., _ and -");
      }
    }
  }
  if (raw_.description) {
    document_.description = text_of(*raw_.description, "a description").value_or("");
  }
  if (raw_.latency_budget_ms) {
    const RawValue& raw = *raw_.latency_budget_ms;
    const auto expanded = expander_.expand(raw);
    if (!expanded) return;
    if (auto value = typed_value(latency_budget_parameter(), *expanded, raw.at, false, report_)) {
      document_.latency_budget_ms = std::get<double>(*value);
    }
  }
}

void Resolver::read_edges() {
  EdgeReader reader(index_, expander_, report_, &doubts_);
  for (const RawEdge& raw : raw_.edges) {
    for (Edge& edge : reader.read(raw)) document_.edges.push_back(std::move(edge));
  }
}

void Resolver::override_edges() {
  for (const EdgeOverride& change : edge_overrides_) {
    std::vector<std::string> keys;
    bool found = false;
    const auto apply = [&](std::vector<Edge>& edges) {
      for (Edge& edge : edges) {
        keys.push_back(edge.key());
        if (keys.back() != change.key) continue;
        found = true;
        set_option(edge.options, change.option, change.value);
      }
    };
    apply(document_.edges);
    for (Switch& s : document_.switches) {
      apply(s.initial.edges);
      for (Route& route : s.routes) apply(route.edges);
    }
    if (found) continue;
    report_.error(change.at, "there is no edge " + shown(change.key) +
                                 did_you_mean(change.key, {keys.begin(), keys.end()}));
  }
}

}  // namespace sluice::graph
