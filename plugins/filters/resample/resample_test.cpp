#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "host/support/sanitizers.hpp"
#include "tests/support/passive_driver.hpp"
#include "tests/support/signal.hpp"

namespace sluice::tests {
namespace {

constexpr uint64_t frames_at(uint64_t frames, uint64_t from_hz, uint64_t to_hz) {
  return (frames * to_hz + from_hz - 1) / from_hz;
}

struct Resampler : PassiveDriver {
  Resampler(uint32_t from_hz, uint32_t to_hz, const char* quality = "high", uint32_t channels = 1)
      : PassiveDriver("filter.resample") {
    set("rate_hz", to_hz);
    set("quality", quality);
    prepare(format_of(SLUICE_SAMPLE_F32, channels, from_hz));
  }
};

std::vector<float> middle(const std::vector<float>& signal, size_t margin = 4000) {
  return {signal.begin() + static_cast<std::ptrdiff_t>(margin),
          signal.end() - static_cast<std::ptrdiff_t>(margin)};
}

struct Rates {
  uint32_t from_hz, to_hz;
};
constexpr Rates kRates[] = {{44100, 48000},  {48000, 44100}, {48000, 96000}, {96000, 48000},
                            {192000, 44100}, {44100, 47999}, {8000, 48000},  {48000, 16000}};

TEST(Resample, Tones_keep_level_place_and_purity) {
  for (const auto& [from_hz, to_hz] : kRates) {
    for (const double hz : {1000.0, 3000.0, 15000.0}) {
      if (hz > 0.45 * std::min(from_hz, to_hz)) continue;
      SCOPED_TRACE(std::to_string(from_hz) + " to " + std::to_string(to_hz) + ", " +
                   std::to_string(hz));
      Resampler resampler(from_hz, to_hz);
      const auto out = resampler.run(sine(hz, -1, from_hz, 1, from_hz));
      ASSERT_EQ(out.size(), to_hz);
      const Tone tone = measure_tone(middle(out), hz, to_hz);
      EXPECT_NEAR(tone.peak_db, -1.0, 0.01);
      EXPECT_LT(tone.thd_n_db, -115.0);
      // Against the same sine made at the other rate: no shift, not by a fraction of a frame.
      const auto ideal = middle(sine(hz, -1, to_hz, 1, to_hz));
      auto difference = middle(out);
      for (size_t i = 0; i < difference.size(); ++i) difference[i] -= ideal[i];
      EXPECT_LT(rms_db(difference), -85.0);
    }
  }
}

TEST(Resample, Images_and_aliases_stay_away) {
  Resampler up(48000, 96000);
  const auto doubled = up.run(sine(15000, 0, 48000));
  EXPECT_LT(level_at(middle(doubled), 33000, 96000), -110.0);
  Resampler down(96000, 48000);
  const auto halved = down.run(sine(30000, 0, 96000, 1, 96000));
  EXPECT_LT(rms_db(middle(halved)), -110.0);
  Resampler fine(48000, 96000, "very-high");
  const auto best = fine.run(sine(15000, 0, 48000));
  EXPECT_LT(level_at(middle(best), 33000, 96000), -130.0);
  EXPECT_LT(measure_tone(middle(best), 15000, 96000).thd_n_db, -135.0);
}

// The guard of these programs ends the test when process allocates: soxr's buffers have grown to
// their size before, on the slow side of such a ratio too.
TEST(Resample, Extreme_rates_allocate_nothing_while_they_play) {
  constexpr Rates kExtremes[] = {{48000, 1000}, {192000, 1000}, {1000, 48000}};
  for (const auto& [from_hz, to_hz] : kExtremes) {
    SCOPED_TRACE(std::to_string(from_hz) + " to " + std::to_string(to_hz));
    Resampler resampler(from_hz, to_hz);
    const auto out = resampler.run(sine(100, -1, 2 * from_hz, 1, from_hz), {.seed = 3});
    ASSERT_EQ(out.size(), 2 * to_hz);
    EXPECT_NEAR(measure_tone(middle(out, to_hz / 4), 100, to_hz).peak_db, -1.0, 0.01);
  }
}

TEST(Resample, Every_quality_converts) {
  for (const char* quality : {"quick", "low", "medium", "high", "very-high"}) {
    SCOPED_TRACE(quality);
    Resampler resampler(44100, 48000, quality, 2);
    const auto out = resampler.run(sine(1000, -1, 44100, 2, 44100), {.frames = 777, .seed = 3});
    ASSERT_EQ(out.size(), 2U * 48000U);
    EXPECT_LT(measure_tone(middle(channel_of(out, 1, 2)), 1000).thd_n_db,
              quality == std::string("quick") ? -60.0 : -90.0);
  }
}

TEST(Resample, Impulse_comes_at_its_exact_frame) {
  for (const auto& [from_hz, to_hz] : kRates) {
    SCOPED_TRACE(std::to_string(from_hz) + " to " + std::to_string(to_hz));
    Resampler resampler(from_hz, to_hz);
    EXPECT_EQ(resampler.latency_frames(), 0U);
    std::vector<float> in(from_hz, 0.0F);
    in[from_hz / 2] = 1.0F;  // half a second, a frame of both rates but for the odd one
    const auto out = resampler.run(in);
    const auto top = std::max_element(out.begin(), out.end()) - out.begin();
    EXPECT_EQ(static_cast<uint64_t>(top), to_hz / 2);
    if (to_hz % 2 == 0) {
      for (size_t i = 1; i < 200; ++i) {
        ASSERT_NEAR(out[to_hz / 2 - i], out[to_hz / 2 + i], 1e-6) << i;
      }
    }
  }
}

TEST(Resample, Nothing_is_held_longer_than_declared) {
  for (const auto& [from_hz, to_hz] : kRates) {
    for (const char* quality : {"high", "very-high"}) {
      if (SLUICE_THREAD_SANITIZER && quality[0] == 'v') continue;
      SCOPED_TRACE(std::to_string(from_hz) + " to " + std::to_string(to_hz) + " " + quality);
      Resampler resampler(from_hz, to_hz, quality);
      const uint64_t hold = resampler.hold_frames();
      uint64_t longest = 0;
      for (uint64_t i = 1; i < 3 * hold; ++i) {
        resampler.run(silence(1), {.is_ended = false});
        // The next frame out lies there in the input.
        const uint64_t next = resampler.produced_frames() * from_hz / to_hz;
        longest = std::max(longest, i - std::min(i, next));
      }
      EXPECT_LE(longest, hold);
      EXPECT_GE(longest + longest / 10, hold);
    }
  }
}

TEST(Resample, Length_and_place_are_exact_after_ten_minutes) {
  constexpr int kSeconds = SLUICE_THREAD_SANITIZER ? 60 : 600;
  for (const auto& [from_hz, to_hz] :
       {Rates{44100, 48000}, Rates{48000, 44100}, Rates{44100, 47999}}) {
    SCOPED_TRACE(std::to_string(from_hz) + " to " + std::to_string(to_hz));
    Resampler resampler(from_hz, to_hz, "low");
    const std::vector<float> second = sine(441, -6, from_hz, 1, from_hz);
    std::vector<float> last;
    for (int s = 0; s < kSeconds; ++s) last = resampler.run(second, {.is_ended = false});
    last = resampler.run(join(second, silence(123)));
    const uint64_t total = uint64_t{kSeconds + 1} * from_hz + 123;
    EXPECT_EQ(resampler.produced_frames(), frames_at(total, from_hz, to_hz));
    EXPECT_TRUE(resampler.is_drained());
    // The last second's tone against one made for that place.
    const uint64_t first = resampler.produced_frames() - last.size();
    double worst = 0;
    for (size_t i = 0; i + to_hz / 2 < last.size(); ++i) {
      const double turns = 441.0 * static_cast<double>((first + i) % to_hz) / to_hz;
      const double ideal = 0.5011872336 * std::sin(2 * std::numbers::pi * turns);
      worst = std::max(worst, std::fabs(static_cast<double>(last[i]) - ideal));
    }
    EXPECT_LT(worst, 2e-4);
  }
}

TEST(Resample, Splits_change_nothing) {
  const auto in = noise(7, 0.5, 20000, 2);
  Resampler whole(44100, 48000, "high", 2);
  const auto expected = whole.run(in);
  for (const uint64_t seed : {1U, 2U, 3U}) {
    Resampler split(44100, 48000, "high", 2);
    EXPECT_TRUE(same_bits(expected, split.run(in, {.frames = 1500, .seed = seed})));
  }
}

TEST(Resample, Same_rate_is_copied) {
  Resampler resampler(48000, 48000);
  const auto in = noise(1, 1.0, 5000);
  resampler.mark_at(100, SLUICE_MARK_SILENCE_BEGINS);
  EXPECT_TRUE(same_bits(in, resampler.run(in, {.frames = 300, .seed = 4})));
  EXPECT_EQ(resampler.hold_frames(), 0U);
  ASSERT_EQ(resampler.marks().size(), 1U);
  EXPECT_EQ(resampler.marks()[0].position, 100U);
}

TEST(Resample, Marks_move_to_their_frames) {
  Resampler resampler(44100, 48000);
  resampler.mark_at(441, SLUICE_MARK_SILENCE_BEGINS);
  resampler.mark_at(1000, SLUICE_MARK_SILENCE_ENDS);
  resampler.mark_at(4410, SLUICE_MARK_GAP, 441);
  resampler.run(noise(1, 0.5, 44100), {.frames = 480});
  const auto& marks = resampler.marks();
  ASSERT_EQ(marks.size(), 3U);
  EXPECT_EQ(marks[0].position, 480U);
  EXPECT_EQ(marks[1].position, 1000U * 48000 / 44100);
  EXPECT_EQ(marks[2].position, 4800U);
  EXPECT_EQ(marks[2].value, 480U);
}

TEST(Resample, Nothing_rings_across_missing_frames) {
  // Loud in front of the place, then nothing: what comes out behind it is nothing at once.
  constexpr uint64_t kAt = 22050;
  const auto loud = noise(1, 0.9, kAt);
  for (const Splits& splits : {Splits{}, Splits{.frames = 200, .seed = 5}}) {
    Resampler resampler(44100, 48000);
    resampler.mark_at(kAt, SLUICE_MARK_DISCONTINUITY, 44100);
    const auto out = resampler.run(join(loud, silence(kAt)), splits);
    ASSERT_EQ(out.size(), 48000U);
    EXPECT_LT(peak(part(out, 24000, 24000)), 1e-6);
    ASSERT_EQ(resampler.marks().size(), 1U);
    EXPECT_EQ(resampler.marks()[0].position, 24000U);
    EXPECT_EQ(resampler.marks()[0].value, 48000U);
    // And what was in front of it ends as a stream of its own would.
    Resampler alone(44100, 48000);
    const auto expected = alone.run(loud);
    EXPECT_LT(std::fabs(rms_db(part(out, 0, 24000)) - rms_db(expected)), 1e-4);
    // Without the mark it rings.
    Resampler through(44100, 48000);
    EXPECT_GT(peak(part(through.run(join(loud, silence(kAt)), splits), 24000, 24000)), 1e-3);
  }
}

TEST(Resample, What_follows_missing_frames_keeps_its_place) {
  Resampler resampler(48000, 44100);
  resampler.mark_at(48000, SLUICE_MARK_DISCONTINUITY, 0);
  std::vector<float> in(96000, 0.0F);
  in[72000] = 1.0F;
  const auto out = resampler.run(in, {.frames = 999});
  ASSERT_EQ(out.size(), 88200U);
  EXPECT_EQ(std::max_element(out.begin(), out.end()) - out.begin(), 66150);
}

TEST(Resample, Capture_times_follow_the_frames) {
  Resampler resampler(44100, 48000);
  resampler.capture_from(5'000'000'000);
  resampler.run(noise(1, 0.5, 88200), {.frames = 441});
  for (const uint64_t frame : {0U, 4800U, 47000U, 90000U}) {
    EXPECT_NEAR(static_cast<double>(resampler.capture_ns(frame) - 5'000'000'000),
                static_cast<double>(frame) * 1e9 / 48000, 2.0)
        << frame;
  }
}

TEST(Resample, Reset_forgets_what_was) {
  Resampler resampler(44100, 48000);
  resampler.run(noise(1, 0.9, 20000), {.is_ended = false});
  resampler.reset();
  const uint64_t before = resampler.produced_frames();
  const auto out = resampler.run(silence(44100));
  EXPECT_LT(peak(out), 1e-6);
  EXPECT_EQ(resampler.produced_frames() - before, 48000U);
}

}  // namespace
}  // namespace sluice::tests
