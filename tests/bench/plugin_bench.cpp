// What plugins cost: the ABI and the C++ layer around a block, and a scan of a hundred of them.
//
// The block goes through a plugin that was built by sluice_add_plugin and loaded as by the host;
// the peer is a direct call of the function that its filter calls, in the same shared object. Both
// sides touch 480 stereo f32 frames, so that the difference is what is paid for being a plugin. The
// scan is one of copies of a shipped plugin under ids of their own; its peer is a scan without a
// cache, which starts a process for each.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "host/loader/library.hpp"
#include "host/loader/registry.hpp"
#include "tests/bench/paired.hpp"
#include "tests/bench/plugin/direct.hpp"
#include "tests/support/folders.hpp"
#include "tests/support/sound_files.hpp"

namespace sluice {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kBlockFrames = 480;
constexpr uint32_t kChannels = 2;
constexpr int kPlugins = 100;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "plugin_bench: %s\n", why.c_str());
  std::exit(1);
}

// A prepared node of the plugin, as far as a filter without parameters needs a host.
class Filter {
 public:
  Filter() {
    const fs::path file = tests::build_folder() / "bench_plugins" / "bench.filter.direct.so";
    const auto library = loader::Library::load(file);
    if (!library) give_up(library.error().message);
    type_ = &(*library)->types().front()->data();
    host_.struct_size = sizeof(host_);
    if (type_->functions->create(&host_, &node_) != SLUICE_OK) give_up("create fails");
    sluice_port_setup ports[2]{};
    for (sluice_port_setup& port : ports) {
      port.struct_size = sizeof(port);
      port.is_connected = 1;
      port.format = {sizeof(sluice_format), SLUICE_SAMPLE_F32, kChannels, 48'000};
    }
    sluice_setup setup{sizeof(setup), SLUICE_MODE_REAL_TIME, kBlockFrames, 2, ports, 1};
    if (type_->functions->prepare(node_, &setup) != SLUICE_OK) give_up("prepare fails");
    passive_ = static_cast<const sluice_passive*>(interface(SLUICE_PASSIVE));
    direct_ = static_cast<const bench_direct*>(interface(BENCH_DIRECT));
    if (!passive_ || !direct_) give_up("the plugin lacks a table");
  }
  ~Filter() {
    type_->functions->release(node_);
    type_->functions->destroy(node_);
  }
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  // CPU time of a block, by the ABI: with what a host has to say of each.
  double by_abi_ns() {
    sluice_input in{};
    in.struct_size = sizeof(in);
    sluice_output out{};
    out.struct_size = sizeof(out);
    sluice_block block{sizeof(block), 1, 1, 0, &in, &out, nullptr};
    return bench::cpu_ns([&] {
             for (int i = 0; i < kBlocks; ++i) {
               in.data = in_.data();
               in.frames = kBlockFrames;
               in.consumed = in.wanted = 0;
               in.position += kBlockFrames;
               in.capture_ns = SLUICE_NO_TIME;
               out.data = out_.data();
               out.frames = kBlockFrames;
               out.produced = 0;
               out.position = in.position;
               out.capture_ns = SLUICE_NO_TIME;
               if (passive_->process(node_, &block) != SLUICE_STATUS_CONTINUE ||
                   out.produced != kBlockFrames) {
                 give_up("process does not do what it should");
               }
             }
           }) /
           kBlocks;
  }
  double direct_ns() {
    return bench::cpu_ns([&] {
             for (int i = 0; i < kBlocks; ++i) {
               direct_->halve(in_.data(), out_.data(), kBlockFrames, kChannels);
               bench::keep(out_.front());
             }
           }) /
           kBlocks;
  }

 private:
  static constexpr int kBlocks = 200'000;
  const void* interface(const char* id) const { return type_->functions->get_interface(node_, id); }

  const sluice_type* type_ = nullptr;
  sluice_host host_{};
  sluice_node* node_ = nullptr;
  const sluice_passive* passive_ = nullptr;
  const bench_direct* direct_ = nullptr;
  std::vector<float> in_ = std::vector<float>(kBlockFrames * kChannels, 0.25F);
  std::vector<float> out_ = std::vector<float>(kBlockFrames * kChannels);
};

// Copies of filter.gain whose type has an id of its own each, of the same length.
void fill(const fs::path& folder) {
  constexpr std::string_view kId = "filter.gain";
  std::ifstream file(tests::plugin_folder() / "filter.gain.so", std::ios::binary);
  const std::string original{std::istreambuf_iterator<char>(file), {}};
  const std::string searched = std::string(kId) + '\0';
  for (int i = 0; i < kPlugins; ++i) {
    char id[32];
    std::snprintf(id, sizeof(id), "filter.x%03d", i);
    std::string copy = original;
    const size_t at = copy.find(searched);
    if (at == std::string::npos) give_up("filter.gain.so does not hold its id");
    copy.replace(at, kId.size(), id);
    std::ofstream(folder / (std::string(id) + ".so"), std::ios::binary) << copy;
  }
}

// Time on the clock of a scan by a new registry, as a program that has just started makes it.
double scan_ms(const fs::path& folder, const fs::path& cache) {
  loader::RegistryOptions options;
  options.plugin_dirs = {folder};
  options.has_default_dirs = false;
  options.cache_file = cache;
  options.prober = tests::build_folder() / "bin" / "sluice";
  size_t count = 0;
  const double ns = bench::elapsed_ns([&] {
    loader::Registry registry(options);
    count = registry.all().size();
  });
  if (count != kPlugins) give_up("the scan finds " + std::to_string(count) + " types");
  return ns * 1e-6;
}

int run() {
  bench::Table table("Plugins: what the ABI adds to a block of 480 stereo f32 frames, and scans");
  Filter filter;
  const auto block = bench::run_paired(
      21, [&] { return filter.by_abi_ns(); }, [&] { return filter.direct_ns(); });
  std::vector<double> added;
  for (size_t i = 0; i < block.ours_each.size(); ++i) {
    added.push_back(block.ours_each[i] - block.peer_each[i]);
  }
  const double added_ns = bench::median(std::move(added));
  table.row("a block by the ABI, against a direct call", block, "ns", "less than 15 ns more",
            added_ns < 15.0);
  std::printf("  the ABI and the C++ layer add %.3g ns to a block\n", added_ns);

  const tests::TemporaryFolder folder;
  fs::create_directories(folder / "plugins");
  fill(folder / "plugins");
  const fs::path cache = folder / "plugins.cache";
  const auto scan = bench::run_paired(
      3, [&] { return scan_ms(folder / "plugins", cache); },
      [&] {
        fs::remove(cache);
        return scan_ms(folder / "plugins", cache);
      });
  table.row("scan of 100 plugins, by a warm cache, against a cold one", scan, "ms", "ours < 100 ms",
            scan.ours < 100.0);
  return table.unmet();
}

}  // namespace
}  // namespace sluice

int main() { return sluice::run() == 0 ? 0 : 1; }
