// source.alsa and sink.alsa on PCMs that need no sound card: files and nothing, by a configuration
// of the test's own. They have no clock; what a real driver does is tested in tests/lab/vm.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <sluice/sluice.hpp>
#include <string>
#include <vector>

#include "plugins/devices/alsa/device_clock.hpp"
#include "plugins/devices/alsa/frames.hpp"
#include "plugins/devices/alsa/rate_steering.hpp"
#include "tests/support/sound_files.hpp"
#include "tests/support/worker_driver.hpp"

namespace sluice::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr int64_t kMs = 1'000'000;

std::vector<std::byte> noise(size_t bytes) {
  std::mt19937 random(5);
  std::vector<std::byte> data(bytes);
  for (std::byte& byte : data) byte = static_cast<std::byte>(random());
  return data;
}

class Alsa : public ::testing::Test {
 protected:
  Alsa() { setenv("ALSA_CONFIG_PATH", (folder_.path() / "asound.conf").c_str(), 1); }

  void configure(const std::string& more = {}) const {
    const std::string played = folder_.path() / "played.raw";
    const std::string heard = folder_.path() / "heard.raw";
    // Replaced, not written over: ALSA looks whether it is the same file.
    std::ofstream(folder_.path() / "new.conf")
        << "pcm.null { type null }\npcm.player { type file slave.pcm null file \"" << played
        << "\" format raw }\n"
        << "pcm.microphone { type file slave.pcm null file /dev/null infile \"" << heard
        << "\" format raw }\n"
        << "pcm.modest { type plug slave { pcm null format S16_LE rate 44100 channels 1 } }\n"
        << "pcm.hw { @args [ CARD ] @args.CARD { type string } type hw card $CARD }\n"
        << more;
    fs::rename(folder_.path() / "new.conf", folder_.path() / "asound.conf");
  }
  std::vector<std::byte> played() const {
    std::ifstream file(folder_.path() / "played.raw", std::ios::binary);
    std::vector<std::byte> data;
    for (std::istreambuf_iterator<char> it(file), end; it != end; ++it) {
      data.push_back(static_cast<std::byte>(*it));
    }
    return data;
  }
  void hear(const std::vector<std::byte>& data) const {
    std::ofstream(folder_.path() / "heard.raw", std::ios::binary)
        .write(reinterpret_cast<const char*>(data.data()),
               static_cast<std::streamsize>(data.size()));
  }

  const TemporaryFolder folder_;
};

constexpr sluice_sample_format kAllFormats[] = {SLUICE_SAMPLE_F32, SLUICE_SAMPLE_S16,
                                                SLUICE_SAMPLE_S24, SLUICE_SAMPLE_S32};
constexpr const char* kFormatNames[] = {"", "f32", "s16", "s24", "s32"};

TEST_F(Alsa, File_is_captured_bit_exactly_in_every_format) {
  configure();
  for (const sluice_sample_format format : kAllFormats) {
    const sluice_format pcm{sizeof(sluice_format), format, 2, 48000};
    const std::vector<std::byte> sent = noise(size_t{20000} * frame_bytes(pcm));
    hear(sent);
    WorkerDriver node("source.alsa");
    node.set("device", "microphone");
    node.set("format", kFormatNames[format]);
    const auto described = node.describe();
    ASSERT_TRUE(described) << described.error().message;
    EXPECT_EQ(described->clock, static_cast<uint32_t>(SLUICE_CLOCK_DEVICE));
    ASSERT_TRUE(node.prepare(pcm));
    std::vector<std::byte> got;
    node.on_write([&](const WorkerDriver::Write& write) {
      got.insert(got.end(), write.data.begin(), write.data.end());
      if (got.size() >= sent.size()) node.stop();
    });
    const auto status = node.run();
    ASSERT_TRUE(status) << status.error().message;
    ASSERT_GE(got.size(), sent.size());
    got.resize(sent.size());
    EXPECT_EQ(got, sent) << kFormatNames[format];
    EXPECT_EQ(node.counter("xruns"), 0u);
    EXPECT_EQ(node.gauge("device_state"), 2);
    EXPECT_THAT(node.violations(), IsEmpty());
  }
}

TEST_F(Alsa, File_gets_every_frame_in_every_format) {
  configure();
  for (const sluice_sample_format format : kAllFormats) {
    const sluice_format pcm{sizeof(sluice_format), format, 2, 48000};
    const std::vector<std::byte> sent = noise(size_t{20001} * frame_bytes(pcm));
    WorkerDriver node("sink.alsa");
    node.set("device", "player");
    node.set_fed_live(false);
    ASSERT_TRUE(node.prepare(pcm));
    node.feed(sent);
    node.end_input();
    const auto status = node.run();
    ASSERT_TRUE(status) << status.error().message;
    EXPECT_EQ(node.counter("frames"), 20001u);
    EXPECT_EQ(node.counter("underruns"), 0u);
    std::vector<std::byte> got = played();
    ASSERT_GE(got.size(), sent.size()) << kFormatNames[format];
    got.resize(sent.size());
    EXPECT_EQ(got, sent) << kFormatNames[format];
    EXPECT_THAT(node.violations(), IsEmpty());
  }
}

