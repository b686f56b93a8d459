// Sound files through the real engine: source.wav -> sink.wav.
#include "tests/support/sound_files.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sndfile.h>

#include <cstring>

#include "host/engine/engine.hpp"
#include "tests/support/worker_driver.hpp"

namespace sluice::tests {
namespace {

using engine::Engine;
using engine::EngineOptions;
using engine::Node;
using engine::TimeMode;

struct Case {
  const char* name;
  int kind;
  const char* file;  // what is written
  sluice_sample_format format;
  uint32_t bits;
};

class SoundFiles : public ::testing::TestWithParam<std::tuple<Case, TimeMode>> {
 protected:
  static Node& add(Engine& engine, const std::string& type_id, const std::string& path,
                   const sluice_format& format) {
    const sluice_type& type = load_type(type_id);
    std::vector<engine::ParameterValue> values(type.parameter_count);
    for (size_t i = 0; i < values.size(); ++i) {
      values[i].number = type.parameters[i].default_number;
    }
    values[0].text = path;
    auto added = engine.add(type_id, type, std::move(values));
    EXPECT_TRUE(added) << added.error().message;
    Node& node = **added;
    for (auto& port : node.inputs) port->format = format;
    for (auto& port : node.outputs) port->format = format;
    return node;
  }
  TemporaryFolder folder_;
};

TEST_P(SoundFiles, File_to_file_is_bit_exact) {
  const auto& [c, time] = GetParam();
  const std::string from = folder_ / "from", to = folder_ / c.file;
  const std::vector<int> samples = int_noise(2 * 100'003, c.bits);
  write_sound(from, c.kind, 2, 48000, samples);
  EngineOptions options;
  options.time = time;
  options.is_offline = time == TimeMode::kVirtual;
  options.block_frames = options.is_offline ? 32768 : 1024;
  Engine engine(options);
  const sluice_format format{sizeof(sluice_format), c.format, 2, 48000};
  Node& source = add(engine, "source.wav", from, format);
  Node& sink = add(engine, "sink.wav", to, format);
  engine.connect(*source.outputs[0], *sink.inputs[0], {});
  const auto prepared = engine.prepare();
  ASSERT_TRUE(prepared) << prepared.error().message;
  ASSERT_TRUE(engine.start());
  EXPECT_EQ(engine.run(engine.clock().now_ns() + 20'000'000'000), Engine::Outcome::kFinished);
  engine.stop();
  if (c.format == SLUICE_SAMPLE_F32) {  // Vorbis: that it is all there
    EXPECT_EQ(read_sound_float(to).size(), samples.size());
  } else {
    EXPECT_TRUE(read_sound_int(to) == samples);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, SoundFiles,
    ::testing::Combine(
        ::testing::Values(
            Case{"s16", SF_FORMAT_WAV | SF_FORMAT_PCM_16, "to.wav", SLUICE_SAMPLE_S16, 16},
            Case{"s24", SF_FORMAT_WAV | SF_FORMAT_PCM_24, "to.wav", SLUICE_SAMPLE_S24, 24},
            Case{"s32", SF_FORMAT_WAV | SF_FORMAT_PCM_32, "to.rf64", SLUICE_SAMPLE_S32, 32},
            Case{"flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_24, "to.flac", SLUICE_SAMPLE_S24, 24},
            Case{"ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS, "to.ogg", SLUICE_SAMPLE_F32, 24}),
        ::testing::Values(TimeMode::kReal, TimeMode::kVirtual)),
    [](const auto& test) {
      return std::string(std::get<0>(test.param).name) +
             (std::get<1>(test.param) == TimeMode::kReal ? "_real" : "_virtual");
    });

}  // namespace
}  // namespace sluice::tests
