// How soon a change is heard: in a graph of 200 nodes, from the request to the first block of the
// new plan; and from the start of a command to the first frame at the other end of a socket, beside
// a script that kills one program and starts another.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "host/control/runtime_folder.hpp"
#include "host/graph/json_text.hpp"
#include "host/graph/load.hpp"
#include "host/session/plugin_catalog.hpp"
#include "host/session/session.hpp"
#include "tests/bench/paired.hpp"
#include "tests/bench/programs.hpp"
#include "tests/support/folders.hpp"

namespace sluice::bench {
namespace {

namespace fs = std::filesystem;
constexpr int64_t kMsNs = 1'000'000;

int64_t now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// ---- 200 nodes ----

constexpr int kChains = 20;
constexpr int kFilters = 8;

// What a sound card brings at once where latency counts.
constexpr double kSourceBlockMs = 128.0 / 48;

// Twenty chains of a live source, eight filters and a sink.
std::string large_graph() {
  std::string nodes, edges;
  for (int c = 0; c < kChains; ++c) {
    const std::string n = std::to_string(c);
    nodes += "\"tone" + n + R"(": {"type": "source.tone", "params": {"live": true, "block_ms": )" +
             std::to_string(kSourceBlockMs) + "}}, ";
    std::string chain = "tone" + n;
    for (int f = 0; f < kFilters; ++f) {
      const std::string id = "gain" + n + "x" + std::to_string(f);
      nodes += "\"" + id + "\": \"filter.gain\", ";
      chain += " -> " + id;
    }
    nodes += "\"end" + n + "\": \"sink.null\"" + (c + 1 < kChains ? ", " : "");
    edges += "\"" + chain + " -> end" + n + "\"" + (c + 1 < kChains ? ", " : "");
  }
  return R"({"sluice": 1, "nodes": {)" + nodes + R"(}, "edges": [)" + edges + "]}";
}

class LargeGraph {
 public:
  LargeGraph() : registry_(options()) {
    const graph::Catalog types = session::full_catalog(registry_);
    graph::LoadOptions load;
    const auto document = graph::load_text(large_graph(), "large.json", types, load).document;
    load.applies_routes = false;
    const auto plain = graph::load_text(large_graph(), "large.json", types, load).document;
    std::vector<graph::Diagnostic> diagnostics;
    session_ =
        session::Session::make(*document, graph::to_normal_json(*plain, graph::Secrets::kReveal),
                               registry_, {}, diagnostics);
    static_cast<void>(session_->player().start());
    run_until([begin = now_ns()] { return now_ns() - begin > 500 * kMsNs; });
  }

  struct Spent {
    double block_ms;  // from the request to the first block that the last chain's sink reads then
    double host_ms;   // of it, until the change was in force
  };
  // Requests come at every place between two blocks of the sources.
  Spent change(const std::string& operation) {
    session::ChangeRequest request;
    request.operations.push_back(*graph::parse_json_value(operation));
    bool is_done = false;
    uint64_t read_before = 0;
    const int64_t begin_ns = now_ns();
    int64_t in_force_ns = 0;
    session_->change(std::move(request), [&](const session::ChangeResult& result) {
      if (!result.status.ok()) {
        std::fprintf(stderr, "%s\n", result.status.error().message.c_str());
        std::exit(1);
      }
      in_force_ns = now_ns();
      read_before = read_frames();
      is_done = true;
    });
    run_until([&] { return is_done && read_frames() > read_before; });
    const Spent spent{static_cast<double>(now_ns() - begin_ns) / 1e6,
                      static_cast<double>(in_force_ns - begin_ns) / 1e6};
    run_until([&] { return session_->is_settled(); });
    // What came before ended with a block of the sources: every other place is as likely.
    const auto place = static_cast<double>(++changes_ * 618'034 % 1'000'000) / 1e6;
    const int64_t rest_ns = 20 * kMsNs + static_cast<int64_t>(place * kSourceBlockMs * kMsNs);
    run_until([begin = now_ns(), rest_ns] { return now_ns() - begin > rest_ns; });
    return spent;
  }

 private:
  static loader::RegistryOptions options() {
    loader::RegistryOptions options;
    options.plugin_dirs = {tests::plugin_folder()};
    return options;
  }
  void run_until(const std::function<bool()>& is_over) {
    engine::Engine& engine = session_->player().engine();
    while (!is_over()) {
      engine.run(now_ns() + kMsNs / 4, [&] {
        session_->tend();
        return !is_over();
      });
    }
  }
  // By the sink of the last chain, whichever edge it has now.
  uint64_t read_frames() {
    uint64_t frames = 0;
    for (const auto& edge : session_->player().engine().edges()) {
      if (edge->to.node.id() == "end19") frames += edge->read_frames;
    }
    return frames;
  }

  loader::Registry registry_;
  std::unique_ptr<session::Session> session_;
  int64_t changes_ = 0;
};

int unmet = 0;

void row(const char* what, std::vector<double> each, double most_ms) {
  const double middle = median(each);
  std::sort(each.begin(), each.end());
  const double p95 = each[each.size() * 95 / 100];
  const bool is_met = middle <= most_ms;
  if (!is_met) ++unmet;
  std::printf("%-50s %8.2f ms median %8.2f ms p95   goal <= %g ms  %s\n", what, middle, p95,
              most_ms, is_met ? "met" : "UNMET");
  std::fflush(stdout);
}

void row(const char* what, const std::vector<LargeGraph::Spent>& each, double most_ms) {
  std::vector<double> block_ms, host_ms;
  for (const LargeGraph::Spent& spent : each) {
    block_ms.push_back(spent.block_ms);
    host_ms.push_back(spent.host_ms);
  }
  row(what, std::move(block_ms), most_ms);
  std::printf("%-50s %8.2f ms median\n", "  of it, until it was in force", median(host_ms));
}

void measure_large_graph(int rounds) {
  LargeGraph graph;
  std::vector<LargeGraph::Spent> parameter, edge, node;
  for (int i = 0; i < rounds; ++i) {
    parameter.push_back(graph.change(R"({"op": "set", "target": "gain19x7.gain_db", "value": -)" +
                                     std::to_string(i % 20) + "}"));
    edge.push_back(graph.change(R"({"op": "connect", "edge": "gain18x3 -> gain19x7"})"));
    edge.push_back(graph.change(R"({"op": "disconnect", "edge": "gain18x3 -> gain19x7"})"));
    node.push_back(graph.change(
        R"({"op": "add", "id": "more", "node": "filter.gain", "edges": ["gain18x3 -> more -> gain19x7"]})"));
    node.push_back(graph.change(R"({"op": "remove", "id": "more"})"));
  }
  row("200 nodes: a parameter", parameter, 5);
  row("200 nodes: an edge", edge, 5);
  row("200 nodes: a node", node, 20);
}

// ---- A switch, from the start of the command ----

// Takes connections on one port and notes when the first sample that is not silence came.
class Listener {
 public:
  Listener() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    listen(listener_, 10);
    socklen_t size = sizeof address;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~Listener() {
    is_stopping_ = true;
    thread_.join();
    close(listener_);
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  std::string port() const { return std::to_string(port_); }
  // Forgets what was heard; waits until it is silent.
  void await_silence() {
    do {
      heard_ns_ = 0;
      std::this_thread::sleep_for(std::chrono::milliseconds(60));
    } while (heard_ns_ != 0);
  }
  // When sound came, after await_silence.
  int64_t await_sound() const {
    while (heard_ns_ == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
    return heard_ns_;
  }

 private:
  void run() {
    std::vector<pollfd> streams{{listener_, POLLIN, 0}};
    std::array<char, 65536> bytes{};
    while (!is_stopping_) {
      poll(streams.data(), streams.size(), 50);
      if (streams[0].revents & POLLIN) {
        streams.push_back({accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC), POLLIN, 0});
      }
      for (size_t i = 1; i < streams.size(); ++i) {
        if (streams[i].revents == 0) continue;
        const ssize_t count = recv(streams[i].fd, bytes.data(), bytes.size(), MSG_DONTWAIT);
        if (count <= 0) {
          close(streams[i].fd);
          streams[i].fd = -1;
        } else if (heard_ns_ == 0 && std::any_of(bytes.data(), bytes.data() + count,
                                                 [](char byte) { return byte != 0; })) {
          heard_ns_ = now_ns();
        }
      }
    }
    for (size_t i = 1; i < streams.size(); ++i) {
      if (streams[i].fd >= 0) close(streams[i].fd);
    }
  }

  int listener_;
  uint16_t port_ = 0;
  std::atomic<bool> is_stopping_{false};
  std::atomic<int64_t> heard_ns_{0};
  std::thread thread_;
};

std::string scc_graph(const Listener& local, const Listener& box, bool is_warm) {
  const std::string sink =
      R"({"type": "sink.tcp", )" + std::string(is_warm ? R"("standby": true, )" : "") +
      R"("params": {"lead_ms": 0, "chunk_frames": 128, "host": "127.0.0.1", "port": )";
  return R"({"sluice": 1, "name": "scc", "nodes": {
    "tone": {"type": "source.tone", "params": {"live": true}}, "hub": "filter.gain",
    "local": )" +
         sink + local.port() + R"(}}, "box": )" + sink + box.port() + R"(}}},
    "edges": ["tone -> hub"],
    "routes": {"none": [], "local": ["hub -> local"], "box": ["hub -> box"]}})";
}

// none -> local -> none -> box -> local -> box: from the start of `scc ROUTE` to its sound at the
// other end of a sink that keeps nothing in hand, which is when it came to the sink's input.
std::vector<double> measure_scc(const fs::path& folder, bool is_warm, int rounds) {
  Listener local, box;
  std::ofstream(folder / "scc.json") << scc_graph(local, box, is_warm);
  const std::string bin = bin_folder();
  const Process host({bin + "/sluice", "run", "-q", folder / "scc.json"});
  while (control::running_graphs().empty()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  std::vector<double> each;
  while (static_cast<int>(each.size()) < rounds) {
    for (const char* route : {"local", "none", "box", "local", "box", "none"}) {
      Listener* const heard = std::string(route) == "local" ? &local
                              : std::string(route) == "box" ? &box
                                                            : nullptr;
      if (heard) heard->await_silence();
      const int64_t begin_ns = now_ns();
      Process command({bin + "/scc", route});
      if (heard) each.push_back(static_cast<double>(heard->await_sound() - begin_ns) / 1e6);
      command.end();
    }
  }
  return each;
}

// A shell script that kills the sender of the other route and starts one for this.
std::vector<double> measure_script(const fs::path& folder, int rounds) {
  Listener local, box;
  std::ofstream(folder / "switch.sh")
      << "kill \"$(cat \"$2\")\" 2>/dev/null; wait\n"
         "ffmpeg -nostdin -loglevel quiet -re -f lavfi -i sine=r=48000 -ac 2 -f s16le "
         "tcp://127.0.0.1:$1 & echo $! >\"$2\"\n";
  const std::string pid_file = folder / "sender.pid";
  std::vector<double> each;
  for (int i = 0; i < rounds; ++i) {
    Listener& heard = i % 2 == 0 ? local : box;
    heard.await_silence();
    const int64_t begin_ns = now_ns();
    Process script({"sh", folder / "switch.sh", heard.port(), pid_file});
    each.push_back(static_cast<double>(heard.await_sound() - begin_ns) / 1e6);
    script.end();
  }
  pid_t last = 0;
  std::ifstream(pid_file) >> last;
  if (last > 0) kill(last, SIGKILL);
  return each;
}

int measure(int argc, char** argv) {
  const bool is_quick = argc > 1 && std::string(argv[1]) == "--quick";
  std::puts("Changes while it plays");
  measure_large_graph(is_quick ? 5 : 50);
  std::string folder = fs::temp_directory_path() / "sluice-live-bench-XXXXXX";
  if (!mkdtemp(folder.data())) return 1;
  setenv("XDG_RUNTIME_DIR", folder.c_str(), 1);
  const int rounds = is_quick ? 8 : 100;
  row("scc ROUTE to its sound, warm sink", measure_scc(folder, true, rounds), 20);
  row("scc ROUTE to its sound, sink to be connected", measure_scc(folder, false, rounds), 60);
  if (is_on_path("ffmpeg")) {
    auto each = measure_script(folder, is_quick ? 4 : 20);
    std::sort(each.begin(), each.end());
    std::printf("%-58s %8.2f ms median, %8.2f ms p95   (the peer)\n",
                "kill one ffmpeg, start another, to its sound", median(each),
                each[each.size() * 95 / 100]);
  } else {
    std::puts("kill one ffmpeg, start another: not measured, as there is no ffmpeg");
  }
  std::error_code ignored;
  fs::remove_all(folder, ignored);
  return unmet == 0 ? 0 : 1;
}

}  // namespace
}  // namespace sluice::bench

int main(int argc, char** argv) { return sluice::bench::measure(argc, argv); }
