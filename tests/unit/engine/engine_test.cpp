// Graphs as a whole: what is written arrives, and nothing stands still that could play.
#include "host/engine/engine.hpp"

#include <gtest/gtest.h>

#include "tests/unit/engine/engine_world.hpp"

namespace sluice::engine {
namespace {

using namespace sluice::tests;
using Outcome = Engine::Outcome;

class EngineTest : public BothTimes {};

TEST_P(EngineTest, Chain_through_filters_arrives_whole) {
  World world(GetParam());
  world.chain({&world.add<CountingSource>("source", {{CountingSource::kFrames, 100'000}}),
               &world.add<CopyFilter>("copy"), &world.add<CopyFilter>("more"),
               &world.add<CollectingSink>("sink")});
  EXPECT_EQ(world.play(), Outcome::kFinished);
  expect_counted(100'000);
}

TEST_P(EngineTest, Chain_of_odd_sizes_arrives_whole) {
  for (const auto& [write, read] :
       {std::pair{1.0, 977.0}, {977.0, 1.0}, {6001.0, 7.0}, {13.0, 5003.0}, {4801.0, 4799.0}}) {
    World world(GetParam());
    world.chain({&world.add<CountingSource>("source", {{CountingSource::kFrames, 20'011},
                                                       {CountingSource::kBlock, write}}),
                 &world.add<NotingFilter>("part", {{NotingFilter::kPart, 1}}),
                 &world.add<LateFilter>("late", {{LateFilter::kLatency, 0}}),
                 &world.add<CollectingSink>(
                     "sink", {{CollectingSink::kBlock, read}, {CollectingSink::kTakesLess, 1}})});
    EXPECT_EQ(world.play(), Outcome::kFinished) << write << " " << read;
    expect_counted(20'011);
  }
}

TEST(Engine, Passive_node_runs_from_the_start) {
  World world(TimeMode::kVirtual);
  Node& copy = world.add<CopyFilter>("copy");
  world.chain({&world.add<CountingSource>("source"), &copy, &world.add<CollectingSink>("sink")});
  EXPECT_EQ(copy.state(), NodeState::kStarting);
  world.start();
  EXPECT_EQ(copy.state(), NodeState::kRunning);
}

TEST(Engine, Who_only_looks_leaves_the_levels_to_who_takes_them) {
  World world(TimeMode::kVirtual);
  world.chain({&world.add<CountingSource>("source", {{CountingSource::kFrames, 480}}),
               &world.add<CollectingSink>("sink")});
  world.start();
  world.engine->set_metered(true);
  EXPECT_EQ(world.engine->run(kSecondNs), Outcome::kFinished);
  const auto peak = [&](Engine::Meters meters) {
    return world.engine->snapshot(meters).outputs.at(0).levels.peak;
  };
  EXPECT_EQ(peak(Engine::Meters::kLook), 0.0F);
  EXPECT_EQ(peak(Engine::Meters::kTake), 480.0F);
  EXPECT_EQ(peak(Engine::Meters::kLook), 480.0F);
  EXPECT_EQ(peak(Engine::Meters::kTake), 0.0F);
}

TEST_P(EngineTest, Late_filter_flushes_behind_the_end) {
  World world(GetParam());
  world.chain({&world.add<CountingSource>("source", {{CountingSource::kFrames, 5000}}),
               &world.add<LateFilter>("late", {{LateFilter::kLatency, 3333}}),
               &world.add<LateFilter>("later", {{LateFilter::kLatency, 777}}),
               &world.add<CollectingSink>("sink")});
  EXPECT_EQ(world.play(), Outcome::kFinished);
  ASSERT_EQ(samples().size(), 5000U + 3333U + 777U);
  for (size_t i = 0; i < samples().size(); ++i) {
    ASSERT_EQ(samples()[i], i < 4110 ? 0.0F : static_cast<float>(i - 4109)) << i;
  }
}

TEST_P(EngineTest, Hold_larger_than_blocks_plays) {
  World world(GetParam());
  world.chain({&world.add<CountingSource>("source", {{CountingSource::kFrames, 100'000}}),
               &world.add<HoldFilter>("hold", {{HoldFilter::kHold, 48'000}}),
               &world.add<CollectingSink>("sink")});
  EXPECT_EQ(world.play(), Outcome::kFinished);
  expect_counted(100'000);
}

TEST_P(EngineTest, Hold_longer_than_the_stream_lets_it_through_at_the_end) {
  World world(GetParam());
  world.chain({&world.add<CountingSource>("source", {{CountingSource::kFrames, 3000}}),
               &world.add<HoldFilter>("hold", {{HoldFilter::kHold, 48'000}}),
               &world.add<CollectingSink>("sink")});
  EXPECT_EQ(world.play(), Outcome::kFinished);
  expect_counted(3000);
}

TEST_P(EngineTest, Diamond_with_holding_branch_sums_both) {
  World world(GetParam());
  Node& source = world.add<CountingSource>("source", {{CountingSource::kFrames, 200'000}});
  Node& hold = world.add<HoldFilter>("hold", {{HoldFilter::kHold, 48'000}});
  Node& copy = world.add<CopyFilter>("copy");
  Node& sink = world.add<CollectingSink>("sink");
  world.chain({&source, &hold, &sink});
  world.chain({&source, &copy, &sink});
  EXPECT_EQ(world.play(), Outcome::kFinished) << world.waits;
  expect_counted(200'000, 0, 2.0F, 2.0F);
}

TEST_P(EngineTest, Nested_diamonds_with_holds_on_several_branches_play) {
  World world(GetParam());
  Node& source = world.add<CountingSource>("source", {{CountingSource::kFrames, 150'000}});
  Node& split = world.add<CopyFilter>("split");
  Node& hold_a = world.add<HoldFilter>("hold_a", {{HoldFilter::kHold, 30'000}});
  Node& hold_b = world.add<HoldFilter>("hold_b", {{HoldFilter::kHold, 11'111}});
  Node& inner = world.add<CopyFilter>("inner");
  Node& hold_c = world.add<HoldFilter>("hold_c", {{HoldFilter::kHold, 20'000}});
  Node& join = world.add<CopyFilter>("join");
  Node& hold_d = world.add<HoldFilter>("hold_d", {{HoldFilter::kHold, 40'000}});
  Node& sink = world.add<CollectingSink>("sink", {{CollectingSink::kBlock, 1}});
  world.chain({&source, &split, &hold_a, &inner, &join, &hold_d, &sink});
  world.chain({&split, &hold_b, &inner});
  world.chain({&split, &hold_c, &join});
  world.chain({&source, &sink});
  EXPECT_EQ(world.play(), Outcome::kFinished) << world.waits;
  expect_counted(150'000, 0, 4.0F, 4.0F);
}

TEST_P(EngineTest, Joins_by_a_node_with_a_holding_branch_play) {
  World world(GetParam());
  Node& source = world.add<CountingSource>("source", {{CountingSource::kFrames, 100'000}});
  Node& hold = world.add<HoldFilter>("hold", {{HoldFilter::kHold, 33'000}});
  Node& pair = world.add<PairFilter>("pair");
  Node& sink = world.add<CollectingSink>("sink");
  Node& other = world.add<CollectingSink>("other", {{CollectingSink::kSlot, 1}});
  world.join(source, hold);
  world.join(hold, pair, {}, 0, 0);
  world.join(source, pair, {}, 0, 1);
  world.join(pair, sink, {}, 0);
  world.join(pair, other, {}, 1);
  EXPECT_EQ(world.play(), Outcome::kFinished) << world.waits;
  expect_counted(100'000);
  expect_counted(100'000, 1, 0.0F, 0.0F);
}

TEST_P(EngineTest, Output_nobody_reads_beside_one_that_is_read_holds_up_nobody) {
  World world(GetParam());
  Node& source = world.add<CountingSource>("source", {{CountingSource::kFrames, 50'000}});
  Node& pair = world.add<PairFilter>("pair");
  Node& sink = world.add<CollectingSink>("sink");
  world.join(source, pair, {}, 0, 0);
  world.join(source, pair, {}, 0, 1);
  world.join(pair, sink, {}, 0);
  EXPECT_EQ(world.play(), Outcome::kFinished) << world.waits;
  expect_counted(50'000);
}

TEST_P(EngineTest, Fan_out_holds_back_to_the_slowest_reader) {
  World world(GetParam());
  Node& source = world.add<CountingSource>("source", {{CountingSource::kFrames, 48'000}});
  Node& copy = world.add<CopyFilter>("copy");
  Node& fast = world.add<CollectingSink>("fast", {{CollectingSink::kBlock, 64}});
  Node& slow = world.add<CollectingSink>(
      "slow", {{CollectingSink::kSlot, 1}, {CollectingSink::kPacedHz, 192'000}});
  world.chain({&source, &copy, &fast});
  world.chain({&copy, &slow});
  EXPECT_EQ(world.play(), Outcome::kFinished) << world.waits;
  expect_counted(48'000);
  expect_counted(48'000, 1);
}

TEST_P(EngineTest, Black_hole_beside_a_healthy_sink_loses_alone) {
  World world(GetParam());
  constexpr uint64_t kFrames = 480'000;
  Node& source = world.add<CountingSource>(
      "source", {{CountingSource::kFrames, kFrames}, {CountingSource::kPacedHz, 768'000}});
  Node& healthy = world.add<CollectingSink>("healthy");
  Node& hole = world.add<CollectingSink>(
      "hole", {{CollectingSink::kSlot, 1}, {CollectingSink::kBlockAt, 4800}});
  const Edge& kept = world.join(source, healthy);
  Edge& lossy = world.join(source, hole, {.when_full = WhenFull::kSkip});
  world.start();
  world.run_until_read(kept, kFrames);
  const uint64_t lost = world.engine->snapshot().edges[1].fill_frames;
  EXPECT_GT(lost, 0U);
  world.engine->stop();
  world.expect_accounted();
  expect_counted(kFrames);
  EXPECT_GT(lossy.lost_frames, kFrames / 4);
  EXPECT_GT(lossy.gaps, 0U);
  EXPECT_STREQ(lossy.loss_reason, "overtaken by the writer");
}

// One is in the middle of its block of half a second while the other, which paces, goes on.
TEST(EngineVirtualTest, Reader_a_little_behind_the_one_that_paces_a_file_loses_nothing) {
  World world(TimeMode::kVirtual, kMono);
  Node& source = world.add<CountingSource>("source", {{CountingSource::kFrames, 480'000}});
  Node& pacer = world.add<CollectingSink>("pacer", {{CollectingSink::kPacedHz, 48'000}});
  Node& late = world.add<CollectingSink>("late", {{CollectingSink::kSlot, 1},
                                                  {CollectingSink::kBlock, 24'000},
                                                  {CollectingSink::kPacedHz, 48'000}});
  world.join(source, pacer);
  const Edge& edge =
      world.join(source, late, {.when_full = WhenFull::kSkip, .buffer_frames = 24'000});
  EXPECT_EQ(world.play(), Outcome::kFinished) << world.waits;
  EXPECT_EQ(edge.lost_frames, 0U);
  EXPECT_EQ(samples().size(), 480'000U);
  EXPECT_EQ(samples(1).size(), 480'000U);
}

TEST_P(EngineTest, Skipping_reader_goes_on_at_the_newest_with_a_mark) {
  World world(GetParam(), kMono, [](EngineOptions& options) { options.crossing_ms = 100.0; });
  Node& source = world.add<CountingSource>(
      "source", {{CountingSource::kFrames, 96'000}, {CountingSource::kPacedHz, 192'000}});
  // Half as fast as the source.
  Node& sink = world.add<CollectingSink>("sink", {{CollectingSink::kPacedHz, 96'000}});
  Edge& edge = world.join(source, sink, {.when_full = WhenFull::kSkip, .target_frames = 960});
  EXPECT_EQ(world.play(), Outcome::kFinished);
  EXPECT_GT(edge.lost_frames, 0U);
  uint64_t told = 0;
  for (const sluice_mark& mark : collected[0].marks) {
    if (mark.kind != SLUICE_MARK_DISCONTINUITY) continue;
    told += mark.value;
    // Exactly where the numbers jump, and by as much.
    ASSERT_GT(mark.position, 0U);
    ASSERT_LT(mark.position, samples().size());
    // On a busy machine the sink may have held its span for so long that the source had no room,
    // and left silence there.
    if (samples()[mark.position] == 0.0F || samples()[mark.position - 1] == 0.0F) continue;
    EXPECT_EQ(samples()[mark.position] - samples()[mark.position - 1],
              static_cast<float>(mark.value + 1));
  }
  EXPECT_EQ(told, edge.lost_frames);
}

TEST_P(EngineTest, Source_nobody_reads_holds_and_the_rest_plays) {
  World world(GetParam());
  world.add<CountingSource>("lonely", {{CountingSource::kFrames, 1e9}});
  Node& source = world.add<CountingSource>("source", {{CountingSource::kFrames, 10'000}});
  world.chain({&source, &world.add<CollectingSink>("sink")});
  EXPECT_EQ(world.play(), Outcome::kFinished);
  expect_counted(10'000);
}

TEST_P(EngineTest, Filter_nobody_reads_does_not_hold_up_its_source) {
  World world(GetParam());
  Node& source = world.add<CountingSource>("source", {{CountingSource::kFrames, 100'000}});
  Node& dead = world.add<CopyFilter>("dead");
  Node& end = world.add<CopyFilter>("end");
  world.chain({&source, &dead, &end});
  world.chain({&source, &world.add<CollectingSink>("sink")});
  EXPECT_EQ(world.play(), Outcome::kFinished) << world.waits;
  expect_counted(100'000);
}

TEST_P(EngineTest, Sink_that_ends_early_leaves_the_rest_playing) {
  World world(GetParam());
  Node& source = world.add<CountingSource>("source", {{CountingSource::kFrames, 100'000}});
  Node& copy = world.add<CopyFilter>("copy");
  Node& more = world.add<CopyFilter>("more");
  Node& early = world.add<CollectingSink>(
      "early", {{CollectingSink::kSlot, 1}, {CollectingSink::kStopAfter, 5000}});
  world.chain({&source, &copy, &more, &early});
  world.chain({&source, &world.add<CollectingSink>("sink")});
  EXPECT_EQ(world.play(), Outcome::kFinished) << world.waits;
  expect_counted(100'000);
  EXPECT_GE(samples(1).size(), 5000U);
  EXPECT_TRUE(copy.is_finished());
}

TEST_P(EngineTest, Filter_that_fails_ends_its_branch_and_says_why) {
  World world(GetParam());
  Node& source = world.add<CountingSource>("source", {{CountingSource::kFrames, 100'000}});
  Node& bad = world.add<NotingFilter>("bad", {{NotingFilter::kFailAt, 10'000}});
  Node& after = world.add<CopyFilter>("after");
  world.chain({&source, &bad, &after,
               &world.add<CollectingSink>("hears_less", {{CollectingSink::kSlot, 1}})});
  world.chain({&source, &world.add<CollectingSink>("sink")});
  EXPECT_EQ(world.play(), Outcome::kFinished) << world.waits;
  expect_counted(100'000);
  EXPECT_GE(samples(1).size(), 10'000U);
  EXPECT_LT(samples(1).size(), 12'000U);
  EXPECT_EQ(bad.state(), NodeState::kFailed);
  EXPECT_EQ(bad.sentence(), "The filter has burst.");
  EXPECT_EQ(world.log.lines(), std::vector<std::string>{"bad: The filter has burst."});
}

TEST_P(EngineTest, Source_that_fails_ends_its_stream_and_says_why) {
  World world(GetParam());
  Node& bad = world.add<CountingSource>(
      "bad", {{CountingSource::kFrames, 100'000}, {CountingSource::kFailAt, 4800}});
  Node& good = world.add<CountingSource>("good", {{CountingSource::kFrames, 100'000}});
  Node& sink = world.add<CollectingSink>("sink");
  world.join(bad, sink);
  world.join(good, sink);
  EXPECT_EQ(world.play(), Outcome::kFinished) << world.waits;
  ASSERT_EQ(samples().size(), 100'000U);
  for (size_t i = 0; i < samples().size(); ++i) {
    ASSERT_EQ(samples()[i], static_cast<float>(i + 1) * (i < 4800 ? 2.0F : 1.0F)) << i;
  }
  EXPECT_EQ(bad.state(), NodeState::kFailed);
  EXPECT_EQ(bad.sentence(), "The disk is on fire.");
  EXPECT_EQ(world.log.lines(), std::vector<std::string>{"bad: The disk is on fire."});
}

TEST_P(EngineTest, Many_readers_of_one_ring_with_changing_wishes_all_hear_all) {
  World world(GetParam(), kMono);
  Node& source = world.add<CountingSource>(
      "source", {{CountingSource::kFrames, 60'000}, {CountingSource::kBlock, 1234}});
  for (int i = 0; i < 12; ++i) {
    Node& sink = world.add<CollectingSink>("sink" + std::to_string(i),
                                           {{CollectingSink::kSlot, i},
                                            {CollectingSink::kBlock, 1 + 401 * i},
                                            {CollectingSink::kTakesLess, i % 2}});
    world.join(source, sink);
  }
  EXPECT_EQ(world.play(), Outcome::kFinished) << world.waits;
  for (size_t i = 0; i < 12; ++i) expect_counted(60'000, i);
}

TEST_P(EngineTest, Mixing_lane_feeds_two_sinks_from_three_sources) {
  World world(GetParam());
  Node& mix = world.add<CopyFilter>("mix");
  for (int i = 0; i < 3; ++i) {
    Node& source = world.add<CountingSource>(
        "source" + std::to_string(i),
        {{CountingSource::kFrames, 80'000}, {CountingSource::kBlock, 100 + 333 * i}});
    world.join(source, mix);
  }
  world.chain({&mix, &world.add<CollectingSink>("one")});
  world.chain({&mix, &world.add<CollectingSink>(
                         "two", {{CollectingSink::kSlot, 1}, {CollectingSink::kBlock, 37}})});
  EXPECT_EQ(world.play(), Outcome::kFinished) << world.waits;
  expect_counted(80'000, 0, 3.0F, 3.0F);
  expect_counted(80'000, 1, 3.0F, 3.0F);
}

TEST_P(EngineTest, Stopping_the_sources_lets_what_is_under_way_arrive) {
  World world(GetParam());
  Node& source = world.add<CountingSource>(
      "source", {{CountingSource::kFrames, 1e9}, {CountingSource::kPacedHz, 48'000}});
  world.chain({&source, &world.add<CopyFilter>("copy"), &world.add<CollectingSink>("sink")});
  world.start();
  world.engine->run(world.engine->clock().now_ns() + kSecondNs / 5);
  world.engine->stop_sources();
  EXPECT_EQ(world.engine->run(world.engine->clock().now_ns() + 20 * kSecondNs), Outcome::kFinished);
  world.engine->stop();
  world.expect_accounted();
  expect_counted(source.outputs[0]->written());
}

// Nobody needs a writer that could not go on if it were awake.
TEST(EngineWakes, Readers_that_are_passed_over_do_not_wake_a_writer_that_waits_for_another) {
  World world(TimeMode::kReal);
  constexpr uint64_t kFrames = 48'000;
  Node& source = world.add<CountingSource>("source", {{CountingSource::kFrames, kFrames}});
  Node& pacer = world.add<CollectingSink>("pacer", {{CollectingSink::kPacedHz, 192'000}});
  world.join(source, pacer);
  for (int slot = 1; slot <= 8; ++slot) {
    // Quicker than the pacer: they read whatever comes.
    Node& sink =
        world.add<CollectingSink>("sink" + std::to_string(slot), {{CollectingSink::kSlot, slot}});
    world.join(source, sink, {.when_full = WhenFull::kSkip});
  }
  EXPECT_EQ(world.play(), Outcome::kFinished) << world.waits;
  expect_counted(kFrames);
  // Its blocks are of 480; three wake-ups for each allow for readers that are interrupted while
  // they read.
  EXPECT_LE(source.lane->wakes(), 3 * kFrames / 480);
}

TEST(EngineSkip, Reader_beside_the_pacer_of_a_file_goes_on_near_the_pacer) {
  World world(TimeMode::kVirtual, kMono);
  Node& source = world.add<CountingSource>("source", {{CountingSource::kFrames, 192'000}});
  Node& pacer = world.add<CollectingSink>("pacer", {{CollectingSink::kPacedHz, 48'000}});
  Node& slow = world.add<CollectingSink>(
      "slow", {{CollectingSink::kSlot, 1}, {CollectingSink::kPacedHz, 24'000}});
  world.join(source, pacer);
  Edge& edge = world.join(source, slow, {.when_full = WhenFull::kSkip, .target_frames = 960});
  EXPECT_EQ(world.play(), Outcome::kFinished) << world.waits;
  EXPECT_GT(edge.gaps, 2U);
  for (const sluice_mark& mark : collected[1].marks) {
    if (mark.kind != SLUICE_MARK_DISCONTINUITY) continue;
    EXPECT_LE(mark.value, edge.from.ring->capacity_frames() / 2);
  }
}

TEST(EngineStall, Circle_of_waits_is_reported_with_fills) {
  for (const TimeMode time : {TimeMode::kVirtual, TimeMode::kReal}) {
    World world(time);
    // A join that needs both, one of which ends in a reader that takes nothing: `hole` is on a
    // waiting edge, so the source can write no more than a ring, which the other branch wants.
    Node& source = world.add<CountingSource>("source", {{CountingSource::kFrames, 1e6}});
    Node& hole = world.add<CollectingSink>(
        "hole", {{CollectingSink::kSlot, 1}, {CollectingSink::kBlockAt, 1}});
    Node& sink = world.add<CollectingSink>("sink");
    world.join(source, hole);
    world.join(source, sink);
    EXPECT_EQ(world.play(), Outcome::kStalled);
    EXPECT_NE(world.waits.find("source.out -> hole.in holds"), std::string::npos) << world.waits;
    EXPECT_NE(world.waits.find("source waits for room."), std::string::npos) << world.waits;
    EXPECT_NE(world.waits.find("sink waits for 480."), std::string::npos) << world.waits;
  }
}

SLUICE_IN_BOTH_TIMES(EngineTest);

}  // namespace
}  // namespace sluice::engine
