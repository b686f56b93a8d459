// The lock-free buffer behind one output port: one writer, many cursors, contiguous spans.
//
// docs/ring.md tells the problem, a worked example and the rules; docs/adr/ why it is built so.
#pragma once

#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "host/engine/ring/gate.hpp"
#include "host/engine/ring/mirror_memory.hpp"
#include "host/support/result.hpp"

#ifndef SLUICE_SINGLE_MAPPING
#define SLUICE_SINGLE_MAPPING 0
#endif

namespace sluice::engine {

struct RingOptions {
  std::uint32_t frame_bytes = 0;     // 1 and more
  std::uint64_t minimum_frames = 0;  // capacity is the next possible size from here
  std::uint64_t history_frames = 0;  // see Ring::oldest; half the ring at least
  std::uint64_t trail_frames = 0;    // see Ring::ahead_frames; less than minimum_frames
  bool live = true;                  // see Ring::set_live
  const char* name = "sluice-ring";  // shown in /proc/PID/maps
};

// Where the writer may write. `frames` may be fewer than asked for; 0 means full, `data` is then
// null. `position` is that of the first frame, also when there is no room.
struct WriteSpan {
  std::byte* data = nullptr;
  std::uint32_t frames = 0;
  std::uint64_t position = 0;
};

// What a reader may read. `frames` 0: nothing there, nothing held.
struct ReadSpan {
  const std::byte* data = nullptr;
  std::uint32_t frames = 0;
  std::uint64_t position = 0;     // of the first frame
  std::uint64_t lost_frames = 0;  // that many in front of it were passed over since the last span
};

// A ring of frames. Positions are free-running 64-bit frame counts from 0 and are stream time: they
// never stop for a loss. Nothing here sleeps, wakes, allocates or calls the system, except create.
//
// Ownership: the ring outlives its cursors and every span. Threads: the functions marked [writer]
// belong to one thread at a time (hand over with your own synchronisation); those marked [any] may
// be called at any time from any thread. A span is held only across code that cannot block.
class Ring {
 public:
  // kInvalid if frame_bytes is 0 or the size is absurd, kNoMemory if the system refuses. [control]
  static support::Result<std::unique_ptr<Ring>> create(const RingOptions& options);

  // Frames that fit: a multiple of page / gcd(page, frame_bytes), at least as many as asked. [any]
  std::uint64_t capacity_frames() const noexcept { return capacity_; }
  std::uint32_t frame_bytes() const noexcept { return frame_bytes_; }
  // How far ahead of a waiting cursor a live ring is written: what is left of the capacity behind
  // RingOptions::trail_frames. Skip cursors that trail the waiting one by no more lose nothing.
  std::uint64_t ahead_frames() const noexcept { return capacity_ - trail_; }

  // Room for up to `want` frames, contiguous. Fewer if cursors are in the way (blocker() says what
  // kind); a live ring has moved on its lagging skip cursors before it gives fewer. One span at a
  // time; calling again instead of end_write gives it up. Wait-free; O(cursors) only where the
  // remembered limit is used up. [writer]
  WriteSpan begin_write(std::uint32_t want) noexcept {
    if (owed_ == 0 && gate_.usable() - written_ >= want) return span_here(want);
    return begin_write_slowly(want);
  }

  // Publishes the first `frames` of the span; 0 publishes none. [writer]
  void end_write(std::uint32_t frames) noexcept {
    assert(frames <= gate_.usable() - written_);
    advance(frames);
  }

  // The caller had no room for its newest `frames` and throws them away. Stream time goes on: they
  // are counted in dropped(), write_position() moves past them, and as soon as there is room the
  // ring fills their place with zero bytes (silence in every PCM format), so that every reader
  // meets a gap of exactly that length. Mark it: SLUICE_MARK_GAP at the span's position. [writer]
  void drop(std::uint64_t frames) noexcept {
    owed_ += frames;
    dropped_.store(dropped_.load(std::memory_order_relaxed) + frames, std::memory_order_relaxed);
  }

