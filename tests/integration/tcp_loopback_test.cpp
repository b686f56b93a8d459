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
#include "tests/support/worker_driver.hpp"

namespace sluice::tests {
namespace {

using engine::Engine;
using engine::EngineOptions;
using engine::Node;
using engine::TimeMode;

constexpr sluice_format kCounter{sizeof(sluice_format), SLUICE_SAMPLE_S16, 2, 48000};

using Values = std::map<std::string, std::variant<double, std::string>>;

Node& add(Engine& engine, const std::string& type_id, const Values& given) {
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
  for (auto& port : node.inputs) port->format = kCounter;
  for (auto& port : node.outputs) port->format = kCounter;
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

TEST(TcpLoopback, Virtual_time_ten_minutes_take_ten_minutes_and_lose_nothing) {
  Engine* running = nullptr;
  engine::MemoryNetwork network([&] { return running ? running->clock().now_ns() : 0; });
  EngineOptions engine_options;
  engine_options.time = TimeMode::kVirtual;
  engine_options.network = &network;
  Engine engine(engine_options);
  running = &engine;
  network.set_path("127.0.0.1", {.delay_ns = 5'000'000});
  const Outcome outcome = send_to_itself(engine, 4953, 600'000);
  EXPECT_EQ(outcome.how, Engine::Outcome::kFinished);
  EXPECT_EQ(outcome.sent, uint64_t{600} * 48000);
  EXPECT_EQ(outcome.received, outcome.sent);
  EXPECT_EQ(outcome.taken, outcome.received);
  // The last chunk leaves lead_ms before its time; connecting and the last farewell take 20 ms.
  EXPECT_NEAR(static_cast<double>(outcome.took_ns), (600 - 0.2) * 1e9, 30e6);
}

}  // namespace
}  // namespace sluice::tests
