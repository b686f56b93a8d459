// The bridge between a writer and a reader whose clocks run at rates of their own, in virtual time.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <numbers>
#include <random>
#include <sluice/sluice.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host/engine/engine.hpp"
#include "tests/support/signal.hpp"
#include "tests/support/worker_driver.hpp"

namespace sluice::tests {
namespace {

// A clock that runs `ppm` fast, with periods that come late by up to `jitter_us`.
struct Pace {
  double ppm = 0.0;
  uint32_t block = 480;
  double jitter_us = 0.0;
  double stall_at_s = -1.0;  // stands still then
  double stall_s = 0.0;
  bool catches_up = true;    // after that; otherwise what it missed never was
  uint32_t first_block = 0;  // instead of block until first_s
  double first_s = 0.0;
};

struct Script {
  Pace writer, reader;
  double hz = 1000.0;  // of the tone; 0: all samples 0.5
  double seconds = 20.0;
  bool is_kept = false;  // what was read
  // The reader has a buffer of two blocks, into which it hands frames as they come.
  bool is_buffered = false;
  // Instead of the tone an impulse at this frame, with a mark.
  uint64_t mark_at = 0;
};

struct Told {
  std::vector<float> heard;  // first channel
  uint64_t read = 0, missing = 0;
  float peak = 0.0F;
  uint64_t peak_at = 0;          // of the stream that is read
  std::vector<uint64_t> marked;  // likewise
};

Script script;
Told told;

// When frame `frames` of a clock is due, in ns after its start.
int64_t due_ns(const Pace& pace, uint64_t frames, uint32_t rate_hz) {
  const long double hz = static_cast<long double>(rate_hz) * (1.0L + pace.ppm * 1e-6L);
  return static_cast<int64_t>(static_cast<long double>(frames) * 1e9L / hz);
}

class Writer : public Threaded<Writer> {
 public:
  static constexpr Info kInfo{"test.writer", "Writer", "Writes a tone at its own pace."};
  static constexpr sluice_port kPorts[] = {
      output("out", "The tone.", kOfferF32, SLUICE_PORT_LIVE, SLUICE_CLOCK_REMOTE)};
  void prepare(Setup& setup) {
    format_ = setup.format();
    setup.port(0).max_block_frames = std::max(script.writer.block, script.writer.first_block);
  }
  void run() {
    const Pace& pace = script.writer;
    std::mt19937_64 random(1);
    std::uniform_real_distribution<double> jitter(0.0, pace.jitter_us * 1000.0);
    int64_t start_ns = now_ns();
    const double step = script.hz / format_.rate_hz;
    bool has_stalled = false;
    for (uint64_t done = 0;;) {
      const bool is_first = static_cast<double>(done) < pace.first_s * format_.rate_hz;
      const uint32_t block = is_first ? pace.first_block : pace.block;
      int64_t due = start_ns + due_ns(pace, done + block, format_.rate_hz);
      if (!has_stalled && pace.stall_at_s >= 0 &&
          static_cast<double>(due - start_ns) > pace.stall_at_s * 1e9) {
        has_stalled = true;
        const auto stall_ns = static_cast<int64_t>(pace.stall_s * 1e9);
        if (pace.catches_up) {
          due += stall_ns;
        } else {
          start_ns += stall_ns;
          due += stall_ns;
        }
      }
      if (sleep_until(due + static_cast<int64_t>(jitter(random))) != SLUICE_ERROR_TIMEOUT) return;
      for (uint32_t left = block; left != 0;) {
        const sluice_write_span span = begin_write(0, left);
        float* out = static_cast<float*>(span.data);
        if (script.mark_at != 0 && script.mark_at - done < span.frames) {
          mark(0, SLUICE_MARK_SILENCE_ENDS, span.position + script.mark_at - done);
        }
        for (uint32_t i = 0; i < span.frames; ++i) {
          const double turns = std::fmod(static_cast<double>(done + i) * step, 1.0);
          auto sample = static_cast<float>(
              script.hz == 0 ? 0.5 : 0.5 * std::sin(2 * std::numbers::pi * turns));
          if (script.mark_at != 0) sample = done + i == script.mark_at ? 0.5F : 0.0F;
          for (uint32_t c = 0; c < format_.channels; ++c) *out++ = sample;
        }
        end_write(0, span.frames, now_ns());
        done += span.frames;
        left -= span.frames;
        if (span.frames == 0) {
          drop(0, left);
          done += left;
          left = 0;
        }
      }
    }
  }

