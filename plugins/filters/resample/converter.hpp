// A stream of frames at one rate as a stream at another: soxr, kept from allocating and from
// forgetting where it is.
//
// Counts are of the converter's own two streams, which begin at prepare. Output frame k lies at
// input time k * from_hz / to_hz, exactly: the filters are linear-phase and soxr takes their delay
// out. What has been put in comes out later, by up to hold_frames().
#pragma once

#include <soxr.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace resample {

// How many frames at `to_hz` begin before `frames` frames at `from_hz` are over; rounded up.
constexpr uint64_t frames_at(uint64_t frames, uint32_t from_hz, uint32_t to_hz) {
  return frames / from_hz * to_hz + (frames % from_hz * to_hz + from_hz - 1) / from_hz;
}

class Converter {
 public:
  // The most that put() takes at once.
  static constexpr uint32_t kMaxPutFrames = 1024;

  // `recipe` is one of SOXR_QQ ... SOXR_VHQ. Returns null, or why it cannot be. [control]
  const char* prepare(uint32_t from_hz, uint32_t to_hz, uint32_t channels, unsigned recipe);

  // Input frames that must be there before the output frame that lies at the oldest of them comes.
  uint32_t hold_frames() const { return hold_frames_; }
  // So many frames of silence, and nothing of what was before is heard in what follows.
  uint32_t forget_frames() const { return 2 * hold_frames_; }

  // Up to `maximum` frames that are ready. [audio]
  uint32_t take(float* out, uint32_t maximum) noexcept;
  // Puts in up to kMaxPutFrames; null stands for silence. Only after take gave less than it was
  // asked for, so that nothing piles up. [audio]
  void put(const float* in, uint32_t frames) noexcept;
  // Puts in forget_frames() of silence. [audio]
  void forget() noexcept;
  // Output frames before `index` are of no interest: take passes over them. [audio]
  void skip_until(uint64_t index) noexcept { skip_until_ = index; }
  // Input frames so far. [audio]
  uint64_t put_frames() const { return put_frames_; }

 private:
  struct Deleter {
    void operator()(soxr* s) const { soxr_delete(s); }
  };
  void warm_up();
  uint32_t take_any(float* out, uint32_t maximum) noexcept;

  std::unique_ptr<soxr, Deleter> soxr_;
  uint32_t from_hz_ = 1, to_hz_ = 1, channels_ = 1;
  uint32_t hold_frames_ = 0;
  uint64_t put_frames_ = 0, taken_frames_ = 0, skip_until_ = 0;
  std::vector<float> silence_, waste_;
};

}  // namespace resample
