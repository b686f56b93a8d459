// sink.tcp in virtual time, with receivers that connect to it.
#include "plugins/sinks/tcp/sink_tcp_fixture.hpp"

namespace sluice::tests {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SinkTcpListening : public SinkTcpFixture {
 protected:
  void SetUp() override { node_.set("mode", "listen"); }

  ReceivingPeer& receiver_ = server_;
  ReceivingPeer second_{node_};
};

TEST_F(SinkTcpListening, Describe_port_0_takes_a_free_one_and_needs_mode_listen) {
  node_.set("port", 0);
  EXPECT_TRUE(node_.describe());
  feed_live(0, 10);
  node_.stop_at(10 * kMs);
  run();
  EXPECT_GT(node_.gauge("port"), 0);
  WorkerDriver connecting("sink.tcp");
  connecting.set("port", 0);
  const auto description = connecting.describe();
  ASSERT_FALSE(description);
  EXPECT_THAT(description.error().message, HasSubstr("give `port` from 1 on"));
}

TEST_F(SinkTcpListening, Port_taken_says_so) {
  receiver_.listen();
  const support::Status status = node_.prepare(kFormat);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("4953"));
}

TEST_F(SinkTcpListening, File_all_of_it_arrives_bit_exact_behind_the_lead) {
  node_.set_fed_live(false);
  feed(48000 * 3 + 77);
  node_.end_input();
  node_.at(7 * kS, [&] { receiver_.connect(); });
  run();
  ASSERT_EQ(receiver_.sessions().size(), 1u);
  EXPECT_EQ(receiver_.session().samples<int16_t>(), counted(0, fed_));
  EXPECT_TRUE(receiver_.session().ended_politely);
  EXPECT_EQ(frames_at(receiver_.session(), 7 * kS), 9600u);
  for (const auto& arrival : receiver_.session().arrivals) {
    const uint64_t frames = arrival.end / kFrameBytes;
    if (frames <= 9600) continue;
    EXPECT_EQ(arrival.at_ns - 7 * kS, ns_of_frames(frames - 9600, 48000));
  }
  EXPECT_THAT(node_.log_lines(),
              ElementsAre("Waiting for a receiver on port 4953.", "Connected to 127.0.0.1."));
}