  // As drop, but leaves no place behind: counted in dropped(), stream time stands still. Where the
  // stream goes on behind it, mark a SLUICE_MARK_DISCONTINUITY. [writer]
  void jump(std::uint64_t frames) noexcept {
    dropped_.store(dropped_.load(std::memory_order_relaxed) + frames, std::memory_order_relaxed);
  }

  // Silence that drops still owe; how much of it fits in now; and gives it up, so that stream time
  // steps back to written(). Returns how much was given up. [writer]
  std::uint64_t owed_frames() const noexcept { return owed_; }
  std::uint64_t payable_frames() const noexcept;
  std::uint64_t forgive_drops() noexcept { return std::exchange(owed_, 0); }

  // Writes what it can of the silence that drops still owe, at most one capacity a call, and
  // returns what remains owed. begin_write does this by itself; call it where the stream ends
  // behind a drop, until it returns 0. [writer]
  std::uint64_t fill_drops() noexcept;

  // Frames begin_write would give right now, at most the capacity. Reads every cursor, moves none.
  // [writer]
  std::uint64_t room() const noexcept;

  // Position of the frame the writer hands over next: written() and the silence owed. [writer]
  std::uint64_t write_position() const noexcept { return written_ + owed_; }

  // What kept the last begin_write from giving all. [writer]
  Blocker blocker() const noexcept { return gate_.blocker(); }

  // A live ring (default) moves on skip cursors that lag. One that is not waits for every cursor,
  // whatever its policy: nothing is lost, as in offline rendering. [writer]
  void set_live(bool live) noexcept { live_ = live; }
  bool live() const noexcept { return live_; }

  // Position behind the newest frame that readers can get. [any]
  std::uint64_t written() const noexcept {
    return header_->written.load(std::memory_order_acquire);
  }

  // Oldest position a cursor can attach at. RingOptions::history_frames are held, once as many were
  // written, but at most capacity - max(capacity / 8, largest span). [any]
  std::uint64_t oldest() const noexcept {
    const std::uint64_t limit = header_->limit.load(std::memory_order_acquire);
    return limit > capacity_ ? limit - capacity_ : 0;
  }

  // Frames that drop() was told of. [any]
  std::uint64_t dropped() const noexcept { return dropped_.load(std::memory_order_relaxed); }

  // Cursors attached now. [any]
  std::uint32_t cursor_count() const noexcept;
  bool has_cursors() const noexcept {
    for (const auto& mask : header_->slot_masks) {
      if (mask.load(std::memory_order_relaxed) != 0) return true;
    }
    return false;
  }

  struct CursorState {
    std::uint64_t position;
    std::uint64_t lost_frames;
    CursorPolicy policy;
    bool pinned;
  };
  // A look at one slot, 0 to kMaxCursors - 1, for statistics; nothing if it is free. [any]
  std::optional<CursorState> cursor_state(std::uint32_t slot) const noexcept;

  // errno of the first page that could not be locked in memory, or 0: say it once. [any]
  int lock_error() const noexcept { return memory_.lock_error(); }

  // For mapping the ring elsewhere: GateHeader at offset 0, frames at header_bytes(). [any]
  const MirrorMemory& memory() const noexcept { return memory_; }

 private:
  friend class Cursor;
  friend class PacketRing;

  Ring(MirrorMemory memory, const RingOptions& options, std::uint64_t capacity) noexcept;

  WriteSpan begin_write_slowly(std::uint32_t want) noexcept;

  // Lets go of everything below `position` (at most written), whoever lags there, and says whether
  // that worked. For what hangs on the frames: a packet's payload. [writer]
  bool release_below(std::uint64_t position) noexcept;

  WriteSpan span_here(std::uint32_t frames) const noexcept {
#if SLUICE_SINGLE_MAPPING
    const std::uint64_t to_end = (data_bytes_ - offset_bytes_) / frame_bytes_;
    if (frames > to_end) frames = static_cast<std::uint32_t>(to_end);
#endif
    return {frames == 0 ? nullptr : data_ + offset_bytes_, frames, written_};
  }

  void advance(std::uint64_t frames) noexcept {
    written_ += frames;
    offset_bytes_ += frames * frame_bytes_;
    if (offset_bytes_ >= data_bytes_) offset_bytes_ -= data_bytes_;
    header_->written.store(written_, std::memory_order_release);
  }

