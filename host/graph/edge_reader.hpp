// Edges from what was written: "a -> b.in -> c". [control]
#pragma once

#include <deque>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "host/graph/catalog.hpp"
#include "host/graph/document.hpp"
#include "host/graph/expander.hpp"
#include "host/graph/raw_graph.hpp"
#include "host/graph/report.hpp"

namespace sluice::graph {

// Which nodes there are and of what type. Refers to the strings and types it was given.
class NodeIndex {
 public:
  // `type`: null if the type is not known, of which somebody has complained already.
  void add(std::string_view id, const NodeType* type);

  bool contains(std::string_view id) const { return types_.find(id) != types_.end(); }
  const NodeType* type(std::string_view id) const;
  const std::vector<std::string_view>& ids() const { return ids_; }

 private:
  std::unordered_map<std::string_view, const NodeType*> types_;
  std::vector<std::string_view> ids_;
};

// What edges that could not be read may have been meant to connect: nobody should complain that it
// is not connected as well.
struct EdgeDoubts {
  std::set<std::string, std::less<>> nodes;
  bool all = false;  // a node's name was unknown: it may have been any
};

class EdgeReader {
 public:
  // `doubts` may be null.
  EdgeReader(const NodeIndex& nodes, Expander& expander, Report& report, EdgeDoubts* doubts)
      : nodes_(nodes), expander_(expander), report_(report), doubts_(doubts) {}

  // The edges of a chain whose ends are sound; of the others the report says what is wrong. Where a
  // node's type is unknown its edges are left out silently.
  std::vector<Edge> read(const RawEdge& raw);

 private:
  struct Stop {
    std::string_view node;
    std::string_view port;  // empty: the default
    Location at;
    Location port_at;
    const NodeType* type = nullptr;
    std::string in;   // the port that an edge ends at, if one does and it was found
    std::string out;  // the port that an edge begins at
  };

  bool split(const RawValue& raw, const std::string& text, const Expanded& expanded,
             std::vector<Stop>& stops);
  bool stop(const RawValue& raw, std::string_view text, std::size_t begin, const Expanded& expanded,
            std::vector<Stop>& stops);
  void find_ports(Stop& stop, bool ends_here, bool begins_here);
  std::string default_port(const Stop& stop, PortDirection direction);
  std::vector<Edge> read_chain(const RawEdge& raw, std::deque<std::string>& texts,
                               std::vector<Stop>& stops);
  void check_kinds(const Edge& edge, const NodeType& from, const NodeType& to);

  const NodeIndex& nodes_;
  Expander& expander_;
  Report& report_;
  EdgeDoubts* doubts_;
};

}  // namespace sluice::graph
