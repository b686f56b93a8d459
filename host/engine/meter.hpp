// Peak and RMS of what a port carries, computed only while somebody looks.
#pragma once

#include <sluice/plugin.h>

#include <atomic>
#include <cstdint>

namespace sluice::engine {

struct Levels {
  float peak = 0.0F;     // largest magnitude, 1 = full scale
  float rms = 0.0F;      // over all channels
  uint64_t samples = 0;  // measured; with none, the levels say nothing
};

// One writer (the lane that commits), any reader. Readings cover what was written since the last
// `take`.
class Meter {
 public:
  // Adds `frames` of `format` at `data`. [audio]
  void add(const void* data, uint32_t frames, const sluice_format& format) noexcept;
  // Levels since the last call. [control]
  Levels take() noexcept;
  // What the last `take` returned. [control]
  Levels taken() const noexcept { return taken_; }

 private:
  std::atomic<uint64_t> sum_{0};  // bits of a double: sum of squares
  std::atomic<uint64_t> samples_{0};
  std::atomic<uint32_t> peak_{0};  // bits of a non-negative float, ordered like an integer
  std::atomic<bool> reset_{false};
  Levels taken_;
};

}  // namespace sluice::engine