  // Constant; cursors copy what they need of it and never read the writer's part below.
  MirrorMemory memory_;
  GateHeader* header_;
  std::byte* data_;
  std::uint64_t data_bytes_;
  std::uint64_t capacity_, trail_;
  std::uint32_t frame_bytes_;
  std::atomic<std::uint64_t> dropped_{0};

  // The writer's own.
  alignas(64) Gate gate_;
  std::uint64_t written_ = 0;
  std::uint64_t offset_bytes_ = 0;
  std::uint64_t owed_ = 0;  // dropped frames whose silence is not written yet
  bool live_;
};

enum class AttachStatus : std::uint8_t {
  kAttached,
  kNoSlot,       // the ring has kMaxCursors cursors already
  kOverwritten,  // the position is older than what the ring still holds
  kNotWritten,   // the position lies past the newest frame
};

// A reader of a ring: a movable handle on one of its slots. Detaches when destroyed.
//
// One thread at a time, called the owner, except where marked [any]. The ring outlives it. Attached
// or moved in time under a running writer it never sees an overwritten frame.
//
// Cost: a kWait cursor does one acquire load of the writer's position, and only where the copy it
// remembers is used up, and one release store to its own line. A kSkip cursor adds one
// read-modify-write on that line (the pin).
class alignas(64) Cursor {
 public:
  Cursor() = default;
  Cursor(Cursor&& other) noexcept { *this = std::move(other); }
  Cursor& operator=(Cursor&& other) noexcept;
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;
  ~Cursor() { detach(); }

  // Joins at exactly `position`. `skip_target_frames`: how far behind the newest frame a kSkip
  // cursor is put when it is moved on. Lock-free. Detaches first if attached. [owner]
  [[nodiscard]] AttachStatus attach_at(Ring& ring, std::uint64_t position, CursorPolicy policy,
                                       std::uint64_t skip_target_frames = 0) noexcept;

  // Joins `distance_frames` behind the newest frame, or as near to that as the ring still holds;
  // position() says where. Fails only with kNoSlot. [owner]
  [[nodiscard]] AttachStatus attach_behind(Ring& ring, std::uint64_t distance_frames,
                                           CursorPolicy policy,
                                           std::uint64_t skip_target_frames = 0) noexcept;

  // Gives the slot back; a held span ends. No-op if not attached. Wait-free. [owner]
  void detach() noexcept;

  bool attached() const noexcept { return slot_ != nullptr; }

  // Up to `maximum` frames, contiguous and stable until end_read. With frames > 0 the span is held
  // and begin_read must not be called again before end_read. Wait-free. [owner]
  ReadSpan begin_read(std::uint32_t maximum) noexcept {
    assert(attached() && !held_);
    if (policy_ == CursorPolicy::kSkip) return begin_read_pinned(maximum);
    if (seen_ - position_ < maximum) seen_ = header_->written.load(std::memory_order_acquire);
    return span_here(maximum);
  }

  // Consumes the first `frames` (0 allowed) of the span and lets go of it. Without a held span only
  // 0 is allowed. [owner]
  void end_read(std::uint32_t frames) noexcept {
    assert(attached() && frames <= held_);
    position_ += frames;
    offset_bytes_ += std::uint64_t{frames} * frame_bytes_;
    if (offset_bytes_ >= data_bytes_) offset_bytes_ -= data_bytes_;
    // A skip cursor that holds nothing may be moved by the writer at any moment: leave its word.
    if (held_ != 0) slot_->word.store(unpinned_word(), std::memory_order_release);
    held_ = 0;
  }

  // Frames anywhere between position() and the writer, without consuming. Valid as long as the
  // cursor holds its place: until the next end_read, detach or seek; a kSkip cursor must hold a
  // span. Null if `position` is not in that range. [owner]
  ReadSpan view(std::uint64_t position, std::uint32_t maximum) const noexcept;

  // Frames that could be read now. [owner]
  std::uint64_t available() const noexcept {
    const std::uint64_t written = header_->written.load(std::memory_order_acquire);
    const std::uint64_t here = position();
    return written > here ? written - here : 0;
  }

