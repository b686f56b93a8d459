// sink.alsa: plays into any ALSA PCM.
#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>
#include <sluice/sluice.hpp>
#include <string>
#include <vector>

#include "declaration.hpp"
#include "device_clock.hpp"
#include "frames.hpp"
#include "listing.hpp"
#include "pcm.hpp"

namespace {

using alsa::DeviceState;
using alsa::Pcm;
using alsa::Trouble;

constexpr uint32_t kIn = 0;
constexpr const char* kWhenAbsent[] = {"play-on", "hold"};

class SinkAlsa : public sluice::Threaded<SinkAlsa> {
 public:
  static constexpr sluice::Info kInfo{
      "sink.alsa", "ALSA playback",
      "Plays into an ALSA device by its name. The device is kept full: it takes a period at a "
      "time, "
      "and where frames are missing it gets silence, faded out and in. A device that is absent or "
      "busy is waited for, and one that went away is taken up again within a second of its return, "
      "faded in; meanwhile all else plays on. Rates are not converted inside ALSA, and sample "
      "formats and channels only if it has none that Sluice speaks."};
  enum Parameter : uint32_t { kDevice, kRateHz, kChannels, kFormat, kBuffer, kCount, kAbsent };
  static constexpr sluice_parameter kParameters[] = {
      sluice::text("device", "default",
                   "Name of an ALSA PCM: default, hw:CARD=PCH,DEV=0, or one of an asoundrc."),
      sluice::integer("rate_hz", "Hz", 0, SLUICE_MAX_RATE_HZ, 0,
                      "Frames per second; 0 for the rate that comes, or else one the device has."),
      sluice::integer("channels", nullptr, 0, SLUICE_MAX_CHANNELS, 0,
                      "Number of channels; 0 for as many as come, or else what the device has."),
      sluice::choice("format", alsa::kFormats, 0,
                     "Sample format; auto is the one that comes, or else one the device has."),
      alsa::kBufferFrames,
      alsa::kPeriods,
      sluice::choice("when_absent", kWhenAbsent, 0,
                     "While there is no device: play-on goes on at the pace of the clock, unheard; "
                     "hold waits, and with it everything in front that can wait.")};
  enum Statistic : uint32_t {
    kFrames,
    kUnderruns,
    kUnderrunFrames,
    kXruns,
    kLostFrames,
    kLosses,
    kDeviceState,
    kPeriodFrames,
    kDeviceBufferFrames,
    kDelayMs,
    kRatePpm
  };
  static constexpr sluice_statistic kStatistics[] = {
      sluice::counter("frames", "frames", "Frames played."),
      sluice::counter("underruns", nullptr, "How often frames were missing when they were due."),
      sluice::counter("underrun_frames", "frames", "Frames that were missing when they were due."),
      sluice::counter("xruns", nullptr, "How often the device ran dry since it was fed too late."),
      sluice::counter("lost_frames", "frames", "Frames of silence that it played so."),
      sluice::counter("losses", nullptr, "How often the device went away."),
      sluice::gauge("device_state", nullptr, alsa::kDeviceStateText),
      sluice::gauge("period_frames", "frames", "Frames the device takes at once, as granted."),
      sluice::gauge("device_buffer_frames", "frames", "The device's buffer, as granted."),
      sluice::gauge("delay_ms", "ms", "From here to the loudspeaker, as the device says."),
      sluice::gauge("rate_ppm", "ppm", "The device's clock against the system's.")};
  static constexpr sluice_port kPorts[] = {
      sluice::input("in", "What is to be played.", sluice::kOfferAny, 0, SLUICE_CLOCK_DEVICE)};

  static void list_devices(const sluice::DeviceListing& listing) {
    alsa::list_pcms(listing, alsa::Direction::kPlayback);
  }

  void describe(uint32_t, const sluice_format*, sluice_port_info& info) {
    device_ = text(kDevice);
    Pcm pcm;
    const Trouble trouble = pcm.open(device_, alsa::Direction::kPlayback);
    if (trouble.is_final()) throw sluice::Failure{trouble.result(), trouble.sentence};
    choose_offers(trouble ? nullptr : &pcm.offered());
    clock_id_ = pcm.clock_id();
    info.clock_id = clock_id_.c_str();
    info.offers = offers_.data();
    info.offer_count = static_cast<uint32_t>(offers_.size());
  }

