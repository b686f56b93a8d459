#include "plugins/sources/loopback/output_list.hpp"

#include <chrono>
#include <vector>

#include "plugins/sources/loopback/pulse.hpp"

namespace loopback {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kPatience{2};
constexpr int kTurnUs = 50'000;

struct Answers {
  std::string system, default_output;
  std::vector<Output> outputs;
  int left = 2;
};

void on_server(pa_context*, const pa_server_info* info, void* data) {
  auto& answers = *static_cast<Answers*>(data);
  --answers.left;
  if (info == nullptr) return;
  answers.default_output = info->default_sink_name == nullptr ? "" : info->default_sink_name;
  // "PulseAudio (on PipeWire 0.3.65)"
  answers.system = info->server_name == nullptr ? "PulseAudio" : info->server_name;
}

void on_sink(pa_context*, const pa_sink_info* info, int end, void* data) {
  auto& answers = *static_cast<Answers*>(data);
  if (end != 0) {
    --answers.left;
  } else {
    answers.outputs.push_back(output_of(*info));
  }
}

// Lets the server answer until `is_done`; false if it does not.
template <typename Done>
bool turn_until(pa_mainloop& loop, Clock::time_point end, Done is_done) {
  while (!is_done()) {
    if (Clock::now() > end || pa_mainloop_prepare(&loop, kTurnUs) < 0) return false;
    if (pa_mainloop_poll(&loop) < 0 || pa_mainloop_dispatch(&loop) < 0) return false;
  }
  return true;
}

}  // namespace

void list_outputs(const sluice::DeviceListing& listing, const char* parameter) {
  const Loop loop(pa_mainloop_new());
  if (!loop) return listing.remark("Not enough memory.");
  const Clock::time_point end = Clock::now() + kPatience;
  const Context context = connect(*loop, "");
  if (!context) return listing.remark(server_sentence("", PA_ERR_CONNECTIONREFUSED));

  const auto state = [&] { return pa_context_get_state(context.get()); };
  const bool has_answered =
      turn_until(*loop, end, [&] { return state() == PA_CONTEXT_READY || is_over(state()); });
  if (!has_answered || state() != PA_CONTEXT_READY) {
    const int error = has_answered ? pa_context_errno(context.get()) : PA_ERR_TIMEOUT;
    return listing.remark(server_sentence("", error));
  }
  Answers answers;
  forget(pa_context_get_server_info(context.get(), on_server, &answers));
  forget(pa_context_get_sink_info_list(context.get(), on_sink, &answers));
  if (!turn_until(*loop, end, [&] { return answers.left == 0 || is_over(state()); })) {
    return listing.remark(server_sentence("", PA_ERR_TIMEOUT));
  }
  for (const Output& output : answers.outputs) {
    listing.device({.parameter = parameter,
                    .selector = output.name,
                    .name = output.description,
                    .system = answers.system,
                    .is_default = output.name == answers.default_output,
                    .channels = output.channels,
                    .rate_hz = output.rate_hz,
                    .latency_ms = output.latency_ms});
  }
  if (answers.outputs.empty()) listing.remark("The sound server has no output.");
}

}  // namespace loopback
