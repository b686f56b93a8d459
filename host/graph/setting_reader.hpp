// "node.parameter" and a value, from routes, profiles and --set. [control]
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "host/graph/document.hpp"
#include "host/graph/edge_reader.hpp"
#include "host/graph/expander.hpp"
#include "host/graph/raw_graph.hpp"
#include "host/graph/report.hpp"

namespace sluice::graph {

// What a setting's key names, and where each part of it stands.
struct SettingKey {
  std::string text;
  Location at;
  std::function<Location(std::size_t)> at_index;  // empty: `at` for all of it
};

class SettingReader {
 public:
  SettingReader(const NodeIndex& nodes, Expander& expander, bool check_files, Report& report)
      : nodes_(nodes), expander_(expander), check_files_(check_files), report_(report) {}

  // The parameter that `key` names. `known`: whether the node's type is, otherwise nothing is
  // reported. Null if there is none (then the report says so).
  const Parameter* find(const SettingKey& key, std::string& node);

  // Nothing if something was wrong (and is in the report).
  std::optional<Setting> read(const SettingKey& key, const RawValue& value);

 private:
  const NodeIndex& nodes_;
  Expander& expander_;
  bool check_files_;
  Report& report_;
};

// A --set or --var argument, cut at its "=". Nothing (and a report) if there is none.
struct Argument {
  std::shared_ptr<const SourceText> source;
  std::string key;
  std::size_t value_begin = 0;
};
std::optional<Argument> split_argument(std::string_view option, const std::string& text,
                                       std::string_view form, const std::filesystem::path& folder,
                                       Report& report);

}  // namespace sluice::graph
