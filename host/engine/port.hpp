// The ports of a node: an OutputPort owns the ring behind it, an InputPort sums its edges. With one
// edge at unity a node reads the ring's own memory.
#pragma once

#include <sluice/plugin.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "host/engine/edge.hpp"
#include "host/engine/meter.hpp"
#include "host/engine/ring/latch.hpp"
#include "host/engine/ring/mark_ring.hpp"
#include "host/engine/ring/packet_ring.hpp"
#include "host/engine/ring/ring.hpp"

namespace sluice::engine {

class Lane;
class Node;

// What the owner of a clock said last: at `monotonic_ns`, `frames` frames had passed; `ratio` is
// the measured rate over the nominal one. All zero before the first word.
struct ClockReading {
  double frames = 0.0;
  int64_t monotonic_ns = 0;
  double ratio = 0.0;
};

// One output of a node.
class OutputPort {
 public:
  OutputPort(Node& owner, uint32_t index, const sluice_port& declared)
      : node(owner),
        port_index(index),
        declaration(declared),
        is_pcm_(declared.kind == SLUICE_PCM) {}

  Node& node;
  const uint32_t port_index;  // in the type's array
  const sluice_port& declaration;
  // Every edge from here that is announced, runs or leaves, in the order of connect. [control]
  std::vector<Edge*> joined;

  bool is_pcm() const { return is_pcm_; }

  // Fixed while running.
  sluice_format format{};
  uint32_t frame_bytes = 0;
  bool is_live = false;  // its data cannot wait
  uint64_t latency_frames = 0;
  uint64_t kept_frames = 0;  // what the node keeps lying in front of its reader
  uint32_t max_block_frames = 0;
  std::unique_ptr<Ring> ring;
  std::unique_ptr<PacketRing> packet_ring;
  MarkRing marks;
  uint64_t least_frames = 0;        // that the ring is to hold, whoever reads now
  uint64_t end_frame = UINT64_MAX;  // a threaded node is given no room behind it, and stopped there
  // Counted by the node that this one's replaces; added in snapshots. [control]
  uint64_t carried_written_frames = 0, carried_dropped_frames = 0;
  // What a writer may wait for at once, and what a reader may: together they fit into the ring, so
  // that the two never wait for each other.
  uint32_t largest_wait_frames = 0;
  uint32_t largest_want_frames = 0;

  // Writer's lane.
  std::span<Edge* const> edges;  // set by the lane's plan
  bool has_remote_edges = false;
  bool has_commits = false;  // since the lane last told its readers
  bool has_marks = false;    // likewise: what every reader must be told
  bool is_ended = false;
  std::byte* open_span = nullptr;  // of a threaded node's begin_write
  Meter meter;
  Latch<ClockReading> clock;

  // Readers asleep for want of data: then every bit of room is worth a wake-up. [any]
  std::atomic<uint32_t> starving_readers{0};

  // [any]
  uint64_t written() const { return ring->written(); }
  // Somebody has a cursor on it.
  bool has_readers() const {
    return is_pcm_ ? ring->has_cursors() : packet_ring->cursor_count() != 0;
  }

  // Everything below belongs to the writer's lane.

  // Room for the node. None while nobody reads any output of the node and this one can wait: it
  // holds its place. An output that nobody reads beside one that is read runs on.
  WriteSpan begin(uint32_t maximum_frames) {
    if (!is_live && !has_readers() && is_held()) return {nullptr, 0, ring->write_position()};
    if (ring->owed_frames() != 0) pay_silence();
#if SLUICE_SINGLE_MAPPING
    return begin_whole(maximum_frames);
#else
    return ring->begin_write(maximum_frames);
#endif
  }
  // Whether begin(frames) would give so many.
  bool has_room(uint32_t frames);
  // Publishes the first `frames` of the span. `capture_ns`: of the first of them.
  void commit(uint32_t frames, int64_t capture_ns) {
    if (has_dropped_) go_on_after_drop(frames);
    if (capture_ns != SLUICE_NO_TIME) marks.set_time({ring->write_position(), capture_ns});
#if SLUICE_SINGLE_MAPPING
    if (is_detour_) return commit_detour(frames);
#endif
    ring->end_write(frames);
  }
  // `frames` frames had no room: their place becomes silence, marked as a gap, as soon as there is
  // room for that. Behind a waiting reader that is not much faster than the writer that could go on
  // for ever, as meanwhile more is dropped. So if it took less than twice as much as was dropped
  // while patience_frames() of silence were written, what is still owed is given up: the stream
  // jumps, marked as a discontinuity, there and wherever else frames have no room, until all have
  // found room for ten seconds.
  void drop(uint64_t frames);
  // The stream ends behind what has been written; silence still owed for drops is not waited for.
  void end();
  // All its readers are done and nobody else will come.
  bool is_abandoned() const;

 private:
  bool is_held() const;
  void mark_gap();
  void go_on_after_drop(uint32_t frames);
  void pay_silence();
  uint64_t patience_frames() const;
#if SLUICE_SINGLE_MAPPING
  WriteSpan begin_whole(uint32_t maximum_frames);
  void commit_detour(uint32_t frames);
#endif

