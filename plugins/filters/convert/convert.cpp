// filter.convert: another sample format, everything else as it was.
#include <sluice/sluice.hpp>

#include "conversion.hpp"

namespace {

// In the order of SLUICE_SAMPLE_F32 and its successors.
constexpr const char* kFormats[] = {"f32", "s16", "s24", "s32"};
constexpr const char* kDithers[] = {"none", "tpdf"};
enum Parameter : uint32_t { kFormat, kDither };

class Convert : public sluice::Passive<Convert> {
 public:
  static constexpr sluice::Info kInfo{
      "filter.convert", "Convert",
      "Changes the sample format and nothing else. Integers of n bits are scaled by 2^(n-1) in "
      "both directions, so s16 to f32 and back, and s24 to f32 and back, return every bit. Values "
      "are rounded to the nearest, ties to even; what lies outside the range becomes the end of "
      "it, and NaN becomes 0. A format converted to itself is copied.",
      SLUICE_TYPE_ADAPTS_SAMPLE_FORMAT | SLUICE_TYPE_EQUAL_COUNTS};
  static constexpr sluice_parameter kParameters[] = {
      sluice::choice("format", kFormats, 1,
                     "Sample format to convert to; s24 is packed into 3 bytes.", sluice::kRequired),
      sluice::choice("dither", kDithers, 0,
                     "tpdf adds triangular noise of 2 least significant bits before rounding, "
                     "wherever the result has fewer bits (f32, s24, s32 to s16; f32, s32 to s24), "
                     "so that quiet passages end in noise instead of distortion.")};
  static constexpr sluice_port kPorts[] = {
      sluice::input("in", "Audio in any sample format.", sluice::kOfferAny),
      sluice::output("out", "The same audio in the format asked for.", sluice::kOfferAny,
                     SLUICE_PORT_SAME_CHANNELS | SLUICE_PORT_SAME_RATE)};

  void describe(uint32_t port, const sluice_format*, sluice_port_info& info) {
    if (port != 1) return;
    const sluice_sample_format to = SLUICE_SAMPLE_F32 + choice(kFormat);
    offer_ = sluice::offer(SLUICE_SAMPLE_BIT(to), to);
    info.offers = &offer_;
    info.offer_count = 1;
  }

  void prepare(sluice::Setup& setup) {
    channels_ = setup.channels();
    seed_ = static_cast<uint32_t>(setup.seed() ^ setup.seed() >> 32);
    conversion_ = convert::find_conversion(setup.format(0).sample_format,
                                           setup.format(1).sample_format, choice(kDither) == 1);
    reset();
  }

  sluice_status process(sluice_block& block) noexcept {
    sluice_input& in = *block.inputs;
    sluice_output& out = *block.outputs;
    const uint32_t frames = std::min(in.frames, out.frames);
    conversion_(in.data, out.data, size_t{frames} * channels_, dither_);
    in.consumed = out.produced = frames;
    const bool is_last = (in.flags & SLUICE_INPUT_ENDED) && frames == in.frames;
    return is_last ? SLUICE_STATUS_DRAINED : SLUICE_STATUS_CONTINUE;
  }

  void reset() noexcept { dither_ = {seed_, 0}; }

 private:
  sluice_format_offer offer_{};
  uint32_t channels_ = 1;
  uint32_t seed_ = 0;
  convert::Conversion conversion_ = nullptr;
  convert::Dither dither_;
};

}  // namespace

SLUICE_PLUGIN("Convert", "1.0.0", "Sluice", "MIT", Convert);
