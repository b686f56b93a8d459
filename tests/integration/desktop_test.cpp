// What the desktop plays, captured from a real PulseAudio and a real PipeWire that have null sinks
// in place of sound cards: content, changes of the default, servers that come and go.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "host/support/sanitizers.hpp"
#include "tests/integration/sound_lab.hpp"

namespace sluice::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

// With the kind of server as its parameter.
class Desktop : public SoundLab, public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    SoundLab::SetUp();
    if (!IsSkipped()) prepare_server(GetParam());
  }
};

INSTANTIATE_TEST_SUITE_P(Servers, Desktop, ::testing::Values("pulse", "pipewire"),
                         [](const auto& kind) { return std::string(kind.param); });

TEST_P(Desktop, Noise_into_the_default_output_arrives_bit_exact) {
  server_->start();
  const std::vector<int16_t> noise = make_noise(folder_.path() / "noise.raw", 0.5, 1);
  const auto run = capture(R"("buffer_frames": 480)");
  ASSERT_TRUE(says(*run, "Capturing what plays into")) << run->said().err << server_->log();
  EXPECT_THAT(run->said().err, HasSubstr("(lab)"));
  expect_captured(*run, noise, "lab");
  const Ended ended = stop(*run);
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  // PipeWire's quantum is a power of two; a fragment of another size would come early and late.
  const bool is_pipewire = GetParam() == std::string("pipewire");
  EXPECT_THAT(ended.out + ended.err,
              HasSubstr(is_pipewire ? "granted 256 frames" : "granted 480 frames"));
}

TEST_P(Desktop, Default_output_is_followed) {
  server_->start();
  const std::vector<int16_t> noise = make_noise(folder_.path() / "noise.raw", 0.5, 2);
  const auto run = capture("");
  ASSERT_TRUE(says(*run, "(lab)")) << run->said().err;
  server_->tell("pactl", {"set-default-sink", "other"});
  ASSERT_TRUE(says(*run, "(other)")) << run->said().err;
  expect_captured(*run, noise, "other");
  const Ended ended = stop(*run);
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
}

TEST_P(Desktop, Server_that_was_killed_is_met_again) {
  server_->start();
  const std::vector<int16_t> noise = make_noise(folder_.path() / "noise.raw", 0.5, 3);
  const auto run = capture(R"("output": "other")");
  ASSERT_TRUE(says(*run, "Capturing what plays into")) << run->said().err;
  for (size_t times = 2; times <= 3; ++times) {
    server_->kill();
    ASSERT_TRUE(says(*run, "The sound server is gone", times - 1)) << run->said().err;
    server_->start();
    ASSERT_TRUE(says(*run, "Capturing what plays into", times)) << run->said().err;
  }
  expect_captured(*run, noise, "other");
  const Ended ended = stop(*run);
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_EQ(count_of(ended.err, "The sound server is gone"), 2u) << "once each time:\n"
                                                                 << ended.err;
}

TEST_P(Desktop, Server_is_waited_for_and_a_misspelt_output_named) {
  const auto run = capture(R"("output": "othr")");
  ASSERT_TRUE(says(*run, "There is no sound server")) << run->said().err;
  server_->start();
  ASSERT_TRUE(says(*run, "There is no output \"othr\"; did you mean \"other\"?"))
      << run->said().err;
  const Ended ended = stop(*run);
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
}

TEST_P(Desktop, Devices_are_listed_with_the_default) {
  const Ended none = sluice({"devices", "source.loopback"});
  EXPECT_EQ(none.exit_code, 0);
  EXPECT_THAT(none.out, HasSubstr("source.loopback (capture): none"));
  EXPECT_THAT(none.err, HasSubstr("There is no sound server"));

  server_->start();
  const std::string list = output({"devices", "source.loopback"});
  EXPECT_THAT(list, HasSubstr("  source.loopback output=lab\n"));
  EXPECT_THAT(list, HasSubstr(", 2 channels, 48000 Hz"));
  EXPECT_THAT(list, HasSubstr(", default)"));
  EXPECT_THAT(list, HasSubstr("  source.loopback output=other\n"));
  EXPECT_EQ(count_of(list, "default)"), 1u);

  const std::string json = output({"devices", "source.loopback", "--json"});
  EXPECT_THAT(json, HasSubstr(R"("selector": "lab")"));
  EXPECT_THAT(json, HasSubstr(R"("is_default": true)"));
  EXPECT_THAT(json, HasSubstr(R"("rate_hz": 48000)"));
}

