// The words that writer and readers of a ring share, and the writer's side of the protocol.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace sluice::engine {

// What the writer does when this reader lags by a whole ring.
enum class CursorPolicy : std::uint8_t {
  kWait,  // never passes it: back-pressure
  kSkip,  // moves it on, counted, unless it is inside a span just then
};

// Cursors that one ring can have at a time; a multiple of 64.
inline constexpr std::uint32_t kMaxCursors = 128;

// One reader, on a cache line of its own. `word` is (position << 2) | kSkipBit | kPinnedBit, or
// kFreeWord. Position, policy and pin share a word so that the writer's one compare-exchange sees
// all three. Only the owner writes it, except that the writer may move an unpinned skip cursor on.
struct alignas(64) CursorSlot {
  static constexpr std::uint64_t kPinnedBit = 1;
  static constexpr std::uint64_t kSkipBit = 2;
  static constexpr unsigned kPositionShift = 2;
  static constexpr std::uint64_t kFreeWord = std::numeric_limits<std::uint64_t>::max();

  std::atomic<std::uint64_t> word{kFreeWord};
  std::atomic<std::uint64_t> skip_target{0};  // stay this far behind the newest when moved on
  std::atomic<std::uint64_t> lost{0};         // moved past unread since attach; by the owner
};

// The header page of a ring. Free-running positions and offsets only, no pointers: any process that
// maps it can take part. All zero bits are not valid: construct it in place.
//
//   written  position behind the newest frame; release by the writer
//   limit    nothing at or above it has been written yet, and everything below limit - capacity may
//            be gone. Never lowered
struct GateHeader {
  alignas(64) std::atomic<std::uint64_t> written{0};
  alignas(64) std::atomic<std::uint64_t> limit{0};
  alignas(64) std::atomic<std::uint64_t> attach_count{0};  // bumped whenever a position goes back
  // Slots that somebody owns, 64 to a word. Each word is claimed in by itself.
  static constexpr std::uint32_t kMaskWords = kMaxCursors / 64;
  std::atomic<std::uint64_t> slot_masks[kMaskWords]{};
  alignas(64) CursorSlot slots[kMaxCursors];
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
static_assert(sizeof(CursorSlot) == 64 && sizeof(GateHeader) == (3 + kMaxCursors) * 64);
static_assert(kMaxCursors % 64 == 0, "slot_masks has one bit for each");

// Who keeps a writer from going on.
enum class Blocker : std::uint8_t {
  kNone,           // nobody
  kWaitingCursor,  // a cursor that must not be passed
  kPinnedCursor,   // only skip cursors that are inside a span at this moment
};

// The writer's side: how far it may write. Positions count items: frames of a Ring, descriptors of
// a PacketRing. One thread at a time. Belongs to its ring. [any]
//
// The writer may write below `limit`, and raises it only as: publish limit, then look whether
// anybody attached (sequentially consistent, both), and if so look at the cursors again. Attaching
// is: publish the position, bump attach_count, re-read limit (sequentially consistent, both), and
// try again nearer the writer if limit > position + capacity. Either the writer sees the new cursor
// or the reader sees the new limit; neither needs the other's help.
class Gate {
 public:
  // `header` outlives the gate. `capacity` and `history` in items: the limit is raised ahead, in
  // steps of an eighth to a half of the capacity, but where that suffices not into the newest
  // `history`, which readers may still want to attach at. With `evict` a waiting cursor insists on
  // `trail` items behind it, too (less than the capacity): skip cursors that are no further behind
  // lose nothing.
  Gate(GateHeader& header, std::uint64_t capacity, std::uint64_t history,
       std::uint64_t trail) noexcept
      : header_(header),
        capacity_(capacity),
        trail_(trail),
        step_(std::clamp(capacity - std::min(capacity, history), capacity / 8, capacity / 2)) {}
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  // Nothing at or above may be written. `raise` may raise it.
  std::uint64_t usable() const noexcept { return usable_; }

  // Whether part of what `raise` was asked for is of use.
  enum class Want : std::uint8_t { kAsMuchAsPossible, kAllOrNothing };

  // Tries to make everything below `needed` (at most newest + capacity) writable and returns
  // usable(), which is lower if a cursor is in the way. With `evict`, skip cursors that are in the
  // way and not inside a span are moved on to newest - skip_target, or as far as needed; but only
  // if that helps: nobody loses anything while a waiting or pinned cursor stands in the way too.
  std::uint64_t raise(std::uint64_t newest, std::uint64_t needed, bool evict,
                      Want want = Want::kAsMuchAsPossible) noexcept {
    blocker_ = Blocker::kNone;
    if (needed <= usable_) return usable_;

    const bool attached = header_.attach_count.load(std::memory_order_acquire) != seen_attaches_;
    if (attached || held_ + capacity_ < needed) scan(newest, needed, evict, want);

    std::uint64_t limit = std::min(std::max(needed, newest + step_), held_ + capacity_);
    if (limit > published_) {
      published_ = limit;
      header_.limit.store(limit, std::memory_order_seq_cst);
      if (header_.attach_count.load(std::memory_order_seq_cst) != seen_attaches_) {
        scan(newest, needed, evict, want);
        limit = std::min(limit, held_ + capacity_);
      }
    }
    usable_ = std::max(usable_, limit);
    return usable_;
  }

  // The oldest position that some cursor insists on, or `newest` if none does. With `evict`, only
  // waiting and pinned cursors insist. Reads every cursor.
  std::uint64_t oldest_held(std::uint64_t newest, bool evict) const noexcept;

  // Who kept the last `raise` from reaching `needed`.
  Blocker blocker() const noexcept { return blocker_; }

 private:
  static constexpr std::uint64_t kNobody = std::numeric_limits<std::uint64_t>::max() / 2;

  // What a cursor of that word insists on.
  std::uint64_t insisted_on(std::uint64_t word, bool evict) const noexcept {
    const std::uint64_t position = word >> CursorSlot::kPositionShift;
    if (!evict || (word & CursorSlot::kSkipBit) != 0) return position;
    return position - std::min(position, trail_);
  }
  void scan(std::uint64_t newest, std::uint64_t needed, bool evict, Want want) noexcept;

  GateHeader& header_;
  const std::uint64_t capacity_;
  const std::uint64_t trail_;
  const std::uint64_t step_;      // to raise the limit rarely: that costs a full fence
  std::uint64_t usable_ = 0;      // own limit, at most published_
  std::uint64_t published_ = 0;   // what header_.limit says
  std::uint64_t held_ = kNobody;  // oldest position at the last scan; cursors only advance
  std::uint64_t seen_attaches_ = 0;
  Blocker blocker_ = Blocker::kNone;
};

}  // namespace sluice::engine
