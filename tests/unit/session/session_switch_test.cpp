// What a switch sounds like: the ideal envelope, sample by sample, and nothing elsewhere.
#include <cmath>
#include <cstdlib>
#include <map>
#include <numbers>
#include <random>

#include "tests/unit/session/session_world.hpp"

namespace sluice::session {
namespace {

constexpr double kRampFrames = 1440;

// From which frame of the mix on which route was called for.
struct Call {
  uint64_t frame;
  std::string route;
};

// The level that ideal ramps give at each frame to what stands at `levels` in these routes.
std::vector<double> envelope(const std::vector<Call>& calls,
                             const std::map<std::string, double>& target, size_t frames) {
  std::vector<double> levels(frames);
  double from = target.at("on");
  double to = from;
  double level = from;
  uint64_t since = 0;
  size_t next = 0;
  for (size_t i = 0; i < frames; ++i) {
    // Of several calls between the same two frames the last one counts.
    while (next + 1 < calls.size() && calls[next + 1].frame <= i) ++next;
    if (next < calls.size() && calls[next].frame <= i) {
      const double wanted = target.at(calls[next++].route);
      if (wanted != to) {
        from = level;
        to = wanted;
        since = i;
      }
    }
    const double k = std::min(static_cast<double>(i - since + 1), kRampFrames);
    level = from + (to - from) * 0.5 * (1 - std::cos(std::numbers::pi * k / kRampFrames));
    levels[i] = level;
  }
  return levels;
}

std::string switch_graph(const std::string& tone_hz) {
  return R"({"sluice": 1, "nodes": {
    "tone": {"type": "source.tone", "params": {"level_db": 0, "frequency_hz": )" +
         tone_hz + R"(, "channels": 1, "live": true}},
    "bed": {"type": "source.tone", "params": {"wave": "silence", "channels": 1, "live": true}},
    "mix": "filter.gain",
    "out": {"type": "sink.wav", "params": {"path": "out.wav"}},
    "other": {"type": "sink.wav", "params": {"path": "other.wav"}}
  },
  "edges": ["bed -> mix -> out", "tone -> other"],
  "routes": {
    "on": ["tone -> mix"],
    "low": [{"from": "tone", "to": "mix", "gain_db": -6}],
    "late": [{"from": "tone", "to": "mix", "buffer_ms": 20}],
    "none": []
  }, "route": "on"})";
}

// The frame of the tone that is the first of `heard`, which is at full level there.
size_t phase_of(const std::vector<float>& tone, const std::vector<float>& heard, size_t at) {
  for (size_t phase = 0; phase < 20'000; ++phase) {
    bool fits = true;
    for (size_t i = 0; i < 200 && fits; ++i) {
      fits = std::abs(tone[phase + at + i] - heard[at + i]) < 1e-6F;
    }
    if (fits) return phase;
  }
  ADD_FAILURE() << "the tone is nowhere";
  return 0;
}

class SessionSwitch : public ::testing::TestWithParam<const char*> {};

TEST_P(SessionSwitch, Random_switches_follow_the_ideal_envelope_and_leave_the_rest_alone) {
  SessionWorld world(switch_graph(GetParam()));
  ASSERT_TRUE(world.session);
  const std::vector<std::string> routes{"on", "low", "late", "none"};
  // "on" and "low" are one edge with two gains, "late" is another.
  const std::map<std::string, double> first{
      {"on", 1.0}, {"low", std::pow(10.0, -6.0 / 20.0)}, {"late", 0.0}, {"none", 0.0}};
  const std::map<std::string, double> second{
      {"on", 0.0}, {"low", 0.0}, {"late", 1.0}, {"none", 0.0}};
  std::mt19937_64 random(5);
  world.run_for(300 * kMsNs);
  std::vector<Call> calls;
  const engine::InputPort& input = *world.node("mix").inputs[0];
  for (int i = 0; i < 1000; ++i) {
    const std::string name = routes[random() % routes.size()];
    bool is_done = false;
    world.session->change(route(name), [&](const ChangeResult& result) {
      ASSERT_TRUE(result.status.ok()) << result.status.error().message;
      calls.push_back({input.position(), name});
      is_done = true;
    });
    for (int k = 0; k < 1000 && !is_done; ++k) world.run_for(kMsNs);
    ASSERT_TRUE(is_done);
    world.run_for(static_cast<int64_t>(random() % 100) * kMsNs);
  }
  world.settle();
  world.run_for(200 * kMsNs);
  world.expect_accounted();
  for (const auto& edge : world.engine().edges()) EXPECT_EQ(edge->lost_frames, 0U);
  EXPECT_EQ(world.engine().edges().size(), calls.back().route == "none" ? 3U : 4U);
  world.session->player().stop();

  const auto heard = tests::read_sound_float(world.folder / "out.wav");
  const auto other = tests::read_sound_float(world.folder / "other.wav");
  ASSERT_GT(heard.size(), 300'000U);
  // The untouched branch: the tone itself, to the bit and without a hole.
  const double hz = std::strtod(GetParam(), nullptr);
  for (size_t i = 0; i < other.size(); ++i) {
    const double turn = std::fmod(hz * static_cast<double>(i) / 48000.0, 1.0);
    ASSERT_NEAR(other[i], std::sin(2 * std::numbers::pi * turn), 1e-6) << i;
  }
  const size_t phase = phase_of(other, heard, 4800);
  auto levels = envelope(calls, first, heard.size());
  const auto more = envelope(calls, second, heard.size());
  for (size_t i = 0; i < levels.size(); ++i) levels[i] += more[i];
  double worst = 0;
  for (size_t i = 0; i < heard.size() && i + phase < other.size(); ++i) {
    const double error =
        std::abs(static_cast<double>(heard[i]) - levels[i] * static_cast<double>(other[i + phase]));
    worst = std::max(worst, error);
    ASSERT_LT(error, 1e-5) << "frame " << i;
  }
  RecordProperty("worst", std::to_string(worst));
}

INSTANTIATE_TEST_SUITE_P(Tones, SessionSwitch, ::testing::Values("1000", "40"));

}  // namespace
}  // namespace sluice::session
