#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sndfile.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sluice/wav_header.hpp>
#include <thread>

#include "tests/support/sound_files.hpp"
#include "tests/support/worker_driver.hpp"

namespace sluice::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr int64_t kMs = 1'000'000;

sluice_format format_of(sluice_sample_format samples, uint32_t channels = 2,
                        uint32_t rate_hz = 48000) {
  return {sizeof(sluice_format), samples, channels, rate_hz};
}

// Left-aligned 32-bit samples as the bytes of a port; f32 by scaling, exact for 24 bits.
std::vector<std::byte> packed(const std::vector<int>& samples, sluice_sample_format format) {
  const uint32_t bytes = sample_bytes(format);
  std::vector<std::byte> out(samples.size() * bytes);
  for (size_t i = 0; i < samples.size(); ++i) {
    const float scaled = std::ldexp(static_cast<float>(samples[i] >> 8), -23);
    if (format == SLUICE_SAMPLE_F32) {
      std::memcpy(&out[i * 4], &scaled, 4);
    } else {
      std::memcpy(&out[i * bytes], reinterpret_cast<const char*>(&samples[i]) + 4 - bytes, bytes);
    }
  }
  return out;
}

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

bool is_prefix(const std::vector<int>& part, const std::vector<int>& whole) {
  return part.size() <= whole.size() && std::equal(part.begin(), part.end(), whole.begin());
}

class SinkWav : public ::testing::Test {
 protected:
  // Writes the samples through the node.
  void write(WorkerDriver& node, const sluice_format& format, const std::vector<int>& samples,
             uint32_t mode = SLUICE_MODE_REAL_TIME) {
    const auto prepared = node.prepare(format, mode);
    ASSERT_TRUE(prepared) << prepared.error().message;
    node.feed(std::span<const std::byte>(packed(samples, format.sample_format)));
    node.end_input();
    const auto ran = node.run();
    ASSERT_TRUE(ran) << ran.error().message;
    EXPECT_THAT(node.violations(), IsEmpty());
    node.release();
  }
  std::string why_not_prepared(const std::string& path) {
    WorkerDriver node("sink.wav");
    node.set("path", path);
    const auto prepared = node.prepare(format_of(SLUICE_SAMPLE_S16));
    return prepared ? "" : prepared.error().message;
  }
  std::string why_not_described(const std::string& path, std::string_view format) {
    WorkerDriver node("sink.wav");
    node.set("path", path);
    node.set("format", format);
    const auto description = node.describe();
    return description ? "" : description.error().message;
  }

  TemporaryFolder folder_;
};

struct Case {
  const char* name;
  sluice_sample_format format;
  uint32_t channels;
  uint32_t bits;
  int kind;
};

class SinkWavFormats : public SinkWav, public ::testing::WithParamInterface<Case> {};

