#include "plugins/devices/portaudio/jack_calls.hpp"

#include <dlfcn.h>
#include <jack/jack.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#define SLUICE_EXPORTED __attribute__((visibility("default")))

namespace {

// libjack's own function of that name.
template <typename Function>
Function* jacks_own(const char* name) {
  static void* const library = dlopen("libjack.so.0", RTLD_LAZY | RTLD_NOLOAD);
  return reinterpret_cast<Function*>(dlsym(library, name));
}

// In place of a server that has died: calls the client's process function period by period, so that
// whoever waits for that goes on.
class StandIn {
 public:
  StandIn() = default;
  ~StandIn() { end(); }
  StandIn(const StandIn&) = delete;
  StandIn& operator=(const StandIn&) = delete;

  // The client that is watched, before it is activated. [control]
  void watch(jack_client_t* client, JackProcessCallback process, void* argument) {
    end();
    const std::lock_guard lock(mutex_);
    client_ = client;
    process_ = process;
    argument_ = argument;
    is_dead_.store(false);
    is_ending_ = false;
    jacks_own<decltype(jack_on_shutdown)>("jack_on_shutdown")(client, died, this);
  }

  bool is_dead(const jack_client_t* client) const { return client == client_ && is_dead_.load(); }
  bool is_dead() const { return is_dead_.load(); }
  float* buffer() { return buffer_.data(); }

  // No call comes any more. [control]
  void end() {
    {
      const std::lock_guard lock(mutex_);
      is_ending_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

 private:
  // In a thread of libjack's.
  static void died(void* self) { static_cast<StandIn*>(self)->begin(); }
  void begin() {
    const std::lock_guard begins(mutex_);
    if (is_ending_ || is_dead_.load()) return;
    const jack_nframes_t frames = jack_get_buffer_size(client_);
    const jack_nframes_t rate_hz = jack_get_sample_rate(client_);
    buffer_.assign(frames, 0.0F);
    is_dead_.store(true);
    // Without one there is nothing to call, and nobody waits.
    if (rate_hz == 0) return;
    thread_ = std::thread([this, frames, rate_hz] {
      const auto period = std::chrono::nanoseconds(1'000'000'000ULL * frames / rate_hz);
      std::unique_lock lock(mutex_);
      // The first period is libjack's, whose own thread may be in it.
      while (!wake_.wait_for(lock, period, [this] { return is_ending_; })) {
        process_(frames, argument_);
      }
    });
  }

  jack_client_t* client_ = nullptr;
  JackProcessCallback process_ = nullptr;
  void* argument_ = nullptr;
  std::vector<float> buffer_;
  std::atomic<bool> is_dead_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  // Guarded by mutex_.
  bool is_ending_ = true;
  std::thread thread_;
};

StandIn& stand_in() {
  static StandIn one;
  return one;
}

}  // namespace

namespace devices {

bool has_jack_died() noexcept { return stand_in().is_dead(); }

}  // namespace devices

extern "C" {

SLUICE_EXPORTED int jack_set_process_callback(jack_client_t* client, JackProcessCallback process,
                                              void* argument) {
  stand_in().watch(client, process, argument);
  return jacks_own<decltype(jack_set_process_callback)>("jack_set_process_callback")(
      client, process, argument);
}

// PortAudio is not told: it would then leave what it has in its queue.
SLUICE_EXPORTED void jack_on_shutdown(jack_client_t*, JackShutdownCallback, void*) {}

SLUICE_EXPORTED void* jack_port_get_buffer(jack_port_t* port, jack_nframes_t frames) {
  if (stand_in().is_dead()) return stand_in().buffer();
  static auto* const get = jacks_own<decltype(jack_port_get_buffer)>("jack_port_get_buffer");
  return get(port, frames);
}

SLUICE_EXPORTED int jack_port_disconnect(jack_client_t* client, jack_port_t* port) {
  if (stand_in().is_dead(client)) return 0;
  return jacks_own<decltype(jack_port_disconnect)>("jack_port_disconnect")(client, port);
}

SLUICE_EXPORTED int jack_port_unregister(jack_client_t* client, jack_port_t* port) {
  if (stand_in().is_dead(client)) return 0;
  return jacks_own<decltype(jack_port_unregister)>("jack_port_unregister")(client, port);
}

SLUICE_EXPORTED int jack_deactivate(jack_client_t* client) {
  // What it calls is about to be destroyed.
  stand_in().end();
  const int error = jacks_own<decltype(jack_deactivate)>("jack_deactivate")(client);
  return stand_in().is_dead(client) ? 0 : error;
}

SLUICE_EXPORTED int jack_client_close(jack_client_t* client) {
  const int error = jacks_own<decltype(jack_client_close)>("jack_client_close")(client);
  return stand_in().is_dead(client) ? 0 : error;
}

}  // extern "C"