 private:
  sluice_format format_{};
};

class Reader : public Threaded<Reader> {
 public:
  static constexpr Info kInfo{"test.reader", "Reader", "Reads at its own pace."};
  static constexpr sluice_port kPorts[] = {
      input("in", "Audio.", kOfferF32, 0, SLUICE_CLOCK_DEVICE)};
  void prepare(Setup& setup) { format_ = setup.format(); }
  void run() {
    if (script.is_buffered) return run_buffered();
    const Pace& pace = script.reader;
    std::mt19937_64 random(2);
    std::uniform_real_distribution<double> jitter(0.0, pace.jitter_us * 1000.0);
    int64_t start_ns = now_ns() + 3'456'789;
    bool has_stalled = false;
    for (uint64_t due_frames = pace.block;; due_frames += pace.block) {
      int64_t due = start_ns + due_ns(pace, due_frames, format_.rate_hz);
      if (!has_stalled && pace.stall_at_s >= 0 &&
          static_cast<double>(due - start_ns) > pace.stall_at_s * 1e9) {
        has_stalled = true;
        start_ns += static_cast<int64_t>(pace.stall_s * 1e9);
        due += static_cast<int64_t>(pace.stall_s * 1e9);
      }
      if (sleep_until(due + static_cast<int64_t>(jitter(random))) != SLUICE_ERROR_TIMEOUT) return;
      uint32_t got = 0;
      while (got < pace.block) {
        const sluice_read_span span = begin_read(0, pace.block - got);
        const float* in = static_cast<const float*>(span.data);
        for (uint32_t i = 0; script.is_kept && i < span.frames; ++i) {
          told.heard.push_back(in[size_t{i} * format_.channels]);
        }
        for (uint32_t i = 0; script.mark_at != 0 && i < span.frames; ++i) {
          if (in[size_t{i} * format_.channels] <= told.peak) continue;
          told.peak = in[size_t{i} * format_.channels];
          told.peak_at = span.position + i;
        }
        sluice_mark mark{};
        while (next_mark(0, span.position + span.frames, mark)) {
          if (mark.kind == SLUICE_MARK_SILENCE_ENDS) told.marked.push_back(mark.position);
        }
        end_read(0, span.frames);
        got += span.frames;
        if (span.frames == 0) break;
      }
      for (uint32_t i = got; script.is_kept && i < pace.block; ++i) told.heard.push_back(0.0F);
      told.read += got;
      told.missing += pace.block - got;
    }
  }
  void run_buffered() {
    const Pace& pace = script.reader;
    const auto* player = extension<sluice_play_host>(SLUICE_PLAY_HOST);
    const int64_t start_ns = now_ns() + 3'456'789;
    uint32_t queued = 0;
    for (uint64_t due_frames = pace.block;;) {
      const int64_t due = start_ns + due_ns(pace, due_frames, format_.rate_hz);
      const bool has_room = queued < 2 * pace.block;
      const sluice_result woken = has_room ? wait(on_input(0, 1), due) : sleep_until(due);
      if (woken == SLUICE_ERROR_STOPPED) return;
      if (now_ns() >= due) {
        const uint32_t taken = std::min(queued, pace.block);
        queued -= taken;
        told.read += taken;
        told.missing += pace.block - taken;
        due_frames += pace.block;
        EXPECT_EQ(player->played(host(), 0, queued, now_ns()), SLUICE_OK);
      }
      while (queued < 2 * pace.block) {
        const sluice_read_span span = begin_read(0, 2 * pace.block - queued);
        end_read(0, span.frames);
        if (span.frames == 0) break;
        queued += span.frames;
      }
    }
  }

