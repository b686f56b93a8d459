#include "host/engine/engine.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "tests/support/engine_nodes.hpp"

namespace sluice::engine {
namespace {

using tests::Collected;
using tests::CollectingSink;
using tests::CopyFilter;
using tests::CountingSource;
using tests::HoldFilter;

constexpr sluice_format kStereo{sizeof(sluice_format), SLUICE_SAMPLE_F32, 2, 48000};

class EngineTest : public ::testing::TestWithParam<TimeMode> {
 protected:
  void SetUp() override { CollectingSink::collected = &collected_; }

  template <typename T>
  Node& add(Engine& engine, const std::string& id, std::vector<double> numbers = {}) {
    const sluice_type& type = TypeOf<T>::kType;
    std::vector<ParameterValue> values(type.parameter_count);
    for (size_t i = 0; i < values.size(); ++i) {
      values[i].number = i < numbers.size() ? numbers[i] : type.parameters[i].default_number;
    }
    auto node = engine.add(id, type, std::move(values));
    EXPECT_TRUE(node);
    for (auto& port : (*node)->inputs) port->format = kStereo;
    for (auto& port : (*node)->outputs) port->format = kStereo;
    return **node;
  }
  static Edge& join(Engine& engine, Node& from, Node& to, const EdgeOptions& options = {}) {
    return engine.connect(*from.outputs[0], *to.inputs[0], options);
  }
  Engine::Outcome play(Engine& engine) {
    const auto prepared = engine.prepare();
    EXPECT_TRUE(prepared) << prepared.error().message;
    EXPECT_TRUE(engine.start());
    const auto outcome = engine.run(engine.clock().now_ns() + 20'000'000'000);
    engine.stop();
    return outcome;
  }
  static EngineOptions options() {
    EngineOptions options;
    options.time = GetParam();
    return options;
  }
  void expect_counted(uint64_t frames) {
    ASSERT_EQ(collected_.samples.size(), frames);
    for (size_t i = 0; i < frames; ++i) {
      ASSERT_EQ(collected_.samples[i], static_cast<float>(i + 1)) << "frame " << i;
    }
  }

  Collected collected_;
};

TEST_P(EngineTest, Chain_through_filters_arrives_whole) {
  Engine engine(options());
  Node& source = add<CountingSource>(engine, "source", {100'000});
  Node& copy = add<CopyFilter>(engine, "copy");
  Node& more = add<CopyFilter>(engine, "more");
  Node& sink = add<CollectingSink>(engine, "sink");
  join(engine, source, copy);
  join(engine, copy, more);
  join(engine, more, sink);
  EXPECT_EQ(play(engine), Engine::Outcome::kFinished);
  expect_counted(100'000);
}

TEST_P(EngineTest, Hold_larger_than_blocks_plays) {
  Engine engine(options());
  Node& source = add<CountingSource>(engine, "source", {100'000});
  Node& hold = add<HoldFilter>(engine, "hold", {48'000});
  Node& sink = add<CollectingSink>(engine, "sink");
  join(engine, source, hold);
  join(engine, hold, sink);
  EXPECT_EQ(play(engine), Engine::Outcome::kFinished);
  expect_counted(100'000);
}

TEST_P(EngineTest, Diamond_with_holding_branch_sums_both) {
  Engine engine(options());
  Node& source = add<CountingSource>(engine, "source", {200'000});
  Node& hold = add<HoldFilter>(engine, "hold", {48'000});
  Node& copy = add<CopyFilter>(engine, "copy");
  Node& sink = add<CollectingSink>(engine, "sink");
  join(engine, source, hold);
  join(engine, source, copy);
  join(engine, hold, sink);
  join(engine, copy, sink);
  EXPECT_EQ(play(engine), Engine::Outcome::kFinished);
  ASSERT_EQ(collected_.samples.size(), 200'000U);
  for (size_t i = 0; i < collected_.samples.size(); ++i) {
    ASSERT_EQ(collected_.samples[i], 2.0F * static_cast<float>(i + 1)) << "frame " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(, EngineTest, ::testing::Values(TimeMode::kVirtual, TimeMode::kReal),
                         [](const auto& mode) {
                           return mode.param == TimeMode::kVirtual ? "Virtual" : "Real";
                         });

}  // namespace
}  // namespace sluice::engine
