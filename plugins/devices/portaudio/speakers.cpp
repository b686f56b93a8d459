// sink.speakers and source.device: any sound device that PortAudio reaches.
#include <atomic>
#include <memory>
#include <sluice/sluice.hpp>
#include <string>
#include <vector>

#include "plugins/devices/portaudio/device_stream.hpp"
#include "plugins/devices/portaudio/port_audio.hpp"

namespace {

using devices::Direction;
using devices::State;

enum Parameter : uint32_t {
  kDevice,
  kRateHz,
  kChannels,
  kBufferFrames,
  kLatencyMs,
  kGainDb,
  kChannelMap
};
enum Statistic : uint32_t {
  kState,
  kFrames,
  kOpens,
  kLosses,
  kXruns,
  kGrantedLatencyMs,
  kGrantedRateHz
};
constexpr sluice_statistic kStreamStatistics[] = {
    sluice::gauge("device_state", nullptr, "0: absent. 1: opening. 2: running. 3: lost."),
    sluice::counter("frames", "frames", "Frames that the device took or gave."),
    sluice::counter("opens", nullptr, "How often the device was opened."),
    sluice::counter("losses", nullptr, "How often it was lost."),
    sluice::counter("xruns", nullptr,
                    "How often the device had too few frames, or had to throw some away."),
    sluice::gauge("granted_latency_ms", "ms", "The device's own latency, as it says itself."),
    sluice::gauge("granted_rate_hz", "Hz", "The rate the device runs at, as it says itself.")};

// What both have in common. T has kDirection.
template <typename T>
class DeviceNode : public sluice::Device<T>, public devices::Owner {
 public:
  static void list_devices(const sluice::DeviceListing& listing) {
    const std::lock_guard lock(devices::port_audio_lock());
    const devices::Session session;
    if (!session.trouble().empty()) return listing.remark(session.trouble());
    const std::vector<devices::Device> found = devices::devices(T::kDirection);
    for (const devices::Device& device : found) {
      listing.device({.parameter = "device",
                      .selector = device.selector,
                      .name = device.name,
                      .system = device.system,
                      .is_default = device.is_default,
                      .channels = device.channels,
                      .rate_hz = device.rate_hz,
                      .latency_ms = 1e3 * device.low_latency_s});
    }
    if (found.empty()) {
      listing.remark(
          "There is no such device: is one plugged in, is this user "
          "in the group audio?");
    }
  }

  void describe(uint32_t, const sluice_format*, sluice_port_info& info) {
    const uint32_t channels = this->integer(kChannels);
    const uint32_t rate_hz = this->integer(kRateHz);
    offer_ = sluice::offer(SLUICE_SAMPLE_ANY, SLUICE_SAMPLE_UNSET, channels == 0 ? 1 : channels,
                           channels == 0 ? SLUICE_MAX_CHANNELS : channels,
                           rate_hz == 0 ? SLUICE_MIN_RATE_HZ : rate_hz,
                           rate_hz == 0 ? SLUICE_MAX_RATE_HZ : rate_hz);
    clock_id_ =
        "portaudio:" + (this->text(kDevice).empty() ? "default" : std::string(this->text(kDevice)));
    info.offers = &offer_;
    info.offer_count = 1;
    info.clock_id = clock_id_.c_str();
  }

  void prepare(sluice::Setup& setup) {
    if (setup.is_offline()) {
      throw sluice::Failure{SLUICE_ERROR_UNSUPPORTED,
                            "A sound device works in real time alone: use 'sluice run'."};
    }
    options_ = {.direction = T::kDirection,
                .device = std::string(this->text(kDevice)),
                .format = setup.format(),
                .buffer_frames = this->integer(kBufferFrames),
                .latency_ms = this->number(kLatencyMs),
                .channel_map = {}};
    for (const double channel : this->list(kChannelMap)) {
      options_.channel_map.push_back(static_cast<uint32_t>(channel));
    }
    if (!options_.channel_map.empty() && options_.channel_map.size() != options_.format.channels) {
      throw sluice::Failure{SLUICE_ERROR_ARGUMENT,
                            "`channel_map` names " + std::to_string(options_.channel_map.size()) +
                                " channels of the device, and the audio has " +
                                std::to_string(options_.format.channels) + ": name one for each."};
    }
    setup.port(0).max_block_frames = devices::DeviceStream::most_frames(options_.buffer_frames);
    if (T::kDirection == Direction::kPlayback) {
      setup.port(0).target_ms = 2e3 * options_.buffer_frames / options_.format.rate_hz;
      setup.port(0).latency_frames =
          options_.latency_ms > 0
              ? sluice::frames_of_ms(options_.latency_ms, options_.format.rate_hz)
              : options_.buffer_frames;
    }
  }

  void start() {
    this->set_state(SLUICE_STATE_STARTING);
    stream_ = std::make_unique<devices::DeviceStream>(*this, options_);
  }
  void stop() noexcept { stream_.reset(); }

