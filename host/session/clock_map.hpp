// Follows clocks through a graph and says what each edge does when its reader is slower than its
// writer. [control]
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/engine/port.hpp"
#include "host/graph/document.hpp"
#include "host/session/clock_name.hpp"

namespace sluice::session {

class ClockMap {
 public:
  // A port and the clock its node declares for it.
  void add(const engine::Node& node, uint32_t port, ClockName clock);
  // An edge, with what the graph says of it. Edges are numbered in the order of these calls.
  void join(const engine::OutputPort& from, const engine::InputPort& to, bool is_pacer,
            std::optional<graph::WhenFull> when_full);
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
  // Sentences on edges where two clocks meet.
  std::vector<std::string> notes() const;

 private:
  struct Link {
    const engine::OutputPort* from;
    const engine::InputPort* to;
    bool is_pacer;
    std::optional<graph::WhenFull> when_full;
  };
  const ClockName& own(const engine::Node& node, uint32_t port) const;
  const ClockName& upstream(size_t link) const;
  const ClockName& downstream(size_t link) const;
  size_t pacer_of(const engine::OutputPort& output) const;

  struct Entry {
    const engine::Node* node;
    uint32_t port;
    ClockName clock;
  };
  std::vector<Entry> clocks_;
  std::vector<Link> links_;
  // Found once; emptied by every change.
  mutable std::map<size_t, ClockName> upstream_, downstream_;
};

}  // namespace sluice::session
