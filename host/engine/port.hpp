// Ports and edges: where the nodes of a running graph meet the rings.
//
// An OutputPort owns the ring behind it. An Edge is a read cursor on that ring with a gain. An
// InputPort sums its edges. With one edge at unity a node reads the ring's own memory.
#pragma once

#include <sluice/plugin.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host/engine/meter.hpp"
#include "host/engine/ring/latch.hpp"
#include "host/engine/ring/mark_ring.hpp"
#include "host/engine/ring/packet_ring.hpp"
#include "host/engine/ring/ring.hpp"
#include "sluice/ramp.hpp"

namespace sluice::engine {

class InputPort;
class Lane;
class Node;
class OutputPort;

enum class WhenFull : uint8_t { kWait = 1, kSkip };

// What the owner of a clock said last: at `monotonic_ns`, `frames` frames had passed; `ratio` is
// the measured rate over the nominal one. All zero before the first word.
struct ClockReading {
  double frames = 0.0;
  int64_t monotonic_ns = 0;
  double ratio = 0.0;
};

// How an edge behaves. Frames are those of the output's rate.
struct EdgeOptions {
  WhenFull when_full = WhenFull::kWait;
  double gain_db = 0.0;
  // Read this far behind the writer.
  uint64_t delay_frames = 0;
  // Room in the ring beyond what the reader's node needs.
  uint64_t buffer_frames = 0;
  // kSkip: where a reader that was overtaken goes on, behind the newest frame.
  uint64_t target_frames = 0;
  // An input that sums lets the other edges run ahead of this one by so much before it takes
  // silence for it; kNeverFill where everything can wait.
  static constexpr uint64_t kNeverFill = UINT64_MAX;
  uint64_t fill_after_frames = kNeverFill;
};

// A code on its way from a reader to the nodes in front of it. One writer (the reader's lane), one
// reader (the writer's lane). Full: the newest is dropped, as the older ones already say that
// something happened.
class UpstreamQueue {
 public:
  void push(uint32_t code) noexcept {  // [audio, worker]
    const uint32_t head = head_.load(std::memory_order_relaxed);
    if (head - tail_.load(std::memory_order_acquire) == codes_.size()) return;
    codes_[head % codes_.size()] = code;
    head_.store(head + 1, std::memory_order_release);
  }
  // 0 if there is none. [audio]
  uint32_t pop() noexcept {
    const uint32_t tail = tail_.load(std::memory_order_relaxed);
    if (tail == head_.load(std::memory_order_acquire)) return 0;
    const uint32_t code = codes_[tail % codes_.size()];
    tail_.store(tail + 1, std::memory_order_release);
    return code;
  }
  bool is_empty() const noexcept {
    return tail_.load(std::memory_order_relaxed) == head_.load(std::memory_order_relaxed);
  }

 private:
  std::array<uint32_t, 16> codes_{};
  std::atomic<uint32_t> head_{0}, tail_{0};
};

// An output joined to an input. The cursor, the gain and the offset belong to the reader's lane.
class Edge {
 public:
  Edge(OutputPort& output, InputPort& input, const EdgeOptions& edge_options)
      : from(output), to(input), options(edge_options) {}

  OutputPort& from;
  InputPort& to;
  const EdgeOptions options;

  // Set when the graph is wired [control]; constant while a plan with this edge is in force.
  bool is_local = false;  // both ends in one lane: no bells

  // Reader's lane.
  Cursor cursor;
  PacketCursor packets;
  MarkReader marks;
  int64_t offset = 0;             // input position minus stream position
  bool is_aligned = false;        // offset is fixed
  Ramp gain;                      // of the edge
  Ramp presence;                  // falls when data is missing, rises when it is back
  std::vector<float> last_frame;  // what a missing frame fades from
  bool is_silent = false;         // a SILENCE_BEGINS without its end was read

  // The reader is done with it and the cursor detached. Written by the reader's lane.
  std::atomic<bool> is_closed{false};
  uint32_t slot = 0;             // of the cursor, while not closed
  uint64_t attach_position = 0;  // of the first frame it could read
  // Linear gain wanted; the reader's lane ramps to it. [any]
  std::atomic<float> gain_target{1.0F};

  // Statistics: written by the reader's lane, read by anybody.
  std::atomic<uint64_t> read_frames{0};           // consumed by the node
  std::atomic<uint64_t> lost_frames{0};           // skipped, discarded or late
  std::atomic<uint64_t> filled_frames{0};         // silence in place of missing data
  std::atomic<uint64_t> gaps{0};                  // how often either happened
  std::atomic<const char*> loss_reason{nullptr};  // of the newest loss: a literal
  std::atomic<uint64_t> unread_frames{0};         // still there when the reader was done

  // What a sleeping lane waits for at this edge; read by the other side after a full fence.
  std::atomic<uint32_t> wanted_frames{1};
  std::atomic<uint32_t> wanted_room{1};  // in comfort
  std::atomic<uint32_t> least_room{1};   // when the reader is about to starve

  UpstreamQueue upstream;

