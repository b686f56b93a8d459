// source.tcp in virtual time, with senders of every manner.
#include "plugins/sources/tcp/source_tcp_fixture.hpp"

namespace sluice::tests {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using SourceTcp = SourceTcpFixture;

TEST_F(SourceTcp, Describe_says_the_format_and_a_remote_live_clock) {
  node_.set("format", "s24");
  node_.set("rate_hz", 44100);
  node_.set("channels", 6);
  const auto description = node_.describe();
  ASSERT_TRUE(description);
  EXPECT_EQ(description->clock, uint32_t{SLUICE_CLOCK_REMOTE});
  EXPECT_TRUE(description->flags & SLUICE_PORT_LIVE);
  ASSERT_EQ(description->offers.size(), 1u);
  EXPECT_EQ(description->offers[0].sample_formats, SLUICE_SAMPLE_BIT(SLUICE_SAMPLE_S24));
  EXPECT_EQ(description->offers[0].rate_hz_minimum, 44100u);
  EXPECT_EQ(description->offers[0].channels_maximum, 6u);
}

TEST_F(SourceTcp, Raw_bytes_in_odd_pieces_come_out_as_whole_frames) {
  for (const size_t piece : {1u, 3u, 7u, 1001u}) {
    WorkerDriver node("source.tcp");
    SendingPeer sender(node);
    node.set("until", "first-sender");
    ASSERT_TRUE(node.prepare(kFormat));
    const auto samples = counted(0, 500);
    const std::string bytes = bytes_of(samples);
    sender.connect();
    int64_t time_ns = 0;
    for (size_t at = 0; at < bytes.size(); at += piece) {
      node.at(time_ns += kMs, [&, part = bytes.substr(at, piece)] { sender.push(part); });
    }
    node.at(time_ns += kMs, [&] { sender.finish(); });
    ASSERT_TRUE(node.run());
    EXPECT_EQ(node.written<int16_t>(), samples);
    EXPECT_EQ(node.counter("frames"), 500u);
    EXPECT_EQ(node.counter("bytes"), bytes.size());
    EXPECT_EQ(node.counter("cut_frames"), 0u);
    EXPECT_THAT(node.violations(), IsEmpty());
  }
}

TEST_F(SourceTcp, Capture_time_is_the_arrival) {
  node_.set("until", "first-sender");
  std::vector<int64_t> times;
  node_.on_write([&](const WorkerDriver::Write& write) { times.push_back(write.capture_ns); });
  node_.at(0, [&] { sender_.connect(); });
  node_.at(20 * kMs, [&] { sender_.push(counted(0, 10)); });
  node_.at(35 * kMs, [&] { sender_.push(counted(10, 10)); });
  node_.at(50 * kMs, [&] { sender_.finish(); });
  run();
  EXPECT_THAT(times, ElementsAre(20 * kMs, 35 * kMs));
}

// Pushes 480 frames at a time for `seconds`, by a clock that runs `ppm` fast, each up to 4 ms late
// on its way.
void send_paced(WorkerDriver& node, SendingPeer& sender, int64_t start_ns, int seconds,
                double ppm) {
  uint32_t random = 1;
  for (int64_t i = 0; i < seconds * int64_t{100}; ++i) {
    random = random * 1664525 + 1013904223;
    const auto due_ns = static_cast<int64_t>(static_cast<double>(i * 10 * kMs) / (1 + ppm * 1e-6));
    node.at(start_ns + due_ns + random % (4 * kMs), [&] { sender.push(counted(0, 480)); });
  }
}

TEST_F(SourceTcp, Clock_of_a_paced_sender_is_published_every_second) {
  constexpr double kPpm = 150;
  node_.at(0, [&] { sender_.connect(); });
  send_paced(node_, sender_, 500 * kMs, 120, kPpm);
  node_.stop_at(121 * kS);
  run();
  const auto& readings = node_.clock_readings();
  EXPECT_NEAR(static_cast<double>(readings.size()), 119, 3);
  for (size_t i = 0; i < readings.size(); ++i) {
    const WorkerDriver::ClockReading& reading = readings[i];
    EXPECT_EQ(reading.port, 0u);
    if (i < 40) continue;
    EXPECT_NEAR((reading.ratio - 1) * 1e6, kPpm, 20) << i;
    const double sent_s = static_cast<double>(reading.monotonic_ns - 500 * kMs) / 1e9;
    EXPECT_NEAR(reading.frames - 480, sent_s * 48000 * (1 + kPpm * 1e-6), 48) << i;
  }
  EXPECT_NEAR(node_.gauge("drift_ppm"), kPpm, 20);
}

TEST_F(SourceTcp, Clock_of_the_next_sender_begins_anew) {
  node_.at(0, [&] { sender_.connect(); });
  send_paced(node_, sender_, 500 * kMs, 30, 300);
  node_.at(31 * kS, [&] { sender_.finish(); });
  node_.at(40 * kS, [&] { second_.connect(); });
  send_paced(node_, second_, 40 * kS + 500 * kMs, 60, -200);
  node_.stop_at(101 * kS);
  run();
  EXPECT_NEAR((node_.clock_readings().back().ratio - 1) * 1e6, -200, 20);
}

TEST_F(SourceTcp, Sender_without_a_pace_has_no_clock) {
  node_.set("until", "first-sender");
  node_.network().set_path("127.0.0.1", {.bytes_per_s = 1'000'000});
  node_.at(0, [&] { sender_.connect(); });
  node_.at(kMs, [&] {
    for (int i = 0; i < 100; ++i) sender_.push(counted(0, 20000));
    sender_.finish();
  });
  run();
  EXPECT_EQ(node_.counter("frames"), 2'000'000u);
  EXPECT_THAT(node_.clock_readings(), IsEmpty());
  EXPECT_EQ(node_.gauge("drift_ppm"), 0);
}

TEST_F(SourceTcp, Connection_cut_in_mid_frame_the_next_sender_keeps_its_channels) {
  node_.at(0, [&] { sender_.connect(); });
  node_.at(10 * kMs, [&] { sender_.push(bytes_of(counted(0, 10)) + "xyz"); });
  node_.at(20 * kMs, [&] { sender_.close(true); });
  node_.at(30 * kMs, [&] { second_.connect(); });
  node_.at(40 * kMs, [&] { second_.push(counted(10, 10)); });
  node_.stop_at(50 * kMs);
  run();
  EXPECT_EQ(node_.written<int16_t>(), counted(0, 20));
  EXPECT_EQ(node_.counter("cut_frames"), 1u);
  EXPECT_EQ(node_.counter("connections"), 2u);
  EXPECT_THAT(mark_kinds(), ElementsAre(SLUICE_MARK_SILENCE_BEGINS, SLUICE_MARK_SILENCE_ENDS,
                                        SLUICE_MARK_SILENCE_BEGINS, SLUICE_MARK_SILENCE_ENDS,
                                        SLUICE_MARK_DISCONTINUITY));
  EXPECT_EQ(node_.marks()[0].position, 0u);
  EXPECT_EQ(node_.marks()[1].position, 0u);
  EXPECT_EQ(node_.marks()[2].position, 10u);
  EXPECT_EQ(node_.marks()[4].position, 10u);
}

TEST_F(SourceTcp, Newer_sender_wins_over_a_half_open_one) {
  node_.at(0, [&] { sender_.connect(); });
  node_.at(10 * kMs, [&] { sender_.push(counted(0, 10)); });
  // The first one vanishes: no byte, no end.
  node_.at(kS, [&] { second_.connect(); });
  node_.at(kS + 10 * kMs, [&] { second_.push(counted(10, 10)); });
  node_.at(kS + 11 * kMs, [&] {
    EXPECT_EQ(node_.frames_written(), 20u);
    EXPECT_TRUE(sender_.was_dropped());
    EXPECT_FALSE(second_.was_dropped());
  });
  node_.stop_at(kS + 20 * kMs);
  run();
  EXPECT_EQ(node_.written<int16_t>(), counted(0, 20));
  EXPECT_EQ(node_.counter("peer_changes"), 1u);
}

TEST_F(SourceTcp, Newer_sender_wins_over_one_that_sends_without_a_pause) {
  node_.at(0, [&] { sender_.connect(); });
  node_.on_write([&](const WorkerDriver::Write&) {
    if (sender_.has_sent_all() && !sender_.was_dropped()) sender_.push(counted(0, 5000));
  });
  sender_.push(counted(0, 5000));
  node_.network().set_path("127.0.0.1", {.bytes_per_s = 10'000'000});
  node_.at(100 * kMs, [&] { second_.connect(); });
  node_.at(400 * kMs, [&] {
    EXPECT_TRUE(sender_.was_dropped());
    EXPECT_FALSE(second_.was_dropped());
  });
  node_.stop_at(500 * kMs);
  run();
  EXPECT_EQ(node_.counter("peer_changes"), 1u);
}

TEST_F(SourceTcp, Old_sender_has_left_before_the_new_one_its_tail_is_still_played) {
  node_.set_capacity(1000);
  node_.at(0, [&] { sender_.connect(); });
  node_.at(10 * kMs, [&] {
    sender_.push(counted(0, 3000));
    sender_.finish();
  });
  node_.at(20 * kMs, [&] { second_.connect(); });
  node_.at(20 * kMs, [&] { second_.push(counted(3000, 1000)); });
  node_.stop_at(500 * kMs);
  std::vector<int16_t> all;
  node_.on_write([&](const WorkerDriver::Write& write) {
    const auto* samples = reinterpret_cast<const int16_t*>(write.data.data());
    all.insert(all.end(), samples, samples + write.frames * 2);
    node_.at(node_.now_ns() + 10 * kMs, [this, frames = write.frames] { node_.take(frames); });
  });
  ASSERT_TRUE(node_.prepare(kFormat));
  ASSERT_TRUE(node_.run());
  EXPECT_EQ(all, counted(0, 4000));
}

TEST_F(SourceTcp, Several_newcomers_at_once_the_last_one_plays) {
  SendingPeer third(node_);
  node_.at(0, [&] { sender_.connect(); });
  node_.at(10 * kMs, [&] { second_.connect(), third.connect(); });
  node_.at(20 * kMs, [&] { third.push(counted(0, 10)); });
  node_.stop_at(30 * kMs);
  run();
  EXPECT_TRUE(second_.was_dropped());
  EXPECT_EQ(node_.written<int16_t>(), counted(0, 10));
  EXPECT_EQ(node_.counter("peer_changes"), 2u);
}

TEST_F(SourceTcp, Reader_falls_behind_the_sender_is_held_back_and_nothing_is_lost) {
  node_.set("until", "first-sender");
  node_.set_capacity(2000);
  node_.network().set_path("127.0.0.1", {.window_bytes = 4096});
  const auto samples = counted(0, 30'000);
  node_.at(0, [&] { sender_.connect(); });
  sender_.push(samples);
  sender_.finish();
  std::vector<int16_t> all;
  node_.on_write([&](const WorkerDriver::Write& write) {
    const auto* written = reinterpret_cast<const int16_t*>(write.data.data());
    all.insert(all.end(), written, written + write.frames * 2);
    node_.at(node_.now_ns() + 20 * kMs, [this, frames = write.frames] { node_.take(frames); });
  });
  run();
  EXPECT_EQ(all, samples);
  EXPECT_EQ(node_.frames_dropped(), 0u);
  EXPECT_GT(node_.now_ns(), 100 * kMs);
}

TEST_F(SourceTcp, Until_first_sender_ignores_one_that_sent_nothing) {
  node_.set("until", "first-sender");
  node_.at(0, [&] { sender_.connect(); });
  node_.at(10 * kMs, [&] { sender_.close(); });
  node_.at(20 * kMs, [&] { second_.connect(); });
  node_.at(30 * kMs, [&] { second_.push(counted(0, 10)); });
  node_.at(40 * kMs, [&] { second_.close(); });
  run();
  EXPECT_EQ(node_.now_ns(), 40 * kMs);
  EXPECT_EQ(node_.frames_written(), 10u);
}

TEST_F(SourceTcp, Listen_on_a_port_in_use_fails_in_prepare) {
  SendingPeer other(node_);
  ReceivingPeer server(node_);
  server.listen();
  const support::Status status = node_.prepare(kFormat);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("Port 4953 is in use"));
}

TEST_F(SourceTcp, Connect_without_a_host_says_what_to_do) {
  node_.set("mode", "connect");
  EXPECT_FALSE(node_.describe());
}

TEST_F(SourceTcp, Connect_reads_from_a_server_and_comes_back_when_it_left) {
  node_.set("mode", "connect");
  node_.set("host", "127.0.0.1");
  ReceivingPeer server(node_);
  node_.at(kS, [&] { server.listen(); });
  int sessions = 0;
  for (int64_t ms = 1000; ms < 60'000; ms += 100) {
    node_.at(ms * kMs, [&] {
      if (!server.is_connected()) return;
      server.send(bytes_of(counted(10 * sessions, 10)));
      if (++sessions < 3) server.close();
    });
  }
  node_.stop_at(60 * kS);
  run();
  EXPECT_GE(sessions, 3);
  auto samples = node_.written<int16_t>();
  samples.resize(60);
  EXPECT_EQ(samples, counted(0, 30));
  EXPECT_THAT(node_.log_lines(), Contains(HasSubstr("Nothing listens on 127.0.0.1:4953")));
}

TEST_F(SourceTcp, Connect_asked_to_try_again_does_so_at_once) {
  node_.set("mode", "connect");
  node_.set("host", "127.0.0.1");
  ReceivingPeer server(node_);
  node_.at(20 * kS, [&] { server.listen(); });
  node_.at(20 * kS + kMs, [&] { node_.retry(); });
  node_.stop_at(30 * kS);
  run();
  ASSERT_EQ(server.sessions().size(), 1u);
  EXPECT_EQ(server.session().start_ns, 20 * kS + kMs);
}

TEST_F(SourceTcp, Log_a_sender_that_comes_and_goes_is_named_without_its_port) {
  for (int i = 0; i < 5; ++i) {
    node_.at((10 + 20 * i) * kMs, [&] { sender_.connect(); });
    node_.at((20 + 20 * i) * kMs, [&] { sender_.close(); });
  }
  node_.stop_at(200 * kMs);
  run();
  for (const std::string& line : node_.log_lines()) {
    EXPECT_THAT(
        line, ::testing::AnyOf("Waiting for a sender on port 4953.", "Receiving from 127.0.0.1."));
  }
}

}  // namespace
}  // namespace sluice::tests
