#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cfloat>
#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/passive_driver.hpp"
#include "tests/support/signal.hpp"

namespace sluice::tests {
namespace {

constexpr uint32_t kLookAhead = 240;  // 5 ms at 48 kHz

TEST(Gain, Run_settledAt0Db_passesBitsUnchanged) {
  PassiveDriver gain("filter.gain");
  gain.prepare();
  std::vector<float> in = noise(1, 4.0, 5000, 2);
  in[7] = std::numeric_limits<float>::quiet_NaN();
  in[8] = -0.0f;
  in[9] = std::numeric_limits<float>::denorm_min();
  EXPECT_TRUE(same_bits(gain.run(in), in));
  EXPECT_EQ(gain.latency_frames(), 0u);
}

TEST(Gain, Run_minus6Db_levelIs6DbLowerWithoutDistortion) {
  PassiveDriver gain("filter.gain");
  gain.set("gain_db", -6.0);
  gain.prepare(format_of(SLUICE_SAMPLE_F32, 1));
  const Tone tone = measure_tone(gain.run(sine(997, -10, 48000)), 997);
  EXPECT_NEAR(tone.peak_db, -16.0, 1e-4);
  EXPECT_LT(tone.thd_n_db, -140.0);
}

TEST(Gain, Run_atItsMinimum_isDigitalSilence) {
  PassiveDriver gain("filter.gain");
  gain.set("gain_db", -120.0);
  gain.prepare();
  std::vector<float> in = noise(2, 1.0, 1000, 2);
  in[10] = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(same_bits(gain.run(in), silence(1000, 2)));
}

TEST(Gain, Run_gainChanges_startsAtItsFrameAndEndsAfter30Ms) {
  PassiveDriver gain("filter.gain");
  gain.prepare(format_of(SLUICE_SAMPLE_F32, 1));
  gain.parameter_at(1000, "gain_db", -20.0);
  const std::vector<float> out = gain.run(std::vector<float>(5000, 1.0f), {.frames = 480});
  EXPECT_EQ(out[999], 1.0f);
  EXPECT_LT(out[1000], 1.0f);
  EXPECT_GT(out[1000 + 1438], 0.1f);
  EXPECT_EQ(out[1000 + 1439], 0.1f);
  EXPECT_NEAR(double{out[1000 + 719]}, 0.55, 1e-6) << "half-way at half time";
  for (size_t n = 1; n < out.size(); ++n) ASSERT_LE(out[n], out[n - 1]) << n;
}

TEST(Gain, Run_mutedAndBack_noStepLargerThanTheSignalsOwn) {
  PassiveDriver gain("filter.gain");
  gain.prepare(format_of(SLUICE_SAMPLE_F32, 1));
  gain.parameter_at(9601, "mute", 1);
  gain.parameter_at(24003, "mute", 0);
  const std::vector<float> in = sine(50, 0, 48000);
  const std::vector<float> out = gain.run(in, {.frames = 480});
  EXPECT_LE(largest_step(out), largest_step(in) + 0.5 * 3.1416 / 1440);
  EXPECT_TRUE(same_bits(part(out, 0, 9601), part(in, 0, 9601)));
  EXPECT_TRUE(same_bits(part(out, 9601 + 1440, 24003 - 9601 - 1440), silence(24003 - 9601 - 1440)));
  EXPECT_TRUE(same_bits(part(out, 24003 + 1440, 48000), part(in, 24003 + 1440, 48000)));
}

TEST(Gain, Run_anySplit_isTheSameAsOneBlock) {
  const std::vector<float> in = noise(3, 1.5, 20000, 2);
  for (const char* limiter : {"off", "on"}) {
    std::vector<float> whole;
    for (uint64_t seed = 0; seed < 30; ++seed) {
      PassiveDriver gain("filter.gain");
      gain.set("limiter", limiter);
      gain.prepare();
      gain.parameter_at(5000, "gain_db", 9.0);
      gain.parameter_at(5600, "gain_db", -3.0);
      gain.parameter_at(9000, "mute", 1);
      gain.parameter_at(12000, "mute", 0);
      const uint32_t frames = seed == 0 ? 20000 : seed < 10 ? 7 : 1500;
      const std::vector<float> out = gain.run(in, {.frames = frames, .seed = seed});
      if (seed == 0) whole = out;
      ASSERT_TRUE(same_bits(out, whole))
          << limiter << ", seed " << seed << ", from sample " << first_difference(out, whole);
    }
  }
}

TEST(Limiter, Run_belowCeiling_isAnExactDelayOfItsLatency) {
  PassiveDriver gain("filter.gain");
  gain.set("limiter", "on");
  gain.prepare();
  EXPECT_EQ(gain.latency_frames(), kLookAhead);
  const std::vector<float> in = noise(4, 1.0, 10000, 2);
  EXPECT_TRUE(same_bits(gain.run(in, {.frames = 333}), join(silence(kLookAhead, 2), in)));
  EXPECT_EQ(gain.gauge("reduction_db"), 0.0);
}

TEST(Limiter, Run_anySampleValue_staysWithinFullScale) {
  std::vector<float> in = noise(5, 3.0, 30000, 2);
  const float wild[] = {std::numeric_limits<float>::infinity(),
                        -std::numeric_limits<float>::infinity(),
                        std::numeric_limits<float>::quiet_NaN(),
                        FLT_MAX,
                        -FLT_MAX,
                        std::nextafter(1.0f, 2.0f),
                        -std::nextafter(1.0f, 2.0f),
                        1e6f};
  for (size_t i = 0; i < std::size(wild); ++i) in[10001 + 4999 * i] = wild[i];
  for (const double gain_db : {0.0, 0.1, 7.3, 20.0}) {
    PassiveDriver gain("filter.gain");
    gain.set("limiter", "on");
    gain.set("gain_db", gain_db);
    gain.prepare();
    EXPECT_LE(peak(gain.run(in)), 1.0) << gain_db;
  }
}

TEST(Limiter, Run_onePeak_isTurnedDownToTheCeilingWithoutAClick) {
  std::vector<float> in = sine(100, -6, 120000);
  for (size_t n = 19200; n < 19680; ++n) in[n] *= 4.0f;  // whole periods at +6 dB
  PassiveDriver gain("filter.gain");
  gain.set("limiter", "on");
  gain.prepare(format_of(SLUICE_SAMPLE_F32, 1));
  const std::vector<float> out = gain.run(in);
  EXPECT_LE(peak(out), 1.0);
  EXPECT_GT(peak(out), 0.99) << "no more than needed";
  EXPECT_LT(largest_step(out), 1.5 * largest_step(sine(100, 0, 4800)));
  const size_t later = 19680 + 60000;  // 16 time constants of the release
  EXPECT_TRUE(same_bits(part(out, kLookAhead + later, 30000), part(in, later, 30000)));
}

TEST(Limiter, Run_steadyToneAbove_isTurnedDownWithoutDistortion) {
  PassiveDriver gain("filter.gain");
  gain.set("limiter", "on");
  gain.set("gain_db", 12.0);
  gain.prepare(format_of(SLUICE_SAMPLE_F32, 1));
  const std::vector<float> out = gain.run(sine(1000, -6, 96000));
  const Tone tone = measure_tone(part(out, 24000, 48000), 1000);
  EXPECT_NEAR(tone.peak_db, 0.0, 0.1);
  EXPECT_LT(tone.thd_n_db, -55.0);
}

TEST(Limiter, Run_oneChannelTooLoud_turnsAllDownTogether) {
  std::vector<float> in;
  for (const float x : sine(1000, 0, 24000)) {
    in.push_back(2.0f * x);
    in.push_back(0.5f * x);
  }
  PassiveDriver gain("filter.gain");
  gain.set("limiter", "on");
  gain.prepare();
  const std::vector<float> out = gain.run(in);
  for (size_t n = kLookAhead; n < 24000; ++n) {
    ASSERT_NEAR(double{out[2 * n]}, 4.0 * double{out[2 * n + 1]}, 1e-6) << n;
  }
}

TEST(Limiter, Run_whileReducing_tellsByHowMuch) {
  PassiveDriver gain("filter.gain");
  gain.set("limiter", "on");
  gain.prepare(format_of(SLUICE_SAMPLE_F32, 1));
  static_cast<void>(gain.run(std::vector<float>(4800, 2.0f), {.is_ended = false}));
  EXPECT_NEAR(gain.gauge("reduction_db"), 6.02, 0.01);
}

}  // namespace
}  // namespace sluice::tests
