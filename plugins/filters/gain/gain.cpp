// filter.gain: louder, softer, silent, without a click.
#include <algorithm>
#include <sluice/sluice.hpp>

#include "limiter.hpp"

namespace {

constexpr double kSilenceDb = -120;
constexpr double kLookAheadMs = 5;
constexpr double kReleaseMs = 80;
constexpr const char* kLimiters[] = {"off", "on"};
enum Parameter : uint32_t { kGainDb, kMute, kLimiter };
enum Statistic : uint32_t { kReductionDb };

class Gain : public sluice::Filter<Gain> {
 public:
  static constexpr sluice::Info kInfo{
      "filter.gain", "Gain",
      "Makes audio louder, softer or silent. Changes are ramped along half a cosine of 30 ms; at "
      "0 dB, settled, every bit passes as it is. The limiter looks 5 ms ahead and turns the level "
      "down before a peak would exceed full scale, instead of clipping it: no sample ever exceeds "
      "1.0, all channels are turned down together, and what stays below passes unchanged, 5 ms "
      "late."};
  static constexpr sluice_parameter kParameters[] = {
      sluice::number("gain_db", "dB", kSilenceDb, 20, 0, "Gain; -120 is silence.", sluice::kLive),
      sluice::boolean("mute", false, "Silence, keeping gain_db for later.", sluice::kLive),
      sluice::choice("limiter", kLimiters, 0,
                     "on keeps peaks at full scale or below, at the cost of 5 ms latency.")};
  static constexpr sluice_statistic kStatistics[] = {
      sluice::gauge("reduction_db", "dB", "By how much the limiter turns the level down now.")};

  void prepare(sluice::Setup& setup) {
    gain_db_ = number(kGainDb);
    is_muted_ = boolean(kMute);
    ramp_.reset(target(), setup.rate_hz());
    is_limited_ = choice(kLimiter) == 1;
    if (is_limited_) {
      limiter_.prepare(setup.channels(), setup.rate_hz(), kLookAheadMs, kReleaseMs);
      setup.port(1).latency_frames = limiter_.latency_frames();
    }
  }

  void parameter(uint32_t index, double value) noexcept {
    if (index == kGainDb) gain_db_ = value;
    if (index == kMute) is_muted_ = value != 0;
    ramp_.to(target());
  }

  void filter(const float* in, float* out, uint32_t frames, uint32_t channels) noexcept {
    amplify(in, out, frames, channels);
    if (!is_limited_) return;
    limiter_.limit(out, frames);
    set(kReductionDb, limiter_.reduction_db());
  }

  void reset() noexcept { limiter_.reset(); }

 private:
  double target() const {
    return is_muted_ || gain_db_ <= kSilenceDb ? 0.0 : sluice::from_db(gain_db_);
  }

  void amplify(const float* in, float* out, uint32_t frames, uint32_t channels) noexcept {
    for (; ramp_.is_moving() && frames != 0; --frames) {
      const auto gain = static_cast<float>(ramp_.next());
      for (uint32_t c = 0; c < channels; ++c) *out++ = *in++ * gain;
    }
    const size_t samples = size_t{frames} * channels;
    const auto gain = static_cast<float>(ramp_.value());
    if (gain == 1.0f) {
      std::copy_n(in, samples, out);
    } else if (gain == 0.0f) {
      std::fill_n(out, samples, 0.0f);
    } else {
      for (size_t i = 0; i < samples; ++i) out[i] = in[i] * gain;
    }
  }

  double gain_db_ = 0;
  bool is_muted_ = false;
  bool is_limited_ = false;
  sluice::Ramp ramp_;
  gain::Limiter limiter_;
};

}  // namespace

SLUICE_PLUGIN("Gain", "1.0.0", "Sluice", "MIT", Gain);