TEST_F(Alsa, Frames_that_come_late_are_waited_for_by_what_has_no_clock) {
  configure();
  const std::vector<std::byte> sent = noise(40000 * 4);
  WorkerDriver node("sink.alsa");
  node.set("device", "player");
  node.set_fed_live(false);
  ASSERT_TRUE(node.prepare({sizeof(sluice_format), SLUICE_SAMPLE_S16, 2, 48000}));
  node.feed(std::span(sent).first(39000 * 4));
  node.at(5000 * kMs, [&] {
    node.feed(std::span(sent).subspan(39000 * 4));
    node.end_input();
  });
  ASSERT_TRUE(node.run());
  std::vector<std::byte> got = played();
  ASSERT_GE(got.size(), sent.size());
  got.resize(sent.size());
  EXPECT_EQ(got, sent);
}

TEST_F(Alsa, Unknown_device_is_refused_with_the_nearest_names) {
  configure();
  for (const char* type : {"source.alsa", "sink.alsa"}) {
    WorkerDriver node(type);
    node.set("device", type[1] == 'o' ? "mikrophone" : "plyer");
    const auto described = node.describe();
    ASSERT_FALSE(described);
    EXPECT_THAT(described.error().message,
                AllOf(HasSubstr("There is no ALSA device"), HasSubstr("Near it: '"),
                      HasSubstr(type[1] == 'o' ? "'microphone'" : "'player'"),
                      HasSubstr("sluice devices")));
  }
}

TEST_F(Alsa, Format_that_is_not_offered_is_refused_with_what_is) {
  configure();
  for (const char* type : {"source.alsa", "sink.alsa"}) {
    WorkerDriver node(type);
    node.set("device", "modest");
    node.set("rate_hz", 48000);
    const auto described = node.describe();
    ASSERT_FALSE(described);
    EXPECT_THAT(described.error().message, HasSubstr("offers 44100 Hz, 1 channel, s16"));
  }
}

TEST_F(Alsa, What_a_device_offers_is_what_the_port_offers) {
  configure();
  for (const char* type : {"source.alsa", "sink.alsa"}) {
    WorkerDriver node(type);
    node.set("device", "modest");
    const auto described = node.describe();
    ASSERT_TRUE(described) << described.error().message;
    ASSERT_EQ(described->offers.size(), 1u);
    const sluice_format_offer& offer = described->offers[0];
    EXPECT_EQ(offer.sample_formats, SLUICE_SAMPLE_BIT(SLUICE_SAMPLE_S16));
    EXPECT_EQ(offer.channels_maximum, 1u);
    EXPECT_EQ(offer.rate_hz_minimum, 44100u);
    EXPECT_EQ(offer.rate_hz_maximum, 44100u);
  }
}

TEST_F(Alsa, Absent_card_is_waited_for_and_captured_from_within_a_second) {
  configure("pcm.later { type hw card 31 }\n");
  hear(noise(48000 * 4));
  WorkerDriver node("source.alsa");
  node.set("device", "later");
  const auto described = node.describe();
  ASSERT_TRUE(described) << described.error().message;
  ASSERT_TRUE(node.prepare({sizeof(sluice_format), SLUICE_SAMPLE_S16, 2, 48000}));
  int64_t first_ns = 0;
  node.on_write([&](const WorkerDriver::Write& write) {
    if (first_ns == 0) first_ns = write.at_ns;
    node.stop();
  });
  node.at(3000 * kMs, [&] {
    EXPECT_EQ(node.state(), static_cast<uint32_t>(SLUICE_STATE_WAITING));
    EXPECT_EQ(node.gauge("device_state"), 0);
    configure("pcm.later microphone\n");
  });
  const auto status = node.run();
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_GE(first_ns, 3000 * kMs);
  EXPECT_LE(first_ns, 4000 * kMs);
  ASSERT_GE(node.marks().size(), 2u);
  EXPECT_EQ(node.marks()[0].kind, static_cast<uint32_t>(SLUICE_MARK_SILENCE_BEGINS));
  EXPECT_EQ(node.marks()[1].kind, static_cast<uint32_t>(SLUICE_MARK_SILENCE_ENDS));
}

TEST_F(Alsa, Absent_card_does_not_hold_up_what_feeds_it) {
  configure("pcm.later { type hw card 31 }\n");
  for (const bool holds : {false, true}) {
    WorkerDriver node("sink.alsa");
    node.set("device", "later");
    if (holds) node.set("when_absent", "hold");
    ASSERT_TRUE(node.prepare({sizeof(sluice_format), SLUICE_SAMPLE_S16, 2, 48000}));
    node.feed(noise(480000 * 4));
    node.stop_at(5000 * kMs);
    ASSERT_TRUE(node.run());
    if (holds) {
      EXPECT_EQ(node.frames_read(), 0u);
    } else {
      EXPECT_NEAR(static_cast<double>(node.frames_read()), 5 * 48000, 480 * 2);
    }
    EXPECT_EQ(node.counter("frames"), 0u);
  }
}