  void prepare(sluice::Setup& setup) {
    if (setup.is_offline()) {
      throw sluice::Failure{SLUICE_ERROR_UNSUPPORTED,
                            "A sound device runs in real time; use sluice run."};
    }
    device_ = text(kDevice);
    format_ = setup.format();
    period_frames_ = integer(kBuffer);
    periods_ = integer(kCount);
    holds_ = choice(kAbsent) == 1;
    auto& port = setup.port(kIn);
    is_fed_live_ = port.is_fed_live != 0;
    port.max_block_frames = period_frames_;
    port.hold_frames = is_fed_live_ ? period_frames_ : uint64_t{period_frames_} * periods_;
    port.target_ms = 2000.0 * period_frames_ / format_.rate_hz;
    port.latency_frames = uint64_t{period_frames_} * periods_;
    const void* clock_host = host()->get_extension(host(), SLUICE_CLOCK_HOST);
    clock_host_ = static_cast<const sluice_clock_host*>(clock_host);
    is_first_ = true;
  }

  void release() noexcept { pcm_.close(); }

  void run() {
    for (End end = End::kGone; end == End::kGone && wait_for_device();) {
      do {
        end = play();
      } while (end == End::kAgain);
      if (end == End::kGone) add(kLosses);
      pcm_.close();
    }
  }

 private:
  static constexpr int64_t kStalledNs = 2 * sluice::kNsPerSecond;
  static constexpr int64_t kLookAtDelayNs = 100'000'000;
  static constexpr int64_t kPlayOnNs = 10'000'000;
  // So long before the device runs dry silence is put in place of what has not come.
  static constexpr int64_t kSpareNs = 2'000'000;

  // What the device has, as far as the parameters leave it open.
  void choose_offers(const alsa::Offered* offered) {
    const uint32_t rate_hz = integer(kRateHz);
    const uint32_t channels = integer(kChannels);
    const sluice_sample_format format = alsa::chosen_format(choice(kFormat));
    sluice_format_offer offer = sluice::offer(SLUICE_SAMPLE_ANY);
    if (offered) {
      offer.sample_formats = offered->formats;
      offer.channels_minimum = offered->channels_minimum;
      offer.channels_maximum = offered->channels_maximum;
      offer.rate_hz_minimum = offered->rate_hz_minimum;
      offer.rate_hz_maximum = offered->rate_hz_maximum;
      if ((format != SLUICE_SAMPLE_UNSET && !(offered->formats & SLUICE_SAMPLE_BIT(format))) ||
          (channels != 0 &&
           (channels < offer.channels_minimum || channels > offer.channels_maximum)) ||
          (rate_hz != 0 && !offered->has_rate(rate_hz))) {
        throw sluice::Failure{SLUICE_ERROR_FORMAT, "ALSA device '" + device_ +
                                                       "' does not offer what is asked for; it "
                                                       "offers " +
                                                       offered->text() + "."};
      }
    }
    if (format != SLUICE_SAMPLE_UNSET) offer.sample_formats = SLUICE_SAMPLE_BIT(format);
    if (channels != 0) offer.channels_minimum = offer.channels_maximum = channels;
    offers_.clear();
    const auto add_rate = [&](uint32_t rate) {
      offer.rate_hz_minimum = offer.rate_hz_maximum = rate;
      offers_.push_back(offer);
    };
    if (rate_hz != 0) {
      add_rate(rate_hz);
    } else if (!offered || offered->is_any_rate || offered->rates_hz.empty()) {
      offers_.push_back(offer);
    } else {
      const uint32_t usual = offered->nearest_rate(48000);
      add_rate(usual);
      for (const uint32_t rate : offered->rates_hz) {
        if (rate != usual) add_rate(rate);
      }
    }
  }

  void say_state(DeviceState state, const std::string& sentence = {}) {
    static constexpr uint32_t kStates[] = {SLUICE_STATE_WAITING, SLUICE_STATE_STARTING,
                                           SLUICE_STATE_RUNNING, SLUICE_STATE_LOST};
    set(kDeviceState, static_cast<double>(state));
    set_state(kStates[static_cast<size_t>(state)], sentence);
  }

  // How playing ended: for good, with the device gone, or with the device to be begun anew.
  enum class End : uint8_t { kDone, kGone, kAgain };

