#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <sluice/frames.hpp>
#include <vector>

#include "tests/support/passive_driver.hpp"
#include "tests/support/signal.hpp"

namespace sluice::tests {
namespace {

constexpr size_t kLookback = 2400;  // 50 ms at 48 kHz

void prepare(PassiveDriver& gate, const char* closed) {
  gate.set("closed", closed);
  gate.set("hold_ms", 200);
  gate.set("lookback_ms", 50);
  gate.prepare();
}

// A tone, two seconds of nothing, a tone that starts at once, nothing.
std::vector<float> bursts() {
  std::vector<float> signal = sine(1000, -20, 24000, 2);
  signal = join(signal, silence(96000, 2));
  signal = join(signal, sine(1000, -20, 24000, 2));
  return join(signal, silence(48000, 2));
}

TEST(Gate, Run_loudEnough_passesBitsUnchanged) {
  const std::vector<float> in = noise(1, 0.5, 48000, 2);
  PassiveDriver nothing("filter.gate");
  prepare(nothing, "nothing");
  EXPECT_EQ(nothing.latency_frames(), 0u);
  EXPECT_TRUE(same_bits(nothing.run(in, {.frames = 480}), in));
  PassiveDriver zeros("filter.gate");
  prepare(zeros, "zeros");
  EXPECT_EQ(zeros.latency_frames(), kLookback);
  EXPECT_TRUE(same_bits(zeros.run(in, {.frames = 480}), join(silence(kLookback, 2), in)));
  EXPECT_NEAR(zeros.gauge("level_db"), rms_db(in), 0.5);
  EXPECT_TRUE(zeros.marks().empty());
}

TEST(Gate, Run_toneBehindSilence_isNeverCut) {
  const std::vector<float> in = bursts();
  PassiveDriver zeros("filter.gate");
  prepare(zeros, "zeros");
  const std::vector<float> late = zeros.run(in, {.frames = 480});
  EXPECT_EQ(late.size(), in.size() + 2 * kLookback);
  EXPECT_TRUE(same_bits(part(late, kLookback + 120000, 24000, 2), part(in, 120000, 24000, 2)));
  EXPECT_EQ(zeros.counter("openings"), 1u);
  ASSERT_EQ(zeros.marks().size(), 3u);
  EXPECT_EQ(zeros.marks()[0].kind, uint32_t{SLUICE_MARK_SILENCE_BEGINS});
  EXPECT_EQ(zeros.marks()[1].kind, uint32_t{SLUICE_MARK_SILENCE_ENDS});

  PassiveDriver nothing("filter.gate");
  prepare(nothing, "nothing");
  const std::vector<float> out = nothing.run(in, {.frames = 480});
  ASSERT_EQ(nothing.marks().size(), 3u);
  const size_t again = nothing.marks()[1].position;
  EXPECT_EQ(nothing.marks()[0].position, again) << "nothing comes out while closed";
  EXPECT_LT(out.size(), in.size());
  EXPECT_TRUE(same_bits(part(out, 0, 24000, 2), part(in, 0, 24000, 2)));
  // The tone lies within the look-back, whole.
  const auto left = channel_of(part(out, again, out.size(), 2), 0, 2);
  size_t first = 0;
  while (first < left.size() && left[first] == 0.0f) ++first;
  ASSERT_GE(first, 1u);
  EXPECT_LT(first, kLookback);
  EXPECT_TRUE(same_bits(part(out, again + first - 1, 24000, 2), part(in, 120000, 24000, 2)));
}

TEST(Gate, Run_closingAndOpeningOverHum_hasNoStep) {
  std::vector<float> in = sine(50, -30, 240000, 2);
  for (size_t i = 2 * 48000; i < 2 * 160000; ++i) in[i] *= 0.05f;
  for (const char* closed : {"nothing", "zeros"}) {
    PassiveDriver gate("filter.gate");
    prepare(gate, closed);
    const std::vector<float> out = gate.run(in, {.frames = 480});
    EXPECT_LE(largest_step(out, 2), largest_step(in, 2) * 1.05) << closed;
    EXPECT_EQ(gate.counter("openings"), 1u) << closed;
  }
}

TEST(Gate, Run_halfAWindowOfSound_isItsLevelLess3Db) {
  for (const double window_ms : {4.0, 20.0, 500.0}) {
    PassiveDriver gate("filter.gate");
    gate.set("window_ms", window_ms);
    gate.prepare();
    const auto half = static_cast<size_t>(window_ms * 24);
    static_cast<void>(gate.run(join(silence(48000, 2), std::vector<float>(half * 2, 0.5f)),
                               {.frames = 480, .is_ended = false}));
    EXPECT_NEAR(gate.gauge("level_db"), 20 * std::log10(0.5) + 10 * std::log10(0.5), 0.01)
        << window_ms;
  }
}

TEST(Gate, Run_marksOfTheInput_areKeptAndShiftedByTheLatency) {
  PassiveDriver gate("filter.gate");
  prepare(gate, "zeros");
  gate.mark_at(0, SLUICE_MARK_DISCONTINUITY, 7);
  gate.mark_at(1000, SLUICE_MARK_GAP, 5);
  static_cast<void>(gate.run(noise(2, 0.5, 9600, 2), {.frames = 480}));
  ASSERT_EQ(gate.marks().size(), 2u);
  EXPECT_EQ(gate.marks()[0].position, kLookback);
  EXPECT_EQ(gate.marks()[1].position, kLookback + 1000);
  EXPECT_EQ(gate.marks()[1].value, 5u);
}

TEST(Gate, Prepare_closeAboveOpen_failsWithASentence) {
  PassiveDriver gate("filter.gate");
  gate.set("close_db", -40);
  EXPECT_THAT(gate.try_prepare(), testing::HasSubstr("close_db is above open_db"));
}

TEST(Gate, Run_openDbRaisedLive_staysClosed) {
  PassiveDriver gate("filter.gate");
  prepare(gate, "zeros");
  gate.parameter_at(60000, "open_db", -10);
  static_cast<void>(gate.run(bursts(), {.frames = 480}));
  EXPECT_EQ(gate.counter("openings"), 0u);
}

TEST(Gate, Run_passedFrames_keepTheirCaptureTimes) {
  constexpr int64_t kStartNs = 5'000'000'000;
  const auto captured_ns = [](uint64_t frame) { return kStartNs + ns_of_frames(frame, 48000); };
  const std::vector<float> in = bursts();

  PassiveDriver zeros("filter.gate");
  prepare(zeros, "zeros");
  zeros.capture_from(kStartNs);
  static_cast<void>(zeros.run(in, {.frames = 480}));
  for (const uint64_t frame : {uint64_t{0}, uint64_t{10007}, uint64_t{120000}, uint64_t{143999}}) {
    EXPECT_NEAR(static_cast<double>(zeros.capture_ns(kLookback + frame) - captured_ns(frame)), 0, 2)
        << frame;
  }

  PassiveDriver nothing("filter.gate");
  prepare(nothing, "nothing");
  nothing.capture_from(kStartNs);
  const std::vector<float> out = nothing.run(in, {.frames = 480});
  EXPECT_NEAR(static_cast<double>(nothing.capture_ns(10007) - captured_ns(10007)), 0, 2);
  // Behind what was left out: the look-back first, which holds the start of the second tone.
  ASSERT_GE(nothing.marks().size(), 2u);
  const uint64_t again = nothing.marks()[1].position;
  const auto left = channel_of(part(out, again, out.size(), 2), 0, 2);
  uint64_t first = 0;
  while (first < left.size() && left[first] == 0.0f) ++first;
  ASSERT_LT(first, left.size());
  // The tone begins with a zero, which looks like the silence in front of it.
  for (const uint64_t frame : {uint64_t{0}, uint64_t{5000}, uint64_t{23999}}) {
    EXPECT_NEAR(static_cast<double>(nothing.capture_ns(again + first - 1 + frame) -
                                    captured_ns(120000 + frame)),
                0, 2)
        << frame;
  }
}

TEST(Gate, Run_closeDbRaisedLive_closesAfterTheHold) {
  for (const char* closed : {"nothing", "zeros"}) {
    PassiveDriver gate("filter.gate");
    gate.set("open_db", -10);
    gate.set("close_db", -56);
    prepare(gate, closed);
    gate.parameter_at(48000, "close_db", -20);
    gate.parameter_at(120000, "close_db", -56);  // too late to keep it open
    static_cast<void>(gate.run(sine(1000, -30, 240000, 2), {.frames = 480}));
    ASSERT_GE(gate.marks().size(), 1u) << closed;
    EXPECT_EQ(gate.marks()[0].kind, uint32_t{SLUICE_MARK_SILENCE_BEGINS});
    // 200 ms to hold, at most 30 ms to fade, steps of 1 ms.
    EXPECT_GE(gate.marks()[0].position, 48000u + 9600u) << closed;
    EXPECT_LE(gate.marks()[0].position, 48000u + 9600u + 1440u + 48u) << closed;
    EXPECT_EQ(gate.counter("openings"), 0u) << closed;
    EXPECT_EQ(gate.gauge("is_open"), 0) << closed;
  }
}

TEST(Gate, Run_closeDbRaisedLiveAboveOpenDb_countsAsOpenDb) {
  const std::vector<float> in = sine(1000, -30, 96000, 2);
  PassiveDriver gate("filter.gate");
  gate.set("open_db", -40);
  prepare(gate, "nothing");
  gate.parameter_at(24000, "close_db", 0);
  EXPECT_TRUE(same_bits(gate.run(in, {.frames = 480}), in));
  EXPECT_TRUE(gate.marks().empty());
}

TEST(Gate, Run_silenceMarkedUpstream_isPassedOnOnceAndAtItsFrame) {
  for (const char* closed : {"nothing", "zeros"}) {
    const uint64_t latency = *closed == 'z' ? kLookback : 0;
    PassiveDriver gate("filter.gate");
    prepare(gate, closed);
    gate.mark_at(24000, SLUICE_MARK_SILENCE_BEGINS);
    gate.mark_at(26000, SLUICE_MARK_SILENCE_BEGINS);
    gate.mark_at(28800, SLUICE_MARK_SILENCE_ENDS);  // sooner than the gate closes
    std::vector<float> in = join(sine(1000, -20, 24000, 2), silence(4800, 2));
    in = join(in, sine(1000, -20, 24000, 2));
    static_cast<void>(gate.run(in, {.frames = 480}));
    ASSERT_EQ(gate.marks().size(), 2u) << closed;
    EXPECT_EQ(gate.marks()[0].kind, uint32_t{SLUICE_MARK_SILENCE_BEGINS});
    EXPECT_EQ(gate.marks()[0].position, latency + 24000u) << closed;
    EXPECT_EQ(gate.marks()[1].kind, uint32_t{SLUICE_MARK_SILENCE_ENDS});
    EXPECT_EQ(gate.marks()[1].position, latency + 28800u) << closed;
    EXPECT_EQ(gate.counter("openings"), 0u) << closed;
  }
}

TEST(Gate, Run_silenceMarkedUpstreamAndClosedByItself_isToldAsOneSilence) {
  for (const char* closed : {"nothing", "zeros"}) {
    PassiveDriver gate("filter.gate");
    prepare(gate, closed);
    gate.mark_at(24000, SLUICE_MARK_SILENCE_BEGINS);
    gate.mark_at(72000, SLUICE_MARK_SILENCE_ENDS);
    std::vector<float> in = join(sine(1000, -20, 24000, 2), silence(48000, 2));
    in = join(in, sine(1000, -20, 48000, 2));
    static_cast<void>(gate.run(in, {.frames = 480}));
    EXPECT_EQ(gate.counter("openings"), 1u) << closed;
    ASSERT_EQ(gate.marks().size(), 2u) << closed;
    EXPECT_EQ(gate.marks()[0].kind, uint32_t{SLUICE_MARK_SILENCE_BEGINS});
    EXPECT_EQ(gate.marks()[0].position, (*closed == 'z' ? kLookback : 0) + 24000u) << closed;
    EXPECT_EQ(gate.marks()[1].kind, uint32_t{SLUICE_MARK_SILENCE_ENDS});
    if (*closed == 'z') {
      EXPECT_EQ(gate.marks()[1].position, kLookback + 72000u);
    }
  }
}

TEST(Gate, Run_anySplit_isTheSameAsOneBlock) {
  const std::vector<float> in = bursts();
  for (const char* closed : {"nothing", "zeros"}) {
    std::vector<float> whole;
    std::vector<uint64_t> positions;
    for (uint64_t seed = 0; seed < 12; ++seed) {
      PassiveDriver gate("filter.gate");
      prepare(gate, closed);
      gate.mark_at(500, SLUICE_MARK_GAP, 3);
      gate.parameter_at(30011, "hold_ms", 250);
      const uint32_t frames = seed == 0 ? 200000 : 3000;
      const std::vector<float> out = gate.run(in, {.frames = frames, .seed = seed});
      std::vector<uint64_t> at;
      for (const sluice_mark& mark : gate.marks()) at.push_back(mark.position);
      if (seed == 0) {
        whole = out;
        positions = at;
      }
      ASSERT_TRUE(same_bits(out, whole)) << closed << ", seed " << seed;
      ASSERT_EQ(at, positions) << closed << ", seed " << seed;
    }
  }
}

}  // namespace
}  // namespace sluice::tests
