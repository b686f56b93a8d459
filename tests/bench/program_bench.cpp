// The whole program against ffmpeg and GStreamer: rendering, the first byte on the socket, and what
// a running TCP graph costs. The peers are looked for on the PATH; a row without its peer says so.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "tests/bench/paired.hpp"
#include "tests/bench/programs.hpp"

namespace sluice::bench {
namespace {

double wall_ms(const Words& words) {
  bool has_failed = false;
  const double ns = elapsed_ns([&] {
    Process process(words);
    process.end();
    has_failed = process.has_failed();
  });
  if (has_failed) std::fprintf(stderr, "%s failed\n", words[0].c_str());
  return ns / 1e6;
}

// Takes whatever comes and forgets it, on a thread of its own.
class Drain {
 public:
  Drain() : thread_([this] { run(); }) {}
  ~Drain() { thread_.join(); }
  Drain(const Drain&) = delete;
  Drain& operator=(const Drain&) = delete;

  std::string port() const { return std::to_string(listener_.port); }
  // When the first byte came; only after the sender has gone.
  std::chrono::steady_clock::time_point first_byte() {
    if (thread_.joinable()) thread_.join();
    thread_ = std::thread([] {});
    return first_byte_;
  }

 private:
  void run() {
    const int stream = accept4(listener_.descriptor, nullptr, nullptr, SOCK_CLOEXEC);
    std::array<char, 65536> bytes;
    bool is_first = true;
    while (read(stream, bytes.data(), bytes.size()) > 0) {
      if (is_first) first_byte_ = std::chrono::steady_clock::now();
      is_first = false;
    }
    close(stream);
  }

