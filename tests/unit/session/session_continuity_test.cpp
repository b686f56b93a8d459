// What goes on through a change: counts of what is replaced, the sound of an edge whose delay
// changes, and that of a mix with a branch that nothing feeds.
#include <cmath>
#include <numbers>

#include "host/session/glitch_record.hpp"
#include "host/session/statistics.hpp"
#include "tests/unit/session/session_world.hpp"

namespace sluice::session {
namespace {

const graph::Value& at(const graph::Value& object, std::initializer_list<const char*> path) {
  static const graph::Value nothing;
  const graph::Value* value = &object;
  for (const char* key : path) {
    value = value->find(key);
    if (!value) return nothing;
  }
  return *value;
}

struct Counts {
  int64_t frames, written, read;
};

Counts counts_of(SessionWorld& world) {
  const graph::Value all = to_json(world.engine().snapshot(), 0);
  return {at(all, {"nodes", "end", "statistics", "frames"}).integer(),
          at(all, {"outputs", "hub.out", "written_frames"}).integer(),
          at(all, {"edges", "hub.out->end.in", "read_frames"}).integer()};
}

uint64_t counter_of(SessionWorld& world, const std::string& sink) {
  const graph::Value all = to_json(world.engine().snapshot(), 0);
  return static_cast<uint64_t>(at(all, {"nodes", sink.c_str(), "statistics", "frames"}).integer());
}

TEST(SessionContinuity, Replaced_node_goes_on_counting_where_the_old_one_was) {
  SessionWorld world(R"({"sluice": 1, "nodes": {
    "tone": {"type": "source.tone", "params": {"channels": 1, "live": true}},
    "hub": "filter.gain", "end": "sink.null"}, "edges": ["tone -> hub -> end"]})");
  ASSERT_TRUE(world.session);
  GlitchRecord glitches;
  world.run_for(200 * kMsNs);
  Counts before = counts_of(world);
  EXPECT_GT(before.frames, 9000);
  for (const char* operation : {R"({"op": "set", "target": "end.pace", "value": "real-time"})",
                                R"({"op": "set", "target": "hub.limiter", "value": "on"})",
                                R"({"op": "set", "target": "end.pace", "value": "free"})"}) {
    bool is_done = false;
    world.session->change(operations({operation}), [&](const ChangeResult& result) {
      EXPECT_TRUE(result.status.ok()) << result.status.error().message;
      is_done = true;
    });
    // While the new one warms up, turns and settles no count steps back.
    for (int i = 0; i < 200; ++i) {
      world.run_for(kMsNs);
      EXPECT_TRUE(glitches.look(world.engine().snapshot(), 0).empty());
      const Counts now = counts_of(world);
      EXPECT_GE(now.frames, before.frames);
      EXPECT_GE(now.written, before.written);
      EXPECT_GE(now.read, before.read);
      before = now;
    }
    EXPECT_TRUE(is_done);
    world.settle();
    world.expect_accounted();
  }
  // All that the source wrote, but for what the warming up went over twice.
  const double written = static_cast<double>(world.node("tone").outputs[0]->written());
  EXPECT_NEAR(static_cast<double>(before.written), written, 4800.0);
  EXPECT_NEAR(static_cast<double>(before.frames), written, 9600.0);
}

