// Isolated nodes on real sound servers, and with real LV2 and LADSPA plugins in them: they do what
// they do inside the host, and come back when their processes are killed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/integration/sound_lab.hpp"

namespace sluice::tests {
namespace {

class IsolatedSpeakers : public Speakers {
 protected:
  IsolatedSpeakers() { is_isolated_ = true; }
};

TEST_F(IsolatedSpeakers, Jack_streams_are_bit_exact_before_and_after_their_processes_are_killed) {
  prepare_server("jack");
  server_->start();
  const std::vector<int16_t> noise = make_noise_file(0.2, 11);
  const auto run =
      capture(R"("device": "JACK:loopback")", "source.device",
              R"("wav": {"type": "source.wav", "params": {"path": "noise.wav", "loop": true}},
         "speakers": {"type": "sink.speakers", "isolate": true,
                      "params": {"device": "JACK:loopback"}},)",
              R"(, "wav -> speakers")");
  ASSERT_TRUE(says(*run, "Capturing from JACK:loopback.")) << run->said().err;
  ASSERT_TRUE(says(*run, "Playing on JACK:loopback.")) << run->said().err;
  expect_captured(*run, noise, [] {});
  ASSERT_EQ(run->kill_isolated(), 2u);
  ASSERT_TRUE(says(*run, "crashed (SIGKILL) in process", 2)) << run->said().err;
  ASSERT_TRUE(says(*run, "Capturing from JACK:loopback.", 2)) << run->said().err;
  ASSERT_TRUE(says(*run, "Playing on JACK:loopback.", 2)) << run->said().err;
  forget_captured();
  expect_captured(*run, noise, [] {});
  const Ended ended = stop(*run);
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
}

// The tone is Sluice's own, though it comes from another process.
TEST_F(IsolatedSpeakers, Loopback_leaves_out_what_other_isolated_nodes_play_and_survives_a_kill) {
  prepare_server("pulse");
  server_->start();
  const std::vector<int16_t> noise = make_noise(folder_.path() / "noise.raw", 0.2, 12);
  const auto run = capture(R"("output": "lab")", "source.loopback",
                           R"("tone": {"type": "source.tone", "params": {"live": true}},
         "speakers": {"type": "sink.speakers", "isolate": true,
                      "params": {"device": "ALSA:lab"}},)",
                           R"(, "tone -> speakers")");
  ASSERT_TRUE(says(*run, "Playing on ALSA:lab.")) << run->said().err;
  expect_captured(*run, noise, "lab");
  ASSERT_EQ(run->kill_isolated(), 2u);
  ASSERT_TRUE(says(*run, "Capturing what plays into", 2)) << run->said().err;
  ASSERT_TRUE(says(*run, "Playing on ALSA:lab.", 2)) << run->said().err;
  forget_captured();
  expect_captured(*run, noise, "lab");
  const Ended ended = stop(*run);
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
}

class IsolatedHosted : public Cli {
 protected:
  void SetUp() override {
    const std::filesystem::path lv2 = source_folder() / "build/lab/hosted/root/usr/lib/lv2";
    if (!std::filesystem::exists(lv2)) {
      GTEST_SKIP() << "swh-lv2 is not below build/lab/hosted; ./dev test puts it there.";
    }
    ::setenv("LADSPA_PATH", "/usr/lib/ladspa", 1);
    ::setenv("LV2_PATH", lv2.c_str(), 1);
  }
  static std::string chain(const std::string& tone, const std::string& isolate,
                           const std::string& file) {
    return "source.tone channels=2 " + tone + " -> filter.ladspa/lpf cutoff_frequency_hz=800" +
           isolate + " -> filter.lv2/http://plugin.org.uk/swh-plugins/amp gain=-6" + isolate +
           " -> sink.wav path=" + file;
  }
};

TEST_F(IsolatedHosted, Lv2_and_ladspa_plugins_render_the_same_and_come_back_when_killed) {
  output({"render", "-q", "-e", chain("duration_ms=500", "", "here.wav")});
  output({"render", "-q", "-e", chain("duration_ms=500", " isolate=true", "there.wav")});
  EXPECT_TRUE(content(work_ / "there.wav") == content(work_ / "here.wav"));

  Running run(work_, home_, {"run", "-e", chain("live=true", " isolate=true", "live.wav")});
  const auto grows = [&] {
    const auto file = work_ / "live.wav";
    const auto before = std::filesystem::exists(file) ? std::filesystem::file_size(file) : 0;
    return run.wait_until([&] {
      return std::filesystem::exists(file) && std::filesystem::file_size(file) > before + 100'000;
    });
  };
  ASSERT_TRUE(grows()) << run.said().err;
  ASSERT_EQ(run.kill_isolated(), 2u);
  for (const char* const node : {"lpf: Back in process", "amp: Back in process"}) {
    ASSERT_TRUE(run.wait_until([&] { return run.said().err.find(node) != std::string::npos; }))
        << run.said().err;
  }
  EXPECT_TRUE(grows()) << run.said().err;
  run.signal(SIGINT);
  EXPECT_EQ(run.finish().exit_code, 0) << run.said().err;
}

}  // namespace
}  // namespace sluice::tests
