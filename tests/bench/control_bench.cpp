// What watching costs a running graph: 200 nodes, full statistics to 100 WebSockets 20 times a
// second, against the same host with nobody watching, in turns.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/bench/paired.hpp"
#include "tests/bench/programs.hpp"

namespace sluice::bench {
namespace {

constexpr int kBranches = 66;  // of three nodes, behind two
constexpr size_t kClients = 100;
constexpr int kRounds = 5;
constexpr double kMostOfACore = 0.05;

std::string graph() {
  std::string nodes =
      R"("tone": {"type": "source.tone", "params": {"live": true}}, "hub": "filter.gain")";
  std::string edges = R"("tone -> hub")";
  for (int i = 0; i < kBranches; ++i) {
    const std::string n = std::to_string(i);
    nodes += R"(, "a)" + n + R"(": "filter.gain", "b)" + n + R"(": "filter.gain", "c)" + n +
             R"(": "sink.null")";
    edges += R"(, "hub -> a)" + n + " -> b" + n + " -> c" + n + "\"";
  }
  return R"({"sluice": 1, "name": "bench", "nodes": {)" + nodes + R"(}, "edges": [)" + edges + "]}";
}

int connect_to(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    return descriptor;
  }
  close(descriptor);
  return -1;
}

void send_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t size = send(descriptor, text.data(), text.size(), MSG_NOSIGNAL);
    if (size <= 0) return;
    text.remove_prefix(static_cast<size_t>(size));
  }
}

std::string read_until(int descriptor, std::string_view end) {
  std::string text;
  std::array<char, 4096> part;
  while (!text.ends_with(end)) {
    const ssize_t size = recv(descriptor, part.data(), end.size() == 4 ? 1 : part.size(), 0);
    if (size <= 0) break;
    text.append(part.data(), static_cast<size_t>(size));
  }
  return text;
}

// What was lost or filled in so far, at all edges.
double gaps(uint16_t port) {
  const int descriptor = connect_to(port);
  send_all(descriptor, "GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n");
  const std::string text = read_until(descriptor, "nothing that comes");
  close(descriptor);
  double sum = 0.0;
  constexpr std::string_view kName = "\nsluice_edge_gaps_total{";
  for (size_t at = text.find(kName); at != std::string::npos; at = text.find(kName, at + 1)) {
    sum += std::atof(text.c_str() + text.find("} ", at) + 2);
  }
  return sum;
}

// Clients that read what comes and count it.
class Watchers {
 public:
  explicit Watchers(uint16_t port) {
    constexpr std::string_view kSubscribe =
        R"({"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"topics":["statistics"],"rate_hz":20,"form":"rows"}})";
    std::string frame = "\x81";
    frame += static_cast<char>(0x80U | kSubscribe.size());
    static_assert(kSubscribe.size() < 126);
    frame += std::string(4, '\0') + std::string(kSubscribe);
    for (size_t i = 0; i < kClients; ++i) {
      const int descriptor = connect_to(port);
      send_all(
          descriptor,
          "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
      read_until(descriptor, "\r\n\r\n");
      send_all(descriptor, frame);
      polled_.push_back({descriptor, POLLIN, 0});
    }
    thread_ = std::thread([this] { run(); });
  }
  ~Watchers() {
    is_over_ = true;
    thread_.join();
    for (const pollfd& one : polled_) close(one.fd);
  }
  Watchers(const Watchers&) = delete;
  Watchers& operator=(const Watchers&) = delete;

  double bytes() const { return static_cast<double>(bytes_.load()); }

 private:
  void run() {
    std::vector<char> part(size_t{1} << 18);
    while (!is_over_) {
      poll(polled_.data(), polled_.size(), 100);
      for (const pollfd& one : polled_) {
        if ((one.revents & POLLIN) == 0) continue;
        const ssize_t size = recv(one.fd, part.data(), part.size(), MSG_DONTWAIT);
        if (size > 0) bytes_ += static_cast<uint64_t>(size);
      }
    }
  }

  std::vector<pollfd> polled_;
  std::atomic<bool> is_over_{false};
  std::atomic<uint64_t> bytes_{0};
  std::thread thread_;
};

int run() {
  const auto folder =
      std::filesystem::temp_directory_path() / ("sluice-control-bench-" + std::to_string(getpid()));
  std::filesystem::create_directory(folder);
  setenv("XDG_RUNTIME_DIR", folder.c_str(), 1);
  std::ofstream(folder / "bench.json") << graph();
  constexpr uint16_t kPort = 18'765;
  const double seconds = std::max(1.0, running_seconds() / (2 * kRounds));
  int status = 1;
  {
    Process host({(bin_folder() / "sluice").string(), "run", "-q", (folder / "bench.json").string(),
                  "--http", std::to_string(kPort)});
    for (int tries = 0; tries < 100; ++tries) {
      const int probe = connect_to(kPort);
      if (probe >= 0) close(probe);
      if (probe >= 0) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    double bytes_a_second = 0.0, gaps_watched = 0.0, gaps_alone = 0.0;
    const auto cost = [&](double& gaps_sum) {
      const double gaps_before = gaps(kPort);
      const double before = host.cpu_seconds();
      const auto begin = std::chrono::steady_clock::now();
      std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
      const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;
      const double used = (host.cpu_seconds() - before) / passed.count();
      gaps_sum += gaps(kPort) - gaps_before;
      return used;
    };
    std::vector<double> watching;
    const auto watched = [&] {
      const Watchers watchers(kPort);
      std::this_thread::sleep_for(std::chrono::milliseconds(500));
      const double before = watchers.bytes();
      const double used = cost(gaps_watched);
      bytes_a_second = (watchers.bytes() - before) / seconds;
      return used;
    };
    Paired pair = run_paired(kRounds, watched, [&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(500));
      return cost(gaps_alone);
    });
    for (size_t i = 0; i < pair.ours_each.size(); ++i) {
      watching.push_back(pair.ours_each[i] - pair.peer_each[i]);
    }
    const double of_a_core = median(watching);
    Table table("Control: the 200-node graph with 100 WebSockets at 20 Hz, against nobody");
    table.row("CPU of the host, seconds a second", pair, "s", "", true);
    char goal[96];
    std::snprintf(goal, sizeof goal, "%.1f %% of a core <= 5 %%", of_a_core * 100.0);
    table.row("what the watchers cost", pair, "s", goal, of_a_core <= kMostOfACore);
    std::printf("%.1f MB/s to the watchers; gaps with them %.0f, without %.0f\n",
                bytes_a_second / 1e6, gaps_watched, gaps_alone);
    status = table.unmet() == 0 ? 0 : 1;
    host.interrupt();
    host.end();
  }
  std::filesystem::remove_all(folder);
  return status;
}

}  // namespace
}  // namespace sluice::bench

int main() { return sluice::bench::run(); }
