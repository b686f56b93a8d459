// The bridges with real plugins: those of LADSPA's own SDK, and Steve Harris's as LV2, which
// ./dev test unpacks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "host/support/sanitizers.hpp"
#include "plugins/filters/hosted/guest.hpp"
#include "tests/support/folders.hpp"
#include "tests/support/passive_driver.hpp"
#include "tests/support/signal.hpp"

#if SLUICE_ADDRESS_SANITIZER
#include <sanitizer/lsan_interface.h>
#endif

namespace sluice::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const std::string kUris = "http://plugin.org.uk/swh-plugins/";

class Hosted : public ::testing::Test {
 protected:
  Hosted() {
    ::setenv("LADSPA_PATH", "/usr/lib/ladspa", 1);
    const fs::path lv2 = source_folder() / "build/lab/hosted/root/usr/lib/lv2";
    has_lv2_ = fs::exists(lv2);
    ::setenv("LV2_PATH", (lv2.string() + ":/usr/lib/lv2").c_str(), 1);
  }
  static const sluice_parameter& parameter(const PassiveDriver& node, const std::string& key) {
    for (uint32_t i = 0; i < node.type().parameter_count; ++i) {
      if (key == node.type().parameters[i].key) return node.type().parameters[i];
    }
    throw Broken("no parameter " + key);
  }
  static std::string refusal(const std::string& type, const std::string& stem) {
    try {
      const PassiveDriver node(type, stem);
    } catch (const Broken& broken) {
      return broken.what();
    }
    return "";
  }
  bool has_lv2_ = false;
};

#define NEEDS_LV2()                                                                     \
  if (!has_lv2_) {                                                                      \
    GTEST_SKIP() << "swh-lv2 is not below build/lab/hosted; ./dev test puts it there."; \
  }

TEST_F(Hosted, Keys_are_made_of_any_name_and_are_never_the_same) {
  EXPECT_EQ(hosted::key_of("Cutoff Frequency (Hz)", {}), "cutoff_frequency_hz");
  EXPECT_EQ(hosted::key_of("Gain", {"gain", "gain_2"}), "gain_3");
  EXPECT_EQ(hosted::key_of("2nd [dB]", {}), "p2nd_db");
  EXPECT_EQ(hosted::key_of("\xC3\xA4 -", {}), "control");
}

TEST_F(Hosted, Ladspa_plugin_filters_each_channel_and_keeps_its_counts) {
  PassiveDriver amp("filter.ladspa/amp_mono", "filter.ladspa");
  EXPECT_STREQ(amp.type().id, "filter.ladspa/amp_mono");
  amp.set("gain", 0.25);
  amp.prepare(format_of(SLUICE_SAMPLE_F32, 3));
  const std::vector<float> in = noise(1, 0.5, 5000, 3);
  const std::vector<float> out = amp.run(in, {.frames = 700, .seed = 3});
  ASSERT_EQ(out.size(), in.size());
  for (size_t i = 0; i < in.size(); ++i) ASSERT_EQ(out[i], in[i] * 0.25F) << i;
}

TEST_F(Hosted, Ladspa_control_ramps_for_30_ms_from_its_frame_on) {
  PassiveDriver amp("filter.ladspa/amp_mono", "filter.ladspa");
  EXPECT_NE(parameter(amp, "gain").flags & SLUICE_PARAMETER_LIVE, 0U);
  amp.set("gain", 1.0);
  amp.prepare(format_of(SLUICE_SAMPLE_F32, 1));
  amp.parameter_at(1000, "gain", 0.5);
  const std::vector<float> out = amp.run(std::vector<float>(4000, 1.0F), {.frames = 480});
  EXPECT_EQ(out[999], 1.0F);
  EXPECT_LT(out[1000], 1.0F);
  EXPECT_EQ(out[1000 + 1440], 0.5F);
  // No step is larger than 32 frames of the ramp at its steepest.
  for (size_t i = 1; i < out.size(); ++i) {
    ASSERT_LE(out[i], out[i - 1]) << i;
    ASSERT_LT(out[i - 1] - out[i], 0.02F) << i;
  }
}

TEST_F(Hosted, Plugin_that_is_not_there_is_a_sentence) {
  EXPECT_THAT(refusal("filter.ladspa/nothing", "filter.ladspa"),
              HasSubstr("There is no LADSPA plugin nothing; 'sluice plugins --hosted' lists"));
  EXPECT_THAT(refusal("filter.lv2/http://example.org/nothing", "filter.lv2"),
              HasSubstr("There is no LV2 plugin http://example.org/nothing"));
  PassiveDriver bare("filter.lv2");
  EXPECT_THAT(bare.try_prepare(), HasSubstr("filter.lv2/NAME"));
  // A source: LADSPA's sine takes no audio.
  EXPECT_THAT(refusal("filter.ladspa/sine_fcac", "filter.ladspa"), HasSubstr("takes no audio"));
}

TEST_F(Hosted, Lv2_plugin_has_the_ranges_and_units_of_its_data) {
  NEEDS_LV2();
  PassiveDriver amp("filter.lv2/" + kUris + "amp", "filter.lv2");
  const sluice_parameter& gain = parameter(amp, "gain");
  EXPECT_STREQ(gain.unit, "dB");
  EXPECT_EQ(gain.minimum, -70.0);
  EXPECT_EQ(gain.maximum, 70.0);
  EXPECT_EQ(gain.default_number, 0.0);
  amp.set("gain", -6.0);
  amp.prepare(format_of(SLUICE_SAMPLE_F32, 2));
  const std::vector<float> in = sine(997, -10, 48000, 2);
  EXPECT_NEAR(rms_db(amp.run(in, {.frames = 333})), rms_db(in) - 6.0, 0.01);
}

TEST_F(Hosted, Lv2_latency_is_told_and_what_it_holds_comes_out_at_the_end) {
  NEEDS_LV2();
  PassiveDriver limiter("filter.lv2/" + kUris + "fastLookaheadLimiter", "filter.lv2");
#if SLUICE_ADDRESS_SANITIZER
  // This one never frees its list of 16 chunks.
  const __lsan::ScopedDisabler guest_leaks;
#endif
  limiter.prepare();
  const auto late = static_cast<size_t>(limiter.latency_frames());
  EXPECT_GT(late, 100U);
  std::vector<float> in(2 * 10'000, 0.0F);
  in[2 * 5000] = in[2 * 5000 + 1] = 0.25F;
  const std::vector<float> out = limiter.run(in, {.frames = 480});
  ASSERT_EQ(out.size(), in.size() + 2 * late);
  const auto peak = std::max_element(out.begin(), out.end());
  EXPECT_EQ(static_cast<size_t>(peak - out.begin()) / 2, 5000 + late);
  EXPECT_NEAR(static_cast<double>(*peak), 0.25, 0.01);
}

TEST_F(Hosted, Lv2_plugin_of_two_channels_takes_just_these) {
  NEEDS_LV2();
  const PassiveDriver limiter("filter.lv2/" + kUris + "fastLookaheadLimiter", "filter.lv2");
  EXPECT_EQ(limiter.type().ports[0].offers[0].channels_minimum, 2U);
  EXPECT_EQ(limiter.type().ports[0].offers[0].channels_maximum, 2U);
  EXPECT_GT(limiter.type().statistic_count, 0U) << "attenuation";
}

}  // namespace
}  // namespace sluice::tests
