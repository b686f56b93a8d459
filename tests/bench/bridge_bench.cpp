// What filter.bridge costs beside the library it stands on: the same frames through src_process,
// whose data is made up of the same blocks.
#include <samplerate.h>
#include <sluice/plugin.h>

#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "tests/bench/paired.hpp"
#include "tests/support/signal.hpp"
#include "tests/support/worker_driver.hpp"

namespace {

using sluice::bench::cpu_ns;
using sluice::bench::run_paired;

constexpr uint32_t kBlockFrames = 480;
constexpr int kBlocks = 1000;
constexpr int kRounds = 31;
constexpr double kRatio = 1.0 - 50e-6;
constexpr sluice_format kStereo{sizeof(sluice_format), SLUICE_SAMPLE_F32, 2, 48000};

// As much of a host as a bridge needs: a writer 50 ppm fast, a reader that takes 480 frames each
// 10 ms.
class MiniHost {
 public:
  MiniHost() : type_(sluice::tests::load_type("filter.bridge")), slots_(type_.statistic_count) {
    host_ = {};
    host_.struct_size = sizeof(host_);
    host_.context = this;
    host_.get_extension = [](const sluice_host*, const char* id) -> const void* {
      static constexpr sluice_reader_host kReaderHost{last_read};
      return std::string_view(id) == SLUICE_READER_HOST ? &kReaderHost : nullptr;
    };
    host_.fail = [](const sluice_host*, sluice_result, const char*) {};
    host_.value = [](const sluice_host*, uint32_t, sluice_value* value) {
      value->number = 20.0;
      return sluice_result{SLUICE_OK};
    };
    host_.slots = [](const sluice_host* host) { return of(host).slots_.data(); };
    host_.now_ns = [](const sluice_host* host) { return of(host).now_ns_; };
    type_.functions->create(&host_, &node_);
    sluice_port_setup ports[2]{};
    for (auto& port : ports) {
      port.struct_size = sizeof(port);
      port.is_connected = 1;
      port.format = kStereo;
    }
    sluice_setup setup{sizeof(sluice_setup), SLUICE_MODE_REAL_TIME, 1024, 2, ports, 1};
    type_.functions->prepare(node_, &setup);
    passive_ =
        static_cast<const sluice_passive*>(type_.functions->get_interface(node_, SLUICE_PASSIVE));
  }
  ~MiniHost() {
    type_.functions->release(node_);
    type_.functions->destroy(node_);
  }
  MiniHost(const MiniHost&) = delete;
  MiniHost& operator=(const MiniHost&) = delete;

  void process(const float* in, float* out) {
    now_ns_ += static_cast<int64_t>(10'000'000 * kRatio);
    sluice_input input{};
    input.struct_size = sizeof(input);
    input.data = in;
    input.frames = kBlockFrames;
    input.position = consumed_;
    input.capture_ns = now_ns_;
    sluice_output output{};
    output.struct_size = sizeof(output);
    output.data = out;
    output.frames = 2048;
    output.position = produced_;
    sluice_block block{sizeof(sluice_block), 1, 1, 0, &input, &output, nullptr};
    passive_->process(node_, &block);
    consumed_ += input.consumed;
    produced_ += output.produced;
  }

 private:
  static MiniHost& of(const sluice_host* host) { return *static_cast<MiniHost*>(host->context); }
  static sluice_result last_read(const sluice_host* host, uint32_t, sluice_reading* reading) {
    const MiniHost& self = of(host);
    const int64_t periods = self.now_ns_ / 10'000'000;
    reading->frames = static_cast<uint64_t>(periods) * kBlockFrames;
    reading->capacity_frames = 32768;
    reading->time_ns = periods == 0 ? SLUICE_NO_TIME : periods * 10'000'000;
    return SLUICE_OK;
  }

  const sluice_type& type_;
  std::vector<sluice_slot> slots_;
  sluice_host host_{};
  sluice_node* node_ = nullptr;
  const sluice_passive* passive_ = nullptr;
  int64_t now_ns_ = 0;
  uint64_t consumed_ = 0, produced_ = 0;
};

}  // namespace

int main() {
  const std::vector<float> in = sluice::tests::noise(1, 0.5, kBlockFrames, 2);
  std::vector<float> out(2 * 4096);
  MiniHost bridge;
  int error = 0;
  const std::unique_ptr<SRC_STATE, SRC_STATE* (*)(SRC_STATE*)> library(
      src_new(SRC_SINC_MEDIUM_QUALITY, 2, &error), src_delete);
  src_set_ratio(library.get(), kRatio);
  const auto ours = [&] {
    return cpu_ns([&] {
      for (int i = 0; i < kBlocks; ++i) bridge.process(in.data(), out.data());
    });
  };
  const auto peer = [&] {
    return cpu_ns([&] {
      for (int i = 0; i < kBlocks; ++i) {
        SRC_DATA data{};
        data.data_in = in.data();
        data.input_frames = kBlockFrames;
        data.data_out = out.data();
        data.output_frames = 4096;
        data.src_ratio = kRatio;
        src_process(library.get(), &data);
      }
    });
  };
  sluice::bench::Table table(
      "bridge: 10 s of 48 kHz stereo in blocks of 480; medians of 31 paired rounds; peer: "
      "src_process");
  table.row_at_most("filter.bridge, -50 ppm", run_paired(kRounds, ours, peer), "ns", 1.2);
  return table.unmet();
}
