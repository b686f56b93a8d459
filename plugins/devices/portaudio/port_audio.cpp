#include "plugins/devices/portaudio/port_audio.hpp"

#include <alsa/asoundlib.h>
#include <jack/jack.h>
#include <pa_jack.h>

#include <algorithm>
#include <string_view>

#include "plugins/devices/portaudio/jack_calls.hpp"

namespace devices {
namespace {

void say_nothing(const char*, int, const char*, int, const char*, ...) {}
void say_nothing(const char*) {}

// Looking for devices, ALSA and JACK complain on stderr about each that is not
// there.
class Silence {
 public:
  Silence() {
    snd_lib_error_set_handler(say_nothing);
    jack_set_error_function(say_nothing);
    jack_set_info_function(say_nothing);
  }
  ~Silence() { snd_lib_error_set_handler(nullptr); }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;
};

// " (hw:1,0)" behind a name of ALSA's: the number of the card in the order it
// was found.
std::string without_card_number(std::string_view name) {
  const size_t at = name.rfind(" (hw:");
  return std::string(at == std::string_view::npos ? name : name.substr(0, at));
}

std::string short_name(const PaHostApiInfo& api) { return api.type == paJACK ? "JACK" : api.name; }

}  // namespace

std::mutex& port_audio_lock() {
  static std::mutex lock;
  return lock;
}

Session::Session() {
  const Silence silence;
  // PortAudio 19.6 ends the program where it finds not one.
  snd_config_t* pcms = nullptr;
  if (snd_config_update() < 0 || snd_config_search(snd_config, "pcm", &pcms) < 0) {
    trouble_ =
        "ALSA has no configuration that can be read: see ALSA_CONFIG_PATH and "
        "/usr/share/alsa/alsa.conf.";
    return;
  }
  PaJack_SetClientName("Sluice");
  const PaError error = Pa_Initialize();
  if (error != paNoError) trouble_ = "PortAudio cannot be used: " + error_text(error) + ".";
}
Session::~Session() {
  if (!trouble_.empty()) return;
  const Silence silence;
  Pa_Terminate();
}

std::vector<Device> devices(Direction direction) {
  const bool plays = direction == Direction::kPlayback;
  const PaDeviceIndex standard = plays ? Pa_GetDefaultOutputDevice() : Pa_GetDefaultInputDevice();
  std::vector<Device> found;
  for (PaDeviceIndex i = 0; i < Pa_GetDeviceCount(); ++i) {
    const PaDeviceInfo* const info = Pa_GetDeviceInfo(i);
    const int channels = plays ? info->maxOutputChannels : info->maxInputChannels;
    if (channels <= 0) continue;
    const bool is_jack = Pa_GetHostApiInfo(info->hostApi)->type == paJACK;
    if (is_jack && has_jack_died()) continue;
    const std::string system = short_name(*Pa_GetHostApiInfo(info->hostApi));
    const std::string plain = system + ":" + without_card_number(info->name);
    std::string selector = plain;
    for (int number = 2;
         std::any_of(found.begin(), found.end(),
                     [&](const Device& other) { return other.selector == selector; });
         ++number) {
      selector = plain + " #" + std::to_string(number);
    }
    found.push_back(
        {.index = i,
         .selector = std::move(selector),
         .name = info->name,
         .system = system,
         .is_jack = is_jack,
         .channels = static_cast<uint32_t>(channels),
         .rate_hz = static_cast<uint32_t>(info->defaultSampleRate),
         .low_latency_s = plays ? info->defaultLowOutputLatency : info->defaultLowInputLatency,
         .is_default = i == standard});
  }
  return found;
}

const Device* find(const std::vector<Device>& devices, const std::string& wanted) {
  const Device* named = nullptr;
  bool is_only = true;
  for (const Device& device : devices) {
    if (wanted.empty() ? device.is_default : device.selector == wanted) return &device;
    if (device.selector.substr(device.selector.find(':') + 1) == wanted) {
      is_only = named == nullptr;
      named = &device;
    }
  }
  return is_only ? named : nullptr;
}

std::string error_text(PaError error) {
  const PaHostErrorInfo* const host = Pa_GetLastHostErrorInfo();
  if (error == paUnanticipatedHostError && host != nullptr && host->errorText != nullptr &&
      *host->errorText != '\0') {
    return host->errorText;
  }
  return Pa_GetErrorText(error);
}

PaSampleFormat sample_format(sluice_sample_format format) {
  switch (format) {
    case SLUICE_SAMPLE_S16:
      return paInt16;
    case SLUICE_SAMPLE_S24:
      return paInt24;
    case SLUICE_SAMPLE_S32:
      return paInt32;
    default:
      return paFloat32;
  }
}

}  // namespace devices
