// Figures that only the node knows: shown by `sluice status`, the closing lines and the metrics.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <sluice/sluice.hpp>

namespace {

class Watch : public sluice::Filter<Watch> {
 public:
  static constexpr sluice::Info kInfo{"org.example.filter.watch", "Watch",
                                      "Passes audio on and watches its level."};
  enum Parameter : uint32_t { kLimitDb };
  static constexpr sluice_parameter kParameters[] = {
      sluice::number("limit_db", "dB", -60, 0, -1, "Frames above are counted.", sluice::kLive)};
  // Keys end in their unit; a gauge may be shown against a parameter.
  enum Statistic : uint32_t { kOverFrames, kPeakDb, kIsOver };
  static constexpr sluice_statistic kStatistics[] = {
      sluice::counter("over_frames", "frames", "Frames above the limit."),
      sluice::gauge("peak_db", "dB", "Highest sample of the last block.", "limit_db"),
      sluice::gauge("is_over", nullptr, "Whether the last block went above the limit.")};

  void prepare(sluice::Setup&) { limit_ = static_cast<float>(sluice::from_db(number(kLimitDb))); }
  void parameter(uint32_t, double limit_db) noexcept {
    limit_ = static_cast<float>(sluice::from_db(limit_db));
  }

  void filter(const float* in, float* out, uint32_t frames, uint32_t channels) noexcept {
    float peak = 0;
    uint64_t over = 0;
    for (uint32_t i = 0; i < frames; ++i) {
      float loudest = 0;
      for (uint32_t c = 0; c < channels; ++c) {
        loudest = std::max(loudest, std::fabs(*in));
        *out++ = *in++;
      }
      peak = std::max(peak, loudest);
      if (loudest > limit_) ++over;
    }
    // Atomic words of the host's: may be written from anywhere, and cost next to nothing.
    add(kOverFrames, over);
    set(kPeakDb, sluice::to_db(std::max(peak, 1e-6f)));
    set(kIsOver, over != 0 ? 1 : 0);
  }

 private:
  float limit_ = 1;
};

}  // namespace

SLUICE_PLUGIN("Watch", "1.0.0", "Example", "MIT", Watch);