  // False when the node is done.
  bool wait_for_device() {
    Trouble::Kind said = Trouble::Kind::kNone;
    say_state(DeviceState::kOpening);
    for (;;) {
      Trouble trouble = pcm_.open(device_, alsa::Direction::kPlayback);
      if (!trouble) trouble = pcm_.set_up(format_, period_frames_, periods_);
      if (!trouble) break;
      pcm_.close();
      if (trouble.kind == Trouble::Kind::kUnknown && is_first_) {
        throw sluice::Failure{trouble.result(), trouble.sentence};
      }
      if (trouble.kind != said) {
        say_state(is_first_ ? DeviceState::kAbsent : DeviceState::kLost,
                  trouble.sentence + " It is waited for.");
        said = trouble.kind;
      }
      if (!rest_until(now_ns() + alsa::kLookNs)) return false;
    }
    set(kPeriodFrames, pcm_.period_frames());
    set(kDeviceBufferFrames, pcm_.buffer_frames());
    block_.resize(size_t{pcm_.period_frames()} * sluice::frame_bytes(format_));
    smoother_.reset(format_, is_first_ ? 1 : 0);
    say_state(DeviceState::kRunning, "Plays into '" + pcm_.name() + "': " + alsa::text_of(format_) +
                                         ", periods of " + std::to_string(pcm_.period_frames()) +
                                         " frames, " + std::to_string(pcm_.buffer_frames()) +
                                         " in its buffer" +
                                         (pcm_.is_mapped() ? ", in shared memory." : "."));
    is_first_ = false;
    return true;
  }

  // There is no device. What is due meanwhile is not heard. False when the node is done.
  bool rest_until(int64_t deadline_ns) {
    if (holds_) return sleep_until(deadline_ns) != SLUICE_ERROR_STOPPED;
    const int64_t start_ns = now_ns();
    for (uint64_t taken = 0;;) {
      const int64_t now = now_ns();
      if (now >= deadline_ns) return true;
      if (sleep_until(std::min(now + kPlayOnNs, deadline_ns)) == SLUICE_ERROR_STOPPED) return false;
      const uint64_t due = sluice::frames_of_ns(now_ns() - start_ns, format_.rate_hz);
      while (taken < due) {
        const auto wanted = static_cast<uint32_t>(std::min<uint64_t>(due - taken, 65536));
        const sluice_read_span span = begin_read(kIn, wanted);
        end_read(kIn, span.frames);
        taken += span.frames;
        if (span.frames == 0 && (span.flags & SLUICE_INPUT_ENDED)) return false;
        if (span.frames == 0) taken = due;
      }
    }
  }

  End play() {
    written_frames_ = 0;
    const uint32_t buffer = pcm_.buffer_frames();
    const uint32_t first = is_fed_live_ ? pcm_.period_frames() : buffer;
    // What came while there was no device would be heard late for ever.
    if (is_fed_live_ && available(kIn) >= first) {
      discard(kIn, available(kIn), "came before the device began");
    }
    if (wait(on_input(kIn, first)) != SLUICE_OK) return End::kDone;
    // A live stream comes at the pace of its clock: what the buffer holds in front of it is all
    // that it will ever hold.
    if (is_fed_live_) {
      for (uint64_t there = available(kIn); there < buffer;) {
        const auto frames =
            static_cast<uint32_t>(std::min<uint64_t>(buffer - there, pcm_.period_frames()));
        if (!write_silence(frames)) return lose(-ENODEV);
        there += frames;
      }
    }
    while (pcm_.available() >= pcm_.period_frames() && available(kIn) >= pcm_.period_frames()) {
      if (write_frames(pcm_.period_frames()) != Outcome::kWritten) break;
    }
    // Some devices do not start with nothing to play.
    if (written_frames_ == 0 && !write_silence(pcm_.period_frames())) return lose(-ENODEV);
    if (const Trouble trouble = pcm_.start(); trouble) return lose(trouble.sentence);
    start_ns_ = look_ns_ = now_ns();
    dry_ns_ = start_ns_ + sluice::ns_of_frames(written_frames_, format_.rate_hz);
    clock_.restart(format_.rate_hz);
    items_.clear();
    for (const pollfd& descriptor : pcm_.descriptors()) {
      items_.push_back(
          on_descriptor(descriptor.fd, static_cast<unsigned short>(descriptor.events)));
    }
    polled_ = pcm_.descriptors();
    return stream();
  }

  // Waits for frames first, and for the device only where it has no room for them yet: what comes
  // live comes when it has, so that one wake serves a period.
  End stream() {
    const uint32_t period = pcm_.period_frames();
    for (bool is_due = false;;) {
      if (is_over_) return finish();
      if (!is_due && available(kIn) < period && !wait_for_frames()) return End::kDone;
      is_due = true;
      uint32_t room = 0;
      if (const std::optional<End> end = look(room)) return *end;
      Outcome outcome = Outcome::kFull;
      const uint64_t written_before = written_frames_;
      if (room >= period) outcome = write_frames(room);
      if (outcome == Outcome::kFailed) return lose(-ENODEV);
      if (outcome == Outcome::kWritten) {
        is_due = false;
        dry_ns_ += sluice::ns_of_frames(written_frames_ - written_before, format_.rate_hz);
        continue;
      }
      const sluice_result woken = wait_for_room();
      if (woken == SLUICE_ERROR_STOPPED) return End::kDone;
      if (woken == SLUICE_ERROR_TIMEOUT) {
        return lose("ALSA device '" + device_ + "' has taken nothing for 2 s.");
      }
    }
  }

