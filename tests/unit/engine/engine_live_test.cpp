// Changes to a running graph: exact envelopes where it changes, untouched bits where it does not.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "tests/unit/engine/engine_world.hpp"

namespace sluice::engine {
namespace {

using namespace sluice::tests;
using Outcome = Engine::Outcome;

constexpr double kRampFrames = 1440;

double rise(double k) {
  if (k <= 0) return 0.0;
  if (k >= kRampFrames) return 1.0;
  return 0.5 * (1.0 - std::cos(std::numbers::pi * k / kRampFrames));
}

// A source that a busy machine holds up while it fades out falls to silence within about a
// millisecond: the largest step from full level.
constexpr float kDyingAway = 0.025F;

class EngineLive : public BothTimes {
 protected:
  static void run_for(World& world, int64_t ns) {
    EXPECT_EQ(world.engine->run(world.engine->clock().now_ns() + ns), Outcome::kRunning);
  }
  static void settle(World& world) {
    for (int i = 0; i < 10'000 && world.engine->is_changing(); ++i) run_for(world, kSecondNs / 100);
    EXPECT_FALSE(world.engine->is_changing());
  }
  // The frame of the sine of `hz` that was heard with full weight at samples()[at], by trial.
  static size_t phase_of(double hz, size_t at, double rest_hz) {
    for (size_t phase = 0; phase < 200'000; ++phase) {
      bool fits = true;
      for (size_t i = 0; i < 64 && fits; ++i) {
        const double expected =
            SineSource::value(rest_hz, at + i) + SineSource::value(hz, phase + i);
        fits = std::abs(static_cast<double>(samples()[at + i]) - expected) < 1e-5;
      }
      if (fits) return phase;
    }
    ADD_FAILURE() << "the added sine is nowhere";
    return 0;
  }
};

TEST_P(EngineLive, Edge_added_and_removed_follows_the_ideal_envelope) {
  World world(GetParam(), kMono);
  Node& a = world.add<SineSource>("a", {{SineSource::kHz, 997}, {SineSource::kPacedHz, 48'000}});
  // A pitch without a period in common with whole frames, so that its phase is found exactly.
  Node& b = world.add<SineSource>("b", {{SineSource::kHz, 441.37}, {SineSource::kPacedHz, 48'000}});
  Node& sink = world.add<CollectingSink>("sink");
  Node& untouched = world.add<CollectingSink>("untouched", {{CollectingSink::kSlot, 1}});
  Node& other = world.add<CollectingSink>("other", {{CollectingSink::kSlot, 2}});
  world.join(a, sink);
  world.join(a, untouched);
  world.join(b, other);
  world.start();
  run_for(world, kSecondNs / 4);
  auto edge = world.engine->connect_live(*b.outputs[0], *sink.inputs[0], {});
  ASSERT_TRUE(edge) << edge.error().message;
  run_for(world, kSecondNs / 4);
  world.run_until_read(**edge, 1);
  EXPECT_EQ((*edge)->lost_frames, 0U);
  const uint64_t filled = (*edge)->filled_frames;
  const uint64_t read = (*edge)->read_frames;
  world.engine->disconnect_live(**edge);
  EXPECT_TRUE(world.engine->is_changing());
  settle(world);
  EXPECT_EQ(world.engine->edges().size(), 3U);
  run_for(world, kSecondNs / 10);
  world.engine->stop();
  world.expect_accounted();

  const size_t frames = samples().size();
  const auto plain = [&](size_t i) {
    return std::abs(static_cast<double>(samples()[i]) -
                    static_cast<double>(SineSource::value(997, i))) < 1e-5;
  };
  for (size_t i = 0; i < samples(1).size(); ++i) {
    ASSERT_EQ(samples(1)[i], SineSource::value(997, i)) << i;
  }
  for (size_t i = 0; i < samples(2).size(); ++i) {
    ASSERT_EQ(samples(2)[i], SineSource::value(441.37, i)) << i;
  }
  // In real time a source may be late just then, and fades in by itself besides.
  if (GetParam() == TimeMode::kReal) return;
  size_t first = 0;
  while (first < frames && plain(first)) ++first;
  size_t last = frames;
  while (last > first && plain(last - 1)) --last;
  ASSERT_GT(last, first + 4'000);
  const size_t phase = phase_of(441.37, (first + last) / 2, 997);
  const auto b_at = [&](size_t i) {
    return static_cast<double>(SineSource::value(441.37, phase + i - (first + last) / 2));
  };
  // The ramp starts a few frames before it is seen: fit, then hold it to that.
  const auto error_of = [&](size_t begin, bool is_rise) {
    double worst = 0.0;
    for (size_t i = begin; i < begin + 1500; ++i) {
      const double weight = is_rise ? rise(static_cast<double>(i - begin + 1))
                                    : 1.0 - rise(static_cast<double>(i - begin + 1));
      const double expected = static_cast<double>(SineSource::value(997, i)) + b_at(i) * weight;
      worst = std::max(worst, std::abs(static_cast<double>(samples()[i]) - expected));
    }
    return worst;
  };
  double best_rise = 1.0;
  double best_fall = 1.0;
  for (size_t back = 0; back < 40; ++back) {
    best_rise = std::min(best_rise, error_of(first - back, true));
    best_fall = std::min(best_fall, error_of(last + back - 1440, false));
  }
  EXPECT_LT(best_rise, 1e-5) << "first " << first << " last " << last << " phase " << phase
                             << " filled " << filled << " read " << read;
  EXPECT_LT(best_fall, 1e-5);
}

TEST_P(EngineLive, Lanes_that_a_change_leaves_as_they_are_get_no_new_plan) {
  World world(GetParam(), kMono);
  Node& a = world.add<SineSource>("a", {{SineSource::kHz, 997}, {SineSource::kPacedHz, 48'000}});
  Node& b = world.add<SineSource>("b", {{SineSource::kHz, 441}, {SineSource::kPacedHz, 48'000}});
  Node& sink = world.add<CollectingSink>("sink");
  Node& other = world.add<CollectingSink>("other", {{CollectingSink::kSlot, 1}});
  Edge& kept = world.join(a, sink);
  world.join(b, other);
  world.start();
  const auto plans = [&] {
    return std::vector<uint64_t>{a.lane->offered_plan(), b.lane->offered_plan(),
                                 sink.lane->offered_plan(), other.lane->offered_plan()};
  };
  const auto before = plans();
  auto edge = world.engine->connect_live(*b.outputs[0], *sink.inputs[0], {});
  ASSERT_TRUE(edge) << edge.error().message;
  const auto joined = plans();
  EXPECT_EQ(joined[0], before[0]);
  EXPECT_GT(joined[1], before[1]);
  EXPECT_GT(joined[2], before[2]);
  EXPECT_EQ(joined[3], before[3]);
  world.run_until_read(**edge, 1);
  world.engine->disconnect_live(**edge);
  settle(world);
  const auto parted = plans();
  EXPECT_EQ(parted[0], before[0]);
  EXPECT_GT(parted[1], joined[1]);
  EXPECT_GT(parted[2], joined[2]);
  EXPECT_EQ(parted[3], before[3]);

  // Another policy is news for the reader alone, and only if it is another one.
  world.engine->set_policy_live(kept, kept.when_full, kept.fill_after_frames);
  world.engine->publish_policies();
  EXPECT_EQ(plans(), parted);
  world.engine->set_policy_live(kept, WhenFull::kSkip, kept.fill_after_frames);
  world.engine->publish_policies();
  const auto skipping = plans();
  EXPECT_EQ(skipping[0], parted[0]);
  EXPECT_GT(skipping[2], parted[2]);
  EXPECT_EQ(skipping[3], parted[3]);
  run_for(world, kSecondNs / 10);
  world.engine->stop();
  EXPECT_EQ(kept.cursor.policy(), CursorPolicy::kSkip);
}

TEST_P(EngineLive, Edge_attached_behind_the_newest_has_its_frames_at_once) {
  World world(GetParam(), kMono);
  Node& a = world.add<CountingSource>(
      "a", {{CountingSource::kFrames, 1e9}, {CountingSource::kPacedHz, 48'000}});
  Node& first = world.add<CollectingSink>("first");
  world.join(a, first, {.buffer_frames = 48'000});
  world.start();
  world.run_until([&] { return a.outputs[0]->written() >= 24'000; });
  Node& second = world.add<CollectingSink>("second", {{CollectingSink::kSlot, 1}});
  auto edge = world.engine->connect_live(*a.outputs[0], *second.inputs[0], {}, 9'600);
  ASSERT_TRUE(edge) << edge.error().message;
  const uint64_t attached = (*edge)->attach_position;
  world.run_until_read(**edge, 20'000);
  world.engine->stop();
  world.expect_accounted();
  ASSERT_FALSE(samples(1).empty());
  EXPECT_GT(attached, 0U);
  expect_counted(samples(1).size(), 1, static_cast<float>(attached + 1));
  expect_counted(samples().size());
}

TEST_P(EngineLive, Whole_branch_comes_and_goes_while_the_rest_plays_on) {
  World world(GetParam(), kMono);
  Node& source = world.add<CountingSource>(
      "source", {{CountingSource::kFrames, 1e9}, {CountingSource::kPacedHz, 48'000}});
  Node& sink = world.add<CollectingSink>("sink");
  world.join(source, sink);
  world.start();
  for (int round = 0; round < 3; ++round) {
    run_for(world, kSecondNs / 20);
    Node& late = world.add<LateFilter>("late", {{LateFilter::kLatency, 100}});
    Node& copy = world.add<CopyFilter>("copy");
    Node& branch = world.add<CollectingSink>("branch", {{CollectingSink::kSlot, 1}});
    world.chain({&source, &late, &copy, &branch});
    collected[1] = {};
    const auto applied = world.engine->apply();
    ASSERT_TRUE(applied) << applied.error().message;
    run_for(world, kSecondNs / 20);
    world.run_until_read(*world.engine->edges().back(), 1);
    for (const char* id : {"late", "copy", "branch"}) {
      ASSERT_TRUE(world.engine->remove_live(*world.engine->find(id)));
    }
    settle(world);
    EXPECT_EQ(world.engine->find("late"), nullptr);
    EXPECT_EQ(world.engine->nodes().size(), 2U);
    EXPECT_EQ(world.engine->lanes().size(), 2U);
    EXPECT_EQ(world.engine->edges().size(), 1U);
  }
  world.engine->stop();
  world.expect_accounted();
  expect_counted(samples().size());
  EXPECT_EQ(world.engine->edges()[0]->lost_frames, 0U);
}

TEST_P(EngineLive, Edge_whose_reader_is_parked_while_it_ramps_out_goes_once) {
  World world(GetParam(), kMono);
  Node& source = world.add<CountingSource>(
      "source", {{CountingSource::kFrames, 1e9}, {CountingSource::kPacedHz, 48'000}});
  Node& sink = world.add<CollectingSink>("sink");
  Node& first = world.add<CopyFilter>("first");
  Node& second = world.add<CopyFilter>("second");
  Node& branch = world.add<CollectingSink>("branch", {{CollectingSink::kSlot, 1}});
  world.join(source, sink);
  world.chain({&source, &first, &second, &branch});
  world.start();
  run_for(world, kSecondNs / 20);
  world.engine->disconnect_live(*world.engine->edges()[3]);
  run_for(world, kSecondNs / 50);
  world.engine->disconnect_live(*world.engine->edges()[2]);
  run_for(world, kSecondNs / 100);
  world.engine->disconnect_live(*world.engine->edges()[1]);
  settle(world);
  EXPECT_EQ(world.engine->edges().size(), 1U);
  world.engine->stop();
  world.expect_accounted();
  expect_counted(samples().size());
}

// The new edge brings the same stream to the same place, so that an exchange is not heard at all.
TEST_P(EngineLive, Edge_exchanged_for_its_twin_leaves_every_frame_as_it_is) {
  World world(GetParam(), kMono);
  Node& source =
      world.add<SineSource>("source", {{SineSource::kHz, 997}, {SineSource::kPacedHz, 48'000}});
  Node& sink = world.add<CollectingSink>("sink");
  Edge* edge = &world.join(source, sink, {.buffer_frames = 9'600});
  world.start();
  run_for(world, kSecondNs / 10);
  for (int i = 0; i < 5; ++i) {
    Edge& twin = world.engine->connect(*source.outputs[0], *sink.inputs[0], {});
    twin.enters_unheard = true;
    const auto applied = world.engine->apply();
    ASSERT_TRUE(applied) << applied.error().message;
    for (int k = 0; k < 100 && !world.engine->is_ready_to_turn(twin); ++k) {
      run_for(world, kSecondNs / 100);
    }
    ASSERT_TRUE(twin.is_warm);
    Edge* const entering[] = {&twin};
    Edge* const leaving[] = {edge};
    world.engine->turn(entering, leaving, Ramp::Shape::kEqualGain);
    settle(world);
    edge = &twin;
    EXPECT_EQ(twin.lost_frames, 0U);
  }
  run_for(world, kSecondNs / 10);
  world.engine->stop();
  world.expect_accounted();
  ASSERT_GT(samples().size(), 14'000U);
  for (size_t i = 0; i < samples().size(); ++i) {
    ASSERT_NEAR(samples()[i], SineSource::value(997, i), 1e-6) << i;
  }
}

TEST_P(EngineLive, Edge_called_back_while_it_leaves_rises_from_where_it_was) {
  World world(GetParam(), kMono);
  Node& source = world.add<CountingSource>("source", {{CountingSource::kFrames, 1e9},
                                                      {CountingSource::kFirst, 1},
                                                      {CountingSource::kStep, 0},
                                                      {CountingSource::kPacedHz, 48'000}});
  Node& sink = world.add<CollectingSink>("sink");
  Edge& edge = world.join(source, sink);
  world.start();
  run_for(world, kSecondNs / 10);
  world.engine->disconnect_live(edge);
  if (is_virtual()) run_for(world, kSecondNs / 100);
  ASSERT_TRUE(world.engine->is_fading_out(edge));
  Edge* const back[] = {&edge};
  world.engine->turn(back, {}, Ramp::Shape::kEqualGain);
  EXPECT_FALSE(world.engine->is_changing());
  run_for(world, kSecondNs / 10);
  world.engine->stop();
  world.expect_accounted();
  EXPECT_EQ(samples().back(), 1.0F);
  const float steepest = is_virtual() ? 0.0012F : kDyingAway;
  for (size_t i = 1; i < samples().size(); ++i) {
    ASSERT_LT(std::abs(samples()[i] - samples()[i - 1]), steepest) << i;
  }
}

TEST_P(EngineLive, Source_is_replaced_under_a_filter_that_stays) {
  World world(GetParam(), kMono);
  const auto add = [&](const char* id, double value) -> Node& {
    return world.add<CountingSource>(id, {{CountingSource::kFrames, 1e9},
                                          {CountingSource::kFirst, value},
                                          {CountingSource::kStep, 0},
                                          {CountingSource::kPacedHz, 48'000}});
  };
  Node& old_source = add("old", 0.25);
  Node& filter = world.add<CopyFilter>("filter");
  Node& sink = world.add<CollectingSink>("sink");
  world.chain({&old_source, &filter, &sink});
  world.start();
  run_for(world, kSecondNs / 5);
  Node& new_source = add("new", 0.5);
  auto edge = world.engine->connect_live(*new_source.outputs[0], *filter.inputs[0], {});
  ASSERT_TRUE(edge) << edge.error().message;
  ASSERT_TRUE(world.engine->remove_live(old_source));
  settle(world);
  EXPECT_EQ(world.engine->find("old"), nullptr);
  world.run_until_read(**edge, 9'600);
  world.engine->stop();
  world.expect_accounted();
  EXPECT_EQ(samples().front(), 0.25F);
  EXPECT_EQ(samples().back(), 0.5F);
  const float steepest = is_virtual() ? 0.001F : kDyingAway * 0.25F;
  for (size_t i = 1; i < samples().size(); ++i) {
    ASSERT_LT(std::abs(samples()[i] - samples()[i - 1]), steepest) << i;
  }
}

TEST_P(EngineLive, Input_without_edges_is_silent_and_takes_up_a_new_one) {
  World world(GetParam(), kMono);
  Node& source = world.add<CountingSource>(
      "source", {{CountingSource::kFrames, 1e9}, {CountingSource::kPacedHz, 48'000}});
  Node& filter = world.add<CopyFilter>("filter");
  Node& sink = world.add<CollectingSink>("sink");
  Node& other = world.add<CollectingSink>("other", {{CollectingSink::kSlot, 1}});
  Edge& edge = world.join(source, filter);
  world.join(filter, sink);
  world.join(source, other);
  world.start();
  run_for(world, kSecondNs / 10);
  world.engine->disconnect_live(edge);
  settle(world);
  run_for(world, kSecondNs / 10);
  EXPECT_FALSE(filter.is_finished());
  EXPECT_FALSE(sink.is_finished());
  auto again = world.engine->connect_live(*source.outputs[0], *filter.inputs[0], {});
  ASSERT_TRUE(again) << again.error().message;
  world.run_until_read(**again, 4'800);
  world.engine->stop();
  world.expect_accounted();
  expect_counted(samples(1).size(), 1);
}

TEST_P(EngineLive, Branch_that_nobody_hears_is_parked_and_plays_again) {
  World world(GetParam(), kMono);
  Node& source = world.add<CountingSource>(
      "source", {{CountingSource::kFrames, 1e9}, {CountingSource::kPacedHz, 48'000}});
  Node& filter = world.add<CopyFilter>("filter");
  Node& more = world.add<CopyFilter>("more");
  Node& sink = world.add<CollectingSink>("sink");
  Node& other = world.add<CollectingSink>("other", {{CollectingSink::kSlot, 1}});
  world.chain({&source, &filter, &more});
  Edge& edge = world.join(more, sink);
  world.join(source, other);
  world.start();
  run_for(world, kSecondNs / 10);
  world.engine->disconnect_live(edge);
  settle(world);
  EXPECT_EQ(source.outputs[0]->ring->cursor_count(), 1U);
  run_for(world, kSecondNs / 2);  // longer than any ring here
  auto again = world.engine->connect_live(*more.outputs[0], *sink.inputs[0], {});
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(source.outputs[0]->ring->cursor_count(), 2U);
  world.run_until_read(**again, 9'600);
  world.engine->stop();
  expect_counted(samples(1).size(), 1);
}

TEST_P(EngineLive, Reader_that_does_not_read_is_disconnected_all_the_same) {
  World world(GetParam(), kMono);
  Node& source = world.add<CountingSource>(
      "source", {{CountingSource::kFrames, 1e9}, {CountingSource::kPacedHz, 48'000}});
  Node& sink = world.add<CollectingSink>("sink");
  Node& hole = world.add<CollectingSink>(
      "hole", {{CollectingSink::kSlot, 1}, {CollectingSink::kBlockAt, 1}});
  world.join(source, sink);
  Edge& edge = world.join(source, hole, {.when_full = WhenFull::kSkip});
  world.start();
  run_for(world, kSecondNs / 10);
  world.engine->disconnect_live(edge);
  settle(world);
  EXPECT_EQ(source.outputs[0]->ring->cursor_count(), 1U);
  world.engine->stop();
  expect_counted(samples().size());
}

TEST_P(EngineLive, What_cannot_be_done_is_refused_and_changes_nothing) {
  World world(GetParam(), kMono);
  Node& source = world.add<CountingSource>(
      "source", {{CountingSource::kFrames, 1e9}, {CountingSource::kPacedHz, 48'000}});
  Node& one = world.add<CopyFilter>("one");
  Node& two = world.add<CopyFilter>("two");
  world.chain({&source, &one, &two, &world.add<CollectingSink>("sink")});
  world.start();
  run_for(world, kSecondNs / 20);
  auto circle = world.engine->connect_live(*two.outputs[0], *one.inputs[0], {});
  ASSERT_FALSE(circle);
  EXPECT_NE(circle.error().message.find("circle"), std::string::npos) << circle.error().message;
  Node& hungry = world.add<HoldFilter>("hungry", {{HoldFilter::kHold, 480'000}});
  Node& fed = world.add<CollectingSink>("fed", {{CollectingSink::kSlot, 1}});
  world.chain({&source, &hungry, &fed});
  const auto large = world.engine->apply();
  ASSERT_FALSE(large);
  EXPECT_NE(large.error().message.find("buffer_ms"), std::string::npos) << large.error().message;
  EXPECT_EQ(world.engine->find("hungry"), nullptr);
  EXPECT_EQ(world.engine->edges().size(), 3U);
  EXPECT_EQ(world.engine->lanes().size(), 2U);
  run_for(world, kSecondNs / 20);
  world.engine->stop();
  world.expect_accounted();
  expect_counted(samples().size());
}

TEST_P(EngineLive, Hundreds_of_changes_lose_no_frame_of_the_untouched) {
  World world(GetParam(), kMono);
  Node& source = world.add<CountingSource>(
      "source", {{CountingSource::kFrames, 1e9}, {CountingSource::kPacedHz, 48'000}});
  Node& mix = world.add<CopyFilter>("mix");
  Node& mixed = world.add<CollectingSink>("mixed");
  Node& untouched = world.add<CollectingSink>("untouched", {{CollectingSink::kSlot, 1}});
  world.chain({&source, &mix, &mixed});
  world.join(source, untouched);
  world.start();
  for (int i = 0; i < 150; ++i) {
    auto edge = world.engine->connect_live(
        *source.outputs[0], *mix.inputs[0],
        {.when_full = i % 2 ? WhenFull::kSkip : WhenFull::kWait, .gain_db = -60.0});
    ASSERT_TRUE(edge) << edge.error().message;
    if (i % 3 == 0) run_for(world, kSecondNs / 500);
    world.engine->disconnect_live(**edge);
    if (i % 10 == 0) run_for(world, kSecondNs / 100);
    // At most 128 readers of a ring: let some go.
    if (i % 40 == 39) settle(world);
  }
  settle(world);
  EXPECT_EQ(source.outputs[0]->ring->cursor_count(), 2U);
  world.engine->stop();
  world.expect_accounted();
  expect_counted(samples(1).size(), 1);
}

SLUICE_IN_BOTH_TIMES(EngineLive);

}  // namespace
}  // namespace sluice::engine
