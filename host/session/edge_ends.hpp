// What tells an edge from all others of a document, without making its key. [any]
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include "host/graph/document.hpp"

namespace sluice::session {

// Refers to the edge's names: these must stay where they are.
struct EdgeEnds {
  EdgeEnds(const graph::Edge& edge)  // NOLINT: implicit
      : from_node(edge.from_node),
        from_port(edge.from_port),
        to_node(edge.to_node),
        to_port(edge.to_port) {}

  std::string_view from_node, from_port, to_node, to_port;

  friend bool operator==(const EdgeEnds& a, const EdgeEnds& b) = default;
};

}  // namespace sluice::session

template <>
struct std::hash<sluice::session::EdgeEnds> {
  std::size_t operator()(const sluice::session::EdgeEnds& ends) const {
    constexpr std::size_t kFactor = 1'000'003;  // a prime, so that the order of the names counts
    const std::hash<std::string_view> of_name;
    // Most nodes are joined by one pair of ports only.
    return of_name(ends.from_node) * kFactor + of_name(ends.to_node);
  }
};
