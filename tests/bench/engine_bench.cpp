// What the engine itself costs: ten passive nodes in a chain that only set counts, 480-frame stereo
// f32 blocks, nobody looking at meters, against ten `identity` elements of GStreamer in the same
// run; and an hour of paced audio in virtual time.
//
// What is measured is CPU time, of the one thread that runs the chain and of the whole peer
// program, so that whoever else runs on the machine is not. A node's cost is the difference between
// a long and a short chain, so that source, sink and the measurement itself cancel out. GStreamer's
// is that between ten and no `identity`, each as the difference between 2N and N buffers, so that
// starting the program cancels out too. Neither side touches a sample: our node sets counts, and so
// the engine finds it a span to read and one to write, looks for marks, capture times and
// parameters, and publishes what it did; `identity` hands a reference to the same buffer on.
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "host/engine/engine.hpp"
#include "tests/bench/paired.hpp"
#include "tests/support/engine_nodes.hpp"

namespace sluice {
namespace {

using bench::cpu_ns;

constexpr uint32_t kBlockFrames = 480;
constexpr sluice_format kStereo{sizeof(sluice_format), SLUICE_SAMPLE_F32, 2, 48000};

// Claims to have written blocks.
class BlankSource final : public Threaded<BlankSource> {
 public:
  static constexpr Info kInfo{"bench.source", "Blank", "Writes whatever is there."};
  static constexpr sluice_port kPorts[] = {output("out", "Blocks.", kOfferF32)};
  enum { kBlocks, kPacedHz };
  static constexpr sluice_parameter kParameters[] = {
      sluice::integer("blocks", "", 0, 1e15, 0, "How many."),
      sluice::integer("paced_hz", "Hz", 0, 1e6, 0, "0: as fast as it goes.")};
  void run() {
    const auto blocks = static_cast<uint64_t>(number(kBlocks));
    const uint32_t paced_hz = integer(kPacedHz);
    const int64_t start_ns = now_ns();
    for (uint64_t i = 0; i < blocks; ++i) {
      const sluice_result result =
          paced_hz == 0 ? wait(on_output(0, kBlockFrames))
                        : sleep_until(start_ns + static_cast<int64_t>((i + 1) * kBlockFrames *
                                                                      1'000'000'000 / paced_hz));
      if (result == SLUICE_ERROR_STOPPED) return;
      end_write(0, begin_write(0, kBlockFrames).frames);
    }
  }
};

class BlankFilter final : public Passive<BlankFilter> {
 public:
  static constexpr Info kInfo{"bench.filter", "Blank", "Sets counts."};
  static constexpr const auto& kPorts = kFilterPorts;
  static constexpr uint32_t kTypeFlags = SLUICE_TYPE_EQUAL_COUNTS;
  sluice_status process(sluice_block& block) noexcept {
    sluice_input& in = *block.inputs;
    sluice_output& out = *block.outputs;
    in.consumed = out.produced = std::min(in.frames, out.frames);
    return (in.flags & SLUICE_INPUT_ENDED) != 0 && in.consumed == in.frames
               ? SLUICE_STATUS_DRAINED
               : SLUICE_STATUS_CONTINUE;
  }
};

class BlankSink final : public Threaded<BlankSink> {
 public:
  static constexpr Info kInfo{"bench.sink", "Blank", "Reads nothing of it."};
  static constexpr sluice_port kPorts[] = {input("in", "Blocks.", kOfferF32)};
  void run() {
    for (;;) {
      if (wait(on_input(0, kBlockFrames)) == SLUICE_ERROR_STOPPED) return;
      const sluice_read_span span = begin_read(0, kBlockFrames);
      end_read(0, span.frames);
      if ((span.flags & SLUICE_INPUT_ENDED) != 0) return;
    }
  }
};

template <typename T>
engine::Node& add(engine::Engine& engine, const std::string& id, std::vector<double> numbers = {}) {
  std::vector<engine::ParameterValue> values(numbers.size());
  for (size_t i = 0; i < numbers.size(); ++i) values[i].number = numbers[i];
  engine::Node& node = **engine.add(id, TypeOf<T>::kType, std::move(values));
  for (auto& port : node.inputs) port->format = kStereo;
  for (auto& port : node.outputs) port->format = kStereo;
  return node;
}

// CPU time for `blocks` blocks through a chain of `filters` filters.
double chain_ns(int filters, double blocks, double paced_hz) {
  engine::EngineOptions options;
  options.time = engine::TimeMode::kVirtual;
  engine::Engine engine(options);
  engine::Node* last = &add<BlankSource>(engine, "source", {blocks, paced_hz});
  const auto join = [&](engine::Node& node) {
    engine.connect(*last->outputs[0], *node.inputs[0], {});
    if (!node.outputs.empty()) last = &node;
  };
  for (int i = 0; i < filters; ++i) join(add<BlankFilter>(engine, "filter" + std::to_string(i)));
  join(add<BlankSink>(engine, "sink"));
  if (!engine.prepare() || !engine.start()) std::abort();
  const double ns = cpu_ns([&] {
    if (engine.run(INT64_MAX) != engine::Engine::Outcome::kFinished) std::abort();
  });
  engine.stop();
  return ns;
}

// With `paced_hz` each block goes through the whole chain before the next one comes. Without, the
// source writes until every ring is full, and so the sink paces the chain.
double node_ns(double paced_hz) {
  constexpr double kBlocks = 1'000'000;  // about as long as the peer takes
  return (chain_ns(12, kBlocks, paced_hz) - chain_ns(2, kBlocks, paced_hz)) / (10 * kBlocks);
}
double paced_node_ns() { return node_ns(48'000.0); }
double full_node_ns() { return node_ns(0.0); }

// CPU time of all programs run so far.
double children_cpu_ns() {
  rusage usage{};
  getrusage(RUSAGE_CHILDREN, &usage);
  const auto ns = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_usec) * 1e3;
  };
  return ns(usage.ru_utime) + ns(usage.ru_stime);
}

double gst_launch_ns(int identities, int buffers) {
  std::string command =
      "gst-launch-1.0 -q fakesrc silent=true sizetype=fixed sizemax=3840 "
      "num-buffers=" +
      std::to_string(buffers);
  for (int i = 0; i < identities; ++i) command += " ! identity silent=true";
  command += " ! fakesink silent=true sync=false >/dev/null 2>&1";
  const double before_ns = children_cpu_ns();
  if (std::system(command.c_str()) != 0) std::abort();
  return children_cpu_ns() - before_ns;
}

double gst_node_ns() {
  constexpr int kBuffers = 200'000;
  const auto cost = [](int identities) {
    return gst_launch_ns(identities, 2 * kBuffers) - gst_launch_ns(identities, kBuffers);
  };
  return (cost(10) - cost(0)) / (10.0 * kBuffers);
}

int run() {
  bench::Table table("Engine: cost of one passive node for a block of 480 stereo f32 frames");
  if (std::system("command -v gst-launch-1.0 >/dev/null 2>&1") == 0) {
    const auto pair = bench::run_paired(5, paced_node_ns, gst_node_ns);
    table.row_at_most("ten nodes in a chain, each, against identity", pair, "ns", 1.0 / 3.0);
    table.row("the same, by itself", pair, "ns", "ours < 50 ns", pair.ours < 50.0);
    const auto full = bench::run_paired(5, full_node_ns, paced_node_ns);
    table.row("with every ring full, against a block at a time", full, "ns", "", true);
  } else {
    std::vector<double> ours;
    for (int i = 0; i < 5; ++i) ours.push_back(paced_node_ns());
    std::printf("gst-launch-1.0 is not installed: no peer. Ours: %.3g ns a node.\n",
                bench::median(std::move(ours)));
  }
  const double hour_blocks = 3'600.0 * 48'000.0 / kBlockFrames;
  std::printf("an hour of paced audio in virtual time, 10 ms blocks, ten filters: %.3g s\n",
              chain_ns(10, hour_blocks, 48'000.0) * 1e-9);
  return table.unmet();
}

}  // namespace
}  // namespace sluice

int main() { return sluice::run() == 0 ? 0 : 1; }
