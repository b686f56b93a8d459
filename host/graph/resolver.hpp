// Makes a checked document of a RawGraph. [control]
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/graph/catalog.hpp"
#include "host/graph/document.hpp"
#include "host/graph/edge_reader.hpp"
#include "host/graph/expander.hpp"
#include "host/graph/load.hpp"
#include "host/graph/raw_graph.hpp"
#include "host/graph/report.hpp"
#include "host/graph/setting_reader.hpp"

namespace sluice::graph {

class Resolver {
 public:
  // All must outlive it. `folder`: where relative paths from the command line start.
  Resolver(const RawGraph& raw, const Catalog& catalog, const LoadOptions& options,
           std::filesystem::path folder, Report& report);

  // The document, whose meaning is complete only if the report has no errors. `file` (absolute, or
  // empty) and `folder` are its own; `default_name` is for a graph without a name.
  Document resolve(const std::filesystem::path& file, const std::filesystem::path& folder,
                   std::string default_name);

 private:
  using Address = std::pair<std::string, std::string>;  // node, parameter
  struct EdgeOverride {
    std::string key;
    std::string option;
    ParameterValue value;
    Location at;
  };

  void choose_profile();
  void define_variables();
  void note_uses();
  void index_nodes();
  void read_head(std::string default_name);
  void read_switches();
  RawMember initial_route(const RawSwitch& raw);
  void choose_routes();
  void take_initial(Switch& target, const RawSwitch& raw);
  void read_settings();
  void read_setting_argument(const std::string& text);
  void read_edge_option(const SettingKey& key, const RawValue& value);
  void override_routes(const Setting& setting);
  void override_with(const Setting& setting);
  void read_edges();
  void override_edges();
  void read_nodes();
  void read_node(const RawNode& raw, const NodeType* type);
  void read_host_keys(const RawNode& raw, Node& node);
  void read_parameters(const RawNode& raw, const NodeType& type, Node& node);
  std::optional<NodeParameter> given_parameter(const RawMember& member, const Parameter& parameter);
  void missing_parameter(const NodeType& type, const Parameter& parameter, Node& node);
  void refuse_unknown_parameters(const RawNode& raw, const NodeType& type);
  std::optional<std::string> text_of(const RawValue& raw, std::string_view what);

  const RawGraph& raw_;
  const Catalog& catalog_;
  const LoadOptions& options_;
  std::filesystem::path folder_;
  Report& report_;
  Expander expander_;
  NodeIndex index_;
  SettingReader settings_;
  Document document_;
  const RawProfile* profile_ = nullptr;
  std::map<std::string, RawMember, std::less<>> chosen_;  // switch: its route
  std::map<Address, Setting> overrides_;
  std::vector<EdgeOverride> edge_overrides_;
  std::set<Address> routed_;  // what some route sets
  EdgeDoubts doubts_;
  std::vector<Edge> more_;        // edges of "*" routes
  std::set<std::string> active_;  // nodes that an active edge reaches
};

}  // namespace sluice::graph
