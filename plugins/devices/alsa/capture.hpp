// What source.alsa and source.aloop share: a PCM that is opened when it can be, read as it comes,
// and opened again after it went away.
#pragma once

#include <algorithm>
#include <cstdint>
#include <sluice/sluice.hpp>
#include <string>
#include <utility>
#include <vector>

#include "declaration.hpp"
#include "device_clock.hpp"
#include "frames.hpp"
#include "pcm.hpp"

namespace alsa {

// Indexes of the statistics that T declares first, with kCaptureStatistics.
enum CaptureStatistic : uint32_t {
  kFrames,
  kXruns,
  kLostFrames,
  kLosses,
  kDeviceStateGauge,
  kPeriodFrames,
  kDeviceBufferFrames,
  kRatePpm,
  kCaptureStatisticCount
};
inline constexpr sluice_statistic kCaptureStatistics[kCaptureStatisticCount] = {
    sluice::counter("frames", "frames", "Frames captured."),
    sluice::counter("xruns", nullptr,
                    "How often frames were lost because nobody took them from the device in time."),
    sluice::counter("lost_frames", "frames", "Frames lost so; silence stands in their place."),
    sluice::counter("losses", nullptr, "How often the device went away."),
    sluice::gauge("device_state", nullptr, kDeviceStateText),
    sluice::gauge("period_frames", "frames", "Frames the device hands over at once, as granted."),
    sluice::gauge("device_buffer_frames", "frames", "The device's buffer, as granted."),
    sluice::gauge("rate_ppm", "ppm", "The device's clock against the system's.")};

// T declares Trouble open(): opens pcm_ and sets it up in format_, with period_frames_ and
// periods_; called again until there is no trouble. And void tend(uint64_t position): called
// about ten times a second while the device runs. [worker]
template <typename T>
class Capturing : public sluice::Threaded<T> {
 public:
  void run() {
    while (wait_for_device()) {
      if (!stream()) return;
      pcm_.close();
    }
  }

  void release() noexcept { pcm_.close(); }

 protected:
  static constexpr uint32_t kOut = 0;

  // From T's prepare.
  void prepare_capture(sluice::Setup& setup) {
    if (setup.is_offline()) {
      throw sluice::Failure{SLUICE_ERROR_UNSUPPORTED,
                            "A sound device runs in real time alone: use 'sluice run'."};
    }
    format_ = setup.format();
    setup.port(kOut).max_block_frames = most_frames();
    has_sounded_ = is_silent_ = false;
    const void* clock_host = this->host()->get_extension(this->host(), SLUICE_CLOCK_HOST);
    clock_host_ = static_cast<const sluice_clock_host*>(clock_host);
  }
  uint32_t most_frames() const { return period_frames_ * periods_; }

  // The frames written so far: position of the next one.
  uint64_t position() {
    const sluice_write_span span = this->begin_write(kOut, 1);
    this->end_write(kOut, 0);
    return span.position;
  }

  // Nothing that could be heard comes until further notice; frames may, or not.
  void be_silent() {
    if (std::exchange(is_silent_, true)) return;
    this->mark(kOut, SLUICE_MARK_SILENCE_BEGINS, position());
  }
  void end_silence() {
    if (!std::exchange(is_silent_, false)) return;
    this->mark(kOut, SLUICE_MARK_SILENCE_ENDS, position());
  }

  void say_state(DeviceState state, const std::string& sentence = {}) {
    static constexpr uint32_t kStates[] = {SLUICE_STATE_WAITING, SLUICE_STATE_STARTING,
                                           SLUICE_STATE_RUNNING, SLUICE_STATE_LOST};
    this->set(kDeviceStateGauge, static_cast<double>(state));
    this->set_state(kStates[static_cast<size_t>(state)], sentence);
  }

  Pcm pcm_;
  sluice_format format_{};
  uint32_t period_frames_ = 0, periods_ = 0;
  DeviceClock clock_;

 private:
  // Longer than any period; then it hands nothing over.
  static constexpr int64_t kStalledNs = 2 * sluice::kNsPerSecond;
  static constexpr int64_t kTendNs = 100'000'000;

