// An output joined to an input: a read cursor on the output's ring, with a gain and a policy.
#pragma once

#include <sluice/plugin.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "host/engine/ring/latch.hpp"
#include "host/engine/ring/mark_ring.hpp"
#include "host/engine/ring/packet_ring.hpp"
#include "host/engine/ring/ring.hpp"
#include "sluice/ramp.hpp"

namespace sluice::engine {

class InputPort;
class OutputPort;

enum class WhenFull : uint8_t { kWait = 1, kSkip };

// How an edge behaves. Frames are those of the output's rate.
struct EdgeOptions {
  WhenFull when_full = WhenFull::kWait;
  double gain_db = 0.0;
  // Read this far behind the writer: the input hears silence first, then the stream.
  uint64_t delay_frames = 0;
  // Edges of one number, not 0, are delayed besides, as far as what they bring would be heard
  // earlier than what the others bring: see align_edges. For the engine alone.
  uint32_t alignment = 0;
  // Room in the ring beyond what the reader's node needs.
  uint64_t buffer_frames = 0;
  // kSkip: where a reader that was overtaken goes on, behind the newest frame.
  uint64_t target_frames = 0;
  // An input that sums lets the other edges run ahead of this one by so much before it takes
  // silence for it; kNeverFill where everything can wait.
  static constexpr uint64_t kNeverFill = UINT64_MAX;
  uint64_t fill_after_frames = kNeverFill;
};

// Why frames were lost that the writer went over.
inline constexpr const char* kOvertaken = "overtaken by the writer";

// Codes on their way from a reader to the node in front of it. One writer (the reader's lane), one
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

 private:
  std::array<uint32_t, 16> codes_{};
  std::atomic<uint32_t> head_{0}, tail_{0};
};

// Cursor, gain, timeline and marks belong to the reader's lane; the statistics are for everybody.
//
// Every frame written while the cursor is attached is in exactly one place:
//   read_frames + lost_frames + fill() == written - attach_position     while open
//   read_frames + lost_frames + unread_frames == close_position - attach_position   once closed
class Edge {
 public:
  Edge(OutputPort& output, InputPort& input, const EdgeOptions& edge_options)
      : from(output),
        to(input),
        options(edge_options),
        when_full(edge_options.when_full),
        fill_after_frames(edge_options.fill_after_frames) {}

  OutputPort& from;
  InputPort& to;
  // Of these, gain_db and alignment may change [control]; the lanes read none that may.
  EdgeOptions options;

  uint64_t alignment_frames = 0;  // the part of options.delay_frames that is due to its alignment
  uint64_t serial = 0;            // of all edges the engine has had; by the engine [control]

  // Set by the engine [control]; constant while a plan with this edge is in force.
  bool is_local = false;  // both ends in one lane: no bells
  bool is_wired = false;  // attached, and part of the plans
  bool is_new = true;     // announced, not in force yet
  // Comes into a running graph silent; Engine::turn lets it be heard.
  bool enters_unheard = false;

  // Reader's lane.
  Cursor cursor;
  PacketCursor packets;
  MarkReader marks;
  uint64_t next = 0;        // stream position of the next frame to be read
  int64_t offset = 0;       // input position minus stream position
  bool is_aligned = false;  // `offset` holds; decided when the first frame is there
  bool joins_late = false;  // added to a running input: delays nobody before it is aligned
  bool is_unheard = false;  // attached silent, and not turned up yet: delays nobody at all
  bool has_twin = false;    // placed by another edge's place, and has given nothing yet
  // Where it and its writer were when it last woke that one for want of data.
  uint64_t roused_next = UINT64_MAX, roused_written = UINT64_MAX;
  bool has_rested = false;  // was not fed until it had faded out, and has given nothing since
  bool is_fed = true;       // something comes to its writer; otherwise a sum does not wait for it
  bool is_plain = true;     // at unity, complete and in step: may be read in place
  bool is_silent = false;   // a SILENCE_BEGINS without its end was read
  bool is_in_gap = false;   // frames are missing, and the reader has been told
  bool is_gap_counted = false;
  bool is_starving = false;  // the reader's lane sleeps and this edge has less than it wants
  double goal = 1.0;         // of `gain`, as last taken from gain_target
  Ramp::Shape shape = Ramp::Shape::kEqualGain;
  Ramp gain;                      // of the edge
  Ramp presence;                  // falls when data is missing, rises when it is back
  std::vector<float> last_frame;  // what a missing frame fades from

  // What the view being offered holds of this edge, from the input's position on.
  struct Part {
    const std::byte* data = nullptr;
    uint32_t lead = 0;       // frames of silence in front
    uint32_t there = 0;      // frames at `data`; what follows is missing
    bool is_fading = false;  // what is missing fades out; otherwise it is deliberate silence
  };
  Part part;
  uint64_t ahead = 0;          // frames it had from the input's position on, when last looked at
  bool is_counted_on = false;  // then: the input waits for it, so what is missing is a gap