  Listener listener_{1};
  std::chrono::steady_clock::time_point first_byte_;
  std::thread thread_;
};

// The first `seconds` of what make_wav wrote, without the header.
void make_raw(const std::filesystem::path& wav, const std::filesystem::path& raw,
              uint32_t seconds) {
  std::ifstream in(wav, std::ios::binary);
  std::ofstream out(raw, std::ios::binary);
  std::vector<char> second(size_t{48000} * 8);
  in.seekg(44);
  for (uint32_t i = 0; i < seconds; ++i) {
    in.read(second.data(), static_cast<std::streamsize>(second.size()));
    out.write(second.data(), in.gcount());
  }
}

struct Peer {
  const char* name;
  Words words;
};

void bench_render(Table& table, const std::string& sluice, const std::filesystem::path& folder) {
  const std::string in = folder / "in.wav";
  const std::string out = folder / "out.wav";
  const std::string peer_out = folder / "peer.wav";
  const Words ours = {sluice, "render", "-q", "-e",
                      "source.wav path=" + in +
                          " -> filter.gain gain_db=-6 -> filter.convert format=s16 -> sink.wav "
                          "path=" +
                          out};
  const std::vector<Peer> peers = {
      {"ffmpeg",
       {"ffmpeg", "-nostdin", "-v", "error", "-y", "-i", in, "-af", "volume=-6dB", "-c:a",
        "pcm_s16le", peer_out}},
      {"gst-launch-1.0",
       {"gst-launch-1.0", "-q", "filesrc", "location=" + in, "!", "wavparse", "!", "volume",
        "volume=0.501187", "!", "audioconvert", "!", "audio/x-raw,format=S16LE", "!", "wavenc", "!",
        "filesink", "location=" + peer_out}}};
  for (const Peer& peer : peers) {
    if (!is_on_path(peer.name)) {
      std::printf("%s is not on the PATH: no row\n", peer.name);
      continue;
    }
    const Paired paired = run_paired(
        7, [&] { return wall_ms(ours); }, [&] { return wall_ms(peer.words); });
    table.row_at_most(std::string("render 10 min f32 to s16, against ") + peer.name, paired, "ms",
                      0.5);
  }
}

void bench_first_byte(Table& table, const std::string& sluice, const std::string& wav) {
  const auto once = [&] {
    Drain drain;
    const auto begin = std::chrono::steady_clock::now();
    {
      Process process({sluice, "run", "-q", "--for", "0.3", "-e",
                       "source.wav path=" + wav +
                           " -> filter.gate -> filter.convert format=s16 -> sink.tcp "
                           "host=127.0.0.1 port=" +
                           drain.port()});
      process.end();
    }
    return std::chrono::duration<double, std::milli>(drain.first_byte() - begin).count();
  };
  std::vector<double> all;
  for (int i = 0; i < 15; ++i) all.push_back(once());
  Paired paired;
  paired.ours = median(all);
  table.row("start to first byte on the socket, without prefill", paired, "ms", "<= 50 ms",
            paired.ours <= 50.0);
}

struct Cost {
  double cpu_s, pss_kib;
};

Cost run_for(double seconds, const std::function<Words(const std::string& port)>& words) {
  Drain drain;
  Process process(words(drain.port()));
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  Cost cost{};
  cost.pss_kib = process.pss_kib();
  process.interrupt();
  cost.cpu_s = process.end();
  return cost;
}

void bench_running(Table& table, const std::string& sluice, const std::string& wav,
                   const std::string& raw) {
  if (!is_on_path("gst-launch-1.0")) {
    std::printf("gst-launch-1.0 is not on the PATH: no row\n");
    return;
  }
  // Both send 480 frames at a time, paced. GStreamer's `wavparse` hands on 4096 frames at once
  // whatever the block size it reads, which sends a ninth as often; so the peer is pushed blocks of
  // 480 frames of the same samples without a header, which every element after that keeps whole.
  const auto ours = [&](const std::string& port) -> Words {
    return {sluice, "run", "-q", "-e",
            "source.wav path=" + wav +
                " -> filter.gain gain_db=-6 -> filter.convert format=s16 -> sink.tcp "
                "host=127.0.0.1 chunk_frames=480 port=" +
                port};
  };
  const auto peer = [&](const std::string& port) -> Words {
    return {"sh", "-c",
            "exec gst-launch-1.0 -q fdsrc blocksize=3840 ! rawaudioparse use-sink-caps=false "
            "format=pcm pcm-format=f32le sample-rate=48000 num-channels=2 ! volume volume=0.501187 "
            "! audioconvert ! audio/x-raw,format=S16LE ! tcpclientsink host=127.0.0.1 sync=true "
            "port=" +
                port + " <'" + raw + "'"};
  };
  const double seconds = running_seconds();
  std::vector<Cost> our_costs, peer_costs;
  const auto measure = [&](const auto& words, std::vector<Cost>& costs) {
    costs.push_back(run_for(seconds, words));
    return costs.back().cpu_s;
  };
  const Paired cpu = run_paired(
      3, [&] { return measure(ours, our_costs); }, [&] { return measure(peer, peer_costs); });
  table.row_at_most("TCP graph, CPU over " + std::to_string(static_cast<int>(seconds)) + " s", cpu,
                    "s", 0.5);
  Paired pss;
  std::vector<double> our_pss, peer_pss;
  for (const Cost& cost : our_costs) our_pss.push_back(cost.pss_kib);
  for (const Cost& cost : peer_costs) peer_pss.push_back(cost.pss_kib);
  pss.ours = median(our_pss);
  pss.peer = median(peer_pss);
  pss.ratio = pss.ours / pss.peer;
  table.row_at_most("TCP graph, memory (PSS)", pss, "KiB", 1.0);
}

int run_all() {
  const std::string sluice = bin_folder() / "sluice";
  std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("sluice-bench." + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  make_wav(folder / "in.wav", 600, true);
  Table table("The program sluice against its peers; medians of paired rounds");
  bench_render(table, sluice, folder);
  bench_first_byte(table, sluice, folder / "in.wav");
  make_raw(folder / "in.wav", folder / "in.raw", static_cast<uint32_t>(running_seconds()) + 10);
  bench_running(table, sluice, folder / "in.wav", folder / "in.raw");
  std::filesystem::remove_all(folder);
  return table.unmet() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace sluice::bench

int main() { return sluice::bench::run_all(); }
