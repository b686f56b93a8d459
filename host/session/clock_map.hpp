// Follows clocks through a graph: says where two of them meet, and what each edge does when its
// reader is slower than its writer. A bridge (SLUICE_TYPE_BRIDGES_CLOCKS) has its writer's clock in
// front and its reader's behind. [control]
#pragma once

#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "host/engine/node.hpp"
#include "host/engine/port.hpp"
#include "host/graph/document.hpp"
#include "host/session/clock_name.hpp"

namespace sluice::session {

// Such a node carries audio from one clock to another. [any]
inline bool is_bridge(const engine::Node& node) {
  return (node.type().flags & SLUICE_TYPE_BRIDGES_CLOCKS) != 0;
}

class ClockMap {
 public:
  // A port and the clock its node declares for it.
  void add(const engine::Node& node, uint32_t port, ClockName clock);
  // An edge, with what the graph says of it. Edges are numbered in the order of these calls.
  // One that `is_running` keeps what it has as far as that can be: among equals it goes on pacing
  // its writer, and a passive node keeps to the clock that it brings.
  void join(const engine::OutputPort& from, const engine::InputPort& to, bool is_pacer,
            std::optional<graph::WhenFull> when_full, bool is_running = false);
  // The passive node keeps to the clock of what it feeds, whatever feeds it.
  void follow_reader(const engine::Node& node) { followers_.insert(&node); }
  // No clock counts any more: everybody waits for everybody, as in offline rendering.
  void forget();

  struct Policy {
    engine::WhenFull when_full = engine::WhenFull::kWait;
    double target_ms = 0.0;               // kSkip: where to go on, behind the newest frame
    std::optional<double> fill_after_ms;  // how long a sum waits for this edge; none: for ever
    std::string complaint;                // why the graph's own choice cannot be; empty if it can
  };
  // A file with nothing in real time around it waits for every reader. Otherwise one edge of an
  // output paces it (`pace`, else device before monotonic before none) and waits, and its siblings
  // skip, so that no stuck reader holds up another.
  Policy policy(size_t edge) const;

  // The clock that moves frames through a port: its own, or its neighbours'.
  ClockName clock(const engine::Node& node, uint32_t port) const;
  // Edges where two clocks meet and no bridge stands, in their order. One for each path: where a
  // passive node is fed by several clocks, in front of it; otherwise as late as possible.
  const std::vector<size_t>& meetings() const;
  // The clocks at the two ends of an edge.
  ClockName writer_clock(size_t edge) const;
  ClockName reader_clock(size_t edge) const;
  // Sentences on these edges.
  std::vector<std::string> notes() const;

 private:
  struct Link {
    const engine::OutputPort* from;
    const engine::InputPort* to;
    bool is_pacer;
    std::optional<graph::WhenFull> when_full;
    bool is_running;
  };
  const ClockName& own(const engine::Node& node, uint32_t port) const;
  // The clock that a passive node keeps to.
  const ClockName& domain(const engine::Node& node) const;
  std::vector<ClockName> clocks_into(const engine::Node& node, bool only_running) const;
  ClockName clock_behind(const engine::Node& node, bool only_running) const;
  const ClockName& upstream(size_t link) const;
  const ClockName& downstream(size_t link) const;
  size_t pacer_of(const engine::OutputPort& output) const;

  // Numbers of the links at a node or port, in their order.
  class Index {
   public:
    void add(const void* key, size_t link) {
      keys_.emplace_back(key, link);
      is_sorted_ = false;
    }
    std::span<const size_t> at(const void* key) const;

   private:
    mutable std::vector<std::pair<const void*, size_t>> keys_;
    mutable std::vector<size_t> links_;  // in the order of keys_, if that is sorted
    mutable bool is_sorted_ = true;
  };
  void forget_found();

  std::unordered_map<const engine::Node*, std::vector<ClockName>> clocks_;  // by port
  std::vector<Link> links_;
  Index into_node_, out_of_node_, into_port_, out_of_port_;
  std::set<const engine::Node*> followers_;
  // Found once; emptied by every change.
  mutable std::vector<std::optional<ClockName>> upstream_, downstream_;
  mutable std::unordered_map<const engine::Node*, ClockName> domains_;
  mutable std::optional<std::vector<size_t>> meetings_;
};

}  // namespace sluice::session