  // The reader is done with it and the cursor detached. Written by the reader's lane.
  std::atomic<bool> is_closed{false};
  uint32_t slot = 0;                         // of the cursor, while not closed
  std::atomic<uint64_t> attach_position{0};  // of the first frame it could read
  // Linear gain wanted, and how to get there; InputPort::call_targets makes the reader's lane ramp
  // to it. [any]
  std::atomic<float> gain_target{1.0F};
  std::atomic<Ramp::Shape> target_shape{Ramp::Shape::kEqualGain};
  // Its frames lie ready at their place, or were read. Written by the reader's lane.
  std::atomic<bool> is_warm{false};
  // What the writer may do when it is full, and how long a sum waits for it: see EdgeOptions. The
  // lanes take the former up with their next plan.
  std::atomic<WhenFull> when_full;
  std::atomic<uint64_t> fill_after_frames;
  // Set by whoever wants it gone; the reader's lane answers with has_faded.
  std::atomic<bool> is_leaving{false};
  std::atomic<bool> has_faded{false};

  // Statistics: written by the reader's lane, read by anybody.
  std::atomic<uint64_t> read_frames{0};           // consumed by the node
  std::atomic<uint64_t> lost_frames{0};           // skipped, discarded or late
  std::atomic<uint64_t> filled_frames{0};         // silence in place of missing data
  std::atomic<uint64_t> gaps{0};                  // how often either happened
  std::atomic<const char*> loss_reason{nullptr};  // of the newest loss: a literal
  std::atomic<uint64_t> unread_frames{0};         // still there when the reader was done
  std::atomic<uint64_t> close_position{0};        // the writer's when the reader was done

  // What an edge that this one replaces had counted; added in snapshots. [control]
  struct Carried {
    uint64_t read_frames = 0, lost_frames = 0, filled_frames = 0, gaps = 0;
  };
  Carried carried;
  // Goes on counting where `before`, which it replaces, is now. [control]
  void continue_from(const Edge& before);
  // Counted as lost, or passed over by the writer and not seen by the reader yet. [any]
  uint64_t all_lost_frames() const;

  // What a sleeping lane waits for at this edge; read by the other side after a full fence.
  std::atomic<uint32_t> wanted_frames{1};
  std::atomic<uint32_t> wanted_room{1};  // in comfort
  std::atomic<uint32_t> least_room{1};   // when the reader is about to starve

  // When and how far the reader read last; kept where `is_timed`.
  struct Reading {
    uint64_t frames = 0;  // it would have come to without the edge's delay
    int64_t time_ns = SLUICE_NO_TIME;
  };
  bool is_timed = false;  // the writer wants to know; constant [control]
  Latch<Reading> reading;
  uint64_t played = 0;  // the furthest that note_played had it; reader's lane

  UpstreamQueue upstream;

  // Attaches the cursor at `position` of the stream (kAtNewest: the newest one less
  // `behind_frames`) and sets gain and ramps up. Returns false if the ring has no cursor left.
  // [control]
  static constexpr uint64_t kAtNewest = UINT64_MAX;
  enum class Entry : uint8_t {
    kAtOnce,   // at its gain from the first frame on
    kRamped,   // from silence to its gain
    kUnheard,  // silent until its gain_target changes
  };
  bool attach(uint64_t position, uint64_t behind_frames, Entry entry);
  // Goes on at `position` of the stream, at most as far as it is written; what is passed over was
  // never this edge's. Reader's lane.
  void begin_at(uint64_t position);
  // Brings the cursor's policy in line with when_full. Reader's lane, outside of spans.
  void take_policy();
  // Detaches; what is left counts as unread. Reader's lane, or [control] once no plan has it.
  void close();

  // Nothing is left of a stream that has ended. Reader's lane.
  bool is_ended() const;
  // The stream's writer has ended it, or the reader let go. [any]
  bool has_end() const;
  // Frames between the cursor and the writer; 0 once closed. [any]
  uint64_t fill() const;
  // Frames in front of the stream's next one, on the input's timeline. Negative: it is late.
  int64_t lead(uint64_t input_position) const {
    return static_cast<int64_t>(next) + offset - static_cast<int64_t>(input_position);
  }

  // The rest is for the reader's lane. Counting: one writer, so a load and a store will do.
  static void count(std::atomic<uint64_t>& counter, uint64_t amount) {
    counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  void note_read(uint64_t frames) {
    next += frames;
    count(read_frames, frames);
  }
  // `frames` frames of the stream will never be read.
  void note_lost(uint64_t frames, const char* reason) {
    next += frames;
    count(lost_frames, frames);
    count(gaps, 1);
    loss_reason.store(reason, std::memory_order_relaxed);
  }
  // Passes over up to `frames` unread; returns how many. No span is held.
  uint64_t pass_over(uint64_t frames, const char* reason);
  // The cursor's begin_read and end_read; see SLUICE_SINGLE_MAPPING.
#if !SLUICE_SINGLE_MAPPING
  ReadSpan begin_span(uint32_t maximum_frames) { return cursor.begin_read(maximum_frames); }
  void end_span(uint32_t frames) { cursor.end_read(frames); }
#else
  ReadSpan begin_span(uint32_t maximum_frames);
  void end_span(uint32_t frames);
#endif

 private:
  // Moves the cursor on by up to `frames`; returns by how many.
  uint64_t read_on(uint64_t frames);

#if SLUICE_SINGLE_MAPPING
  std::vector<std::byte> detour_;  // for spans that would cross the end of the first mapping
#endif
};

}  // namespace sluice::engine
