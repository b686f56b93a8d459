// Puts variables into values: ${name}, ${env:NAME}, ${file:PATH}, ${route}; $${ is a literal ${.
// [control]
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "host/graph/raw_graph.hpp"
#include "host/graph/report.hpp"
#include "host/graph/value.hpp"

namespace sluice::graph {

// Stands for ${route} in a value whose route has no name yet. No text read anywhere can hold it.
inline constexpr char kRouteMark = '\0';

// A value with its variables in it.
struct Expanded {
  Value value;
  bool loose = false;            // text that whoever uses it types
  std::filesystem::path folder;  // where it starts if it is a relative path
  // The ${...} it is made of, if it is made of exactly one that reads the environment or a file.
  std::string outside_source;
  // Byte `at` of the text and all up to the next piece stand at `raw` of what was written; spliced
  // pieces all stand at their ${.
  struct Piece {
    std::size_t at;
    std::size_t raw;
    bool spliced;
  };
  std::vector<Piece> pieces;

  // Byte of the text as it was written.
  std::size_t raw_index(std::size_t index) const;
};

class Expander {
 public:
  using Environment = std::function<std::optional<std::string>(const std::string&)>;

  Expander(Environment environment, Report& report);

  // A later definition replaces an earlier one of the same name.
  void define(const std::string& name, const RawValue& value, const Location& at);
  const std::vector<std::string>& names() const { return names_; }
  bool is_defined(std::string_view name) const;

  // Counts every ${name} in a value as used, whether the value is expanded or not.
  void note_uses(const Value& value);
  bool is_used(std::string_view name) const;
  // A warning for each variable of the graph that nothing uses.
  void warn_unused() const;

  // What ${route} is; nothing: it is an error.
  void set_route(std::optional<std::string> route) { route_ = std::move(route); }

  // Nothing if something was wrong (and is in the report).
  std::optional<Expanded> expand(const RawValue& raw);

 private:
  struct Variable {
    RawValue value;
    Location at;
    bool expanding = false;
    std::optional<std::optional<Expanded>> expanded;
  };

  std::optional<Expanded> expand_text(const RawValue& raw);
  std::optional<Expanded> expand_list(const RawValue& raw);
  std::optional<Expanded> reference(const RawValue& raw, std::string_view name, std::size_t index);
  std::optional<Expanded> variable(const RawValue& raw, const std::string& name, std::size_t index);
  std::optional<Expanded> from_environment(const RawValue& raw, const std::string& name,
                                           std::size_t index);
  std::optional<Expanded> from_file(const RawValue& raw, const std::string& path,
                                    std::size_t index);

  Environment environment_;
  Report& report_;
  std::map<std::string, Variable, std::less<>> variables_;
  std::vector<std::string> names_;      // in order of definition
  std::vector<std::string> expanding_;  // the variables being expanded, outermost first
  std::set<std::string, std::less<>> uses_;
  std::size_t spliced_bytes_ = 0;
  std::optional<std::string> route_;
};

// `text` with every ${ written as $${.
std::string escaped(std::string_view text);

// Calls `visit` for the name of every ${name} in a text, and the byte where it begins.
void for_each_reference(std::string_view text,
                        const std::function<void(std::string_view, std::size_t)>& visit);

}  // namespace sluice::graph