  const bool is_pcm_;

  // A long gap is told in a few marks, each about as long as all before: a reader that lags
  // sees 64.
  uint64_t gap_frames_ = 0;         // of the gap so far
  uint64_t unmarked_frames_ = 0;    // of these, not marked yet
  uint64_t unmarked_position_ = 0;  // where they begin

  uint64_t paid_frames_ = 0;     // silence written for drops since the last judgement
  uint64_t dropped_frames_ = 0;  // dropped since the first of these
  bool is_jumping_ = false;      // readers lag for good: what has no room leaves no place behind
  bool has_dropped_ = false;     // lately
  uint64_t jumped_frames_ = 0;   // not marked yet
  uint64_t whole_frames_ = 0;    // committed since the last drop

#if SLUICE_SINGLE_MAPPING
  // Spans must not cross the end of the first mapping, so the node writes here instead.
  std::vector<std::byte> detour_;
  bool is_detour_ = false;
#endif
};

// What an input offers its node.
struct InputView {
  const void* data = nullptr;
  uint32_t frames = 0;
  uint32_t flags = 0;  // SLUICE_INPUT_*
  uint64_t position = 0;
  int64_t capture_ns = SLUICE_NO_TIME;
};

// One input of a node, with a timeline of its own. All functions belong to the reader's lane.
//
// Every edge of it is tied to that timeline when its first frame is there: by capture time where
// both have one, otherwise so that its next frame comes next. From then on each frame of the stream
// has its place. What comes too late for it is passed over and counted. A stream that was missing
// for so long that it has faded out, or begins again behind deliberate silence, is tied anew.
class InputPort {
 public:
  InputPort(Node& owner, uint32_t index, const sluice_port& declared)
      : node(owner),
        port_index(index),
        declaration(declared),
        is_pcm_(declared.kind == SLUICE_PCM) {}

  Node& node;
  const uint32_t port_index;
  const sluice_port& declaration;
  // Every edge to here that is announced, runs or leaves, in the order of connect. [control]
  std::vector<Edge*> joined;

  bool is_pcm() const { return is_pcm_; }

  // Fixed while running.
  sluice_format format{};
  uint32_t frame_bytes = 0;
  uint64_t hold_frames = 0;
  uint64_t wished_frames = 0;       // buffering the node asked for
  uint64_t kept_frames = 0;         // of it, what it usually keeps lying here
  uint64_t heard_after_frames = 0;  // of a sink: from when it takes a frame on
  uint32_t max_block_frames = 0;

  // Once, or it will be: without an edge it is silent, not ended. For the engine [control]
  bool was_connected = false;
  std::atomic<bool> has_timed_edges{false};  // a writer wants to know when it is read

  std::span<Edge* const> edges;   // set by the lane's plan
  bool has_remote_edges = false;  // likewise
  bool stays_open = false;        // likewise: without edges it is silent, not ended
  bool has_releases = false;      // since the lane last told its writers

  Latch<ClockReading> clock;

  // Newest end-to-end latency seen here (read time minus capture time); [any].
  std::atomic<int64_t> measured_latency_ns{SLUICE_NO_TIME};

  // Allocates what summing and marks need: views of up to `maximum_frames`. Touches that memory
  // only if `is_summing`. [control]
  void prepare(uint32_t maximum_frames, bool is_summing);

  // From the same frame on all edges ramp to the gain_target they have now. [any]
  void call_targets() { targets_called_.fetch_add(1, std::memory_order_release); }

  // Frames that begin() could offer now.
  uint64_t available();
  // All edges have ended (or there are none) and nothing is left.
  bool is_ended() const;
  // Every stream that feeds it has ended, though something may be left.
  bool has_end() const;
  bool is_idle() const;
  // Something is left, or nothing will come any more.
  bool has_more() { return available() != 0 || has_end(); }
  // So many frames can always be there without any writer being stuck.
  uint32_t largest_want() const;
  // The most that one view can be sure to hold.
  uint32_t largest_view() const {
    return sum_frames_ == 0 ? largest_want() : std::min(largest_want(), sum_frames_);
  }

  // Offers up to `maximum_frames`; end() consumes the first `frames` of them.
  InputView begin(uint32_t maximum_frames) {
    if (targets_called_.load(std::memory_order_acquire) != targets_taken_) take_targets();
    return is_direct() ? begin_direct(maximum_frames) : begin_mixed(maximum_frames);
  }
  void end(uint32_t frames) {
    if (is_summing_) {
      end_sum(frames);
    } else {
      end_direct(frames);
    }
    position_ += frames;
    if (mark_count_ != 0) retire_marks();
    if (frames != 0 && has_timed_edges.load(std::memory_order_relaxed)) note_reading();
  }
  // Offers up to `frames`, and at least one, with ramped silence for what is missing. For devices.
  InputView begin_filled(uint32_t frames);

