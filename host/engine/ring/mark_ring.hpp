// The marks of one PCM port: events at frame positions, and what remains true after them.
#pragma once

#include <sluice/plugin.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <limits>
#include <optional>

#include "host/engine/ring/latch.hpp"

namespace sluice::engine {

// What a reader must know even if it has read none of the marks that say so.
struct StreamState {
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

  std::uint64_t end_position = kNever;  // the last frame is the one before it; kNever: goes on
  std::uint64_t silent_since = kNever;  // deliberate silence from here; kNever: sounds
  std::uint64_t format_epoch = 0;       // counts changes of the stream's format
  std::uint64_t marks = 0;              // written so far, so a MarkReader knows if it is behind

  bool has_ended() const noexcept { return end_position != kNever; }
  bool is_silent() const noexcept { return silent_since != kNever; }
};

// When the frame at `position` was captured.
struct StreamTime {
  std::uint64_t position = 0;
  std::int64_t capture_ns = SLUICE_NO_TIME;
};

// One writer, any number of readers, each with an index of its own (MarkReader). The newest 64
// marks are kept; who lags further loses detail, counted, but never state: state() and time() are
// always whole and newest. Nobody waits for anybody. No pointers inside: may live in shared memory.
//
// Order: write a mark before the frames at its position are published (Ring::end_write), and ring
// the readers' bells after it; a reader takes its marks after it has looked at what is written.
class MarkRing {
 public:
  static constexpr std::uint64_t kCapacity = 64;

  MarkRing() = default;
  MarkRing(const MarkRing&) = delete;
  MarkRing& operator=(const MarkRing&) = delete;

  // Adds a mark and updates the state: END, SILENCE_BEGINS and SILENCE_ENDS are understood.
  // Positions do not decrease from mark to mark. Wait-free. [writer]
  void write(const sluice_mark& mark) noexcept {
    const std::uint64_t index = count_.load(std::memory_order_relaxed);
    begun_.store(index + 1, std::memory_order_relaxed);
    const Words words = std::bit_cast<Words>(mark);
    Slot& slot = slots_[index % kCapacity];
    for (std::size_t i = 0; i < words.size(); ++i) {
      slot.words[i].store(words[i], std::memory_order_release);
    }
    count_.store(index + 1, std::memory_order_release);
    if (mark.kind == SLUICE_MARK_END) now_.end_position = mark.position;
    if (mark.kind == SLUICE_MARK_SILENCE_BEGINS) now_.silent_since = mark.position;
    if (mark.kind == SLUICE_MARK_SILENCE_ENDS) now_.silent_since = StreamState::kNever;
    now_.marks = index + 1;
    state_.write(now_);
  }

  // The frames from the next one on have another format. [writer]
  void begin_format_epoch() noexcept {
    ++now_.format_epoch;
    state_.write(now_);
  }

  // The stream goes on after an end (a new peer, a loop). [writer]
  void clear_end() noexcept {
    now_.end_position = StreamState::kNever;
    state_.write(now_);
  }

  // Publishes the newest known capture time; once a block is enough. [writer]
  void set_time(const StreamTime& time) noexcept { time_.write(time); }

  // [any]
  StreamState state() const noexcept { return state_.read(); }
  StreamTime time() const noexcept { return time_.read(); }
  // Whether set_time was ever called. [any]
  bool has_time() const noexcept { return time_.version() != 0; }
  // Marks written so far: index of the next one. [any]
  std::uint64_t count() const noexcept { return count_.load(std::memory_order_acquire); }

  // Copies the mark of that index; nothing if it is not written yet or was overwritten. [any]
  std::optional<sluice_mark> read(std::uint64_t index) const noexcept {
    if (index >= count()) return std::nullopt;
    Words words;
    const Slot& slot = slots_[index % kCapacity];
    for (std::size_t i = 0; i < words.size(); ++i) {
      words[i] = slot.words[i].load(std::memory_order_acquire);
    }
    // Whoever reads a word of a later mark also sees that it was begun.
    if (begun_.load(std::memory_order_relaxed) > index + kCapacity) return std::nullopt;
    return std::bit_cast<sluice_mark>(words);
  }

  // Index of the oldest mark that is surely whole. [any]
  std::uint64_t oldest() const noexcept {
    const std::uint64_t begun = begun_.load(std::memory_order_acquire);
    return begun > kCapacity ? begun - kCapacity : 0;
  }

 private:
  using Words = std::array<std::uint64_t, sizeof(sluice_mark) / sizeof(std::uint64_t)>;
  static_assert(sizeof(sluice_mark) == sizeof(Words) && sizeof(sluice_mark) <= 64);

  struct alignas(64) Slot {
    std::array<std::atomic<std::uint64_t>, sizeof(sluice_mark) / sizeof(std::uint64_t)> words{};
  };

  alignas(64) std::atomic<std::uint64_t> begun_{0};  // marks whose writing has begun
  std::atomic<std::uint64_t> count_{0};              // marks that are whole
  StreamState now_;                                  // the writer's copy of state_
  Latch<StreamState> state_;
  Latch<StreamTime> time_;
  std::array<Slot, kCapacity> slots_{};
};

// A reader's place in a MarkRing. One thread at a time; copyable; the ring outlives it.
class MarkReader {
 public:
  MarkReader() = default;
  // From the next mark on.
  explicit MarkReader(const MarkRing& ring) noexcept : ring_(&ring), next_(ring.count()) {}
  // From the mark of index `next` on, or the oldest kept.
  MarkReader(const MarkRing& ring, std::uint64_t next) noexcept : ring_(&ring), next_(next) {}

  // Whether there is a mark, or loss of one, that `take` has not told. One load. [any]
  bool has_news() const noexcept { return ring_ != nullptr && ring_->count() != next_; }

  // Whether `take` would give one, or find that some are lost. [any]
  bool has_news_at(std::uint64_t position) const noexcept {
    if (!has_news()) return false;
    const std::optional<sluice_mark> mark = ring_->read(next_);
    return !mark || mark->position <= position;
  }

  // The next mark that lies at or before `position`; nothing if there is none. Marks that were
  // overwritten before they were taken are counted in lost(). [any]
  std::optional<sluice_mark> take(
      std::uint64_t position = std::numeric_limits<std::uint64_t>::max()) noexcept {
    while (has_news()) {
      const std::optional<sluice_mark> mark = ring_->read(next_);
      if (mark) {
        if (mark->position > position) return std::nullopt;
        ++next_;
        return mark;
      }
      const std::uint64_t oldest = std::max(ring_->oldest(), next_ + 1);
      lost_ += oldest - next_;
      next_ = oldest;
    }
    return std::nullopt;
  }

  std::uint64_t next_index() const noexcept { return next_; }
  std::uint64_t lost() const noexcept { return lost_; }

 private:
  const MarkRing* ring_ = nullptr;
  std::uint64_t next_ = 0;
  std::uint64_t lost_ = 0;
};

}  // namespace sluice::engine