// ---- PortAudio ----

// By way of ALSA's plugins for the servers.
class AlsaSpeakers : public Speakers, public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    Speakers::SetUp();
    if (GetParam() == std::string("pipewire")) pass_over_leaks();
  }
  // libpipewire is unloaded with its handles in it, so the leak has no name that could be
  // suppressed.
  static void pass_over_leaks() {
    if (!SLUICE_ADDRESS_SANITIZER) return;
    const char* const options = std::getenv("ASAN_OPTIONS");
    ::setenv("ASAN_OPTIONS", (std::string(options ? options : "") + ":detect_leaks=0").c_str(), 1);
  }
};

INSTANTIATE_TEST_SUITE_P(Servers, AlsaSpeakers, ::testing::Values("pulse", "pipewire"),
                         [](const auto& kind) { return std::string(kind.param); });

// With the channels swapped on the way out, so that the map is seen to count.
TEST_P(AlsaSpeakers, Noise_played_arrives_bit_exact) {
  prepare_server(GetParam());
  server_->start();
  std::vector<int16_t> noise = make_noise_file(0.5, 4);
  const auto run = capture(R"("output": "lab")");
  ASSERT_TRUE(says(*run, "Capturing what plays into")) << run->said().err;
  for (size_t i = 0; i < noise.size(); i += 2) std::swap(noise[i], noise[i + 1]);
  expect_captured(*run, noise, [&] {
    const Ended player = sluice({"run", "-e",
                                 "source.wav path=noise.wav -> sink.speakers device=ALSA:lab "
                                 "latency_ms=500 channel_map=[2,1]"});
    EXPECT_EQ(player.exit_code, 0) << player.err;
    EXPECT_THAT(player.err, HasSubstr("Playing on ALSA:lab."));
  });
  stop(*run);
}

TEST_F(Speakers, Noise_captured_from_a_device_is_bit_exact) {
  prepare_server("pulse");
  server_->start();
  const std::vector<int16_t> noise = make_noise(folder_.path() / "noise.raw", 0.5, 5);
  const auto run = capture(R"("device": "ALSA:lab", "latency_ms": 500)", "source.device");
  ASSERT_TRUE(says(*run, "Capturing from ALSA:lab.")) << run->said().err;
  expect_captured(*run, noise, "lab");
  const Ended ended = stop(*run);
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
}

// The tone is Sluice's own, the noise another program's.
TEST_F(Speakers, What_sluice_plays_itself_is_left_out_of_the_loopback) {
  prepare_server("pulse");
  server_->start();
  const std::vector<int16_t> noise = make_noise(folder_.path() / "noise.raw", 0.5, 6);
  const auto run = capture(R"("output": "lab")", "source.loopback",
                           R"("tone": {"type": "source.tone", "params": {"live": true}},
         "speakers": {"type": "sink.speakers", "params": {"device": "ALSA:lab"}},)",
                           R"(, "tone -> speakers")");
  ASSERT_TRUE(says(*run, "Playing on ALSA:lab.")) << run->said().err;
  expect_captured(*run, noise, "lab");
  const Ended ended = stop(*run);
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
}

