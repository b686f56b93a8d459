#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstring>
#include <numbers>
#include <numeric>
#include <sluice/sluice.hpp>

#include "tests/support/worker_driver.hpp"

namespace sluice::tests {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uint32_t kRateHz = 48000;
constexpr int64_t kSecondNs = 1'000'000'000;

double rms(std::span<const float> samples) {
  double sum = 0;
  for (const float s : samples) sum += static_cast<double>(s) * static_cast<double>(s);
  return std::sqrt(sum / static_cast<double>(samples.size()));
}

float peak(std::span<const float> samples) {
  float most = 0;
  for (const float s : samples) most = std::max(most, std::abs(s));
  return most;
}

float largest_step(std::span<const float> samples) {
  float most = 0;
  for (size_t i = 1; i < samples.size(); ++i) {
    most = std::max(most, std::abs(samples[i] - samples[i - 1]));
  }
  return most;
}

// Amplitude and phase of one frequency, by correlation.
std::complex<double> correlate(std::span<const float> samples, double frequency_hz) {
  std::complex<double> sum = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    const double angle = 2 * std::numbers::pi * frequency_hz * static_cast<double>(i) / kRateHz;
    sum += static_cast<double>(samples[i]) * std::polar(1.0, -angle);
  }
  return sum * 2.0 / static_cast<double>(samples.size());
}

// Mean power in a band: frequencies 5 Hz apart, averaged over stretches of 0.2 s.
double band_power_db(std::span<const float> samples, double from_hz, double to_hz) {
  constexpr size_t kStretch = kRateHz / 5;
  double power = 0;
  int count = 0;
  for (size_t at = 0; at + kStretch <= samples.size(); at += kStretch) {
    for (double f = from_hz; f < to_hz; f += (to_hz - from_hz) / 8) {
      power += std::norm(correlate(samples.subspan(at, kStretch), std::round(f / 5) * 5));
      ++count;
    }
  }
  return 10 * std::log10(power / count);
}

std::vector<float> channel(const std::vector<float>& samples, size_t which, size_t channels) {
  std::vector<float> one;
  for (size_t i = which; i < samples.size(); i += channels) one.push_back(samples[i]);
  return one;
}

class SourceTone : public ::testing::Test {
 protected:
  static sluice_format offered(WorkerDriver& node) {
    const auto description = node.describe();
    if (!description) {
      ADD_FAILURE() << description.error().message;
      return {};
    }
    const sluice_format_offer& offer = description->offers.at(0);
    return {sizeof(sluice_format), offer.preferred, offer.channels_minimum, offer.rate_hz_minimum};
  }
  static void prepare(WorkerDriver& node) {
    const auto prepared = node.prepare(offered(node));
    ASSERT_TRUE(prepared) << prepared.error().message;
  }
  static void run(WorkerDriver& node) {
    prepare(node);
    const auto ran = node.run();
    ASSERT_TRUE(ran) << ran.error().message;
    EXPECT_THAT(node.violations(), IsEmpty());
  }
  // One channel of a wave of a second or so.
  static std::vector<float> mono(std::string_view wave, double duration_ms = 1000) {
    WorkerDriver node("source.tone");
    node.set("wave", wave);
    node.set("channels", 1);
    node.set("duration_ms", duration_ms);
    run(node);
    return node.written<float>();
  }
};

TEST_F(SourceTone, Sine_default_has_frequency_and_peak_level) {
  const std::vector<float> samples = mono("sine");
  ASSERT_EQ(samples.size(), kRateHz);
  const std::complex<double> found = correlate(samples, 1000);
  EXPECT_NEAR(std::abs(found), 0.1, 1e-7);  // -20 dB
  double rest = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    const double angle = 2 * std::numbers::pi * 1000 * static_cast<double>(i) / kRateHz;
    rest = std::max(rest, std::abs(static_cast<double>(samples[i]) - 0.1 * std::sin(angle)));
  }
  EXPECT_LT(rest, 1e-8);  // half a unit in the last place of f32 at 0.1
}

TEST_F(SourceTone, Sine_channels_are_equal) {
  WorkerDriver node("source.tone");
  node.set("channels", 3);
  node.set("duration_ms", 100);
  run(node);
  const std::vector<float> samples = node.written<float>();
  ASSERT_EQ(samples.size(), 3u * 4800u);
  EXPECT_EQ(channel(samples, 0, 3), channel(samples, 2, 3));
}