TEST_P(SinkWavFormats, Samples_any_are_written_bit_exact) {
  const Case& c = GetParam();
  const std::vector<int> samples = int_noise(uint64_t{c.channels} * 50001, c.bits);
  for (const uint32_t mode : {SLUICE_MODE_REAL_TIME, SLUICE_MODE_OFFLINE}) {
    std::string path = folder_ / "file.";
    path += (c.kind & SF_FORMAT_TYPEMASK) == SF_FORMAT_FLAC   ? "flac"
            : (c.kind & SF_FORMAT_TYPEMASK) == SF_FORMAT_RF64 ? "rf64"
                                                              : "WAV";
    WorkerDriver node("sink.wav");
    node.set("path", path);
    write(node, format_of(c.format, c.channels, 44100), samples, mode);
    const SoundInfo info = sound_info(path);
    EXPECT_EQ(info.kind, c.kind) << std::hex << info.kind;
    EXPECT_EQ(info.frames, 50001u);
    EXPECT_EQ(info.channels, c.channels);
    EXPECT_EQ(info.rate_hz, 44100u);
    if (c.format == SLUICE_SAMPLE_F32) {
      const std::vector<float> read = read_sound_float(path);
      const std::vector<std::byte> sent = packed(samples, c.format);
      ASSERT_EQ(read.size() * 4, sent.size());
      EXPECT_EQ(std::memcmp(read.data(), sent.data(), sent.size()), 0);
    } else {
      EXPECT_TRUE(read_sound_int(path) == samples);
    }
    EXPECT_EQ(node.counter("frames"), 50001u);
    EXPECT_EQ(node.gauge("bytes"), static_cast<double>(fs::file_size(path)));
    EXPECT_EQ(fs::file_size(path) % 2 == 0 || path.ends_with("flac"), true);
    EXPECT_TRUE(fs::remove(path));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Containers, SinkWavFormats,
    ::testing::Values(
        Case{"wav_s16_mono", SLUICE_SAMPLE_S16, 1, 16, SF_FORMAT_WAV | SF_FORMAT_PCM_16},
        Case{"wav_s16", SLUICE_SAMPLE_S16, 2, 16, SF_FORMAT_WAV | SF_FORMAT_PCM_16},
        Case{"wav_s24_mono", SLUICE_SAMPLE_S24, 1, 24, SF_FORMAT_WAV | SF_FORMAT_PCM_24},
        Case{"wav_s24", SLUICE_SAMPLE_S24, 2, 24, SF_FORMAT_WAV | SF_FORMAT_PCM_24},
        Case{"wav_s32", SLUICE_SAMPLE_S32, 2, 32, SF_FORMAT_WAV | SF_FORMAT_PCM_32},
        Case{"wav_f32", SLUICE_SAMPLE_F32, 2, 24, SF_FORMAT_WAV | SF_FORMAT_FLOAT},
        Case{"wav_s16_six", SLUICE_SAMPLE_S16, 6, 16, SF_FORMAT_WAVEX | SF_FORMAT_PCM_16},
        Case{"wav_s24_three", SLUICE_SAMPLE_S24, 3, 24, SF_FORMAT_WAVEX | SF_FORMAT_PCM_24},
        Case{"wav_f32_three", SLUICE_SAMPLE_F32, 3, 24, SF_FORMAT_WAVEX | SF_FORMAT_FLOAT},
        Case{"rf64_s16", SLUICE_SAMPLE_S16, 2, 16, SF_FORMAT_RF64 | SF_FORMAT_PCM_16},
        Case{"rf64_s24", SLUICE_SAMPLE_S24, 2, 24, SF_FORMAT_RF64 | SF_FORMAT_PCM_24},
        Case{"rf64_f32", SLUICE_SAMPLE_F32, 2, 24, SF_FORMAT_RF64 | SF_FORMAT_FLOAT},
        Case{"flac_s16", SLUICE_SAMPLE_S16, 2, 16, SF_FORMAT_FLAC | SF_FORMAT_PCM_16},
        Case{"flac_s24", SLUICE_SAMPLE_S24, 2, 24, SF_FORMAT_FLAC | SF_FORMAT_PCM_24},
        Case{"flac_s24_eight", SLUICE_SAMPLE_S24, 8, 24, SF_FORMAT_FLAC | SF_FORMAT_PCM_24}),
    [](const auto& test) { return std::string(test.param.name); });

TEST_F(SinkWav, Ogg_every_rate_and_channel_count_offered_is_encoded) {
  WorkerDriver described("sink.wav");
  described.set("path", folder_ / "a.ogg");
  const auto description = described.describe();
  ASSERT_TRUE(description);
  const sluice_format_offer& offer = description->offers.at(0);
  for (const uint32_t rate_hz : {offer.rate_hz_minimum, 44100u, 48000u, offer.rate_hz_maximum}) {
    for (const uint32_t channels : {1u, 2u, 5u, offer.channels_maximum}) {
      std::vector<int> samples(size_t{channels} * rate_hz);
      for (size_t i = 0; i < samples.size(); ++i) {
        const double t = static_cast<double>(i / channels) / rate_hz;
        samples[i] = static_cast<int>(std::sin(2 * 3.14159265358979 * 440 * t) * 0x20000000);
      }
      const std::string path = folder_ / "tone.ogg";
      WorkerDriver node("sink.wav");
      node.set("path", path);
      write(node, format_of(SLUICE_SAMPLE_F32, channels, rate_hz), samples);
      const std::vector<float> read = read_sound_float(path);
      ASSERT_EQ(read.size(), samples.size()) << rate_hz << " Hz, " << channels;
      double error = 0, power = 0;
      for (size_t i = 0; i < read.size(); ++i) {
        const double sent = std::ldexp(samples[i], -31);
        error += (static_cast<double>(read[i]) - sent) * (static_cast<double>(read[i]) - sent);
        power += sent * sent;
      }
      EXPECT_LT(10 * std::log10(error / power), -20) << rate_hz << " Hz, " << channels;
    }
  }
}

TEST_F(SinkWav, Describe_offers_what_the_container_holds) {
  const auto offered = [&](const std::string& name, std::string_view format) {
    WorkerDriver node("sink.wav");
    node.set("path", folder_ / name);
    node.set("format", format);
    return node.describe()->offers.at(0).sample_formats;
  };
  EXPECT_EQ(offered("a.wav", "as_input"), SLUICE_SAMPLE_ANY);
  EXPECT_EQ(offered("a.rf64", "as_input"), SLUICE_SAMPLE_ANY);
  EXPECT_EQ(offered("a.wav", "s24"), SLUICE_SAMPLE_BIT(SLUICE_SAMPLE_S24));
  EXPECT_EQ(offered("a.flac", "as_input"),
            SLUICE_SAMPLE_BIT(SLUICE_SAMPLE_S16) | SLUICE_SAMPLE_BIT(SLUICE_SAMPLE_S24));
  EXPECT_EQ(offered("a.Oga", "as_input"), SLUICE_SAMPLE_BIT(SLUICE_SAMPLE_F32));
  EXPECT_FALSE(fs::exists(folder_ / "a.wav"));
}

TEST_F(SinkWav, Describe_impossible_pairs_are_named) {
  EXPECT_THAT(why_not_described(folder_ / "a.flac", "f32"),
              StartsWith("FLAC holds s16 and s24 only"));
  EXPECT_THAT(why_not_described(folder_ / "a.ogg", "s16"),
              StartsWith("Ogg Vorbis is encoded from f32 only"));
  EXPECT_THAT(why_not_described(folder_ / "a.mp3", "as_input"),
              HasSubstr("does not tell what kind of file to write"));
  EXPECT_THAT(why_not_described("/no.extension/at_all", "as_input"),
              HasSubstr("does not tell what kind of file to write"));
}

TEST_F(SinkWav, Container_set_wins_over_the_name) {
  const std::string path = folder_ / "take.bin";
  WorkerDriver node("sink.wav");
  node.set("path", path);
  node.set("container", "flac");
  write(node, format_of(SLUICE_SAMPLE_S16), int_noise(2000, 16));
  EXPECT_EQ(sound_info(path).kind, SF_FORMAT_FLAC | SF_FORMAT_PCM_16);
}

TEST_F(SinkWav, WavHeader_stereo_is_plain_pcm) {
  const auto header = WavHeader::of_file(format_of(SLUICE_SAMPLE_S16), 10, false);
  const std::string bytes(reinterpret_cast<const char*>(header.bytes().data()),
                          header.bytes().size());
  EXPECT_EQ(bytes.substr(0, 4), "RIFF");
  const size_t fmt = bytes.find("fmt ");
  EXPECT_EQ(bytes[fmt + 8], 1);
  EXPECT_EQ(bytes.substr(bytes.size() - 8, 4), "data");
}

TEST_F(SinkWav, WavHeader_past_4_gib_is_rf64_and_read_with_every_frame) {
  const sluice_format format = format_of(SLUICE_SAMPLE_F32);
  const uint64_t limit_frames = (uint64_t{0xffffffff} - 100) / 8;
  for (const uint64_t frames : {limit_frames, limit_frames + 100, uint64_t{5} << 27}) {
    const std::string path = folder_ / "long.wav";
    const auto header = WavHeader::of_file(format, frames, false);
    const auto bytes = header.bytes();
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    fs::resize_file(path, bytes.size() + frames * 8);  // sparse
    const SoundInfo info = sound_info(path);
    EXPECT_EQ(info.frames, frames);
    EXPECT_EQ(info.kind & SF_FORMAT_TYPEMASK,
              frames > limit_frames ? SF_FORMAT_RF64 : SF_FORMAT_WAV);
    EXPECT_EQ(bytes.size(), WavHeader::of_file(format, 0, true).bytes().size());
  }
}

TEST_F(SinkWav, File_before_its_first_frame_can_be_read) {
  for (const char* name : {"live.wav", "live.rf64", "live.flac"}) {
    const std::string path = folder_ / name;
    WorkerDriver node("sink.wav");
    node.set("path", path);
    ASSERT_TRUE(node.prepare(format_of(SLUICE_SAMPLE_S16)));
    uint32_t channels = 0;
    node.at(100 * kMs, [&] { channels = sound_info(path).channels; });
    node.stop_at(200 * kMs);
    ASSERT_TRUE(node.run());
    EXPECT_EQ(channels, 2u) << name;
  }
}

TEST_F(SinkWav, File_while_it_grows_can_be_read_but_for_the_last_fifth_of_a_second) {
  const std::string path = folder_ / "live.wav";
  WorkerDriver node("sink.wav");
  node.set("path", path);
  ASSERT_TRUE(node.prepare(format_of(SLUICE_SAMPLE_S16)));
  const std::vector<int> samples = int_noise(2 * 4800, 16);
  std::vector<int> sent;
  for (int64_t i = 1; i <= 100; ++i) {
    node.at(i * 100 * kMs, [&] {
      EXPECT_GE(sound_info(path).frames + 9600, sent.size() / 2);
      EXPECT_TRUE(is_prefix(read_sound_int(path), sent));
      node.feed(std::span<const std::byte>(packed(samples, SLUICE_SAMPLE_S16)));
      sent.insert(sent.end(), samples.begin(), samples.end());
    });
  }
  node.stop_at(10050 * kMs);
  ASSERT_TRUE(node.run());
  EXPECT_TRUE(read_sound_int(path) == sent);
}

TEST_F(SinkWav, Stop_writes_what_has_arrived) {
  const std::string path = folder_ / "stopped.wav";
  WorkerDriver node("sink.wav");
  node.set("path", path);
  ASSERT_TRUE(node.prepare(format_of(SLUICE_SAMPLE_S16)));
  const std::vector<int> samples = int_noise(2 * 11111, 16);
  node.feed(std::span<const std::byte>(packed(samples, SLUICE_SAMPLE_S16)));
  node.stop_at(kMs);
  ASSERT_TRUE(node.run());
  EXPECT_TRUE(read_sound_int(path) == samples);
}

TEST_F(SinkWav, Input_empty_leaves_a_valid_empty_file) {
  for (const char* name : {"none.wav", "none.rf64", "none.flac"}) {
    WorkerDriver node("sink.wav");
    node.set("path", folder_ / name);
    write(node, format_of(SLUICE_SAMPLE_S16), {});
    EXPECT_EQ(sound_info(folder_ / name).channels, 2u) << name;
  }
}

TEST_F(SinkWav, Overwriting_a_longer_file_leaves_nothing_of_it_and_is_logged) {
  const std::string path = folder_ / "again.wav";
  std::ofstream(path) << std::string(100000, 'x');
  WorkerDriver node("sink.wav");
  node.set("path", path);
  write(node, format_of(SLUICE_SAMPLE_S16), int_noise(20, 16));
  EXPECT_LT(fs::file_size(path), 200u);
  EXPECT_THAT(node.log_lines(),
              ElementsAre("'" + path + "' is overwritten; it was 100000 bytes long."));
}

TEST_F(SinkWav, Graph_that_never_starts_changes_nothing) {
  const std::string old = folder_ / "old.wav", fresh = folder_ / "new.wav";
  std::ofstream(old) << "precious";
  EXPECT_EQ(why_not_prepared(old), "");
  EXPECT_EQ(why_not_prepared(fresh), "");
  EXPECT_EQ(content_of(old), "precious");
  EXPECT_FALSE(fs::exists(fresh));
}

TEST_F(SinkWav, Path_that_is_no_file_is_refused) {
  EXPECT_THAT(why_not_prepared(folder_.path()), HasSubstr("is a folder"));
  EXPECT_THAT(why_not_prepared("/dev/full"), HasSubstr("is a device or a pipe"));
  EXPECT_THAT(why_not_prepared(folder_ / "no/such.wav"), HasSubstr("does not exist; create it"));
  const std::string pipe = folder_ / "pipe.wav";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(why_not_prepared(pipe), HasSubstr("is a device or a pipe"));
}

TEST_F(SinkWav, Path_in_use_by_a_sink_or_a_source_is_refused) {
  const std::string path = folder_ / "mine.wav";
  write_sound(path, SF_FORMAT_WAV | SF_FORMAT_PCM_16, 2, 48000, int_noise(2000, 16));
  WorkerDriver source("source.wav");
  source.set("path", path);
  ASSERT_TRUE(source.prepare(format_of(SLUICE_SAMPLE_S16)));
  EXPECT_THAT(why_not_prepared(path), HasSubstr("is in use"));
  source.release();
  WorkerDriver sink("sink.wav");
  sink.set("path", path);
  ASSERT_TRUE(sink.prepare(format_of(SLUICE_SAMPLE_S16)));
  EXPECT_THAT(why_not_prepared(path), HasSubstr("is in use"));
  const auto again = source.prepare(format_of(SLUICE_SAMPLE_S16));
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message, HasSubstr("is being written"));
}

