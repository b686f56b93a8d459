// Device lanes: a callback drives them, nothing in them waits, and what is missing is silence.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <thread>

#include "host/support/thread.hpp"
#include "host/validate/rt_guard.hpp"
#include "tests/support/test_device.hpp"
#include "tests/unit/engine/engine_world.hpp"

namespace sluice::engine {
namespace {

using namespace sluice::tests;
using Outcome = Engine::Outcome;

constexpr int64_t kPeriodNs = int64_t{kPeriodFrames} * kSecondNs / 48'000;

// Drives `T` in virtual time, a period every 5 ms, from `first_ns` on.
template <typename T>
void drive(World& world, int64_t first_ns = 0) {
  T::is_self_driven = false;
  world.engine->scheduler().add_participant([first_ns](VirtualScheduler::Participant& self) {
    for (int64_t due_ns = first_ns;; due_ns += kPeriodNs) {
      self.sleep_until(due_ns);
      T::newest->run_cycle();
    }
  });
}

// Numbers from 1 on with no hole, behind silence at the beginning. Returns where they begin.
size_t expect_numbers(const std::vector<float>& played) {
  size_t begin = 0;
  while (begin < played.size() && played[begin] == 0.0F) ++begin;
  for (size_t i = begin; i < played.size(); ++i) {
    EXPECT_EQ(played[i], static_cast<float>(i - begin + 1)) << i;
    if (played[i] != static_cast<float>(i - begin + 1)) break;
  }
  return begin;
}

TEST(EngineDevice, Circle_through_a_duplex_device_is_refused) {
  World world(TimeMode::kVirtual);
  Node& device = world.add<TestDuplex>("device");
  device.outputs[0]->is_live = true;
  world.chain({&device, &world.add<CopyFilter>("one"), &world.add<CopyFilter>("two"), &device});
  const auto prepared = world.engine->prepare();
  ASSERT_FALSE(prepared);
  EXPECT_NE(prepared.error().message.find("circle"), std::string::npos);
}

TEST(EngineDevice, Capture_reaches_playback_through_a_filter_without_loss) {
  World world(TimeMode::kVirtual);
  drive<TestCapture>(world);
  drive<TestPlayback>(world, 12'000'000);
  Node& capture = world.add<TestCapture>("capture");
  capture.outputs[0]->is_live = true;
  Node& playback = world.add<TestPlayback>("playback");
  world.chain({&capture, &world.add<CopyFilter>("copy"), &playback});
  world.start();
  world.engine->run(10 * kSecondNs);
  const auto edge = world.engine->snapshot().edges[1];
  world.engine->stop();
  EXPECT_EQ(expect_numbers(TestPlayback::newest->played), 0U);
  EXPECT_NEAR(static_cast<double>(TestPlayback::newest->played.size()), 480'000.0, 1'000.0);
  EXPECT_EQ(edge.gaps, 0U);
  ASSERT_TRUE(edge.latency_ns);
  EXPECT_NEAR(static_cast<double>(*edge.latency_ns), 12e6, 5e6);
}

TEST(EngineDevice, Playback_in_real_time_hears_a_busy_feeder_whole_or_silence) {
  TestPlayback::is_self_driven = true;
  World world(TimeMode::kReal);
  Node& source = world.add<CountingSource>("source", {{CountingSource::kFrames, 100'000}});
  Node& playback = world.add<TestPlayback>("playback");
  world.chain({&source, &world.add<CopyFilter>("copy"), &playback});
  world.start();
  EXPECT_EQ(world.engine->run(world.engine->clock().now_ns() + 20 * kSecondNs), Outcome::kFinished);
  world.engine->stop();
  world.expect_accounted();
  const Edge& edge = *world.engine->edges()[1];
  EXPECT_EQ(edge.read_frames, 100'000U);
  EXPECT_EQ(edge.lost_frames, 0U);
}

// What is obtained depends on who runs the test.
TEST(EngineDevice, Thread_of_the_sound_system_gets_the_priority_of_the_lanes) {
  support::SchedulingOutcome usual;
  std::thread([&] { usual = support::set_scheduling(support::Scheduling::kFifo, 10); }).join();
  TestPlayback::is_self_driven = true;
  World world(TimeMode::kReal, kStereo, [](EngineOptions& options) { options.priority = 10; });
  Node& source = world.add<CountingSource>("source", {{CountingSource::kFrames, 480}});
  Node& playback = world.add<TestPlayback>("playback");
  world.join(source, playback);
  world.start();
  EXPECT_EQ(world.engine->run(world.engine->clock().now_ns() + 20 * kSecondNs), Outcome::kFinished);
  const support::SchedulingOutcome outcome = playback.lane->scheduling();
  world.engine->stop();
  EXPECT_EQ(outcome.scheduling, usual.scheduling);
  EXPECT_EQ(outcome.priority, usual.priority);
  EXPECT_EQ(outcome.why_not, usual.why_not);
}

TEST(EngineDevice, Starving_playback_fades_counts_and_never_repeats) {
  World world(TimeMode::kVirtual, kMono);
  drive<TestPlayback>(world, 50'000'000);
  Node& source = world.add<CountingSource>("source", {{CountingSource::kFrames, 96'000},
                                                      {CountingSource::kFirst, 1},
                                                      {CountingSource::kStep, 0},
                                                      {CountingSource::kPacedHz, 48'000},
                                                      {CountingSource::kStallAt, 48'000},
                                                      {CountingSource::kStallMs, 200}});
  Node& playback = world.add<TestPlayback>("playback");
  const Edge& edge = world.join(source, playback);
  world.start();
  world.engine->run(4 * kSecondNs);
  world.engine->stop();
  const auto& played = TestPlayback::newest->played;
  EXPECT_EQ(edge.gaps, 1U);
  EXPECT_NEAR(static_cast<double>(edge.filled_frames), 0.15 * 48'000, 500);
  // All of the stream was heard, as it could wait, in two ramps around silence.
  EXPECT_EQ(edge.read_frames, 96'000U);
  size_t zeros = 0;
  for (size_t i = 1; i < 100'000; ++i) {
    ASSERT_LT(std::abs(played[i] - played[i - 1]), 0.0012F) << i;
    zeros += played[i] == 0.0F ? 1 : 0;
  }
  EXPECT_GT(zeros, 3'000U);
}

TEST(EngineDevice, Starving_playback_of_integers_fades_too) {
  World world(TimeMode::kVirtual, {sizeof(sluice_format), SLUICE_SAMPLE_S32, 1, 48000});
  drive<TestPlayback>(world, 30'000'000);
  Node& source = world.add<CountingSource>("source", {{CountingSource::kFrames, 0}});
  Node& playback = world.add<TestPlayback>("playback");
  const Edge& edge = world.join(source, playback);
  world.start();
  Ring& ring = *source.outputs[0]->ring;
  const WriteSpan span = ring.begin_write(4'700);
  const std::vector<int32_t> loud(4'700, 1'000'000'007);
  std::memcpy(span.data, loud.data(), loud.size() * 4);
  ring.end_write(4'700);
  source.outputs[0]->is_ended = true;  // it goes missing rather than ending
  world.engine->run(kSecondNs);
  world.engine->stop();
  // The test device takes each sample for a float.
  std::vector<int32_t> words(TestPlayback::newest->played.size());
  std::memcpy(words.data(), TestPlayback::newest->played.data(), words.size() * 4);
  ASSERT_GT(words.size(), 10'000U);
  for (size_t i = 0; i + 1 < 4'700; ++i) {
    // Whole periods pass their bits; the last one is mixed as floats.
    ASSERT_NEAR(words[i], 1'000'000'007, i < 4'560 ? 0 : 64) << i;
  }
  for (size_t i = 1; i < words.size(); ++i) ASSERT_LT(std::abs(words[i] - words[i - 1]), 1'200'000);
  EXPECT_EQ(words.back(), 0);
  EXPECT_EQ(edge.gaps, 1U);
}

// What a reader of a stream that counts from 1 got: each number is where its time is less what the
// stream jumped over so far, or silence is.
struct Heard {
  uint64_t silent = 0;
  uint64_t jumped = 0;
};
Heard expect_numbers_jumps_and_silence() {
  Heard heard;
  auto mark = collected[0].marks.begin();
  for (size_t i = 0; i < samples().size(); ++i) {
    for (; mark != collected[0].marks.end() && mark->position <= i; ++mark) {
      if (mark->kind == SLUICE_MARK_DISCONTINUITY) heard.jumped += mark->value;
    }
    const float number = static_cast<float>(i + 1 + heard.jumped);
    EXPECT_TRUE(samples()[i] == number || samples()[i] == 0.0F) << i << ": " << samples()[i];
    if (testing::Test::HasFailure()) break;
    heard.silent += samples()[i] == 0.0F ? 1 : 0;
  }
  return heard;
}

TEST(EngineDevice, Capture_nobody_keeps_up_with_drops_marks_and_counts) {
  World world(TimeMode::kVirtual, kMono);
  drive<TestCapture>(world);
  Node& capture = world.add<TestCapture>("capture");
  capture.outputs[0]->is_live = true;
  Node& sink = world.add<CollectingSink>("sink", {{CollectingSink::kPacedHz, 24'000}});
  world.join(capture, sink);
  world.start();
  world.engine->run(5 * kSecondNs);
  const uint64_t dropped = capture.outputs[0]->ring->dropped();
  world.engine->stop();
  world.expect_accounted();
  EXPECT_GT(dropped, 48'000U);
  const Heard heard = expect_numbers_jumps_and_silence();
  EXPECT_LE(heard.silent + heard.jumped, dropped);
  EXPECT_GT(heard.jumped, 48'000U);
  const auto gap =
      std::find_if(collected[0].marks.begin(), collected[0].marks.end(),
                   [](const sluice_mark& mark) { return mark.kind == SLUICE_MARK_GAP; });
  ASSERT_NE(gap, collected[0].marks.end());
  EXPECT_NE(samples()[gap->position - 1], 0.0F);
  EXPECT_EQ(samples()[gap->position], 0.0F);
}

TEST(EngineDevice, Slower_reader_that_waits_hears_silence_for_a_moment_then_all_it_can_take) {
  World world(TimeMode::kVirtual, kMono);
  drive<TestCapture>(world);
  Node& capture = world.add<TestCapture>("capture");
  capture.outputs[0]->is_live = true;
  Node& sink = world.add<CollectingSink>("sink", {{CollectingSink::kPacedHz, 47'000}});
  world.join(capture, sink);
  world.start();
  world.engine->run(60 * kSecondNs);
  const uint64_t capacity = capture.outputs[0]->ring->capacity_frames();
  world.engine->stop();
  world.expect_accounted();
  const Heard heard = expect_numbers_jumps_and_silence();
  EXPECT_GT(heard.jumped, 0U);
  EXPECT_LT(heard.silent, 3 * capacity);
  ASSERT_GT(samples().size(), 50 * size_t{47'000});
  const size_t end = samples().size();
  EXPECT_EQ(std::count(samples().begin() + static_cast<std::ptrdiff_t>(end - 47'000),
                       samples().end(), 0.0F),
            0);
}

TEST(EngineDevice, Capture_nobody_reads_runs_on) {
  World world(TimeMode::kVirtual, kMono);
  drive<TestCapture>(world);
  Node& capture = world.add<TestCapture>("capture");
  capture.outputs[0]->is_live = true;
  Node& source = world.add<CountingSource>("source", {{CountingSource::kFrames, 1'000}});
  world.chain({&source, &world.add<CollectingSink>("sink")});
  world.start();
  world.engine->run(kSecondNs);
  EXPECT_EQ(capture.outputs[0]->ring->dropped(), 0U);
  world.engine->stop();
}

TEST(EngineDevice, Sources_of_three_lanes_meet_in_the_lane_of_the_device_they_feed) {
  World world(TimeMode::kVirtual, kMono);
  drive<TestPlayback>(world, 20'000'000);
  Node& mix = world.add<CopyFilter>("mix");
  for (int i = 0; i < 3; ++i) {
    world.join(world.add<CountingSource>("source" + std::to_string(i),
                                         {{CountingSource::kFrames, 20'000}}),
               mix);
  }
  Node& playback = world.add<TestPlayback>("playback");
  world.join(mix, playback);
  world.start();
  EXPECT_EQ(mix.lane, playback.lane);
  EXPECT_EQ(world.engine->run(10 * kSecondNs), Outcome::kFinished);
  world.engine->stop();
  const auto& played = TestPlayback::newest->played;
  ASSERT_GE(played.size(), 20'000U);
  for (size_t i = 0; i < 20'000; ++i) ASSERT_EQ(played[i], 3.0F * static_cast<float>(i + 1)) << i;
}

TEST(EngineDevice, Guard_sees_a_cycle_with_everything_in_it_clean) {
  // The guard ends the test if any of this allocates, locks or calls the system: a lane with
  // filters, a sum, a starving edge, a failing node, a plan taken up and a meter.
  if (!validate::has_rt_guard()) GTEST_SKIP() << "no guard in this build";
  World world(TimeMode::kVirtual, kMono);
  drive<TestPlayback>(world, 1'000'000);
  Node& source = world.add<CountingSource>("source", {{CountingSource::kFrames, 96'000},
                                                      {CountingSource::kPacedHz, 48'000},
                                                      {CountingSource::kStallAt, 24'000},
                                                      {CountingSource::kStallMs, 100}});
  Node& marks = world.add<MarkingSource>(
      "marks", {{MarkingSource::kFrames, 48'000}, {MarkingSource::kGapAt, 1'000}});
  Node& mix = world.add<CopyFilter>("mix");
  Node& bad = world.add<NotingFilter>(
      "bad", {{NotingFilter::kFailAt, 30'000}, {NotingFilter::kTellAt, 10'000}});
  Node& playback = world.add<TestPlayback>("playback");
  world.join(source, mix, {.gain_db = -3.0});
  world.join(marks, mix);
  world.chain({&mix, &playback});
  world.chain({&marks, &bad, &playback});
  world.start();
  world.engine->set_metered(true);
  world.engine->run(kSecondNs / 2);
  ASSERT_TRUE(world.engine->connect_live(*source.outputs[0], *mix.inputs[0], {}));
  ASSERT_TRUE(bad.set_parameter(NotingFilter::kKnob, 5.0));
  world.engine->run(2 * kSecondNs);
  world.engine->stop();
  EXPECT_EQ(bad.state(), NodeState::kFailed);
  EXPECT_GT(TestPlayback::newest->cycles, 300U);
}

}  // namespace
}  // namespace sluice::engine
