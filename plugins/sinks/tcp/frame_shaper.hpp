// Changes frames of any sample format where they cannot go out as they are: fades and cuts.
#pragma once

#include <sluice/plugin.h>

#include <cstddef>
#include <cstdint>

namespace sluice {

// Interleaved frames of one format. Integers are rounded to the nearest. All [worker].
class FrameShaper {
 public:
  explicit FrameShaper(const sluice_format& format) : format_(format) {}

  // Rises along half a cosine from nothing at frame 0 to all at frame `length`: `frames` frames, of
  // which the first is number `begin` of the rise.
  void fade_in(std::byte* data, uint32_t frames, uint32_t begin, uint32_t length) const;
  // Takes `cut` frames out: goes from the frames at `from` over to those `cut` frames behind them,
  // along half a cosine of `frames` frames, which it leaves at `to`. Reads `frames` + `cut` frames.
  void splice(const std::byte* from, uint32_t cut, std::byte* to, uint32_t frames) const;

 private:
  sluice_format format_;
};

}  // namespace sluice
