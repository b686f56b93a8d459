// What a process of its own costs: a block of 480 frames through filter.gain at 0 dB there, against
// the same in process and against two processes that do nothing but wake each other; and how soon
// it is heard whole again after kill -9, while another branch loses nothing.
//
// To wake a processor that sleeps takes several times as long as to change from one process to
// another on the same one, so each row says where the two sides run, which is the same for both.
#include <dirent.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "host/engine/engine.hpp"
#include "host/isolate/isolated_type.hpp"
#include "host/loader/library.hpp"
#include "tests/bench/paired.hpp"
#include "tests/support/engine_nodes.hpp"
#include "tests/support/folders.hpp"

namespace sluice::bench {
namespace {

using engine::Node;
using engine::ParameterValue;

constexpr uint32_t kBlockFrames = 480;
constexpr uint32_t kRingBlocks = 4;
constexpr int kBlocks = 4000;
constexpr sluice_format kStereo{sizeof(sluice_format), SLUICE_SAMPLE_F32, 2, 48000};

template <typename T>
T& expect(support::Result<T>&& result) {
  if (!result) {
    std::fprintf(stderr, "%s\n", result.error().message.c_str());
    std::exit(1);
  }
  static std::vector<std::unique_ptr<T>> kept;
  kept.push_back(std::make_unique<T>(std::move(result).value()));
  return *kept.back();
}

const loader::Type& gain() {
  const auto* library = expect(loader::Library::load(tests::plugin_folder() / "filter.gain.so"));
  return *library->types().front();
}
const sluice_type& isolated_gain() {
  return *expect(isolate::isolated(gain(), tests::build_folder() / "bin/sluice"));
}

std::vector<ParameterValue> defaults(const sluice_type& type) {
  std::vector<ParameterValue> values(type.parameter_count);
  for (uint32_t i = 0; i < type.parameter_count; ++i) {
    values[i].number = type.parameters[i].default_number;
  }
  return values;
}

// ---- One block after the other, through the plugin's functions ----

class Driven {
 public:
  explicit Driven(const sluice_type& type)
      : node_("bench", type, defaults(type), services_), functions_(*type.functions) {
    check(functions_.create(node_.host(), &plugin_), "create");
    std::vector<sluice_port_setup> ports(type.port_count);
    for (auto& port : ports) {
      port.struct_size = sizeof(port);
      port.is_connected = 1;
      port.format = kStereo;
    }
    sluice_setup setup{sizeof(sluice_setup), SLUICE_MODE_REAL_TIME, kBlockFrames,
                       type.port_count,      ports.data(),          1};
    check(functions_.prepare(plugin_, &setup), "prepare");
    passive_ =
        static_cast<const sluice_passive*>(functions_.get_interface(plugin_, SLUICE_PASSIVE));
    in_.resize(kRing);
    out_.resize(kRing);
  }
  ~Driven() {
    functions_.release(plugin_);
    functions_.destroy(plugin_);
  }
  Driven(const Driven&) = delete;
  Driven& operator=(const Driven&) = delete;

  // us a block
  double run() {
    return elapsed_ns([&] {
             for (int i = 0; i < kBlocks; ++i) {
               const size_t at = static_cast<size_t>(i) % kRingBlocks * kBlockFrames * 2;
               sluice_input in{};
               in.struct_size = sizeof(in);
               in.data = in_.data() + at;
               in.frames = kBlockFrames;
               in.position = position_;
               in.capture_ns = SLUICE_NO_TIME;
               sluice_output out{};
               out.struct_size = sizeof(out);
               out.data = out_.data() + at;
               out.frames = kBlockFrames;
               out.position = position_;
               sluice_block block{sizeof(sluice_block), 1, 1, 0, &in, &out, &event_};
               passive_->process(plugin_, &block);
               if (out.produced != kBlockFrames) check(SLUICE_ERROR_INTERNAL, "process");
               position_ += out.produced;
             }
           }) /
           kBlocks / 1000;
  }

 private:
  static constexpr size_t kRing = size_t{kRingBlocks} * kBlockFrames * 2;
  static void check(sluice_result result, const char* what) {
    if (result == SLUICE_OK) return;
    std::fprintf(stderr, "The node fails to %s.\n", what);
    std::exit(1);
  }