// PipeWire's own clients name their process with themselves, not with their streams.
TEST_F(Speakers, What_sluice_plays_by_way_of_pipewires_plugin_is_known_for_its_own) {
  prepare_server("pipewire");
  server_->start();
  write(work_ / "graph.json", R"({"sluice": 1, "nodes": {
      "desktop": {"type": "source.loopback", "params": {"output": "lab"}},
      "nobody": {"type": "sink.null"},
      "tone": {"type": "source.tone", "params": {"live": true}},
      "speakers": {"type": "sink.speakers", "params": {"device": "ALSA:lab"}}},
      "edges": ["desktop -> nobody", "tone -> speakers"]})");
  Running run(work_, home_, {"run", "graph.json", "--stats", "stats.jsonl"});
  EXPECT_TRUE(run.wait_until([&] {
    return content(work_ / "stats.jsonl").find(R"("own_streams": 1)") != std::string::npos;
  })) << run.said().err;
  stop(run);
}

TEST_F(Speakers, Noise_through_jack_is_bit_exact) {
  prepare_server("jack");
  server_->start();
  const std::vector<int16_t> noise = make_noise_file(0.5, 7);
  const auto run =
      capture(R"("device": "JACK:loopback")", "source.device",
              R"("wav": {"type": "source.wav", "params": {"path": "noise.wav", "loop": true}},
         "speakers": {"type": "sink.speakers", "params": {"device": "JACK:loopback"}},)",
              R"(, "wav -> speakers")");
  ASSERT_TRUE(says(*run, "Capturing from JACK:loopback.")) << run->said().err;
  ASSERT_TRUE(says(*run, "Playing on JACK:loopback.")) << run->said().err;
  expect_captured(*run, noise, [] {});
  const Ended ended = stop(*run);
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
}

// Left alone PortAudio would hang, or end the process, when it is told to close what a dead server
// had.
TEST_F(Speakers, Jack_server_that_was_killed_is_met_again) {
  prepare_server("jack");
  server_->start();
  Running run(
      work_, home_,
      {"run", "-e", "source.device device=JACK:loopback -> sink.speakers device=JACK:system"});
  ASSERT_TRUE(says(run, "Playing on JACK:system.")) << run.said().err;
  ASSERT_TRUE(says(run, "Capturing from JACK:loopback.")) << run.said().err;
  for (size_t times = 2; times <= 3; ++times) {
    server_->kill();
    // Both nodes say so.
    ASSERT_TRUE(says(run, "The JACK server is gone", 2 * (times - 1))) << run.said().err;
    server_->start();
    ASSERT_TRUE(says(run, "Playing on JACK:system.", times)) << run.said().err;
    ASSERT_TRUE(says(run, "Capturing from JACK:loopback.", times)) << run.said().err;
  }
  const Ended ended = stop(run);
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
}

TEST_F(Speakers, Program_ends_as_it_should_while_the_jack_server_is_gone) {
  prepare_server("jack");
  server_->start();
  Running run(work_, home_,
              {"run", "-e", "source.tone live=true -> sink.speakers device=JACK:loopback"});
  ASSERT_TRUE(says(run, "Playing on JACK:loopback.")) << run.said().err;
  server_->kill();
  ASSERT_TRUE(says(run, "The JACK server is gone")) << run.said().err;
  const Ended ended = stop(run);
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
}