  T& self() { return static_cast<T&>(*this); }

  // False when the node is to stop.
  bool wait_for_device() {
    Trouble::Kind said = Trouble::Kind::kNone;
    say_state(DeviceState::kOpening);
    for (;;) {
      Trouble trouble = self().open();
      if (!trouble) trouble = pcm_.start();
      if (!trouble) break;
      pcm_.close();
      if (trouble.kind == Trouble::Kind::kUnknown && !has_sounded_) {
        throw sluice::Failure{trouble.result(), trouble.sentence};
      }
      be_silent();
      if (trouble.kind != said) {
        say_state(has_sounded_ ? DeviceState::kLost : DeviceState::kAbsent,
                  trouble.sentence + " It is waited for.");
        said = trouble.kind;
      }
      if (this->sleep_until(this->now_ns() + kLookNs) == SLUICE_ERROR_STOPPED) return false;
    }
    this->set(kPeriodFrames, pcm_.period_frames());
    this->set(kDeviceBufferFrames, pcm_.buffer_frames());
    say_state(DeviceState::kRunning, "Captures from '" + pcm_.name() + "': " + text_of(format_) +
                                         ", periods of " + std::to_string(pcm_.period_frames()) +
                                         " frames, " + std::to_string(pcm_.buffer_frames()) +
                                         " in its buffer" +
                                         (pcm_.is_mapped() ? ", in shared memory." : "."));
    // What was heard before it went away ended hard; what comes now begins softly.
    smoother_.reset(format_, has_sounded_ ? 0 : 1);
    if (has_sounded_) {
      end_silence();
      this->mark(kOut, SLUICE_MARK_DISCONTINUITY, position());
    } else {
      end_silence();
    }
    has_sounded_ = true;
    passed_frames_ = 0;
    started_ns_ = last_ns_ = this->now_ns();
    clock_.restart(format_.rate_hz);
    items_.clear();
    for (const pollfd& descriptor : pcm_.descriptors()) {
      items_.push_back(
          this->on_descriptor(descriptor.fd, static_cast<unsigned short>(descriptor.events)));
    }
    polled_ = pcm_.descriptors();
    return true;
  }

  // False when the node is to stop; true when the device is gone.
  bool stream() {
    int64_t tend_ns = 0;
    for (;;) {
      const sluice_result woken = has_no_clock()
                                      ? this->wait(this->on_output(kOut, pcm_.period_frames()))
                                      : wait_for_period();
      if (woken == SLUICE_ERROR_STOPPED) return false;
      if (woken == SLUICE_ERROR_TIMEOUT) {
        return lose("ALSA device '" + pcm_.name() + "' has handed over nothing for 2 s.");
      }
      const Pcm::State state = pcm_.state();
      if (state == Pcm::State::kGone) return lose(pcm_.trouble("be read", -ENODEV).sentence);
      if (state == Pcm::State::kSuspended) return lose("The machine has slept.");
      if (state == Pcm::State::kStopped) {
        return lose("ALSA device '" + pcm_.name() + "' was stopped by its driver.");
      }
      const int64_t frames = pcm_.available();
      if (frames == -EPIPE) {
        if (!recover()) return true;
        continue;
      }
      if (frames < 0 || !take(static_cast<uint64_t>(frames))) {
        return lose(pcm_.trouble("be read", std::min<int64_t>(frames, -ENODEV)).sentence);
      }
      if (last_ns_ >= tend_ns) {
        tend_ns = last_ns_ + kTendNs;
        self().tend(position());
      }
    }
  }

  sluice_result wait_for_period() {
    const int64_t deadline_ns = last_ns_ + kStalledNs;
    for (;;) {
      pcm_.will_be_polled();
      const sluice_result result = this->wait(items_, deadline_ns);
      if (result != SLUICE_OK) return result;
      for (size_t i = 0; i < polled_.size(); ++i) {
        polled_[i].revents = static_cast<short>(items_[i].ready);
      }
      if (pcm_.woken(polled_.data())) return SLUICE_OK;
    }
  }

