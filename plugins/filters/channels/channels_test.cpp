#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "tests/support/passive_driver.hpp"
#include "tests/support/signal.hpp"

namespace sluice::tests {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr sluice_format f32(uint32_t channels) { return format_of(SLUICE_SAMPLE_F32, channels); }

// What one frame becomes under the parameter `channels`.
std::vector<float> adapt(const std::vector<float>& frame, uint32_t channels) {
  PassiveDriver driver("filter.channels");
  driver.set("channels", channels);
  driver.prepare(f32(static_cast<uint32_t>(frame.size())));
  EXPECT_EQ(driver.output_format().channels, channels);
  return driver.run(frame);
}

TEST(Channels, Run_mapSwapsStereo_keepsEveryBit) {
  PassiveDriver driver("filter.channels");
  driver.set_list("map", {2, 1});
  driver.prepare();
  std::vector<float> in = noise(1, 5.0, 1001, 2);
  in[8] = -0.0f;
  in[10] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> out = driver.run(in, {.frames = 100});
  EXPECT_TRUE(same_bits(channel_of(out, 0, 2), channel_of(in, 1, 2)));
  EXPECT_TRUE(same_bits(channel_of(out, 1, 2), channel_of(in, 0, 2)));
}

TEST(Channels, Run_mapPicksRepeatsAndSilences_asSaid) {
  PassiveDriver driver("filter.channels");
  driver.set_list("map", {3, 0, 1, 3});
  driver.prepare(f32(3));
  EXPECT_EQ(driver.output_format().channels, 4u);
  const std::vector<float> in = counter(500, 3);
  const std::vector<float> out = driver.run(in);
  EXPECT_TRUE(same_bits(channel_of(out, 0, 4), channel_of(in, 2, 3)));
  EXPECT_TRUE(same_bits(channel_of(out, 1, 4), silence(500)));
  EXPECT_TRUE(same_bits(channel_of(out, 2, 4), channel_of(in, 0, 3)));
  EXPECT_TRUE(same_bits(channel_of(out, 3, 4), channel_of(in, 2, 3)));
}

TEST(Channels, Run_mix_sumsWithItsGains) {
  PassiveDriver driver("filter.channels");
  driver.set_matrix("mix", 3, {0.5, 0.25, 0, 1, -1, 2});
  driver.prepare();
  EXPECT_EQ(driver.output_format().channels, 3u);
  EXPECT_THAT(driver.run(std::vector<float>{0.5f, 0.25f}), ElementsAre(0.3125f, 0.25f, 0.0f));
}

TEST(Channels, Run_channels_followsTheStatedCoefficients) {
  EXPECT_THAT(adapt({0.3f}, 2), ElementsAre(0.3f, 0.3f));
  EXPECT_THAT(adapt({0.3f}, 3), ElementsAre(0.3f, 0.3f, 0.3f));
  EXPECT_THAT(adapt({0.5f, 0.25f}, 1), ElementsAre(0.375f));
  EXPECT_THAT(adapt({1, 2}, 4), ElementsAre(1, 2, 0, 0));
  EXPECT_THAT(adapt({1, 2, 3, 4}, 2), ElementsAre(1, 2));
  const float c = 0.70710678f;
  EXPECT_THAT(adapt({1, 0, 0, 0, 0, 0}, 2), ElementsAre(1, 0));
  EXPECT_THAT(adapt({0, 0, 1, 0, 0, 0}, 2), ElementsAre(c, c));
  EXPECT_THAT(adapt({0, 0, 0, 1, 0, 0}, 2), ElementsAre(0, 0));
  EXPECT_THAT(adapt({0, 0, 0, 0, 1, 0}, 2), ElementsAre(c, 0));
  EXPECT_THAT(adapt({0, 1, 0, 0, 0, 1}, 2), ElementsAre(0, 1 + c));
  EXPECT_THAT(adapt({1, 0, 0, 0, 0, 0}, 1), ElementsAre(c));
  EXPECT_THAT(adapt({0, 0, 1, 1, 0, 0.5f}, 1), ElementsAre(1.25f));
}

TEST(Channels, Run_monoToStereoAndBack_isTheIdentity) {
  const std::vector<float> in = noise(3, 1.0, 1000);
  PassiveDriver up("filter.channels");
  up.set("channels", 2);
  up.prepare(f32(1));
  PassiveDriver down("filter.channels");
  down.set("channels", 1);
  down.prepare(f32(2));
  EXPECT_TRUE(same_bits(down.run(up.run(in)), in));
}

TEST(Channels, Run_nothingSaid_passesAsItIs) {
  PassiveDriver driver("filter.channels");
  driver.prepare(f32(5));
  const std::vector<float> in = noise(4, 1.0, 777, 5);
  EXPECT_TRUE(same_bits(driver.run(in), in));
}

TEST(Channels, Describe_contradictions_failWithASentence) {
  PassiveDriver both("filter.channels");
  both.set_list("map", {1});
  both.set("channels", 2);
  EXPECT_THAT(both.try_prepare(), HasSubstr("exclude each other"));
  PassiveDriver beyond("filter.channels");
  beyond.set_list("map", {1, 3});
  EXPECT_EQ(beyond.try_prepare(), "map names input channel 3, but the input has 2 channels.");
  PassiveDriver fraction("filter.channels");
  fraction.set_list("map", {1.5});
  EXPECT_THAT(fraction.try_prepare(), HasSubstr("whole number"));
  PassiveDriver columns("filter.channels");
  columns.set_matrix("mix", 2, {1, 0, 0, 0, 1, 0});
  EXPECT_THAT(columns.try_prepare(), HasSubstr("3 gains in a row, but the input has 2 channels"));
}

TEST(Channels, Run_anySplit_isTheSameAsOneBlock) {
  const std::vector<float> in = noise(5, 1.0, 4000, 6);
  std::vector<float> whole;
  for (uint64_t seed = 0; seed < 12; ++seed) {
    PassiveDriver driver("filter.channels");
    driver.set("channels", 2);
    driver.prepare(f32(6));
    const uint32_t frames = seed == 0 ? 4000 : 600;
    const std::vector<float> out = driver.run(in, {.frames = frames, .seed = seed});
    if (seed == 0) whole = out;
    ASSERT_TRUE(same_bits(out, whole)) << seed;
  }
}

}  // namespace
}  // namespace sluice::tests
