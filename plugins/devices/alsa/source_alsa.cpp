// source.alsa: captures from any ALSA PCM.
#include <algorithm>
#include <sluice/sluice.hpp>
#include <string>

#include "capture.hpp"
#include "listing.hpp"

namespace {

using alsa::Trouble;

constexpr uint32_t kUsualRateHz = 48000;

class SourceAlsa : public alsa::Capturing<SourceAlsa> {
 public:
  static constexpr sluice::Info kInfo{
      "source.alsa", "ALSA capture",
      "Captures from an ALSA device by its name. A device that is absent or busy is waited for, "
      "and "
      "one that went away is taken up again within a second of its return, faded in; meanwhile the "
      "stream is silent and all else plays on. Rates are not converted inside ALSA, and sample "
      "formats and channels only if it has none that Sluice speaks."};
  enum Parameter : uint32_t { kDevice, kRateHz, kChannels, kFormat, kBuffer, kCount };
  static constexpr sluice_parameter kParameters[] = {
      sluice::claiming(
          sluice::text("device", "default",
                       "Name of an ALSA PCM: default, hw:CARD=PCH,DEV=0, or one of an asoundrc."),
          "capture device"),
      sluice::integer("rate_hz", "Hz", 0, SLUICE_MAX_RATE_HZ, 0,
                      "Frames per second; 0 for 48000 or what the device has nearest to it."),
      sluice::integer("channels", nullptr, 0, SLUICE_MAX_CHANNELS, 0,
                      "Number of channels; 0 for 2 or as near as the device has."),
      sluice::choice("format", alsa::kFormats, 0,
                     "Sample format; auto is the one with the most bits that the device has."),
      alsa::kBufferFrames,
      alsa::kPeriods};
  static constexpr const auto& kStatistics = alsa::kCaptureStatistics;
  static constexpr sluice_port kPorts[] = {sluice::output(
      "out", "What is captured.", sluice::kOfferAny, SLUICE_PORT_LIVE, SLUICE_CLOCK_DEVICE)};

  static void list_devices(const sluice::DeviceListing& listing) {
    alsa::list_pcms(listing, alsa::Direction::kCapture);
  }

  void describe(uint32_t, const sluice_format*, sluice_port_info& info) {
    device_ = text(kDevice);
    sluice_format format{sizeof(sluice_format), alsa::chosen_format(choice(kFormat)),
                         integer(kChannels), integer(kRateHz)};
    alsa::Pcm pcm;
    const Trouble trouble = pcm.open(device_, alsa::Direction::kCapture);
    if (trouble.is_final()) throw sluice::Failure{trouble.result(), trouble.sentence};
    choose(format, trouble ? nullptr : &pcm.offered());
    clock_id_ = pcm.clock_id();
    info.clock_id = clock_id_.c_str();
    offer_ = sluice::offer(format);
    info.offers = &offer_;
    info.offer_count = 1;
  }

  void prepare(sluice::Setup& setup) {
    device_ = text(kDevice);
    period_frames_ = integer(kBuffer);
    periods_ = integer(kCount);
    prepare_capture(setup);
  }

  Trouble open() {
    Trouble trouble = pcm_.open(device_, alsa::Direction::kCapture);
    if (!trouble) trouble = pcm_.set_up(format_, period_frames_, periods_);
    return trouble;
  }
  void tend(uint64_t) {}

 private:
  // Fills in what the parameters leave open.
  void choose(sluice_format& format, const alsa::Offered* offered) const {
    if (!offered) {
      if (format.sample_format == SLUICE_SAMPLE_UNSET) format.sample_format = SLUICE_SAMPLE_S16;
      if (format.channels == 0) format.channels = 2;
      if (format.rate_hz == 0) format.rate_hz = kUsualRateHz;
      return;
    }
    if (format.sample_format == SLUICE_SAMPLE_UNSET) format.sample_format = offered->best_format();
    if (format.channels == 0) {
      format.channels = std::clamp(2U, offered->channels_minimum, offered->channels_maximum);
    }
    if (format.rate_hz == 0) format.rate_hz = offered->nearest_rate(kUsualRateHz);
    if (!offered->has(format)) {
      throw sluice::Failure{SLUICE_ERROR_FORMAT, "ALSA device '" + device_ + "' does not offer " +
                                                     alsa::text_of(format) + "; it offers " +
                                                     offered->text() + "."};
    }
  }

  std::string device_, clock_id_;
  sluice_format_offer offer_{};
};

}  // namespace

SLUICE_PLUGIN("ALSA capture", "1.0.0", "Sluice", "MIT", SourceAlsa);
