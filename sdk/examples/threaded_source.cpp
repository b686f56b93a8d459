// A source with a thread of its own, as fast as it is read. Its frequency may change while it runs.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <sluice/sluice.hpp>

namespace {

constexpr uint32_t kRateHz = 48'000;

class Sine : public sluice::Threaded<Sine> {
 public:
  static constexpr sluice::Info kInfo{"org.example.source.sine", "Sine", "Makes a sine."};
  enum Parameter : uint32_t { kFrequencyHz, kDurationMs };
  static constexpr sluice_parameter kParameters[] = {
      sluice::number("frequency_hz", "Hz", 20, 20'000, 440, "Its frequency.", sluice::kLive),
      sluice::number("duration_ms", "ms", 0, 86'400'000, 0, "Ends after this long; 0: never.")};
  static constexpr sluice_format_offer kOffers[] = {
      sluice::offer({sizeof(sluice_format), SLUICE_SAMPLE_F32, 1, kRateHz})};
  static constexpr sluice_port kPorts[] = {sluice::output("out", "The sine.", kOffers)};

  void prepare(sluice::Setup& setup) {
    block_frames_ = setup.block_frames();
    const uint64_t duration_frames = sluice::frames_of_ms(number(kDurationMs), kRateHz);
    end_ = duration_frames != 0 ? duration_frames : UINT64_MAX;
    phase_ = 0;
    take_frequency();
  }

  void run() {
    for (uint64_t made = 0; made < end_;) {
      const auto wanted = static_cast<uint32_t>(std::min<uint64_t>(block_frames_, end_ - made));
      std::array items{on_output(0, wanted), on_parameters()};
      if (wait(items) != SLUICE_OK) return;  // it is to stop
      // A new frequency goes on from the phase reached, so it does not click.
      if (items[1].ready) take_frequency();
      if (!items[0].ready) continue;

      const sluice_write_span span = begin_write(0, wanted);
      auto* out = static_cast<float*>(span.data);
      for (uint32_t i = 0; i < span.frames; ++i) {
        out[i] = static_cast<float>(0.1 * std::sin(phase_));
        phase_ += step_;
        if (phase_ > 2 * std::numbers::pi) phase_ -= 2 * std::numbers::pi;
      }
      end_write(0, span.frames);
      made += span.frames;
    }
  }

 private:
  void take_frequency() { step_ = 2 * std::numbers::pi * number(kFrequencyHz) / kRateHz; }

  double phase_ = 0, step_ = 0;
  uint64_t end_ = 0;
  uint32_t block_frames_ = 0;
};

}  // namespace

SLUICE_PLUGIN("Sine", "1.0.0", "Example", "MIT", Sine);