  // How much room the device has; or how playing has ended.
  std::optional<End> look(uint32_t& room) {
    switch (pcm_.state()) {
      case Pcm::State::kGone:
        return lose(-ENODEV);
      case Pcm::State::kSuspended:
        return lose("The machine has slept.");
      case Pcm::State::kStopped:
        return lose("ALSA device '" + device_ + "' was stopped by its driver.");
      default:
        break;
    }
    int64_t there = pcm_.available();
    if (there >= 0 && there < pcm_.period_frames()) there = pcm_.available_now();
    if (there == -EPIPE) return recover();
    if (there < 0) return lose(there);
    const int64_t missed = there - pcm_.buffer_frames();
    if (missed > 0 && !catch_up(static_cast<uint64_t>(missed))) return lose(-ENODEV);
    room = static_cast<uint32_t>(std::min<int64_t>(there, pcm_.buffer_frames()));
    look_ns_ = now_ns();
    dry_ns_ = look_ns_ + sluice::ns_of_frames(pcm_.buffer_frames() - room, format_.rate_hz);
    watch(room);
    return std::nullopt;
  }

  sluice_result wait_for_room() {
    const int64_t deadline_ns = now_ns() + kStalledNs;
    for (;;) {
      const sluice_result result = wait(items_, deadline_ns);
      if (result != SLUICE_OK) return result;
      for (size_t i = 0; i < polled_.size(); ++i) {
        polled_[i].revents = static_cast<short>(items_[i].ready);
      }
      if (pcm_.woken(polled_.data())) return SLUICE_OK;
    }
  }

  // A period of input, if it comes while the device still has something to play. A PCM without a
  // clock (of type null or file) has all the time there is. False when the node is to stop.
  bool wait_for_frames() {
    int64_t deadline_ns = SLUICE_FOREVER;
    if (!has_no_clock()) {
      const int64_t half_ns = sluice::ns_of_frames(pcm_.period_frames() / 2, format_.rate_hz);
      deadline_ns = dry_ns_ - std::min(half_ns, kSpareNs);
    }
    return wait(on_input(kIn, pcm_.period_frames()), deadline_ns) != SLUICE_ERROR_STOPPED;
  }

  bool has_no_clock() const {
    const uint64_t due = sluice::frames_of_ns(look_ns_ - start_ns_, format_.rate_hz);
    return written_frames_ > due + due / 4 + 4 * uint64_t{pcm_.buffer_frames()};
  }

  enum class Outcome : uint8_t { kWritten, kFull, kFailed };

  // What is there, as far as there is room; if that is no whole period, silence makes it one.
  Outcome write_frames(uint32_t room) {
    const auto wanted =
        static_cast<uint32_t>(std::clamp<uint64_t>(available(kIn), pcm_.period_frames(), room));
    uint32_t done = 0;
    uint32_t flags = 0;
    while (done < wanted) {
      const sluice_read_span span = begin_read(kIn, wanted - done);
      flags = span.flags;
      if (span.frames == 0) {
        end_read(kIn, 0);
        break;
      }
      const int64_t moved = write_sound(span.data, span.frames);
      end_read(kIn, static_cast<uint32_t>(std::max<int64_t>(moved, 0)));
      if (moved < 0) return Outcome::kFailed;
      if (moved == 0) return Outcome::kFull;
      done += static_cast<uint32_t>(moved);
      add(kFrames, static_cast<uint64_t>(moved));
    }
    if (done == wanted) {
      was_starving_ = false;
      return Outcome::kWritten;
    }
    if (flags & SLUICE_INPUT_ENDED) {
      is_over_ = true;
      return Outcome::kWritten;
    }
    // Deliberate silence is nobody's fault.
    const bool is_starving = !(flags & SLUICE_INPUT_IDLE);
    if (is_starving) {
      add(kUnderrunFrames, wanted - done);
      if (!was_starving_) {
        add(kUnderruns);
        tell_upstream(kIn, SLUICE_UPSTREAM_STARVED);
      }
    }
    was_starving_ = is_starving;
    return write_silence(std::min(wanted - done, pcm_.period_frames())) ? Outcome::kWritten
                                                                        : Outcome::kFailed;
  }

