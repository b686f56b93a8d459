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
#include "sink_declaration.hpp"

namespace {

using alsa::DeviceState;
using alsa::Pcm;
using alsa::Trouble;

constexpr uint32_t kIn = 0;

class SinkAlsa : public sluice::Threaded<SinkAlsa>, public alsa::SinkDeclaration {
 public:
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
                            "A sound device runs in real time alone: use 'sluice run'."};
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
    port.latency_frames = fill_of(period_frames_);
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
  static constexpr int64_t kLookNs = 250'000'000;
  static constexpr int64_t kPlayOnNs = 10'000'000;
  // So long before the device runs dry silence is put in place of what has not come.
  static constexpr int64_t kSpareNs = 1'000'000;

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
      // What comes live never waits for room: a period more, which stays empty.
      const uint32_t spare_periods = is_fed_live_ ? 1 : 0;
      if (!trouble) trouble = pcm_.set_up(format_, period_frames_, periods_ + spare_periods);
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

  // What the device is to hold right after frames have come. Of live ones a third of a period less
  // than it could: what it still holds when the next ones come is by how much all are heard later.
  uint32_t fill_of(uint32_t period) const {
    return period * periods_ - (is_fed_live_ ? period / 3 : 0);
  }

  End play() {
    written_frames_ = 0;
    const uint32_t period = pcm_.period_frames();
    fill_frames_ =
        is_fed_live_ ? std::min(pcm_.buffer_frames(), fill_of(period)) : pcm_.buffer_frames();
    const uint32_t first = is_fed_live_ ? period : fill_frames_;
    // What came while there was no device would be heard late for ever.
    if (is_fed_live_ && available(kIn) >= first) {
      discard(kIn, available(kIn), "came before the device began");
    }
    if (wait(on_input(kIn, first)) != SLUICE_OK) return End::kDone;
    // A live stream comes at the pace of its clock: what the buffer holds in front of it is all
    // that it will ever hold.
    if (is_fed_live_ && !fill_up(available(kIn))) return lose(-ENODEV);
    while (pcm_.available() >= pcm_.period_frames() && available(kIn) >= pcm_.period_frames()) {
      if (write_frames(pcm_.period_frames()) != Outcome::kWritten) break;
    }
    // Some devices do not start with nothing to play.
    if (written_frames_ == 0 && !write_silence(pcm_.period_frames())) return lose(-ENODEV);
    if (const Trouble trouble = pcm_.start(); trouble) return lose(trouble.sentence);
    start_ns_ = look_ns_ = now_ns();
    next_look_ns_ = 0;
    has_filled_in_ = false;
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

  // Silence, until with `there` frames the device holds as much as it is to hold.
  bool fill_up(uint64_t there) {
    while (there < fill_frames_) {
      const auto frames =
          static_cast<uint32_t>(std::min<uint64_t>(fill_frames_ - there, pcm_.period_frames()));
      if (!write_silence(frames)) return false;
      there += frames;
    }
    return true;
  }

  // Waits for frames first, and for the device only where it has no room for them yet: what comes
  // live comes when it has, so that one wake serves a period.
  End stream() {
    const uint32_t period = pcm_.period_frames();
    for (bool is_due = false;;) {
      if (is_over_) return finish();
      if (!is_due && !wait_for_frames()) return End::kDone;
      is_due = true;
      uint32_t room = 0;
      if (const std::optional<End> end = look(room)) return *end;
      Outcome outcome = Outcome::kFull;
      if (room >= period) {
        if (is_fed_live_ && has_filled_in_ && available(kIn) >= period) {
          if (!come_back(room)) return lose(-ENODEV);
          is_due = false;
          continue;
        }
        outcome = write_frames(room);
      }
      if (outcome == Outcome::kFailed) return lose(-ENODEV);
      if (outcome == Outcome::kWritten) {
        is_due = false;
        continue;
      }
      const sluice_result woken = wait_for_room();
      if (woken == SLUICE_ERROR_STOPPED) return End::kDone;
      if (woken == SLUICE_ERROR_TIMEOUT) {
        return lose("ALSA device '" + device_ + "' has taken nothing for 2 s.");
      }
    }
  }

  // Live frames are there again, in whose place silence was played. What it was too much of would
  // be heard late for ever, and what is too little would be missing at the next delay.
  bool come_back(uint32_t room) {
    has_filled_in_ = false;
    const uint64_t there = available(kIn) + pcm_.buffer_frames() - room;
    if (there <= fill_frames_) return fill_up(there);
    discard(kIn, std::min<uint64_t>(there - fill_frames_, available(kIn)),
            "came too late for the device");
    return true;
  }

  // How much room the device has; or how playing has ended. The driver is asked now and then, where
  // frames may have come too late, and where what it last said is too little; in between, what is
  // written counts against the clock.
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
    const int64_t time_ns = now_ns();
    int64_t there = -1;
    if (time_ns < next_look_ns_ && time_ns < dry_ns_) there = pcm_.available();
    const bool is_known = there >= pcm_.period_frames();
    if (!is_known) there = pcm_.available_now();
    if (there == -EPIPE) return recover();
    if (there < 0) return lose(there);
    const int64_t missed = there - pcm_.buffer_frames();
    if (missed > 0 && !catch_up(static_cast<uint64_t>(missed))) return lose(-ENODEV);
    room = static_cast<uint32_t>(std::min<int64_t>(there, pcm_.buffer_frames()));
    if (is_known) return std::nullopt;
    look_ns_ = time_ns;
    dry_ns_ = time_ns + sluice::ns_of_frames(pcm_.buffer_frames() - room, format_.rate_hz);
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
    has_filled_in_ = true;
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
    note_written(moved);
    return moved;
  }

  // At most a period.
  bool write_silence(uint32_t count) {
    smoother_.silence(block_.data(), count);
    const int64_t moved = pcm_.write(block_.data(), count);
    note_written(moved);
    return moved >= 0;
  }

  void note_written(int64_t frames) {
    if (frames <= 0) return;
    written_frames_ += static_cast<uint64_t>(frames);
    dry_ns_ += sluice::ns_of_frames(static_cast<uint64_t>(frames), format_.rate_hz);
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
    if (look_ns_ < next_look_ns_) return;
    next_look_ns_ = look_ns_ + kLookNs;
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
  int64_t next_look_ns_ = 0;            // when to ask the driver again at the latest
  int64_t dry_ns_ = 0;                  // when it will have played what it was given
  uint32_t fill_frames_ = 0;            // that it is to hold right after it was fed
  bool is_first_ = true, is_over_ = false, was_starving_ = false;
  bool has_filled_in_ = false;  // silence in place of live frames, since they last came
};

}  // namespace

SLUICE_PLUGIN("ALSA playback", "1.0.0", "Sluice", "MIT", SinkAlsa);