TEST_F(Alsa, Offline_is_refused) {
  configure();
  for (const char* type : {"source.alsa", "sink.alsa"}) {
    WorkerDriver node(type);
    node.set("device", "default");
    const auto status =
        node.prepare({sizeof(sluice_format), SLUICE_SAMPLE_S16, 2, 48000}, SLUICE_MODE_OFFLINE);
    ASSERT_FALSE(status);
    EXPECT_THAT(status.error().message, HasSubstr("in real time alone: use"));
  }
}

TEST(AlsaSmoother, Sound_that_stops_fades_out_and_comes_back_faded_in) {
  constexpr uint32_t kFade = 48000 * 30 / 1000;
  const sluice_format format{sizeof(sluice_format), SLUICE_SAMPLE_S16, 2, 48000};
  alsa::Smoother smoother;
  smoother.reset(format, 1);
  std::vector<int16_t> frames(2000, 10000);
  smoother.sound(frames.data(), 1000);
  EXPECT_EQ(frames, std::vector<int16_t>(2000, 10000));
  const auto is_smooth = [&] {
    for (size_t i = 2; i < frames.size(); ++i) {
      if (std::abs(frames[i] - frames[i - 2]) > 15) return false;
    }
    return true;
  };
  frames.assign(2 * 2000, 7);
  smoother.silence(frames.data(), 2000);
  EXPECT_TRUE(is_smooth());
  EXPECT_NEAR(frames[0], 10000, 15);
  EXPECT_EQ(frames[2 * (kFade - 1)], 0);
  EXPECT_EQ(frames.back(), 0);
  frames.assign(2 * 2000, 10000);
  smoother.sound(frames.data(), 2000);
  EXPECT_TRUE(is_smooth());
  EXPECT_NEAR(frames[0], 0, 15);
  EXPECT_NEAR(frames[kFade], 5000, 30);
  EXPECT_EQ(frames[2 * (kFade - 1)], 10000);
  EXPECT_TRUE(smoother.is_open());
}

TEST(AlsaSmoother, Samples_of_24_bits_keep_their_sign) {
  std::byte sample[3] = {std::byte{0x00}, std::byte{0x00}, std::byte{0x80}};
  alsa::scale_sample(sample, SLUICE_SAMPLE_S24, 0.5);
  EXPECT_EQ(sample[2], std::byte{0xc0});
  EXPECT_EQ(sample[1], std::byte{0x00});
}

// An hour with a reader that is off by so much, seen through a driver that counts by ticks of 4 ms,
// and a control that takes steps of 10 ppm.
TEST(AlsaRateSteering, Source_comes_to_run_as_fast_as_its_reader) {
  constexpr int kLooks = 36000;
  for (const double reader_ppm : {-1000.0, -37.0, 0.0, 50.0, 1500.0}) {
    std::mt19937 random(7);
    alsa::RateSteering steering;
    steering.restart(48000);
    double fill = 2000, correction = 0, sum = 0, least = 1e9, most = 0;
    for (int look = 0; look < kLooks; ++look) {
      fill += 4800 * (correction - reader_ppm * 1e-6);
      if (steering.look(fill - static_cast<double>(random() % 192))) {
        correction = std::round(steering.correction() * 1e5) * 1e-5;
      }
      if (look < kLooks / 2) continue;
      sum += correction;
      least = std::min(least, fill);
      most = std::max(most, fill);
    }
    EXPECT_NEAR(sum / (kLooks / 2) * 1e6, reader_ppm, 2) << reader_ppm;
    EXPECT_LT(most - least, 192) << reader_ppm;
    EXPECT_NEAR((least + most) / 2, 2000, 192) << reader_ppm;
  }
}

TEST(AlsaDeviceClock, Rate_is_found_through_late_wakes) {
  std::mt19937 random(3);
  alsa::DeviceClock clock;
  clock.restart(48000);
  double error_ppm = 0;
  for (int period = 0; period < 60000; ++period) {
    const double at_s = period * 512 / 48000.0 + static_cast<double>(random() % 1000) * 1e-6;
    // The device, 100 ppm fast, has counted on while the thread was late.
    const double frames = at_s * 48000 * 1.0001;
    clock.passed(frames, static_cast<int64_t>(at_s * 1e9));
    if (period > 30000) error_ppm = std::max(error_ppm, std::abs(clock.ratio() * 1e6 - 1'000'100));
  }
  EXPECT_TRUE(clock.is_settled());
  EXPECT_LT(error_ppm, 1);
}

}  // namespace
}  // namespace sluice::tests
