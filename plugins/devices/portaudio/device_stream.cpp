#include "plugins/devices/portaudio/device_stream.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <sluice/describe.hpp>
#include <sluice/nearest.hpp>
#include <sluice/samples.hpp>
#include <utility>

#include "plugins/devices/portaudio/jack_calls.hpp"

namespace devices {
namespace {

using Clock = std::chrono::steady_clock;

// A device that is there again is met within half a second.
constexpr int kRetryMs = 300;
constexpr int kLookMs = 50;
// Without a callback for so long the device is gone. A busy machine is late,
// but not so late.
constexpr int kGoneMs = 700;

}  // namespace

DeviceStream::DeviceStream(Owner& owner, StreamOptions options)
    : owner_(owner),
      options_(std::move(options)),
      frame_bytes_(sluice::frame_bytes(options_.format)),
      sample_bytes_(sluice::sample_bytes(options_.format.sample_format)),
      period_(size_t{options_.buffer_frames} * frame_bytes_) {
  fade_.reset(0, options_.format.rate_hz);
  note_gain();
  gain_.reset(wanted_gain_.load(std::memory_order_relaxed), options_.format.rate_hz);
  keeper_ = std::thread([this] { keep(); });
  clock_ = std::thread([this] { follow_clock(); });
}

DeviceStream::~DeviceStream() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  wake_.notify_all();
  clock_.join();
  keeper_.join();
}

// ---- In the lane ----

int DeviceStream::callback(const void* input, void* output, unsigned long frames,
                           const PaStreamCallbackTimeInfo*, PaStreamCallbackFlags flags,
                           void* stream) {
  auto& self = *static_cast<DeviceStream*>(stream);
  // Before anything else: what the keeper has written is seen by it.
  const Driver driver = self.driver_.load(std::memory_order_acquire);
  self.callbacks_.fetch_add(1, std::memory_order_relaxed);
  const auto count = static_cast<uint32_t>(frames);
  if (output != nullptr) {
    std::memset(output, 0, size_t{count} * self.device_channels_ * self.sample_bytes_);
  }
  if ((flags & (paInputOverflow | paOutputUnderflow)) != 0) self.owner_.note_xrun();
  if (driver != Driver::kDevice || self.is_in_lane_.exchange(true, std::memory_order_acquire)) {
    return paContinue;
  }
  // The clock may have taken over meanwhile.
  if (self.driver_.load(std::memory_order_acquire) == Driver::kDevice) {
    self.run_device(static_cast<const std::byte*>(input), static_cast<std::byte*>(output), count);
  }
  self.is_in_lane_.store(false, std::memory_order_release);
  return paContinue;
}

void DeviceStream::run_device(const std::byte* input, std::byte* output, uint32_t frames) noexcept {
  if (is_new_.exchange(false, std::memory_order_relaxed)) {
    owner_.device_came();
    // Playing begins with the first frame as it is; what comes back, or is in
    // full swing, fades in.
    const bool fades = has_been_away_ || options_.direction == Direction::kCapture;
    fade_.reset(fades ? 0 : 1, options_.format.rate_hz);
    fade_.to(1);
  }
  gain_.to(wanted_gain_.load(std::memory_order_relaxed));
  while (frames != 0) {
    const uint32_t now = std::min(frames, options_.buffer_frames);
    const size_t bytes = size_t{now} * device_channels_ * sample_bytes_;
    if (options_.direction == Direction::kCapture) {
      capture(input, now);
      if (input != nullptr) input += bytes;
    } else {
      play(output, now);
      output += bytes;
    }
    frames -= now;
  }
}

void DeviceStream::capture(const std::byte* input, uint32_t frames) noexcept {
  if (input == nullptr) return owner_.run_lane(frames, nullptr, nullptr);
  std::byte* to = period_.data();
  if (options_.channel_map.empty()) {
    std::memcpy(to, input, size_t{frames} * frame_bytes_);
  } else {
    for (uint32_t frame = 0; frame < frames; ++frame) {
      for (const uint32_t channel : options_.channel_map) {
        if (channel == 0) {
          std::memset(to, 0, sample_bytes_);
        } else {
          std::memcpy(to, input + size_t{channel - 1} * sample_bytes_, sample_bytes_);
        }
        to += sample_bytes_;
      }
      input += size_t{device_channels_} * sample_bytes_;
    }
  }
  if (gain_.is_moving() || gain_.value() != 1) {
    sluice::apply_gain(gain_, period_.data(), options_.format, frames);
  }
  if (fade_.is_moving()) sluice::apply_gain(fade_, period_.data(), options_.format, frames);
  owner_.run_lane(frames, period_.data(), nullptr);
}