TEST_F(SinkTcpListening, Receiver_leaves_and_comes_back_hears_the_newest_faded_in) {
  feed_live(0, 30'000);
  node_.at(1, [&] { receiver_.connect(); });
  node_.at(12 * kS, [&] { receiver_.close(); });
  node_.at(20 * kS, [&] { receiver_.connect(); });
  node_.stop_at(30 * kS);
  run();
  ASSERT_EQ(receiver_.sessions().size(), 2u);
  const auto samples = receiver_.session(1).samples<int16_t>();
  const uint64_t first = first_of_faded(samples);
  EXPECT_LE(20u * 48000 - first, 9600u + 2 * 2400 + 480);
  EXPECT_EQ(behind(samples, kFadeFrames),
            counted(first + kFadeFrames, samples.size() / 2 - kFadeFrames));
  EXPECT_EQ(node_.counter("reconnects"), 1u);
  EXPECT_THAT(node_.log_lines(), AllOf(Contains("127.0.0.1 has closed the connection.").Times(1),
                                       Contains("Connected to 127.0.0.1.").Times(2)));
}

TEST_F(SinkTcpListening, Second_receiver_waits_until_the_first_has_left) {
  feed_live(0, 20'000);
  node_.at(1, [&] { receiver_.connect(); });
  node_.at(5 * kS, [&] { second_.connect(); });
  node_.at(9 * kS, [&] {
    EXPECT_EQ(node_.gauge("waiting"), 1);
    EXPECT_TRUE(second_.session().bytes.empty());
    EXPECT_TRUE(second_.is_connected());
  });
  node_.at(10 * kS, [&] { receiver_.close(); });
  node_.stop_at(20 * kS);
  run();
  ASSERT_EQ(receiver_.sessions().size(), 1u);
  ASSERT_EQ(second_.sessions().size(), 1u);
  // Nothing of what was sent while it waited.
  const uint64_t first = first_of_faded(second_.session().samples<int16_t>());
  EXPECT_GE(first, 10u * 48000 - 9600 - 2 * 2400 - 480);
  EXPECT_EQ(node_.gauge("waiting"), 0);
  EXPECT_THAT(node_.log_lines(),
              Contains("Connected to 127.0.0.1; another receiver waits for its turn."));
}

TEST_F(SinkTcpListening, Receiver_that_does_not_read_makes_room_for_one_that_waits) {
  feed_live(0, 20'000);
  node_.at(1, [&] { receiver_.connect(); });
  node_.at(5 * kS, [&] { receiver_.set_reading(false); });
  node_.at(6 * kS, [&] { second_.connect(); });
  node_.stop_at(20 * kS);
  run();
  ASSERT_EQ(second_.sessions().size(), 1u);
  ASSERT_FALSE(second_.session().arrivals.empty());
  EXPECT_LE(second_.session().arrivals.front().at_ns, 7 * kS);
  EXPECT_THAT(node_.log_lines(), Contains(HasSubstr("another receiver waits: serving that one")));
}

TEST_F(SinkTcpListening, Receiver_that_does_not_read_is_given_up_when_nobody_waits) {
  feed_live(0, 20'000);
  node_.at(1, [&] { receiver_.connect(); });
  node_.at(5 * kS, [&] { receiver_.set_reading(false); });
  node_.stop_at(20 * kS);
  run();
  EXPECT_THAT(node_.log_lines(), Contains(AllOf(HasSubstr("has taken nothing for 5000 ms"),
                                                HasSubstr("Waiting for the next receiver."))));
}

TEST_F(SinkTcpListening, Receiver_that_has_left_while_it_waited_is_passed_over) {
  feed_live(0, 20'000);
  node_.at(1, [&] { receiver_.connect(); });
  node_.at(5 * kS, [&] { second_.connect(); });
  node_.at(6 * kS, [&] { second_.close(); });
  node_.at(10 * kS, [&] { receiver_.close(); });
  node_.stop_at(20 * kS);
  run();
  EXPECT_EQ(node_.counter("connections"), 1u);
}

TEST_F(SinkTcpListening, Deep_sleep_the_receiver_waits_and_the_first_sound_reaches_it_at_once) {
  node_.set("deep_sleep_ms", 1000);
  feed_live(0, 2000);
  node_.at(1, [&] { receiver_.connect(); });
  node_.at(1999 * kMs, [&] {
    node_.feed_mark(SLUICE_MARK_SILENCE_BEGINS);
    node_.set_idle(true);
  });
  // Snapserver comes back at once.
  node_.at(5 * kS, [&] {
    EXPECT_EQ(node_.state(), uint32_t{SLUICE_STATE_ASLEEP});
    receiver_.connect();
  });
  node_.at(60 * kS, [&] {
    EXPECT_TRUE(receiver_.session(1).bytes.empty());
    node_.feed_mark(SLUICE_MARK_SILENCE_ENDS);
    node_.set_idle(false);
  });
  feed_live(60'000, 62'000);
  node_.at(61'999 * kMs, [&] { node_.end_input(); });
  run();
  ASSERT_EQ(receiver_.sessions().size(), 2u);
  EXPECT_EQ(receiver_.session(1).samples<int16_t>(), counted(96'000, 96'000));
  EXPECT_EQ(node_.counter("sleeps"), 1u);
}

TEST_F(SinkTcpListening, Browser_is_told_apart_and_sent_away) {
  feed_live(0, 5000);
  node_.at(1, [&] { receiver_.connect(); });
  node_.at(kS, [&] { receiver_.send("GET / HTTP/1.1\r\n\r\n"); });
  node_.stop_at(5 * kS);
  run();
  EXPECT_FALSE(receiver_.is_connected());
  EXPECT_THAT(node_.log_lines(), Contains(HasSubstr("asks by HTTP")));
}

TEST_F(SinkTcpListening, Receiver_that_hangs_up_each_time_is_said_once) {
  feed_live(0, 60'000);
  for (int64_t ms = 1; ms < 60'000; ms += 200) {
    node_.at(ms * kMs, [&] { receiver_.connect(); });
    node_.at((ms + 100) * kMs, [&] { receiver_.close(true); });
  }
  node_.stop_at(20 * kS);
  run();
  EXPECT_GE(node_.counter("connections"), 50u);
  EXPECT_THAT(node_.log_lines(),
              ElementsAre("Waiting for a receiver on port 4953.", "Connected to 127.0.0.1.",
                          "127.0.0.1 reset the connection: its program ended or turned this one "
                          "away."));
}

TEST_F(SinkTcpListening, Stop_and_end_while_nobody_comes_are_heard) {
  for (const bool ends : {false, true}) {
    WorkerDriver node("sink.tcp");
    node.set("mode", "listen");
    ASSERT_TRUE(node.prepare(kFormat));
    node.feed(counted(0, 480));
    node.at(3 * kS, [&] {
      if (ends) {
        node.end_input();
      } else {
        node.stop();
      }
    });
    node.stop_at(60 * kS);
    ASSERT_TRUE(node.run());
    EXPECT_LE(node.now_ns(), 3 * kS + 400 * kMs);
  }
}

}  // namespace
}  // namespace sluice::tests
