// The ALSA configuration that makes a loopback card the default output of a machine.
#pragma once

#include <string>

namespace sluice::cli {

// For ~/.asoundrc: the default PCM mixes what all programs play into snd-aloop, at 48000 Hz, 2
// channels, S16_LE; "hubcap" captures there at the same format, which settles it for both ends.
// `latency_ms` is the mixer's buffer, 20 to 2000; 0 gives 8192 frames (170.7 ms), in periods of
// 1024.
std::string asoundrc(double latency_ms);

}  // namespace sluice::cli
