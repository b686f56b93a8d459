// sink.tcp in front of a model of Snapserver whose clock is not ours, in virtual time.
#include <cmath>
#include <cstring>

#include "host/support/sanitizers.hpp"
#include "plugins/sinks/tcp/sink_tcp_fixture.hpp"
#include "tests/support/snapserver_model.hpp"

namespace sluice::tests {
namespace {

constexpr uint32_t kRateHz = 8000;  // mono: little to move in a day
constexpr sluice_format kSpeech{sizeof(sluice_format), SLUICE_SAMPLE_S16, 1, kRateHz};
constexpr uint32_t kModelChunkBytes = kRateHz / 50 * 2;

struct Outcome {
  uint64_t resyncs, chunks, wrong_chunks, dropped, underruns, stalls;
  double ppm, lowest_lead_ms, highest_lead_ms;
  std::optional<WorkerDriver::ClockReading> published;
};

// Plays for so long, from a source that gives what is asked for, into a server `ppm` off.
Outcome play(double ppm, int64_t seconds, const char* receiver_clock) {
  WorkerDriver node("sink.tcp");
  SnapserverModel server(node, kModelChunkBytes, ppm);
  node.set_fed_live(false);
  node.set("receiver_clock", receiver_clock);
  node.set("chunk_frames", 160);
  EXPECT_TRUE(node.prepare(kSpeech));
  Outcome outcome{};
  uint16_t next_sample = 0;
  server.on_chunk([&](std::span<const std::byte> bytes) {
    bool is_right = true;
    for (size_t i = 0; i < bytes.size(); i += 2) {
      uint16_t sample = 0;
      std::memcpy(&sample, bytes.data() + i, 2);
      is_right = is_right && sample == next_sample++;
    }
    if (!is_right) ++outcome.wrong_chunks;
  });
  uint16_t fed = 0;
  std::vector<int16_t> block(kRateHz);
  outcome.lowest_lead_ms = 1e9;
  std::function<void()> feed = [&] {
    while (node.available_frames() < 2 * kRateHz) {
      for (int16_t& sample : block) sample = static_cast<int16_t>(fed++);
      node.feed(block);
    }
    const double sent_ms = static_cast<double>(node.counter("frames_sent")) * 1000 / kRateHz;
    const double lead_ms = sent_ms - static_cast<double>(server.chunks()) * 20;
    if (node.now_ns() > 300 * kS) {
      outcome.lowest_lead_ms = std::min(outcome.lowest_lead_ms, lead_ms);
      outcome.highest_lead_ms = std::max(outcome.highest_lead_ms, lead_ms);
    }
    node.at(node.now_ns() + kS, feed);
  };
  node.at(0, feed);
  node.stop_at(seconds * kS);
  EXPECT_TRUE(node.run());
  EXPECT_TRUE(node.violations().empty());
  outcome.resyncs = server.resyncs();
  outcome.chunks = server.chunks();
  outcome.dropped = node.counter("frames_dropped");
  outcome.underruns = node.counter("underruns");
  outcome.stalls = node.counter("stalls");
  outcome.ppm = node.gauge("clock_ppm");
  if (!node.clock_readings().empty()) outcome.published = node.clock_readings().back();
  return outcome;
}

void expect_followed(double ppm, int64_t seconds) {
  const Outcome outcome = play(ppm, seconds, "measured");
  EXPECT_EQ(outcome.resyncs, 0u);
  EXPECT_EQ(outcome.wrong_chunks, 0u);
  EXPECT_EQ(outcome.dropped, 0u);
  EXPECT_EQ(outcome.underruns, 0u);
  EXPECT_EQ(outcome.stalls, 0u);
  // It has played all that its clock asked for.
  EXPECT_NEAR(static_cast<double>(outcome.chunks) * 20e-3,
              static_cast<double>(seconds) * (1 + ppm * 1e-6), 0.5);
  EXPECT_NEAR(outcome.ppm, ppm, 20);
  EXPECT_GT(outcome.lowest_lead_ms, 100);
  EXPECT_LT(outcome.highest_lead_ms, 320);
  ASSERT_TRUE(outcome.published);
  EXPECT_NEAR(outcome.published->ratio, 1 + ppm * 1e-6, 20e-6);
  const double published_s = static_cast<double>(outcome.published->monotonic_ns) / 1e9;
  EXPECT_NEAR(outcome.published->frames, (published_s * (1 + ppm * 1e-6) + 0.2) * kRateHz,
              0.05 * kRateHz);
  ::testing::Test::RecordProperty("measured_ppm", std::to_string(outcome.ppm));
  ::testing::Test::RecordProperty("lowest_lead_ms", std::to_string(outcome.lowest_lead_ms));
  ::testing::Test::RecordProperty("highest_lead_ms", std::to_string(outcome.highest_lead_ms));
}

TEST(SinkTcpReceiverClock, Own_clock_runs_a_fast_server_dry) {
  const Outcome outcome = play(200, 1800, "own");
  EXPECT_GT(outcome.resyncs, 0u);  // 200 ms of lead at 200 ppm last 1000 s
  EXPECT_EQ(outcome.wrong_chunks, 0u);
}

// Sanitizers take twenty times as long.
#if SLUICE_ADDRESS_SANITIZER || SLUICE_THREAD_SANITIZER
constexpr int64_t kDayS = 3600;
#else
constexpr int64_t kDayS = 86'400;
#endif

TEST(SinkTcpReceiverClock, Measured_clock_of_a_fast_server_no_resync_and_no_frame_lost) {
  expect_followed(200, kDayS);
}

TEST(SinkTcpReceiverClock, Measured_clock_of_a_slow_server_no_resync_and_no_frame_lost) {
  expect_followed(-200, kDayS);
}

TEST(SinkTcpReceiverClock, Measured_is_a_clock_of_its_own_in_the_graph) {
  WorkerDriver node("sink.tcp");
  node.set("receiver_clock", "measured");
  const auto description = node.describe();
  ASSERT_TRUE(description);
  EXPECT_EQ(description->clock, uint32_t{SLUICE_CLOCK_REMOTE});
}

}  // namespace
}  // namespace sluice::tests
