#include "rack.hpp"

#include <algorithm>
#include <cmath>

#include "guest_type.hpp"

namespace hosted {

double Rack::meaning(const Knob& knob, double value) {
  if (knob.kind != Control::Kind::kChoice) return std::clamp(value, knob.least, knob.most);
  const auto index = std::min(static_cast<size_t>(value), knob.values.size() - 1);
  return knob.values[index];
}

void Rack::prepare(const Guest& guest, const std::vector<double>& values, uint32_t in_channels,
                   uint32_t rate_hz, const Maker& make) {
  release();
  in_channels_ = in_channels;
  const size_t copies = is_for_any_channels(guest) ? in_channels : 1;
  out_channels_ = static_cast<uint32_t>(guest.audio_out.size() * copies);
  in_.assign(in_channels_, std::vector<float>(kBlockFrames));
  out_.assign(out_channels_, std::vector<float>(kBlockFrames));
  meters_.assign(guest.meters.size(), 0.0F);
  other_meters_.assign(guest.meters.size(), 0.0F);
  knobs_.resize(guest.controls.size());
  for (size_t i = 0; i < knobs_.size(); ++i) {
    Knob& knob = knobs_[i];
    knob.kind = guest.controls[i].kind;
    knob.values = guest.controls[i].values;
    const double factor = guest.controls[i].scales_with_rate ? rate_hz / kUsualRateHz : 1.0;
    knob.least = guest.controls[i].minimum * factor;
    knob.most = guest.controls[i].maximum * factor;
    const double value = meaning(knob, values[i]);
    knob.ramp.reset(value, rate_hz);
    knob.value = static_cast<float>(value);
  }
  for (size_t copy = 0; copy < copies; ++copy) {
    Instance& instance = *instances_.emplace_back(make(rate_hz));
    for (size_t i = 0; i < guest.audio_in.size(); ++i) {
      instance.connect(guest.audio_in[i], in_[copy + i].data());
    }
    for (size_t i = 0; i < guest.audio_out.size(); ++i) {
      instance.connect(guest.audio_out[i], out_[copy + i].data());
    }
    for (size_t i = 0; i < knobs_.size(); ++i) {
      instance.connect(guest.controls[i].port, &knobs_[i].value);
    }
    for (size_t i = 0; i < meters_.size(); ++i) {
      instance.connect(guest.meters[i].port, copy == 0 ? &meters_[i] : &other_meters_[i]);
    }
    // Only a guest that runs says how late it is; it forgets the silence when it begins anew.
    instance.activate();
    for (int i = 0; i < 2; ++i) instance.run(kBlockFrames);
    const double latency = instance.latency();
    const bool is_sensible = std::isfinite(latency) && latency > 0.0 && latency < 1e7;
    latency_frames_ = is_sensible ? static_cast<uint32_t>(std::lround(latency)) : 0;
    instance.deactivate();
    instance.activate();
  }
}

void Rack::release() noexcept {
  for (const auto& instance : instances_) instance->deactivate();
  instances_.clear();
  latency_frames_ = 0;
  is_moving_ = false;
}

void Rack::set(size_t control, double value) noexcept {
  Knob& knob = knobs_[control];
  const double meant = meaning(knob, value);
  if (knob.kind == Control::Kind::kNumber) {
    knob.ramp.to(meant);
    is_moving_ = true;
  } else {
    knob.value = static_cast<float>(meant);
  }
}

void Rack::run(const float* in, float* out, uint32_t frames) noexcept {
  while (frames != 0) {
    const uint32_t part = std::min(frames, is_moving_ ? kMovingFrames : kBlockFrames);
    if (is_moving_) {
      is_moving_ = false;
      for (Knob& knob : knobs_) {
        if (!knob.ramp.is_moving()) continue;
        for (uint32_t i = 0; i < part; ++i) knob.value = static_cast<float>(knob.ramp.next());
        is_moving_ |= knob.ramp.is_moving();
      }
    }
    run_block(in, out, part);
    in += size_t{part} * in_channels_;
    out += size_t{part} * out_channels_;
    frames -= part;
  }
}

void Rack::run_block(const float* in, float* out, uint32_t frames) noexcept {
  for (uint32_t c = 0; c < in_channels_; ++c) {
    float* const to = in_[c].data();
    for (uint32_t i = 0; i < frames; ++i) to[i] = in[size_t{i} * in_channels_ + c];
  }
  for (const auto& instance : instances_) instance->run(frames);
  for (uint32_t c = 0; c < out_channels_; ++c) {
    const float* const from = out_[c].data();
    for (uint32_t i = 0; i < frames; ++i) out[size_t{i} * out_channels_ + c] = from[i];
  }
}

}  // namespace hosted