  // Marks up to the end of the view, not consumed past yet; valid until end().
  std::span<const sluice_mark> marks() const { return {marks_.data(), mark_count_}; }
  bool has_new_marks() const;
  // Takes the oldest mark at or before `position`.
  bool take_mark(uint64_t position, sluice_mark& mark);

  uint64_t position() const { return position_; }
  // Packet ports take one edge: that edge, null if it is closed or missing.
  Edge* packet_edge() const { return edges.empty() || edges[0]->is_closed ? nullptr : edges[0]; }
  bool has_packets() const {
    const Edge* edge = packet_edge();
    return edge && edge->packets.available() != 0;
  }
  // Throws the oldest frames away; counted.
  void discard(uint64_t frames, const char* reason);
  // Of what was read `unplayed` frames were not played at `time_ns`; see sluice_play_host. False if
  // there is no bridge.
  bool note_played(uint64_t unplayed, int64_t time_ns);
  // The node is done: no edge holds its writer back any more.
  void close();

 private:
  static constexpr uint32_t kMaxMarks = 256;

  bool is_f32() const { return format.sample_format == SLUICE_SAMPLE_F32; }
  bool is_direct() const {
    if (edges.size() != 1) return false;
    return (edges[0]->is_plain && edges[0]->goal == 1.0) || sum_frames_ == 0;
  }
  void take_targets();
  InputView begin_direct(uint32_t maximum_frames);
  InputView begin_mixed(uint32_t maximum_frames);
  InputView begin_sum(uint32_t frames);
  void end_direct(uint32_t frames);
  void note_warm(Edge& edge);
  void keep_last(Edge& edge, uint32_t frames);
  void end_sum(uint32_t frames);

  uint32_t sure_frames() const;
  uint64_t patience(const Edge& edge) const;
  bool is_limiting(const Edge& edge) const;
  uint64_t look_at_edges();
  uint64_t frames_ahead(Edge& edge);
  bool align(Edge& edge);
  bool align_to_twin(Edge& edge);
  void lay_out(Edge& edge, uint32_t frames);
  void mix(Edge& edge, uint32_t frames, bool is_first);
  void move_ramps(Edge& edge, uint32_t frames);
  void note_jump(Edge& edge, uint64_t lost_frames);
  bool is_over(const Edge& edge, uint64_t input_position) const;

  std::optional<uint64_t> look_ahead(const Edge& edge, uint64_t position) const;
  void collect_marks(Edge& edge, uint64_t up_to_stream_position);
  void add_mark(const sluice_mark& mark);
  void retire_marks();
  void note_reading();
  uint64_t reading_position(const Edge& edge) const;
  int64_t capture_of(const Edge& edge, uint64_t stream_position) const;

  const bool is_pcm_;
  uint64_t position_ = 0;
  std::vector<sluice_mark> marks_;
  uint32_t mark_count_ = 0;
  std::unique_ptr<float[]> sum_;
  uint32_t sum_frames_ = 0;  // that fit in sum_
  bool is_summing_ = false;  // the view being offered is sum_
  bool keeps_last_ = false;  // may have to fade out of what it read in place
  std::atomic<uint32_t> targets_called_{0};
  uint32_t targets_taken_ = 0;
  bool is_played_later_ = false;  // note_played tells bridges what was read
  const std::byte* direct_data_ = nullptr;
};

// The way of nearly every block of nearly every node, so it costs no calls.
inline InputView InputPort::begin_direct(uint32_t maximum_frames) {
  Edge& edge = *edges[0];
  is_summing_ = false;
  if (edge.is_closed.load(std::memory_order_relaxed)) {
    return {.flags = SLUICE_INPUT_ENDED | SLUICE_INPUT_IDLE, .position = position_};
  }
  const ReadSpan span = edge.begin_span(maximum_frames);
  if (span.lost_frames != 0) note_jump(edge, span.lost_frames);
  edge.offset = static_cast<int64_t>(position_) - static_cast<int64_t>(edge.next);
  edge.is_aligned = true;
  InputView view{.data = span.data, .frames = span.frames, .position = position_};
  direct_data_ = span.data;
  const MarkRing& marks = edge.from.marks;
  if (marks.count() != 0) {
    collect_marks(edge, edge.next + view.frames);
    if (view.frames < maximum_frames && marks.state().end_position == edge.next + view.frames) {
      view.flags |= SLUICE_INPUT_ENDED;
    }
    if (edge.is_silent) view.flags |= SLUICE_INPUT_IDLE;
  }
  if (marks.has_time()) view.capture_ns = capture_of(edge, edge.next);
  return view;
}

inline void InputPort::end_direct(uint32_t frames) {
  if (edges.empty()) return;
  Edge& edge = *edges[0];
  if (edge.is_closed.load(std::memory_order_relaxed)) return;
  if (frames != 0) {
    edge.is_in_gap = edge.is_gap_counted = false;
    if (keeps_last_) keep_last(edge, frames);
    edge.note_read(frames);
  }
  edge.end_span(frames);
}

}  // namespace sluice::engine
