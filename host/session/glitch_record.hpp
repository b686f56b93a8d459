// What went wrong at edges: each loss as it was seen, with its cause and how full the edge was
// around it. Fed with snapshots about ten times a second. [control]
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/engine/snapshot.hpp"
#include "host/graph/value.hpp"

namespace sluice::session {

// Between two looks at an edge frames were lost or filled in.
struct Glitch {
  std::string edge;  // "a.out->b.in"
  double time_s = 0.0;
  uint64_t lost_frames = 0;    // since the look before
  uint64_t filled_frames = 0;  // likewise
  uint64_t gaps = 0;           // likewise
  std::string reason;          // of the newest loss; empty if frames were filled in alone
  uint64_t capacity_frames = 0;
  std::vector<std::pair<double, uint64_t>> fills;  // time_s and frames, before and at the event
};
graph::Value to_json(const Glitch& glitch);

class GlitchRecord {
 public:
  // What is new in this snapshot. Times count from `start_ns`.
  std::vector<Glitch> look(const engine::Snapshot& snapshot, int64_t start_ns);
  // The recorded ones of an edge, of all edges at a node, or (empty) all, oldest first.
  graph::Value about(const std::string& edge_or_node) const;

 private:
  // One edge of the engine: of two of the same name one may be on its way out.
  struct Watched {
    uint64_t lost_frames = 0, filled_frames = 0, gaps = 0;
    std::deque<std::pair<double, uint64_t>> fills;
  };
  std::map<uint64_t, Watched> edges_;  // by serial
  std::deque<Glitch> glitches_;
};

}  // namespace sluice::session