void DeviceStream::play(std::byte* output, uint32_t frames) noexcept {
  const bool is_mapped = !options_.channel_map.empty();
  std::byte* from = is_mapped ? period_.data() : output;
  owner_.run_lane(frames, nullptr, from);
  if (gain_.is_moving() || gain_.value() != 1) {
    sluice::apply_gain(gain_, from, options_.format, frames);
  }
  if (fade_.is_moving()) sluice::apply_gain(fade_, from, options_.format, frames);
  if (!is_mapped) return;
  for (uint32_t frame = 0; frame < frames; ++frame) {
    for (const uint32_t channel : options_.channel_map) {
      if (channel != 0) {
        std::memcpy(output + size_t{channel - 1} * sample_bytes_, from, sample_bytes_);
      }
      from += sample_bytes_;
    }
    output += size_t{device_channels_} * sample_bytes_;
  }
}

// ---- The clock in the device's place ----

void DeviceStream::follow_clock() {
  const uint32_t rate_hz = options_.format.rate_hz;
  const auto period =
      std::chrono::nanoseconds(uint64_t{options_.buffer_frames} * 1'000'000'000 / rate_hz);
  Clock::time_point due = Clock::now();
  std::unique_lock lock(mutex_);
  while (!is_stopping_) {
    if (driver_.load(std::memory_order_relaxed) != Driver::kClock) {
      wake_.wait(lock);
      due = Clock::now();
      continue;
    }
    due += period;
    if (wake_.wait_until(lock, due) != std::cv_status::timeout) continue;
    lock.unlock();
    if (!is_in_lane_.exchange(true, std::memory_order_acquire)) {
      if (driver_.load(std::memory_order_relaxed) == Driver::kClock) {
        has_been_away_ = true;
        if (is_new_.exchange(false, std::memory_order_relaxed)) owner_.device_went();
        const bool plays = options_.direction == Direction::kPlayback;
        owner_.run_lane(options_.buffer_frames, nullptr, plays ? period_.data() : nullptr);
      }
      is_in_lane_.store(false, std::memory_order_release);
    }
    lock.lock();
  }
}

// ---- The keeper ----

void DeviceStream::drive_by(Driver driver) {
  if (driver_.load(std::memory_order_relaxed) == driver) return;
  {
    const std::lock_guard lock(mutex_);
    is_new_.store(true, std::memory_order_relaxed);
    driver_.store(driver, std::memory_order_release);
  }
  wake_.notify_all();
}

// False if it is time to stop.
bool DeviceStream::rest(int milliseconds) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, std::chrono::milliseconds(milliseconds), [this] { return is_stopping_; });
  return !is_stopping_;
}

void DeviceStream::keep() {
  for (bool goes_on = true; goes_on;) {
    if (stream_ == nullptr) {
      if (!open()) {
        drive_by(Driver::kClock);
        goes_on = rest(kRetryMs);
      }
      continue;
    }
    goes_on = rest(kLookMs);
    note_gain();
    if (!goes_on || is_alive()) continue;
    drive_by(Driver::kClock);
    owner_.be(State::kLost, gone_sentence());
    close(false);
  }
  drive_by(Driver::kNobody);
  close(stream_ != nullptr && is_alive());
}

void DeviceStream::note_gain() {
  wanted_gain_.store(sluice::from_db(owner_.gain_db()), std::memory_order_relaxed);
}

const char* DeviceStream::gone_sentence() const {
  return is_jack_ ? "The JACK server is gone; Sluice waits for it."
                  : "The device is gone; Sluice waits for it.";
}

bool DeviceStream::is_alive() {
  if (is_jack_ && has_jack_died()) return false;
  const uint64_t callbacks = callbacks_.load(std::memory_order_relaxed);
  quiet_ms_ = callbacks == std::exchange(seen_callbacks_, callbacks) ? quiet_ms_ + kLookMs : 0;
  return quiet_ms_ < kGoneMs && Pa_IsStreamActive(stream_) == 1;
}