TEST_F(SourceTone, Sine_after_a_day_has_kept_its_phase) {
  WorkerDriver node("source.tone");
  node.set("rate_hz", 1000);  // the accumulator knows no rate, and this is quickly made
  node.set("channels", 1);
  node.set("frequency_hz", 99.73);
  node.set("level_db", 0);
  ASSERT_TRUE(node.prepare(offered(node), SLUICE_MODE_OFFLINE, 32768));
  const uint64_t last = uint64_t{1000} * 86400;
  double worst = 0;
  bool is_over = false;
  node.on_write([&](const WorkerDriver::Write& write) {
    if (write.position + write.frames < last || is_over) return;
    const auto* samples = reinterpret_cast<const float*>(write.data.data());
    for (uint32_t i = 0; i < write.frames; ++i) {
      const uint64_t n = write.position + i;
      // 9973 n / 100000 turns, exactly.
      const double turns = static_cast<double>(n % 100000 * 9973 % 100000) / 100000;
      worst = std::max(worst, std::abs(static_cast<double>(samples[i]) -
                                       std::sin(2 * std::numbers::pi * turns)));
    }
    is_over = true;
    node.stop();
  });
  ASSERT_TRUE(node.run());
  ASSERT_TRUE(is_over);
  EXPECT_LT(worst, 1e-6);
}

TEST_F(SourceTone, Sine_above_half_the_rate_is_refused) {
  WorkerDriver node("source.tone");
  node.set("frequency_hz", 24001);
  const auto description = node.describe();
  ASSERT_FALSE(description);
  EXPECT_THAT(description.error().message, HasSubstr("at most half of rate_hz, which is 48000"));
}

TEST_F(SourceTone, Silence_is_zero) {
  const std::vector<float> samples = mono("silence");
  EXPECT_EQ(samples, std::vector<float>(kRateHz));
}

TEST_F(SourceTone, Impulse_comes_once_a_second) {
  const std::vector<float> samples = mono("impulse", 3000);
  ASSERT_EQ(samples.size(), 3 * kRateHz);
  for (size_t i = 0; i < samples.size(); ++i) {
    ASSERT_EQ(samples[i], i % kRateHz == 0 ? 0.1f : 0.0f) << i;
  }
}

TEST_F(SourceTone, Sweep_reaches_each_octave_in_equal_time) {
  const std::vector<float> samples = mono("sweep", 10000);
  EXPECT_NEAR(static_cast<double>(peak(samples)), 0.1, 1e-6);
  // Upward zero crossings in 20 ms around the time Farina's formula gives for a frequency.
  for (const double frequency_hz : {100.0, 1000.0, 10000.0}) {
    const double at_s = 10 * std::log(frequency_hz / 20) / std::log(1000.0);
    const auto from = static_cast<size_t>((at_s - 0.05) * kRateHz);
    int crossings = 0;
    for (size_t i = from; i < from + kRateHz / 10; ++i) {
      if (samples[i] < 0 && samples[i + 1] >= 0) ++crossings;
    }
    EXPECT_NEAR(crossings, frequency_hz / 10, 1 + 0.002 * frequency_hz / 10) << frequency_hz;
  }
}

TEST_F(SourceTone, Sweep_without_duration_repeats_after_ten_seconds) {
  WorkerDriver node("source.tone");
  node.set("wave", "sweep");
  node.set("channels", 1);
  prepare(node);
  std::vector<float> samples;
  node.on_write([&](const WorkerDriver::Write& write) {
    const size_t at = samples.size();
    samples.resize(at + write.frames);
    std::memcpy(&samples[at], write.data.data(), write.data.size());
    if (samples.size() >= 11 * kRateHz) node.stop();
  });
  ASSERT_TRUE(node.run());
  for (size_t i = 0; i < kRateHz; ++i) ASSERT_EQ(samples[i], samples[i + 10 * kRateHz]);
}

TEST_F(SourceTone, White_has_rms_level_and_flat_spectrum) {
  const std::vector<float> samples = mono("white", 20000);
  EXPECT_NEAR(to_db(rms(samples)), -20, 0.05);
  EXPECT_LT(peak(samples), 0.1f * 1.7321f);
  const double middle = band_power_db(samples, 900, 1100);
  for (const double f : {100.0, 5000.0, 20000.0}) {
    EXPECT_NEAR(band_power_db(samples, f * 0.9, f * 1.1), middle, 1.0) << f;
  }
}

TEST_F(SourceTone, Pink_has_rms_level_and_falls_3_db_an_octave) {
  const std::vector<float> samples = mono("pink", 40000);
  EXPECT_NEAR(to_db(rms(samples)), -20, 0.3);  // 40 s of noise that is strong below 1 Hz
  const double middle = band_power_db(samples, 900, 1100);
  for (const double f : {62.5, 250.0, 4000.0, 16000.0}) {
    EXPECT_NEAR(band_power_db(samples, f * 0.9, f * 1.1) - middle, -10 * std::log10(f / 1000), 1.0)
        << f;
  }
}

