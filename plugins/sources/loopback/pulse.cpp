#include "plugins/sources/loopback/pulse.hpp"

#include <bit>
#include <string_view>

namespace loopback {

void CloseContext::operator()(pa_context* context) const {
  pa_context_set_state_callback(context, nullptr, nullptr);
  pa_context_set_subscribe_callback(context, nullptr, nullptr);
  pa_context_disconnect(context);
  pa_context_unref(context);
}

void CloseStream::operator()(pa_stream* stream) const {
  pa_stream_set_state_callback(stream, nullptr, nullptr);
  pa_stream_set_read_callback(stream, nullptr, nullptr);
  pa_stream_set_suspended_callback(stream, nullptr, nullptr);
  pa_stream_disconnect(stream);
  pa_stream_unref(stream);
}

Context connect(pa_mainloop& loop, const std::string& server) {
  pa_proplist* const properties = pa_proplist_new();
  pa_proplist_sets(properties, PA_PROP_APPLICATION_NAME, "Sluice");
  Context context(pa_context_new_with_proplist(pa_mainloop_get_api(&loop), "Sluice", properties));
  pa_proplist_free(properties);
  if (context && pa_context_connect(context.get(), server.empty() ? nullptr : server.c_str(),
                                    PA_CONTEXT_NOAUTOSPAWN, nullptr) < 0) {
    return nullptr;
  }
  return context;
}

pa_sample_spec spec_of(const sluice_format& format) {
  const auto sample = [&] {
    switch (format.sample_format) {
      case SLUICE_SAMPLE_S16:
        return PA_SAMPLE_S16NE;
      case SLUICE_SAMPLE_S24:
        return PA_SAMPLE_S24NE;
      case SLUICE_SAMPLE_S32:
        return PA_SAMPLE_S32NE;
      default:
        return PA_SAMPLE_FLOAT32NE;
    }
  };
  return {sample(), format.rate_hz, static_cast<uint8_t>(format.channels)};
}

bool is_pipewire(const pa_server_info& info) {
  // "PulseAudio (on PipeWire 0.3.65)"
  const std::string_view name = info.server_name == nullptr ? "" : info.server_name;
  return name.find("PipeWire") != std::string_view::npos;
}

uint32_t even_fragment(uint32_t wanted_frames, bool is_pipewire) {
  return is_pipewire ? std::bit_floor(wanted_frames) : wanted_frames;
}

std::string server_sentence(const std::string& server, int error) {
  const std::string where = server.empty() ? "" : " at " + server;
  if (error == PA_ERR_ACCESS || error == PA_ERR_AUTHKEY) {
    return "The sound server" + where +
           " refuses this user: run Sluice as the user whose desktop it is, or name that user's "
           "cookie in PULSE_COOKIE.";
  }
  return "There is no sound server" + where + " (" + pa_strerror(error) +
         "): start PulseAudio or pipewire-pulse, or name another one in `server`. Sluice goes on "
         "trying.";
}

Output output_of(const pa_sink_info& info) {
  return {.index = info.index,
          .name = info.name,
          .description = info.description == nullptr ? info.name : info.description,
          .monitor = info.monitor_source_name == nullptr ? "" : info.monitor_source_name,
          .channels = info.sample_spec.channels,
          .rate_hz = info.sample_spec.rate,
          .latency_ms = static_cast<double>(info.configured_latency) * 1e-3,
          .is_suspended = info.state == PA_SINK_SUSPENDED};
}

}  // namespace loopback
