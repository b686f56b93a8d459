// The statistics of a running graph as rows of numbers, for clients that watch many nodes often:
// what each number is stands in a layout, which is sent once and whenever it changes. [control]
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/engine/snapshot.hpp"

namespace sluice::control {

class StatisticsRows {
 public:
  // Looks at a snapshot of a graph in its `version`th form; whether rows mean something else from
  // here on.
  bool take(const engine::Snapshot& snapshot, int64_t start_ns, uint64_t version);

  // {"nodes": {"hub": ["state", "calls", ...]}, "outputs": {...}, "edges": {...}}: the names of the
  // numbers, by the names that the statistics have as objects.
  const std::string& layout() const { return layout_; }
  // {"time_s": 1.5, "nodes": [["running", 12, ...]], "outputs": [[...]], "edges": [[...]]} in that
  // order. What is not known is null.
  const std::string& rows() const { return rows_; }

 private:
  void lay_out(const engine::Snapshot& snapshot);

  // Nodes, ports and edges; others may lie at their places in another version.
  std::vector<const void*> laid_out_;
  uint64_t version_ = 0;
  std::string layout_;
  std::string rows_;
};

}  // namespace sluice::control
