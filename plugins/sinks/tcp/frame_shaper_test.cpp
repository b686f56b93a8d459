#include "plugins/sinks/tcp/frame_shaper.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <numbers>
#include <sluice/describe.hpp>
#include <vector>

namespace sluice {
namespace {

sluice_format format(sluice_sample_format samples, uint32_t channels = 2) {
  return {sizeof(sluice_format), samples, channels, 48000};
}
template <typename T>
std::byte* bytes(std::vector<T>& samples) {
  return reinterpret_cast<std::byte*>(samples.data());
}
double rise(double share) { return 0.5 - 0.5 * std::cos(std::numbers::pi * share); }

template <typename T>
void expect_fade(sluice_sample_format samples, double full) {
  std::vector<T> data(2 * 200, static_cast<T>(full));
  const FrameShaper shaper(format(samples));
  // In two parts, as it goes out in chunks.
  shaper.fade_in(bytes(data), 60, 0, 100);
  shaper.fade_in(bytes(data) + size_t{60} * 2 * sizeof(T), 140, 60, 100);
  for (size_t k = 0; k < 200; ++k) {
    const double expected = full * (k < 100 ? rise(static_cast<double>(k) / 100) : 1);
    EXPECT_NEAR(static_cast<double>(data[2 * k]), expected, 0.501 + full * 1e-7) << k;
    EXPECT_EQ(data[2 * k], data[2 * k + 1]);
  }
  EXPECT_EQ(data[0], T{0});
}

TEST(FrameShaper, Fade_in_rises_along_half_a_cosine_in_every_format) {
  expect_fade<int16_t>(SLUICE_SAMPLE_S16, 30'000);
  expect_fade<int32_t>(SLUICE_SAMPLE_S32, 2'000'000'000);
  expect_fade<float>(SLUICE_SAMPLE_F32, 0.5);
}

TEST(FrameShaper, Fade_in_of_packed_24_bits_keeps_the_sign) {
  std::vector<uint8_t> data;
  for (int i = 0; i < 20; ++i) data.insert(data.end(), {0x00, 0x00, 0xc0});  // -2^22
  FrameShaper(format(SLUICE_SAMPLE_S24, 1)).fade_in(bytes(data), 20, 5, 10);
  const auto sample = [&](size_t k) {
    uint32_t bits = 0;
    std::memcpy(&bits, data.data() + 3 * k, 3);
    return static_cast<int32_t>(bits << 8) >> 8;
  };
  EXPECT_EQ(sample(0), -(1 << 21));
  EXPECT_EQ(sample(5), -(1 << 22));
  EXPECT_EQ(sample(19), -(1 << 22));
}

TEST(FrameShaper, Splice_of_a_tone_has_no_step_larger_than_the_tone_s_own) {
  constexpr uint32_t kCut = 480;
  std::vector<float> in;
  for (uint32_t k = 0; k < 3 * kCut; ++k) {
    in.push_back(static_cast<float>(0.5 * std::sin(2 * std::numbers::pi * 440.0 * k / 48000)));
  }
  std::vector<float> out(kCut);
  FrameShaper(format(SLUICE_SAMPLE_F32, 1)).splice(bytes(in), kCut, bytes(out), kCut);
  out.insert(out.end(), in.begin() + 2 * kCut, in.end());
  const double largest = 0.5 * 2 * std::numbers::pi * 440.0 / 48000;
  EXPECT_NEAR(out[0], in[0], largest);  // goes on from the frame before
  for (size_t k = 1; k < out.size(); ++k) {
    EXPECT_LE(std::abs(out[k] - out[k - 1]), largest * 1.2) << k;
  }
  EXPECT_FLOAT_EQ(out[kCut - 1], in[2 * kCut - 1]);
}

}  // namespace
}  // namespace sluice
