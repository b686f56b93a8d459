// Inputs that sum: gains, ramps, timelines, and what fades when data is missing.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "tests/unit/engine/engine_world.hpp"

namespace sluice::engine {
namespace {

using namespace sluice::tests;
using Outcome = Engine::Outcome;

constexpr double kRampFrames = 1440;  // 30 ms at 48 kHz

// Raised cosine from 0 to 1, as of the k-th frame of a ramp (from 1).
double rise(double k) {
  if (k <= 0) return 0.0;
  if (k >= kRampFrames) return 1.0;
  return 0.5 * (1.0 - std::cos(std::numbers::pi * k / kRampFrames));
}

class EngineSum : public BothTimes {};

TEST_P(EngineSum, One_edge_at_unity_passes_bits_and_reads_in_place) {
  World world(GetParam());
  Node& source = world.add<CountingSource>(
      "source", {{CountingSource::kFrames, 30'000}, {CountingSource::kFirst, 0.1}});
  Node& sink = world.add<CollectingSink>("sink");
  const Edge& edge = world.join(source, sink);
  EXPECT_EQ(world.play(), Outcome::kFinished);
  EXPECT_TRUE(edge.is_plain);
  ASSERT_EQ(samples().size(), 30'000U);
  for (size_t i = 0; i < samples().size(); ++i) {
    ASSERT_EQ(samples()[i], static_cast<float>(0.1 + static_cast<double>(i)));
  }
}

TEST_P(EngineSum, Two_to_five_edges_with_gains_match_the_reference) {
  for (int edges = 2; edges <= 5; ++edges) {
    World world(GetParam());
    Node& sink = world.add<CollectingSink>("sink", {{CollectingSink::kTakesLess, 1}});
    std::vector<double> gains;
    for (int e = 0; e < edges; ++e) {
      Node& source = world.add<CountingSource>("source" + std::to_string(e),
                                               {{CountingSource::kFrames, 20'000},
                                                {CountingSource::kBlock, 100 + 77 * e},
                                                {CountingSource::kFirst, 0.001 * (e + 1)},
                                                {CountingSource::kStep, 1e-5 * (e + 1)}});
      const double gain_db = -3.0 * e;
      world.join(source, sink, {.gain_db = gain_db});
      gains.push_back(from_db(gain_db));
    }
    EXPECT_EQ(world.play(), Outcome::kFinished) << world.waits;
    ASSERT_EQ(samples().size(), 20'000U);
    for (size_t i = 0; i < samples().size(); ++i) {
      double expected = 0.0;
      for (int e = 0; e < edges; ++e) {
        expected += gains[static_cast<size_t>(e)] *
                    (0.001 * (e + 1) + 1e-5 * (e + 1) * static_cast<double>(i));
      }
      ASSERT_NEAR(samples()[i], expected, 1e-6) << edges << " edges, frame " << i;
    }
  }
}

TEST_P(EngineSum, Gain_ramps_are_raised_cosines_moved_by_what_is_consumed) {
  World world(GetParam(), kMono);
  Node& source = world.add<CountingSource>("source", {{CountingSource::kFrames, 1e9},
                                                      {CountingSource::kFirst, 1},
                                                      {CountingSource::kStep, 0},
                                                      {CountingSource::kPacedHz, 192'000}});
  Node& sink = world.add<CollectingSink>(
      "sink", {{CollectingSink::kTakesLess, 1}, {CollectingSink::kBlock, 111}});
  Edge& edge = world.join(source, sink);
  world.start();
  world.run_until_read(edge, 10'000);
  world.engine->set_gain_live(edge, 20.0 * std::log10(0.25));
  world.run_until_read(edge, edge.read_frames + 40'000);
  world.engine->stop();
  world.expect_accounted();
  size_t begin = 0;
  while (begin < samples().size() && samples()[begin] == 1.0F) ++begin;
  ASSERT_LT(begin + 1440, samples().size());
  ASSERT_GT(begin, 0U);
  for (size_t i = 0; begin + i < samples().size(); ++i) {
    const double expected = 1.0 - 0.75 * rise(static_cast<double>(i + 1));
    ASSERT_NEAR(samples()[begin + i], expected, 1e-6) << i;
  }
}

TEST_P(EngineSum, Gain_back_at_unity_reads_in_place_again) {
  World world(GetParam(), kMono);
  Node& source = world.add<CountingSource>(
      "source", {{CountingSource::kFrames, 1e9}, {CountingSource::kPacedHz, 384'000}});
  Node& sink = world.add<CollectingSink>("sink");
  Edge& edge = world.join(source, sink, {.gain_db = -6.0});
  world.start();
  world.run_until_read(edge, 10'000);
  world.engine->set_gain_live(edge, 0.0);
  world.run_until_read(edge, edge.read_frames + 60'000);
  world.engine->stop();
  EXPECT_TRUE(edge.is_plain);
  EXPECT_EQ(samples()[0], static_cast<float>(from_db(-6.0)));
  for (size_t i = samples().size() - 40'000; i < samples().size(); ++i) {
    ASSERT_EQ(samples()[i], static_cast<float>(i + 1));
  }
}

TEST_P(EngineSum, Edges_that_end_at_different_times_leave_exact_zeros) {
  World world(GetParam());
  Node& sink = world.add<CollectingSink>("sink");
  const std::vector<uint64_t> lengths{5'001, 20'000, 12'345};
  for (size_t e = 0; e < lengths.size(); ++e) {
    Node& source = world.add<CountingSource>(
        "source" + std::to_string(e), {{CountingSource::kFrames, static_cast<double>(lengths[e])},
                                       {CountingSource::kBlock, 333}});
    world.join(source, sink);
  }
  EXPECT_EQ(world.play(), Outcome::kFinished) << world.waits;
  ASSERT_EQ(samples().size(), 20'000U);
  for (size_t i = 0; i < samples().size(); ++i) {
    const auto sounding =
        std::count_if(lengths.begin(), lengths.end(), [&](uint64_t length) { return i < length; });
    ASSERT_EQ(samples()[i], static_cast<float>((i + 1) * static_cast<size_t>(sounding))) << i;
  }
  for (const auto& edge : world.engine->edges()) {
    EXPECT_EQ(edge->filled_frames, 0U);
    EXPECT_EQ(edge->gaps, 0U);
  }
}

TEST_P(EngineSum, What_can_wait_waits_for_a_late_start) {
  World world(GetParam());
  Node& sink = world.add<CollectingSink>("sink");
  Node& early = world.add<CountingSource>("early", {{CountingSource::kFrames, 20'000}});
  Node& late = world.add<CountingSource>(
      "late", {{CountingSource::kFrames, 20'000}, {CountingSource::kStartMs, 100}});
  world.join(early, sink);
  world.join(late, sink);
  EXPECT_EQ(world.play(), Outcome::kFinished) << world.waits;
  expect_counted(20'000, 0, 2.0F, 2.0F);
}

TEST_P(EngineSum, Written_silence_keeps_its_place) {
  World world(GetParam());
  Node& sink = world.add<CollectingSink>("sink");
  Node& gated = world.add<MarkingSource>("gated", {{MarkingSource::kFrames, 30'000},
                                                   {MarkingSource::kSilentFrom, 10'000},
                                                   {MarkingSource::kSilentTo, 20'000}});
  Node& other = world.add<CountingSource>("other", {{CountingSource::kFrames, 30'000}});
  world.join(gated, sink);
  world.join(other, sink);
  EXPECT_EQ(world.play(), Outcome::kFinished) << world.waits;
  ASSERT_EQ(samples().size(), 30'000U);
  for (size_t i = 0; i < samples().size(); ++i) {
    const float other_part = static_cast<float>(i + 1);
    const bool is_silent = i >= 10'000 && i < 20'000;
    ASSERT_EQ(samples()[i], is_silent ? other_part : 2 * other_part) << i;
  }
  // The other one sounded all the time, so the sum was never silent.
  for (const sluice_mark& mark : collected[0].marks) {
    EXPECT_NE(mark.kind, uint32_t{SLUICE_MARK_SILENCE_BEGINS});
  }
}

TEST(EngineSumVirtual, Silence_that_is_not_written_delays_nobody_and_loses_nothing) {
  World world(TimeMode::kVirtual, kMono);
  Node& sink = world.add<CollectingSink>("sink");
  Node& gated = world.add<MarkingSource>("gated", {{MarkingSource::kFrames, 9'001},
                                                   {MarkingSource::kSilentFrom, 4'000},
                                                   {MarkingSource::kZeros, 0},
                                                   {MarkingSource::kSilentMs, 500}});
  Node& other = world.add<CountingSource>("other", {{CountingSource::kFrames, 96'000},
                                                    {CountingSource::kFirst, 0},
                                                    {CountingSource::kStep, 0},
                                                    {CountingSource::kPacedHz, 48'000}});
  const Edge& edge = world.join(gated, sink);
  world.join(other, sink);
  EXPECT_EQ(world.play(), Outcome::kFinished) << world.waits;
  ASSERT_EQ(samples().size(), 96'000U);
  // 4000 frames, silence for about half a second, and then the rest, all of it.
  for (size_t i = 0; i < 4'000; ++i) ASSERT_EQ(samples()[i], static_cast<float>(i + 1));
  size_t again = 4'000;
  while (again < samples().size() && samples()[again] == 0.0F) ++again;
  EXPECT_NEAR(static_cast<double>(again), 24'000.0, 5'000.0);
  for (size_t i = 0; i < 5'000; ++i) {
    ASSERT_EQ(samples()[again + i], static_cast<float>(4'001 + i)) << i;
  }
  EXPECT_EQ(edge.lost_frames, 0U);
  EXPECT_EQ(edge.gaps, 0U);
}

// A live edge that stalls: the sum waits for as long as it may, fades, and fades in again.
TEST(EngineSumVirtual, Live_edge_that_lags_fades_is_counted_and_comes_back) {
  World world(TimeMode::kVirtual, kMono);
  Node& sink = world.add<CollectingSink>("sink");
  const auto add = [&](const char* id, double stall_at) -> Node& {
    return world.add<CountingSource>(id, {{CountingSource::kFrames, 96'000},
                                          {CountingSource::kFirst, 0.5},
                                          {CountingSource::kStep, 0},
                                          {CountingSource::kPacedHz, 48'000},
                                          {CountingSource::kStallAt, stall_at},
                                          {CountingSource::kStallMs, 300}});
  };
  world.join(add("steady", 0), sink, {.fill_after_frames = 2'400});
  Edge& lagging = world.join(add("lagging", 24'000), sink, {.fill_after_frames = 2'400});
  EXPECT_EQ(world.play(), Outcome::kFinished) << world.waits;
  // 300 ms of it are missing, less what was let wait and what then came too late.
  EXPECT_EQ(lagging.gaps, 1U);
  EXPECT_NEAR(static_cast<double>(lagging.filled_frames), 1'440.0, 480.0);
  float largest_step = 0.0F;
  for (size_t i = 1; i < 90'000; ++i) {
    largest_step = std::max(largest_step, std::abs(samples()[i] - samples()[i - 1]));
  }
  EXPECT_LT(largest_step, 0.001F);  // steepest slope of a ramp of 0.5 over 1440 frames: 0.00055
  EXPECT_EQ(samples()[20'000], 1.0F);
  EXPECT_EQ(samples()[32'000], 0.5F);
  EXPECT_EQ(samples()[60'000], 1.0F);
}

TEST(EngineSumVirtual, Frames_that_come_too_late_are_dropped_and_counted) {
  World world(TimeMode::kVirtual, kMono);
  Node& sink = world.add<CollectingSink>("sink");
  const auto add = [&](const char* id, double stall_ms) -> Node& {
    return world.add<CountingSource>(id, {{CountingSource::kFrames, 96'000},
                                          {CountingSource::kFirst, 1},
                                          {CountingSource::kStep, 1e-5},
                                          {CountingSource::kPacedHz, 48'000},
                                          {CountingSource::kStallAt, 24'000},
                                          {CountingSource::kStallMs, stall_ms}});
  };
  world.join(add("steady", 0), sink, {.fill_after_frames = 480});
  // Late by 20 ms for good, of which 10 ms are waited for: what comes is dropped until the gap has
  // been heard, and then has a new place, by its capture times 20 ms later.
  Edge& late = world.join(add("late", 20), sink, {.fill_after_frames = 480});
  EXPECT_EQ(world.play(), Outcome::kFinished) << world.waits;
  EXPECT_GT(late.lost_frames, 0U);
  EXPECT_STREQ(late.loss_reason, "came too late for the sum");
  for (size_t i = 40'000; i < 90'000; ++i) {
    ASSERT_NEAR(samples()[i], 2.0 + 1e-5 * (2.0 * static_cast<double>(i) - 960.0), 1e-5) << i;
  }
}

TEST_P(EngineSum, Delay_of_an_edge_is_exact) {
  World world(GetParam(), kMono);
  Node& source = world.add<CountingSource>("source", {{CountingSource::kFrames, 50'000}});
  Node& alone = world.add<CollectingSink>("alone", {{CollectingSink::kSlot, 1}});
  Node& sink = world.add<CollectingSink>("sink");
  world.join(source, sink);
  world.join(source, sink, {.delay_frames = 7'777});
  const Edge& delayed = world.join(source, alone, {.delay_frames = 5'555});
  EXPECT_EQ(world.play(), Outcome::kFinished) << world.waits;
  ASSERT_EQ(samples().size(), 57'777U);
  for (size_t i = 0; i < samples().size(); ++i) {
    const size_t direct = i < 50'000 ? i + 1 : 0;
    const size_t late = i < 7'777 ? 0 : i - 7'776;
    ASSERT_EQ(samples()[i], static_cast<float>(direct + late)) << i;
  }
  ASSERT_EQ(samples(1).size(), 55'555U);
  for (size_t i = 0; i < samples(1).size(); ++i) {
    ASSERT_EQ(samples(1)[i], i < 5'555 ? 0.0F : static_cast<float>(i - 5'554)) << i;
  }
  EXPECT_TRUE(delayed.is_plain);
}

TEST(EngineSumVirtual, Capture_times_align_live_edges_that_start_apart) {
  World world(TimeMode::kVirtual, kMono);
  Node& sink = world.add<CollectingSink>("sink");
  const auto add = [&](const char* id, double start_ms) -> Node& {
    // Numbered by the time at which each frame is captured.
    return world.add<CountingSource>(id, {{CountingSource::kFrames, 48'000},
                                          {CountingSource::kFirst, 48.0 * start_ms},
                                          {CountingSource::kStartMs, start_ms},
                                          {CountingSource::kPacedHz, 48'000}});
  };
  world.join(add("first", 0), sink, {.fill_after_frames = 4'800});
  world.join(add("second", 255), sink, {.fill_after_frames = 4'800});
  EXPECT_EQ(world.play(), Outcome::kFinished) << world.waits;
  for (size_t i = 20'000; i < 40'000; ++i) {
    ASSERT_EQ(samples()[i], 2.0F * static_cast<float>(i)) << i;
  }
}

TEST_P(EngineSum, Fade_out_takes_a_ramp_and_ends_in_silence) {
  World world(GetParam(), kMono);
  Node& source = world.add<CountingSource>("source", {{CountingSource::kFrames, 1e9},
                                                      {CountingSource::kFirst, 1},
                                                      {CountingSource::kStep, 0},
                                                      {CountingSource::kPacedHz, 48'000}});
  const Edge& edge = world.join(source, world.add<CollectingSink>("sink"));
  world.start();
  world.run_until_read(edge, 4'800);
  world.engine->fade_out();
  world.run_until_read(edge, edge.read_frames + 4'800);
  world.engine->stop();
  EXPECT_EQ(samples().back(), 0.0F);
  for (size_t i = 1; i < samples().size(); ++i) {
    ASSERT_LT(std::abs(samples()[i] - samples()[i - 1]), 0.002F) << i;
  }
}

SLUICE_IN_BOTH_TIMES(EngineSum);

}  // namespace
}  // namespace sluice::engine
