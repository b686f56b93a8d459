// source.aloop: the capture end of a cable of snd-aloop, the kernel's loopback card.
#include <algorithm>
#include <cmath>
#include <sluice/sluice.hpp>
#include <string>

#include "capture.hpp"
#include "listing.hpp"
#include "loopback_card.hpp"
#include "rate_steering.hpp"

namespace {

using alsa::Direction;
using alsa::Trouble;

constexpr const char* kFixedFormats[] = {"f32", "s16", "s24", "s32"};
constexpr const char* kDrifts[] = {"auto", "rate-shift", "resample", "none"};
enum class Drift : uint32_t { kAuto, kRateShift, kResample, kNone };

class SourceAloop : public alsa::Capturing<SourceAloop> {
 public:
  static constexpr sluice::Info kInfo{
      "source.aloop", "Loopback card",
      "Captures what programs play into a loopback card (snd-aloop), at a fixed format. The end of "
      "the cable that is opened first decides the format of both; while this node holds its end, "
      "programs get its format or convert. Until somebody plays, the stream is silence. drift says "
      "what becomes of the difference between the card's clock and that of what plays: rate-shift "
      "has the driver run as fast as the reader of this node's output, and not a bit is changed; "
      "resample leaves it to a bridge in the graph; none skips and fills; auto is rate-shift where "
      "the card's controls may be written, else resample. A card that is not there is waited for.",
      SLUICE_TYPE_FOLLOWS_READER};
  enum Parameter : uint32_t {
    kDevice,
    kSubdevice,
    kCard,
    kRateHz,
    kChannels,
    kFormat,
    kBuffer,
    kCount,
    kDrift
  };
  static constexpr sluice_parameter kParameters[] = {
      sluice::claiming(
          sluice::integer("device", nullptr, 0, 1, 1,
                          "The device to capture from; programs play into the other one."),
          "loopback cable"),
      sluice::claiming(sluice::integer("subdevice", nullptr, 0, 7, 0,
                                       "The cable: the same number at both ends."),
                       "loopback cable"),
      sluice::claiming(
          sluice::text("card", "Loopback", "The card, by its id, its name or its number."),
          "loopback cable"),
      sluice::integer("rate_hz", "Hz", 8000, 192000, 48000, "Frames per second."),
      sluice::integer("channels", nullptr, 1, 32, 2, "Number of channels."),
      sluice::choice("format", kFixedFormats, 1, "Sample format."),
      alsa::kBufferFrames,
      alsa::kPeriods,
      sluice::choice("drift", kDrifts, 0, "How the card's clock and that of the reader meet.")};
  enum Statistic : uint32_t { kIsFed = alsa::kCaptureStatisticCount, kRateShift, kFillMs };
  static constexpr sluice_statistic kStatistics[] = {
      alsa::kCaptureStatistics[0],
      alsa::kCaptureStatistics[1],
      alsa::kCaptureStatistics[2],
      alsa::kCaptureStatistics[3],
      alsa::kCaptureStatistics[4],
      alsa::kCaptureStatistics[5],
      alsa::kCaptureStatistics[6],
      alsa::kCaptureStatistics[7],
      sluice::gauge("is_fed", nullptr, "Somebody plays into the other end."),
      sluice::gauge("rate_shift_ppm", "ppm", "How much faster than nominally the card was set."),
      sluice::gauge("fill_ms", "ms",
                    "What lies between the card and the reader; rate-shift alone.")};
  static constexpr sluice_port kPorts[] = {sluice::output("out", "What is played into the card.",
                                                          sluice::kOfferAny, SLUICE_PORT_LIVE,
                                                          SLUICE_CLOCK_DEVICE)};

  static void list_devices(const sluice::DeviceListing& listing) {
    alsa::list_loopback_cards(listing);
  }

  void describe(uint32_t, const sluice_format*, sluice_port_info& info) {
    take_parameters();
    offer_ = sluice::offer({sizeof(sluice_format), SLUICE_SAMPLE_F32 + choice(kFormat),
                            integer(kChannels), integer(kRateHz)});
    info.offers = &offer_;
    info.offer_count = 1;
    if (drift_ == Drift::kResample) {
      clock_id_ =
          "hw:" + card_ + "," + std::to_string(1 - device_) + "," + std::to_string(subdevice_);
      info.clock_id = clock_id_.c_str();
    } else {
      info.clock = SLUICE_CLOCK_NONE;
    }
  }

  void prepare(sluice::Setup& setup) {
    take_parameters();
    period_frames_ = integer(kBuffer);
    periods_ = integer(kCount);
    prepare_capture(setup);
    const void* reader = host()->get_extension(host(), SLUICE_READER_HOST);
    reader_ = static_cast<const sluice_reader_host*>(reader);
  }

  void release() noexcept {
    if (is_shifted_) controls_.set_shift(alsa::LoopbackCard::kNominalShift);
    is_shifted_ = false;
    controls_.close();
    Capturing::release();
  }

