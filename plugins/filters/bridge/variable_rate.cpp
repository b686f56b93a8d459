#include "variable_rate.hpp"

#include <vector>

namespace bridge {

const char* VariableRate::prepare(uint32_t channels) {
  channels_ = channels;
  int error = 0;
  state_.reset(src_new(SRC_SINC_MEDIUM_QUALITY, static_cast<int>(channels), &error));
  if (!state_) return src_strerror(error);
  reset();
  // What it holds on to at the least is found by trying.
  constexpr uint32_t kFrames = 512;
  const std::vector<float> silence(size_t{kFrames} * channels);
  std::vector<float> out(size_t{room_for(kFrames)} * channels);
  convert(silence.data(), kFrames, out.data(), room_for(kFrames));
  look_ahead_ = held_;
  reset();
  return nullptr;
}

void VariableRate::reset() noexcept {
  src_reset(state_.get());
  set_ratio(1.0);
  held_ = 0.0;
}

uint32_t VariableRate::convert(const float* in, uint32_t frames, float* out,
                               uint32_t room) noexcept {
  uint32_t done = 0;
  uint32_t made = 0;
  for (;;) {
    SRC_DATA data{};
    data.data_in = in + size_t{done} * channels_;
    data.input_frames = static_cast<long>(frames - done);
    data.data_out = out + size_t{made} * channels_;
    data.output_frames = static_cast<long>(room - made);
    data.src_ratio = ratio_;
    src_process(state_.get(), &data);
    done += static_cast<uint32_t>(data.input_frames_used);
    made += static_cast<uint32_t>(data.output_frames_gen);
    if (done == frames || (data.input_frames_used == 0 && data.output_frames_gen == 0)) break;
  }
  held_ += static_cast<double>(done) - static_cast<double>(made) / ratio_;
  return made;
}

}  // namespace bridge
