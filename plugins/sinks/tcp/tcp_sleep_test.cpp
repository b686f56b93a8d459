// sink.tcp in virtual time, asleep.
#include "plugins/sinks/tcp/sink_tcp_fixture.hpp"

namespace sluice::tests {
namespace {

using ::testing::ElementsAre;

using SinkTcp = SinkTcpFixture;

TEST_F(SinkTcp, Deep_sleep_silence_without_frames_closes_politely_and_sound_wakes_it_at_once) {
  node_.set("deep_sleep_ms", 5000);
  node_.set("lead_ms", 100);
  server_.listen();
  feed_live(0, 2000);
  node_.at(1999 * kMs, [&] {
    node_.feed_mark(SLUICE_MARK_SILENCE_BEGINS);
    node_.set_idle(true);
  });
  node_.at(60 * kS, [&] {
    EXPECT_NEAR(static_cast<double>(server_.session().end_ns), 7e9, 260e6);
    EXPECT_TRUE(server_.session().ended_politely);
    EXPECT_EQ(node_.state(), uint32_t{SLUICE_STATE_ASLEEP});
    node_.feed_mark(SLUICE_MARK_SILENCE_ENDS);
    node_.set_idle(false);
  });
  feed_live(60'000, 62'000);
  node_.at(61'999 * kMs, [&] { node_.end_input(); });
  run();
  ASSERT_EQ(server_.sessions().size(), 2u);
  EXPECT_EQ(server_.session(1).start_ns, 60 * kS);
  EXPECT_EQ(server_.session(1).samples<int16_t>(), counted(96'000, 96'000));
  EXPECT_EQ(node_.counter("sleeps"), 1u);
  EXPECT_EQ(node_.counter("underruns"), 0u);
  EXPECT_THAT(node_.told_upstream(),
              ElementsAre(SLUICE_UPSTREAM_RECONNECTED, SLUICE_UPSTREAM_ASLEEP,
                          SLUICE_UPSTREAM_AWAKE, SLUICE_UPSTREAM_RECONNECTED));
}

TEST_F(SinkTcp, Deep_sleep_silence_of_zeros_counts_too) {
  node_.set("deep_sleep_ms", 5000);
  server_.listen();
  feed_live(0, 30'000);
  node_.at(2 * kS, [&] { node_.feed_mark(SLUICE_MARK_SILENCE_BEGINS); });
  node_.at(20 * kS, [&] { node_.feed_mark(SLUICE_MARK_SILENCE_ENDS); });
  node_.stop_at(30 * kS);
  run();
  ASSERT_EQ(server_.sessions().size(), 2u);
  EXPECT_NEAR(static_cast<double>(server_.session(0).end_ns), 7e9, 510e6);
  EXPECT_EQ(server_.session(1).start_ns, 20 * kS);
  // The sound began at frame 20 s; it is in what was kept.
  EXPECT_LE(number_of(server_.session(1).samples<int16_t>(), 0), 20u * 48000);
}

TEST_F(SinkTcp, Deep_sleep_sound_comes_right_after_falling_asleep_wakes_it_without_back_off) {
  node_.set("deep_sleep_ms", 1000);
  server_.listen();
  feed_live(0, 2000);
  node_.at(kS, [&] {
    node_.feed_mark(SLUICE_MARK_SILENCE_BEGINS);
    node_.set_idle(true);
  });
  int64_t wakes_ns = 0;
  for (int64_t ms = 2000; ms < 3000; ++ms) {
    node_.at(ms * kMs, [&] {
      if (wakes_ns != 0 || node_.state() != SLUICE_STATE_ASLEEP) return;
      wakes_ns = node_.now_ns();
      node_.feed_mark(SLUICE_MARK_SILENCE_ENDS);
    });
  }
  node_.stop_at(4 * kS);
  run();
  ASSERT_GT(wakes_ns, 0);
  ASSERT_EQ(server_.sessions().size(), 2u);
  EXPECT_EQ(server_.session(1).start_ns, wakes_ns);
}

TEST_F(SinkTcp, Deep_sleep_stop_and_end_are_heard) {
  for (const bool ends : {false, true}) {
    for (const char* policy : {"drop", "hold"}) {
      WorkerDriver node("sink.tcp");
      ReceivingPeer server(node);
      server.listen();
      node.set("deep_sleep_ms", 1000);
      node.set("when_disconnected", policy);
      ASSERT_TRUE(node.prepare(kFormat));
      node.feed(counted(0, 96'000));
      node.feed_mark(SLUICE_MARK_SILENCE_BEGINS);
      node.at(10 * kS, [&] {
        EXPECT_EQ(node.state(), uint32_t{SLUICE_STATE_ASLEEP});
        if (ends) {
          node.end_input();
        } else {
          node.stop();
        }
      });
      ASSERT_TRUE(node.run());
      EXPECT_LE(node.now_ns(), 10 * kS + 100 * kMs);
    }
  }
}

}  // namespace
}  // namespace sluice::tests
