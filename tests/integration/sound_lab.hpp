// A sound server of the lab with null sinks in place of sound cards, and Sluice as a person runs it
// beside it: noise goes in somewhere, and is looked for in what was captured.
#pragma once

#include <gtest/gtest.h>
#include <sndfile.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "host/support/sanitizers.hpp"
#include "tests/integration/cli_fixture.hpp"
#include "tests/support/sound_files.hpp"
#include "tests/support/sound_server.hpp"

namespace sluice::tests {

inline constexpr uint32_t kLabRateHz = 48000;

inline size_t count_of(const std::string& text, const std::string& word) {
  size_t count = 0;
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++count;
  return count;
}

class SoundLab : public Cli {
 protected:
  void SetUp() override {
    if (!SoundServer::is_there()) {
      GTEST_SKIP() << "the sound servers are not below build/lab/audio; ./dev test puts them "
                      "there.";
    }
  }
  void prepare_server(const std::string& kind) {
    server_ = std::make_unique<SoundServer>(kind, folder_.path() / "server",
                                            std::vector<std::string>{"lab", "other"});
  }

  // A node of `type` into a file; what is late because the machine is busy is kept for it. `more`:
  // other nodes, each with a comma behind it, and edges, each with one in front.
  std::unique_ptr<Running> capture(const std::string& source_params,
                                   const std::string& type = "source.loopback",
                                   const std::string& more_nodes = "",
                                   const std::string& more_edges = "") {
    write(work_ / "graph.json",
          R"({"sluice": 1, "nodes": {)" + more_nodes + R"("desktop": {"type": ")" + type +
              R"(", "params": {)" + source_params + R"(}, "isolate": )" +
              (is_isolated_ ? "true" : "false") +
              R"(}, "file": {"type": "sink.wav", "params": {"path": "captured.wav"}}},
              "edges": [{"from": "desktop", "to": "file", "buffer_ms": 4000})" +
              more_edges + "]}");
    return std::make_unique<Running>(work_, home_, Words{"run", "graph.json"});
  }
  static bool says(Running& run, const std::string& sentence, size_t times = 1) {
    return run.wait_until([&] { return count_of(run.said().err, sentence) >= times; });
  }
  Ended stop(Running& run) {
    run.signal(SIGINT);
    return run.finish();
  }

  // Noise between half seconds of silence, as s16 stereo; the noise is returned.
  std::vector<int16_t> make_noise(const std::filesystem::path& raw, double seconds, uint32_t seed) {
    const auto frames = static_cast<uint64_t>(seconds * kLabRateHz);
    std::vector<int16_t> noise;
    for (const int sample : int_noise(2 * frames, 16, seed)) {
      noise.push_back(static_cast<int16_t>(sample >> 16));
    }
    const std::string silence(2 * kLabRateHz, '\0');
    write(raw, silence +
                   std::string(reinterpret_cast<const char*>(noise.data()),
                               noise.size() * sizeof(noise[0])) +
                   silence);
    return noise;
  }
  // Where the noise begins in what was captured, in samples; -1 if not all of it is there. What was
  // there before the last forget_captured is passed over.
  std::ptrdiff_t find(const std::vector<int16_t>& noise) {
    const std::vector<float> captured = read_sound_float(work_ / "captured.wav");
    std::vector<int16_t> samples(captured.size());
    std::transform(captured.begin(), captured.end(), samples.begin(), [](float sample) {
      return static_cast<int16_t>(static_cast<double>(sample) * 32768);
    });
    const auto from = std::min(passed_samples_, samples.size());
    const auto at = std::search(samples.begin() + static_cast<std::ptrdiff_t>(from), samples.end(),
                                noise.begin(), noise.end());
    return at == samples.end() ? -1 : at - samples.begin();
  }

  void forget_captured() { passed_samples_ = read_sound_float(work_ / "captured.wav").size(); }

  // No sound server waits for anybody, so on a busy machine a period may be missing: `play` is
  // called until all of the noise is in what `run` captures.
  void expect_captured(Running& run, const std::vector<int16_t>& noise,
                       const std::function<void()>& play) {
    const std::filesystem::path captured = work_ / "captured.wav";
    for (int times = 0; times < 40; ++times) {
      play();
      const uintmax_t bytes = std::filesystem::file_size(captured);
      ASSERT_TRUE(run.wait_until([&] {
        return std::filesystem::file_size(captured) > bytes + 200'000;
      })) << run.said().err;
      if (find(noise) >= 0) return;
    }
    ADD_FAILURE() << "never whole:\n" << run.said().err;
  }
  void expect_captured(Running& run, const std::vector<int16_t>& noise, const char* output) {
    expect_captured(run, noise, [&] {
      const auto player = server_->play(folder_.path() / "noise.raw", output);
      ASSERT_TRUE(run.wait_until([&] { return !player->is_running(); }));
    });
  }

  std::unique_ptr<SoundServer> server_;
  bool is_isolated_ = false;  // the node of `capture`

 private:
  size_t passed_samples_ = 0;
};

class Speakers : public SoundLab {
 protected:
#if SLUICE_THREAD_SANITIZER
  void SetUp() override {
    GTEST_SKIP() << "ThreadSanitizer does not see how libpulse and PortAudio synchronise.";
  }
#endif
  // The noise of make_noise as a file of floats.
  std::vector<int16_t> make_noise_file(double seconds, uint32_t seed) {
    const std::vector<int16_t> noise = make_noise(folder_.path() / "noise.raw", seconds, seed);
    std::vector<float> samples(kLabRateHz, 0.0f);
    for (const int16_t sample : noise) samples.push_back(static_cast<float>(sample) / 32768);
    samples.resize(samples.size() + kLabRateHz);
    write_sound(work_ / "noise.wav", SF_FORMAT_WAV | SF_FORMAT_FLOAT, 2, kLabRateHz, samples);
    return noise;
  }
};

}  // namespace sluice::tests
