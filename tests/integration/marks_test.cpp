// Marks through every filter that comes along: they stay with their frames.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "host/engine/engine.hpp"
#include "tests/support/engine_nodes.hpp"
#include "tests/support/worker_driver.hpp"

namespace sluice::tests {
namespace {

using engine::Engine;
using engine::Node;

constexpr sluice_format kMono{sizeof(sluice_format), SLUICE_SAMPLE_F32, 1, 48000};
constexpr double kFrames = 40'000, kGapAt = 13'333, kSilentFrom = 15'000, kSilentTo = 22'345;

struct Case {
  const char* name;
  const char* type_id;
  std::map<std::string, double> numbers;
  double tolerance_frames = 0;  // what it smears over time
};

class Marks : public ::testing::TestWithParam<Case> {
 protected:
  Node& add(const sluice_type& type, const std::map<std::string, double>& numbers) {
    std::vector<engine::ParameterValue> values(type.parameter_count);
    for (uint32_t i = 0; i < type.parameter_count; ++i) {
      const sluice_parameter& parameter = type.parameters[i];
      const auto given = numbers.find(parameter.key);
      values[i].number = given != numbers.end() ? given->second : parameter.default_number;
      if (parameter.default_text) values[i].text = parameter.default_text;
    }
    Node& node = **engine_.add(type.id, type, std::move(values));
    for (auto& port : node.inputs) port->format = kMono;
    for (auto& port : node.outputs) port->format = kMono;
    return node;
  }

  Engine engine_{{.time = engine::TimeMode::kVirtual}};
};

TEST_P(Marks, Stay_with_their_frames) {
  const Case& it = GetParam();
  collected = {};
  Node& source = add(TypeOf<MarkingSource>::kType, {{"frames", kFrames},
                                                    {"gap_at", kGapAt},
                                                    {"silent_from", kSilentFrom},
                                                    {"silent_to", kSilentTo}});
  Node& filter = add(load_type(it.type_id), it.numbers);
  Node& sink = add(TypeOf<CollectingSink>::kType, {{"block", 333}});
  engine_.connect(*source.outputs[0], *filter.inputs[0], {});
  engine_.connect(*filter.outputs[0], *sink.inputs[0], {});
  const support::Status prepared = engine_.prepare();
  ASSERT_TRUE(prepared) << prepared.error().message;
  ASSERT_TRUE(engine_.start());
  ASSERT_EQ(engine_.run(engine_.clock().now_ns() + 100'000'000'000), Engine::Outcome::kFinished);
  engine_.stop();
  const auto latency = static_cast<double>(filter.outputs[0]->latency_frames);
  const std::vector<sluice_mark>& marks = collected[0].marks;
  ASSERT_EQ(marks.size(), 3u);
  const uint32_t kinds[] = {SLUICE_MARK_GAP, SLUICE_MARK_SILENCE_BEGINS, SLUICE_MARK_SILENCE_ENDS};
  const double places[] = {kGapAt, kSilentFrom, kSilentTo};
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(marks[i].kind, kinds[i]);
    EXPECT_NEAR(static_cast<double>(marks[i].position), places[i] + latency, it.tolerance_frames);
  }
  EXPECT_EQ(marks[0].value, 7u);
  // The frames themselves are where the marks say.
  const std::vector<float>& samples = collected[0].samples;
  const auto margin = static_cast<size_t>(it.tolerance_frames);
  const size_t begin = marks[1].position + margin, end = marks[2].position - margin;
  EXPECT_EQ(std::count(samples.begin() + static_cast<std::ptrdiff_t>(begin),
                       samples.begin() + static_cast<std::ptrdiff_t>(end), 0.0F),
            static_cast<std::ptrdiff_t>(end - begin));
  EXPECT_NE(samples.at(begin - 2 * margin - 1), 0.0F);
  EXPECT_NE(samples.at(end + 2 * margin), 0.0F);
}

INSTANTIATE_TEST_SUITE_P(
    , Marks,
    ::testing::Values(
        Case{"channels", "filter.channels", {}}, Case{"convert", "filter.convert", {}},
        Case{"gain", "filter.gain", {{"gain_db", -6.0}}},
        Case{"limiter", "filter.gain", {{"limiter", 1.0}}}, Case{"gate", "filter.gate", {}},
        Case{"gate_of_zeros", "filter.gate", {{"closed", 1.0}, {"lookback_ms", 50.0}}},
        Case{"prefill", "filter.prefill", {{"duration_ms", 100.0}}},
        Case{"resample", "filter.resample", {}}),
    [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace sluice::tests
