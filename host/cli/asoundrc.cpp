#include "host/cli/asoundrc.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace sluice::cli {
namespace {

constexpr long kRateHz = 48000;
constexpr long kUsualBufferFrames = 8192;
constexpr long kUsualPeriods = 8;
// The driver's clock is the kernel's tick, 4 ms at the least; shorter periods than this get xruns.
constexpr long kShortestPeriodFrames = kRateHz / 100;

}  // namespace

std::string asoundrc(double latency_ms) {
  long buffer = kUsualBufferFrames;
  long periods = kUsualPeriods;
  if (latency_ms > 0) {
    buffer = std::lround(latency_ms * kRateHz / 1000);
    periods = std::clamp(buffer / kShortestPeriodFrames, 2L, kUsualPeriods);
  }
  const long period = buffer / periods;
  buffer = period * periods;
  return fmt::format(
      R"(# What all programs play goes into the loopback card, mixed. Put this into ~/.asoundrc, load the
# driver with `modprobe snd-aloop` as root, and run a graph with source.aloop.

pcm.!default {{
  type plug
  slave.pcm "hub"
}}

# {0} frames are {1:.1f} ms.
pcm.hub {{
  type dmix
  ipc_key 2867
  slave {{
    pcm "hw:Loopback,0,0"
    format S16_LE
    rate {2}
    channels 2
    period_size {3}
    buffer_size {0}
  }}
}}

# The end that is opened first decides the format of both. Always capture from here, or with
# source.aloop.
pcm.hubcap {{
  type plug
  slave {{
    pcm "hw:Loopback,1,0"
    format S16_LE
    rate {2}
    channels 2
  }}
}}
)",
      buffer, 1000.0 * static_cast<double>(buffer) / static_cast<double>(kRateHz), kRateHz, period);
}

}  // namespace sluice::cli
