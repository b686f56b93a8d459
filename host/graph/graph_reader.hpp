// Graph files, with what they include, as a RawGraph. [control], reads files.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "host/graph/json_text.hpp"
#include "host/graph/raw_graph.hpp"
#include "host/graph/report.hpp"

namespace sluice::graph {

// Must outlive the RawGraph it filled.
class GraphReader {
 public:
  explicit GraphReader(Report& report) : report_(report) {}

  // Reads one document and what it includes into graph(). `file` (absolute, empty if there is none)
  // and `shown_file` name it.
  void read(std::string text, const std::filesystem::path& file, const std::string& shown_file,
            const std::filesystem::path& folder);

  RawGraph& graph() { return graph_; }
  // Whether the text could be read at all, so that its content says something.
  bool is_complete() const { return complete_; }

 private:
  struct Open {
    std::filesystem::path file;
    std::string shown_file;
  };
  using Source = std::shared_ptr<const SourceText>;

  void document(const Json& root, const Source& source);
  void member(const Json& json, const Source& source);
  void version(const Json& root);
  void include(const Json& json, const Source& source);
  void include_file(const Json& json, const Source& source);
  void nodes(const Json& json, const Source& source);
  void node(const Json& json, const Source& source);
  void switches(const Json& json, const Source& source);
  void a_switch(const Json& json, const Source& source);
  void own_routes(const Json& json, const Source& source);
  void own_route(const Json& json, const Source& source);
  void routes(const Json& json, const Source& source, RawSwitch& to);
  void profiles(const Json& json, const Source& source);
  std::vector<RawEdge> edges(const Json& json, const Source& source);
  std::optional<RawEdge> edge_element(const Json& json, const Source& source);
  RawEdge keyed_edge(const Json& json, const Source& source);
  std::vector<RawMember> members(const Json& json, const Source& source);
  RawSwitch& main_switch(const Json& json);

  // Complain about the wrong kind and return false.
  bool expect(const Json& json, JsonKind kind, std::string_view what);
  void unknown_key(const Json& json, std::string_view of,
                   const std::vector<std::string_view>& known);
  // Complains if `name` is there already; `what` is "node", "variable", ...
  bool is_fresh(const Json& json, std::string_view what, const std::string& name);
  void once(std::optional<RawValue>& to, const Json& json, const Source& source);

  Report& report_;
  RawGraph graph_;
  std::vector<std::unique_ptr<JsonText>> texts_;
  std::vector<Source> sources_;
  std::vector<Open> open_;  // the file being read, inside those that include it
  std::unordered_map<std::string, Location> seen_;
  std::optional<std::size_t> main_switch_;
  bool complete_ = true;
};

}  // namespace sluice::graph
