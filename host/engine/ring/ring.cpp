#include "host/engine/ring/ring.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <numeric>
#include <string>
#include <utility>

namespace sluice::engine {

support::Result<std::unique_ptr<Ring>> Ring::create(const RingOptions& options) {
  constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 40;
  if (options.frame_bytes == 0) {
    return support::Error{support::ErrorCode::kInvalid,
                          "A ring needs frames of at least one byte; this one was asked for 0."};
  }
  if (options.minimum_frames > kMostBytes / options.frame_bytes) {
    return support::Error{support::ErrorCode::kInvalid,
                          "A ring of " + std::to_string(options.minimum_frames) + " frames of " +
                              std::to_string(options.frame_bytes) +
                              " bytes is past the limit of 1 TiB; ask for less buffering."};
  }
  const std::uint64_t page = MirrorMemory::page_bytes();
  const std::uint64_t granule = page / std::gcd<std::uint64_t>(page, options.frame_bytes);
  const std::uint64_t capacity =
      std::max<std::uint64_t>(1, (options.minimum_frames + granule - 1) / granule) * granule;
  auto memory =
      MirrorMemory::create(options.name, sizeof(GateHeader), capacity * options.frame_bytes);
  if (!memory) return std::move(memory).error();
  return std::unique_ptr<Ring>(new Ring(*std::move(memory), options, capacity));
}

Ring::Ring(MirrorMemory memory, const RingOptions& options, std::uint64_t capacity) noexcept
    : memory_(std::move(memory)),
      header_(new (memory_.header()) GateHeader),
      data_(memory_.data()),
      data_bytes_(memory_.data_bytes()),
      capacity_(capacity),
      trail_(options.trail_frames),
      frame_bytes_(options.frame_bytes),
      gate_(*header_, capacity, options.history_frames, options.trail_frames),
      live_(options.live) {}

WriteSpan Ring::begin_write_slowly(std::uint32_t want) noexcept {
  if (owed_ != 0 && fill_drops() != 0) return {nullptr, 0, write_position()};
  const std::uint64_t most = std::min<std::uint64_t>(want, capacity_);
  const std::uint64_t usable = gate_.raise(written_, written_ + most, live_);
  return span_here(static_cast<std::uint32_t>(std::min(most, usable - written_)));
}

std::uint64_t Ring::fill_drops() noexcept {
  for (std::uint64_t budget = capacity_; owed_ != 0 && budget != 0;) {
    const std::uint64_t want = std::min(owed_, budget);
    const std::uint64_t usable = gate_.raise(written_, written_ + want, live_);
    std::uint64_t frames = std::min(want, usable - written_);
#if SLUICE_SINGLE_MAPPING
    frames = std::min(frames, (data_bytes_ - offset_bytes_) / frame_bytes_);
#endif
    if (frames == 0) break;
    std::memset(data_ + offset_bytes_, 0, frames * frame_bytes_);
    advance(frames);
    owed_ -= frames;
    budget -= frames;
  }
  return owed_;
}

bool Ring::release_below(std::uint64_t position) noexcept {
  const std::uint64_t needed = position + capacity_;
  return gate_.raise(written_, needed, live_, Gate::Want::kAllOrNothing) >= needed;
}

std::uint64_t Ring::room() const noexcept {
  const std::uint64_t used = written_ - gate_.oldest_held(written_, live_) + owed_;
  return used < capacity_ ? capacity_ - used : 0;
}

std::uint64_t Ring::payable_frames() const noexcept {
  const std::uint64_t used = written_ - gate_.oldest_held(written_, live_);
  return std::min(owed_, capacity_ - std::min(used, capacity_));
}

std::uint32_t Ring::cursor_count() const noexcept {
  int count = 0;
  for (const auto& mask : header_->slot_masks) {
    count += std::popcount(mask.load(std::memory_order_relaxed));
  }
  return static_cast<std::uint32_t>(count);
}

std::optional<Ring::CursorState> Ring::cursor_state(std::uint32_t slot) const noexcept {
  if (slot >= kMaxCursors) return std::nullopt;
  const CursorSlot& it = header_->slots[slot];
  const std::uint64_t word = it.word.load(std::memory_order_acquire);
  if (word == CursorSlot::kFreeWord) return std::nullopt;
  return CursorState{word >> CursorSlot::kPositionShift, it.lost.load(std::memory_order_relaxed),
                     (word & CursorSlot::kSkipBit) != 0 ? CursorPolicy::kSkip : CursorPolicy::kWait,
                     (word & CursorSlot::kPinnedBit) != 0};
}

}  // namespace sluice::engine
