#include <algorithm>
#include <bit>
#include <utility>

#include "host/engine/ring/ring.hpp"

namespace sluice::engine {
namespace {

constexpr unsigned kShift = CursorSlot::kPositionShift;
constexpr std::uint64_t kPinnedBit = CursorSlot::kPinnedBit;
constexpr std::uint64_t kSkipBit = CursorSlot::kSkipBit;

std::uint64_t bits_of(CursorPolicy policy) noexcept {
  return policy == CursorPolicy::kSkip ? kSkipBit : 0;
}

}  // namespace

Cursor& Cursor::operator=(Cursor&& other) noexcept {
  if (this == &other) return *this;
  detach();
  slot_ = std::exchange(other.slot_, nullptr);
  header_ = other.header_;
  data_ = other.data_;
  data_bytes_ = other.data_bytes_;
  capacity_ = other.capacity_;
  frame_bytes_ = other.frame_bytes_;
  held_ = std::exchange(other.held_, 0);
  position_ = other.position_;
  seen_ = other.seen_;
  offset_bytes_ = other.offset_bytes_;
  unreported_ = other.unreported_;
  policy_ = other.policy_;
  return *this;
}

bool Cursor::claim(Ring& ring, CursorPolicy policy, std::uint64_t skip_target) noexcept {
  detach();
  GateHeader& header = *ring.header_;
  for (std::uint32_t word = 0; word < GateHeader::kMaskWords && slot_ == nullptr; ++word) {
    std::atomic<std::uint64_t>& slots = header.slot_masks[word];
    std::uint64_t mask = slots.load(std::memory_order_relaxed);
    while (mask != ~std::uint64_t{0}) {
      const std::uint64_t bit = ~mask & (mask + 1);
      if (slots.compare_exchange_weak(mask, mask | bit, std::memory_order_acq_rel,
                                      std::memory_order_relaxed)) {
        slot_ = &header.slots[word * 64 + static_cast<std::uint32_t>(std::countr_zero(bit))];
        break;
      }
    }
  }
  if (slot_ == nullptr) return false;
  slot_->skip_target.store(skip_target, std::memory_order_relaxed);
  slot_->lost.store(0, std::memory_order_relaxed);
  header_ = &header;
  data_ = ring.data_;
  data_bytes_ = ring.data_bytes_;
  capacity_ = ring.capacity_;
  frame_bytes_ = ring.frame_bytes_;
  held_ = 0;
  unreported_ = 0;
  policy_ = policy;
  return true;
}

bool Cursor::publish(std::uint64_t position, std::uint64_t bits) noexcept {
  slot_->word.store(position << kShift | bits, std::memory_order_release);
  header_->attach_count.fetch_add(1, std::memory_order_seq_cst);
  return header_->limit.load(std::memory_order_seq_cst) <= position + capacity_;
}

void Cursor::settle(std::uint64_t position) noexcept {
  position_ = position;
  offset_bytes_ = position % capacity_ * frame_bytes_;
  seen_ = header_->written.load(std::memory_order_acquire);
}

AttachStatus Cursor::attach_at(Ring& ring, std::uint64_t position, CursorPolicy policy,
                               std::uint64_t skip_target_frames) noexcept {
  if (!claim(ring, policy, skip_target_frames)) return AttachStatus::kNoSlot;
  AttachStatus status = AttachStatus::kAttached;
  if (position > header_->written.load(std::memory_order_acquire)) {
    status = AttachStatus::kNotWritten;
  } else if (!publish(position, bits_of(policy))) {
    status = AttachStatus::kOverwritten;
  }
  if (status == AttachStatus::kAttached) {
    settle(position);
  } else {
    detach();
  }
  return status;
}

AttachStatus Cursor::attach_behind(Ring& ring, std::uint64_t distance_frames, CursorPolicy policy,
                                   std::uint64_t skip_target_frames) noexcept {
  if (!claim(ring, policy, skip_target_frames)) return AttachStatus::kNoSlot;
  // A writer that is as fast as we are would take the oldest frames away at every try: come nearer.
  for (std::uint64_t distance = std::min(distance_frames, capacity_);; distance /= 2) {
    const std::uint64_t written = header_->written.load(std::memory_order_acquire);
    const std::uint64_t limit = header_->limit.load(std::memory_order_acquire);
    const std::uint64_t oldest = limit > capacity_ ? limit - capacity_ : 0;
    const std::uint64_t wished = written - std::min(written, distance);
    const std::uint64_t position = std::min(std::max(wished, oldest), written);
    if (publish(position, bits_of(policy))) {
      settle(position);
      return AttachStatus::kAttached;
    }
  }
}

void Cursor::detach() noexcept {
  if (slot_ == nullptr) return;
  const std::uint64_t bit = std::uint64_t{1} << slot() % 64;
  slot_->word.store(CursorSlot::kFreeWord, std::memory_order_release);
  header_->slot_masks[slot() / 64].fetch_and(~bit, std::memory_order_release);
  slot_ = nullptr;
  held_ = 0;
}

ReadSpan Cursor::view(std::uint64_t position, std::uint32_t maximum) const noexcept {
  assert(attached() && (policy_ == CursorPolicy::kWait || held_ != 0));
  const std::uint64_t written = header_->written.load(std::memory_order_acquire);
  if (position < position_ || position >= written || maximum == 0) return {nullptr, 0, position, 0};
  std::uint64_t offset_bytes = offset_bytes_ + (position - position_) * frame_bytes_;
  if (offset_bytes >= data_bytes_) offset_bytes -= data_bytes_;
  std::uint64_t frames = std::min<std::uint64_t>(maximum, written - position);
#if SLUICE_SINGLE_MAPPING
  frames = std::min(frames, (data_bytes_ - offset_bytes) / frame_bytes_);
#endif
  return {data_ + offset_bytes, static_cast<std::uint32_t>(frames), position, 0};
}

void Cursor::account_moved(std::uint64_t position) noexcept {
  const std::uint64_t lost = position - position_;
  unreported_ += lost;
  slot_->lost.store(slot_->lost.load(std::memory_order_relaxed) + lost, std::memory_order_relaxed);
  settle(position);
}

AttachStatus Cursor::seek(std::uint64_t position) noexcept {
  assert(attached() && held_ == 0);
  // Pinned (a wait cursor always is, in effect), nobody moves the word while it changes.
  std::uint64_t here = position_;
  if (policy_ == CursorPolicy::kSkip) {
    here = slot_->word.fetch_add(kPinnedBit, std::memory_order_acq_rel) >> kShift;
    if (here != position_) account_moved(here);
  }
  AttachStatus status = AttachStatus::kAttached;
  if (position > header_->written.load(std::memory_order_acquire)) {
    status = AttachStatus::kNotWritten;
  } else if (position < here &&
             !publish(position,
                      bits_of(policy_) | (policy_ == CursorPolicy::kSkip ? kPinnedBit : 0))) {
    status = AttachStatus::kOverwritten;
  } else {
    settle(position);
  }
  slot_->word.store(unpinned_word(), std::memory_order_release);
  return status;
}

void Cursor::set_policy(CursorPolicy policy) noexcept {
  assert(attached());
  if (policy == policy_) return;
  policy_ = policy;
  if (policy == CursorPolicy::kSkip || held_ != 0) {
    const std::uint64_t pin = policy == CursorPolicy::kSkip && held_ != 0 ? kPinnedBit : 0;
    slot_->word.store(unpinned_word() | pin, std::memory_order_release);
    return;
  }
  const std::uint64_t word = slot_->word.fetch_and(~kSkipBit, std::memory_order_acq_rel);
  if (word >> kShift != position_) account_moved(word >> kShift);
}

}  // namespace sluice::engine
