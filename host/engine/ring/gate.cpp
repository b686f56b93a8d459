#include "host/engine/ring/gate.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>

namespace sluice::engine {
namespace {

// A reader that releases and pins again faster than we look is treated as pinned after this many.
constexpr int kMoveAttempts = 4;

bool is_movable(std::uint64_t word) noexcept {
  return (word & (CursorSlot::kSkipBit | CursorSlot::kPinnedBit)) == CursorSlot::kSkipBit;
}

using Masks = std::array<std::uint64_t, GateHeader::kMaskWords>;

template <typename Header, typename Visit>
void for_each_slot(const Masks& masks, Header& header, Visit&& visit) {
  for (std::size_t word = 0; word < masks.size(); ++word) {
    for (std::uint64_t mask = masks[word]; mask != 0; mask &= mask - 1) {
      visit(header.slots[word * 64 + static_cast<std::size_t>(std::countr_zero(mask))]);
    }
  }
}

Masks owned_slots(const GateHeader& header) noexcept {
  Masks masks;
  for (std::uint32_t word = 0; word < GateHeader::kMaskWords; ++word) {
    masks[word] = header.slot_masks[word].load(std::memory_order_acquire);
  }
  return masks;
}

}  // namespace

void Gate::scan(std::uint64_t newest, std::uint64_t needed, bool evict, Want want) noexcept {
  // Before the slots: whoever attaches after this load is found by the next look at the count.
  seen_attaches_ = header_.attach_count.load(std::memory_order_seq_cst);
  const Masks slots = owned_slots(header_);

  std::uint64_t insisted = kNobody;  // by cursors that must not be moved
  std::uint64_t movable = kNobody;   // the oldest of the others
  bool waits = false;
  bool pinned = false;
  const auto insist = [&](std::uint64_t word) {
    const std::uint64_t oldest = insisted_on(word, evict);
    insisted = std::min(insisted, oldest);
    if (oldest + capacity_ < needed) {
      (evict && (word & CursorSlot::kSkipBit) != 0 ? pinned : waits) = true;
    }
  };
  for_each_slot(slots, header_, [&](const CursorSlot& slot) {
    const std::uint64_t word = slot.word.load(std::memory_order_acquire);
    if (word == CursorSlot::kFreeWord) return;
    if (evict && is_movable(word)) {
      movable = std::min(movable, word >> CursorSlot::kPositionShift);
    } else {
      insist(word);
    }
  });

  std::uint64_t reach = std::min(needed, insisted + capacity_);
  if (reach < needed && want == Want::kAllOrNothing) reach = 0;
  if (movable + capacity_ < reach) {
    movable = kNobody;
    for_each_slot(slots, header_, [&](CursorSlot& slot) {
      std::uint64_t word = slot.word.load(std::memory_order_acquire);
      for (int attempt = 0; attempt < kMoveAttempts; ++attempt) {
        if (word == CursorSlot::kFreeWord || !is_movable(word) ||
            (word >> CursorSlot::kPositionShift) + capacity_ >= reach) {
          break;
        }
        const std::uint64_t target = slot.skip_target.load(std::memory_order_relaxed);
        const std::uint64_t moved = std::max(newest - std::min(newest, target), reach - capacity_);
        const std::uint64_t moved_word = moved << CursorSlot::kPositionShift | CursorSlot::kSkipBit;
        if (slot.word.compare_exchange_strong(word, moved_word, std::memory_order_acq_rel,
                                              std::memory_order_acquire)) {
          word = moved_word;
        }
      }
      if (word == CursorSlot::kFreeWord) return;
      if (is_movable(word) && (word >> CursorSlot::kPositionShift) + capacity_ >= reach) {
        movable = std::min(movable, word >> CursorSlot::kPositionShift);
      } else {
        insist(word);
      }
    });
  }
  held_ = std::min(insisted, movable);
  blocker_ = waits ? Blocker::kWaitingCursor : pinned ? Blocker::kPinnedCursor : Blocker::kNone;
}

std::uint64_t Gate::oldest_held(std::uint64_t newest, bool evict) const noexcept {
  std::uint64_t held = newest;
  for_each_slot(owned_slots(header_), header_, [&](const CursorSlot& slot) {
    const std::uint64_t word = slot.word.load(std::memory_order_acquire);
    if (word == CursorSlot::kFreeWord || (evict && is_movable(word))) return;
    held = std::min(held, insisted_on(word, evict));
  });
  return held;
}

}  // namespace sluice::engine
