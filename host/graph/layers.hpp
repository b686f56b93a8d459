// Where the nodes of a graph stand in a picture: in layers, from sources on the left to sinks on
// the right. [any]
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "host/graph/document.hpp"

namespace sluice::graph {

// One place in a layer: a node, or an edge passing through on its way to a later layer.
struct Place {
  const Node* node = nullptr;  // null: an edge passes
  size_t layer = 0;
  size_t row = 0;  // within the layer
};

// A piece of an edge between places of neighbouring layers.
struct Segment {
  size_t from, to;  // indexes of places
  const Edge* edge;
  bool is_last;  // ends at the reader
};

struct Layers {
  std::vector<Place> places;
  std::vector<Segment> segments;
  std::vector<std::vector<size_t>> columns;  // places of each layer, from top to bottom
  std::vector<Edge> edges;                   // that run at the start; segments point here
};

// Each node stands behind all that feed it, in as few layers as possible; within a layer, near the
// middle of what feeds it (barycentre rule of Sugiyama, Tagawa and Toda, 1981).
Layers arrange(const Document& document);

// "-6 dB, 40 ms late, skips": what an edge says of itself; empty if nothing.
std::string label_of(const Edge& edge);

}  // namespace sluice::graph
