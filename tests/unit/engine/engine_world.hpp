// A graph of test nodes: short words to build one, run it and account for every frame.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "host/engine/engine.hpp"
#include "tests/support/engine_nodes.hpp"

namespace sluice::engine {

inline constexpr sluice_format kMono{sizeof(sluice_format), SLUICE_SAMPLE_F32, 1, 48000};
inline constexpr sluice_format kStereo{sizeof(sluice_format), SLUICE_SAMPLE_F32, 2, 48000};
inline constexpr int64_t kSecondNs = 1'000'000'000;

// What the nodes say.
class RecordingLog final : public NodeLog {
 public:
  void write(const std::string& node, uint32_t, const std::string& sentence) override {
    const std::lock_guard lock(mutex_);
    lines_.push_back(node + ": " + sentence);
  }
  std::vector<std::string> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

struct World {
  explicit World(TimeMode time, sluice_format all_ports = kStereo,
                 const std::function<void(EngineOptions&)>& change = {})
      : format(all_ports) {
    tests::collected = {};
    EngineOptions options;
    options.time = time;
    options.log = &log;
    // A busy machine lets threads wait for longer than a usual ring lasts.
    if (time == TimeMode::kReal) options.crossing_ms = 3000.0;
    if (change) change(options);
    engine = std::make_unique<Engine>(options);
  }
  ~World() {
    if (engine) engine->stop();
  }

  template <typename T>
  Node& add(const std::string& id, std::initializer_list<std::pair<int, double>> numbers = {}) {
    const sluice_type& type = TypeOf<T>::kType;
    std::vector<ParameterValue> values(type.parameter_count);
    for (size_t i = 0; i < values.size(); ++i) values[i].number = type.parameters[i].default_number;
    for (const auto& [index, number] : numbers) values[static_cast<size_t>(index)].number = number;
    auto node = engine->add(id, type, std::move(values));
    EXPECT_TRUE(node);
    for (auto& port : (*node)->inputs) port->format = format;
    for (auto& port : (*node)->outputs) port->format = format;
    return **node;
  }
  Edge& join(Node& from, Node& to, const EdgeOptions& options = {}, size_t output = 0,
             size_t input = 0) {
    return engine->connect(*from.outputs[output], *to.inputs[input], options);
  }
  // A chain of joins.
  void chain(std::initializer_list<Node*> nodes) {
    for (const auto* at = nodes.begin(); at + 1 != nodes.end(); ++at) join(*at[0], *at[1]);
  }

  void start() {
    const auto prepared = engine->prepare();
    ASSERT_TRUE(prepared) << prepared.error().message;
    const auto started = engine->start();
    ASSERT_TRUE(started) << started.error().message;
  }
  // Starts, runs to the end or `limit_ns` further, stops; says who waited for whom if it did not
  // end.
  Engine::Outcome play(int64_t limit_ns = 100 * kSecondNs) {
    start();
    const auto outcome = engine->run(engine->clock().now_ns() + limit_ns);
    if (outcome == Engine::Outcome::kStalled) waits = engine->describe_waits() + fills();
    engine->stop();
    expect_accounted();
    return outcome;
  }
  // Lets the graph run until `is_there`, however long that takes on a busy machine.
  void run_until(const std::function<bool()>& is_there) {
    const int64_t end_ns = engine->clock().now_ns() + 100 * kSecondNs;
    while (!is_there()) {
      ASSERT_LT(engine->clock().now_ns(), end_ns) << fills();
      engine->run(engine->clock().now_ns() + kSecondNs / 500);
    }
  }
  void run_until_read(const Edge& edge, uint64_t frames) {
    run_until([&] { return edge.read_frames >= frames; });
  }
  // Everything that is known of every edge.
  std::string fills() const {
    std::string text;
    for (const auto& edge : engine->edges()) {
      text += "\n  " + edge->from.node.id() + " (" + name_of(edge->from.node.state()) + ") -> " +
              edge->to.node.id() + " (" + name_of(edge->to.node.state()) + "): fill " +
              std::to_string(edge->is_wired ? edge->fill() : 0) + " of " +
              std::to_string(edge->from.ring->capacity_frames()) + ", lead " +
              std::to_string(edge->lead(edge->to.position())) + ", wanted " +
              std::to_string(edge->wanted_frames) + ", room wanted " +
              std::to_string(edge->least_room) + (edge->is_wired ? "" : ", not wired") +
              (edge->is_closed ? ", closed" : "") + (edge->has_end() ? ", ended" : "") +
              (edge->is_aligned ? "" : ", not aligned") +
              (edge->options.when_full == WhenFull::kSkip ? ", skips" : "") + ", ahead " +
              std::to_string(edge->ahead) + ", patience " +
              std::to_string(edge->options.fill_after_frames);
    }
    return text;
  }
  void expect_accounted() const {
    for (const auto& edge : engine->edges()) {
      if (!edge->from.is_pcm() || edge->is_new) continue;
      const uint64_t seen = edge->read_frames + edge->lost_frames + edge->attach_position;
      const std::string name = edge->from.node.id() + " -> " + edge->to.node.id();
      if (edge->is_closed) {
        EXPECT_EQ(seen + edge->unread_frames, edge->close_position) << name;
        EXPECT_LE(edge->close_position, edge->from.written()) << name;
      } else if (edge->is_wired) {
        EXPECT_EQ(seen + edge->fill(), edge->from.written()) << name;
      }
    }
  }

  sluice_format format;
  RecordingLog log;
  std::unique_ptr<Engine> engine;
  std::string waits;
};

inline const std::vector<float>& samples(size_t slot = 0) { return tests::collected[slot].samples; }

// first, first + step, ... without a hole.
inline void expect_counted(uint64_t frames, size_t slot = 0, float first = 1.0F,
                           float step = 1.0F) {
  ASSERT_EQ(samples(slot).size(), frames) << "slot " << slot;
  for (size_t i = 0; i < frames; ++i) {
    ASSERT_EQ(samples(slot)[i], first + step * static_cast<float>(i)) << "frame " << i;
  }
}

// Tests that hold in virtual and in real time.
class BothTimes : public ::testing::TestWithParam<TimeMode> {
 protected:
  static bool is_virtual() { return GetParam() == TimeMode::kVirtual; }
};

#define SLUICE_IN_BOTH_TIMES(suite)                                    \
  INSTANTIATE_TEST_SUITE_P(                                            \
      , suite, ::testing::Values(TimeMode::kVirtual, TimeMode::kReal), \
      [](const auto& mode) { return mode.param == TimeMode::kVirtual ? "Virtual" : "Real"; })

}  // namespace sluice::engine