TEST_F(SourceTone, Noise_channels_are_independent) {
  for (const char* wave : {"white", "pink"}) {
    WorkerDriver node("source.tone");
    node.set("wave", wave);
    node.set("duration_ms", 10000);
    run(node);
    const std::vector<float> samples = node.written<float>();
    double product = 0, power = 0;
    for (size_t i = 0; i < samples.size(); i += 2) {
      product += static_cast<double>(samples[i] * samples[i + 1]);
      power += static_cast<double>(samples[i] * samples[i]);
    }
    EXPECT_LT(std::abs(product / power), 0.1) << wave;
  }
}

TEST_F(SourceTone, Noise_of_the_same_seed_is_the_same) { EXPECT_EQ(mono("pink"), mono("pink")); }

TEST_F(SourceTone, Counter_numbers_every_frame_in_stereo_s16) {
  WorkerDriver node("source.tone");
  node.set("wave", "counter");
  node.set("channels", 7);
  node.set("duration_ms", 3000);
  const sluice_format format = offered(node);
  EXPECT_EQ(format.sample_format, SLUICE_SAMPLE_S16);
  EXPECT_EQ(format.channels, 2u);
  run(node);
  const std::vector<int16_t> samples = node.written<int16_t>();
  ASSERT_EQ(samples.size(), 2 * 3 * kRateHz);
  for (uint32_t i = 0; i < 3 * kRateHz; ++i) {
    const uint32_t number = static_cast<uint16_t>(samples[2 * i]) |
                            static_cast<uint32_t>(static_cast<uint16_t>(samples[2 * i + 1])) << 16;
    ASSERT_EQ(number, i + 1);
  }
}

TEST_F(SourceTone, Duration_odd_ends_at_the_nearest_frame) {
  EXPECT_EQ(mono("sine", 333.333).size(), 16000u);
  EXPECT_EQ(mono("sine", 0.02).size(), 1u);
}

TEST_F(SourceTone, NotLive_has_no_clock_and_no_capture_times) {
  WorkerDriver node("source.tone");
  const auto description = node.describe();
  ASSERT_TRUE(description);
  EXPECT_EQ(description->clock, static_cast<uint32_t>(SLUICE_CLOCK_NONE));
  EXPECT_EQ(description->flags & SLUICE_PORT_LIVE, 0u);
  node.set("duration_ms", 1000);
  prepare(node);
  uint64_t next = 0;
  node.on_write([&](const WorkerDriver::Write& write) {
    EXPECT_EQ(write.capture_ns, SLUICE_NO_TIME);
    EXPECT_EQ(write.position, next);
    next += write.frames;
  });
  ASSERT_TRUE(node.run());
  EXPECT_EQ(next, kRateHz);
  EXPECT_EQ(node.now_ns(), 0);
  EXPECT_EQ(node.counter("frames"), kRateHz);
}

TEST_F(SourceTone, Live_for_an_hour_keeps_to_the_clock_exactly) {
  for (const uint32_t rate_hz : {48000u, 44100u, 11025u}) {
    WorkerDriver node("source.tone");
    node.set("wave", "silence");
    node.set("live", 1);
    node.set("channels", 1);
    node.set("rate_hz", rate_hz);
    const auto description = node.describe();
    ASSERT_TRUE(description);
    EXPECT_EQ(description->clock, static_cast<uint32_t>(SLUICE_CLOCK_MONOTONIC));
    EXPECT_NE(description->flags & SLUICE_PORT_LIVE, 0u);
    prepare(node);
    int64_t worst_ns = 0;
    node.on_write([&](const WorkerDriver::Write& write) {
      const uint64_t end = write.position + write.frames;
      worst_ns = std::max(worst_ns, std::abs(write.at_ns - ns_of_frames(end, rate_hz)));
      worst_ns =
          std::max(worst_ns, std::abs(write.capture_ns - ns_of_frames(write.position, rate_hz)));
      EXPECT_LE(write.frames, rate_hz / 100);
    });
    node.stop_at(3600 * kSecondNs + 1);
    ASSERT_TRUE(node.run());
    EXPECT_EQ(worst_ns, 0);
    EXPECT_EQ(node.frames_written(), uint64_t{3600} * rate_hz / (rate_hz / 100) * (rate_hz / 100));
    EXPECT_THAT(node.violations(), IsEmpty());
  }
}

