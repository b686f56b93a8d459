#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/passive_driver.hpp"
#include "tests/support/signal.hpp"

namespace sluice::tests {
namespace {

struct S24 {
  uint8_t bytes[3];
  bool operator==(const S24&) const = default;
};
S24 s24(int32_t value) {
  const auto v = static_cast<uint32_t>(value);
  return {{static_cast<uint8_t>(v), static_cast<uint8_t>(v >> 8), static_cast<uint8_t>(v >> 16)}};
}
int32_t value_of(const S24& x) {
  const uint32_t v = x.bytes[0] | uint32_t{x.bytes[1]} << 8 | uint32_t{x.bytes[2]} << 16;
  return static_cast<int32_t>(v << 8) >> 8;
}

constexpr const char* kNames[] = {"", "f32", "s16", "s24", "s32"};

template <typename Out, typename In>
std::vector<Out> convert(const std::vector<In>& in, sluice_sample_format from,
                         sluice_sample_format to, const char* dither = "none",
                         const Splits& splits = {}, uint64_t seed = 1) {
  PassiveDriver driver("filter.convert");
  driver.set("format", kNames[to]);
  driver.set("dither", dither);
  driver.prepare(format_of(from, 1), seed);
  EXPECT_EQ(driver.output_format().sample_format, to);
  EXPECT_EQ(driver.output_format().channels, 1u);
  EXPECT_EQ(driver.latency_frames(), 0u);
  return driver.run<Out>(in, splits);
}

std::vector<int16_t> every_s16() {
  std::vector<int16_t> all;
  for (int32_t v = -32768; v <= 32767; ++v) all.push_back(static_cast<int16_t>(v));
  return all;
}
std::vector<S24> many_s24() {
  std::vector<S24> many;
  for (int32_t v = -8388608; v <= 8388607; v += 61) many.push_back(s24(v));
  for (int32_t v : {8388607, 8388606, -8388608, -8388607, -1, 0, 1}) many.push_back(s24(v));
  return many;
}
std::vector<int32_t> many_s32() {
  std::vector<int32_t> many = {INT32_MAX, INT32_MIN, INT32_MAX - 1, -1, 0, 1, 0x7fff8000};
  for (int64_t v = INT32_MIN; v <= INT32_MAX; v += 104729) many.push_back(static_cast<int32_t>(v));
  return many;
}

TEST(Convert, Run_s16ToF32AndBack_isTheIdentity) {
  const auto all = every_s16();
  const auto floats = convert<float>(all, SLUICE_SAMPLE_S16, SLUICE_SAMPLE_F32);
  EXPECT_EQ(floats.front(), -1.0f);
  EXPECT_EQ(floats.back(), 32767.0f / 32768.0f);
  EXPECT_EQ(convert<int16_t>(floats, SLUICE_SAMPLE_F32, SLUICE_SAMPLE_S16), all);
}

TEST(Convert, Run_s24ToF32AndBack_isTheIdentity) {
  const auto many = many_s24();
  const auto floats = convert<float>(many, SLUICE_SAMPLE_S24, SLUICE_SAMPLE_F32);
  EXPECT_EQ(convert<S24>(floats, SLUICE_SAMPLE_F32, SLUICE_SAMPLE_S24), many);
}

TEST(Convert, Run_widerAndBack_isTheIdentity) {
  const auto all = every_s16();
  const auto as24 = convert<S24>(all, SLUICE_SAMPLE_S16, SLUICE_SAMPLE_S24);
  const auto as32 = convert<int32_t>(all, SLUICE_SAMPLE_S16, SLUICE_SAMPLE_S32);
  for (size_t i = 0; i < all.size(); ++i) {
    ASSERT_EQ(value_of(as24[i]), all[i] * 256);
    ASSERT_EQ(as32[i], all[i] * 65536);
  }
  EXPECT_EQ(convert<int16_t>(as24, SLUICE_SAMPLE_S24, SLUICE_SAMPLE_S16), all);
  EXPECT_EQ(convert<int16_t>(as32, SLUICE_SAMPLE_S32, SLUICE_SAMPLE_S16), all);
  const auto many = many_s24();
  const auto wide = convert<int32_t>(many, SLUICE_SAMPLE_S24, SLUICE_SAMPLE_S32);
  EXPECT_EQ(convert<S24>(wide, SLUICE_SAMPLE_S32, SLUICE_SAMPLE_S24), many);
}

TEST(Convert, Run_equalFormats_copiesEveryBit) {
  std::vector<float> in = noise(1, 2.0, 1000);
  in[3] = std::numeric_limits<float>::signaling_NaN();
  in[4] = -0.0f;
  EXPECT_TRUE(same_bits(convert<float>(in, SLUICE_SAMPLE_F32, SLUICE_SAMPLE_F32, "tpdf"), in));
  const auto many = many_s24();
  EXPECT_EQ(convert<S24>(many, SLUICE_SAMPLE_S24, SLUICE_SAMPLE_S24, "tpdf"), many);
}

// What the nearest integer of so many bits is, ties to even.
int64_t nearest(double unit, int bits) {
  if (std::isnan(unit)) return 0;
  const double top = std::ldexp(1.0, bits - 1);
  return static_cast<int64_t>(std::clamp(std::nearbyint(unit * top), -top, top - 1));
}

TEST(Convert, Run_f32ToIntegers_roundsToNearestAndSaturates) {
  std::vector<float> in = noise(2, 1.2, 50000);
  const float inf = std::numeric_limits<float>::infinity();
  for (const float x :
       {0.0f, -0.0f, 1.0f, -1.0f, 2.0f, -2.0f, inf, -inf, 1e30f, -1e30f,
        std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::quiet_NaN(),
        std::nextafter(1.0f, 0.0f), std::nextafter(-1.0f, 0.0f), 1e-40f}) {
    for (int i = 0; i < 9; ++i) in.push_back(x);  // in the vector part and in the rest
  }
  for (int k = -40; k < 40; ++k) {  // ties
    in.push_back((static_cast<float>(k) + 0.5f) / 32768.0f);
    in.push_back((static_cast<float>(k) + 0.5f) / 8388608.0f);
  }
  const auto s16 = convert<int16_t>(in, SLUICE_SAMPLE_F32, SLUICE_SAMPLE_S16);
  const auto packed = convert<S24>(in, SLUICE_SAMPLE_F32, SLUICE_SAMPLE_S24);
  const auto s32 = convert<int32_t>(in, SLUICE_SAMPLE_F32, SLUICE_SAMPLE_S32);
  for (size_t i = 0; i < in.size(); ++i) {
    ASSERT_EQ(s16[i], nearest(double{in[i]}, 16)) << in[i];
    ASSERT_EQ(value_of(packed[i]), nearest(double{in[i]}, 24)) << in[i];
    ASSERT_EQ(s32[i], nearest(double{in[i]}, 32)) << in[i];
  }
}

TEST(Convert, Run_narrowerIntegers_roundsToNearestAndSaturates) {
  const auto wide = many_s32();
  const auto s16 = convert<int16_t>(wide, SLUICE_SAMPLE_S32, SLUICE_SAMPLE_S16);
  const auto packed = convert<S24>(wide, SLUICE_SAMPLE_S32, SLUICE_SAMPLE_S24);
  const auto floats = convert<float>(wide, SLUICE_SAMPLE_S32, SLUICE_SAMPLE_F32);
  for (size_t i = 0; i < wide.size(); ++i) {
    const double unit = std::ldexp(static_cast<double>(wide[i]), -31);
    ASSERT_EQ(s16[i], nearest(unit, 16)) << wide[i];
    ASSERT_EQ(value_of(packed[i]), nearest(unit, 24)) << wide[i];
    ASSERT_EQ(floats[i], static_cast<float>(unit)) << wide[i];
  }
}

TEST(Convert, Run_dithered_turnsDistortionIntoNoiseOfTheStatedLevel) {
  // A sine of half a least significant bit: rounding alone would make silence of it.
  const double lsb_db = -90.31;
  const std::vector<float> in = sine(1000, lsb_db - 6.02 - 0.2, 1 << 17);
  const auto plain = convert<int16_t>(in, SLUICE_SAMPLE_F32, SLUICE_SAMPLE_S16);
  EXPECT_EQ(std::count(plain.begin(), plain.end(), 0), std::ssize(plain));

  for (const sluice_sample_format from : {SLUICE_SAMPLE_F32, SLUICE_SAMPLE_S32}) {
    const auto wide = convert<float>(in, SLUICE_SAMPLE_F32, from);  // bits of either
    const auto coarse = convert<int16_t>(wide, from, SLUICE_SAMPLE_S16, "tpdf");
    const auto out = convert<float>(coarse, SLUICE_SAMPLE_S16, SLUICE_SAMPLE_F32);
    const Tone tone = measure_tone(out, 1000);
    EXPECT_NEAR(tone.peak_db, lsb_db - 6.22, 0.1);
    // Triangular dither and rounding leave noise of lsb^2/4 (Lipshitz et al., 1992).
    const double noise_db = tone.thd_n_db + tone.peak_db - 3.01;
    EXPECT_NEAR(noise_db, lsb_db - 6.02, 0.1);
    EXPECT_LT(level_at(out, 3000), tone.peak_db - 30) << "no third harmonic";
  }
}

TEST(Convert, Run_ditheredToAsManyBits_changesNothing) {
  const auto all = every_s16();
  const auto floats = convert<float>(all, SLUICE_SAMPLE_S16, SLUICE_SAMPLE_F32, "tpdf");
  EXPECT_EQ(floats, convert<float>(all, SLUICE_SAMPLE_S16, SLUICE_SAMPLE_F32));
  const auto many = many_s24();
  EXPECT_EQ(convert<int32_t>(many, SLUICE_SAMPLE_S24, SLUICE_SAMPLE_S32, "tpdf"),
            convert<int32_t>(many, SLUICE_SAMPLE_S24, SLUICE_SAMPLE_S32));
}

TEST(Convert, Run_ditherAndSeed_decideTheNoiseAlone) {
  const std::vector<float> in(1000, 0.25f / 32768.0f);
  const auto run = [&](uint64_t seed) {
    return convert<int16_t>(in, SLUICE_SAMPLE_F32, SLUICE_SAMPLE_S16, "tpdf", {}, seed);
  };
  EXPECT_EQ(run(5), run(5));
  EXPECT_NE(run(5), run(6));
}

TEST(Convert, Run_everyPairAndAnySplit_isTheSameAsOneBlock) {
  const std::vector<float> in = noise(7, 1.1, 3000, 3);
  for (uint32_t from = 1; from <= 4; ++from) {
    for (uint32_t to = 1; to <= 4; ++to) {
      std::vector<std::byte> fed;
      {
        PassiveDriver source("filter.convert");
        source.set("format", kNames[from]);
        source.prepare(format_of(SLUICE_SAMPLE_F32, 3));
        fed = source.run_bytes(std::as_bytes(std::span(in)));
      }
      std::vector<std::byte> whole;
      for (uint64_t seed = 0; seed < 8; ++seed) {
        PassiveDriver driver("filter.convert");
        driver.set("format", kNames[to]);
        driver.set("dither", "tpdf");
        driver.prepare(format_of(from, 3));
        const uint32_t frames = seed == 0 ? 3000 : seed < 4 ? 5 : 700;
        const auto out = driver.run_bytes(fed, {.frames = frames, .seed = seed});
        if (seed == 0) whole = out;
        ASSERT_TRUE(out == whole) << kNames[from] << " to " << kNames[to] << ", seed " << seed;
        ASSERT_EQ(driver.produced_frames(), 3000u);
      }
    }
  }
}

}  // namespace
}  // namespace sluice::tests