  Trouble open() {
    is_known_fed_ = false;
    tends_ = 0;
    // A card whose controls somebody holds cannot be taken away, so that no other can come.
    controls_.close();
    // Once found it is known by its id: others may have its name.
    const std::string id = alsa::card_id(id_.empty() ? card_ : id_);
    if (id.empty()) return no_card();
    id_ = id;
    if (!controls_.open(id, device_, subdevice_)) {
      return alsa::opening_trouble(pcm_name(id), Direction::kCapture, -EACCES);
    }
    if (controls_.driver() != "Loopback") {
      return {Trouble::Kind::kOther, "Card '" + card_ + "' is no loopback card (its driver is " +
                                         controls_.driver() +
                                         "); capture from it with source.alsa."};
    }
    Trouble trouble = pcm_.open(pcm_name(id), Direction::kCapture);
    if (trouble) return trouble;
    if (!pcm_.offered().has(format_)) return format_trap(id);
    trouble = pcm_.set_up(format_, period_frames_, periods_);
    steering_.restart(format_.rate_hz);
    if (drift_ == Drift::kRateShift && !controls_.set_shift(alsa::LoopbackCard::kNominalShift)) {
      warn("The clock of card '" + card_ +
           "' cannot be shifted; what it drifts by is skipped or filled. Add yourself to the group "
           "audio, or say drift: resample.");
      drift_ = Drift::kNone;
    }
    return trouble;
  }

  void tend(uint64_t position) {
    if (tends_++ % kTendsPerLook == 0) look_whether_fed();
    if (drift_ == Drift::kRateShift) steer(position);
  }

 private:
  void take_parameters() {
    card_ = text(kCard);
    id_.clear();
    device_ = integer(kDevice);
    subdevice_ = integer(kSubdevice);
    drift_ = static_cast<Drift>(choice(kDrift));
    if (drift_ != Drift::kAuto) return;
    alsa::LoopbackCard controls;
    const std::string id = alsa::card_id(card_);
    const bool can_shift =
        !id.empty() && controls.open(id, device_, subdevice_) && controls.can_shift();
    drift_ = can_shift ? Drift::kRateShift : Drift::kResample;
  }

  std::string pcm_name(const std::string& id) const {
    return "hw:CARD=" + id + ",DEV=" + std::to_string(device_) +
           ",SUBDEV=" + std::to_string(subdevice_);
  }
  // Where programs play.
  std::string other_end(const std::string& id) const {
    return "hw:" + id + "," + std::to_string(1 - device_) + "," + std::to_string(subdevice_);
  }

  Trouble no_card() const {
    const std::string cards = alsa::card_list();
    return {Trouble::Kind::kAbsent, "There is no sound card '" + card_ + "'" +
                                        (cards.empty() ? "" : "; there are: " + cards) +
                                        ". Load the loopback driver as root: modprobe snd-aloop" +
                                        (card_ == "Loopback" ? "." : " id=" + card_ + ".")};
  }

  Trouble format_trap(const std::string& id) const {
    const std::string user = alsa::user_of(id, 1 - device_, subdevice_, Direction::kPlayback);
    return {Trouble::Kind::kFormat,
            "The other end of the cable, " + other_end(id) + ", was opened first, with " +
                pcm_.offered().text() + ", and that decides for both ends; this node is set to " +
                alsa::text_of(format_) + ". " +
                (user.empty() ? std::string("End what plays there")
                              : "End " + user + ", which plays there") +
                ", start it again when this graph runs, and have it play through plug."};
  }

  void look_whether_fed() {
    const auto is_fed = controls_.is_fed();
    if (!is_fed || (is_known_fed_ && *is_fed == is_fed_)) return;
    is_fed_ = *is_fed;
    is_known_fed_ = true;
    set(kIsFed, is_fed_);
    const std::string where = other_end(id_);
    if (is_fed_) {
      end_silence();
      set_state(SLUICE_STATE_RUNNING, "Somebody plays into " + where + ".");
    } else {
      be_silent();
      set_state(SLUICE_STATE_WAITING, "Waiting for somebody to play into " + where + ".");
    }
  }

  void steer(uint64_t position) {
    sluice_reading reading{};
    reading.struct_size = sizeof(reading);
    if (!reader_ || reader_->last_read(host(), kOut, &reading) != SLUICE_OK ||
        reading.time_ns == SLUICE_NO_TIME) {
      return;
    }
    // What the card had handed over when the reader read last.
    const double since_s =
        static_cast<double>(now_ns() - reading.time_ns) / static_cast<double>(sluice::kNsPerSecond);
    const double fill = static_cast<double>(position) - since_s * format_.rate_hz -
                        static_cast<double>(reading.frames);
    if (!steering_.look(fill)) return;
    const long shift = std::lround(static_cast<double>(alsa::LoopbackCard::kNominalShift) *
                                   (1 - steering_.correction()));
    is_shifted_ = controls_.set_shift(shift);
    set(kRateShift, (static_cast<double>(alsa::LoopbackCard::kNominalShift - shift)) * 10);
    set(kFillMs, 1000.0 * steering_.fill_frames() / format_.rate_hz);
  }

  static constexpr uint32_t kTendsPerLook = 3;

  std::string card_, id_, clock_id_;
  uint32_t tends_ = 0;
  uint32_t device_ = 1, subdevice_ = 0;
  Drift drift_ = Drift::kNone;
  sluice_format_offer offer_{};
  const sluice_reader_host* reader_ = nullptr;
  alsa::LoopbackCard controls_;
  alsa::RateSteering steering_;
  bool is_known_fed_ = false, is_fed_ = false, is_shifted_ = false;
};

}  // namespace

SLUICE_PLUGIN("Loopback card", "1.0.0", "Sluice", "MIT", SourceAloop);
