// The lock-free buffer behind one packet port: descriptors in a Ring, payloads in a mirrored area.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "host/engine/ring/mirror_memory.hpp"
#include "host/engine/ring/ring.hpp"
#include "host/support/result.hpp"

namespace sluice::engine {

// One packet as it lies in the ring. Payload positions are free-running byte counts, no pointers.
struct PacketDescriptor {
  std::uint64_t payload_position = 0;  // by the ring
  std::uint32_t size_bytes = 0;        // by the ring
  std::uint32_t flags = 0;             // SLUICE_PACKET_*
  std::uint64_t position = 0;          // media time of its first frame
  std::uint64_t duration_frames = 0;
  std::uint64_t sequence = 0;  // extended to 64 bits
  std::int64_t capture_ns = 0;
  std::int64_t arrival_ns = 0;
  std::uint32_t stream = 0;  // source identifier, such as an SSRC
  std::uint32_t reserved = 0;
};
static_assert(sizeof(PacketDescriptor) == 64);

struct PacketRingOptions {
  std::uint32_t minimum_packets = 64;  // capacity is the next possible number from here
  std::uint64_t minimum_payload_bytes = 64 * 1500;
  bool live = true;
  const char* name = "sluice-packets";
};

// A ring of packets. Cursors count packets and are those of Ring, with its policies, pins and
// eviction: a payload lives exactly as long as its descriptor. Threads and ownership as for Ring.
class PacketRing {
 public:
  // Reserved spans begin at multiples of it.
  static constexpr std::uint32_t kPayloadAlignment = 64;

  // kInvalid for an absurd size, kNoMemory if the system refuses. [control]
  static support::Result<std::unique_ptr<PacketRing>> create(const PacketRingOptions& options);

  std::uint64_t capacity_packets() const noexcept { return ring_->capacity_frames(); }
  std::uint64_t payload_capacity_bytes() const noexcept { return payload_bytes_; }

  // Contiguous room for `bytes` (0 allowed) of payload in `packets` packets, so that a socket can
  // receive into it; data() is null if cursors are in the way (blocker() says what kind) or if it
  // can never fit. Lagging skip cursors are moved on by whole packets. Reserving again gives up
  // what was not committed. [writer]
  std::span<std::byte> reserve(std::uint32_t bytes, std::uint32_t packets = 1) noexcept;

  // Publishes `size_bytes` bytes from `offset_bytes` of the reserved span as the next packet.
  // Repeat for each of several packets, offsets ascending and not overlapping. payload_position and
  // size_bytes of `packet` are filled in here. A packet may be empty (a lost one). [writer]
  void commit(const PacketDescriptor& packet, std::uint32_t offset_bytes,
              std::uint32_t size_bytes) noexcept;

  // The caller throws `packets` away; counted. Their sequence numbers are the visible gap. [writer]
  void drop(std::uint64_t packets) noexcept;
  std::uint64_t dropped() const noexcept { return dropped_.load(std::memory_order_relaxed); }

  // Whether reserve(bytes, packets) would succeed right now; moves nobody. [writer]
  bool has_room(std::uint32_t bytes, std::uint32_t packets = 1) const noexcept;

  Blocker blocker() const noexcept { return ring_->blocker(); }
  void set_live(bool live) noexcept { ring_->set_live(live); }

  // Packets written so far: the position of the next one. [any]
  std::uint64_t written() const noexcept { return ring_->written(); }
  std::uint64_t oldest() const noexcept { return ring_->oldest(); }
  std::uint32_t cursor_count() const noexcept { return ring_->cursor_count(); }
  std::optional<Ring::CursorState> cursor_state(std::uint32_t slot) const noexcept {
    return ring_->cursor_state(slot);
  }
  int lock_error() const noexcept {
    return ring_->lock_error() != 0 ? ring_->lock_error() : payload_.lock_error();
  }

 private:
  friend class PacketCursor;

  PacketRing(std::unique_ptr<Ring> ring, MirrorMemory payload) noexcept;

  struct Plan {
    bool possible;        // whether it fits at all
    std::uint64_t begin;  // payload position of the span
    std::uint64_t keep;   // packets below it go
  };
  Plan plan(std::uint32_t bytes, std::uint32_t packets) const noexcept;

  std::unique_ptr<Ring> ring_;
  MirrorMemory payload_;
  std::uint64_t payload_bytes_;
  std::atomic<std::uint64_t> dropped_{0};

  alignas(64) std::uint64_t payload_end_ = 0;  // position behind the newest payload
  std::uint64_t reserved_begin_ = 0;           // payload position of the reserved span
  std::uint64_t reserved_bytes_ = 0;
  std::uint64_t first_kept_ = 0;  // oldest descriptor whose payload is not written over
};

// A reader of a PacketRing. Rules, threads and policies as for Cursor, counted in packets.
class PacketCursor {
 public:
  PacketCursor() = default;

  [[nodiscard]] AttachStatus attach_at(PacketRing& ring, std::uint64_t packet, CursorPolicy policy,
                                       std::uint64_t skip_target_packets = 0) noexcept;
  [[nodiscard]] AttachStatus attach_behind(PacketRing& ring, std::uint64_t distance_packets,
                                           CursorPolicy policy,
                                           std::uint64_t skip_target_packets = 0) noexcept;
  void detach() noexcept { cursor_.detach(); }
  bool attached() const noexcept { return cursor_.attached(); }

  // Up to `maximum` packets, oldest first, stable with their payloads until end_read. [owner]
  std::span<const PacketDescriptor> begin_read(std::uint32_t maximum) noexcept {
    const ReadSpan span = cursor_.begin_read(maximum);
    return {reinterpret_cast<const PacketDescriptor*>(span.data), span.frames};
  }
  // Consumes the first `packets` (0 allowed) of the span. [owner]
  void end_read(std::uint32_t packets) noexcept { cursor_.end_read(packets); }

  // Payload of a packet of the span being held; contiguous. [owner]
  std::span<const std::byte> payload(const PacketDescriptor& packet) const noexcept {
    return {payload_ + packet.payload_position % payload_bytes_, packet.size_bytes};
  }

  std::uint64_t available() const noexcept { return cursor_.available(); }
  std::uint64_t position() const noexcept { return cursor_.position(); }
  // Packets passed over since attach. [any, while attached]
  std::uint64_t lost() const noexcept { return cursor_.lost(); }
  [[nodiscard]] AttachStatus seek(std::uint64_t packet) noexcept { return cursor_.seek(packet); }
  void set_policy(CursorPolicy policy) noexcept { cursor_.set_policy(policy); }
  CursorPolicy policy() const noexcept { return cursor_.policy(); }
  void set_skip_target(std::uint64_t packets) noexcept { cursor_.set_skip_target(packets); }
  std::uint32_t held_packets() const noexcept { return cursor_.held_frames(); }

 private:
  Cursor cursor_;
  const std::byte* payload_ = nullptr;
  std::uint64_t payload_bytes_ = 1;
};

}  // namespace sluice::engine
