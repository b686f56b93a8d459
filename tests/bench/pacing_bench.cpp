// How evenly sink.tcp sends, against a bare loop of clock_nanosleep and send, GStreamer and ffmpeg,
// and what a hundred senders on one ring cost. Peers are looked for on the PATH. An argument of
// lateness, rate or cpu measures that alone.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/bench/paired.hpp"
#include "tests/bench/programs.hpp"

namespace sluice::bench {
namespace {

constexpr int kRateHz = 48000;
constexpr int kFrameBytes = 4;
constexpr int kChunkFrames = 480;
constexpr int64_t kChunkNs = 10'000'000;
constexpr double kSettleS = 1.0;  // what comes at once, and the start of a program, do not count

int64_t now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

struct Arrival {
  int64_t at_ns;
  uint64_t end;  // of all bytes so far
};

// Takes what comes from any number of senders; notes when the bytes of the first one came.
class Server {
 public:
  Server() : thread_([this] { run(); }) {}
  ~Server() { stop(); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  uint16_t port() const { return listener_.port; }
  // Until all senders have gone, or at once.
  std::vector<Arrival> stop() {
    is_stopping_ = true;
    if (thread_.joinable()) thread_.join();
    return std::move(arrivals_);
  }

 private:
  void run() {
    sched_param priority{};
    priority.sched_priority = 50;
    sched_setscheduler(0, SCHED_FIFO, &priority);
    std::vector<pollfd> streams{{listener_.descriptor, POLLIN, 0}};
    std::array<char, 65536> bytes;
    uint64_t total = 0;
    while (!is_stopping_) {
      poll(streams.data(), streams.size(), 100);
      if (streams[0].revents & POLLIN) {
        const int stream = accept4(listener_.descriptor, nullptr, nullptr, SOCK_CLOEXEC);
        const int on = 1;
        setsockopt(stream, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
        streams.push_back({stream, POLLIN, 0});
      }
      for (size_t i = 1; i < streams.size(); ++i) {
        if (!streams[i].revents) continue;
        int64_t at_ns = 0;
        const ssize_t count = receive(streams[i].fd, bytes, at_ns);
        if (count <= 0) {
          close(streams[i].fd);
          streams[i].fd = -1;
        } else if (i == 1) {
          total += static_cast<uint64_t>(count);
          arrivals_.push_back({at_ns, total});
        }
      }
    }
    for (size_t i = 1; i < streams.size(); ++i) {
      if (streams[i].fd >= 0) close(streams[i].fd);
    }
  }

  // When bytes came is what is measured, not when this thread got its turn: the kernel says so, by
  // a clock that differs from ours by a constant.
  static ssize_t receive(int stream, std::array<char, 65536>& bytes, int64_t& at_ns) {
    iovec part{bytes.data(), bytes.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(timespec))> control;
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t count = recvmsg(stream, &message, MSG_DONTWAIT);
    at_ns = now_ns();
    const cmsghdr* header = count > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
    if (header && header->cmsg_type == SCM_TIMESTAMPNS) {
      timespec came{}, now{};
      std::memcpy(&came, CMSG_DATA(header), sizeof came);
      clock_gettime(CLOCK_REALTIME, &now);
      at_ns = now_ns() - (int64_t{now.tv_sec} - came.tv_sec) * 1'000'000'000 -
              (now.tv_nsec - came.tv_nsec);
    }
    return count;
  }

  Listener listener_{200};
  std::atomic<bool> is_stopping_{false};
  std::vector<Arrival> arrivals_;
  std::thread thread_;
};

struct Lateness {
  double p50_us = 0, p99_us = 0;
};

// How late what came was, against the line of the nominal rate below which nothing lies.
Lateness lateness_of(const std::vector<Arrival>& arrivals) {
  std::vector<double> late_us;
  if (arrivals.empty()) return {};
  for (const Arrival& arrival : arrivals) {
    if (static_cast<double>(arrival.at_ns - arrivals.front().at_ns) < kSettleS * 1e9) continue;
    const double due_us = static_cast<double>(arrival.end) / kFrameBytes / kRateHz * 1e6;
    late_us.push_back(static_cast<double>(arrival.at_ns - arrivals.front().at_ns) / 1e3 - due_us);
  }
  if (late_us.size() < 10) return {};
  std::sort(late_us.begin(), late_us.end());
  const auto at = [&](double share) {
    return late_us[static_cast<size_t>(share * static_cast<double>(late_us.size() - 1))] -
           late_us.front();
  };
  return {at(0.5), at(0.99)};
}

// By how much the rate is off, in ppm: the Theil-Sen line through the lowest point of each second.
double rate_error_ppm(const std::vector<Arrival>& arrivals) {
  std::vector<std::pair<double, double>> points;  // seconds, lateness in us
  for (const Arrival& arrival : arrivals) {
    const double at_s = static_cast<double>(arrival.at_ns - arrivals.front().at_ns) / 1e9;
    if (at_s < kSettleS) continue;
    const double late_us =
        at_s * 1e6 - static_cast<double>(arrival.end) / kFrameBytes / kRateHz * 1e6;
    if (points.empty() || std::floor(points.back().first) != std::floor(at_s)) {
      points.emplace_back(at_s, late_us);
    } else if (late_us < points.back().second) {
      points.back() = {at_s, late_us};
    }
  }
  std::vector<double> slopes;
  for (size_t i = 0; i < points.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      slopes.push_back((points[i].second - points[j].second) / (points[i].first - points[j].first));
    }
  }
  return median(std::move(slopes));
}

using Sender = std::function<void(uint16_t port, double seconds)>;

std::vector<Arrival> arrivals_of(const Sender& sender, double seconds) {
  Server server;
  sender(server.port(), seconds);
  return server.stop();
}

Sender program(std::function<Words(const std::string& port)> words) {
  return [words = std::move(words)](uint16_t port, double seconds) {
    Process process(words(std::to_string(port)));
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds + kSettleS));
    process.interrupt();
    process.end();
  };
}

// What any sender could do: absolute deadlines, sharp timers, nothing else.
Sender bare_loop(int64_t spin_ns) {
  return [spin_ns](uint16_t port, double seconds) {
    std::thread([&] {
      prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
      const int stream = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const int on = 1;
      setsockopt(stream, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      address.sin_port = htons(port);
      if (connect(stream, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return;
      const std::vector<char> chunk(kChunkFrames * kFrameBytes);
      const int64_t start_ns = now_ns();
      const auto chunks = static_cast<int64_t>((seconds + kSettleS) * 1e9) / kChunkNs;
      for (int64_t i = 1; i <= chunks; ++i) {
        const int64_t due_ns = start_ns + i * kChunkNs;
        const int64_t wake_ns = due_ns - spin_ns;
        const timespec wake{wake_ns / 1'000'000'000, wake_ns % 1'000'000'000};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, nullptr);
        while (now_ns() < due_ns) {
        }
        send(stream, chunk.data(), chunk.size(), MSG_NOSIGNAL);
      }
      close(stream);
    }).join();
  };
}

struct Pair {
  Paired p50, p99;
};

Pair run_pair(int rounds, const Sender& ours, const Sender& peer, double seconds) {
  std::vector<Lateness> our_all, peer_all;
  const auto measure = [&](const Sender& sender, std::vector<Lateness>& all) {
    all.push_back(lateness_of(arrivals_of(sender, seconds)));
    return all.back().p50_us;
  };
  Pair pair;
  pair.p50 = run_paired(
      rounds, [&] { return measure(ours, our_all); }, [&] { return measure(peer, peer_all); });
  std::vector<double> ratios;
  for (size_t i = 1; i < our_all.size(); ++i) {
    pair.p99.ours_each.push_back(our_all[i].p99_us);
    pair.p99.peer_each.push_back(peer_all[i].p99_us);
    ratios.push_back(our_all[i].p99_us / peer_all[i].p99_us);
  }
  pair.p99.ours = median(pair.p99.ours_each);
  pair.p99.peer = median(pair.p99.peer_each);
  pair.p99.ratio = median(std::move(ratios));
  return pair;
}

double worst_ratio(const Paired& paired) {
  double worst = 0;
  for (size_t i = 0; i < paired.ours_each.size(); ++i) {
    worst = std::max(worst, paired.ours_each[i] / paired.peer_each[i]);
  }
  return worst;
}

Words sluice_words(const std::string& sluice, const std::string& wav, const std::string& port,
                   const std::string& more) {
  return {sluice, "run", "-q", "-e",
          "source.wav path=" + wav + " -> sink.tcp host=127.0.0.1 chunk_frames=480 port=" + port +
              " " + more};
}

void bench_lateness(Table& table, const std::string& sluice, const std::string& wav,
                    double seconds) {
  constexpr int kRounds = 3;
  constexpr int64_t kSpinNs = 1'500'000;
  const Sender ours =
      program([&](const std::string& port) { return sluice_words(sluice, wav, port, ""); });
  const Sender spinning = program(
      [&](const std::string& port) { return sluice_words(sluice, wav, port, "spin_us=1500"); });

  const Pair bare = run_pair(kRounds, ours, bare_loop(0), seconds);
  table.row_at_most("lateness p50, against a bare loop", bare.p50, "us", 1.25);
  table.row_at_most("lateness p99, against a bare loop", bare.p99, "us", 1.25);
  const Pair bare_spin = run_pair(kRounds, spinning, bare_loop(kSpinNs), seconds);
  table.row_at_most("lateness p50 with spin_us 1500, against a spinning loop", bare_spin.p50, "us",
                    1.25);
  table.row_at_most("lateness p99 with spin_us 1500, against a spinning loop", bare_spin.p99, "us",
                    1.25);
  const Pair spin = run_pair(kRounds, spinning, ours, seconds);
  table.row_at_most("lateness p50, spin_us 1500 against none", spin.p50, "us", 0.5);
  table.row_at_most("lateness p99, spin_us 1500 against none", spin.p99, "us", 0.5);

  if (is_on_path("gst-launch-1.0")) {
    // `wavparse` would hand on 4096 frames at once, and `filesrc` be pulled more, whatever they are
    // told; so the WAV's bytes are pushed as samples, 480 frames at a time.
    const Sender peer = program([&](const std::string& port) -> Words {
      return {"sh", "-c",
              "exec gst-launch-1.0 -q fdsrc blocksize=1920 ! rawaudioparse use-sink-caps=false "
              "format=pcm pcm-format=s16le sample-rate=48000 num-channels=2 ! "
              "tcpclientsink host=127.0.0.1 sync=true port=" +
                  port + " <'" + wav + "'"};
    });
    const Pair pair = run_pair(kRounds, ours, peer, seconds);
    table.row("lateness p99, against GStreamer sync=true", pair.p99, "us", "no pair above 1",
              worst_ratio(pair.p99) <= 1.0);
    // What the machine leaves to anybody.
    const Pair limit = run_pair(kRounds, bare_loop(0), peer, seconds);
    table.row("lateness p99, a bare loop against GStreamer", limit.p99, "us", "", true);
  } else {
    std::printf("gst-launch-1.0 is not on the PATH: no row\n");
  }
  if (is_on_path("ffmpeg")) {
    const Sender peer = program([&](const std::string& port) -> Words {
      return {"ffmpeg", "-nostdin", "-v", "error", "-re",
              "-i",     wav,        "-f", "s16le", "tcp://127.0.0.1:" + port};
    });
    const Pair pair = run_pair(kRounds, ours, peer, seconds);
    table.row_at_most("lateness p99, against ffmpeg -re", pair.p99, "us", 0.1);
  } else {
    std::printf("ffmpeg is not on the PATH: no row\n");
  }
}

void bench_rate(Table& table, const std::string& sluice, const std::string& wav, double seconds) {
  const Sender ours =
      program([&](const std::string& port) { return sluice_words(sluice, wav, port, ""); });
  Paired rate;
  rate.ours = std::abs(rate_error_ppm(arrivals_of(ours, seconds)));
  table.row("rate over " + std::to_string(std::lround(seconds)) + " s, off the monotonic clock by",
            rate, "ppm", "<= 1 ppm", rate.ours <= 1.0);
}

// CPU seconds of a graph in which `sinks` senders read one ring.
double cpu_of(const std::string& sluice, const std::string& wav, int sinks, double seconds,
              const std::filesystem::path& folder) {
  Server server;
  const std::filesystem::path path = folder / "graph.json";
  std::ofstream graph(path);
  graph << R"({"sluice": 1, "nodes": {"wav": {"type": "source.wav", "params": {"path": ")" << wav
        << "\"}}";
  for (int i = 0; i < sinks; ++i) {
    graph << ", \"sink" << i
          << R"(": {"type": "sink.tcp", "params": {"host": "127.0.0.1", "port": )" << server.port()
          << "}}";
  }
  graph << "}, \"edges\": [";
  for (int i = 0; i < sinks; ++i) graph << (i ? ", " : "") << "\"wav -> sink" << i << '"';
  graph << "]}";
  graph.close();
  Process process({sluice, "run", "-q", path});
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  process.interrupt();
  return process.end();
}

void bench_cpu(Table& table, const std::string& sluice, const std::string& wav, double seconds,
               const std::filesystem::path& folder) {
  const Paired cpu = run_paired(
      3, [&] { return cpu_of(sluice, wav, 100, seconds, folder); },
      [&] { return cpu_of(sluice, wav, 1, seconds, folder); });
  table.row_at_most("CPU of 100 senders on one ring, against one", cpu, "s", 25.0);
}

int run_all(std::string_view wanted) {
  const std::string sluice = bin_folder() / "sluice";
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("sluice-pacing." + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  const std::string wav = folder / "in.wav";
  make_wav(wav, 200, false);
  const double longest_s = running_seconds();
  Table table("sink.tcp: 10 ms chunks of s16 stereo at 48 kHz; medians of paired rounds");
  const auto wants = [&](std::string_view part) { return wanted.empty() || wanted == part; };
  if (wants("lateness")) bench_lateness(table, sluice, wav, std::min(longest_s, 20.0));
  if (wants("rate")) bench_rate(table, sluice, wav, longest_s);
  if (wants("cpu")) bench_cpu(table, sluice, wav, std::min(longest_s, 30.0), folder);
  std::filesystem::remove_all(folder);
  return table.unmet() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace sluice::bench

int main(int count, char** words) { return sluice::bench::run_all(count > 1 ? words[1] : ""); }
