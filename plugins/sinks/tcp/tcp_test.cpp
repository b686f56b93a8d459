// sink.tcp in virtual time, with servers of every manner.
#include "plugins/sinks/tcp/sink_tcp_fixture.hpp"

namespace sluice::tests {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

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

TEST_F(SinkTcp, Pacing_hour_at_odd_rates_never_drifts) {
  for (const uint32_t rate_hz : {44100u, 11025u}) {
    WorkerDriver node("sink.tcp");
    ReceivingPeer server(node, false);
    server.listen();
    node.set("chunk_frames", 441);
    ASSERT_TRUE(node.prepare({sizeof(sluice_format), SLUICE_SAMPLE_S16, 1, rate_hz}));
    const std::vector<int16_t> second(rate_hz);
    node.feed(second);
    node.feed(second);
    for (int64_t s = 1; s <= 3600; ++s) {
      node.at(s * kS - 500 * kMs, [&] { node.feed(second); });
    }
    node.stop_at(3600 * kS + 1);
    ASSERT_TRUE(node.run());
    const uint64_t due = 3600 * rate_hz + rate_hz / 5;
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

// ---- Connecting ----

TEST_F(SinkTcp, Server_comes_late_the_newest_audio_is_kept) {
  feed_live(0, 20'000);
  node_.at(10 * kS, [&] { server_.listen(); });
  node_.at(19'995 * kMs, [&] { node_.end_input(); });
  run();
  ASSERT_EQ(server_.sessions().size(), 1u);
  const auto samples = server_.session().samples<int16_t>();
  const uint64_t first = number_of(samples, 0);
  const auto start = static_cast<uint64_t>(server_.session().start_ns);
  // Not older than lead and margin when it left; without a gap from there to the end.
  const uint64_t live = start * 48 / kMs;
  EXPECT_LE(live - first, 9600u + 2 * 2400u + 480);
  EXPECT_GE(live - first, 9600u - 480);
  EXPECT_EQ(samples, counted(first, fed_ - first));
  EXPECT_EQ(node_.counter("frames_dropped"), first);
  EXPECT_EQ(node_.frames_discarded(), first);
  EXPECT_THAT(node_.log_lines(), Contains("Nothing listens on 127.0.0.1:4953: start the server or "
                                          "mend `port`.")
                                     .Times(1));
}

TEST_F(SinkTcp, Server_comes_late_hold_loses_nothing) {
  node_.set("when_disconnected", "hold");
  feed(48000);
  node_.end_input();
  node_.at(30 * kS, [&] { server_.listen(); });
  run();
  EXPECT_EQ(server_.session().samples<int16_t>(), counted(0, fed_));
  EXPECT_EQ(node_.counter("frames_dropped"), 0u);
}

TEST_F(SinkTcp, Attempts_double_their_distance_and_never_exceed_it) {
  feed_live(0, 10);
  std::vector<int64_t> times;
  node_.set("when_disconnected", "hold");
  uint64_t failed = 0;
  for (int64_t ms = 0; ms < 120'000; ++ms) {
    node_.at(ms * kMs, [&] {
      if (node_.counter("failed_connections") == failed) return;
      failed = node_.counter("failed_connections");
      times.push_back(node_.now_ns() / kMs);
    });
  }
  node_.stop_at(120 * kS);
  run();
  ASSERT_GE(times.size(), 7u);
  int64_t base_ms = 250;
  for (size_t i = 1; i < times.size(); ++i) {
    EXPECT_GE(times[i] - times[i - 1], base_ms / 2 - 2);
    EXPECT_LE(times[i] - times[i - 1], base_ms * 3 / 2 + 2);
    base_ms *= 2;
  }
}

TEST_F(SinkTcp, Server_killed_and_started_again_plays_within_a_second) {
  server_.listen();
  feed_live(0, 30'000);
  node_.at(15 * kS, [&] { server_.stop_listening(), server_.close(true); });
  node_.at(18 * kS, [&] { server_.listen(); });
  node_.stop_at(30 * kS);
  run();
  ASSERT_EQ(server_.sessions().size(), 2u);
  EXPECT_LE(server_.session(1).start_ns, 19 * kS);
  const auto samples = server_.session(1).samples<int16_t>();
  const uint64_t first = first_of_faded(samples);
  const uint64_t live = static_cast<uint64_t>(server_.session(1).start_ns) * 48 / kMs;
  EXPECT_LE(live - first, 9600u + 2 * 2400 + 480);
  EXPECT_EQ(behind(samples, kFadeFrames),
            counted(first + kFadeFrames, samples.size() / 2 - kFadeFrames));
  EXPECT_EQ(node_.counter("reconnects"), 1u);
  EXPECT_EQ(node_.counter("connections"), 2u);
  EXPECT_THAT(node_.told_upstream(), Contains(SLUICE_UPSTREAM_RECONNECTED).Times(2));
  EXPECT_THAT(node_.log_lines(), Contains(HasSubstr("reset the connection")).Times(1));
}

TEST_F(SinkTcp, Server_closes_while_nothing_is_sent_it_is_noticed_at_once) {
  server_.listen();
  node_.at(5 * kS, [&] { server_.close(); });
  node_.at(5 * kS + kMs, [&] { EXPECT_EQ(node_.gauge("connected"), 0); });
  node_.stop_at(6 * kS);
  run();
  EXPECT_THAT(node_.log_lines(), Contains("127.0.0.1:4953 has closed the connection."));
}

TEST_F(SinkTcp, Server_stops_reading_it_is_given_up_at_the_write_timeout) {
  node_.network().set_path(kServer, {.window_bytes = 65'536});
  server_.listen();
  feed_live(0, 20'000);
  node_.at(5 * kS, [&] { server_.set_reading(false); });
  node_.at(15 * kS, [&] { server_.set_reading(true); });
  node_.stop_at(20 * kS);
  run();
  ASSERT_EQ(server_.sessions().size(), 2u);
  // 64 KiB of window and as much send buffer hold 683 ms; 5 s later it gives up.
  EXPECT_THAT(node_.log_lines(),
              Contains(::testing::AnyOf(HasSubstr("has taken nothing for 5000 ms"),
                                        HasSubstr("no longer answers"))));
  // What the second connection had swallowed is old; what follows is live.
  const auto samples = server_.session(1).samples<int16_t>();
  EXPECT_LE(fed_ - number_of(samples, samples.size() / 2 - 1), 9600u + 300 * 48);
}

TEST_F(SinkTcp, Server_stalls_for_two_seconds_audio_ages_out_in_whole_frames) {
  node_.set("send_buffer_kib", 1);
  node_.network().set_path(kServer, {.window_bytes = 1001});
  server_.listen();
  feed_live(0, 10'000);
  node_.at(5 * kS, [&] { server_.set_reading(false); });
  node_.at(7 * kS, [&] { server_.set_reading(true); });
  node_.stop_at(10 * kS);
  run();
  ASSERT_EQ(server_.sessions().size(), 1u);
  const auto samples = server_.session().samples<int16_t>();
  size_t jump = 0;
  while (jump < samples.size() / 2 && number_of(samples, jump) == jump) ++jump;
  ASSERT_LT(jump + kFadeFrames, samples.size() / 2);
  // What goes on behind the jump fades in, and then is as it was.
  const uint64_t first = first_of_faded(behind(samples, jump));
  EXPECT_NEAR(static_cast<double>(first - jump), 2.0 * 48000 - 9600 - 2400, 5000);
  EXPECT_EQ(samples[2 * jump], 0);
  EXPECT_EQ(behind(samples, jump + kFadeFrames),
            counted(first + kFadeFrames, samples.size() / 2 - jump - kFadeFrames));
  EXPECT_EQ(node_.counter("frames_dropped"), first - jump);
}

TEST_F(SinkTcp, Server_takes_a_byte_at_a_time_frames_stay_whole) {
  node_.set("send_buffer_kib", 1);
  node_.set("when_disconnected", "hold");
  node_.network().set_path(kServer, {.window_bytes = 1});
  server_.listen();
  feed(4801);
  node_.end_input();
  run();
  EXPECT_EQ(server_.session().samples<int16_t>(), counted(0, 4801));
}

TEST_F(SinkTcp, Server_machine_vanishes_it_is_noticed_within_ten_seconds) {
  server_.listen();
  feed_live(0, 30'000);
  node_.at(5 * kS, [&] {
    node_.network().set_path(kServer, {.reach = engine::MemoryPath::Reach::kBlackHole});
  });
  node_.at(15 * kS, [&] { EXPECT_EQ(node_.gauge("connected"), 0); });
  node_.at(20 * kS, [&] { node_.network().set_path(kServer, {}); });
  node_.stop_at(30 * kS);
  run();
  EXPECT_EQ(node_.counter("connections"), 2u);
}

TEST_F(SinkTcp, Black_hole_from_the_start_goes_on_consuming_at_its_rate) {
  node_.network().set_path(kServer, {.reach = engine::MemoryPath::Reach::kBlackHole});
  feed(48000 * 60);  // as a file does
  node_.stop_at(30 * kS);
  run();
  const double consumed_s = static_cast<double>(node_.frames_read()) / 48000;
  EXPECT_NEAR(consumed_s, 30 - 0.25, 0.1);
  EXPECT_EQ(node_.counter("frames_dropped"), node_.frames_read());
}

TEST_F(SinkTcp, Stop_while_waiting_to_connect_returns_at_once) {
  for (int64_t at_ms : {0, 100, 7'000}) {
    WorkerDriver node("sink.tcp");
    ASSERT_TRUE(node.prepare(kFormat));
    node.stop_at(at_ms * kMs);
    ASSERT_TRUE(node.run());
    EXPECT_EQ(node.now_ns(), at_ms * kMs);
  }
}

TEST_F(SinkTcp, Stop_while_playing_ends_the_connection_politely) {
  server_.listen();
  feed_live(0, 10'000);
  node_.stop_at(5 * kS);
  run();
  EXPECT_EQ(node_.now_ns(), 5 * kS);
  node_.release();
  server_.act();
  EXPECT_TRUE(server_.session().ended_politely);
}

TEST_F(SinkTcp, End_peer_that_never_closes_is_not_waited_for_long) {
  server_.listen();
  feed(48000);
  node_.end_input();
  node_.at(500 * kMs, [&] { server_.set_reading(false); });
  run();
  EXPECT_LE(node_.now_ns(), 800 * kMs + 2200 * kMs + 10 * kMs);
}

TEST_F(SinkTcp, Server_answers_with_http_says_so_once) {
  server_.listen();
  feed_live(0, 60'000);
  for (int64_t ms = 100; ms < 60'000; ms += 100) {
    node_.at(ms * kMs, [&] {
      if (!server_.is_connected()) return;
      server_.send("HTTP/1.1 400 Bad Request\r\n\r\n");
      server_.close();
    });
  }
  node_.stop_at(60 * kS);
  run();
  EXPECT_GE(server_.sessions().size(), 5u);
  EXPECT_THAT(node_.log_lines(),
              ElementsAre("Connected to 127.0.0.1:4953.",
                          "127.0.0.1:4953 answers with HTTP, so it is a web server: mend `port`.",
                          HasSubstr("Not connected")));
}

TEST_F(SinkTcp, Server_sends_instead_of_reading_says_so_once) {
  server_.listen();
  feed_live(0, 20'000);
  for (int64_t ms = 1000; ms < 20'000; ms += 10) {
    node_.at(ms * kMs, [&] { server_.send("Hello, who are you?\n"); });
  }
  node_.stop_at(20 * kS);
  run();
  EXPECT_EQ(server_.sessions().size(), 1u);
  EXPECT_EQ(node_.state(), uint32_t{SLUICE_STATE_DEGRADED});
  EXPECT_THAT(node_.log_lines(),
              ElementsAre("Connected to 127.0.0.1:4953.", HasSubstr("sends instead of only")));
}

TEST_F(SinkTcp, Server_hangs_up_each_time_it_is_said_once) {
  server_.listen();
  feed_live(0, 60'000);
  for (int64_t ms = 100; ms < 60'000; ms += 100) node_.at(ms * kMs, [&] { server_.close(true); });
  node_.stop_at(60 * kS);
  run();
  EXPECT_GE(server_.sessions().size(), 5u);
  EXPECT_THAT(node_.log_lines(),
              ElementsAre("Connected to 127.0.0.1:4953.", HasSubstr("reset the connection"),
                          HasSubstr("Not connected")));
}

TEST_F(SinkTcp, Server_resets_in_mid_frame_the_next_connection_begins_with_a_whole_one) {
  node_.set("send_buffer_kib", 1);
  node_.network().set_path(kServer, {.window_bytes = 1001});
  server_.listen();
  feed_live(0, 30'000);
  for (int64_t at_s : {11, 12, 13}) {
    node_.at(at_s * kS + 3 * kMs, [&] { server_.close(true); });
  }
  node_.stop_at(20 * kS);
  run();
  ASSERT_EQ(server_.sessions().size(), 4u);
  for (size_t i = 1; i < 4; ++i) {
    const auto samples = server_.session(i).samples<int16_t>();
    const uint64_t first = first_of_faded(samples);
    EXPECT_EQ(behind(samples, kFadeFrames),
              counted(first + kFadeFrames, samples.size() / 2 - kFadeFrames));
  }
}

TEST_F(SinkTcp, Server_does_not_read_it_is_named_within_two_seconds) {
  server_.listen();
  feed_live(0, 10'000);
  node_.at(5 * kS, [&] { server_.set_reading(false); });
  node_.at(7 * kS, [&] {
    EXPECT_EQ(node_.state(), uint32_t{SLUICE_STATE_DEGRADED});
    EXPECT_THAT(node_.log_lines(), Contains(HasSubstr("accepts audio and does not read it")));
    server_.set_reading(true);
  });
  node_.at(8 * kS, [&] { EXPECT_EQ(node_.state(), uint32_t{SLUICE_STATE_RUNNING}); });
  node_.stop_at(10 * kS);
  run();
  EXPECT_EQ(server_.sessions().size(), 1u);
}

// ---- Deep sleep ----

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

TEST_F(SinkTcp, Unknown_name_says_what_to_do) {
  node_.set("host", "nowhere.test");
  feed_live(0, 1000);
  node_.stop_at(kS);
  run();
  EXPECT_THAT(node_.log_lines(), Contains("No machine is called \"nowhere.test\": mend `host` or "
                                          "give an address."));
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