  // Position of the next frame to be read, as the writer sees it. [owner]
  std::uint64_t position() const noexcept {
    return slot_->word.load(std::memory_order_acquire) >> CursorSlot::kPositionShift;
  }

  // Frames passed over since attach, as reported by spans so far. [any, while attached]
  std::uint64_t lost() const noexcept { return slot_->lost.load(std::memory_order_relaxed); }

  // Goes to `position`, backwards within what the ring holds or forwards up to the newest frame;
  // what is jumped over is not counted as lost. On failure the cursor stays where it was. No span
  // may be held. Lock-free. [owner]
  [[nodiscard]] AttachStatus seek(std::uint64_t position) noexcept;

  // Changes the policy while audio runs. [owner]
  void set_policy(CursorPolicy policy) noexcept;
  CursorPolicy policy() const noexcept { return policy_; }

  // [owner]
  void set_skip_target(std::uint64_t frames) noexcept {
    slot_->skip_target.store(frames, std::memory_order_relaxed);
  }

  // Frames of the span held now; 0 if none. Nobody may block while this is not 0. [owner]
  std::uint32_t held_frames() const noexcept { return held_; }

  // Slot number, for Ring::cursor_state. [owner]
  std::uint32_t slot() const noexcept { return static_cast<std::uint32_t>(slot_ - header_->slots); }

 private:
  // Takes a slot; false if there is none.
  bool claim(Ring& ring, CursorPolicy policy, std::uint64_t skip_target) noexcept;
  // Publishes `position` in the slot and says whether everything from there on is still held.
  bool publish(std::uint64_t position, std::uint64_t bits) noexcept;
  void settle(std::uint64_t position) noexcept;

  ReadSpan begin_read_pinned(std::uint32_t maximum) noexcept {
    if (seen_ - position_ < maximum) seen_ = header_->written.load(std::memory_order_acquire);
    if (seen_ == position_ || maximum == 0) return {nullptr, 0, position_, 0};
    // Adding is the same as setting a bit that is clear, and one instruction on x86.
    const std::uint64_t word =
        slot_->word.fetch_add(CursorSlot::kPinnedBit, std::memory_order_acq_rel);
    const std::uint64_t position = word >> CursorSlot::kPositionShift;
    if (position != position_) account_moved(position);
    const ReadSpan span = span_here(maximum);
    if (span.frames == 0) slot_->word.store(unpinned_word(), std::memory_order_release);
    return span;
  }

  // The writer moved us to `position`, and published before it did so.
  void account_moved(std::uint64_t position) noexcept;

  ReadSpan span_here(std::uint32_t maximum) noexcept {
    const std::uint64_t available = seen_ - position_;
    std::uint32_t frames = available < maximum ? static_cast<std::uint32_t>(available) : maximum;
#if SLUICE_SINGLE_MAPPING
    const std::uint64_t to_end = (data_bytes_ - offset_bytes_) / frame_bytes_;
    if (frames > to_end) frames = static_cast<std::uint32_t>(to_end);
#endif
    held_ = frames;
    if (frames == 0) return {nullptr, 0, position_, 0};
    const std::uint64_t lost = unreported_;
    unreported_ = 0;
    return {data_ + offset_bytes_, frames, position_, lost};
  }

  std::uint64_t unpinned_word() const noexcept {
    return position_ << CursorSlot::kPositionShift |
           (policy_ == CursorPolicy::kSkip ? CursorSlot::kSkipBit : 0);
  }

  CursorSlot* slot_ = nullptr;
  GateHeader* header_ = nullptr;
  const std::byte* data_ = nullptr;
  std::uint64_t data_bytes_ = 0;
  std::uint64_t capacity_ = 0;
  std::uint32_t frame_bytes_ = 0;
  std::uint32_t held_ = 0;
  std::uint64_t position_ = 0;      // as far as the owner knows
  std::uint64_t seen_ = 0;          // writer's position when last looked at
  std::uint64_t offset_bytes_ = 0;  // of position_ in the data area
  std::uint64_t unreported_ = 0;
  CursorPolicy policy_ = CursorPolicy::kWait;
};

}  // namespace sluice::engine
