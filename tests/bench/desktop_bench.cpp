// How long what the desktop plays into one output takes until it is played into another, through
// source.loopback and sink.alsa or sink.speakers, against PulseAudio's module-loopback, PipeWire's
// pw-loopback and alsaloop (by way of ALSA's plugin for the server, as the sinks) with the same
// periods, on the same private server: an impulse, the median of 20 starts each.
//
//   desktop_bench [STARTS] [pulse|pipewire] [ROUTER]
//
// ROUTER: those alone whose name holds it.
//
// "period" is what alsaloop, pw-loopback, source.loopback and the sinks take and give at once, and
// half the latency that module-loopback is asked for, which has both outputs work in blocks of a
// third of that latency.
//
// Both outputs are null sinks. Their monitors are recorded in small fragments by one thread, and an
// impulse is timed by the arrival of its fragment, so what the server itself adds is in all rows
// alike. Programs are taken from build/lab/audio, and alsaloop from build/lab/vm; without them
// nothing is measured.
#include <pulse/pulseaudio.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/bench/programs.hpp"
#include "tests/support/folders.hpp"

namespace sluice::bench {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr uint32_t kRateHz = 48000;
int starts = 20;
std::string router_word;
constexpr uint32_t kListenFrames = 96;
const fs::path kSources = tests::source_folder();
const fs::path kTools = kSources / "build" / "lab" / "audio" / "bin";
const fs::path kAlsaloop = kSources / "build" / "lab" / "vm" / "bin" / "alsaloop";

// Plays impulses into `lab` and listens to both outputs.
class Ears {
 public:
  Ears() {
    loop_ = pa_mainloop_new();
    context_ = pa_context_new(pa_mainloop_get_api(loop_), "bench");
    pa_context_connect(context_, nullptr, PA_CONTEXT_NOAUTOSPAWN, nullptr);
    run([&] { return pa_context_get_state(context_) == PA_CONTEXT_READY; });
    const pa_sample_spec spec{PA_SAMPLE_S16NE, kRateHz, 2};
    pa_buffer_attr small{};
    small.maxlength = static_cast<uint32_t>(-1);
    small.fragsize = kListenFrames * 4;
    small.tlength = 4 * kListenFrames * 4;
    small.prebuf = 0;
    small.minreq = kListenFrames * 4;
    for (Listener* ear : {&before_, &after_}) {
      ear->stream = pa_stream_new(context_, "ear", &spec, nullptr);
      pa_stream_set_read_callback(
          ear->stream,
          [](pa_stream*, size_t, void* self) { static_cast<Listener*>(self)->listen(); }, ear);
      pa_stream_connect_record(ear->stream, ear == &before_ ? "lab.monitor" : "other.monitor",
                               &small, PA_STREAM_ADJUST_LATENCY);
    }
    player_ = pa_stream_new(context_, "impulse", &spec, nullptr);
    pa_stream_set_write_callback(
        player_,
        [](pa_stream*, size_t bytes, void* self) { static_cast<Ears*>(self)->play(bytes); }, this);
    pa_stream_connect_playback(player_, "lab", &small, PA_STREAM_ADJUST_LATENCY, nullptr, nullptr);
    run([&] {
      return pa_stream_get_state(player_) == PA_STREAM_READY &&
             pa_stream_get_state(before_.stream) == PA_STREAM_READY &&
             pa_stream_get_state(after_.stream) == PA_STREAM_READY;
    });
  }
  ~Ears() {
    for (pa_stream* stream : {player_, before_.stream, after_.stream}) {
      pa_stream_disconnect(stream);
      pa_stream_unref(stream);
    }
    pa_context_disconnect(context_);
    pa_context_unref(context_);
    pa_mainloop_free(loop_);
  }
  Ears(const Ears&) = delete;
  Ears& operator=(const Ears&) = delete;

  // Milliseconds from the one output to the other; negative if the impulse did not come through.
  double measure() {
    for (int tries = 0; tries < 10; ++tries) {
      before_.heard_s = after_.heard_s = -1;
      must_click_ = true;
      run([&] { return before_.heard_s > 0 && after_.heard_s > 0; }, 0.7);
      if (before_.heard_s > 0 && after_.heard_s > before_.heard_s) {
        return 1e3 * (after_.heard_s - before_.heard_s);
      }
    }
    return -1;
  }
  void wait(double seconds) {
    run([] { return false; }, seconds);
  }

 private:
  struct Listener {
    void listen() {
      while (pa_stream_readable_size(stream) > 0) {
        const void* data = nullptr;
        size_t bytes = 0;
        if (pa_stream_peek(stream, &data, &bytes) < 0 || bytes == 0) return;
        const double left_frames = static_cast<double>(pa_stream_readable_size(stream)) / 4;
        const auto* samples = static_cast<const int16_t*>(data);
        for (size_t i = 0; data != nullptr && i < bytes / 4 && heard_s < 0; ++i) {
          if (std::abs(int{samples[2 * i]}) < 8000) continue;
          heard_s = now_s() - (left_frames - static_cast<double>(i)) / kRateHz;
        }
        pa_stream_drop(stream);
      }
    }
    pa_stream* stream = nullptr;
    double heard_s = 0;
  };