// The shipped graphs, played from their files.
class ShippedGraph : public Speakers {
 protected:
  void SetUp() override {
    Speakers::SetUp();
    if (IsSkipped()) return;
    prepare_server("pulse");
    server_->start();
    make_noise_file(1, 8);
  }
  std::unique_ptr<Running> play(const std::string& name, const Words& variables) {
    Words words{"run", kGraphs + "/" + name};
    for (const std::string& variable : variables) {
      words.insert(words.end(), {"--var", variable});
    }
    return std::make_unique<Running>(work_, home_, words);
  }
  // What `listener` captures is more than silence, `again` being called until it is.
  void expect_heard(Running& listener, const std::function<void()>& again) {
    const fs::path captured = work_ / "captured.wav";
    const auto is_loud = [](float sample) { return sample > 0.2F || sample < -0.2F; };
    for (int times = 0; times < 8; ++times) {
      again();
      const uintmax_t bytes = fs::file_size(captured);
      ASSERT_TRUE(listener.wait_until([&] { return fs::file_size(captured) > bytes + 200'000; }))
          << listener.said().err;
      const std::vector<float> samples = read_sound_float(captured);
      if (std::count_if(samples.begin(), samples.end(), is_loud) > 10'000) return;
    }
    ADD_FAILURE() << "nothing heard:\n" << listener.said().err;
  }
  void play_into_lab(Running& run) {
    const auto player = server_->play(folder_.path() / "noise.raw", "lab");
    ASSERT_TRUE(run.wait_until([&] { return !player->is_running(); }));
  }
};

TEST_F(ShippedGraph, Desktop_to_speakers_is_heard_on_the_other_output) {
  const auto listener = capture(R"("output": "other")");
  ASSERT_TRUE(says(*listener, "(other)")) << listener->said().err;
  const auto run = play("desktop-to-speakers.json", {"output=lab", "speakers=other"});
  ASSERT_TRUE(says(*run, "Plays into 'other'")) << run->said().err;
  expect_heard(*listener, [&] { play_into_lab(*run); });
  EXPECT_EQ(stop(*run).exit_code, 0);
  stop(*listener);
}

TEST_F(ShippedGraph, Tcp_streamer_sends_what_the_desktop_plays) {
  const std::string port = std::to_string(free_port());
  const auto listener =
      capture(R"("port": )" + port + R"(, "format": "s16", "rate_hz": 48000)", "source.tcp");
  const auto run = play("tcp-streamer.json", {"output=lab", "port=" + port});
  ASSERT_TRUE(says(*run, "(lab)")) << run->said().err;
  expect_heard(*listener, [&] { play_into_lab(*run); });
  EXPECT_EQ(stop(*run).exit_code, 0);
  stop(*listener);
}

TEST_F(ShippedGraph, Receive_plays_what_comes_over_the_network) {
  const std::string port = std::to_string(free_port());
  const auto listener = capture(R"("output": "other")");
  ASSERT_TRUE(says(*listener, "(other)")) << listener->said().err;
  const auto run = play("receive.json", {"port=" + port, "speakers=ALSA:other"});
  ASSERT_TRUE(says(*run, "Playing on ALSA:other.")) << run->said().err;
  const Running sender(work_, home_,
                       {"run", "-e",
                        "source.wav path=noise.wav loop=true -> filter.convert format=s16 -> "
                        "sink.tcp host=127.0.0.1 port=" +
                            port});
  expect_heard(*listener, [] {});
  EXPECT_EQ(stop(*run).exit_code, 0);
  stop(*listener);
}

// A sink and a file beside it, which gets everything even while the sink has no device.
class LostSpeakers : public AlsaSpeakers {
 protected:
  void SetUp() override {
    AlsaSpeakers::SetUp();
    if (IsSkipped()) return;
    prepare_server(GetParam());
    server_->start();
    write(work_ / "graph.json", R"({"sluice": 1, "nodes": {
        "tone": {"type": "source.tone", "params": {"wave": "counter"}},
        "speakers": {"type": "sink.speakers", "params": {"device": "ALSA:other"}},
        "file": {"type": "sink.wav", "params": {"path": "all.wav"}}},
        "edges": ["tone -> speakers", "tone -> file"]})");
    run_ = std::make_unique<Running>(work_, home_, Words{"run", "graph.json"});
    ASSERT_TRUE(says(*run_, "Playing on ALSA:other.")) << run_->said().err;
  }
  void expect_loss_that_holds_up_nobody() {
    ASSERT_TRUE(says(*run_, "The device is gone")) << run_->said().err;
    const auto before = fs::file_size(work_ / "all.wav");
    EXPECT_TRUE(run_->wait_until([&] {
      return fs::file_size(work_ / "all.wav") > before + 200'000;
    })) << "held up by a device that is lost";
  }
  void expect_return() {
    ASSERT_TRUE(says(*run_, "Playing on ALSA:other.", 2)) << run_->said().err;
    const Ended ended = stop(*run_);
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    // On a busy machine it may be lost again; each loss is said once.
    EXPECT_LE(count_of(ended.err, "The device is gone"), count_of(ended.err, "Playing on ALSA"))
        << ended.err;
    EXPECT_LE(count_of(ended.err, "There is no playback device"), 1u) << ended.err;
  }

  std::unique_ptr<Running> run_;
};

INSTANTIATE_TEST_SUITE_P(Servers, LostSpeakers, ::testing::Values("pulse", "pipewire"),
                         [](const auto& kind) { return std::string(kind.param); });

TEST_P(LostSpeakers, Server_that_was_killed_is_met_again) {
  server_->kill();
  expect_loss_that_holds_up_nobody();
  server_->start();
  expect_return();
}

// PortAudio says nothing here: its callback is just not called any more, as with a device that was
// unplugged. It is so with every plugin.
class StillSpeakers : public LostSpeakers {};

INSTANTIATE_TEST_SUITE_P(Servers, StillSpeakers, ::testing::Values("pulse"),
                         [](const auto& kind) { return std::string(kind.param); });

TEST_P(StillSpeakers, Device_that_stands_still_is_noticed) {
  server_->signal(SIGSTOP);
  expect_loss_that_holds_up_nobody();
  server_->signal(SIGCONT);
  expect_return();
}

// ---- sink.alsa: kept full where a file feeds it, on arrival behind a bridge ----

class LostAlsaSink : public AlsaSpeakers {
 protected:
  void SetUp() override {
    AlsaSpeakers::SetUp();
    if (IsSkipped()) return;
    prepare_server(GetParam());
    server_->start();
  }
  void expect_back(const std::string& source, const std::string& sink) {
    write(work_ / "graph.json", R"({"sluice": 1, "nodes": {
        "tone": {"type": "source.tone", "params": {)" +
                                    source + R"(}},
        "sink": {"type": "sink.alsa", "params": {"device": "other"})" +
                                    sink + R"(}},
        "edges": ["tone -> sink"]})");
    Running run(work_, home_, Words{"run", "graph.json"});
    ASSERT_TRUE(says(run, "Plays into 'other'")) << run.said().err;
    server_->kill();
    ASSERT_TRUE(says(run, "It is waited for.")) << run.said().err;
    server_->start();
    ASSERT_TRUE(says(run, "Plays into 'other'", 2)) << run.said().err;
    const Ended ended = stop(run);
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
  }
};

INSTANTIATE_TEST_SUITE_P(Servers, LostAlsaSink, ::testing::Values("pulse", "pipewire"),
                         [](const auto& kind) { return std::string(kind.param); });

TEST_P(LostAlsaSink, That_a_file_feeds_is_back_with_its_server) { expect_back("", ""); }
TEST_P(LostAlsaSink, Behind_a_bridge_is_back_with_its_server) {
  expect_back(R"("live": true)", "");
}
TEST_P(LostAlsaSink, In_a_process_of_its_own_is_back_with_its_server) {
  expect_back(R"("live": true)", R"(, "isolate": true)");
}

TEST_F(Speakers, Misspelt_device_is_named_and_devices_are_listed) {
  prepare_server("pulse");
  server_->start();
  Running run(work_, home_,
              {"run", "-e", "source.tone live=true -> sink.speakers device=ALSA:lob"});
  EXPECT_TRUE(says(run, "There is no playback device \"ALSA:lob\"; did you mean \"ALSA:lab\"?"))
      << run.said().err;
  stop(run);
  EXPECT_THAT(output({"devices", "sink.speakers", "--json"}), HasSubstr(R"("latency_ms": )"));
  const Ended list = sluice({"devices", "sink.speakers"});
  EXPECT_EQ(list.exit_code, 0);
  EXPECT_THAT(list.out, HasSubstr("sink.speakers device=ALSA:lab\n"));
  EXPECT_THAT(list.out, HasSubstr("default)"));
  EXPECT_THAT(list.err, Not(HasSubstr("ALSA lib")));
}

}  // namespace
}  // namespace sluice::tests