TEST(SessionContinuity, Delay_of_an_edge_changes_by_a_cross_fade_and_loses_nothing) {
  SessionWorld world(R"({"sluice": 1, "nodes": {
    "tone": {"type": "source.tone", "params": {"level_db": -1, "frequency_hz": 997.3,
             "channels": 1, "live": true}},
    "mix": "filter.gain",
    "out": {"type": "sink.wav", "params": {"path": "out.wav"}},
    "other": {"type": "sink.wav", "params": {"path": "other.wav"}}},
    "edges": [{"from": "tone", "to": "mix", "buffer_ms": 2000}, "mix -> out", "tone -> other"]})");
  ASSERT_TRUE(world.session);
  struct Step {
    uint64_t frame;
    int64_t delay_frames;
  };
  std::vector<Step> steps{{0, 0}};
  world.run_for(700 * kMsNs);
  const engine::Node* const mix = &world.node("mix");
  for (const int delay_ms : {100, 35, 500, 0}) {
    bool is_done = false;
    const int64_t asked_ns = world.engine().clock().now_ns();
    world.session->change(operations({R"({"op": "set", "target": "tone->mix:delay_ms", "value": )" +
                                      std::to_string(delay_ms) + "}"}),
                          [&](const ChangeResult& result) {
                            ASSERT_TRUE(result.status.ok()) << result.status.error().message;
                            steps.push_back({mix->inputs[0]->position(), delay_ms * int64_t{48}});
                            is_done = true;
                          });
    for (int i = 0; i < 2000 && !is_done; ++i) world.run_for(kMsNs);
    ASSERT_TRUE(is_done);
    // The frames lie in the buffer already: nobody waits until they are old enough.
    EXPECT_LT(world.engine().clock().now_ns() - asked_ns, 100 * kMsNs) << delay_ms;
    world.settle();
    world.run_for(100 * kMsNs);
    world.expect_accounted();
    EXPECT_EQ(mix, &world.node("mix"));
    EXPECT_EQ(mix->inputs[0]->edges[0]->lost_frames, 0U);
  }
  world.session->player().stop();

  const auto heard = tests::read_sound_float(world.folder / "out.wav");
  const auto tone = tests::read_sound_float(world.folder / "other.wav");
  ASSERT_GT(heard.size(), 50'000U);
  constexpr uint64_t kRampFrames = 1440;
  size_t next = 1;
  int64_t from = 0, to = 0;
  uint64_t since = 0;
  for (size_t i = 0; i < heard.size(); ++i) {
    if (next < steps.size() && steps[next].frame == i) {
      from = to;
      to = steps[next++].delay_frames;
      since = i;
    }
    const auto sample = [&](int64_t delay) {
      const int64_t place = static_cast<int64_t>(i) - delay;
      return place < 0 ? 0.0 : static_cast<double>(tone[static_cast<size_t>(place)]);
    };
    const double k = static_cast<double>(std::min<uint64_t>(i - since + 1, kRampFrames));
    const double weight = 0.5 * (1 - std::cos(std::numbers::pi * k / kRampFrames));
    ASSERT_NEAR(heard[i], sample(from) * (1 - weight) + sample(to) * weight, 1e-5) << i;
  }
  EXPECT_EQ(next, steps.size());
}

uint64_t read_by(SessionWorld& world, const std::string& from, const std::string& to) {
  uint64_t frames = 0;
  for (const auto& edge : world.engine().edges()) {
    if (edge->from.node.id() == from && edge->to.node.id() == to) frames += edge->read_frames;
  }
  return frames;
}