 private:
  sluice_format format_{};
};

// Writer, bridge, reader.
struct World {
  explicit World(const Script& wanted, double target_ms = 20.0,
                 sluice_format format = {sizeof(sluice_format), SLUICE_SAMPLE_F32, 1, 48000}) {
    script = wanted;
    told = {};
    if (script.is_kept) told.heard.reserve(static_cast<size_t>(script.seconds * 50'000));
    engine::EngineOptions options;
    options.time = engine::TimeMode::kVirtual;
    engine_ = std::make_unique<engine::Engine>(options);
    engine::Node& writer = add(TypeOf<Writer>::kType, {});
    const sluice_type& type = load_type("filter.bridge");
    std::vector<engine::ParameterValue> values(type.parameter_count);
    values[0].number = target_ms;
    bridge = &add(type, std::move(values));
    engine::Node& reader = add(TypeOf<Reader>::kType, {});
    for (engine::Node* node : {&writer, bridge, &reader}) {
      for (auto& port : node->inputs) port->format = format;
      for (auto& port : node->outputs) port->format = format;
    }
    writer.outputs[0]->is_live = true;
    engine_->connect(*writer.outputs[0], *bridge->inputs[0], {});
    engine_->connect(*bridge->outputs[0], *reader.inputs[0],
                     {.when_full = engine::WhenFull::kSkip,
                      .buffer_frames = format.rate_hz / 2,
                      .target_frames = format.rate_hz / 20});
    EXPECT_TRUE(engine_->prepare());
    EXPECT_TRUE(engine_->start());
  }
  ~World() { engine_->stop(); }

  engine::Node& add(const sluice_type& type, std::vector<engine::ParameterValue> values) {
    return **engine_->add(type.id, type, std::move(values));
  }
  void run_until(double seconds) { engine_->run(static_cast<int64_t>(seconds * 1e9)); }
  double value(std::string_view key) const {
    const sluice_type& type = bridge->type();
    for (uint32_t i = 0; i < type.statistic_count; ++i) {
      if (key != type.statistics[i].key) continue;
      const uint64_t word = bridge->slot(i);
      return type.statistics[i].kind == SLUICE_COUNTER ? static_cast<double>(word)
                                                       : std::bit_cast<double>(word);
    }
    ADD_FAILURE() << "no statistic " << key;
    return 0;
  }
  uint64_t lost() const {
    uint64_t sum = 0;
    for (const auto& edge : engine_->edges()) sum += edge->lost_frames;
    return sum;
  }

  std::unique_ptr<engine::Engine> engine_;
  engine::Node* bridge = nullptr;
};

// What must hold of a run without disturbances: watched from 10 s on, every 0.1 s.
void expect_steady(World& world, double seconds, double locked_s = 10.0) {
  std::vector<double> ppms;
  double worst_fill = 0, worst_ppm = 0, worst_slew = 0;
  uint64_t missing = 0;
  double previous = 0;
  for (double s = 0.1; s <= seconds; s += 0.1) {
    world.run_until(s);
    const double ppm = world.value("ppm");
    // Taken at once before anything is heard; slewed from then on.
    if (s > 1.0) worst_slew = std::max(worst_slew, std::fabs(ppm - previous) / 0.1);
    previous = ppm;
    if (s < 10.0) {
      missing = told.missing;
      continue;
    }
    worst_fill = std::max(worst_fill, std::fabs(world.value("fill_ms") - world.value("goal_ms")));
    ppms.push_back(ppm);
    if (ppms.size() <= 100 || s < locked_s + 10) continue;
    double mean = 0;
    for (size_t i = ppms.size() - 100; i < ppms.size(); ++i) mean += ppms[i] / 100;
    worst_ppm = std::max(worst_ppm, std::fabs(ppm - mean));
  }
  EXPECT_LT(worst_fill, 1.0);
  EXPECT_LT(worst_ppm, 10.0);
  EXPECT_LE(worst_slew, 200.0);
  EXPECT_EQ(told.missing, missing);
  EXPECT_EQ(world.lost(), 0U);
  EXPECT_EQ(world.value("starts"), 1.0);
  ::testing::Test::RecordProperty("worst_fill_ms", std::to_string(worst_fill));
  std::printf("fill within %.3f ms, ratio within %.3f ppm of its mean, slew %.1f ppm/s, ppm %.3f\n",
              worst_fill, worst_ppm, worst_slew, previous);
}

constexpr double kOffsets[] = {0, 50, -50, 200, -200, 1000, -1000};

// Nothing is kept in a buffer of the device's beside what lies between the clocks.
TEST(Bridge, What_a_device_holds_lies_between_the_clocks) {
  World world({.writer = {.ppm = 100, .block = 480, .jitter_us = 300},
               .reader = {.ppm = -50, .block = 480, .jitter_us = 300},
               .is_buffered = true},
              5.0);
  world.run_until(10.0);
  const uint64_t missing = told.missing;
  uint64_t most = 0;
  for (double s = 10.1; s < 60.0; s += 0.1) {
    world.run_until(s);
    EXPECT_NEAR(world.value("fill_ms"), world.value("goal_ms"), 1.0) << s;
    most = std::max(most, world.bridge->outputs[0]->written() - told.read);
  }
  EXPECT_EQ(told.missing, missing);
  EXPECT_EQ(world.lost(), 0U);
  EXPECT_EQ(world.value("starts"), 1.0);
  // A block, what both are late, and 1.5 ms.
  EXPECT_LT(world.value("goal_ms"), 12.5);
  // Just after the one has written, and as much as the other takes later.
  EXPECT_LT(most, 2 * 480 + 144);
}

TEST(Bridge, Mark_stays_with_its_sound) {
  World world({.writer = {.ppm = 500, .block = 480},
               .reader = {.ppm = -500, .block = 256},
               .seconds = 6.0,
               .mark_at = 200'000});
  world.run_until(6.0);
  EXPECT_GT(told.peak, 0.3F);
  ASSERT_EQ(told.marked.size(), 1U);
  EXPECT_NEAR(static_cast<double>(told.marked[0]), static_cast<double>(told.peak_at), 1.0);
}

TEST(Bridge, Clocks_apart_keep_fill_and_ratio) {
  for (const double ppm : kOffsets) {
    SCOPED_TRACE(ppm);
    World world({.writer = {.ppm = ppm}, .reader = {.block = 256}});
    expect_steady(world, 25);
    EXPECT_NEAR(world.value("ppm"), (1.0 / (1.0 + ppm * 1e-6) - 1.0) * 1e6, 0.1);
    EXPECT_NEAR(world.value("writer_ppm"), ppm, 0.1);
    EXPECT_NEAR(world.value("reader_ppm"), 0.0, 0.1);
    EXPECT_GT(world.value("confidence"), 0.99);
  }
}

TEST(Bridge, Late_threads_do_not_show_in_the_ratio) {
  for (const double ppm : {0.0, 120.0, -120.0}) {
    SCOPED_TRACE(ppm);
    World world({.writer = {.ppm = ppm, .jitter_us = 2000},
                 .reader = {.ppm = -30, .block = 512, .jitter_us = 2000}},
                30.0);
    expect_steady(world, 80, 25.0);
    EXPECT_NEAR(world.value("ppm"), -30 - ppm, 10);
  }
}

TEST(Bridge, Tone_stays_pure_and_level) {
  for (const double ppm : kOffsets) {
    for (const double hz : {1000.0, 15000.0, 20000.0}) {
      SCOPED_TRACE(std::to_string(ppm) + " ppm, " + std::to_string(hz) + " Hz");
      World world({.writer = {.ppm = ppm},
                   .reader = {.block = 256},
                   .hz = hz,
                   .seconds = 13,
                   .is_kept = true});
      world.run_until(13);
      const double out_hz = hz / (1.0 + world.value("ppm") * 1e-6);
      const Tone tone = measure_tone(std::span(told.heard).last(2 * 48000), out_hz);
      EXPECT_NEAR(tone.peak_db, 20 * std::log10(0.5), 0.1);
      EXPECT_LT(tone.thd_n_db, hz < 16000 ? -110.0 : -100.0);
      std::printf("%6.0f ppm %6.0f Hz: %+.4f dB, THD+N %.1f dB\n", ppm, hz,
                  tone.peak_db - 20 * std::log10(0.5), tone.thd_n_db);
    }
  }
}

TEST(Bridge, Images_stay_below_100_dB) {
  for (const double ppm : kOffsets) {
    for (const double hz : {15000.0, 22000.0}) {
      SCOPED_TRACE(std::to_string(ppm) + " ppm, " + std::to_string(hz) + " Hz");
      World world({.writer = {.ppm = ppm},
                   .reader = {.block = 256},
                   .hz = hz,
                   .seconds = 13,
                   .is_kept = true});
      world.run_until(13);
      const auto spectrum = spectrum_db(std::span(told.heard).last(65536));
      double worst = -200;
      for (size_t bin = 0; bin < spectrum.size(); ++bin) {
        const double at_hz = static_cast<double>(bin) * 48000 / 65536;
        if (std::fabs(at_hz - hz) > 60) worst = std::max(worst, spectrum[bin]);
      }
      EXPECT_LT(worst, -106.0);  // the tone has -6 dB
    }
  }
}

TEST(Bridge, Days_pass_without_a_frame_lost_or_late) {
  const char* wanted = std::getenv("SLUICE_STRESS");
  const bool is_full = wanted && std::string_view(wanted) == "full";
  const double seconds = is_full ? 86'400 : 600;
  for (const double ppm : {200.0, -200.0}) {
    SCOPED_TRACE(ppm);
    World world({.writer = {.ppm = ppm, .block = 160}, .reader = {.block = 128}}, 30.0,
                {sizeof(sluice_format), SLUICE_SAMPLE_F32, 1, 8000});
    expect_steady(world, seconds);
    const double expected = 8000.0 * seconds;
    EXPECT_NEAR(static_cast<double>(told.read + told.missing), expected, 0.2 * 8000);
  }
}

TEST(Bridge, Stream_is_whole_from_the_fade_in_on) {
  // A constant: after the fade-in nothing but it, whatever the seams inside.
  World world({.writer = {.ppm = 150},
               .reader = {.block = 300},
               .hz = 0.0,
               .seconds = 15,
               .is_kept = true});
  world.run_until(15);
  size_t begin = 0;
  while (begin < told.heard.size() && told.heard[begin] == 0.0F) ++begin;
  EXPECT_LT(begin, 48000U * 4 / 10);
  for (size_t i = begin; i < told.heard.size(); ++i) {
    ASSERT_NEAR(told.heard[i], 0.5, i < begin + 1500 ? 0.51 : 1e-5) << i;
    ASSERT_LT(std::fabs(told.heard[i] - told.heard[i == 0 ? 0 : i - 1]), 0.001) << i;
  }
}

// After a stall it begins again: faded, once, and at its target.
void expect_recovery(const Script& wanted) {
  World world(wanted, 30.0);
  world.run_until(30);
  const double starts = world.value("starts");
  EXPECT_LE(starts, 2.0);
  const uint64_t missing = told.missing;
  EXPECT_NEAR(world.value("fill_ms"), world.value("goal_ms"), 1.0);
  world.run_until(40);
  EXPECT_EQ(told.missing, missing);
  EXPECT_EQ(world.value("starts"), starts);
  EXPECT_NEAR(world.value("fill_ms"), world.value("goal_ms"), 1.0);
}

TEST(Bridge, Writer_that_stands_still_is_taken_up_again) {
  for (const bool catches_up : {true, false}) {
    for (const double stall_s : {0.1, 0.4, 5.0}) {
      SCOPED_TRACE(std::to_string(stall_s) + (catches_up ? " caught up" : " missed"));
      expect_recovery(
          {.writer = {.ppm = 60, .stall_at_s = 12, .stall_s = stall_s, .catches_up = catches_up},
           .reader = {.block = 256}});
    }
  }
}

TEST(Bridge, Reader_that_stands_still_is_taken_up_again) {
  for (const double stall_s : {0.1, 0.4, 5.0}) {
    SCOPED_TRACE(stall_s);
    expect_recovery(
        {.writer = {.ppm = 60}, .reader = {.block = 256, .stall_at_s = 12, .stall_s = stall_s}});
  }
}

TEST(Bridge, Reader_of_large_blocks_is_met_too) {
  World world({.writer = {.ppm = 30, .block = 256}, .reader = {.block = 4800}}, 5.0);
  world.run_until(3);
  EXPECT_EQ(world.value("starts"), 1.0);
  const uint64_t missing = told.missing;
  world.run_until(20);
  EXPECT_EQ(told.missing, missing);
  EXPECT_NEAR(world.value("fill_ms"), world.value("goal_ms"), 1.0);
}

TEST(Bridge, One_stall_moves_no_target) {
  World world({.writer = {.ppm = 60, .stall_at_s = 12, .stall_s = 0.1}, .reader = {.block = 256}},
              5.0);
  world.run_until(11);
  const double goal_ms = world.value("goal_ms");
  EXPECT_LT(goal_ms, 15.0);  // a block of 10 ms, and what both are late
  world.run_until(30);
  EXPECT_NEAR(world.value("goal_ms"), goal_ms, 0.01);
  EXPECT_NEAR(world.value("fill_ms"), goal_ms, 1.0);
}

TEST(Bridge, Target_comes_down_again_when_the_bursts_have_ended) {
  // Blocks of 100 ms for 10 s, and of 10 ms from then on.
  World world({.writer = {.ppm = 40, .block = 80, .first_block = 800, .first_s = 10},
               .reader = {.block = 64}},
              20.0, {sizeof(sluice_format), SLUICE_SAMPLE_F32, 1, 8000});
  world.run_until(5);
  EXPECT_GT(world.value("goal_ms"), 100.0);
  double worst_slew = 0, worst_ppm = 0, before = world.value("ppm");
  const uint64_t missing = told.missing;
  for (double s = 5.1; s < 340; s += 0.1) {
    world.run_until(s);
    const double ppm = world.value("ppm");
    worst_slew = std::max(worst_slew, std::fabs(ppm - before) / 0.1);
    worst_ppm = std::max(worst_ppm, std::fabs(ppm));
    before = ppm;
  }
  EXPECT_EQ(world.value("goal_ms"), 20.0);
  EXPECT_NEAR(world.value("fill_ms"), 20.0, 1.0);
  EXPECT_LE(worst_slew, 200.0);
  EXPECT_LT(worst_ppm, 700.0);
  EXPECT_EQ(told.missing, missing);
  EXPECT_EQ(world.value("starts"), 1.0);
}

TEST(Bridge, Bursts_of_the_writer_raise_the_target) {
  World world({.writer = {.ppm = 20, .block = 4096}, .reader = {.block = 256}}, 10.0);
  world.run_until(5);
  EXPECT_GT(world.value("goal_ms"), 4096 / 48.0);
  expect_steady(world, 20);
}

}  // namespace
}  // namespace sluice::tests
