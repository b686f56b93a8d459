// PortAudio, which is one for the whole process and not thread safe: whoever
// calls it holds its lock. [control]
#pragma once

#include <portaudio.h>
#include <sluice/plugin.h>

#include <mutex>
#include <string>
#include <vector>

namespace devices {

// Taken around every call of PortAudio but those for a running stream's time
// and state.
std::mutex& port_audio_lock();

// As long as one of these lives PortAudio is initialised, and its list of
// devices stays as it was when the first of them was made. With the lock held.
class Session {
 public:
  Session();
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  // A sentence that says why there is nothing to use; empty otherwise.
  const std::string& trouble() const { return trouble_; }

 private:
  std::string trouble_;
};

enum class Direction { kCapture, kPlayback };

struct Device {
  PaDeviceIndex index = paNoDevice;
  // "ALSA:HDA Intel: ALC257 Analog", "JACK:system": the host API and the
  // device's name without the number of its card, which may be another one
  // after the next boot. Of several with one name the second has " #2" behind
  // it.
  std::string selector;
  std::string name, system;
  bool is_jack = false;
  uint32_t channels = 0, rate_hz = 0;
  double low_latency_s = 0;
  bool is_default = false;
};

// All that can capture, or play; nothing of a JACK server that has died. With a session.
std::vector<Device> devices(Direction direction);

// The one with that selector, or the only one with that name; "" is the
// default. Null if there is none.
const Device* find(const std::vector<Device>& devices, const std::string& wanted);

// What PortAudio, or the system below it, says about an error, without a full
// stop.
std::string error_text(PaError error);

PaSampleFormat sample_format(sluice_sample_format format);

}  // namespace devices
