// Random valid graphs, by seed: all end, and every frame of every edge is accounted for.
#include <gtest/gtest.h>

#include <random>

#include "host/support/sanitizers.hpp"
#include "tests/unit/engine/engine_world.hpp"

namespace sluice::engine {
namespace {

using namespace sluice::tests;
using Outcome = Engine::Outcome;

using Random = std::mt19937_64;

uint64_t pick(Random& random, uint64_t least, uint64_t most) {
  return least + random() % (most - least + 1);
}

// Sources, then filters that read one to three of what is there, then sinks. Lossless ones have
// waiting edges only and no clock; the others are paced, skip, delay and fill.
void build(World& world, Random& random, bool is_lossless) {
  std::vector<Node*> writers;
  const uint64_t sources = pick(random, 1, 3);
  for (uint64_t i = 0; i < sources; ++i) {
    writers.push_back(&world.add<CountingSource>(
        "source" + std::to_string(i),
        {{CountingSource::kFrames, static_cast<double>(pick(random, 0, 30'000))},
         {CountingSource::kBlock, static_cast<double>(pick(random, 1, 3'000))},
         {CountingSource::kPacedHz, is_lossless ? 0 : 480'000}}));
  }
  const auto edge = [&] {
    EdgeOptions options;
    if (pick(random, 0, 3) == 0) options.gain_db = -static_cast<double>(pick(random, 0, 20));
    if (pick(random, 0, 5) == 0) options.delay_frames = pick(random, 1, 5'000);
    if (!is_lossless && pick(random, 0, 2) == 0) options.when_full = WhenFull::kSkip;
    // Behind a clock nobody waits for ever.
    if (!is_lossless) options.fill_after_frames = pick(random, 0, 9'600);
    return options;
  };
  const auto feed = [&](Node& node) {
    for (uint64_t left = pick(random, 1, 3); left != 0; --left) {
      world.join(*writers[pick(random, 0, writers.size() - 1)], node, edge());
    }
  };
  const uint64_t filters = pick(random, 0, 6);
  for (uint64_t i = 0; i < filters; ++i) {
    const std::string id = "filter" + std::to_string(i);
    Node* node = nullptr;
    switch (pick(random, 0, 3)) {
      case 0:
        node = &world.add<CopyFilter>(id);
        break;
      case 1:
        node = &world.add<HoldFilter>(
            id, {{HoldFilter::kHold, static_cast<double>(pick(random, 0, 20'000))}});
        break;
      case 2:
        node = &world.add<LateFilter>(
            id, {{LateFilter::kLatency, static_cast<double>(pick(random, 0, 2'000))}});
        break;
      default:
        node = &world.add<NotingFilter>(id, {{NotingFilter::kPart, 1}});
        break;
    }
    feed(*node);
    writers.push_back(node);
  }
  const uint64_t sinks = pick(random, 1, 3);
  for (uint64_t i = 0; i < sinks; ++i) {
    feed(world.add<CollectingSink>(
        "sink" + std::to_string(i),
        {{CollectingSink::kSlot, static_cast<double>(i)},
         {CollectingSink::kBlock, static_cast<double>(pick(random, 1, 2'500))},
         {CollectingSink::kTakesLess, static_cast<double>(pick(random, 0, 1))},
         {CollectingSink::kStopAfter,
          pick(random, 0, 4) == 0 ? static_cast<double>(pick(random, 1, 5'000)) : 0.0}}));
  }
}

class EngineRandom : public BothTimes {
 protected:
  static uint64_t graphs() { return is_virtual() && !SLUICE_THREAD_SANITIZER ? 300 : 60; }
};

TEST_P(EngineRandom, Lossless_graphs_end_and_lose_nothing) {
  for (uint64_t seed = 1; seed <= graphs(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    World world(GetParam(), kMono, [&](EngineOptions& options) {
      options.block_frames = static_cast<uint32_t>(pick(random, 16, 2'000));
      options.is_offline = pick(random, 0, 1) == 0;
    });
    build(world, random, true);
    ASSERT_EQ(world.play(), Outcome::kFinished) << world.waits;
    for (const auto& edge : world.engine->edges()) ASSERT_EQ(edge->lost_frames, 0U);
    if (HasFailure()) return;
  }
}

TEST_P(EngineRandom, Live_graphs_end_and_account_for_every_frame) {
  for (uint64_t seed = 1; seed <= graphs() / 2; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed + 1'000'000);
    World world(GetParam(), kMono, [&](EngineOptions& options) {
      options.block_frames = static_cast<uint32_t>(pick(random, 16, 2'000));
    });
    build(world, random, false);
    ASSERT_EQ(world.play(), Outcome::kFinished) << world.waits;
    if (HasFailure()) return;
  }
}

TEST(EngineRandomVirtual, Same_seed_gives_the_same_bits_and_the_same_time) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    std::vector<std::vector<float>> heard[2];
    int64_t ended_ns[2];
    for (int run = 0; run < 2; ++run) {
      Random random(seed);
      World world(TimeMode::kVirtual, kMono);
      build(world, random, false);
      ASSERT_EQ(world.play(), Outcome::kFinished) << world.waits;
      ended_ns[run] = world.engine->clock().now_ns();
      for (size_t slot = 0; slot < 3; ++slot) heard[run].push_back(samples(slot));
    }
    ASSERT_EQ(heard[0], heard[1]) << seed;
    ASSERT_EQ(ended_ns[0], ended_ns[1]) << seed;
  }
}

TEST(EngineVirtualTime, An_hour_is_exact_to_the_nanosecond) {
  World world(TimeMode::kVirtual, kMono);
  constexpr uint64_t kFrames = uint64_t{3'600} * 48'000;
  Node& source = world.add<CountingSource>(
      "source", {{CountingSource::kFrames, kFrames}, {CountingSource::kPacedHz, 48'000}});
  Node& sink = world.add<CollectingSink>("sink", {{CollectingSink::kStopAfter, 1}});
  Node& null = world.add<NotingFilter>("null", {{NotingFilter::kSlot, 1}});
  Node& rest = world.add<CollectingSink>(
      "rest", {{CollectingSink::kSlot, 2}, {CollectingSink::kBlockAt, 1}});
  world.join(source, null);
  world.join(null, rest, {.when_full = WhenFull::kSkip});
  world.join(source, sink);
  world.start();
  world.engine->run(2 * 3'600 * kSecondNs, [&] { return !source.is_finished(); });
  EXPECT_EQ(source.outputs[0]->written(), kFrames);
  EXPECT_EQ(source.outputs[0]->marks.time().capture_ns, 3'600 * kSecondNs);
  world.engine->stop();
  world.expect_accounted();
  EXPECT_EQ(collected[1].frames, kFrames);
}

SLUICE_IN_BOTH_TIMES(EngineRandom);

}  // namespace
}  // namespace sluice::engine
