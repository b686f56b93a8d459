// The node types a graph may use, as plain data handed in by whoever knows the plugins.
//
// This module knows neither plugin.h nor the loader. A catalog is filled once on the control thread
// and then only read: [control] to add, [any] to read after that.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "host/graph/value.hpp"
#include "host/support/result.hpp"

namespace sluice::graph {

enum class PortDirection { kInput, kOutput };
enum class PortKind { kPcm, kPackets };

struct Port {
  std::string key;  // [a-z][a-z0-9_]*, unique within its direction
  PortDirection direction = PortDirection::kInput;
  PortKind kind = PortKind::kPcm;
  bool optional = false;  // an input that may stay unconnected
  std::string description;
};

enum class ParameterKind {
  kNumber,   // double
  kInteger,  // std::int64_t, |n| <= 2^53
  kBoolean,  // bool
  kText,     // std::string
  kChoice,   // std::string, one of `choices`
  kList,     // std::vector<double>
  kMatrix    // Matrix
};

// Rows of equally many numbers, row by row.
struct Matrix {
  std::size_t rows = 0;
  std::vector<double> numbers;  // rows * columns

  std::size_t columns() const { return rows == 0 ? 0 : numbers.size() / rows; }
  friend bool operator==(const Matrix& a, const Matrix& b) = default;
};

using ParameterValue =
    std::variant<bool, std::int64_t, double, std::string, std::vector<double>, Matrix>;

enum class PathUse {
  kNone,
  kInput,  // names a file that must exist
  kOutput  // names a file the node writes; its folder must exist
};

struct Parameter {
  std::string key;  // [a-z][a-z0-9_]*
  ParameterKind kind = ParameterKind::kNumber;
  std::string unit;  // "ms", "dB", "Hz"; empty if none
  std::string description;
  // Inclusive; of numbers, integers and every member of a list or matrix. None: unlimited.
  std::optional<double> minimum;
  std::optional<double> maximum;
  // What a graph that does not say gets. Must be empty if required. If empty otherwise: 0, false,
  // "", the first choice, an empty list.
  std::optional<ParameterValue> default_value;
  std::vector<std::string> choices;
  bool live = false;      // may change while running
  bool secret = false;    // never shown, logged or written
  bool required = false;  // has no default
  PathUse path = PathUse::kNone;
};

struct Statistic {
  std::string key;
  std::string unit;
  std::string description;
  bool counter = false;  // only grows; otherwise a gauge
};

// Something in the world that a node takes: a device, a listening port. Two nodes of one graph
// whose claims have the same class and the same parts exclude each other. (Files need none: every
// parameter with a PathUse claims its file, shared for reading, alone for writing.)
struct Claim {
  struct Part {
    std::string parameter;
    std::vector<std::string> any;   // values that stand for every value: "0.0.0.0", "*"
    std::vector<std::string> none;  // values that take nothing: "0" (any free port), "" (unset)
  };
  std::string name;  // class: "tcp-port", "playback-device"
  std::vector<Part> parts;
  // The claim holds only where this parameter has this value ("mode", "listen"). Empty: always.
  std::string when_parameter;
  std::string when_value;
  // Whoever finds it taken waits until it is free: a node may be made beside the one it replaces.
  bool is_waited_for = false;
};

struct NodeType {
  std::string id;           // "filter.gate", "com.example.filter.foo"
  std::string name;         // "Noise gate"
  std::string description;  // begins with one complete sentence
  std::string plugin;       // the shared object it comes from, for messages; may be empty
  std::vector<Port> ports;
  std::vector<Parameter> parameters;
  std::vector<Statistic> statistics;
  std::vector<Claim> claims;

  const Port* find_port(PortDirection direction, std::string_view key) const;
  // The only port of that direction, or else the only one that is not optional; null if that does
  // not leave exactly one.
  const Port* default_port(PortDirection direction) const;
  const Parameter* find_parameter(std::string_view key) const;
};

class Catalog {
 public:
  // Refuses (kInvalid, with the reason) a type whose data contradicts itself: a second one of the
  // same id, equal keys, a default out of its range or of the wrong kind, a choice without choices,
  // a claim on a parameter that does not exist.
  support::Status add(NodeType type);

  // A type that would exist if its plugin could be used: a graph that names it is told why not.
  // `reason` is a sentence ("/usr/lib/sluice/sink.foo.so was built for ABI 2; this is 1").
  void add_unavailable(std::string type_id, std::string reason);

  // Whoever knows the members of families of types ("FAMILY/NAME"): asked once for each id with a
  // slash, when a graph names it. Its error says why there is no such type. To be called for as
  // long as this catalog or a copy of it is in use. [control]
  using MemberFinder = std::function<support::Result<NodeType>(std::string_view id)>;
  void find_members_with(MemberFinder finder);

  const NodeType* find(std::string_view type_id) const;
  // Why a type is unavailable; null if it is available or was never heard of.
  const std::string* unavailable_reason(std::string_view type_id) const;
  // The most similar id of a type, available or not; empty if nothing is near.
  std::string nearest_type(std::string_view type_id) const;

  const std::vector<NodeType>& types() const { return types_; }  // sorted by id

 private:
  struct Unavailable {
    std::string type_id;
    std::string reason;
  };
  struct Members {
    MemberFinder finder;
    std::map<std::string, support::Result<NodeType>, std::less<>> known;
  };
  static support::Status check(const NodeType& type);
  const support::Result<NodeType>* member(std::string_view type_id) const;

  std::vector<NodeType> types_;
  std::vector<Unavailable> unavailable_;
  std::shared_ptr<Members> members_;  // what was asked for stays, for copies too
};

// The value of `parameter` in a graph that does not mention it. Meaningless if it is required.
ParameterValue default_value(const Parameter& parameter);

// "1 to 65535", "at least 0", "f32, s16, s24 or s32", "true or false": the allowed values, for
// sentences and help. Empty where everything of its kind is allowed.
std::string allowed_range(const Parameter& parameter);

// "a number", "a whole number", "true or false", "text", "one of ...", "a list of numbers",
// "a list of rows of numbers".
std::string kind_name(const Parameter& parameter);

// As it stands in a graph. "secret" ones are written too: the caller decides whom it shows them.
Value to_value(const ParameterValue& value);
// One line without quotes, for tables and messages: "-6.5", "listen", "[0, 1]".
std::string to_text(const ParameterValue& value);

// Types a value for a parameter and checks kind, range and choices. [any]
// Error (kInvalid): "must be ...", a sentence without subject, to follow the parameter's name.
support::Result<ParameterValue> check_value(const Parameter& parameter, const Value& value);
// The same from text, as a command line gives it: "4953", "true", "0,1" or "[0, 1]".
support::Result<ParameterValue> parse_value(const Parameter& parameter, std::string_view text);

}  // namespace sluice::graph
