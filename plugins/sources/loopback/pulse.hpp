// libpulse's objects with owners, and its formats and errors in the words of this plugin. libpulse
// is not thread safe: everything of one server belongs to one thread. [control, worker]
#pragma once

#include <pulse/pulseaudio.h>
#include <sluice/plugin.h>

#include <memory>
#include <string>

namespace loopback {

struct FreeLoop {
  void operator()(pa_mainloop* loop) const { pa_mainloop_free(loop); }
};
struct CloseContext {  // its callbacks are not called any more
  void operator()(pa_context* context) const;
};
struct CloseStream {  // likewise
  void operator()(pa_stream* stream) const;
};
using Loop = std::unique_ptr<pa_mainloop, FreeLoop>;
using Context = std::unique_ptr<pa_context, CloseContext>;
using Stream = std::unique_ptr<pa_stream, CloseStream>;

// Begins to connect to `server` ("": where PULSE_SERVER and the user's settings say) and never
// starts one. Null if it failed at once.
Context connect(pa_mainloop& loop, const std::string& server);

// Forgets a request whose answer comes by its callback.
inline void forget(pa_operation* operation) {
  if (operation != nullptr) pa_operation_unref(operation);
}

// The state of a context that can no longer be used.
inline bool is_over(pa_context_state_t state) { return !PA_CONTEXT_IS_GOOD(state); }

pa_sample_spec spec_of(const sluice_format& format);

// Whether the server is PipeWire's, by what it calls itself.
bool is_pipewire(const pa_server_info& info);

// What to ask the server to hand over at once, for fragments of `wanted_frames` at the most.
// PipeWire works in quanta, the power of two at or below what its streams ask for
// (default.clock.quantum), and holds a fragment back until it is full: other fragments than whole
// quanta come by turns early and late, by a quantum, for which everything behind must wait.
uint32_t even_fragment(uint32_t wanted_frames, bool is_pipewire);

// Why a server could not be had or was lost, and what to do, for an error of libpulse.
std::string server_sentence(const std::string& server, int error);

// An output (a sink in PulseAudio's words), and the source from which it can be captured.
struct Output {
  uint32_t index = PA_INVALID_INDEX;
  std::string name, description, monitor;
  uint32_t channels = 0, rate_hz = 0;
  double latency_ms = 0;  // that it is set to
  bool is_suspended = false;
};
Output output_of(const pa_sink_info& info);

}  // namespace loopback
