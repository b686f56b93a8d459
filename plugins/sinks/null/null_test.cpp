#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sluice/sluice.hpp>

#include "tests/support/worker_driver.hpp"

namespace sluice::tests {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr sluice_format kFormat{sizeof(sluice_format), SLUICE_SAMPLE_S16, 1, 44100};
constexpr int64_t kMs = 1'000'000;

std::vector<int16_t> frames(size_t count) { return std::vector<int16_t>(count); }

// Feeds `count` frames every 10 ms from `from_ms` on, before that instant's deadline.
void feed_steadily(WorkerDriver& node, int64_t from_ms, int64_t to_ms) {
  for (int64_t ms = from_ms; ms < to_ms; ms += 10) {
    node.at(ms * kMs, [&node] { node.feed(frames(441)); });
  }
}

TEST(SinkNull, Free_takes_everything_at_once_and_ends_with_its_input) {
  WorkerDriver node("sink.null");
  ASSERT_TRUE(node.prepare(kFormat));
  EXPECT_EQ(node.describe()->clock, static_cast<uint32_t>(SLUICE_CLOCK_NONE));
  node.feed(frames(100000));
  node.at(kMs, [&] { node.feed(frames(7)); });
  node.at(2 * kMs, [&] { node.end_input(); });
  ASSERT_TRUE(node.run());
  EXPECT_EQ(node.frames_read(), 100007u);
  EXPECT_EQ(node.counter("frames"), 100007u);
  EXPECT_EQ(node.counter("underrun_frames"), 0u);
  EXPECT_EQ(node.now_ns(), 2 * kMs);
  EXPECT_THAT(node.violations(), IsEmpty());
}

TEST(SinkNull, RealTime_hour_takes_exactly_its_rate) {
  for (const uint32_t rate_hz : {44100u, 11025u}) {
    WorkerDriver node("sink.null");
    node.set("pace", "real-time");
    EXPECT_EQ(node.describe()->clock, static_cast<uint32_t>(SLUICE_CLOCK_MONOTONIC));
    ASSERT_TRUE(node.prepare({sizeof(sluice_format), SLUICE_SAMPLE_S16, 1, rate_hz}));
    node.feed(frames(rate_hz));
    uint64_t worst = 0;
    for (int64_t s = 1; s <= 3600; ++s) {
      node.at(s * 1000 * kMs, [&, s] {
        const uint64_t due = static_cast<uint64_t>(s) * rate_hz;
        worst = std::max(worst, due - node.frames_read());
        node.feed(frames(rate_hz));
      });
    }
    node.stop_at(3600 * 1000 * kMs + 1);
    ASSERT_TRUE(node.run());
    EXPECT_LE(worst, 2 * rate_hz / 100);
    const uint64_t period = rate_hz / 100;
    EXPECT_EQ(node.frames_read(), uint64_t{3600} * rate_hz / period * period);
    EXPECT_EQ(node.counter("underruns"), 0u);
    EXPECT_THAT(node.violations(), IsEmpty());
  }
}

TEST(SinkNull, RealTime_begins_with_two_periods) {
  WorkerDriver node("sink.null");
  node.set("pace", "real-time");
  ASSERT_TRUE(node.prepare(kFormat));
  EXPECT_EQ(node.setup().target_ms, 20);
  feed_steadily(node, 1000, 2000);
  node.at(1019 * kMs, [&] { EXPECT_EQ(node.frames_read(), 0u); });
  node.at(1021 * kMs, [&] { EXPECT_EQ(node.frames_read(), 441u); });
  node.at(1995 * kMs, [&] { node.end_input(); });
  ASSERT_TRUE(node.run());
  EXPECT_EQ(node.frames_read(), 44100u);
  EXPECT_EQ(node.counter("underrun_frames"), 0u);
}

TEST(SinkNull, RealTime_input_stalls_counts_what_was_missing_and_does_not_drift) {
  WorkerDriver node("sink.null");
  node.set("pace", "real-time");
  ASSERT_TRUE(node.prepare(kFormat));
  feed_steadily(node, 0, 1000);
  feed_steadily(node, 1301, 2000);  // 300 ms never come
  node.stop_at(2000 * kMs + 1);
  ASSERT_TRUE(node.run());
  EXPECT_EQ(node.frames_read(), 170u * 441);
  EXPECT_EQ(node.counter("underruns"), 1u);
  EXPECT_EQ(node.counter("underrun_frames"),
            29u * 441);  // two periods were buffered, one is left over
  EXPECT_EQ(node.counter("frames") + node.counter("underrun_frames"), 199u * 441);
  EXPECT_THAT(node.told_upstream(), ElementsAre(static_cast<uint32_t>(SLUICE_UPSTREAM_STARVED)));
}

TEST(SinkNull, RealTime_idle_input_is_no_underrun) {
  WorkerDriver node("sink.null");
  node.set("pace", "real-time");
  ASSERT_TRUE(node.prepare(kFormat));
  feed_steadily(node, 0, 1000);
  node.at(995 * kMs, [&] { node.set_idle(true); });
  node.at(1501 * kMs, [&] { node.set_idle(false); });
  feed_steadily(node, 1501, 2000);
  node.stop_at(2000 * kMs + 1);
  ASSERT_TRUE(node.run());
  EXPECT_EQ(node.frames_read(), 150u * 441);
  EXPECT_EQ(node.counter("underrun_frames"), 0u);
  EXPECT_THAT(node.told_upstream(), IsEmpty());
}

TEST(SinkNull, RealTime_late_thread_takes_what_is_due_by_then) {
  WorkerDriver node("sink.null");
  node.set("pace", "real-time");
  ASSERT_TRUE(node.prepare(kFormat));
  node.feed(frames(44100 * 3));
  node.at(500 * kMs, [&] { node.skip_time(200 * kMs); });
  node.stop_at(1000 * kMs + 1);
  ASSERT_TRUE(node.run());
  EXPECT_EQ(node.frames_read(), 44100u);
  EXPECT_EQ(node.counter("underruns"), 0u);
}

TEST(SinkNull, RealTime_stop_returns_at_once) {
  WorkerDriver node("sink.null");
  node.set("pace", "real-time");
  ASSERT_TRUE(node.prepare(kFormat));
  node.stop_at(0);
  ASSERT_TRUE(node.run());
  EXPECT_EQ(node.frames_read(), 0u);
}

}  // namespace
}  // namespace sluice::tests
