// What source.loopback shows of itself: description, parameters, statistics, port.
#pragma once

#include <sluice/describe.hpp>

namespace loopback {

struct Declaration {
  static constexpr sluice::Info kInfo{
      "source.loopback", "Desktop sound",
      "Captures what the desktop plays into an output of PulseAudio or PipeWire. The default "
      "output is followed when another one becomes the default. What Sluice itself plays into the "
      "same output is left out, so that a graph never hears itself: the other programs are then "
      "captured one by one and mixed. While there is no server or no such output the stream is "
      "silent; when "
      "it is back the sound fades in."};
  enum Parameter : uint32_t { kOutput, kRateHz, kChannels, kBufferFrames, kIncludeOwn, kServer };
  static constexpr sluice_parameter kParameters[] = {
      sluice::text("output", "",
                   "Name of the output to capture, as `sluice devices source.loopback` lists it; "
                   "empty: the default output, whichever it is."),
      sluice::integer("rate_hz", "Hz", SLUICE_MIN_RATE_HZ, 384000, 48000,
                      "Frames per second. An output of another rate is resampled by the server; "
                      "see the statistic output_rate_hz."),
      sluice::integer("channels", nullptr, 1, 32, 2,
                      "Number of channels; an output with another number is mixed by the server."),
      sluice::integer("buffer_frames", "frames", 32, 65536, 512,
                      "Frames the server hands over at once, at the most. Fewer: less latency and "
                      "more work. PipeWire is asked for a power of two, as it works in such; see "
                      "granted_frames."),
      sluice::boolean("include_own", false,
                      "Whether to capture what Sluice itself plays into the output, too."),
      sluice::text("server", "",
                   "The sound server, as PULSE_SERVER takes it (unix:/run/user/1000/pulse/native); "
                   "empty: the user's own.")};
  enum Statistic : uint32_t {
    kState,
    kFrames,
    kOpens,
    kLosses,
    kDroppedFrames,
    kGrantedFrames,
    kOutputRateHz,
    kOutputChannels,
    kOwnStreams
  };
  static constexpr sluice_statistic kStatistics[] = {
      sluice::gauge("device_state", nullptr, "0: absent. 1: opening. 2: running. 3: lost."),
      sluice::counter("frames", "frames", "Frames captured."),
      sluice::counter("opens", nullptr, "How often an output was opened."),
      sluice::counter("losses", nullptr, "How often one was lost: server gone, output gone."),
      sluice::counter("dropped_frames", "frames", "Frames that found no room."),
      sluice::gauge("granted_frames", "frames", "What the server hands over at once."),
      sluice::gauge("output_rate_hz", "Hz", "The output's own rate."),
      sluice::gauge("output_channels", nullptr, "The output's own number of channels."),
      sluice::gauge("own_streams", nullptr, "Streams of Sluice's that were left out.")};
  static constexpr sluice_format_offer kOffers[] = {sluice::offer(SLUICE_SAMPLE_ANY)};
  static constexpr sluice_port kPorts[] = {sluice::output("out", "What the desktop plays.", kOffers,
                                                          SLUICE_PORT_LIVE, SLUICE_CLOCK_DEVICE)};
};

}  // namespace loopback
