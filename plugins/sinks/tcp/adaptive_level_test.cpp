#include "plugins/sinks/tcp/adaptive_level.hpp"

#include <gtest/gtest.h>

#include "plugins/sinks/tcp/presets.hpp"

namespace sluice {
namespace {

constexpr int64_t kS = 1'000'000'000;
constexpr uint32_t kRateHz = 48000;
constexpr uint64_t kMs = kRateHz / 1000;  // frames

class AdaptiveLevelTest : public ::testing::Test {
 protected:
  // Chunks leave every 100 ms from now on, with `spare` frames behind them.
  uint64_t steps_until(int64_t end_ns, uint64_t spare, double jitter_ms) {
    uint64_t steps = 0;
    for (; now_ns_ < end_ns; now_ns_ += kS / 10) {
      level_.note_spare(now_ns_, spare);
      if (level_.lower(now_ns_, jitter_ms)) ++steps;
    }
    return steps;
  }
  AdaptiveLevel level_{kRateHz, 2000 * kMs, 2000 * kMs, 6000 * kMs, true};
  int64_t now_ns_ = 0;
};

TEST_F(AdaptiveLevelTest, Receiver_ran_dry_up_by_half_and_at_least_what_was_missing) {
  level_.raise(kS, 10);
  EXPECT_EQ(level_.frames(), 3000 * kMs);
  level_.raise(2 * kS, 1800 * kMs);
  EXPECT_EQ(level_.frames(), 4800 * kMs);
  level_.raise(3 * kS, 0);
  EXPECT_EQ(level_.frames(), 6000 * kMs);  // the maximum
  level_.raise(4 * kS, 0);
  EXPECT_EQ(level_.frames(), 6000 * kMs);
}

TEST_F(AdaptiveLevelTest, Calm_down_after_a_minute_by_10_ms_each_2_s_to_the_minimum) {
  level_.restart(0);
  level_.raise(0, 0);
  EXPECT_EQ(steps_until(60 * kS, 1000 * kMs, 1), 0u);
  EXPECT_EQ(steps_until(80 * kS, 1000 * kMs, 1), 10u);
  EXPECT_EQ(level_.frames(), 2900 * kMs);
  EXPECT_EQ(steps_until(1000 * kS, 1000 * kMs, 1), 90u);
  EXPECT_EQ(level_.frames(), 2000 * kMs);
}

TEST_F(AdaptiveLevelTest, Trouble_starts_the_minute_again) {
  level_.raise(0, 0);
  EXPECT_GT(steps_until(70 * kS, 1000 * kMs, 1), 0u);
  level_.raise(now_ns_, 0);
  EXPECT_EQ(steps_until(129 * kS, 1000 * kMs, 1), 0u);
  EXPECT_GT(steps_until(140 * kS, 1000 * kMs, 1), 0u);
}

TEST_F(AdaptiveLevelTest, Jitter_bands_hold_it_higher) {
  level_.raise(0, 4000 * kMs);
  ASSERT_EQ(level_.frames(), 6000 * kMs);
  EXPECT_EQ(steps_until(200 * kS, 5000 * kMs, 15.1), 0u);  // rough: stays
  steps_until(3000 * kS, 5000 * kMs, 10);                  // half way
  EXPECT_EQ(level_.frames(), 4000 * kMs);
  steps_until(5000 * kS, 5000 * kMs, 4.9);
  EXPECT_EQ(level_.frames(), 2000 * kMs);
}

TEST_F(AdaptiveLevelTest, Nothing_to_spare_in_ten_seconds_stays) {
  level_.raise(0, 0);
  EXPECT_EQ(steps_until(100 * kS, 19 * kMs, 0), 0u);
  EXPECT_GT(steps_until(120 * kS, 20 * kMs, 0), 0u);
}

TEST_F(AdaptiveLevelTest, Difference_of_less_than_a_tenth_is_left_alone) {
  AdaptiveLevel level(kRateHz, 2200 * kMs, 2000 * kMs, 6000 * kMs, true);
  level.restart(0);
  for (int64_t t = 0; t < 300; ++t) {
    level.note_spare(t * kS, 1000 * kMs);
    EXPECT_FALSE(level.lower(t * kS, 0));
  }
}

TEST_F(AdaptiveLevelTest, Not_adaptive_never_moves) {
  AdaptiveLevel level(kRateHz, 200 * kMs, 1000 * kMs, 6000 * kMs, false);
  level.raise(0, 48000);
  for (int64_t t = 0; t < 300; ++t) {
    level.note_spare(t * kS, 1000 * kMs);
    EXPECT_FALSE(level.lower(t * kS, 0));
  }
  EXPECT_EQ(level.frames(), 200 * kMs);
}

TEST(Presets, Figures_are_those_of_the_reference) {
  const Buffering custom{480, 1, 2, 3, false};
  EXPECT_EQ(buffering_of(Preset::kCustom, custom).chunk_frames, 480u);
  const Buffering ethernet = buffering_of(Preset::kEthernet, custom);
  EXPECT_EQ(ethernet.chunk_frames, 512u);
  EXPECT_EQ(ethernet.level_ms, 2000);
  EXPECT_EQ(ethernet.minimum_ms, 2000);
  EXPECT_EQ(ethernet.maximum_ms, 6000);
  const Buffering wifi = buffering_of(Preset::kWifi, custom);
  EXPECT_EQ(wifi.chunk_frames, 1024u);
  EXPECT_EQ(wifi.level_ms, 4000);
  EXPECT_EQ(wifi.minimum_ms, 3000);
  EXPECT_EQ(wifi.maximum_ms, 10'000);
  const Buffering poor = buffering_of(Preset::kWifiPoor, custom);
  EXPECT_EQ(poor.chunk_frames, 2048u);
  EXPECT_EQ(poor.level_ms, 8000);
  EXPECT_EQ(poor.minimum_ms, 5000);
  EXPECT_EQ(poor.maximum_ms, 15'000);
  EXPECT_TRUE(ethernet.is_adaptive && wifi.is_adaptive && poor.is_adaptive);
}

}  // namespace
}  // namespace sluice