  // A PCM of type null or file hands over as fast as it is read.
  bool has_no_clock() {
    const uint64_t due = sluice::frames_of_ns(last_ns_ - started_ns_, format_.rate_hz);
    return passed_frames_ > due + due / 4 + 4 * uint64_t{pcm_.buffer_frames()};
  }

  // Whole periods are taken where ALSA wakes at their ends alone: who takes a bit beyond the end of
  // one finds a bit less at the end of the next, and sleeps over it. False if the device fails.
  bool take(uint64_t frames) {
    const int64_t now_ns = this->now_ns();
    const uint32_t period = pcm_.period_frames();
    if (frames > pcm_.buffer_frames()) {
      // An xrun that goes on: what has been written over is passed over, with a period to spare.
      const uint64_t over = frames - pcm_.buffer_frames() + period;
      const int64_t passed = pcm_.pass_over((over + period - 1) / period * period);
      if (passed < 0) return false;
      count_lost(static_cast<uint64_t>(passed));
      passed_frames_ += static_cast<uint64_t>(passed);
      frames -= std::min(frames, static_cast<uint64_t>(passed));
    }
    if (clock_.passed(static_cast<double>(passed_frames_ + frames), now_ns)) publish();
    int64_t capture_ns = now_ns - sluice::ns_of_frames(frames, format_.rate_hz);
    if (frames > period && pcm_.wakes_at_periods()) frames -= frames % period;
    while (frames > 0) {
      const auto part = static_cast<uint32_t>(std::min<uint64_t>(frames, most_frames()));
      const sluice_write_span span = this->begin_write(kOut, part);
      const int64_t moved = span.frames == 0 ? 0 : pcm_.read(span.data, span.frames);
      if (moved > 0) smoother_.sound(span.data, static_cast<uint32_t>(moved));
      this->end_write(kOut, static_cast<uint32_t>(std::max<int64_t>(moved, 0)), capture_ns);
      if (moved < 0) return moved == -EPIPE && recover();
      this->add(kFrames, static_cast<uint64_t>(moved));
      passed_frames_ += static_cast<uint64_t>(moved);
      frames -= static_cast<uint64_t>(moved);
      capture_ns += sluice::ns_of_frames(static_cast<uint64_t>(moved), format_.rate_hz);
      if (moved != 0) continue;
      if (span.frames != 0 || has_no_clock()) break;
      // Nobody takes it, and a device cannot wait.
      const int64_t passed = pcm_.pass_over(frames);
      if (passed < 0) return false;
      this->drop(kOut, static_cast<uint64_t>(passed));
      passed_frames_ += static_cast<uint64_t>(passed);
      break;
    }
    last_ns_ = now_ns;
    return true;
  }

  void count_lost(uint64_t frames) {
    this->add(kXruns);
    this->add(kLostFrames, frames);
    this->drop(kOut, frames);
  }

  // After an xrun that stopped it. How much is lost, only the clock can tell.
  bool recover() {
    const int64_t now_ns = this->now_ns();
    Trouble trouble = pcm_.restart();
    if (!trouble) trouble = pcm_.start();
    if (trouble) return lose(trouble.sentence) && false;
    const uint64_t lost = sluice::frames_of_ns(now_ns - last_ns_, format_.rate_hz);
    count_lost(lost);
    passed_frames_ = 0;
    started_ns_ = last_ns_ = now_ns;
    clock_.restart(format_.rate_hz);
    return true;
  }

  bool lose(const std::string& sentence) {
    this->add(kLosses);
    be_silent();
    say_state(DeviceState::kLost, sentence);
    return true;
  }

  void publish() {
    this->set(kRatePpm, (clock_.ratio() - 1) * 1e6);
    if (clock_host_ && clock_.is_settled()) {
      clock_host_->publish(this->host(), kOut, clock_.frames(), clock_.time_ns(), clock_.ratio());
    }
  }

  const sluice_clock_host* clock_host_ = nullptr;
  Smoother smoother_;
  std::vector<sluice_wait_item> items_;
  std::vector<pollfd> polled_;
  uint64_t passed_frames_ = 0;  // of the device, since it started
  int64_t started_ns_ = 0, last_ns_ = 0;
  bool has_sounded_ = false, is_silent_ = false;
};

}  // namespace alsa