  // Of devices::Owner.
  void run_lane(uint32_t frames, const void* captured, void* played) noexcept final {
    const sluice_cycle period{sizeof(sluice_cycle), frames, this->now_ns(), &captured, &played};
    this->cycle(period);
    if (has_device_) this->add(kFrames, frames);
  }
  void device_came() noexcept final { has_device_ = true; }
  void device_went() noexcept final { has_device_ = false; }
  void be(State state, const std::string& sentence) final {
    constexpr uint32_t kStates[] = {SLUICE_STATE_WAITING, SLUICE_STATE_STARTING,
                                    SLUICE_STATE_RUNNING, SLUICE_STATE_LOST};
    this->set(kState, static_cast<double>(state));
    if (state == State::kRunning) this->add(kOpens);
    if (state == State::kLost && state_ == State::kRunning) this->add(kLosses);
    state_ = state;
    this->set_state(kStates[static_cast<size_t>(state)], sentence);
  }
  void granted(const PaStreamInfo& info) final {
    const bool plays = T::kDirection == Direction::kPlayback;
    this->set(kGrantedLatencyMs, 1e3 * (plays ? info.outputLatency : info.inputLatency));
    this->set(kGrantedRateHz, info.sampleRate);
  }
  void note_xrun() noexcept final { this->add(kXruns); }
  double gain_db() const noexcept final { return this->number(kGainDb); }

 protected:
  bool has_device_ = false;  // in the lane

 private:
  sluice_format_offer offer_{};
  std::string clock_id_;
  devices::StreamOptions options_;
  State state_ = State::kAbsent;  // the keeper's
  std::unique_ptr<devices::DeviceStream> stream_;
};

constexpr const char* kMapText =
    "For each channel of the audio the channel of the device, counted from 1; "
    "0: none. Empty: in "
    "their order.";
constexpr const char* kGainText = "How much louder or softer.";

class SinkSpeakers final : public DeviceNode<SinkSpeakers> {
 public:
  static constexpr Direction kDirection = Direction::kPlayback;
  static constexpr sluice::Info kInfo{
      "sink.speakers", "Speakers",
      "Plays on a sound device, by PortAudio: ALSA, JACK or OSS. A device that "
      "is unplugged or whose "
      "server ends keeps its place in the graph: the rest plays on, and when "
      "it is back it is "
      "opened again and fades in."};
  static constexpr sluice_parameter kParameters[] = {
      sluice::claiming(sluice::text("device", "",
                                    "The device, as `sluice devices sink.speakers` lists it; "
                                    "empty: the default."),
                       "playback device"),
      sluice::integer("rate_hz", "Hz", 0, SLUICE_MAX_RATE_HZ, 0,
                      "Frames per second; 0: those of the audio."),
      sluice::integer("channels", nullptr, 0, SLUICE_MAX_CHANNELS, 0,
                      "Number of channels; 0: those of the audio."),
      sluice::integer("buffer_frames", "frames", 16, 16384, 512,
                      "Frames handed to the device at once."),
      sluice::number("latency_ms", "ms", 0, 2000, 0,
                     "What the device is to hold beside the frames that are handed to it; 0: as "
                     "many again. See granted_latency_ms."),
      sluice::number("gain_db", "dB", -144, 24, 0, kGainText, sluice::kLive),
      sluice::list("channel_map", nullptr, 0, SLUICE_MAX_CHANNELS, kMapText)};
  static constexpr const auto& kStatistics = kStreamStatistics;
  static constexpr sluice_port kPorts[] = {sluice::input("in", "What is played.", sluice::kOfferAny,
                                                         SLUICE_PORT_LIVE, SLUICE_CLOCK_DEVICE)};
};

class SourceDevice final : public DeviceNode<SourceDevice> {
 public:
  static constexpr Direction kDirection = Direction::kCapture;
  static constexpr sluice::Info kInfo{
      "source.device", "Sound device",
      "Captures from a sound device, such as a microphone, by PortAudio: ALSA, "
      "JACK or OSS. A device "
      "that is unplugged or whose server ends keeps its place in the graph: "
      "the rest plays on, and "
      "when it is back it is opened again and fades in."};
  static constexpr sluice_parameter kParameters[] = {
      sluice::claiming(sluice::text("device", "",
                                    "The device, as `sluice devices source.device` lists it; "
                                    "empty: the default."),
                       "capture device"),
      sluice::integer("rate_hz", "Hz", SLUICE_MIN_RATE_HZ, SLUICE_MAX_RATE_HZ, 48000,
                      "Frames per second."),
      sluice::integer("channels", nullptr, 1, SLUICE_MAX_CHANNELS, 2, "Number of channels."),
      sluice::integer("buffer_frames", "frames", 16, 16384, 512,
                      "Frames taken from the device at once."),
      sluice::number("latency_ms", "ms", 0, 2000, 0,
                     "What the device can hold beside the frames that are taken from it; 0: twice "
                     "as many. See granted_latency_ms."),
      sluice::number("gain_db", "dB", -144, 24, 0, kGainText, sluice::kLive),
      sluice::list("channel_map", nullptr, 0, SLUICE_MAX_CHANNELS, kMapText)};
  static constexpr const auto& kStatistics = kStreamStatistics;
  static constexpr sluice_port kPorts[] = {sluice::output(
      "out", "What is captured.", sluice::kOfferAny, SLUICE_PORT_LIVE, SLUICE_CLOCK_DEVICE)};
};

}  // namespace

SLUICE_PLUGIN("Sound devices", "1.0.0", "Sluice", "MIT", SinkSpeakers, SourceDevice);
