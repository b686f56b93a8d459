// A live source and a real-time sink in one graph, both at the host's clock.
#include <gtest/gtest.h>

#include <cstring>

#include "host/engine/engine.hpp"
#include "tests/support/worker_driver.hpp"

namespace sluice::tests {
namespace {

using engine::Engine;
using engine::EngineOptions;
using engine::Node;
using engine::TimeMode;

constexpr sluice_format kCounter{sizeof(sluice_format), SLUICE_SAMPLE_S16, 2, 44100};

Node& add(Engine& engine, const std::string& type_id,
          const std::vector<std::pair<std::string, double>>& numbers) {
  const sluice_type& type = load_type(type_id);
  std::vector<engine::ParameterValue> values(type.parameter_count);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i].number = type.parameters[i].default_number;
    for (const auto& [key, number] : numbers) {
      if (key == type.parameters[i].key) values[i].number = number;
    }
  }
  Node& node = **engine.add(type_id, type, std::move(values));
  for (auto& port : node.inputs) port->format = kCounter;
  for (auto& port : node.outputs) port->format = kCounter;
  return node;
}

TEST(Clocks, LiveSource_into_real_time_sink_for_an_hour_neither_drifts_nor_loses_a_frame) {
  EngineOptions options;
  options.time = TimeMode::kVirtual;
  Engine engine(options);
  Node& tone = add(engine, "source.tone",
                   {{"wave", 6}, {"live", 1}, {"rate_hz", 44100}, {"duration_ms", 3'600'000}});
  Node& sink = add(engine, "sink.null", {{"pace", 1}});
  engine.connect(*tone.outputs[0], *sink.inputs[0], {});
  ASSERT_TRUE(engine.prepare());
  ASSERT_TRUE(engine.start());
  const int64_t start_ns = engine.clock().now_ns();
  EXPECT_EQ(engine.run(start_ns + 4'000'000'000'000), Engine::Outcome::kFinished);
  EXPECT_NEAR(static_cast<double>(engine.clock().now_ns() - start_ns), 3600e9, 50e6);
  engine.stop();
  const engine::Snapshot snapshot = engine.snapshot();
  for (const auto& node : snapshot.nodes) {
    if (node.node != &sink) continue;
    EXPECT_EQ(node.statistics.at(0), uint64_t{3600} * 44100);
    EXPECT_EQ(node.statistics.at(1), 0u);
  }
  EXPECT_EQ(snapshot.edges.at(0).lost_frames, 0u);
  EXPECT_EQ(snapshot.outputs.at(0).dropped_frames, 0u);
}

}  // namespace
}  // namespace sluice::tests