  static double now_s() {
    return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
  }
  void play(size_t bytes) {
    std::vector<int16_t> samples(bytes / 2);
    if (must_click_ && samples.size() >= 16) {
      std::fill_n(samples.begin(), 16, int16_t{30000});
      must_click_ = false;
    }
    pa_stream_write(player_, samples.data(), samples.size() * 2, nullptr, 0, PA_SEEK_RELATIVE);
  }
  template <typename Done>
  void run(Done is_done, double seconds = 10) {
    const double end_s = now_s() + seconds;
    while (!is_done() && now_s() < end_s) {
      if (pa_mainloop_prepare(loop_, 20'000) < 0 || pa_mainloop_poll(loop_) < 0) return;
      pa_mainloop_dispatch(loop_);
    }
  }

  pa_mainloop* loop_ = nullptr;
  pa_context* context_ = nullptr;
  pa_stream* player_ = nullptr;
  Listener before_, after_;
  bool must_click_ = false;
};

void print_row(const char* server, const std::string& name, uint32_t frames, const Words& words,
               const Words& end_words = {}) {
  if (name.find(router_word) == std::string::npos) return;
  std::vector<double> taken_ms;
  int lost = 0;
  for (int start = 0; start < starts; ++start) {
    Ears ears;
    const Process router(words);
    ears.wait(1.5);
    const double ms = ears.measure();
    if (!end_words.empty()) Process(end_words).end();
    if (ms < 0) {
      ++lost;
    } else {
      taken_ms.push_back(ms);
    }
  }
  if (taken_ms.empty()) {
    std::printf("%-9s %-28s %5u   nothing came through\n", server, name.c_str(), frames);
    return;
  }
  std::sort(taken_ms.begin(), taken_ms.end());
  std::printf("%-9s %-28s %5u %8.1f %8.1f %8.1f", server, name.c_str(), frames,
              taken_ms[taken_ms.size() / 2], taken_ms.front(), taken_ms.back());
  std::printf(lost == 0 ? "\n" : "   %d of %d starts let nothing through\n", lost, starts);
  std::fflush(stdout);
}

void measure(const char* kind, const fs::path& folder) {
  const fs::path place = folder / kind;
  fs::create_directories(place);
  setenv("XDG_RUNTIME_DIR", place.c_str(), 1);
  setenv("HOME", place.c_str(), 1);
  const Process server({(kSources / "tests" / "lab" / "sound-server").string(), kind,
                        place.string(), "lab", "other"});
  for (int tries = 0; tries < 400 && !fs::exists(place / "ready"); ++tries) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  if (!fs::exists(place / "ready")) {
    std::printf("%-9s did not start\n", kind);
    return;
  }
  std::ifstream environment(place / "environment");
  for (std::string line; std::getline(environment, line);) {
    const size_t at = line.find('=');
    setenv(line.substr(0, at).c_str(), line.substr(at + 1).c_str(), 1);
  }
  const std::string program = bin_folder() / "sluice";
  for (const uint32_t frames : {256u, 512u, 1024u}) {
    const std::string text = std::to_string(frames);
    const std::string ms = std::to_string(2 * frames * 1000 / kRateHz);
    if (std::string(kind) == "pulse") {
      const fs::path pactl = kTools / "pactl";
      print_row(kind, "module-loopback", frames,
                {pactl, "load-module", "module-loopback", "source=lab.monitor", "sink=other",
                 "latency_msec=" + ms},
                {pactl, "unload-module", "module-loopback"});
    } else {
      print_row(kind, "pw-loopback", frames,
                {"/usr/bin/env", "PIPEWIRE_LATENCY=" + text + "/48000",
                 (kTools / "pw-loopback").string(), "-C", "lab", "-P", "other",
                 "--capture-props={ stream.capture.sink = true node.latency = " + text + "/48000 }",
                 "--playback-props={ node.latency = " + text + "/48000 }"});
    }
    if (fs::exists(kAlsaloop)) {
      print_row(
          kind, "alsaloop", frames,
          {kAlsaloop, "-C", "lab", "-P", "other", "-f", "S16_LE", "-c", "2", "-r", "48000", "-E",
           text, "-B", std::to_string(2 * frames), "-l", std::to_string(2 * frames), "-S", "0"});
    }
    for (const std::string sink : {"sink.alsa device=other", "sink.speakers device=ALSA:other"}) {
      print_row(kind, "sluice, " + sink.substr(0, sink.find(' ')), frames,
                {program, "run", "-q", "-e",
                 "source.loopback output=lab buffer_frames=" + text + " -> " + sink +
                     " buffer_frames=" + text});
    }
  }
}

}  // namespace
}  // namespace sluice::bench

int main(int count, char** words) {
  using namespace sluice::bench;
  if (count > 1) starts = std::max(std::atoi(words[1]), 1);
  if (count > 3) router_word = words[3];
  if (!fs::exists(kTools / "pactl")) {
    std::puts(
        "desktop: the sound servers are not below build/lab/audio; ./dev test puts them there");
    return 0;
  }
  const fs::path folder =
      fs::temp_directory_path() / ("sluice-desktop-" + std::to_string(getpid()));
  std::printf("%-9s %-28s %5s %8s %8s %8s\n", "server", "from lab to other", "period", "median",
              "least", "most ms");
  for (const std::string kind : {"pulse", "pipewire"}) {
    if (count < 3 || kind == words[2]) measure(kind.c_str(), folder);
  }
  fs::remove_all(folder);
}
