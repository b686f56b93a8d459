// The line under the log: what it says of a source, playing, held up and at its end.
#include "host/cli/live_line.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/engine/engine_world.hpp"

namespace sluice::cli {
namespace {

using engine::Engine;
using engine::World;
using testing::HasSubstr;

std::string line(World& world) {
  return status_line(world.engine->snapshot(Engine::Meters::kTake), 0, 200, false);
}

TEST(LiveLine, Level_is_told_only_of_what_was_written) {
  World world(engine::TimeMode::kVirtual);
  using Source = tests::CountingSource;
  world.chain({&world.add<Source>("tone", {{Source::kFrames, 960},
                                           {Source::kStep, 0},
                                           {Source::kPacedHz, 48000},
                                           {Source::kStallAt, 480},
                                           {Source::kStallMs, 100}}),
               &world.add<tests::CollectingSink>("sink")});
  world.start();
  world.engine->set_metered(true);
  world.engine->run(50'000'000);
  EXPECT_THAT(line(world), HasSubstr("tone # 0 dB"));
  world.engine->run(80'000'000);
  EXPECT_THAT(line(world), HasSubstr("tone waits"));
  EXPECT_EQ(world.engine->run(engine::kSecondNs), Engine::Outcome::kFinished);
  line(world);
  EXPECT_THAT(line(world), HasSubstr("tone ended"));
}

}  // namespace
}  // namespace sluice::cli
