// sink.tcp in virtual time: what it offers, its pacing, its input.
#include "host/support/sanitizers.hpp"
#include "plugins/sinks/tcp/sink_tcp_fixture.hpp"

namespace sluice::tests {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using SinkTcp = SinkTcpFixture;

TEST_F(SinkTcp, Describe_any_format_on_the_monotonic_clock) {
  const auto description = node_.describe();
  ASSERT_TRUE(description);
  EXPECT_EQ(description->clock, uint32_t{SLUICE_CLOCK_MONOTONIC});
  EXPECT_EQ(description->offers[0].sample_formats, uint32_t{SLUICE_SAMPLE_ANY});
}

TEST_F(SinkTcp, Describe_bad_dscp_says_what_is_allowed) {
  node_.set("dscp", "loud");
  const auto description = node_.describe();
  ASSERT_FALSE(description);
  EXPECT_THAT(description.error().message, HasSubstr("voip, low-delay, throughput, best-effort"));
}

TEST_F(SinkTcp, File_all_of_it_arrives_bit_exact_and_it_ends_by_itself) {
  server_.listen();
  feed(48000 * 3 + 77);
  node_.end_input();
  run();
  ASSERT_EQ(server_.sessions().size(), 1u);
  EXPECT_EQ(server_.session().samples<int16_t>(), counted(0, fed_));
  EXPECT_TRUE(server_.session().ended_politely);
  EXPECT_EQ(node_.counter("frames_sent"), fed_);
  EXPECT_EQ(node_.counter("frames_dropped"), 0u);
  EXPECT_EQ(node_.counter("underruns"), 0u);
  EXPECT_EQ(node_.counter("stalls"), 0u);
}

TEST_F(SinkTcp, Pacing_the_lead_goes_out_at_once_and_then_chunks_exactly_on_time) {
  server_.listen();
  feed(48000 * 10);
  node_.end_input();
  run();
  const auto& arrivals = server_.session().arrivals;
  const int64_t start_ns = arrivals.front().at_ns;
  EXPECT_EQ(frames_at(server_.session(), start_ns), 9600u);
  for (const auto& arrival : arrivals) {
    const uint64_t frames = arrival.end / kFrameBytes;
    if (frames > 9600) {
      EXPECT_EQ(arrival.at_ns - start_ns, ns_of_frames(frames - 9600, 48000));
    }
  }
  EXPECT_NEAR(node_.gauge("lead_ms"), 200, 11);
  EXPECT_EQ(node_.gauge("lateness_p99_us"), 0);
  EXPECT_NEAR(node_.gauge("bitrate_kbit_s"), 1536, 80);
  EXPECT_NEAR(node_.gauge("mean_bitrate_kbit_s"), 1536 * 1.02, 5);
}

TEST_F(SinkTcp, Pacing_a_lead_longer_than_the_burst_goes_out_at_once_too) {
  node_.set("lead_ms", 1000);
  server_.listen();
  feed(48000 * 10);
  node_.end_input();
  run();
  // But for what has no room in the socket at that moment.
  EXPECT_GE(frames_at(server_.session(), server_.session().arrivals.front().at_ns), 47'000u);
  EXPECT_EQ(node_.counter("stalls"), 0u);
  EXPECT_NEAR(node_.gauge("lead_ms"), 1000, 11);
  EXPECT_EQ(server_.session().samples<int16_t>(), counted(0, fed_));
}

TEST_F(SinkTcp, Pacing_hour_at_odd_rates_never_drifts) {
  constexpr uint32_t kSeconds = SLUICE_THREAD_SANITIZER ? 360 : 3600;
  for (const uint32_t rate_hz : {44100u, 11025u}) {
    WorkerDriver node("sink.tcp");
    ReceivingPeer server(node, false);
    server.listen();
    node.set("chunk_frames", 441);
    ASSERT_TRUE(node.prepare({sizeof(sluice_format), SLUICE_SAMPLE_S16, 1, rate_hz}));
    const std::vector<int16_t> second(rate_hz);
    node.feed(second);
    node.feed(second);
    for (int64_t s = 1; s <= kSeconds; ++s) {
      node.at(s * kS - 500 * kMs, [&] { node.feed(second); });
    }
    node.stop_at(kSeconds * kS + 1);
    ASSERT_TRUE(node.run());
    const uint64_t due = kSeconds * rate_hz + rate_hz / 5;
    EXPECT_LE(node.counter("frames_sent"), due);
    EXPECT_GT(node.counter("frames_sent") + 441, due);
    const auto& last = server.session().arrivals.back();
    EXPECT_EQ(last.at_ns, ns_of_frames(last.end / 2 - rate_hz / 5, rate_hz));
    EXPECT_EQ(node.counter("underruns"), 0u);
  }
}

TEST_F(SinkTcp, Pacing_with_spin_on_a_virtual_clock_is_the_same) {
  node_.set("spin_us", 1000);
  server_.listen();
  feed(48000);
  node_.end_input();
  run();
  EXPECT_EQ(server_.session().samples<int16_t>(), counted(0, fed_));
  EXPECT_EQ(node_.gauge("lateness_p99_us"), 0);
}

TEST_F(SinkTcp, Stall_shorter_than_the_lead_is_caught_up_at_once) {
  server_.listen();
  feed(48000 * 4);
  node_.end_input();
  node_.at(kS, [&] { node_.skip_time(150 * kMs); });
  run();
  EXPECT_EQ(frames_at(server_.session(), 1150 * kMs), 48000u * 115 / 100 + 9600);
  EXPECT_EQ(node_.counter("stalls"), 0u);
  EXPECT_EQ(server_.session().samples<int16_t>(), counted(0, fed_));
}

TEST_F(SinkTcp, Stall_longer_than_the_burst_delays_the_rest_and_loses_nothing) {
  server_.listen();
  feed(48000 * 4);
  node_.end_input();
  node_.at(kS, [&] { node_.skip_time(500 * kMs); });
  run();
  // 9600 frames at once, not the 24000 that are overdue.
  EXPECT_EQ(frames_at(server_.session(), 1500 * kMs) - frames_at(server_.session(), kS), 9600u);
  EXPECT_EQ(node_.counter("stalls"), 1u);
  EXPECT_EQ(server_.session().samples<int16_t>(), counted(0, fed_));
  EXPECT_NEAR(node_.gauge("lead_ms"), 200, 11);
}

TEST_F(SinkTcp, Stall_burst_of_its_own_is_all_that_is_caught_up) {
  node_.set("burst_ms", 50);
  server_.listen();
  feed(48000 * 4);
  node_.end_input();
  node_.at(kS, [&] { node_.skip_time(150 * kMs); });
  run();
  EXPECT_EQ(frames_at(server_.session(), 1150 * kMs) - frames_at(server_.session(), kS), 2400u);
  EXPECT_EQ(node_.counter("stalls"), 1u);
  EXPECT_EQ(server_.session().samples<int16_t>(), counted(0, fed_));
}

TEST_F(SinkTcp, Statistics_tell_what_the_network_does) {
  node_.network().set_path(kServer, {.delay_ns = 30 * kMs});
  server_.listen();
  feed_live(0, 20'000);
  node_.at(10 * kS, [&] {
    EXPECT_EQ(node_.gauge("connected"), 1);
    EXPECT_NEAR(node_.gauge("uptime_s"), 9.94, 0.26);
    EXPECT_NEAR(node_.gauge("round_trip_us"), 60'000, 1);
    EXPECT_GT(node_.gauge("peer_window_bytes"), 0);
    // A round trip of audio, in whole chunks.
    EXPECT_NEAR(node_.gauge("unsent_bytes"), 60 * 192, 1920);
    EXPECT_NEAR(node_.gauge("lead_ms"), 140, 11);
    EXPECT_EQ(node_.gauge("lateness_p50_us"), 0);
    EXPECT_EQ(node_.gauge("write_us"), 0);
    // Now its machine is gone, and what is sent piles up.
    node_.network().set_path(kServer, {.reach = engine::MemoryPath::Reach::kBlackHole});
  });
  node_.at(11 * kS, [&] { EXPECT_GE(node_.gauge("unsent_bytes"), 60'000); });
  node_.stop_at(11 * kS + kMs);
  run();
}

TEST_F(SinkTcp, Input_runs_dry_it_says_so_once_and_gives_the_lead_anew) {
  server_.listen();
  feed_live(0, 2000);
  feed_live(3000, 5000);
  node_.at(4995 * kMs, [&] { node_.end_input(); });
  run();
  EXPECT_EQ(node_.counter("underruns"), 1u);
  EXPECT_THAT(node_.told_upstream(),
              ElementsAre(SLUICE_UPSTREAM_RECONNECTED, SLUICE_UPSTREAM_STARVED));
  EXPECT_EQ(server_.session().samples<int16_t>(), counted(0, fed_));
  // Nothing goes out until the lead is there again.
  EXPECT_EQ(frames_at(server_.session(), 3180 * kMs), 96000u);
  EXPECT_EQ(frames_at(server_.session(), 3190 * kMs), 96000u + 9600);
}

TEST_F(SinkTcp, Input_late_by_less_than_the_lead_is_no_underrun) {
  server_.listen();
  feed_live(0, 2000);
  node_.at(2150 * kMs, [&] { feed(480 * 15); });
  feed_live(2150, 4000);
  node_.at(3995 * kMs, [&] { node_.end_input(); });
  run();
  EXPECT_EQ(node_.counter("underruns"), 0u);
  EXPECT_EQ(server_.session().samples<int16_t>(), counted(0, fed_));
}

TEST_F(SinkTcp, Input_idle_is_no_underrun) {
  server_.listen();
  feed_live(0, 2000);
  node_.at(1995 * kMs, [&] { node_.set_idle(true); });
  node_.at(2995 * kMs, [&] { node_.set_idle(false); });
  feed_live(3000, 4000);
  node_.at(3995 * kMs, [&] { node_.end_input(); });
  run();
  EXPECT_EQ(node_.counter("underruns"), 0u);
  EXPECT_EQ(server_.session().samples<int16_t>(), counted(0, fed_));
}

TEST_F(SinkTcp, Input_behind_a_gate_that_closes_is_no_underrun) {
  server_.listen();
  feed_live(0, 2000);
  node_.at(1995 * kMs, [&] { node_.feed_mark(SLUICE_MARK_SILENCE_BEGINS); });
  node_.at(2995 * kMs, [&] { node_.feed_mark(SLUICE_MARK_SILENCE_ENDS); });
  feed_live(3000, 4000);
  node_.at(3995 * kMs, [&] { node_.end_input(); });
  run();
  EXPECT_EQ(node_.counter("underruns"), 0u);
  EXPECT_EQ(node_.told_upstream().size(), 1u);  // that it has connected
  EXPECT_EQ(server_.session().samples<int16_t>(), counted(0, fed_));
}

TEST_F(SinkTcp, Input_runs_dry_in_mid_chunk_the_rest_goes_out_and_is_not_late) {
  server_.listen();
  feed_live(0, 2000);
  node_.at(1999 * kMs, [&] { feed(100); });
  node_.at(2900 * kMs, [&] {
    EXPECT_EQ(frames_at(server_.session(), node_.now_ns()), 96'100u);
    EXPECT_EQ(node_.gauge("jitter_ms"), 0);
  });
  feed_live(3000, 4000);
  node_.at(3995 * kMs, [&] { node_.end_input(); });
  run();
  EXPECT_EQ(node_.gauge("jitter_ms"), 0);
  EXPECT_EQ(node_.gauge("lateness_p99_us"), 0);
  EXPECT_EQ(server_.session().samples<int16_t>(), counted(0, fed_));
}

TEST_F(SinkTcp, Drop_nobody_comes_what_is_left_ages_out_and_the_node_ends) {
  node_.set("when_disconnected", "drop");
  feed(48'000 * 2);
  node_.end_input();
  node_.stop_at(60 * kS);
  run();
  EXPECT_EQ(node_.counter("frames_dropped"), 48'000u * 2);
  // At its rate: the lead and a margin are due at once.
  EXPECT_NEAR(static_cast<double>(node_.now_ns()), 2.0 * kS, 0.3 * kS);
}

TEST_F(SinkTcp, Hold_nobody_comes_it_waits_at_the_end_too) {
  node_.set("when_disconnected", "hold");
  feed(48'000);
  node_.end_input();
  node_.stop_at(600 * kS);
  run();
  EXPECT_EQ(node_.now_ns(), 600 * kS);
  EXPECT_EQ(node_.counter("frames_dropped"), 0u);
}

TEST_F(SinkTcp, Options_reach_the_network) {
  // A send buffer of 2 KiB and a window of 1000 bytes are all that a silent peer is handed.
  node_.set("send_buffer_kib", 2);
  node_.network().set_path(kServer, {.window_bytes = 1000});
  server_.listen();
  server_.set_reading(false);
  feed_live(0, 2000);
  node_.stop_at(2 * kS);
  run();
  EXPECT_EQ(node_.counter("bytes"), 2048u + 1000u);
}

}  // namespace
}  // namespace sluice::tests