TEST(SessionContinuity, Mix_goes_on_without_a_branch_that_lost_its_last_source) {
  SessionWorld world(R"({"sluice": 1, "nodes": {
    "a": {"type": "source.tone", "params": {"frequency_hz": 997, "channels": 1, "live": true}},
    "b": {"type": "source.tone", "params": {"frequency_hz": 441, "channels": 1, "live": true}},
    "g": {"type": "filter.gain", "params": {"limiter": "on"}},
    "end": {"type": "sink.wav", "params": {"path": "end.wav"}},
    "alone": {"type": "sink.wav", "params": {"path": "alone.wav"}}},
    "edges": ["a -> end", "b -> g -> end", "a -> alone"]})");
  ASSERT_TRUE(world.session);
  world.run_for(300 * kMsNs);
  const auto change = [&](const char* operation) {
    const ChangeResult result = world.change(operations({operation}));
    EXPECT_TRUE(result.status.ok()) << result.status.error().message;
    world.settle();
    return read_by(world, "a", "end");
  };
  // It came too late for the first block, by what the limiter holds back.
  const auto missed = [&] {
    uint64_t frames = 0;
    for (const engine::EdgeSnapshot& edge : world.engine().snapshot().edges) {
      frames += edge.lost_frames + edge.filled_frames;
    }
    return frames;
  };
  const uint64_t missed_at_first = missed();
  const uint64_t without = change(R"({"op": "disconnect", "edge": "b -> g"})");
  EXPECT_TRUE(world.has_node("g"));
  EXPECT_FALSE(world.has_node("b"));
  world.run_for(500 * kMsNs);
  EXPECT_GE(read_by(world, "a", "end"), without + 22'000);
  const uint64_t with = change(R"({"op": "connect", "edge": "b -> g"})");
  const uint64_t read_before = read_by(world, "g", "end");
  world.run_for(500 * kMsNs);
  EXPECT_GE(read_by(world, "a", "end"), with + 22'000);
  EXPECT_GE(read_by(world, "g", "end"), read_before + 22'000);
  world.expect_accounted();
  EXPECT_EQ(missed(), missed_at_first);
  world.session->player().stop();

  const auto heard = tests::read_sound_float(world.folder / "end.wav");
  const auto alone = tests::read_sound_float(world.folder / "alone.wav");
  // Without the last blocks, in which the stop may have come in between.
  const size_t frames = std::min(heard.size(), alone.size()) - 1'000;
  ASSERT_GT(frames, with + 20'000);
  std::vector<double> branch;
  for (size_t i = 0; i < frames; ++i) {
    branch.push_back(static_cast<double>(heard[i]) - static_cast<double>(alone[i]));
  }
  const auto loudest = [&](size_t from, size_t to) {
    double most = 0.0;
    for (size_t i = from; i < to; ++i) most = std::max(most, std::abs(branch[i]));
    return most;
  };
  const double level = loudest(2'000, 10'000);
  EXPECT_GT(level, 0.01);
  EXPECT_LT(loudest(without + 4'000, without + 20'000), 1e-5);
  EXPECT_NEAR(loudest(with + 10'000, frames), level, level / 100);
  // Neither the end of the branch nor its return is steeper than its tone.
  const double steepest = level * 2 * std::numbers::pi * 441 / 48'000;
  for (size_t i = 2'000; i < frames; ++i) {
    ASSERT_LT(std::abs(branch[i] - branch[i - 1]), steepest * 1.1) << i;
  }
}

TEST(SessionContinuity, Mix_that_nothing_feeds_rests_until_something_does) {
  SessionWorld world(R"({"sluice": 1, "nodes": {
    "a": {"type": "source.tone", "params": {"live": true}},
    "b": {"type": "source.tone", "params": {"live": true}},
    "f": "filter.gain", "g": "filter.gain", "end": "sink.null"},
    "edges": ["a -> f -> end", "b -> g -> end"]})");
  ASSERT_TRUE(world.session);
  world.run_for(300 * kMsNs);
  const auto change = [&](const char* operation) {
    const ChangeResult result = world.change(operations({operation}));
    EXPECT_TRUE(result.status.ok()) << result.status.error().message;
    world.settle();
  };
  change(R"({"op": "disconnect", "edge": "a -> f"})");
  change(R"({"op": "disconnect", "edge": "b -> g"})");
  const uint64_t at_rest = read_by(world, "f", "end") + read_by(world, "g", "end");
  world.run_for(1'000 * kMsNs);
  EXPECT_EQ(read_by(world, "f", "end") + read_by(world, "g", "end"), at_rest);
  change(R"({"op": "connect", "edge": "b -> g"})");
  const uint64_t read_before = read_by(world, "g", "end");
  world.run_for(500 * kMsNs);
  EXPECT_GE(read_by(world, "g", "end"), read_before + 22'000);
  world.expect_accounted();
}

TEST(SessionContinuity, Edge_wanted_back_while_its_node_is_replaced_is_that_of_the_new_node) {
  SessionWorld world(R"({"sluice": 1, "nodes": {
    "tone": {"type": "source.tone", "params": {"channels": 1, "live": true}},
    "hub": "filter.gain", "end": "sink.null", "more": "sink.null"},
    "edges": ["tone -> hub -> end"], "routes": {"more": ["hub -> more"], "none": []},
    "route": "more"})");
  ASSERT_TRUE(world.session);
  world.run_for(200 * kMsNs);
  const auto replaced =
      world.change(operations({R"({"op": "route", "route": "none"})",
                               R"({"op": "set", "target": "hub.limiter", "value": "on"})"}));
  EXPECT_TRUE(replaced.status.ok()) << replaced.status.error().message;
  // The edge of the old one still ramps out.
  EXPECT_TRUE(world.change(route("more")).status.ok());
  world.settle();
  const uint64_t before = counter_of(world, "more");
  world.run_for(200 * kMsNs);
  EXPECT_GT(counter_of(world, "more"), before + 9000);
}

}  // namespace
}  // namespace sluice::session
