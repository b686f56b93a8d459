// Bridges in a graph that plays and changes, in virtual time: a sender over a network in memory,
// and sinks that keep the host's time.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "host/engine/net/memory_network.hpp"
#include "host/session/clock_map.hpp"
#include "host/session/ledger.hpp"
#include "tests/unit/session/session_world.hpp"

namespace sluice::session {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// What comes in over the wire has the sender's clock.
constexpr const char* kNodes = R"(
  "tone": {"type": "source.tone", "params": {"live": true, "channels": 2}},
  "out": {"type": "sink.tcp", "params": {"host": "127.0.0.1", "port": 4953}},
  "in": {"type": "source.tcp", "params": {"port": 4953, "format": "f32"}},
  "hub": "filter.gain",
  "a": {"type": "sink.null", "params": {"pace": "real-time"}},
  "b": {"type": "sink.null", "params": {"pace": "real-time"}})";

std::string graph_with(const std::string& edges) {
  return std::string(R"({"sluice": 1, "nodes": {)") + kNodes + R"(}, "edges": ["tone -> out", )" +
         edges + "]}";
}

class SessionClocks : public ::testing::Test {
 protected:
  void play(const std::string& edges) {
    world = std::make_unique<SessionWorld>(graph_with(edges), &network);
    ASSERT_TRUE(world->session);
    world->run_for(2000 * kMsNs);
  }
  void TearDown() override {
    if (world && world->session) world->expect_accounted();
    world.reset();
  }
  std::string change(const std::string& operation) {
    const ChangeResult result = world->change(operations({operation}));
    world->settle();
    return result.status.ok() ? "" : result.status.error().message;
  }
  std::string connect(const std::string& edge) {
    return change(R"({"op": "connect", "edge": ")" + edge + "\"}");
  }
  std::string disconnect(const std::string& edge) {
    return change(R"({"op": "disconnect", "edge": ")" + edge + "\"}");
  }
  // "writer -> reader" of every bridge that runs.
  std::vector<std::string> bridges() {
    std::vector<std::string> found;
    for (const auto& in : world->engine().edges()) {
      if (!is_bridge(in->to.node)) continue;
      for (const auto& out : world->engine().edges()) {
        if (&out->from.node != &in->to.node) continue;
        found.push_back(in->from.node.id() + " -> " + out->to.node.id());
        EXPECT_EQ(out->when_full, engine::WhenFull::kSkip);
        EXPECT_EQ(value(in->to.node, "starts"), 1U) << in->to.node.id();
      }
    }
    std::sort(found.begin(), found.end());
    return found;
  }
  static uint64_t value(const engine::Node& node, std::string_view key) {
    for (uint32_t i = 0; i < node.type().statistic_count; ++i) {
      if (key == node.type().statistics[i].key) return node.slot(i);
    }
    ADD_FAILURE() << key;
    return 0;
  }
  // Everywhere but on the way to the sender, which has nobody to send to while nobody listens.
  uint64_t lost() {
    uint64_t frames = 0;
    for (const auto& edge : world->engine().edges()) {
      if (edge->to.node.id() == "out") continue;
      const uint64_t here = edge->lost_frames + edge->filled_frames;
      frames += here;
      if (here == 0) continue;
      const char* reason = edge->loss_reason;
      std::printf("%s -> %s: %d lost, %d filled, %s\n", edge->from.node.id().c_str(),
                  edge->to.node.id().c_str(), static_cast<int>(edge->lost_frames),
                  static_cast<int>(edge->filled_frames), reason ? reason : "");
    }
    return frames;
  }
  int64_t now_ns() { return world && world->session ? world->engine().clock().now_ns() : 0; }

  engine::MemoryNetwork network{[this] { return now_ns(); }};
  std::unique_ptr<SessionWorld> world;
};

TEST_F(SessionClocks, Edge_connected_across_clocks_comes_with_a_bridge_and_goes_with_it) {
  play(R"("in -> hub", "hub -> a")");
  EXPECT_THAT(bridges(), ElementsAre("hub -> a"));
  EXPECT_EQ(lost(), 0U);
  const size_t nodes = world->engine().nodes().size();
  EXPECT_EQ(connect("hub -> b"), "");
  EXPECT_THAT(bridges(), ElementsAre("hub -> a", "hub -> b"));
  world->run_for(3000 * kMsNs);
  EXPECT_EQ(lost(), 0U);
  EXPECT_EQ(disconnect("hub -> b"), "");
  EXPECT_THAT(bridges(), ElementsAre("hub -> a"));
  EXPECT_EQ(world->engine().nodes().size(), nodes);
  world->run_for(1000 * kMsNs);
  EXPECT_EQ(lost(), 0U);
}