  bool is_ended() const;
  // Frames between the cursor and the writer; 0 once closed. [any]
  uint64_t fill() const {
    const auto state = from_ring().cursor_state(slot);
    const uint64_t written = from_ring().written();
    return state && !is_closed && written > state->position ? written - state->position : 0;
  }
  const Ring& from_ring() const;
  // Passes over up to `frames` unread; returns how many. Reader's lane.
  uint64_t throw_away(uint64_t frames);
  void count_lost(uint64_t frames, const char* reason) {
    loss_reason.store(reason, std::memory_order_relaxed);
    lost_frames.store(lost_frames.load(std::memory_order_relaxed) + frames,
                      std::memory_order_relaxed);
    gaps.store(gaps.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
};

// One output of a node.
class OutputPort {
 public:
  OutputPort(Node& owner, uint32_t index, const sluice_port& declared)
      : node(owner), port_index(index), declaration(declared) {}

  Node& node;
  const uint32_t port_index;  // in the type's array
  const sluice_port& declaration;

  bool is_pcm() const { return declaration.kind == SLUICE_PCM; }

  // Fixed while running.
  sluice_format format{};
  uint32_t frame_bytes = 0;
  bool is_live = false;
  uint64_t latency_frames = 0;
  uint32_t max_block_frames = 0;
  std::unique_ptr<Ring> ring;
  std::unique_ptr<PacketRing> packet_ring;
  MarkRing marks;
  // What a writer may ask for at once without waiting for ever.
  uint32_t largest_wait_frames = 0;

  // Writer's lane.
  std::span<Edge* const> edges;  // set by the lane's plan
  bool has_remote_edges = false;
  bool is_ended = false;
  std::byte* open_span = nullptr;  // of a threaded node's begin_write
  Meter meter;
  Latch<ClockReading> clock;

  uint64_t written() const { return ring->written(); }
  // Room for the node: nothing while nobody reads and the output can wait.
  WriteSpan begin(uint32_t maximum_frames) {
    if (!is_live && !has_readers()) return {.position = ring->write_position()};
    return ring->begin_write(maximum_frames);
  }
  bool has_readers() const {
    for (const Edge* edge : edges) {
      if (!edge->is_closed.load(std::memory_order_relaxed)) return true;
    }
    return false;
  }
  uint32_t room(uint32_t maximum_frames) { return begin(maximum_frames).frames; }
  // `capture_ns`: of the first frame committed.
  void commit(uint32_t frames, int64_t capture_ns) {
    if (capture_ns != SLUICE_NO_TIME) marks.set_time({ring->write_position(), capture_ns});
    ring->end_write(frames);
  }
  // `frames` frames had no room: their place becomes silence, marked as a gap.
  void drop(uint64_t frames, Lane& lane);
  // The stream ends behind what has been written.
  void end();
};

// What an input offers its node.
struct InputView {
  const void* data = nullptr;
  uint32_t frames = 0;
  uint32_t flags = 0;  // SLUICE_INPUT_*
  uint64_t position = 0;
  int64_t capture_ns = SLUICE_NO_TIME;
};

// One input of a node. All functions belong to the reader's lane.
class InputPort {
 public:
  InputPort(Node& owner, uint32_t index, const sluice_port& declared)
      : node(owner), port_index(index), declaration(declared) {}

  Node& node;
  const uint32_t port_index;
  const sluice_port& declaration;

  bool is_pcm() const { return declaration.kind == SLUICE_PCM; }

  // Fixed while running.
  sluice_format format{};
  uint32_t frame_bytes = 0;
  uint64_t hold_frames = 0;
  uint64_t wished_frames = 0;  // buffering the node asked for
  uint32_t max_block_frames = 0;

  std::span<Edge* const> edges;  // set by the lane's plan

  Latch<ClockReading> clock;

  // Newest end-to-end latency seen here (read time minus capture time); [any].
  std::atomic<int64_t> measured_latency_ns{SLUICE_NO_TIME};

  // Allocates what summing and marks need: views of up to `maximum_frames`. [control]
  void prepare(uint32_t maximum_frames);

  // Frames that begin() could offer now.
  uint64_t available();
  // All edges have ended (or there are none) and nothing is left.
  bool is_ended() const;
  bool is_idle() const;

  // Offers up to `maximum_frames`; end() consumes the first `frames` of them.
  InputView begin(uint32_t maximum_frames);
  void end(uint32_t frames);
  // Offers exactly `frames`, with ramped silence for what is missing. For devices.
  InputView begin_filled(uint32_t frames);

  // Marks up to the end of the view, not consumed past yet; valid until end().
  std::span<const sluice_mark> marks() const { return {marks_.data(), mark_count_}; }
  bool has_new_marks() const;
  // Takes the oldest mark at or before `position`.
  bool take_mark(uint64_t position, sluice_mark& mark);

  uint64_t position() const { return position_; }
  // Packet ports take one edge: that edge, null if it is closed or missing.
  Edge* packet_edge() const { return edges.empty() || edges[0]->is_closed ? nullptr : edges[0]; }
  // Throws the oldest frames away; counted.
  void discard(uint64_t frames, const char* reason);
  // The node is done: no edge holds its writer back any more.
  void close();

 private:
  static constexpr uint32_t kMaxMarks = 256;

  bool is_direct() const {
    if (edges.size() != 1) return false;
    const Edge& edge = *edges[0];
    return edge.gain_target.load(std::memory_order_relaxed) == 1.0F && !edge.gain.is_moving() &&
           edge.gain.value() == 1.0 && !edge.presence.is_moving() && edge.presence.value() == 1.0;
  }
  void align(Edge& edge);
  void collect_marks(Edge& edge, uint64_t up_to_stream_position);
  void add_mark(const sluice_mark& mark);
  void retire_marks();
  uint64_t aligned_available(Edge& edge);
  void note_jump(Edge& edge, uint64_t lost_frames);
  InputView begin_sum(uint32_t frames);
  void mix(Edge& edge, uint32_t frames, bool first);
  int64_t capture_of(const Edge& edge, uint64_t stream_position) const;

  uint64_t position_ = 0;
  std::vector<sluice_mark> marks_;
  uint32_t mark_count_ = 0;
  std::vector<float> sum_;
  uint32_t sum_frames_ = 0;  // that fit in sum_
  bool is_summing_ = false;
};

}  // namespace sluice::engine
