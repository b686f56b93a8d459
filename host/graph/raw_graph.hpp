// A graph as it was written: shape checked, names and values not. What files and expressions have
// in common before resolver.hpp makes a document of it. [control]
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/graph/diagnostic.hpp"
#include "host/graph/json_text.hpp"
#include "host/graph/source_text.hpp"
#include "host/graph/value.hpp"

namespace sluice::graph {

// A value before its variables are put in.
struct RawValue {
  Value value;
  Location at;
  std::shared_ptr<const SourceText> source;
  // The value in its file, if it is from one.
  std::optional<Json> json;
  // Where in the source each byte of a text is: for a JSON text by its opening quote...
  std::optional<std::size_t> quote;
  // ...for a command line's byte by byte, and one past the last.
  std::vector<std::uint32_t> offsets;
  // Comes from outside JSON: it is text, and whoever uses it says what kind it has to be.
  bool loose = false;
  // Has its variables in it already; ${...} is plain text.
  bool literal = false;

  // Where byte `index` of the text was written.
  Location at_index(std::size_t index) const;
};

struct RawMember {
  std::string key;
  Location key_at;
  RawValue value;
};

struct RawNode {
  std::string id;
  Location at;
  std::optional<RawValue> type;
  std::vector<RawMember> params;
  std::vector<RawMember> host;  // description, isolate, standby, adapt
};

struct RawEdge {
  enum class Form {
    kChain,  // texts[0]: "a -> b -> c"
    kEnds,   // texts: from, to
    kKeyed,  // texts[0]: "a->b"
    kStops   // texts: "a", "b.in", "c"
  };
  Form form = Form::kChain;
  std::vector<RawValue> texts;
  std::vector<RawMember> options;
  Location at;
};

struct RawRoute {
  std::string name;
  Location at;
  std::vector<RawEdge> edges;
  std::vector<RawMember> set;  // "node.parameter": value
  std::optional<RawValue> align;
};

struct RawSwitch {
  std::string id;
  Location at;
  std::vector<RawRoute> routes;
  std::optional<RawValue> initial;
};

struct RawProfile {
  std::string name;
  Location at;
  std::vector<RawMember> vars;
  std::vector<RawMember> set;
  std::vector<RawMember> routes;  // switch: route; the key is empty for the only switch
};

struct RawGraph {
  Location at;
  std::optional<RawValue> name;
  std::optional<RawValue> description;
  std::optional<RawValue> latency_budget_ms;
  std::vector<RawMember> vars;
  std::vector<RawNode> nodes;
  std::vector<RawEdge> edges;
  std::vector<RawSwitch> switches;
  std::vector<RawProfile> profiles;
  std::vector<std::filesystem::path> included;
  // Nodes or edges are missing because they could not be read; it has been said already.
  bool lacks_edges = false;
};

// `json`, which must be of `source`.
RawValue raw_value(const Json& json, const std::shared_ptr<const SourceText>& source);
// The key of the member `json`, as a text.
RawValue raw_key(const Json& json, const std::shared_ptr<const SourceText>& source);
// The text from byte `begin` to the end of `source`, typed by its use.
RawValue raw_argument(const std::shared_ptr<const SourceText>& source, std::size_t begin,
                      std::string pointer);

// Ids of nodes and switches: [a-z][a-z0-9_-]*.
bool is_id(std::string_view text);

}  // namespace sluice::graph
