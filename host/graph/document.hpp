// A graph, checked and complete: its normal form in C++.
//
// Made by load.hpp. Plain data without references into the text or the catalog; may be copied and
// handed between threads. [control]
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/graph/catalog.hpp"
#include "host/graph/diagnostic.hpp"
#include "host/graph/value.hpp"

namespace sluice::graph {

// What an edge does when its reader is slower than its writer.
enum class WhenFull { kWait, kSkip };

// Whether the session may insert converters at a node's ports.
enum class Adapt { kAuto, kNever };

// Ranges of what an edge may say.
inline constexpr double kMinimumEdgeGainDb = -144;
inline constexpr double kMaximumEdgeGainDb = 24;
inline constexpr double kMaximumEdgeBufferMs = 600'000;
inline constexpr double kMaximumEdgeDelayMs = 60'000;
inline constexpr double kMaximumLatencyBudgetMs = 600'000;

struct NodeParameter {
  std::string key;
  ParameterValue value;
  bool given = false;   // by the graph or the command line; otherwise the default
  bool secret = false;  // never shown
  // Of the value if given, else of the node.
  Location at;
  // What a secret was written as ("${env:PASSWORD}"); empty if it stands there in clear.
  std::string secret_source;
};

struct Node {
  std::string id;
  std::string type;
  std::string description;
  // Every parameter of the type, in the type's order; complete and within range, except in a
  // dormant node. Paths are absolute.
  std::vector<NodeParameter> parameters;
  bool isolate = false;  // run it in a process of its own
  bool standby = false;  // keep it started while no route uses it
  Adapt adapt = Adapt::kAuto;
  // No edge reaches it in the initial routes, and a required parameter comes only with a route that
  // is not taken yet: it cannot be made before that route is. The missing ones are not in
  // `parameters`.
  bool dormant = false;
  Location at;       // of its key
  Location type_at;  // of its type

  const NodeParameter* find_parameter(std::string_view key) const;
};

struct EdgeOptions {
  std::optional<double> buffer_ms;    // ring memory beyond what the nodes need
  std::optional<WhenFull> when_full;  // none: the session decides
  double gain_db = 0;                 // live
  double delay_ms = 0;
  bool pace = false;  // its reader's clock drives a source without one
  // The switch whose route wants it delayed such that all its edges end at one time; empty: none.
  // By Document::active_edges; no option of the edge's own.
  std::string align;

  friend bool operator==(const EdgeOptions& a, const EdgeOptions& b) = default;
};

struct Edge {
  std::string from_node, from_port;
  std::string to_node, to_port;
  EdgeOptions options;
  Location at;

  std::string key() const;  // "a.out->b.in"
};

// One parameter of one node, changed by a route.
struct Setting {
  std::string node;
  std::string parameter;
  ParameterValue value;
  bool secret = false;        // never shown
  std::string secret_source;  // as in NodeParameter
  Location at;
};

struct Route {
  std::string name;
  std::vector<Edge> edges;
  std::vector<Setting> settings;
  bool align = false;  // what its edges bring is heard at one time; see EdgeOptions::align
  Location at;
};

// A "*" route, before the name that stands for it is known. See resolve_route() in load.hpp.
struct RouteTemplate;

struct Switch {
  std::string id;  // "main" for the graph's own routes
  std::vector<Route> routes;
  std::shared_ptr<const RouteTemplate> any;  // "*": every name that is not in `routes`; may be null
  Route initial;                             // the one that is on at the start
  Location at;

  const Route* find_route(std::string_view name) const;
};

struct Document {
  std::string name;  // of the graph; the file's stem if it has none
  std::string description;
  std::filesystem::path file;    // absolute; empty for an expression
  std::filesystem::path folder;  // absolute; relative paths of a route taken later start here
  std::vector<std::filesystem::path> included;  // absolute, without `file`
  std::optional<double> latency_budget_ms;
  std::string profile;                        // that was applied; empty if none
  std::vector<std::string> profiles;          // that the graph offers
  std::vector<std::string> profile_switches;  // whose route the applied one says
  std::vector<Node> nodes;                    // in the order they were written
  // Permanent ones. What runs at the start is active_edges().
  std::vector<Edge> edges;
  std::vector<Switch> switches;
  Location at;

  const Node* find_node(std::string_view id) const;
  const Switch* find_switch(std::string_view id) const;
  // The permanent edges, then those of every switch's initial route. Keys are unique.
  std::vector<Edge> active_edges() const;
  // Where a diagnostic about a node's parameter belongs: its value, its node, or the document.
  Location locate(std::string_view node, std::string_view parameter = {}) const;
};

enum class Secrets {
  kHide,   // "${env:NAME}" as it was written; "***" for what stood there in clear
  kReveal  // in clear, so that the text reads back as the same document
};

// The document as JSON in its normal form: every parameter with its value, edges keyed by their
// ends, variables, profiles, includes and sugar gone. With kReveal it loads to an equal document.
Value to_normal_json(const Document& document, Secrets secrets = Secrets::kHide);
// One node of it: {"type": ..., "params": ...}; one edge's options ({} if all are unset).
Value to_normal_json(const Node& node, Secrets secrets = Secrets::kHide);
Value to_normal_json(const EdgeOptions& options);

// The same nodes, values, edges and switches, wherever they were written.
bool same_graph(const Document& a, const Document& b);

}  // namespace sluice::graph
