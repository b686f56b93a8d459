#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sndfile.h>
#include <sys/stat.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <sluice/describe.hpp>

#include "tests/support/sound_files.hpp"
#include "tests/support/worker_driver.hpp"

namespace sluice::tests {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr uint32_t kRateHz = 44100;

// What a file of left-aligned 32-bit samples looks like in a narrower integer format.
std::vector<std::byte> packed(const std::vector<int>& samples, sluice_sample_format format) {
  const uint32_t bytes = sample_bytes(format);
  std::vector<std::byte> out(samples.size() * bytes);
  for (size_t i = 0; i < samples.size(); ++i) {
    std::memcpy(&out[i * bytes], reinterpret_cast<const char*>(&samples[i]) + 4 - bytes, bytes);
  }
  return out;
}

class SourceWav : public ::testing::Test {
 protected:
  // The one format the node offers.
  static sluice_format offered(WorkerDriver& node) {
    const auto description = node.describe();
    if (!description) {
      ADD_FAILURE() << description.error().message;
      return {};
    }
    const sluice_format_offer& offer = description->offers.at(0);
    EXPECT_EQ(description->offers.size(), 1u);
    EXPECT_EQ(offer.sample_formats, SLUICE_SAMPLE_BIT(offer.preferred));
    EXPECT_EQ(offer.channels_minimum, offer.channels_maximum);
    EXPECT_EQ(offer.rate_hz_minimum, offer.rate_hz_maximum);
    return {sizeof(sluice_format), offer.preferred, offer.channels_minimum, offer.rate_hz_minimum};
  }
  static void play(WorkerDriver& node, uint32_t mode = SLUICE_MODE_REAL_TIME) {
    const auto prepared = node.prepare(offered(node), mode);
    ASSERT_TRUE(prepared) << prepared.error().message;
    const auto ran = node.run();
    ASSERT_TRUE(ran) << ran.error().message;
    EXPECT_THAT(node.violations(), IsEmpty());
  }
  // A ramp whose samples are their own frame number, in s16 mono.
  std::string numbered_file(uint32_t frames) {
    std::vector<int> samples(frames);
    for (uint32_t i = 0; i < frames; ++i) samples[i] = static_cast<int>(i << 16);
    const std::string path = folder_ / "numbered.wav";
    write_sound(path, SF_FORMAT_WAV | SF_FORMAT_PCM_16, 1, kRateHz, samples);
    return path;
  }
  std::string complaint_about(const std::string& path) {
    WorkerDriver node("source.wav");
    node.set("path", path);
    const auto description = node.describe();
    return description ? "" : description.error().message;
  }

