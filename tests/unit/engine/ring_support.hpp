// What the ring tests share: payload that says where it belongs, seeds, how long to go on.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <random>
#include <string_view>

#include "host/engine/ring/ring.hpp"
#include "host/support/sanitizers.hpp"

namespace sluice::engine::test {

inline constexpr bool kSanitized = SLUICE_ADDRESS_SANITIZER || SLUICE_THREAD_SANITIZER;

// Repetitions of a stress test: `full` where SLUICE_STRESS=full is set, a fraction otherwise.
inline std::uint64_t repetitions(std::uint64_t full, std::uint64_t fraction) {
  const char* wish = std::getenv("SLUICE_STRESS");
  const bool all = wish != nullptr && std::string_view(wish) == "full";
  return (all ? full : full / fraction) / (kSanitized ? 10 : 1);
}

// The byte that belongs at `index` of the frame at `position`; never all zero over a frame of 8.
inline std::byte payload_byte(std::uint64_t position, std::uint32_t index) {
  const std::uint64_t mixed = (position + 1) * 0x9E3779B97F4A7C15U;
  return static_cast<std::byte>((mixed >> (8 * (index & 7U))) + index);
}

inline void fill_payload(std::byte* data, std::uint64_t position, std::uint32_t frames,
                         std::uint32_t frame_bytes) {
  for (std::uint32_t frame = 0; frame < frames; ++frame) {
    for (std::uint32_t i = 0; i < frame_bytes; ++i) {
      *data++ = payload_byte(position + frame, i);
    }
  }
}

// Frames of the span that do not hold what belongs there.
inline std::uint32_t wrong_frames(const std::byte* data, std::uint64_t position,
                                  std::uint32_t frames, std::uint32_t frame_bytes) {
  std::uint32_t wrong = 0;
  for (std::uint32_t frame = 0; frame < frames; ++frame) {
    bool same = true;
    for (std::uint32_t i = 0; i < frame_bytes; ++i) {
      same = *data++ == payload_byte(position + frame, i) && same;
    }
    wrong += same ? 0 : 1;
  }
  return wrong;
}

inline std::unique_ptr<Ring> make_ring(std::uint32_t frame_bytes, std::uint64_t minimum_frames,
                                       bool live = true) {
  auto ring =
      Ring::create({.frame_bytes = frame_bytes, .minimum_frames = minimum_frames, .live = live});
  if (!ring) {
    ADD_FAILURE() << ring.error().message;
    std::abort();
  }
  return *std::move(ring);
}

// Writes `frames` frames of payload, in as many spans as it takes; false if there is no room.
inline bool write_payload(Ring& ring, std::uint64_t frames) {
  while (frames != 0) {
    const WriteSpan span = ring.begin_write(static_cast<std::uint32_t>(frames));
    if (span.frames == 0) return false;
    fill_payload(span.data, span.position, span.frames, ring.frame_bytes());
    ring.end_write(span.frames);
    frames -= span.frames;
  }
  return true;
}

}  // namespace sluice::engine::test
