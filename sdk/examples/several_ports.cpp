// A filter with two inputs: the second one makes the first one softer, as a voice does to music.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <sluice/sluice.hpp>

namespace {

class Duck : public sluice::Passive<Duck> {
 public:
  static constexpr sluice::Info kInfo{"org.example.filter.duck", "Duck",
                                      "Makes music softer while somebody speaks.",
                                      SLUICE_TYPE_EQUAL_COUNTS};
  enum Parameter : uint32_t { kDepthDb };
  static constexpr sluice_parameter kParameters[] = {
      sluice::number("depth_db", "dB", -60, 0, -12, "How much softer.")};
  // The output is like the first input; the key may stay unconnected.
  static constexpr sluice_port kPorts[] = {
      sluice::input("in", "The music.", sluice::kOfferF32),
      sluice::input("key", "The voice.", sluice::kOfferF32, SLUICE_PORT_OPTIONAL),
      sluice::output("out", "The music, softer at times.", sluice::kOfferF32,
                     SLUICE_PORT_SAME_FORMAT)};
  enum Port : uint32_t { kIn, kKey, kOut };

  void prepare(sluice::Setup& setup) {
    channels_ = setup.channels(kIn);
    key_channels_ = setup.port(kKey).is_connected ? setup.channels(kKey) : 0;
    depth_ = sluice::from_db(number(kDepthDb));
    gain_.reset(1.0, setup.rate_hz(kIn), 100);
  }

  // Inputs and outputs each in the order of kPorts.
  sluice_status process(sluice_block& block) noexcept {
    sluice_input& in = block.inputs[0];
    sluice_input& key = block.inputs[1];
    sluice_output& out = block.outputs[0];
    // The flag comes with the last frames, which count.
    const bool is_key_over = (key.flags & SLUICE_INPUT_ENDED) && key.frames == 0;
    const bool has_key = key_channels_ != 0 && !is_key_over;
    uint32_t frames = std::min(in.frames, out.frames);
    if (has_key) frames = std::min(frames, key.frames);  // in step with the voice

    const auto* from = static_cast<const float*>(in.data);
    const auto* voice = static_cast<const float*>(key.data);
    auto* to = static_cast<float*>(out.data);
    for (uint32_t i = 0; i < frames; ++i) {
      float loudest = 0;
      for (uint32_t c = 0; has_key && c < key_channels_; ++c) {
        loudest = std::max(loudest, std::fabs(*voice++));
      }
      gain_.to(loudest > 0.05f ? depth_ : 1.0);
      const auto gain = static_cast<float>(gain_.next());
      for (uint32_t c = 0; c < channels_; ++c) *to++ = *from++ * gain;
    }
    in.consumed = out.produced = frames;
    key.consumed = has_key ? frames : 0;
    const bool is_over = (in.flags & SLUICE_INPUT_ENDED) && frames == in.frames;
    return is_over ? SLUICE_STATUS_DRAINED : SLUICE_STATUS_CONTINUE;
  }

 private:
  sluice::Ramp gain_;
  double depth_ = 1;
  uint32_t channels_ = 1, key_channels_ = 0;
};

}  // namespace

SLUICE_PLUGIN("Duck", "1.0.0", "Example", "MIT", Duck);
