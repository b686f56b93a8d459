// Routes of a switch, and "*" routes that get their name later. [control]
#pragma once

#include <functional>
#include <map>
#include <string>

#include "host/graph/document.hpp"
#include "host/graph/edge_reader.hpp"
#include "host/graph/expander.hpp"
#include "host/graph/raw_graph.hpp"
#include "host/graph/report.hpp"

namespace sluice::graph {

// Everything but the name: all variables are in it, kRouteMark stands where the name belongs.
struct RouteTemplate {
  RawRoute route;
  // Settings of secret parameters: the ${...} they were read by, empty if they stand there in
  // clear.
  std::map<std::string, std::string, std::less<>> secrets;
};

class RouteReader {
 public:
  // `doubts` may be null.
  RouteReader(const NodeIndex& nodes, Expander& expander, bool check_files, Report& report,
              EdgeDoubts* doubts)
      : nodes_(nodes),
        expander_(expander),
        check_files_(check_files),
        report_(report),
        doubts_(doubts) {}

  // `raw` with its name as ${route}. An edge that is there twice is reported.
  Route read(const RawRoute& raw);

  // Checks what can be checked without the name; the edges that do not depend on it go to `edges`.
  RouteTemplate read_template(const RawRoute& raw, std::vector<Edge>& edges);

 private:
  const NodeIndex& nodes_;
  Expander& expander_;
  bool check_files_;
  Report& report_;
  EdgeDoubts* doubts_;
};

// The route that `route_template` stands for when it is called `name`.
RawRoute put_name(const RouteTemplate& route_template, const std::string& name);

}  // namespace sluice::graph
