// One look at everything a running graph can tell: plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "host/engine/meter.hpp"
#include "host/engine/node.hpp"

namespace sluice::engine {

struct NodeSnapshot {
  const Node* node = nullptr;
  NodeState state = NodeState::kStarting;
  std::string sentence;
  uint64_t calls = 0;
  uint64_t busy_ns = 0;
  uint64_t violations = 0;
  std::vector<uint64_t> statistics;  // words of the type's statistics
};

struct OutputSnapshot {
  const OutputPort* port = nullptr;
  uint64_t written_frames = 0;
  uint64_t dropped_frames = 0;
  Levels levels;  // see Engine::snapshot; zero while not metered
};

struct EdgeSnapshot {
  const Edge* edge = nullptr;
  uint64_t fill_frames = 0;
  uint64_t capacity_frames = 0;
  uint64_t read_frames = 0;
  uint64_t lost_frames = 0;
  uint64_t filled_frames = 0;
  uint64_t unread_frames = 0;
  uint64_t gaps = 0;
  const char* loss_reason = nullptr;  // of the newest loss; null if none
  std::optional<int64_t> latency_ns;  // from capture to the reading node, where capture is known
};

struct Snapshot {
  int64_t time_ns = 0;
  std::vector<NodeSnapshot> nodes;
  std::vector<OutputSnapshot> outputs;
  std::vector<EdgeSnapshot> edges;
};

}  // namespace sluice::engine