  TemporaryFolder folder_;
};

struct Case {
  const char* name;
  int kind;
  sluice_sample_format format;
  uint32_t bits;
};

class SourceWavFormats : public SourceWav, public ::testing::WithParamInterface<Case> {};

TEST_P(SourceWavFormats, IntegerFile_any_plays_bit_exact_in_its_own_format) {
  const Case& c = GetParam();
  const std::vector<int> samples = int_noise(3 * 30011, c.bits);
  const std::string path = folder_ / "file";
  write_sound(path, c.kind, 3, kRateHz, samples);
  for (const uint32_t mode : {SLUICE_MODE_REAL_TIME, SLUICE_MODE_OFFLINE}) {
    WorkerDriver node("source.wav");
    node.set("path", path);
    EXPECT_EQ(offered(node).sample_format, c.format);
    EXPECT_EQ(offered(node).channels, 3u);
    EXPECT_EQ(offered(node).rate_hz, kRateHz);
    play(node, mode);
    EXPECT_EQ(node.frames_written(), 30011u);
    EXPECT_TRUE(node.written_bytes() == packed(samples, c.format));
    EXPECT_THAT(node.log_lines(), IsEmpty());
  }
}

INSTANTIATE_TEST_SUITE_P(
    Containers, SourceWavFormats,
    ::testing::Values(
        Case{"wav_u8", SF_FORMAT_WAV | SF_FORMAT_PCM_U8, SLUICE_SAMPLE_S16, 8},
        Case{"wav_s16", SF_FORMAT_WAV | SF_FORMAT_PCM_16, SLUICE_SAMPLE_S16, 16},
        Case{"wav_s24", SF_FORMAT_WAV | SF_FORMAT_PCM_24, SLUICE_SAMPLE_S24, 24},
        Case{"wav_s32", SF_FORMAT_WAV | SF_FORMAT_PCM_32, SLUICE_SAMPLE_S32, 32},
        Case{"wavex_s24", SF_FORMAT_WAVEX | SF_FORMAT_PCM_24, SLUICE_SAMPLE_S24, 24},
        Case{"rifx_s16", SF_FORMAT_WAV | SF_ENDIAN_BIG | SF_FORMAT_PCM_16, SLUICE_SAMPLE_S16, 16},
        Case{"rifx_s24", SF_FORMAT_WAV | SF_ENDIAN_BIG | SF_FORMAT_PCM_24, SLUICE_SAMPLE_S24, 24},
        Case{"rf64_s16", SF_FORMAT_RF64 | SF_FORMAT_PCM_16, SLUICE_SAMPLE_S16, 16},
        Case{"rf64_s24", SF_FORMAT_RF64 | SF_FORMAT_PCM_24, SLUICE_SAMPLE_S24, 24},
        Case{"w64_s24", SF_FORMAT_W64 | SF_FORMAT_PCM_24, SLUICE_SAMPLE_S24, 24},
        Case{"aiff_s16", SF_FORMAT_AIFF | SF_FORMAT_PCM_16, SLUICE_SAMPLE_S16, 16},
        Case{"aiff_s24", SF_FORMAT_AIFF | SF_FORMAT_PCM_24, SLUICE_SAMPLE_S24, 24},
        Case{"aiff_s32", SF_FORMAT_AIFF | SF_FORMAT_PCM_32, SLUICE_SAMPLE_S32, 32},
        Case{"au_s24", SF_FORMAT_AU | SF_FORMAT_PCM_24, SLUICE_SAMPLE_S24, 24},
        Case{"flac_s8", SF_FORMAT_FLAC | SF_FORMAT_PCM_S8, SLUICE_SAMPLE_S16, 8},
        Case{"flac_s16", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, SLUICE_SAMPLE_S16, 16},
        Case{"flac_s24", SF_FORMAT_FLAC | SF_FORMAT_PCM_24, SLUICE_SAMPLE_S24, 24},
        Case{"caf_alac16", SF_FORMAT_CAF | SF_FORMAT_ALAC_16, SLUICE_SAMPLE_S16, 16}),
    [](const auto& test) { return std::string(test.param.name); });

TEST_F(SourceWav, FloatFile_beyond_full_scale_plays_bit_exact) {
  std::vector<float> samples(2 * 5000);
  for (size_t i = 0; i < samples.size(); ++i)
    samples[i] = std::sin(0.1f * static_cast<float>(i)) * 3;
  for (const int container : {SF_FORMAT_WAV, SF_FORMAT_RF64, SF_FORMAT_AIFF}) {
    const std::string path = folder_ / "float";
    write_sound(path, container | SF_FORMAT_FLOAT, 2, 48000, samples);
    WorkerDriver node("source.wav");
    node.set("path", path);
    EXPECT_EQ(offered(node).sample_format, SLUICE_SAMPLE_F32);
    play(node);
    EXPECT_EQ(node.written<float>(), samples);
  }
}

TEST_F(SourceWav, LossyFile_any_plays_what_libsndfile_decodes) {
  std::vector<float> samples(2 * 50000);
  for (size_t i = 0; i < samples.size(); ++i) {
    samples[i] = 0.3f * std::sin(0.05f * static_cast<float>(i / 2));
  }
  for (const int kind : {SF_FORMAT_OGG | SF_FORMAT_VORBIS, SF_FORMAT_OGG | SF_FORMAT_OPUS,
                         SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III}) {
    const std::string path = folder_ / "lossy";
    write_sound(path, kind, 2, 48000, samples);
    WorkerDriver node("source.wav");
    node.set("path", path);
    EXPECT_EQ(offered(node).sample_format, SLUICE_SAMPLE_F32);
    play(node);
    EXPECT_EQ(node.written<float>(), read_sound_float(path)) << kind;
    EXPECT_GE(node.frames_written(), 50000u) << kind;
    EXPECT_THAT(node.log_lines(), IsEmpty());
  }
}

TEST_F(SourceWav, Region_start_and_length_plays_exactly_that) {
  WorkerDriver node("source.wav");
  node.set("path", numbered_file(30000));
  node.set("start_ms", 100);   // frame 4410
  node.set("length_ms", 300);  // 13230 frames
  play(node);
  std::vector<int16_t> expected(13230);
  std::iota(expected.begin(), expected.end(), int16_t{4410});
  EXPECT_EQ(node.written<int16_t>(), expected);
  EXPECT_NEAR(node.gauge("position_ms"), 400, 1e-9);
}

TEST_F(SourceWav, Region_longer_than_file_plays_to_the_end) {
  WorkerDriver node("source.wav");
  node.set("path", numbered_file(30000));
  node.set("start_ms", 500);
  node.set("length_ms", 1e6);
  play(node);
  EXPECT_EQ(node.frames_written(), 30000u - 22050u);
}

class SourceWavLoop : public SourceWav, public ::testing::WithParamInterface<uint32_t> {};

TEST_P(SourceWavLoop, Region_of_any_length_repeats_without_a_gap) {
  // Shorter and longer than a block, in both ways of reading.
  for (const double length_ms : {1.0, 10.0, 0.02, 0.25, 333.0}) {
    WorkerDriver node("source.wav");
    node.set("path", numbered_file(30000));
    node.set("start_ms", 10);  // frame 441
    node.set("length_ms", length_ms);
    node.set("loop", 1);
    ASSERT_TRUE(node.prepare(offered(node), GetParam()));
    std::vector<int16_t> heard;
    node.on_write([&](const WorkerDriver::Write& write) {
      const size_t at = heard.size();
      heard.resize(at + write.frames);
      std::memcpy(&heard[at], write.data.data(), write.data.size());
      if (heard.size() > 50000) node.stop();
    });
    ASSERT_TRUE(node.run());
    const auto length = static_cast<size_t>(std::lround(length_ms * kRateHz / 1000));
    for (size_t i = 0; i < heard.size(); ++i) {
      ASSERT_EQ(heard[i], 441 + static_cast<int>(i % length)) << i << " of length " << length;
    }
    EXPECT_NEAR(static_cast<double>(node.counter("loops")),
                static_cast<double>(heard.size() / length), 4410.0 / static_cast<double>(length));
    EXPECT_GE(node.counter("loops"), heard.size() / length);
    EXPECT_THAT(node.violations(), IsEmpty());
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, SourceWavLoop,
                         ::testing::Values(SLUICE_MODE_REAL_TIME, SLUICE_MODE_OFFLINE),
                         [](const auto& test) {
                           return test.param == SLUICE_MODE_OFFLINE ? "offline" : "real_time";
                         });

TEST_F(SourceWav, Loop_over_compressed_files_is_sample_exact) {
  std::vector<float> samples(2 * 30000);
  for (size_t i = 0; i < samples.size(); ++i) {
    samples[i] = 0.3f * std::sin(0.05f * static_cast<float>(i / 2));
  }
  for (const int kind :
       {SF_FORMAT_FLAC | SF_FORMAT_PCM_16, SF_FORMAT_OGG | SF_FORMAT_VORBIS,
        SF_FORMAT_OGG | SF_FORMAT_OPUS, SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III}) {
    const std::string path = folder_ / "compressed";
    write_sound(path, kind, 2, 48000, samples);
    WorkerDriver once("source.wav");
    once.set("path", path);
    play(once);
    WorkerDriver node("source.wav");
    node.set("path", path);
    node.set("loop", 1);
    ASSERT_TRUE(node.prepare(offered(node)));
    std::vector<std::byte> heard;
    node.on_write([&](const WorkerDriver::Write& write) {
      heard.insert(heard.end(), write.data.begin(), write.data.end());
      if (heard.size() > 3 * once.written_bytes().size()) node.stop();
    });
    ASSERT_TRUE(node.run());
    // The second time round is the first: overlapping codecs are allowed to warm up differently at
    // the very beginning of a file, so the third is held against the second.
    const size_t length = once.written_bytes().size();
    EXPECT_TRUE(std::equal(heard.begin(), heard.begin() + static_cast<std::ptrdiff_t>(length),
                           once.written_bytes().begin()));
    EXPECT_TRUE(std::equal(heard.begin() + static_cast<std::ptrdiff_t>(length),
                           heard.begin() + static_cast<std::ptrdiff_t>(2 * length),
                           once.written_bytes().begin()))
        << std::hex << kind;
  }
}

TEST_F(SourceWav, SlowReader_small_ring_gets_every_frame_once) {
  WorkerDriver node("source.wav");
  node.set("path", numbered_file(30000));
  ASSERT_TRUE(node.prepare(offered(node)));
  node.set_capacity(5000);
  uint64_t taken = 0;
  for (int i = 1; i <= 400; ++i) {
    node.at(i * 1'000'000, [&node, &taken] {
      const uint64_t now = std::min<uint64_t>(node.frames_written() - taken, 97);
      node.take(now);
      taken += now;
    });
  }
  ASSERT_TRUE(node.run());
  std::vector<int16_t> expected(30000);
  std::iota(expected.begin(), expected.end(), int16_t{0});
  EXPECT_EQ(node.written<int16_t>(), expected);
  EXPECT_LE(node.setup().max_block_frames * 2, 5000u);
}

TEST_F(SourceWav, Stop_while_waiting_returns) {
  WorkerDriver node("source.wav");
  node.set("path", numbered_file(30000));
  ASSERT_TRUE(node.prepare(offered(node)));
  node.set_capacity(5000);
  node.stop_at(1'000'000'000);
  ASSERT_TRUE(node.run());
  EXPECT_LE(node.frames_written(), 5000u);
  EXPECT_THAT(node.violations(), IsEmpty());
}

TEST_F(SourceWav, Path_missing_says_so) {
  EXPECT_EQ(complaint_about(folder_ / "nowhere.wav"),
            "There is no file '" + folder_ / "nowhere.wav" + "'.");
}

TEST_F(SourceWav, Path_folder_says_so) {
  EXPECT_THAT(complaint_about(folder_.path()), HasSubstr("is a folder"));
}

TEST_F(SourceWav, Path_pipe_is_refused_without_waiting) {
  const std::string path = folder_ / "pipe.wav";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_THAT(complaint_about(path), HasSubstr("is a device or a pipe"));
}

TEST_F(SourceWav, Path_text_file_says_so) {
  const std::string path = folder_ / "letter.wav";
  std::ofstream(path) << "Dear Sir or Madam,\n";
  EXPECT_THAT(complaint_about(path), HasSubstr("is no sound file that can be read here"));
}

TEST_F(SourceWav, Path_empty_file_says_so) {
  const std::string path = folder_ / "empty.wav";
  std::ofstream{path};
  EXPECT_EQ(complaint_about(path), "'" + path + "' is empty.");
}

TEST_F(SourceWav, File_without_frames_says_so) {
  EXPECT_THAT(complaint_about(numbered_file(0)), HasSubstr("holds no audio"));
}

TEST_F(SourceWav, Start_beyond_the_end_says_how_long_the_file_is) {
  WorkerDriver node("source.wav");
  node.set("path", numbered_file(44100));
  node.set("start_ms", 1000);
  const auto description = node.describe();
  ASSERT_FALSE(description);
  EXPECT_THAT(description.error().message, StartsWith("start_ms lies beyond the end of"));
  EXPECT_THAT(description.error().message, HasSubstr("1000 ms long"));
}

TEST_F(SourceWav, TooManyChannels_are_refused) {
  const std::string path = folder_ / "wide.wav";
  write_sound(path, SF_FORMAT_WAV | SF_FORMAT_PCM_16, 65, 48000, std::vector<int>(65 * 10));
  EXPECT_THAT(complaint_about(path), HasSubstr("65 channels"));
}

TEST_F(SourceWav, Wav_cut_off_plays_what_is_there_and_warns) {
  const std::string path = numbered_file(30000);
  std::filesystem::resize_file(path, 44 + 2 * 12345);
  WorkerDriver node("source.wav");
  node.set("path", path);
  play(node);
  EXPECT_EQ(node.frames_written(), 12345u);
  EXPECT_THAT(node.log_lines(),
              ElementsAre("'" + path +
                          "' is cut off: its header announces 60000 bytes of audio, 24690 are "
                          "there and will be played."));
}

TEST_F(SourceWav, Wav_written_into_a_pipe_has_no_length_and_plays_without_warning) {
  const std::string path = numbered_file(30000);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(4).write("\xff\xff\xff\xff", 4);
  file.seekp(40).write("\xff\xff\xff\xff", 4);
  file.close();
  WorkerDriver node("source.wav");
  node.set("path", path);
  play(node);
  EXPECT_EQ(node.frames_written(), 30000u);
  EXPECT_THAT(node.log_lines(), IsEmpty());
}

TEST_F(SourceWav, Flac_cut_off_plays_and_loops_over_what_is_there) {
  const std::string path = folder_ / "cut.flac";
  const std::vector<int> samples = int_noise(40000, 16);
  write_sound(path, SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 1, 48000, samples);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  WorkerDriver once("source.wav");
  once.set("path", path);
  play(once);
  EXPECT_GT(once.frames_written(), 10000u);
  EXPECT_LT(once.frames_written(), 21000u);
  const auto expected = packed(samples, SLUICE_SAMPLE_S16);
  EXPECT_TRUE(
      std::equal(once.written_bytes().begin(), once.written_bytes().end(), expected.begin()));
  ASSERT_EQ(once.log_lines().size(), 1u);
  EXPECT_THAT(once.log_lines()[0], HasSubstr("is damaged or cut off"));

  WorkerDriver looped("source.wav");
  looped.set("path", path);
  looped.set("loop", 1);
  ASSERT_TRUE(looped.prepare(offered(looped)));
  std::vector<std::byte> heard;
  looped.on_write([&](const WorkerDriver::Write& write) {
    heard.insert(heard.end(), write.data.begin(), write.data.end());
    if (heard.size() > 4 * once.written_bytes().size()) looped.stop();
  });
  ASSERT_TRUE(looped.run());
  for (size_t i = 0; i < heard.size(); ++i) {
    ASSERT_EQ(heard[i], once.written_bytes()[i % once.written_bytes().size()]) << i;
  }
  EXPECT_EQ(looped.log_lines().size(), 1u);
}

TEST_F(SourceWav, Mp3_of_misjudged_length_warns) {
  // Loud, then silent: the guess from the first frames is too short. The Xing header is
  // overwritten.
  const std::string path = folder_ / "variable.mp3";
  const std::vector<int> noise = int_noise(2 * 48000 * 10, 16);
  SF_INFO info{};
  info.channels = 2;
  info.samplerate = 48000;
  info.format = SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III;
  SNDFILE* mp3 = sf_open(path.c_str(), SFM_WRITE, &info);
  int mode = SF_BITRATE_MODE_VARIABLE;
  sf_command(mp3, SFC_SET_BITRATE_MODE, &mode, sizeof(mode));
  sf_write_int(mp3, noise.data(), std::ssize(noise));
  sf_write_int(mp3, std::vector<int>(noise.size() * 5).data(), std::ssize(noise) * 5);
  sf_close(mp3);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  std::string head(4096, 0);
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  const size_t xing = std::min(head.find("Xing"), head.find("Info"));
  ASSERT_NE(xing, std::string::npos);
  file.seekp(static_cast<std::streamoff>(xing)).write("\0\0\0\0", 4);
  file.close();
  WorkerDriver node("source.wav");
  node.set("path", path);
  play(node);
  EXPECT_LT(node.frames_written(), 48000u * 50);  // of 60 s
  ASSERT_EQ(node.log_lines().size(), 1u);
  EXPECT_THAT(node.log_lines()[0], HasSubstr("without a Xing header"));
}

TEST_F(SourceWav, Format_changed_after_the_look_is_refused) {
  WorkerDriver node("source.wav");
  node.set("path", numbered_file(1000));
  sluice_format format = offered(node);
  format.rate_hz = 48000;
  const auto prepared = node.prepare(format);
  ASSERT_FALSE(prepared);
  EXPECT_THAT(prepared.error().message, HasSubstr("changed its format"));
}

}  // namespace
}  // namespace sluice::tests
