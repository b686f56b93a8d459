#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "tests/support/passive_driver.hpp"
#include "tests/support/signal.hpp"

namespace sluice::tests {
namespace {

constexpr size_t kTarget = 4800;  // 100 ms at 48 kHz
constexpr Splits kGoesOn{.frames = 480, .is_ended = false};

void prepare(PassiveDriver& driver, double duration_ms = 100,
             const sluice_format& format = kStereo) {
  driver.set("duration_ms", duration_ms);
  driver.prepare(format);
}

TEST(Prefill, Run_oneFrameShort_holdsAllAndSaysSo) {
  PassiveDriver driver("filter.prefill");
  prepare(driver);
  EXPECT_EQ(driver.hold_frames(), kTarget);
  EXPECT_TRUE(driver.run(counter(kTarget - 1, 2), kGoesOn).empty());
  EXPECT_EQ(driver.gauge("is_filling"), 1.0);
  EXPECT_EQ(driver.gauge("held_frames"), double{kTarget - 1});
  EXPECT_EQ(driver.consumed_frames(), 0u) << "it holds by not consuming";
  const std::vector<float> last = {0.5f, 0.25f};
  EXPECT_TRUE(same_bits(driver.run(last, kGoesOn), join(counter(kTarget - 1, 2), last)));
  EXPECT_EQ(driver.gauge("is_filling"), 0.0);
  EXPECT_EQ(driver.gauge("held_frames"), 0.0);
  EXPECT_EQ(driver.counter("rearms"), 0u);
}

TEST(Prefill, Run_filled_passesWhatFollowsAtOnce) {
  PassiveDriver driver("filter.prefill");
  prepare(driver);
  static_cast<void>(driver.run(counter(kTarget, 2), kGoesOn));
  const std::vector<float> frame = {0.5f, 0.25f};
  EXPECT_TRUE(same_bits(driver.run(frame, kGoesOn), frame));
}

TEST(Prefill, Run_endWhileFilling_releasesWhatIsHeld) {
  PassiveDriver driver("filter.prefill");
  prepare(driver);
  const std::vector<float> in = counter(kTarget / 2, 2);
  EXPECT_TRUE(same_bits(driver.run(in, {.frames = 480}), in));
  EXPECT_TRUE(driver.is_drained());
}

TEST(Prefill, Run_noDuration_passesEverything) {
  PassiveDriver driver("filter.prefill");
  prepare(driver, 0);
  const std::vector<float> in = counter(10, 2);
  driver.mark_at(4, SLUICE_MARK_GAP);
  EXPECT_TRUE(same_bits(driver.run(in, kGoesOn), in));
}

TEST(Prefill, Run_anyFormat_countsFramesNotSamples) {
  for (uint32_t format = 1; format <= 4; ++format) {
    for (const uint32_t channels : {1u, 3u}) {
      PassiveDriver driver("filter.prefill");
      prepare(driver, 10, format_of(format, channels));
      const size_t bytes = 480 * channels *
                           (format == SLUICE_SAMPLE_S24   ? 3
                            : format == SLUICE_SAMPLE_S16 ? 2
                                                          : 4);
      std::vector<std::byte> in(bytes);
      for (size_t i = 0; i < bytes; ++i) in[i] = static_cast<std::byte>(i * 31);
      const size_t frame = bytes / 480;
      EXPECT_TRUE(driver.run_bytes(std::span(in).first(bytes - frame), kGoesOn).empty());
      EXPECT_TRUE(driver.run_bytes(std::span(in).last(frame), kGoesOn) == in);
    }
  }
}

class PrefillMarks : public testing::TestWithParam<uint32_t> {};
INSTANTIATE_TEST_SUITE_P(, PrefillMarks,
                         testing::Values(SLUICE_MARK_GAP, SLUICE_MARK_DISCONTINUITY,
                                         SLUICE_MARK_SILENCE_ENDS));

TEST_P(PrefillMarks, Run_behindTheMark_fillsAgainFromItsFrame) {
  PassiveDriver driver("filter.prefill");
  prepare(driver);
  driver.mark_at(kTarget + 1000, GetParam());
  const std::vector<float> in = counter(3 * kTarget, 2);
  const size_t first = kTarget + 1000;
  EXPECT_TRUE(same_bits(
      driver.run(std::vector(in.begin(), in.begin() + 2 * (first + kTarget - 1)), kGoesOn),
      part(in, 0, first, 2)));
  EXPECT_EQ(driver.counter("rearms"), 1u);
  EXPECT_EQ(driver.gauge("is_filling"), 1.0);
  EXPECT_TRUE(
      same_bits(driver.run(std::vector(in.begin() + 2 * (first + kTarget - 1), in.end()), kGoesOn),
                part(in, first, in.size(), 2)));
}

TEST_P(PrefillMarks, Run_markAmongTheFramesWaitedFor_doesNotStartAgain) {
  PassiveDriver driver("filter.prefill");
  prepare(driver);
  driver.mark_at(0, GetParam());
  driver.mark_at(1000, GetParam());
  driver.mark_at(kTarget - 1, GetParam());
  const std::vector<float> in = counter(kTarget, 2);
  EXPECT_TRUE(same_bits(driver.run(in, kGoesOn), in));
  EXPECT_EQ(driver.counter("rearms"), 0u);
}

TEST(Prefill, Run_silenceBegins_doesNotFillAgain) {
  PassiveDriver driver("filter.prefill");
  prepare(driver);
  driver.mark_at(kTarget + 10, SLUICE_MARK_SILENCE_BEGINS);
  const std::vector<float> in = counter(2 * kTarget, 2);
  EXPECT_TRUE(same_bits(driver.run(in, kGoesOn), in));
}

class PrefillEvents : public testing::TestWithParam<uint32_t> {};
INSTANTIATE_TEST_SUITE_P(, PrefillEvents,
                         testing::Values(SLUICE_UPSTREAM_RECONNECTED, SLUICE_UPSTREAM_STARVED,
                                         SLUICE_UPSTREAM_AWAKE));

TEST_P(PrefillEvents, Run_readerAsks_fillsAgain) {
  PassiveDriver driver("filter.prefill");
  prepare(driver);
  driver.upstream_at(kTarget + 700, GetParam());
  const std::vector<float> in = counter(kTarget + 1000, 2);
  EXPECT_TRUE(same_bits(driver.run(in, kGoesOn), part(in, 0, kTarget + 700, 2)));
  EXPECT_EQ(driver.counter("rearms"), 1u);
  EXPECT_TRUE(
      same_bits(driver.run(silence(kTarget - 300, 2), kGoesOn),
                join({in.begin() + 2 * (kTarget + 700), in.end()}, silence(kTarget - 300, 2))));
}

TEST_P(PrefillEvents, Run_readerAsksWhileFilling_changesNothing) {
  PassiveDriver driver("filter.prefill");
  prepare(driver);
  driver.upstream_at(0, GetParam());
  driver.upstream_at(1000, GetParam());
  const std::vector<float> in = counter(kTarget, 2);
  EXPECT_TRUE(same_bits(driver.run(in, kGoesOn), in));
  EXPECT_EQ(driver.counter("rearms"), 0u);
}

TEST(Prefill, Run_readerFallsAsleep_doesNotFillAgain) {
  PassiveDriver driver("filter.prefill");
  prepare(driver);
  driver.upstream_at(kTarget + 700, SLUICE_UPSTREAM_ASLEEP);
  const std::vector<float> in = counter(kTarget + 1000, 2);
  EXPECT_TRUE(same_bits(driver.run(in, kGoesOn), in));
}

TEST(Prefill, Run_anySplitWithMarks_losesAndChangesNothing) {
  const std::vector<float> in = counter(40000, 2);
  for (uint64_t seed = 1; seed < 40; ++seed) {
    PassiveDriver driver("filter.prefill");
    prepare(driver);
    for (uint64_t at : {100u, 6000u, 6100u, 15000u, 15001u, 33000u, 39999u}) {
      driver.mark_at(at, SLUICE_MARK_GAP);
    }
    driver.upstream_at(20000, SLUICE_UPSTREAM_STARVED);
    const uint32_t frames = seed < 10 ? 100 : 3000;
    ASSERT_TRUE(same_bits(driver.run(in, {.frames = frames, .seed = seed}), in)) << seed;
    // 6000 (6100 lies among the frames waited for), 15000, 33000, 39999 and the reader's.
    ASSERT_EQ(driver.counter("rearms"), 5u) << seed;
  }
}

TEST(Prefill, Reset_whilePassing_fillsAgain) {
  PassiveDriver driver("filter.prefill");
  prepare(driver);
  static_cast<void>(driver.run(counter(kTarget, 2), kGoesOn));
  driver.reset();
  EXPECT_TRUE(driver.run(counter(kTarget - 1, 2), kGoesOn).empty());
}

}  // namespace
}  // namespace sluice::tests
