#include "pcm.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <sluice/describe.hpp>
#include <string_view>
#include <utility>

namespace alsa {
namespace {

constexpr int kAsItIs =
    SND_PCM_NO_AUTO_RESAMPLE | SND_PCM_NO_AUTO_CHANNELS | SND_PCM_NO_AUTO_FORMAT;
// How snd-aloop calls its PCMs (sound/drivers/aloop.c).
constexpr const char* kLoopbackPcm = "Loopback PCM";

// Of a period that hardware captures.
constexpr uint32_t kParts = 4;
constexpr uint32_t kLeastPartFrames = 64;

}  // namespace

Trouble Pcm::open(const std::string& name, Direction direction) {
  const Hush hush;
  close();
  name_ = name;
  direction_ = direction;
  const auto stream =
      direction == Direction::kCapture ? SND_PCM_STREAM_CAPTURE : SND_PCM_STREAM_PLAYBACK;
  for (const int mode : {SND_PCM_NONBLOCK | kAsItIs, SND_PCM_NONBLOCK}) {
    const int error = snd_pcm_open(&pcm_, name.c_str(), stream, mode);
    if (error < 0) {
      pcm_ = nullptr;
      return opening_trouble(name, direction, error);
    }
    offered_ = offered_by(pcm_);
    if (offered_.formats != 0) return {};
    if (mode & kAsItIs) close();
  }
  Trouble trouble{Trouble::Kind::kFormat, "ALSA device '" + name + "' offers " + offered_.text() +
                                              " alone, which Sluice does not speak; try plug" +
                                              name + "."};
  close();
  return trouble;
}

void Pcm::close() noexcept {
  if (pcm_) snd_pcm_close(std::exchange(pcm_, nullptr));
  descriptors_.clear();
}

std::string Pcm::clock_id() const {
  snd_pcm_info_t* info = nullptr;
  snd_pcm_info_alloca(&info);
  if (!pcm_ || snd_pcm_info(pcm_, info) < 0 || snd_pcm_info_get_card(info) < 0) return name_;
  const std::string card = card_id(std::to_string(snd_pcm_info_get_card(info)));
  if (card.empty()) return name_;
  if (std::string_view(snd_pcm_info_get_id(info)) != kLoopbackPcm) return "hw:" + card;
  // What one device plays the other captures.
  const unsigned device = snd_pcm_info_get_device(info);
  const unsigned player = direction_ == Direction::kPlayback ? device : 1 - device;
  return "hw:" + card + "," + std::to_string(player) + "," +
         std::to_string(snd_pcm_info_get_subdevice(info));
}

Trouble Pcm::set_up(const sluice_format& format, uint32_t period_frames, uint32_t periods) {
  const Hush hush;
  if (!offered_.has(format)) {
    return {Trouble::Kind::kFormat, "ALSA device '" + name_ + "' does not offer " +
                                        text_of(format) + "; it offers " + offered_.text() + "."};
  }
  snd_pcm_hw_params_t* hardware = nullptr;
  snd_pcm_hw_params_alloca(&hardware);
  snd_pcm_hw_params_any(pcm_, hardware);
  snd_pcm_hw_params_set_rate_resample(pcm_, hardware, 0);
  is_mapped_ = snd_pcm_hw_params_set_access(pcm_, hardware, SND_PCM_ACCESS_MMAP_INTERLEAVED) == 0;
  if (!is_mapped_) {
    if (const int error =
            snd_pcm_hw_params_set_access(pcm_, hardware, SND_PCM_ACCESS_RW_INTERLEAVED);
        error < 0) {
      return trouble("be read or written in interleaved frames", error);
    }
  }
  // A driver looks at the end of its periods alone whether there is enough to wake for. What was
  // read a bit late leaves a bit less than a period for the next end, and that would be slept over.
  const bool is_divided = direction_ == Direction::kCapture &&
                          snd_pcm_type(pcm_) == SND_PCM_TYPE_HW &&
                          period_frames / kParts >= kLeastPartFrames;
  snd_pcm_uframes_t period = is_divided ? period_frames / kParts : period_frames;
  snd_pcm_uframes_t buffer = snd_pcm_uframes_t{period_frames} * periods;
  unsigned count = periods;
  int error = snd_pcm_hw_params_set_format(pcm_, hardware, alsa_format(format.sample_format));
  if (error >= 0) error = snd_pcm_hw_params_set_channels(pcm_, hardware, format.channels);
  if (error >= 0) error = snd_pcm_hw_params_set_rate(pcm_, hardware, format.rate_hz, 0);
  if (error >= 0) error = snd_pcm_hw_params_set_period_size_near(pcm_, hardware, &period, nullptr);
  if (error >= 0 && is_divided) {
    error = snd_pcm_hw_params_set_buffer_size_near(pcm_, hardware, &buffer);
  } else if (error >= 0) {
    error = snd_pcm_hw_params_set_periods_near(pcm_, hardware, &count, nullptr);
  }
  if (error >= 0) error = snd_pcm_hw_params(pcm_, hardware);
  if (error < 0) {
    return {Trouble::Kind::kFormat, "ALSA device '" + name_ + "' takes " + text_of(format) +
                                        " by itself but not in periods of " +
                                        std::to_string(period_frames) +
                                        " frames: " + snd_strerror(error) + "."};
  }
  snd_pcm_hw_params_get_period_size(hardware, &period, nullptr);
  snd_pcm_hw_params_get_buffer_size(hardware, &buffer);
  const snd_pcm_uframes_t parts =
      is_divided ? std::clamp<snd_pcm_uframes_t>(period_frames / period, 1, buffer / 2 / period)
                 : 1;
  parts_ = static_cast<uint32_t>(std::max<snd_pcm_uframes_t>(parts, 1));
  period_frames_ = static_cast<uint32_t>(period) * parts_;
  buffer_frames_ = static_cast<uint32_t>(buffer);
  frame_bytes_ = sluice::frame_bytes(format);

  // It never stops for an xrun: how much is lost is then known to the frame, and a playback that
  // has run dry plays zeros.
  snd_pcm_sw_params_t* software = nullptr;
  snd_pcm_sw_params_alloca(&software);
  snd_pcm_sw_params_current(pcm_, software);
  snd_pcm_uframes_t boundary = 0;
  snd_pcm_sw_params_get_boundary(software, &boundary);
  snd_pcm_sw_params_set_avail_min(pcm_, software,
                                  parts_ > 1 ? period_frames_ - period / 2 : period);
  snd_pcm_sw_params_set_start_threshold(pcm_, software, boundary);
  snd_pcm_sw_params_set_stop_threshold(pcm_, software, boundary);
  if (direction_ == Direction::kPlayback) {
    snd_pcm_sw_params_set_silence_threshold(pcm_, software, 0);
    snd_pcm_sw_params_set_silence_size(pcm_, software, boundary);
  }
  if (error = snd_pcm_sw_params(pcm_, software); error < 0) {
    return trouble("be set up", error);
  }
  const int count_of_descriptors = snd_pcm_poll_descriptors_count(pcm_);
  descriptors_.assign(static_cast<size_t>(std::max(count_of_descriptors, 0)), pollfd{});
  snd_pcm_poll_descriptors(pcm_, descriptors_.data(), static_cast<unsigned>(descriptors_.size()));
  return restart();
}

void Pcm::will_be_polled() {
  if (snd_pcm_type(pcm_) == SND_PCM_TYPE_HW) return;
  snd_pcm_poll_descriptors(pcm_, descriptors_.data(), static_cast<unsigned>(descriptors_.size()));
}

void Pcm::wake_for(uint32_t room_frames) {
  snd_pcm_sw_params_t* software = nullptr;
  snd_pcm_sw_params_alloca(&software);
  if (snd_pcm_sw_params_current(pcm_, software) < 0) return;
  snd_pcm_sw_params_set_avail_min(pcm_, software, room_frames);
  snd_pcm_sw_params(pcm_, software);
}

Trouble Pcm::start() {
  const Hush hush;
  const int error = snd_pcm_start(pcm_);
  return error < 0 ? trouble("start", error) : Trouble{};
}

Trouble Pcm::restart() {
  const Hush hush;
  const int error = snd_pcm_prepare(pcm_);
  return error < 0 ? trouble("be prepared", error) : Trouble{};
}

bool Pcm::woken(pollfd* answered) {
  unsigned short events = 0;
  snd_pcm_poll_descriptors_revents(pcm_, answered, static_cast<unsigned>(descriptors_.size()),
                                   &events);
  return events != 0;
}

Pcm::State Pcm::state() const {
  switch (snd_pcm_state(pcm_)) {
    case SND_PCM_STATE_RUNNING:
    case SND_PCM_STATE_PAUSED:
      return State::kRunning;
    case SND_PCM_STATE_XRUN:
      return State::kXrun;
    case SND_PCM_STATE_SUSPENDED:
      return State::kSuspended;
    case SND_PCM_STATE_DISCONNECTED:
      return State::kGone;
    default:
      return State::kStopped;
  }
}

int64_t Pcm::available() { return snd_pcm_avail_update(pcm_); }

int64_t Pcm::available_now() { return snd_pcm_avail(pcm_); }

int64_t Pcm::delay_frames() {
  snd_pcm_sframes_t delay = 0;
  return snd_pcm_delay(pcm_, &delay) < 0 ? -1 : int64_t{delay};
}

template <typename Copy>
int64_t Pcm::through_map(uint32_t frames, Copy copy) {
  int64_t done = 0;
  while (done < frames) {
    const snd_pcm_channel_area_t* areas = nullptr;
    snd_pcm_uframes_t offset = 0;
    snd_pcm_uframes_t part = frames - static_cast<uint32_t>(done);
    const int error = snd_pcm_mmap_begin(pcm_, &areas, &offset, &part);
    if (error < 0) return done > 0 ? done : error;
    if (part == 0) break;
    copy(static_cast<std::byte*>(areas[0].addr) + areas[0].first / 8 + offset * frame_bytes_,
         static_cast<size_t>(done) * frame_bytes_, part * frame_bytes_);
    const snd_pcm_sframes_t moved = snd_pcm_mmap_commit(pcm_, offset, part);
    if (moved < 0) return done > 0 ? done : int64_t{moved};
    done += moved;
  }
  return done;
}

int64_t Pcm::read(void* frames_to, uint32_t frames) {
  if (!is_mapped_) {
    const snd_pcm_sframes_t moved = snd_pcm_readi(pcm_, frames_to, frames);
    return moved == -EAGAIN ? 0 : int64_t{moved};
  }
  return through_map(frames, [&](const std::byte* device, size_t at, size_t bytes) {
    std::memcpy(static_cast<std::byte*>(frames_to) + at, device, bytes);
  });
}

int64_t Pcm::write(const void* frames_from, uint32_t frames) {
  if (!is_mapped_) {
    const snd_pcm_sframes_t moved = snd_pcm_writei(pcm_, frames_from, frames);
    return moved == -EAGAIN ? 0 : int64_t{moved};
  }
  return through_map(frames, [&](std::byte* device, size_t at, size_t bytes) {
    std::memcpy(device, static_cast<const std::byte*>(frames_from) + at, bytes);
  });
}

int64_t Pcm::pass_over(uint64_t frames) { return snd_pcm_forward(pcm_, frames); }

void Pcm::drain() {
  const Hush hush;
  snd_pcm_drain(pcm_);
}

bool Pcm::is_drained() const { return snd_pcm_state(pcm_) != SND_PCM_STATE_DRAINING; }

}  // namespace alsa
