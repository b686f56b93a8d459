// A filter that halves, and the way past the ABI to the same machine code: what plugin_bench
// compares.
#include "tests/bench/plugin/direct.hpp"

#include <sluice/sluice.hpp>
#include <string_view>

namespace {

[[gnu::noinline]] void halve(const float* in, float* out, uint32_t frames, uint32_t channels) {
  for (size_t i = 0; i < size_t{frames} * channels; ++i) out[i] = 0.5f * in[i];
}

class Direct : public sluice::Filter<Direct> {
 public:
  static constexpr sluice::Info kInfo{"bench.filter.direct", "Direct", "Halves audio."};

  void filter(const float* in, float* out, uint32_t frames, uint32_t channels) noexcept {
    halve(in, out, frames, channels);
  }
  const void* get_extension(std::string_view id) const {
    static constexpr bench_direct kTable{halve};
    return id == BENCH_DIRECT ? &kTable : nullptr;
  }
};

}  // namespace

SLUICE_PLUGIN("Direct", "1.0.0", "Sluice", "MIT", Direct);