TEST_F(SessionClocks, What_joins_a_running_mix_is_bridged_to_the_clock_that_it_has) {
  play(R"("in -> hub", "hub -> a")");
  EXPECT_EQ(connect("tone -> hub"), "");
  EXPECT_THAT(bridges(), ElementsAre("hub -> a", "tone -> hub"));
  world->run_for(3000 * kMsNs);
  EXPECT_EQ(lost(), 0U);
}

TEST_F(SessionClocks, Bridge_that_nothing_drives_any_more_is_taken_out) {
  play(R"("in -> hub", "hub -> a")");
  EXPECT_EQ(connect("tone -> hub"), "");
  EXPECT_EQ(disconnect("in -> hub"), "");
  // Of the two bridges around the hub one is left at most: the hub has the tone's clock now.
  for (const std::string& bridge : bridges()) EXPECT_EQ(bridge, "hub -> a");
  world->run_for(3000 * kMsNs);
  EXPECT_EQ(lost(), 0U);
}

TEST_F(SessionClocks, Within_one_clock_nothing_is_put_in) {
  play(R"("in -> a")");
  EXPECT_EQ(connect("tone -> b"), "");
  EXPECT_THAT(bridges(), ElementsAre("in -> a"));
  EXPECT_EQ(disconnect("in -> a"), "");
  EXPECT_THAT(bridges(), IsEmpty());
}

TEST_F(SessionClocks, Delay_counts_once_whatever_is_put_in) {
  // Channels and rate are adapted on the delayed way: three hops.
  world = std::make_unique<SessionWorld>(R"({"sluice": 1, "nodes": {
    "quiet": {"type": "source.tone", "params": {"live": true, "level_db": -144}},
    "tone": {"type": "source.tone", "params": {"live": true, "channels": 1, "rate_hz": 44100}},
    "hub": "filter.gain",
    "wav": {"type": "sink.wav", "params": {"path": "heard.wav"}}
  }, "edges": ["quiet -> hub", {"from": "tone", "to": "hub", "delay_ms": 250}, "hub -> wav"]})");
  ASSERT_TRUE(world->session);
  EXPECT_GE(world->session->player().plan().edges[1].hops.size(), 3U);
  world->run_for(500 * kMsNs);
  const std::string path = world->folder / "heard.wav";
  world->session->player().stop();
  const std::vector<float> heard = tests::read_sound_float(path);
  const auto first = std::find_if(heard.begin(), heard.end(),
                                  [](float sample) { return std::abs(sample) > 0.01F; });
  EXPECT_NEAR(static_cast<double>(first - heard.begin()) / 2 / 48.0, 250.0, 3.0);
}

TEST_F(SessionClocks, Delayed_edge_out_of_a_bridge_keeps_it_at_its_target) {
  play(R"("in -> hub", {"from": "hub", "to": "a", "delay_ms": 300})");
  world->run_for(5000 * kMsNs);
  EXPECT_THAT(bridges(), ElementsAre("hub -> a"));
  EXPECT_EQ(lost(), 0U);
}

// Two ways of one tone: one through a gate that looks 80 ms back, one straight.
constexpr const char* kRooms = R"({"sluice": 1, "nodes": {
    "tone": {"type": "source.tone", "params": {"live": true, "frequency_hz": 997}},
    "hub": "filter.gain",
    "gate": {"type": "filter.gate",
             "params": {"closed": "zeros", "lookback_ms": 80, "open_db": -90, "close_db": -100}},
    "far": {"type": "sink.wav", "params": {"path": "far.wav"}},
    "near": {"type": "sink.wav", "params": {"path": "near.wav"}}
  }, "edges": ["tone -> hub", "gate -> far"],
  "routes": {"one": ["hub -> near"], "both": ["hub -> near", "hub -> gate"],
    "together": {"edges": ["hub -> near", "hub -> gate"], "align": true}},
  "route": ")";
constexpr uint64_t kLookBackFrames = 80 * 48;

std::string rooms(const std::string& route) { return std::string(kRooms) + route + "\"}"; }

uint64_t delay_of(SessionWorld& world, const std::string& from, const std::string& to) {
  for (const auto& edge : world.engine().edges()) {
    if (edge->from.node.id() == from && edge->to.node.id() == to) return edge->options.delay_frames;
  }
  ADD_FAILURE() << from << " -> " << to;
  return 0;
}

