// What sink.tcp keeps in hand, how it says how it is, and what it sends in front: in virtual time.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <string_view>
#include <utility>

#include "plugins/sinks/tcp/sink_tcp_fixture.hpp"

namespace sluice::tests {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

using SinkTcpLevel = SinkTcpFixture;

TEST_F(SinkTcpLevel, Auto_drops_what_is_live_and_holds_what_is_not) {
  for (const bool is_live : {true, false}) {
    WorkerDriver node("sink.tcp");
    ReceivingPeer server(node);
    node.set_fed_live(is_live);
    ASSERT_TRUE(node.prepare(kFormat));
    node.feed(counted(0, 48000 * 20));
    node.end_input();
    node.at(10 * kS, [&] { server.listen(); });
    node.stop_at(60 * kS);
    ASSERT_TRUE(node.run());
    if (is_live) {
      EXPECT_GT(node.counter("frames_dropped"), 48000u * 9);
    } else {
      EXPECT_EQ(node.counter("frames_dropped"), 0u);
      EXPECT_EQ(server.session().samples<int16_t>(), counted(0, 48000 * 20));
    }
  }
}

// Sends `level` before it begins, and then keeps it: the lead at the server, the rest here.
TEST_F(SinkTcpLevel, Preset_decides_when_sending_begins_and_in_which_pieces) {
  struct Figures {
    const char* name;
    uint32_t chunk_frames;
    int64_t level_ms;
  };
  for (const Figures& preset :
       {Figures{"ethernet", 512, 2000}, {"wifi", 1024, 4000}, {"wifi-poor", 2048, 8000}}) {
    WorkerDriver node("sink.tcp");
    ReceivingPeer server(node);
    node.set("preset", preset.name);
    ASSERT_TRUE(node.prepare(kFormat));
    EXPECT_GE(node.setup().hold_frames, static_cast<uint64_t>(preset.level_ms) * 48);
    server.listen();
    for (int64_t ms = 0; ms < 20'000; ms += 10) {
      node.at(ms * kMs, [&, ms] { node.feed(counted(static_cast<uint64_t>(ms) * 48, 480)); });
    }
    node.stop_at(20 * kS);
    ASSERT_TRUE(node.run());
    const auto& arrivals = server.session().arrivals;
    // The block that makes the level full comes 10 ms before it would be over.
    EXPECT_EQ(arrivals.front().at_ns, (preset.level_ms - 10) * kMs);
    // Whole chunks of the lead, 9600 frames.
    EXPECT_EQ(frames_at(server.session(), arrivals.front().at_ns),
              9600 / preset.chunk_frames * preset.chunk_frames);
    EXPECT_EQ(arrivals[5].end - arrivals[4].end, preset.chunk_frames * kFrameBytes);
    EXPECT_EQ(node.gauge("level_ms"), static_cast<double>(preset.level_ms));
    const auto standing = static_cast<double>(node.available_frames());
    EXPECT_NEAR(standing, static_cast<double>(preset.level_ms - 200) * 48,
                preset.chunk_frames + 480);
  }
}

TEST_F(SinkTcpLevel, Pause_of_the_input_shorter_than_the_level_is_not_heard) {
  node_.set("level_ms", 2000);
  server_.listen();
  feed_live(0, 5000);
  node_.at(6790 * kMs, [&] { feed(48 * 1790); });
  feed_live(6790, 10'000);
  node_.stop_at(10 * kS);
  run();
  EXPECT_EQ(node_.counter("underruns"), 0u);
  // Every chunk left when it was due.
  const auto& session = server_.session();
  for (const auto& arrival : session.arrivals) {
    const uint64_t frames = arrival.end / kFrameBytes;
    if (frames > 9600) {
      EXPECT_EQ(arrival.at_ns - session.arrivals.front().at_ns, ns_of_frames(frames - 9600, 48000));
    }
  }
}

TEST_F(SinkTcpLevel, Adaptive_goes_up_by_half_when_the_receiver_ran_dry_and_waits_for_it) {
  node_.set("adaptive", 1);
  node_.set("level_ms", 1000);
  node_.set("minimum_ms", 1000);
  node_.set("maximum_ms", 6000);
  server_.listen();
  feed_live(0, 5000);
  feed_live(7000, 30'000);
  node_.stop_at(20 * kS);
  run();
  EXPECT_EQ(node_.counter("underruns"), 1u);
  EXPECT_EQ(node_.gauge("level_ms"), 1500);
  const auto& session = server_.session();
  EXPECT_EQ(frames_at(session, 8480 * kMs), 5000u * 48);
  EXPECT_EQ(frames_at(session, 8490 * kMs), 5000u * 48 + 9600);  // 1500 ms are there
  const auto samples = session.samples<int16_t>();
  EXPECT_EQ(samples, counted(0, samples.size() / 2));
}

// A tone, so that a click would show.
TEST_F(SinkTcpLevel, Adaptive_comes_down_in_calm_by_cuts_that_nobody_hears) {
  node_.set("adaptive", 1);
  node_.set("level_ms", 1000);
  node_.set("minimum_ms", 500);
  node_.set("maximum_ms", 2000);
  server_.listen();
  prepare();
  uint64_t at = 0;
  const auto feed_tone = [&] {
    std::vector<int16_t> samples;
    for (int i = 0; i < 480; ++i, ++at) {
      const double value =
          10'000 * std::sin(2 * std::numbers::pi * 440 * static_cast<double>(at) / 48000);
      samples.insert(samples.end(), 2, static_cast<int16_t>(std::lround(value)));
    }
    node_.feed(samples);
  };
  for (int64_t ms = 0; ms < 300'000; ms += 10) node_.at(ms * kMs, feed_tone);
  node_.stop_at(300 * kS);
  run();
  EXPECT_EQ(node_.gauge("level_ms"), 500);
  EXPECT_EQ(node_.counter("frames_cut"), 500u * 48);
  EXPECT_EQ(node_.counter("underruns"), 0u);
  EXPECT_NEAR(static_cast<double>(node_.available_frames()), 300 * 48, 961);
  const auto samples = server_.session().samples<int16_t>();
  const double largest = 10'000 * 2 * std::numbers::pi * 440 / 48000;
  for (size_t i = 2; i < samples.size(); i += 2) {
    ASSERT_LE(std::abs(samples[i] - samples[i - 2]), 1.25 * largest + 1) << i / 2;
  }
}

TEST_F(SinkTcpLevel, Adaptive_never_cuts_what_is_not_live) {
  node_.set_fed_live(false);
  node_.set("adaptive", 1);
  node_.set("level_ms", 1000);
  node_.set("minimum_ms", 500);
  server_.listen();
  feed(48000 * 200);
  node_.end_input();
  run();
  EXPECT_EQ(node_.counter("frames_cut"), 0u);
  EXPECT_EQ(server_.session().samples<int16_t>(), counted(0, fed_));
}

TEST_F(SinkTcpLevel, Level_is_kept_while_no_server_is_there_and_no_more) {
  node_.set("level_ms", 2000);
  feed_live(0, 60'000);
  node_.at(20 * kS, [&] { server_.listen(); });
  node_.stop_at(60 * kS);
  run();
  ASSERT_EQ(server_.sessions().size(), 1u);
  const auto samples = server_.session().samples<int16_t>();
  const uint64_t live = static_cast<uint64_t>(server_.session().start_ns) * 48 / kMs;
  EXPECT_LE(live - number_of(samples, 0), 48u * 2000 + 2 * 2400 + 480);
  EXPECT_GE(live - number_of(samples, 0), 48u * 2000 - 480);
  // The first connection begins without a fade.
  EXPECT_EQ(samples, counted(number_of(samples, 0), samples.size() / 2));
}

TEST_F(SinkTcpLevel, Peer_that_never_reads_is_handed_64_KiB_in_all) {
  node_.network().set_path(kServer, {.window_bytes = 1 << 20});
  node_.set("send_buffer_kib", 1024);
  server_.listen();
  server_.set_reading(false);
  feed_live(0, 6000);
  node_.at(2 * kS, [&] {
    EXPECT_EQ(node_.state(), uint32_t{SLUICE_STATE_DEGRADED});
    EXPECT_THAT(node_.log_lines(), Contains(HasSubstr("accepts audio and does not read it")));
    EXPECT_LE(node_.counter("bytes"), 65'536u);
  });
  node_.at(5 * kS, [&] { EXPECT_LE(node_.counter("bytes"), 65'536u); });
  node_.stop_at(6 * kS);
  run();
  EXPECT_THAT(node_.log_lines(), Contains(HasSubstr("has taken nothing for 5000 ms")));
}

TEST_F(SinkTcpLevel, Quality_falls_with_trouble_and_recovers) {
  server_.listen();
  feed_live(0, 5000);
  feed_live(6000, 80'000);
  node_.at(4 * kS, [&] { EXPECT_EQ(node_.gauge("quality"), 100); });
  node_.at(8 * kS, [&] { EXPECT_LT(node_.gauge("quality"), 100); });
  node_.at(75 * kS, [&] { EXPECT_EQ(node_.gauge("quality"), 100); });
  node_.at(76 * kS, [&] { server_.stop_listening(), server_.close(true); });
  node_.at(77 * kS, [&] { EXPECT_EQ(node_.gauge("quality"), 0); });
  node_.stop_at(78 * kS);
  run();
}

TEST_F(SinkTcpLevel, Heartbeat_comes_every_thirty_seconds) {
  server_.listen();
  feed_live(0, 100'000);
  node_.at(70 * kS, [&] { server_.stop_listening(), server_.close(true); });
  node_.stop_at(100 * kS);
  run();
  const auto& lines = node_.log_lines();
  EXPECT_EQ(std::count_if(lines.begin(), lines.end(),
                          [](const std::string& line) {
                            return line ==
                                   "Sends to 127.0.0.1:4953: quality 100 (excellent), jitter 0 ms "
                                   "(excellent), lead 200 ms, level 200 ms.";
                          }),
            2);
  EXPECT_THAT(lines, Contains("Not connected; what is new is kept up to 200 ms.").Times(1));
}

TEST_F(SinkTcpLevel, Header_is_sent_once_in_each_connection) {
  node_.set("header", "wav");
  server_.listen();
  feed_live(0, 30'000);
  node_.at(15 * kS, [&] { server_.close(true); });
  node_.stop_at(20 * kS);
  run();
  ASSERT_EQ(server_.sessions().size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    const auto& bytes = server_.session(i).bytes;
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    EXPECT_EQ(text.substr(0, 16), "RIFF\xff\xff\xff\xffWAVEfmt ");
    EXPECT_EQ(text.substr(36, 8), "data\xff\xff\xff\xff");
    EXPECT_EQ(text.find("RIFF", 1), std::string_view::npos);
    const std::vector<int16_t> samples(reinterpret_cast<const int16_t*>(bytes.data() + 44),
                                       reinterpret_cast<const int16_t*>(bytes.data() + 44) + 9600);
    const uint64_t first = first_of_faded(samples);
    if (i == 0) {
      EXPECT_EQ(samples, counted(0, 4800));
    } else {
      EXPECT_EQ(behind(samples, kFadeFrames), counted(first + kFadeFrames, 4800 - kFadeFrames));
    }
  }
}

TEST_F(SinkTcpLevel, High_priority_is_asked_for_and_what_came_of_it_said) {
  node_.set("high_priority", 1);
  server_.listen();
  feed_live(0, 1000);
  node_.stop_at(kS);
  run();
  EXPECT_EQ(node_.asked_priority(), 10u);
  EXPECT_EQ(node_.gauge("priority"), 0);
  EXPECT_EQ(node_.log_lines().front(), "The test driver has no priorities.");
}

TEST_F(SinkTcpLevel, Minimum_above_maximum_is_refused) {
  node_.set("minimum_ms", 3000);
  node_.set("maximum_ms", 2000);
  const auto description = node_.describe();
  ASSERT_FALSE(description);
  EXPECT_THAT(description.error().message, HasSubstr("`minimum_ms` is larger"));
}

// Every sink by itself, all losing their server at the same moment.
TEST(SinkTcpCrowd, Hundred_sinks_lose_one_server_their_retries_are_spread) {
  std::vector<int64_t> retries;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    WorkerDriver node("sink.tcp");
    ReceivingPeer server(node, false);
    node.set_seed(seed * 0x9e3779b97f4a7c15u);
    ASSERT_TRUE(node.prepare(kFormat));
    server.listen();
    const std::vector<int16_t> second(2 * 48000);
    for (int64_t s = 0; s < 30; ++s) node.at(s * kS, [&] { node.feed(second); });
    node.at(15 * kS, [&] { server.stop_listening(), server.close(true); });
    node.at(20 * kS, [&] { server.listen(); });
    uint64_t seen = 0;
    const auto look = [&] {
      const uint64_t tries = node.counter("failed_connections") + node.counter("reconnects");
      if (tries != std::exchange(seen, tries)) retries.push_back(node.now_ns());
    };
    for (int64_t ms = 15'000; ms < 22'000; ++ms) node.at(ms * kMs, look);
    node.stop_at(22 * kS);
    ASSERT_TRUE(node.run());
    ASSERT_EQ(node.counter("reconnects"), 1u);
    EXPECT_LE(server.session(1).start_ns, 21 * kS);  // within a second of listening
  }
  ASSERT_GE(retries.size(), 800u);
  for (int64_t begin_ns = 15 * kS; begin_ns < 22 * kS; begin_ns += 10 * kMs) {
    const auto inside = std::count_if(retries.begin(), retries.end(), [&](int64_t at_ns) {
      return at_ns >= begin_ns && at_ns < begin_ns + 50 * kMs;
    });
    EXPECT_LE(static_cast<double>(inside), 0.2 * static_cast<double>(retries.size()));
  }
}

}  // namespace
}  // namespace sluice::tests