  int64_t write_sound(const void* frames, uint32_t count) {
    int64_t moved = 0;
    if (smoother_.is_open()) {
      moved = pcm_.write(frames, count);
      if (moved > 0) smoother_.passed(frames, static_cast<uint32_t>(moved));
    } else {
      count =
          static_cast<uint32_t>(std::min<size_t>(count, block_.size() / smoother_.frame_bytes()));
      std::memcpy(block_.data(), frames, count * smoother_.frame_bytes());
      smoother_.sound(block_.data(), count);
      moved = pcm_.write(block_.data(), count);
    }
    if (moved > 0) written_frames_ += static_cast<uint64_t>(moved);
    return moved;
  }

  // At most a period.
  bool write_silence(uint32_t count) {
    smoother_.silence(block_.data(), count);
    const int64_t moved = pcm_.write(block_.data(), count);
    if (moved > 0) written_frames_ += static_cast<uint64_t>(moved);
    return moved >= 0;
  }

  // The device has played `missed` frames of zeros that nobody gave it. What a live stream brought
  // meanwhile is late by as much.
  bool catch_up(uint64_t missed) {
    add(kXruns);
    add(kLostFrames, missed);
    if (is_fed_live_)
      discard(kIn, std::min(missed, available(kIn)), "came too late for the device");
    smoother_.reset(format_, 0);
    const int64_t passed = pcm_.pass_over(missed);
    if (passed > 0) written_frames_ += static_cast<uint64_t>(passed);
    return passed >= 0;
  }

  // After an xrun that stopped it.
  End recover() {
    add(kXruns);
    if (const Trouble trouble = pcm_.restart(); trouble) return lose(trouble.sentence);
    smoother_.reset(format_, 0);
    return End::kAgain;
  }

  End lose(const std::string& sentence) {
    say_state(DeviceState::kLost, sentence);
    return End::kGone;
  }
  End lose(int64_t error) { return lose(pcm_.trouble("be written", error).sentence); }

  // The rest is played out. snd-aloop forgets the last period of what drains, hence another one.
  End finish() {
    if (!has_no_clock()) write_silence(pcm_.period_frames());
    pcm_.drain();
    const int64_t deadline_ns =
        now_ns() + 2 * sluice::ns_of_frames(pcm_.buffer_frames(), format_.rate_hz) + kStalledNs;
    while (!pcm_.is_drained() && now_ns() < deadline_ns) {
      if (sleep_until(now_ns() + kPlayOnNs) == SLUICE_ERROR_STOPPED) break;
    }
    return End::kDone;
  }

  void watch(uint64_t room) {
    const double queued = static_cast<double>(pcm_.buffer_frames()) - static_cast<double>(room);
    if (clock_.passed(static_cast<double>(written_frames_) - queued, look_ns_)) {
      set(kRatePpm, (clock_.ratio() - 1) * 1e6);
      if (clock_host_ && clock_.is_settled()) {
        clock_host_->publish(host(), kIn, clock_.frames(), clock_.time_ns(), clock_.ratio());
      }
    }
    if (look_ns_ < delay_ns_) return;
    delay_ns_ = look_ns_ + kLookAtDelayNs;
    if (const int64_t delay = pcm_.delay_frames(); delay >= 0) {
      set(kDelayMs, 1000.0 * static_cast<double>(delay) / format_.rate_hz);
    }
  }

  std::string device_, clock_id_;
  std::vector<sluice_format_offer> offers_;
  sluice_format format_{};
  uint32_t period_frames_ = 0, periods_ = 0;
  bool holds_ = false, is_fed_live_ = false;
  const sluice_clock_host* clock_host_ = nullptr;

  Pcm pcm_;
  alsa::Smoother smoother_;
  alsa::DeviceClock clock_;
  std::vector<std::byte> block_;
  std::vector<sluice_wait_item> items_;
  std::vector<pollfd> polled_;
  uint64_t written_frames_ = 0;         // into the device, since it started
  int64_t start_ns_ = 0, look_ns_ = 0;  // of the device, and of the last look at it
  int64_t delay_ns_ = 0;                // when to ask for the delay again
  int64_t dry_ns_ = 0;                  // when it will have played what it was given
  bool is_first_ = true, is_over_ = false, was_starving_ = false;
};

}  // namespace

SLUICE_PLUGIN("ALSA playback", "1.0.0", "Sluice", "MIT", SinkAlsa);
