// What the plugin direct.cpp and plugin_bench agree on.
#pragma once

#include <cstdint>

#define BENCH_DIRECT "bench.direct/1"
struct bench_direct {
  // What the filter does, without the ABI in front of it. [any]
  void (*halve)(const float* in, float* out, uint32_t frames, uint32_t channels);
};
