// sink.tcp in virtual time, with servers of every manner.
#include "plugins/sinks/tcp/sink_tcp_fixture.hpp"

namespace sluice::tests {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using SinkTcp = SinkTcpFixture;

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

TEST_F(SinkTcp, Asked_to_try_again_it_does_so_at_once) {
  feed_live(0, 30'000);
  node_.at(20 * kS, [&] { server_.listen(); });
  node_.at(20 * kS + kMs, [&] { node_.retry(); });
  node_.stop_at(30 * kS);
  run();
  ASSERT_EQ(server_.sessions().size(), 1u);
  EXPECT_EQ(server_.session().start_ns, 20 * kS + kMs);
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

// Why no connection comes about is said once, however often it is tried.
TEST(SinkTcpRefused, Name_port_and_way_are_named_once_in_many_attempts) {
  struct Case {
    const char* host;
    engine::MemoryPath::Reach reach;
    const char* sentence;
  };
  for (const Case& it :
       {Case{"nowhere.test", engine::MemoryPath::Reach::kOpen,
             "No machine is called \"nowhere.test\": mend `host` or give an address."},
        Case{kServer, engine::MemoryPath::Reach::kOpen,
             "Nothing listens on 127.0.0.1:4953: start the server or mend `port`."},
        Case{"2001:db8::1", engine::MemoryPath::Reach::kUnreachable,
             "The machine of [2001:db8::1]:4953 cannot be reached: switch it on or mend `host`."},
        Case{"192.0.2.1", engine::MemoryPath::Reach::kBlackHole,
             "192.0.2.1:4953 did not answer within 3 s: see that the machine is on and no "
             "firewall drops the packets, or mend `host`."}}) {
    WorkerDriver node("sink.tcp");
    node.network().set_path(it.host, {.reach = it.reach});
    node.set("host", it.host);
    node.set("connect_timeout_ms", 3000);
    ASSERT_TRUE(node.prepare(kFormat));
    for (int64_t s = 0; s < 300; ++s) node.at(s * kS, [&] { node.feed(counted(0, 48'000)); });
    node.stop_at(300 * kS);
    ASSERT_TRUE(node.run());
    EXPECT_GE(node.counter("failed_connections"), 5u) << it.host;
    EXPECT_EQ(std::count(node.log_lines().begin(), node.log_lines().end(), it.sentence), 1)
        << it.host << ::testing::PrintToString(node.log_lines());
    // The rest is the heartbeat.
    EXPECT_LE(node.log_lines().size(), 1u + 10u) << it.host;
  }
}

}  // namespace
}  // namespace sluice::tests
