#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "host/engine/ring/mark_ring.hpp"
#include "tests/unit/engine/ring_support.hpp"

namespace sluice::engine {
namespace {

sluice_mark make_mark(std::uint32_t kind, std::uint64_t position, std::uint64_t value = 0) {
  sluice_mark mark{};
  mark.struct_size = sizeof mark;
  mark.kind = kind;
  mark.position = position;
  mark.capture_ns = SLUICE_NO_TIME;
  mark.value = value;
  return mark;
}

TEST(MarkRingTest, Reader_takes_marks_in_order_up_to_its_position) {
  MarkRing ring;
  ring.write(make_mark(SLUICE_MARK_GAP, 5, 1));
  MarkReader from_now(ring);
  MarkReader from_start(ring, 0);
  EXPECT_FALSE(from_now.has_news());
  EXPECT_TRUE(from_start.has_news());
  ring.write(make_mark(SLUICE_MARK_GAP, 100, 2));
  ring.write(make_mark(SLUICE_MARK_DISCONTINUITY, 200, 3));

  EXPECT_EQ(from_start.take(4), std::nullopt);
  EXPECT_EQ(from_start.take(5)->value, 1U);
  EXPECT_EQ(from_start.take(99), std::nullopt);
  EXPECT_EQ(from_now.take(150)->value, 2U);
  EXPECT_EQ(from_now.take(150), std::nullopt);
  EXPECT_TRUE(from_now.has_news());
  const auto last = from_now.take();
  ASSERT_TRUE(last);
  EXPECT_EQ(last->kind, std::uint32_t{SLUICE_MARK_DISCONTINUITY});
  EXPECT_EQ(last->struct_size, sizeof(sluice_mark));
  EXPECT_EQ(last->position, 200U);
  EXPECT_FALSE(from_now.has_news());
  EXPECT_EQ(from_now.lost() + from_start.lost(), 0U);
}

TEST(MarkRingTest, Slow_reader_loses_detail_counted_but_no_state) {
  MarkRing ring;
  MarkReader reader(ring);
  ring.write(make_mark(SLUICE_MARK_SILENCE_BEGINS, 10));
  for (std::uint64_t i = 0; i < 200; ++i) ring.write(make_mark(SLUICE_MARK_GAP, 20 + i, i));
  EXPECT_EQ(ring.state().silent_since, 10U);
  EXPECT_TRUE(ring.state().is_silent());
  ring.write(make_mark(SLUICE_MARK_END, 300));

  std::uint64_t taken = 0;
  std::uint64_t last = 0;
  while (const auto mark = reader.take()) {
    EXPECT_GE(mark->position, last);
    last = mark->position;
    ++taken;
  }
  EXPECT_EQ(taken, MarkRing::kCapacity);
  EXPECT_EQ(taken + reader.lost(), ring.count());
  EXPECT_EQ(last, 300U);
  const StreamState state = ring.state();
  EXPECT_TRUE(state.has_ended());
  EXPECT_EQ(state.end_position, 300U);
  EXPECT_TRUE(state.is_silent());
  EXPECT_EQ(state.marks, 202U);
}

TEST(MarkRingTest, State_follows_silence_end_and_format) {
  MarkRing ring;
  EXPECT_FALSE(ring.state().has_ended());
  EXPECT_FALSE(ring.state().is_silent());
  ring.write(make_mark(SLUICE_MARK_SILENCE_BEGINS, 7));
  EXPECT_EQ(ring.state().silent_since, 7U);
  ring.write(make_mark(SLUICE_MARK_SILENCE_ENDS, 9));
  EXPECT_FALSE(ring.state().is_silent());
  ring.write(make_mark(SLUICE_MARK_END, 9));
  EXPECT_TRUE(ring.state().has_ended());
  ring.clear_end();
  EXPECT_FALSE(ring.state().has_ended());
  ring.begin_format_epoch();
  ring.begin_format_epoch();
  EXPECT_EQ(ring.state().format_epoch, 2U);
  EXPECT_EQ(ring.time().capture_ns, SLUICE_NO_TIME);
  ring.set_time({.position = 480, .capture_ns = 10'000'000});
  EXPECT_EQ(ring.time().position, 480U);
  EXPECT_EQ(ring.time().capture_ns, 10'000'000);
}

TEST(MarkRingTest, Readers_beside_a_running_writer_get_whole_marks_or_count_them) {
  MarkRing ring;
  const std::uint64_t marks = test::repetitions(20'000'000, 50);
  std::atomic<bool> finished{false};
  const auto value_of = [](std::uint64_t position) { return position * 0x9E3779B97F4A7C15U + 1; };
  const auto read_all = [&](int laziness) {
    MarkReader reader(ring, 0);
    std::uint64_t taken = 0;
    std::uint64_t torn = 0;
    std::uint64_t next = 0;
    for (;;) {
      const bool last = finished.load(std::memory_order_acquire);
      const auto mark = reader.take();
      if (!mark) {
        if (last) break;
        std::this_thread::yield();
        continue;
      }
      ++taken;
      torn += mark->value == value_of(mark->position) && mark->position >= next &&
                      mark->capture_ns == static_cast<std::int64_t>(mark->position)
                  ? 0
                  : 1;
      next = mark->position + 1;
      for (int i = 0; i < laziness; ++i) std::this_thread::yield();
    }
    EXPECT_EQ(torn, 0U);
    EXPECT_EQ(taken + reader.lost(), marks);
  };
  std::thread quick([&] { read_all(0); });
  std::thread slow([&] { read_all(1); });
  for (std::uint64_t i = 0; i < marks; ++i) {
    sluice_mark mark = make_mark(SLUICE_MARK_GAP, i, value_of(i));
    mark.capture_ns = static_cast<std::int64_t>(i);
    ring.write(mark);
    if (i % 4096 == 0) std::this_thread::yield();
  }
  finished.store(true, std::memory_order_release);
  quick.join();
  slow.join();
}

TEST(LatchTest, Reader_beside_a_running_writer_never_sees_halves_or_the_past) {
  struct Pair {
    std::uint64_t position = 0;
    std::uint64_t twice = 0;
    std::uint64_t thrice = 0;
  };
  Latch<Pair> latch;
  const std::uint64_t rounds = test::repetitions(50'000'000, 20);
  std::thread writer([&] {
    for (std::uint64_t i = 1; i <= rounds; ++i) latch.write({i, 2 * i, 3 * i});
  });
  std::uint64_t newest = 0;
  std::uint64_t wrong = 0;
  while (newest != rounds) {
    const Pair pair = latch.read();
    wrong += pair.twice == 2 * pair.position && pair.thrice == 3 * pair.position &&
                     pair.position >= newest
                 ? 0
                 : 1;
    newest = pair.position;
  }
  writer.join();
  EXPECT_EQ(wrong, 0U);
  EXPECT_EQ(latch.version(), rounds);
}

}  // namespace
}  // namespace sluice::engine
