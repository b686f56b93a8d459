// sink.tcp into source.tcp in one graph: over a real loopback socket in real time, and over the
// in-memory network in virtual time.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <variant>
#include <vector>

#include "host/engine/engine.hpp"
#include "host/engine/net/memory_network.hpp"
#include "host/engine/net/socket_network.hpp"
#include "tests/support/sound_files.hpp"
#include "tests/support/worker_driver.hpp"

namespace sluice::tests {
namespace {

using engine::Engine;
using engine::EngineOptions;
using engine::Node;
using engine::TimeMode;

constexpr sluice_format kCounter{sizeof(sluice_format), SLUICE_SAMPLE_S16, 2, 48000};

using Values = std::map<std::string, std::variant<double, std::string>>;

Node& add(Engine& engine, const std::string& type_id, const Values& given,
          const sluice_format& format = kCounter) {
  const sluice_type& type = load_type(type_id);
  std::vector<engine::ParameterValue> values(type.parameter_count);
  for (size_t i = 0; i < values.size(); ++i) {
    const sluice_parameter& parameter = type.parameters[i];
    values[i].number = parameter.default_number;
    if (parameter.default_text) values[i].text = parameter.default_text;
    const auto found = given.find(parameter.key);
    if (found == given.end()) continue;
    if (const auto* number = std::get_if<double>(&found->second)) {
      values[i].number = *number;
    } else {
      values[i].text = std::get<std::string>(found->second);
    }
  }
  Node& node = **engine.add(type_id, type, std::move(values));
  for (auto& port : node.inputs) port->format = format;
  for (auto& port : node.outputs) port->format = format;
  return node;
}

uint64_t statistic(const engine::Snapshot& snapshot, const Node& node, const std::string& key) {
  for (const auto& entry : snapshot.nodes) {
    if (entry.node != &node) continue;
    const sluice_type& type = node.type();
    for (uint32_t i = 0; i < type.statistic_count; ++i) {
      if (key == type.statistics[i].key) return entry.statistics.at(i);
    }
  }
  ADD_FAILURE() << "no statistic " << key;
  return 0;
}

struct Outcome {
  Engine::Outcome how;
  int64_t took_ns;
  uint64_t sent, dropped, received, cut, taken;
};

// Numbered frames for `duration_ms` through the network to themselves.
Outcome send_to_itself(Engine& engine, uint16_t port, double duration_ms) {
  Node& tone = add(engine, "source.tone",
                   {{"wave", 6.0}, {"rate_hz", 48000.0}, {"duration_ms", duration_ms}});
  Node& sink =
      add(engine, "sink.tcp", {{"host", "127.0.0.1"}, {"port", static_cast<double>(port)}});
  Node& source = add(engine, "source.tcp",
                     {{"host", "127.0.0.1"}, {"port", static_cast<double>(port)}, {"until", 1.0}});
  Node& end = add(engine, "sink.null", {});
  engine.connect(*tone.outputs[0], *sink.inputs[0], {});
  engine.connect(*source.outputs[0], *end.inputs[0], {});
  const support::Status prepared = engine.prepare();
  EXPECT_TRUE(prepared) << prepared.error().message;
  const support::Status started = engine.start();
  EXPECT_TRUE(started) << started.error().message;
  const int64_t start_ns = engine.clock().now_ns();
  Outcome outcome{};
  outcome.how = engine.run(start_ns + static_cast<int64_t>(duration_ms * 1e6) + 30'000'000'000);
  outcome.took_ns = engine.clock().now_ns() - start_ns;
  engine.stop();
  const engine::Snapshot snapshot = engine.snapshot();
  outcome.sent = statistic(snapshot, sink, "frames_sent");
  outcome.dropped = statistic(snapshot, sink, "frames_dropped");
  outcome.received = statistic(snapshot, source, "frames");
  outcome.cut = statistic(snapshot, source, "cut_frames");
  outcome.taken = statistic(snapshot, end, "frames");
  return outcome;
}

TEST(TcpLoopback, Real_sockets_every_frame_arrives_and_the_graph_ends) {
  const engine::MonotonicClock clock;
  engine::SocketNetwork network([&] { return clock.now_ns(); });
  sluice_stream_options options{};
  options.struct_size = sizeof(options);
  auto probe = network.listen("127.0.0.1", 0, options);
  ASSERT_TRUE(probe);
  const uint16_t port = network.listener_port(*probe);
  network.close_listener(*probe);
  EngineOptions engine_options;
  engine_options.network = &network;
  Engine engine(engine_options);
  const Outcome outcome = send_to_itself(engine, port, 1500);
  EXPECT_EQ(outcome.how, Engine::Outcome::kFinished);
  EXPECT_EQ(outcome.sent + outcome.dropped, 72'000u);
  EXPECT_EQ(outcome.received, outcome.sent);
  EXPECT_EQ(outcome.taken, outcome.received);
  EXPECT_EQ(outcome.cut, 0u);
}

// An engine in virtual time, on a network in memory.
struct VirtualWorld {
  explicit VirtualWorld(int64_t delay_ns) {
    network.set_path("127.0.0.1", {.delay_ns = delay_ns});
    running = &engine;
  }

  Engine* running = nullptr;
  engine::MemoryNetwork network{[this] { return running ? running->clock().now_ns() : 0; }};
  Engine engine{[this] {
    EngineOptions options;
    options.time = TimeMode::kVirtual;
    options.network = &network;
    return options;
  }()};
};

TEST(TcpLoopback, Virtual_time_ten_minutes_take_ten_minutes_and_lose_nothing) {
  VirtualWorld world(5'000'000);
  Engine& engine = world.engine;
  const Outcome outcome = send_to_itself(engine, 4953, 600'000);
  EXPECT_EQ(outcome.how, Engine::Outcome::kFinished);
  EXPECT_EQ(outcome.sent, uint64_t{600} * 48000);
  EXPECT_EQ(outcome.received, outcome.sent);
  EXPECT_EQ(outcome.taken, outcome.received);
  // The last chunk leaves lead_ms before its time; connecting and the last farewell take 20 ms.
  EXPECT_NEAR(static_cast<double>(outcome.took_ns), (600 - 0.2) * 1e9, 30e6);
}

// An impulse a second: what is between them is deep sleep, and each is the first sound after it.
// The gate gives nothing or zeros meanwhile.
class DeepSleep : public ::testing::TestWithParam<bool> {};

INSTANTIATE_TEST_SUITE_P(, DeepSleep, ::testing::Bool(),
                         [](const auto& zeros) { return zeros.param ? "zeros" : "nothing"; });

TEST_P(DeepSleep, Each_sound_that_wakes_is_heard_from_its_start_to_its_end) {
  constexpr sluice_format kFloats{sizeof(sluice_format), SLUICE_SAMPLE_F32, 2, 48000};
  constexpr size_t kImpulses = 12;
  const TemporaryFolder folder;
  VirtualWorld world(20'000'000);
  Engine& engine = world.engine;
  std::vector<Node*> chain{
      &add(engine, "source.tone",
           {{"wave", 5.0}, {"live", 1.0}, {"level_db", 0.0}, {"duration_ms", kImpulses * 1000.0}},
           kFloats),
      &add(engine, "filter.gate",
           {{"hold_ms", 200.0}, {"lookback_ms", 80.0}, {"closed", GetParam() ? 1.0 : 0.0}},
           kFloats),
      &add(engine, "filter.prefill", {{"duration_ms", 120.0}}, kFloats),
      &add(engine, "sink.tcp", {{"deep_sleep_ms", 300.0}, {"lead_ms", 100.0}}, kFloats)};
  Node& source = add(engine, "source.tcp", {{"format", 0.0}}, kFloats);
  Node& file = add(engine, "sink.wav", {{"path", folder / "heard.wav"}}, kFloats);
  for (size_t i = 1; i < chain.size(); ++i) {
    engine.connect(*chain[i - 1]->outputs[0], *chain[i]->inputs[0], {});
  }
  engine.connect(*source.outputs[0], *file.inputs[0], {});
  ASSERT_TRUE(engine.prepare());
  ASSERT_TRUE(engine.start());
  engine.run(engine.clock().now_ns() + int64_t{kImpulses + 5} * 1'000'000'000);
  engine.stop();
  const engine::Snapshot snapshot = engine.snapshot();
  EXPECT_EQ(statistic(snapshot, *chain[3], "sleeps"), kImpulses);
  EXPECT_EQ(statistic(snapshot, *chain[3], "connections"), kImpulses);
  EXPECT_EQ(statistic(snapshot, *chain[3], "underruns"), 0u);
  // 80 ms before each, at least, and each as loud as it was.
  const std::vector<float> heard = read_sound_float(folder / "heard.wav");
  if (!GetParam()) {
    EXPECT_EQ(heard.size() / 2, chain[1]->outputs[0]->ring->written());
  }
  std::vector<size_t> places;
  for (size_t i = 0; i < heard.size(); i += 2) {
    if (heard[i] != 0.0F) places.push_back(i / 2);
  }
  ASSERT_EQ(places.size(), kImpulses);
  for (size_t i = 1; i < kImpulses; ++i) {
    EXPECT_EQ(heard[places[i] * 2], heard[places[0] * 2]);
    EXPECT_GE(places[i] - places[i - 1], 3840u + 9600u);
  }
}

}  // namespace
}  // namespace sluice::tests
