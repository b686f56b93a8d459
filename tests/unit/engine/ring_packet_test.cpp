#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <deque>
#include <random>
#include <thread>
#include <vector>

#include "host/engine/ring/packet_ring.hpp"
#include "tests/unit/engine/ring_support.hpp"

namespace sluice::engine {
namespace {

using test::fill_payload;
using test::wrong_frames;

std::unique_ptr<PacketRing> make_packets(std::uint32_t packets, std::uint64_t bytes,
                                         bool live = true) {
  auto ring = PacketRing::create(
      {.minimum_packets = packets, .minimum_payload_bytes = bytes, .live = live});
  if (!ring) {
    ADD_FAILURE() << ring.error().message;
    std::abort();
  }
  return *std::move(ring);
}

// Writes packet number `sequence`, whose payload is made from it; false if there is no room.
bool write_packet(PacketRing& ring, std::uint64_t sequence, std::uint32_t bytes) {
  const auto room = ring.reserve(bytes);
  if (room.data() == nullptr) return false;
  fill_payload(room.data(), sequence, 1, bytes);
  ring.commit({.position = sequence * 960, .sequence = sequence, .stream = 7}, 0, bytes);
  return true;
}

bool is_right(const PacketCursor& cursor, const PacketDescriptor& packet) {
  const auto payload = cursor.payload(packet);
  return packet.position == packet.sequence * 960 && packet.stream == 7 &&
         wrong_frames(payload.data(), packet.sequence, payload.empty() ? 0 : 1,
                      packet.size_bytes) == 0;
}

TEST(PacketRingTest, Packet_arrives_with_all_its_fields_and_its_payload) {
  const auto ring = make_packets(64, 4096);
  PacketCursor cursor;
  ASSERT_EQ(cursor.attach_behind(*ring, 0, CursorPolicy::kWait), AttachStatus::kAttached);
  EXPECT_TRUE(cursor.begin_read(1).empty());
  const auto room = ring->reserve(100);
  ASSERT_EQ(room.size(), 100U);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(room.data()) % PacketRing::kPayloadAlignment, 0U);
  std::memcpy(room.data(), "hello", 5);
  ring->commit({.flags = 3,
                .position = 960,
                .duration_frames = 480,
                .sequence = 12,
                .capture_ns = -5,
                .arrival_ns = 1'000'000,
                .stream = 0xCAFE},
               0, 5);
  const auto packets = cursor.begin_read(10);
  ASSERT_EQ(packets.size(), 1U);
  EXPECT_EQ(packets[0].flags, 3U);
  EXPECT_EQ(packets[0].position, 960U);
  EXPECT_EQ(packets[0].duration_frames, 480U);
  EXPECT_EQ(packets[0].sequence, 12U);
  EXPECT_EQ(packets[0].capture_ns, -5);
  EXPECT_EQ(packets[0].arrival_ns, 1'000'000);
  EXPECT_EQ(packets[0].stream, 0xCAFEU);
  ASSERT_EQ(cursor.payload(packets[0]).size(), 5U);
  EXPECT_EQ(std::memcmp(cursor.payload(packets[0]).data(), "hello", 5), 0);
  cursor.end_read(1);
  EXPECT_EQ(cursor.available(), 0U);
}

TEST(PacketRingTest, Several_packets_come_out_of_one_reservation) {
  const auto ring = make_packets(64, 4096);
  PacketCursor cursor;
  ASSERT_EQ(cursor.attach_behind(*ring, 0, CursorPolicy::kWait), AttachStatus::kAttached);
  const auto room = ring->reserve(3 * 200, 3);
  ASSERT_NE(room.data(), nullptr);
  for (std::uint32_t i = 0; i < 3; ++i) {
    fill_payload(room.data() + i * 200, i, 1, 150);
    ring->commit({.position = i * 960U, .sequence = i, .stream = 7}, i * 200, 150);
  }
  ASSERT_TRUE(write_packet(*ring, 3, 50));
  const auto packets = cursor.begin_read(10);
  ASSERT_EQ(packets.size(), 4U);
  for (const PacketDescriptor& packet : packets) EXPECT_TRUE(is_right(cursor, packet));
  cursor.end_read(4);
}

TEST(PacketRingTest, Empty_packet_stands_for_a_lost_one) {
  const auto ring = make_packets(64, 4096);
  PacketCursor cursor;
  ASSERT_EQ(cursor.attach_behind(*ring, 0, CursorPolicy::kWait), AttachStatus::kAttached);
  ASSERT_NE(ring->reserve(0).data(), nullptr);
  ring->commit({.sequence = 9}, 0, 0);
  const auto packets = cursor.begin_read(1);
  ASSERT_EQ(packets.size(), 1U);
  EXPECT_EQ(packets[0].size_bytes, 0U);
  EXPECT_TRUE(cursor.payload(packets[0]).empty());
  cursor.end_read(1);
}

TEST(PacketRingTest, Waiting_cursor_keeps_payloads_and_descriptors_from_being_overwritten) {
  // Payload runs out first, then descriptors.
  for (const std::uint32_t bytes : {1000U, 10U}) {
    const auto ring = make_packets(64, 16 * 1024);
    PacketCursor cursor;
    ASSERT_EQ(cursor.attach_behind(*ring, 0, CursorPolicy::kWait), AttachStatus::kAttached);
    std::uint64_t written = 0;
    while (write_packet(*ring, written, bytes)) ++written;
    EXPECT_EQ(written, bytes == 1000 ? 16U : 64U);
    EXPECT_FALSE(ring->has_room(bytes));
    EXPECT_EQ(ring->blocker(), Blocker::kWaitingCursor);
    const auto packets = cursor.begin_read(2);
    ASSERT_FALSE(packets.empty());
    EXPECT_TRUE(is_right(cursor, packets[0]));
    EXPECT_FALSE(write_packet(*ring, written, bytes));
    cursor.end_read(1);
    EXPECT_TRUE(ring->has_room(bytes));
    EXPECT_TRUE(write_packet(*ring, written, bytes));
    EXPECT_FALSE(write_packet(*ring, written + 1, bytes));
  }
}

TEST(PacketRingTest, Lagging_skip_cursor_loses_whole_packets_counted) {
  const auto ring = make_packets(64, 16 * 1024);
  PacketCursor cursor;
  ASSERT_EQ(cursor.attach_behind(*ring, 0, CursorPolicy::kSkip, 5), AttachStatus::kAttached);
  for (std::uint64_t i = 0; i < 17; ++i) ASSERT_TRUE(write_packet(*ring, i, 1000));
  EXPECT_EQ(cursor.position(), 11U) << "16 were written when the 17th needed room: 16 - 5";
  const auto packets = cursor.begin_read(64);
  ASSERT_FALSE(packets.empty());
  EXPECT_EQ(packets[0].sequence, 11U);
  EXPECT_EQ(cursor.lost(), 11U);
  for (const PacketDescriptor& packet : packets) EXPECT_TRUE(is_right(cursor, packet));
  std::uint64_t next = 17;
  while (write_packet(*ring, next, 1000)) ++next;
  EXPECT_EQ(ring->blocker(), Blocker::kPinnedCursor);
  EXPECT_EQ(next, 27U) << "the held packets from 11 on stay";
  for (const PacketDescriptor& packet : packets) EXPECT_TRUE(is_right(cursor, packet));
  cursor.end_read(static_cast<std::uint32_t>(packets.size()));
}

TEST(PacketRingTest, Reservation_that_fails_takes_nothing_from_a_skip_cursor) {
  const auto ring = make_packets(64, 16 * 1024);
  PacketCursor waits;
  PacketCursor skips;
  ASSERT_EQ(waits.attach_behind(*ring, 0, CursorPolicy::kWait), AttachStatus::kAttached);
  ASSERT_EQ(skips.attach_behind(*ring, 0, CursorPolicy::kSkip), AttachStatus::kAttached);
  std::uint64_t written = 0;
  while (write_packet(*ring, written, 1000)) ++written;
  EXPECT_FALSE(waits.begin_read(2).empty());
  waits.end_read(2);
  EXPECT_FALSE(write_packet(*ring, written, 3000)) << "room for two of the three it takes";
  EXPECT_EQ(skips.position(), 0U);
  EXPECT_TRUE(write_packet(*ring, written, 1000));
  EXPECT_EQ(skips.position(), written) << "now it helped";
}

TEST(PacketRingTest, Request_that_can_never_fit_is_refused) {
  const auto ring = make_packets(64, 4096);
  EXPECT_NE(ring->reserve(4096).data(), nullptr);
  EXPECT_EQ(ring->reserve(4097).data(), nullptr);
  EXPECT_EQ(ring->reserve(10, 65).data(), nullptr);
  EXPECT_FALSE(ring->has_room(4097));
  EXPECT_TRUE(ring->has_room(4096, 64));
  auto absurd = PacketRing::create({.minimum_payload_bytes = std::uint64_t{1} << 60});
  ASSERT_FALSE(absurd);
  EXPECT_EQ(absurd.error().message.back(), '.');
}

TEST(PacketRingTest, Attach_in_the_past_finds_payloads_that_are_still_there) {
  const auto ring = make_packets(256, 64 * 1024);
  std::mt19937_64 random(1);
  for (std::uint64_t i = 0; i < 2000; ++i) {
    ASSERT_TRUE(write_packet(*ring, i, static_cast<std::uint32_t>(random() % 1500)));
    PacketCursor cursor;
    ASSERT_EQ(cursor.attach_behind(*ring, random() % 300, CursorPolicy::kWait),
              AttachStatus::kAttached);
    const auto packets = cursor.begin_read(256);
    for (const PacketDescriptor& packet : packets) ASSERT_TRUE(is_right(cursor, packet)) << i;
    cursor.end_read(0);
  }
}

// Against a deque of what a reader must see: sizes at random, readers that come and go.
TEST(PacketRingTest, Random_operations_give_what_a_deque_gives) {
  const std::uint64_t steps = test::repetitions(2'000'000, 10);
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const auto ring = make_packets(64, 8192);
  std::array<PacketCursor, 4> cursors;
  std::array<std::uint64_t, 4> joined{};
  std::array<std::uint64_t, 4> received{};
  std::deque<std::uint32_t> sizes;  // of packets first ... first + size() - 1
  std::uint64_t first = 0;
  for (std::uint64_t step = 0; step < steps; ++step) {
    const std::size_t i = random() % cursors.size();
    PacketCursor& cursor = cursors[i];
    const std::uint64_t written = first + sizes.size();
    if (random() % 2 == 0) {
      const auto bytes = static_cast<std::uint32_t>(random() % (random() % 8 == 0 ? 8192 : 400));
      const bool has_room = ring->has_room(bytes);
      ASSERT_EQ(write_packet(*ring, written, bytes), has_room);
      if (has_room) sizes.push_back(bytes);
      if (sizes.size() > 128) {
        sizes.pop_front();
        ++first;
      }
    } else if (!cursor.attached()) {
      const CursorPolicy policy = random() % 3 == 0 ? CursorPolicy::kWait : CursorPolicy::kSkip;
      ASSERT_EQ(cursor.attach_behind(*ring, random() % 70, policy, random() % 70),
                AttachStatus::kAttached);
      joined[i] = cursor.position();
      received[i] = 0;
    } else if (cursor.held_packets() == 0 && random() % 16 == 0) {
      cursor.detach();
    } else if (cursor.held_packets() == 0) {
      const auto packets = cursor.begin_read(static_cast<std::uint32_t>(random() % 20));
      std::uint64_t index = joined[i] + received[i] + cursor.lost();
      for (const PacketDescriptor& packet : packets) {
        ASSERT_EQ(packet.sequence, index);
        ASSERT_EQ(packet.size_bytes, sizes[index - first]);
        ASSERT_TRUE(is_right(cursor, packet));
        ++index;
      }
    } else {
      const auto used = static_cast<std::uint32_t>(random() % (cursor.held_packets() + 1));
      cursor.end_read(used);
      received[i] += used;
    }
  }
}

TEST(PacketRingTest, Readers_on_threads_get_or_count_every_packet) {
  const std::uint64_t packets = test::repetitions(1'000'000, 20);
  const auto ring = make_packets(256, 128 * 1024);
  std::atomic<bool> finished{false};
  std::array<PacketCursor, 4> cursors;
  std::array<std::uint64_t, 4> received{};
  std::array<std::uint64_t, 4> wrong{};
  for (std::size_t i = 0; i < cursors.size(); ++i) {
    ASSERT_EQ(cursors[i].attach_behind(*ring, 0, i < 2 ? CursorPolicy::kWait : CursorPolicy::kSkip,
                                       10 * i),
              AttachStatus::kAttached);
  }
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < cursors.size(); ++i) {
    threads.emplace_back([&, i] {
      std::mt19937_64 random(i);
      std::uint64_t count = 0;
      std::uint64_t bad = 0;
      for (;;) {
        const bool last = finished.load(std::memory_order_acquire);
        const auto span = cursors[i].begin_read(static_cast<std::uint32_t>(1 + random() % 16));
        if (span.empty()) {
          if (last) break;
          std::this_thread::yield();
          continue;
        }
        // The later ones are slow: they look again and again.
        for (std::size_t look = 0; look <= 2 * i; ++look) {
          for (const PacketDescriptor& packet : span) bad += is_right(cursors[i], packet) ? 0 : 1;
        }
        count += span.size();
        cursors[i].end_read(static_cast<std::uint32_t>(span.size()));
      }
      received[i] = count;
      wrong[i] = bad;
    });
  }
  std::mt19937_64 random(99);
  for (std::uint64_t i = 0; i < packets;) {
    if (write_packet(*ring, i, static_cast<std::uint32_t>(random() % 1400))) {
      ++i;
    } else {
      std::this_thread::yield();
    }
  }
  finished.store(true, std::memory_order_release);
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < cursors.size(); ++i) {
    EXPECT_EQ(wrong[i], 0U) << i;
    EXPECT_EQ(received[i] + cursors[i].lost(), packets) << i;
  }
  EXPECT_EQ(cursors[0].lost() + cursors[1].lost(), 0U);
}

}  // namespace
}  // namespace sluice::engine