  engine::MonotonicClock clock_;
  const engine::NodeServices services_{&clock_, nullptr, nullptr, nullptr};
  Node node_;
  const sluice_node_functions& functions_;
  sluice_node* plugin_ = nullptr;
  const sluice_passive* passive_ = nullptr;
  std::vector<float> in_, out_;
  const sluice_event event_{};
  uint64_t position_ = 0;
};

// ---- Two processes that wake each other ----

class PingPong {
 public:
  PingPong() {
    words_ = static_cast<Words*>(
        mmap(nullptr, sizeof(Words), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    child_ = fork();
    if (child_ != 0) return;
    for (uint32_t seen = 0;;) {
      wait(words_->ping, seen);
      ++seen;
      if (words_->is_over.load()) _exit(0);
      ring(words_->pong);
    }
  }
  ~PingPong() {
    words_->is_over = true;
    ring(words_->ping);
    waitpid(child_, nullptr, 0);
    munmap(words_, sizeof(Words));
  }
  PingPong(const PingPong&) = delete;
  PingPong& operator=(const PingPong&) = delete;

  // us for there and back
  double run() {
    return elapsed_ns([&] {
             for (int i = 0; i < kBlocks; ++i) {
               ring(words_->ping);
               wait(words_->pong, seen_++);
             }
           }) /
           kBlocks / 1000;
  }

 private:
  struct Words {
    alignas(64) std::atomic<uint32_t> ping, unused;
    alignas(64) std::atomic<uint32_t> pong;
    alignas(64) std::atomic<bool> is_over;
  };
  static void ring(std::atomic<uint32_t>& word) {
    word.fetch_add(1);
    syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0);
  }
  static void wait(std::atomic<uint32_t>& word, uint32_t seen) {
    while (word.load() == seen) syscall(SYS_futex, &word, FUTEX_WAIT, seen, nullptr, nullptr, 0);
  }

  Words* words_;
  pid_t child_;
  uint32_t seen_ = 0;
};

// ---- kill -9 ----

int64_t now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

std::set<pid_t> children() {
  std::set<pid_t> found;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream list(task.path() / "children");
    for (pid_t id = 0; list >> id;) found.insert(id);
  }
  return found;
}

// Of the sound behind the isolated node: when it was heard last, and when it last was not what was
// sent, silence and ramps among it.
std::atomic<int64_t> whole_ns{0}, disturbed_ns{0};
std::atomic<uint64_t> broken{0}, untouched{0};

// Knows what is to be heard: numbers that follow each other.
class Ear final : public Threaded<Ear> {
 public:
  static constexpr Info kInfo{"bench.ear", "Ear", "Listens."};
  static constexpr sluice_port kPorts[] = {input("in", "Audio.", tests::kF32Only)};
  void run() {
    float last = 0;
    for (;;) {
      if (wait(on_input(0, 48)) == SLUICE_ERROR_STOPPED) return;
      const sluice_read_span span = begin_read(0, 4800);
      const auto* in = static_cast<const float*>(span.data);
      for (uint32_t i = 0; i < span.frames; ++i) {
        (in[size_t{i} * 2] == last + 1 ? whole_ns : disturbed_ns) = now_ns();
        last = in[size_t{i} * 2];
      }
      end_read(0, span.frames);
    }
  }
};

// Counts frames that do not follow the one before.
class Follower final : public Threaded<Follower> {
 public:
  static constexpr Info kInfo{"bench.follower", "Follower", "Counts along."};
  static constexpr sluice_port kPorts[] = {input("in", "Audio.", tests::kF32Only)};
  void run() {
    float last = 0;
    for (;;) {
      if (wait(on_input(0, 48)) == SLUICE_ERROR_STOPPED) return;
      const sluice_read_span span = begin_read(0, 4800);
      const auto* in = static_cast<const float*>(span.data);
      for (uint32_t i = 0; i < span.frames; ++i) {
        if (in[size_t{i} * 2] != last + 1) ++broken;
        last = in[size_t{i} * 2];
      }
      untouched += span.frames;
      end_read(0, span.frames);
    }
  }
};

void pause_ms(int64_t ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

void kill_and_listen(Table& table) {
  engine::EngineOptions options;
  engine::Engine engine(options);
  const auto add = [&](const char* id, const sluice_type& type,
                       std::vector<ParameterValue> values) -> Node& {
    Node& node = *expect(engine.add(id, type, std::move(values)));
    for (auto& port : node.inputs) port->format = kStereo;
    for (auto& port : node.outputs) port->format = kStereo;
    return node;
  };
  std::vector<ParameterValue> counting = defaults(TypeOf<tests::CountingSource>::kType);
  counting[tests::CountingSource::kFrames].number = 1e7;
  counting[tests::CountingSource::kPacedHz].number = 48000;
  Node& source = add("source", TypeOf<tests::CountingSource>::kType, counting);
  source.outputs[0]->is_live = true;
  Node& filter = add("filter", isolated_gain(), defaults(isolated_gain()));
  filter.is_clocked = true;
  Node& ear = add("ear", TypeOf<Ear>::kType, {});
  Node& follower = add("follower", TypeOf<Follower>::kType, {});
  engine.connect(*source.outputs[0], *filter.inputs[0], {});
  engine.connect(*filter.outputs[0], *ear.inputs[0], {});
  engine.connect(*source.outputs[0], *follower.inputs[0], {});
  if (!engine.prepare() || !engine.start()) std::exit(1);
  std::atomic<bool> is_over{false};
  std::thread tending([&] {
    while (!is_over) engine.run(now_ns() + 10'000'000);
  });
  std::vector<double> ms;
  while (whole_ns == 0) pause_ms(1);
  for (int i = 0; i < 10; ++i) {
    // Long enough apart for each to be the first of its kind.
    pause_ms(10'200);
    const int64_t killed_ns = now_ns();
    for (const pid_t id : children()) kill(id, SIGKILL);
    // A process that is back before its next block is due was not missed.
    const auto whole_since_ns = [&] { return std::max<int64_t>(disturbed_ns, killed_ns); };
    while (whole_ns - whole_since_ns() < 500'000'000) pause_ms(1);
    ms.push_back(static_cast<double>(whole_since_ns() - killed_ns) / 1e6);
  }
  is_over = true;
  tending.join();
  engine.stop();
  std::sort(ms.begin(), ms.end());
  const Paired worst{ms.back(), median(ms), 0, {}, {}};
  table.row("kill -9 to full level again, worst of 10 beside the median", worst, "ms", "< 200 ms",
            worst.ours < 200);
  const Paired others{static_cast<double>(broken), static_cast<double>(untouched), 0, {}, {}};
  table.row("frames of the other branch that are not in their place", others, "", "0",
            broken == 0 && untouched != 0);
}

// Every thread of this process to one processor, and of its children to another; or all to any.
void place(int own, int other, bool is_anywhere = false) {
  const auto pin = [&](pid_t id, int processor) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int i = 0; i < CPU_SETSIZE; ++i) {
      if (is_anywhere || i == processor) CPU_SET(i, &set);
    }
    for (const auto& task :
         std::filesystem::directory_iterator("/proc/" + std::to_string(id) + "/task")) {
      sched_setaffinity(std::stoi(task.path().filename()), sizeof(set), &set);
    }
  };
  pin(getpid(), own);
  for (const pid_t id : children()) pin(id, other);
}

int run(bool has_kills) {
  Table table("A node in a process of its own: blocks of 480 frames, a ring of 4 of them");
  {
    PingPong ping_pong;
    Driven there(isolated_gain());
    Driven here(gain().data());
    const auto against_bare = [&] {
      return run_paired(
          21, [&] { return there.run(); }, [&] { return ping_pong.run(); });
    };
    const int most = static_cast<int>(std::thread::hardware_concurrency()) - 1;
    place(0, 0);
    table.row_at_most("us a block, one processor, against a bare futex ping-pong", against_bare(),
                      "us", 2.0);
    place(0, most);
    table.row_at_most("us a block, two processors, against a bare futex ping-pong", against_bare(),
                      "us", 2.0);
    table.row("us a block, two processors, against the same node in process",
              run_paired(
                  21, [&] { return there.run(); }, [&] { return here.run(); }),
              "us", "", true);
    place(0, 0, true);
  }
  if (has_kills) kill_and_listen(table);
  return table.unmet() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace sluice::bench

int main(int argc, char** argv) {
  return sluice::bench::run(argc < 2 || std::string(argv[1]) != "--blocks");
}
