// The copies of a guest that filter one stream: interleaved frames in and out, controls that ramp.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <sluice/ramp.hpp>
#include <vector>

#include "guest.hpp"

namespace hosted {

class Rack {
 public:
  // The most frames a guest is run for at once, and while a control moves.
  static constexpr uint32_t kBlockFrames = 512, kMovingFrames = 32;

  using Maker = std::function<std::unique_ptr<Instance>(uint32_t rate_hz)>;

  // `values`: of the controls, in the order of the guest's; `make` throws where it cannot.
  // [control]
  void prepare(const Guest& guest, const std::vector<double>& values, uint32_t in_channels,
               uint32_t rate_hz, const Maker& make);
  void release() noexcept;  // [control]

  uint32_t out_channels() const { return out_channels_; }
  // As the guest said while it was prepared.
  uint32_t latency_frames() const { return latency_frames_; }

  // A control moves to another value; numbers do so in 30 ms. [audio]
  void set(size_t control, double value) noexcept;
  // [audio]
  void run(const float* in, float* out, uint32_t frames) noexcept;
  // The value of a meter, of the first copy. [audio]
  double meter(size_t index) const { return meters_[index]; }

 private:
  struct Knob {
    sluice::Ramp ramp;
    Control::Kind kind = Control::Kind::kNumber;
    std::vector<double> values;      // of a choice
    double least = 0.0, most = 0.0;  // at this sample rate
    float value = 0.0F;              // what the guest reads
  };
  static double meaning(const Knob& knob, double value);
  void run_block(const float* in, float* out, uint32_t frames) noexcept;

  std::vector<std::unique_ptr<Instance>> instances_;
  std::vector<Knob> knobs_;
  std::vector<float> meters_;
  std::vector<std::vector<float>> in_, out_;  // a buffer for each channel
  std::vector<float> other_meters_;           // of the other copies, which nobody reads
  uint32_t in_channels_ = 0, out_channels_ = 0, latency_frames_ = 0;
  bool is_moving_ = false;
};

}  // namespace hosted