bool DeviceStream::open() {
  const std::lock_guard port_audio(port_audio_lock());
  session_ = std::make_unique<Session>();
  if (const std::string trouble = session_->trouble(); !trouble.empty()) {
    refuse(trouble);
    return false;
  }
  const std::vector<Device> found = devices(options_.direction);
  const Device* const device = find(found, options_.device);
  if (device == nullptr) {
    // That it is gone has been said.
    refuse(was_running_ ? gone_sentence() : missing_sentence(found));
    return false;
  }
  is_jack_ = device->is_jack;
  if (!was_running_) owner_.be(State::kOpening, {});

  uint32_t channels = options_.format.channels;
  if (!options_.channel_map.empty()) {
    channels = *std::max_element(options_.channel_map.begin(), options_.channel_map.end());
  }
  device_channels_ = std::max(channels, 1u);
  const bool plays = options_.direction == Direction::kPlayback;
  const double buffer_s = static_cast<double>(options_.buffer_frames) / options_.format.rate_hz;
  // On top of the buffer that is handed over; room for more of what was captured delays nothing.
  double latency_s = plays ? buffer_s : 2.0 * buffer_s;
  if (options_.latency_ms > 0) latency_s = options_.latency_ms * 1e-3;
  const PaStreamParameters parameters{device->index, static_cast<int>(device_channels_),
                                      sample_format(options_.format.sample_format), latency_s,
                                      nullptr};
  PaError error =
      Pa_OpenStream(&stream_, plays ? nullptr : &parameters, plays ? &parameters : nullptr,
                    options_.format.rate_hz, options_.buffer_frames, paDitherOff, callback, this);
  if (error == paNoError) {
    seen_callbacks_ = callbacks_.load(std::memory_order_relaxed);
    quiet_ms_ = 0;
    drive_by(Driver::kDevice);
    error = Pa_StartStream(stream_);
    if (error != paNoError) Pa_CloseStream(stream_);
  }
  if (error != paNoError) {
    stream_ = nullptr;
    refuse(refusal(error, *device, device_channels_));
    return false;
  }
  if (const PaStreamInfo* info = Pa_GetStreamInfo(stream_)) {
    latency_s_ = info->outputLatency;
    owner_.granted(*info);
  }
  was_running_ = true;
  owner_.be(State::kRunning, (plays ? "Playing on " : "Capturing from ") + device->selector + ".");
  return true;
}

void DeviceStream::refuse(const std::string& sentence) {
  session_.reset();
  owner_.be(was_running_ ? State::kLost : State::kAbsent, sentence);
}

void DeviceStream::close(bool plays_out) {
  // Not trusted to Pa_StopStream: it cuts off what a plugin of ALSA's still holds.
  if (plays_out && options_.direction == Direction::kPlayback) {
    std::this_thread::sleep_for(std::chrono::duration<double>(std::min(latency_s_, 2.0)));
  }
  const std::lock_guard port_audio(port_audio_lock());
  if (stream_ != nullptr) {
    Pa_AbortStream(stream_);
    Pa_CloseStream(std::exchange(stream_, nullptr));
  }
  session_.reset();
}

std::string DeviceStream::missing_sentence(const std::vector<Device>& found) const {
  const bool plays = options_.direction == Direction::kPlayback;
  const std::string kind = plays ? "playback" : "capture";
  if (found.empty()) {
    return "There is no " + kind +
           " device: is one plugged in, and is this user in the group audio? "
           "Sluice waits for it.";
  }
  if (options_.device.empty()) {
    return "There is no default " + kind + " device; name one in `device`. Sluice waits for it.";
  }
  std::vector<std::string> names;
  names.reserve(found.size());
  for (const Device& device : found) names.push_back(device.selector);
  return "There is no " + kind + " device \"" + options_.device + "\"" +
         sluice::did_you_mean(options_.device, names) + " Sluice waits for it.";
}

std::string DeviceStream::refusal(PaError error, const Device& device, uint32_t channels) const {
  const std::string name = device.selector;
  switch (error) {
    case paInvalidChannelCount:
      return name + " has " + std::to_string(device.channels) + " channels, not " +
             std::to_string(channels) + ": set `channels` or `channel_map`.";
    case paInvalidSampleRate:
      return name + " does not run at " + std::to_string(options_.format.rate_hz) +
             " Hz: set `rate_hz` to " + std::to_string(device.rate_hz) + ".";
    case paSampleFormatNotSupported:
      return name +
             " does not take this sample format; put a filter.convert in "
             "front of it.";
    case paDeviceUnavailable:
      return name +
             " is in use by another program, or this user may not open it "
             "(group audio); "
             "Sluice goes on trying.";
    default:
      return name + " cannot be opened (" + error_text(error) + "); Sluice goes on trying.";
  }
}

}  // namespace devices