TEST_F(SessionClocks, Aligned_route_is_heard_at_one_time_to_the_frame) {
  world = std::make_unique<SessionWorld>(rooms("together"));
  ASSERT_TRUE(world->session);
  world->run_for(2000 * kMsNs);
  const std::string near = world->folder / "near.wav", far = world->folder / "far.wav";
  EXPECT_EQ(lost(), 0U);
  world->session->player().stop();
  // The gate's own way is late by what it looks back; the other is so by its delay.
  const std::vector<float> a = tests::read_sound_float(far), b = tests::read_sound_float(near);
  ASSERT_GT(std::min(a.size(), b.size()), 2 * 90'000U);
  for (size_t i = 0; i < 2 * (kLookBackFrames - 1); ++i) ASSERT_EQ(b[i], 0.0F) << i;
  // From where the gate has opened on.
  for (size_t i = 2 * 24'000; i < std::min(a.size(), b.size()); ++i) ASSERT_EQ(a[i], b[i]) << i;
}

TEST_F(SessionClocks, Route_without_align_is_not_delayed) {
  world = std::make_unique<SessionWorld>(rooms("both"));
  ASSERT_TRUE(world->session);
  world->run_for(1000 * kMsNs);
  EXPECT_EQ(delay_of(*world, "hub", "near"), 0U);
}

TEST_F(SessionClocks, Alignment_comes_and_goes_with_its_route) {
  world = std::make_unique<SessionWorld>(rooms("one"));
  ASSERT_TRUE(world->session);
  world->run_for(500 * kMsNs);
  EXPECT_EQ(delay_of(*world, "hub", "near"), 0U);
  for (const char* name : {"together", "one", "together"}) {
    const bool is_aligned = std::string_view(name) == "together";
    EXPECT_TRUE(world->change(route(name)).status.ok());
    world->settle();
    world->run_for(500 * kMsNs);
    EXPECT_EQ(delay_of(*world, "hub", "near"), is_aligned ? kLookBackFrames : 0U) << name;
  }
  EXPECT_EQ(lost(), 0U);
}

// "near 80, far 80"
std::string foreseen(SessionWorld& world, const std::string& name) {
  ChangeRequest request = route(name);
  request.is_dry_run = true;
  const ChangeResult result = world.change(request);
  EXPECT_TRUE(result.status.ok());
  std::string ways;
  for (const graph::Value& way : result.plan.find("latency")->elements()) {
    ways += (ways.empty() ? "" : ", ") + way.find("sink")->text() + " " +
            graph::to_json(*way.find("expected_ms"));
  }
  return ways;
}

TEST_F(SessionClocks, Dry_run_foresees_the_latency_of_each_way_and_leaves_all_as_it_was) {
  world = std::make_unique<SessionWorld>(rooms("one"));
  ASSERT_TRUE(world->session);
  world->run_for(500 * kMsNs);
  EXPECT_EQ(foreseen(*world, "both"), "far 80, near 0");
  EXPECT_EQ(foreseen(*world, "together"), "far 80, near 80");
  EXPECT_TRUE(world->session->is_settled());
  EXPECT_TRUE(world->change(route("together")).status.ok());
  world->settle();
  world->run_for(500 * kMsNs);
  EXPECT_EQ(foreseen(*world, "together"), "far 80, near 80");
  EXPECT_EQ(foreseen(*world, "one"), "far 80, near 0");
  EXPECT_EQ(delay_of(*world, "hub", "near"), kLookBackFrames);
  EXPECT_EQ(lost(), 0U);
}

TEST_F(SessionClocks, Slower_way_that_joins_an_aligned_route_delays_the_others_anew) {
  world = std::make_unique<SessionWorld>(rooms("together"));
  ASSERT_TRUE(world->session);
  world->run_for(500 * kMsNs);
  EXPECT_EQ(change(R"({"op": "set", "target": "gate.lookback_ms", "value": 120})"), "");
  world->run_for(500 * kMsNs);
  EXPECT_EQ(delay_of(*world, "hub", "near"), 120U * 48);
  for (const LatencyLedger& ledger : latency_ledgers(world->engine().snapshot())) {
    EXPECT_NEAR(ledger.declared_ms, 120.0, 0.02) << ledger.sink;
  }
  EXPECT_EQ(lost(), 0U);
}

TEST_F(SessionClocks, Bridge_counts_in_what_is_aligned) {
  world = std::make_unique<SessionWorld>(
      std::string(R"({"sluice": 1, "nodes": {)") + kNodes +
          R"(, "c": "sink.null"}, "edges": ["tone -> out", "in -> hub"],
      "routes": {"all": {"edges": ["hub -> a", "hub -> c"], "align": true}}})",
      &network);
  ASSERT_TRUE(world->session);
  world->run_for(3000 * kMsNs);
  EXPECT_THAT(bridges(), ElementsAre("hub -> a"));
  const auto ledgers = latency_ledgers(world->engine().snapshot());
  double late_ms[2] = {0, 0};
  for (const LatencyLedger& ledger : ledgers) {
    if (ledger.sink == "a") late_ms[0] = ledger.declared_ms;
    if (ledger.sink == "c") late_ms[1] = ledger.declared_ms;
  }
  EXPECT_GT(late_ms[0], 20.0);
  EXPECT_NEAR(late_ms[0], late_ms[1], 0.02);
}

}  // namespace
}  // namespace sluice::session