// Writes endless noise to `path` in this process until the node fails.
void write_until_it_fails(const std::string& path, sluice_sample_format format,
                          const std::vector<int>& noise, const std::string& report) {
  WorkerDriver node("sink.wav");
  node.set("path", path);
  if (!node.prepare(format_of(format))) return;
  const std::vector<std::byte> block = packed(noise, format);
  std::function<void()> feed = [&] {
    if (node.available_frames() < 20000) node.feed(std::span<const std::byte>(block));
    node.at(node.now_ns() + kMs, feed);
  };
  node.at(0, feed);
  const auto ran = node.run();
  std::ofstream(report) << (ran ? "no failure" : ran.error().message);
}

class SinkWavTrouble : public SinkWav, public ::testing::WithParamInterface<const char*> {
 protected:
  static sluice_sample_format samples_for(const std::string& name) {
    return name.ends_with("ogg") ? SLUICE_SAMPLE_F32 : SLUICE_SAMPLE_S16;
  }
  // One second of stereo noise that is repeated, as the file should hold it.
  static std::vector<int> repeated(const std::vector<int>& noise, size_t count) {
    std::vector<int> all(count);
    for (size_t i = 0; i < count; ++i) all[i] = noise[i % noise.size()];
    return all;
  }
  void expect_playable(const std::string& path, size_t least_frames, bool to_the_last_byte) {
    const std::vector<int> read = read_sound_int(path);
    EXPECT_GE(read.size() / 2, least_frames) << fs::file_size(path) << " bytes";
    if (samples_for(path) == SLUICE_SAMPLE_S16) {
      EXPECT_TRUE(read == repeated(noise_, read.size()));
    }
    WorkerDriver source("source.wav");
    source.set("path", path);
    ASSERT_TRUE(source.describe());
    ASSERT_TRUE(source.prepare(format_of(samples_for(path)), SLUICE_MODE_OFFLINE));
    ASSERT_TRUE(source.run());
    EXPECT_EQ(source.frames_written(), read.size() / 2);
    if (to_the_last_byte) {
      EXPECT_THAT(source.log_lines(), IsEmpty());
    }
  }
  const std::vector<int> noise_ = int_noise(2 * 48000, 16);
};

