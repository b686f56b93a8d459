#include "host/engine/ring/packet_ring.hpp"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstring>
#include <string>
#include <utility>

namespace sluice::engine {

support::Result<std::unique_ptr<PacketRing>> PacketRing::create(const PacketRingOptions& options) {
  constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 40;
  if (options.minimum_payload_bytes > kMostBytes) {
    return support::Error{support::ErrorCode::kInvalid,
                          "A packet ring of " + std::to_string(options.minimum_payload_bytes) +
                              " payload bytes is past the limit of 1 TiB; ask for less."};
  }
  auto ring = Ring::create({.frame_bytes = sizeof(PacketDescriptor),
                            .minimum_frames = options.minimum_packets,
                            .live = options.live,
                            .name = options.name});
  if (!ring) return std::move(ring).error();
  const std::uint64_t page = MirrorMemory::page_bytes();
  const std::uint64_t pages =
      std::max<std::uint64_t>(1, (options.minimum_payload_bytes + page - 1) / page);
  auto payload = MirrorMemory::create(options.name, 0, pages * page);
  if (!payload) return std::move(payload).error();
  return std::unique_ptr<PacketRing>(new PacketRing(*std::move(ring), *std::move(payload)));
}

PacketRing::PacketRing(std::unique_ptr<Ring> ring, MirrorMemory payload) noexcept
    : ring_(std::move(ring)), payload_(std::move(payload)), payload_bytes_(payload_.data_bytes()) {}

PacketRing::Plan PacketRing::plan(std::uint32_t bytes, std::uint32_t packets) const noexcept {
  const std::uint64_t capacity = ring_->capacity_;
  const std::uint64_t written = ring_->written_;
  if (bytes > payload_bytes_ || packets > capacity) return {false, 0, 0};

  constexpr std::uint64_t kMask = kPayloadAlignment - 1;
  std::uint64_t begin = (payload_end_ + kMask) & ~kMask;
#if SLUICE_SINGLE_MAPPING
  if (begin % payload_bytes_ + bytes > payload_bytes_) {
    begin += payload_bytes_ - begin % payload_bytes_;
  }
#endif
  // Payloads lie in the order of their packets, so those written over are the oldest ones.
  const std::uint64_t end = begin + bytes;
  std::uint64_t keep = std::max(first_kept_, written - std::min(written, capacity));
  for (; keep < written; ++keep) {
    std::uint64_t payload_position = 0;
    std::memcpy(&payload_position,
                ring_->data_ + keep % capacity * sizeof(PacketDescriptor) +
                    offsetof(PacketDescriptor, payload_position),
                sizeof payload_position);
    if (payload_position + payload_bytes_ >= end) break;
  }
  const std::uint64_t behind = written + packets;
  return {true, begin, std::max(keep, behind - std::min(behind, capacity))};
}

std::span<std::byte> PacketRing::reserve(std::uint32_t bytes, std::uint32_t packets) noexcept {
  reserved_bytes_ = 0;
  const Plan it = plan(bytes, packets);
  if (!it.possible || !ring_->release_below(it.keep)) return {};
  first_kept_ = it.keep;
  reserved_begin_ = it.begin;
  reserved_bytes_ = bytes;
  return {payload_.data() + it.begin % payload_bytes_, bytes};
}

void PacketRing::commit(const PacketDescriptor& packet, std::uint32_t offset_bytes,
                        std::uint32_t size_bytes) noexcept {
  assert(std::uint64_t{offset_bytes} + size_bytes <= reserved_bytes_);
  assert(reserved_begin_ + offset_bytes >= payload_end_);
  const WriteSpan span = ring_->begin_write(1);
  assert(span.frames == 1);
  if (span.frames != 1) return;
  PacketDescriptor written = packet;
  written.payload_position = reserved_begin_ + offset_bytes;
  written.size_bytes = size_bytes;
  std::memcpy(span.data, &written, sizeof written);
  payload_end_ = written.payload_position + size_bytes;
  ring_->end_write(1);
}

void PacketRing::drop(std::uint64_t packets) noexcept {
  dropped_.store(dropped_.load(std::memory_order_relaxed) + packets, std::memory_order_relaxed);
}

bool PacketRing::has_room(std::uint32_t bytes, std::uint32_t packets) const noexcept {
  const Plan it = plan(bytes, packets);
  return it.possible && ring_->gate_.oldest_held(ring_->written_, ring_->live_) >= it.keep;
}

AttachStatus PacketCursor::attach_at(PacketRing& ring, std::uint64_t packet, CursorPolicy policy,
                                     std::uint64_t skip_target_packets) noexcept {
  payload_ = ring.payload_.data();
  payload_bytes_ = ring.payload_bytes_;
  return cursor_.attach_at(*ring.ring_, packet, policy, skip_target_packets);
}

AttachStatus PacketCursor::attach_behind(PacketRing& ring, std::uint64_t distance_packets,
                                         CursorPolicy policy,
                                         std::uint64_t skip_target_packets) noexcept {
  payload_ = ring.payload_.data();
  payload_bytes_ = ring.payload_bytes_;
  return cursor_.attach_behind(*ring.ring_, distance_packets, policy, skip_target_packets);
}

}  // namespace sluice::engine
