// libsamplerate at a ratio that may change with every call: SINC_MEDIUM, chosen by measurement
// (docs/adr/0010-bridge.md).
#pragma once

#include <samplerate.h>

#include <cstdint>
#include <memory>

namespace bridge {

class VariableRate {
 public:
  // Returns null, or why it cannot be. [control]
  const char* prepare(uint32_t channels);

  // Output frames for an input frame, from now on. [audio]
  void set_ratio(double ratio) noexcept {
    ratio_ = ratio;
    src_set_ratio(state_.get(), ratio);
  }
  // Takes all `frames`, of which there is room for what they come to, and returns how many frames
  // came. [audio]
  uint32_t convert(const float* in, uint32_t frames, float* out, uint32_t room) noexcept;
  // Room that is enough for `frames`, at any ratio within 2000 ppm. [any]
  static constexpr uint32_t room_for(uint32_t frames) { return frames + frames / 256 + 4; }
  // So many frames `room` is enough for. [any]
  static constexpr uint32_t frames_for(uint32_t room) {
    return room < 4 ? 0 : static_cast<uint32_t>(uint64_t{room - 4} * 256 / 257);
  }
  // Input frames taken whose place in the output has not come yet, whole and parts. [audio]
  double held_frames() const { return held_; }
  // The least that this can be: what the filter must see ahead.
  double look_ahead_frames() const { return look_ahead_; }
  // As after prepare. [audio]
  void reset() noexcept;

 private:
  struct Deleter {
    void operator()(SRC_STATE* state) const { src_delete(state); }
  };
  std::unique_ptr<SRC_STATE, Deleter> state_;
  uint32_t channels_ = 1;
  double ratio_ = 1.0;
  double held_ = 0.0;
  double look_ahead_ = 0.0;
};

}  // namespace bridge