TEST_P(SinkWavTrouble, FileSizeLimit_reached_fails_with_a_sentence_and_a_playable_file) {
  const std::string path = folder_ / GetParam(), report = folder_ / "report";
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1'000'001, 1'000'001};
    setrlimit(RLIMIT_FSIZE, &limit);
    write_until_it_fails(path, samples_for(path), noise_, report);
    _exit(0);
  }
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_THAT(content_of(report), StartsWith("Writing '" + path + "' failed after "));
  EXPECT_THAT(content_of(report), HasSubstr("File too large. What was written can be played."));
  expect_playable(path, 200000, true);
  if (!path.ends_with(".flac") && !path.ends_with(".ogg")) {
    const auto header = WavHeader::of_file(format_of(SLUICE_SAMPLE_S16), 0, false);
    EXPECT_EQ(fs::file_size(path), header.bytes().size() + sound_info(path).frames * 4);
  }
}

TEST_P(SinkWavTrouble, Disk_full_fails_with_a_sentence_and_a_playable_file) {
  const std::string report = folder_ / "report", copy = folder_ / GetParam();
  const pid_t child = fork();
  if (child == 0) {
    // A small disk of its own, in name spaces of its own.
    if (geteuid() != 0 && unshare(CLONE_NEWUSER) != 0) _exit(77);
    if (unshare(CLONE_NEWNS) != 0) _exit(77);
    mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    const std::string disk = folder_ / "disk";
    fs::create_directory(disk);
    if (mount("none", disk.c_str(), "tmpfs", 0, "size=1000k") != 0) _exit(77);
    const std::string path = disk + "/" + GetParam();
    write_until_it_fails(path, samples_for(path), noise_, report);
    fs::copy_file(path, copy);
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "no mount name spaces here";
  EXPECT_THAT(content_of(report), HasSubstr("No space left on device. What was written can be"));
  expect_playable(copy, 200000, true);
}

TEST_P(SinkWavTrouble, Process_killed_leaves_a_playable_file) {
  const std::string path = folder_ / GetParam();
  const pid_t child = fork();
  if (child == 0) {
    write_until_it_fails(path, samples_for(path), noise_, folder_ / "report");
    _exit(0);
  }
  std::error_code none_yet;
  while (fs::file_size(path, none_yet) < 1'500'000 || none_yet) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  kill(child, SIGKILL);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  // What 1.5 MB hold at the least, less the last second (Ogg).
  expect_playable(path, 300000, false);
}

INSTANTIATE_TEST_SUITE_P(Containers, SinkWavTrouble,
                         ::testing::Values("take.wav", "take.rf64", "take.flac", "take.ogg"),
                         [](const auto& test) { return std::string(test.param + 5); });

}  // namespace
}  // namespace sluice::tests
