// filter.channels: picks, reorders, repeats and mixes channels.
#include <sluice/sluice.hpp>

#include "mixer.hpp"

namespace {

enum Parameter : uint32_t { kMap, kMix, kChannels };

class Channels : public sluice::Passive<Channels> {
 public:
  static constexpr sluice::Info kInfo{
      "filter.channels", "Channels",
      "Picks, reorders, repeats, drops or mixes channels. Say one of map, mix and channels; with "
      "none of them the audio passes as it is. Picked channels keep every bit. Sums are not scaled "
      "down: let filter.gain with its limiter follow where they may become too loud.",
      SLUICE_TYPE_ADAPTS_CHANNELS | SLUICE_TYPE_EQUAL_COUNTS};
  static constexpr sluice_parameter kParameters[] = {
      sluice::list("map", nullptr, 0, SLUICE_MAX_CHANNELS,
                   "For each output channel the input channel it takes, counted from 1; 0 is "
                   "silence. [2, 1] swaps the sides of a stereo signal."),
      sluice::matrix("mix", nullptr, -16, 16,
                     "A row for each output channel, with the gain of every input channel in it. "
                     "[[0.5, 0.5]] mixes stereo to mono."),
      sluice::integer("channels", "channels", 0, SLUICE_MAX_CHANNELS, 0,
                      "Number of channels to come to by fixed rules; 0 leaves it to map or mix. "
                      "Mono is repeated in every channel; stereo to mono takes half of each; 5.1 "
                      "(L R C LFE Ls Rs) to stereo and mono follows ITU-R BS.775, without LFE; "
                      "otherwise the first channels are taken, and any more are silent.")};
  static constexpr sluice_port kPorts[] = {
      sluice::input("in", "Audio whose channels are to be changed.", sluice::kOfferF32),
      sluice::output("out", "Audio with the channels asked for.", sluice::kOfferF32,
                     SLUICE_PORT_SAME_SAMPLE_FORMAT | SLUICE_PORT_SAME_RATE)};

  void describe(uint32_t port, const sluice_format* inputs, sluice_port_info& info) {
    if (port != 1) return;
    const uint32_t channels = gains(inputs[0].channels).rows;
    offer_ =
        sluice::offer(SLUICE_SAMPLE_BIT(SLUICE_SAMPLE_F32), SLUICE_SAMPLE_F32, channels, channels);
    info.offers = &offer_;
    info.offer_count = 1;
  }

  void prepare(sluice::Setup& setup) { mixer_.prepare(gains(setup.channels())); }

  sluice_status process(sluice_block& block) noexcept {
    sluice_input& in = *block.inputs;
    sluice_output& out = *block.outputs;
    const uint32_t frames = std::min(in.frames, out.frames);
    mixer_.mix(static_cast<const float*>(in.data), static_cast<float*>(out.data), frames);
    in.consumed = out.produced = frames;
    const bool is_last = (in.flags & SLUICE_INPUT_ENDED) && frames == in.frames;
    return is_last ? SLUICE_STATUS_DRAINED : SLUICE_STATUS_CONTINUE;
  }

 private:
  // What the parameters come to for an input of so many channels.
  channels::Gains gains(uint32_t input_channels) const {
    const std::span<const double> map = list(kMap);
    const sluice_value mix = value(kMix);
    const uint32_t wanted = integer(kChannels);
    if ((map.empty() ? 0 : 1) + (mix.count == 0 ? 0 : 1) + (wanted == 0 ? 0 : 1) > 1) {
      throw sluice::Failure{SLUICE_ERROR_ARGUMENT,
                            "map, mix and channels exclude each other: say only one of them."};
    }
    if (!map.empty()) return channels::from_map(map, input_channels);
    if (mix.count != 0) return channels::from_mix({mix.list, mix.count}, mix.rows, input_channels);
    return channels::standard(input_channels, wanted == 0 ? input_channels : wanted);
  }

  sluice_format_offer offer_{};
  channels::Mixer mixer_;
};

}  // namespace

SLUICE_PLUGIN("Channels", "1.0.0", "Sluice", "MIT", Channels);