TEST_F(SourceTone, Live_comes_in_blocks_of_the_size_that_was_asked_for) {
  WorkerDriver node("source.tone");
  node.set("live", 1);
  node.set("block_ms", 128.0 / 48);
  prepare(node);
  node.on_write([&](const WorkerDriver::Write& write) {
    EXPECT_EQ(write.frames, 128u);
    EXPECT_EQ(write.at_ns, ns_of_frames(write.position + 128, kRateHz));
  });
  node.stop_at(ns_of_frames(128 * 100, kRateHz) + 1);
  ASSERT_TRUE(node.run());
  EXPECT_EQ(node.frames_written(), 12'800u);
}

TEST_F(SourceTone, Live_late_thread_catches_up_without_drift) {
  WorkerDriver node("source.tone");
  node.set("live", 1);
  prepare(node);
  bool was_late = false;
  node.on_write([&](const WorkerDriver::Write& write) {
    if (write.position == 48000 && !std::exchange(was_late, true)) node.skip_time(73'000'000);
    EXPECT_EQ(write.capture_ns, ns_of_frames(write.position, kRateHz));
  });
  node.stop_at(2 * kSecondNs + 1);
  ASSERT_TRUE(node.run());
  EXPECT_TRUE(was_late);
  EXPECT_EQ(node.frames_written(), 2u * kRateHz);
}

TEST_F(SourceTone, Live_full_ring_drops_what_is_new_and_keeps_its_time) {
  WorkerDriver node("source.tone");
  node.set("wave", "counter");
  node.set("live", 1);
  prepare(node);
  node.set_capacity(1000);
  node.at(105'000'000, [&] { node.take(1000); });
  node.stop_at(110'000'000 + 1);
  ASSERT_TRUE(node.run());
  EXPECT_EQ(node.frames_written(), 1480u);
  EXPECT_EQ(node.frames_dropped(), 11u * 480 - 1480);
  const std::vector<int16_t> samples = node.written<int16_t>();
  EXPECT_EQ(samples[2 * 999], 1000);
  EXPECT_EQ(samples[2 * 1000], 10 * 480 + 1);  // the block of the time at which there was room
  EXPECT_THAT(node.violations(), IsEmpty());
}

TEST_F(SourceTone, LiveLevel_changed_ramps_over_30_ms) {
  WorkerDriver node("source.tone");
  node.set("live", 1);
  node.set("channels", 1);
  node.set("frequency_hz", 100);
  node.set("duration_ms", 1000);
  prepare(node);
  node.at(500'000'000, [&] { node.set("level_db", 0); });
  ASSERT_TRUE(node.run());
  const std::vector<float> samples = node.written<float>();
  EXPECT_NEAR(static_cast<double>(peak(std::span(samples).first(23520))), 0.1, 1e-4);
  EXPECT_NEAR(static_cast<double>(peak(std::span(samples).subspan(23520 + 1440))), 1, 1e-4);
  // Steeper than the sine itself by the ramp alone: 0.9 * pi / 2 / 1440 a frame.
  const double allowed = 2 * std::numbers::pi * 100 / kRateHz + 0.9 * std::numbers::pi / 2 / 1440;
  EXPECT_LT(static_cast<double>(largest_step(samples)), allowed);
}

TEST_F(SourceTone, Frequency_changed_glides_without_a_step) {
  WorkerDriver node("source.tone");
  node.set("channels", 1);
  node.set("frequency_hz", 100);
  node.set("level_db", 0);
  node.set("duration_ms", 1000);
  prepare(node);
  node.set_capacity(1000);
  for (int i = 1; i < 2000; ++i) {
    node.at(i * 1'000'000, [&node, i] {
      if (i == 500) node.set("frequency_hz", 400);
      if (node.frames_written() >= static_cast<uint64_t>(48 * i)) node.take(48);
    });
  }
  ASSERT_TRUE(node.run());
  const std::vector<float> samples = node.written<float>();
  ASSERT_EQ(samples.size(), kRateHz);
  EXPECT_LT(static_cast<double>(largest_step(samples)), 2 * std::numbers::pi * 400 / kRateHz);
  EXPECT_NEAR(std::abs(correlate(std::span(samples).first(14400), 100)), 1, 1e-4);
  EXPECT_NEAR(std::abs(correlate(std::span(samples).last(14400), 400)), 1, 1e-4);
}

TEST_F(SourceTone, Frequency_beyond_half_the_rate_while_running_is_silent_not_wrong) {
  WorkerDriver node("source.tone");
  node.set("live", 1);
  node.set("channels", 1);
  node.set("rate_hz", 8000);
  node.set("duration_ms", 1000);
  prepare(node);
  node.at(200'000'000, [&] { node.set("frequency_hz", 7000); });
  ASSERT_TRUE(node.run());
  const std::vector<float> samples = node.written<float>();
  // Held at half the rate; 7 kHz would be heard as 1 kHz.
  const auto end = std::span(samples).last(4000);
  std::complex<double> alias = 0;
  for (size_t i = 0; i < end.size(); ++i) {
    alias += static_cast<double>(end[i]) *
             std::polar(1.0, -2 * std::numbers::pi * static_cast<double>(i) / 8);
  }
  EXPECT_LT(std::abs(alias) * 2 / 4000, 1e-4);
}

}  // namespace
}  // namespace sluice::tests
