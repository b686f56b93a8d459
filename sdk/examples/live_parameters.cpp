// Parameters that change while audio runs: what is heard ramps, what is not takes effect at once.
#include <cmath>
#include <cstdint>
#include <numbers>
#include <sluice/sluice.hpp>

namespace {

class Tremolo : public sluice::Filter<Tremolo> {
 public:
  static constexpr sluice::Info kInfo{"org.example.filter.tremolo", "Tremolo",
                                      "Makes audio louder and softer, again and again."};
  enum Parameter : uint32_t { kRateHz, kDepthPercent, kGainDb };
  static constexpr sluice_parameter kParameters[] = {
      sluice::number("rate_hz", "Hz", 0.1, 20, 4, "How often in a second.", sluice::kLive),
      sluice::number("depth_percent", "%", 0, 100, 50, "How much softer.", sluice::kLive),
      sluice::number("gain_db", "dB", -60, 0, 0, "Of all.", sluice::kLive)};

  void prepare(sluice::Setup& setup) {
    audio_rate_hz_ = setup.rate_hz();
    set_rate(number(kRateHz));
    // A Ramp moves along half a cosine in 30 ms, from wherever it is.
    depth_.reset(number(kDepthPercent) / 100, audio_rate_hz_);
    gain_.reset(sluice::from_db(number(kGainDb)), audio_rate_hz_);
    phase_ = 0;
  }

  // Called between two calls of filter, exactly at the frame of the change.
  void parameter(uint32_t index, double value) noexcept {
    if (index == kRateHz) set_rate(value);
    if (index == kDepthPercent) depth_.to(value / 100);
    if (index == kGainDb) gain_.to(sluice::from_db(value));
  }
  void reset() noexcept { phase_ = 0; }

  void filter(const float* in, float* out, uint32_t frames, uint32_t channels) noexcept {
    for (; frames != 0; --frames) {
      const double softer = depth_.next() * (0.5 - 0.5 * std::cos(phase_));
      const auto gain = static_cast<float>(gain_.next() * (1 - softer));
      phase_ += step_;
      if (phase_ > 2 * std::numbers::pi) phase_ -= 2 * std::numbers::pi;
      for (uint32_t c = 0; c < channels; ++c) *out++ = *in++ * gain;
    }
  }

 private:
  // Goes on from the phase reached: no step in what is heard.
  void set_rate(double rate_hz) { step_ = 2 * std::numbers::pi * rate_hz / audio_rate_hz_; }

  sluice::Ramp depth_, gain_;
  uint32_t audio_rate_hz_ = 48'000;
  double phase_ = 0, step_ = 0;
};

}  // namespace

SLUICE_PLUGIN("Tremolo", "1.0.0", "Example", "MIT", Tremolo);
