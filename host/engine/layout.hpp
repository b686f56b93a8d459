// Which lane runs which node, in which order, and how large each ring has to be. Pure functions on
// nodes that edges join. [control]
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host/engine/node.hpp"

namespace sluice::engine {

// All nodes such that each comes behind those that feed it, otherwise in the given order. Those of
// a cycle, and those behind them, are left out.
std::vector<Node*> topological_order(std::span<Node* const> nodes);

struct LaneLayout {
  std::string name;
  Node* head = nullptr;      // null: a mixing lane
  std::vector<Node*> steps;  // passive nodes, in topological order
  bool is_closed = false;    // has ended: takes no further nodes
};

// Gives every node that is in none of `lanes` its place in one of them or in a new one. A device or
// threaded node heads a lane of its own. A passive node belongs to the lane all its inputs come
// from; fed by several, to that of the one device it feeds, or else to a mixing lane. A heavy one
// never joins a device's lane. One that is apart gets a mixing lane, which only what that lane
// alone feeds may join.
void assign_lanes(std::span<Node* const> ordered, std::vector<LaneLayout>& lanes);

struct SizingOptions {
  uint32_t block_frames = 1024;
  double crossing_ms = 0.0;  // room to breathe where an edge crosses lanes
  // Room for what an input keeps while it waits for a late sibling; with less it waits less long.
  bool has_patience = true;
};

// What the ring behind one output needs: for each edge what its reader holds back, how much longer
// a sibling path that meets it again takes, two of the largest blocks, and what the edge asks for.
struct RingSize {
  uint64_t frames = 0;
  uint64_t held_frames = 0;     // of these, what a reader may keep from being written again
  uint64_t history_frames = 0;  // that a new reader in the place of such a one may want to find
  // By how much readers that are passed over may be behind the one that paces, where the writer has
  // no clock and so is ahead by all there is room for. On top of `frames`.
  uint64_t trail_frames = 0;
};
RingSize ring_size(const OutputPort& output, const SizingOptions& options);

// For every node, in `ordered`: seconds by which its slowest path from a source lags, by what nodes
// hold back, by their latency, by what they keep lying and by delays. Fills Node::lag_s.
void accumulate_lags(std::span<Node* const> ordered);

// Sets alignment_frames, and delay_frames with it, of those edges that are new and have an
// alignment number, such that behind all edges of a number the slowest way to a sink ends at the
// same time; where such an edge leads on to another it is that one which is delayed. Lags are as
// accumulate_lags leaves them. What runs keeps its delay; running edges that would need a longer
// one are returned, and the others are as late as these are.
std::vector<Edge*> align_edges(std::span<Node* const> ordered,
                               std::span<const std::unique_ptr<Edge>> edges);

}  // namespace sluice::engine
