#include "converter.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace resample {
namespace {

// soxr's buffers grow until they have moved on by 16 KiB, and then never again (fifo.h). Put in
// four times what comes later at once, they are larger by then than they need to be. So many frames
// at the faster rate are enough for those in front of the filters, and at the slower one for those
// behind.
constexpr uint32_t kWarmUpFrames = 65536;
constexpr uint32_t kWarmUpSlowFrames = 8192;
constexpr uint32_t kWarmUpPutFrames = 4 * Converter::kMaxPutFrames;
// The smallest transforms soxr has: half the delay of its default for a tenth more work.
constexpr unsigned kLog2DftSize = 8;

}  // namespace

const char* Converter::prepare(uint32_t from_hz, uint32_t to_hz, uint32_t channels,
                               unsigned recipe) {
  from_hz_ = from_hz;
  to_hz_ = to_hz;
  channels_ = channels;
  soxr_error_t error = nullptr;
  const soxr_io_spec_t samples = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
  const soxr_quality_spec_t quality = soxr_quality_spec(recipe, SOXR_HI_PREC_CLOCK);
  soxr_runtime_spec_t runtime = soxr_runtime_spec(1);
  runtime.log2_min_dft_size = runtime.log2_large_dft_size = kLog2DftSize;
  soxr_.reset(soxr_create(from_hz, to_hz, channels, &error, &samples, &quality, &runtime));
  if (error) return error;
  put_frames_ = taken_frames_ = skip_until_ = 0;
  silence_.assign(size_t{kWarmUpPutFrames} * channels, 0.0f);
  waste_.resize(size_t{kMaxPutFrames} * channels);
  warm_up();
  return soxr_error(soxr_.get());
}

void Converter::warm_up() {
  const auto take_all = [&] {
    while (take(waste_.data(), kMaxPutFrames) == kMaxPutFrames) {
    }
  };
  const auto put_some = [&](uint32_t frames) {
    std::vector<float> out(size_t{frames_at(frames, from_hz_, to_hz_)} * channels_);
    size_t done_in = 0;
    size_t done_out = 0;
    soxr_process(soxr_.get(), silence_.data(), frames, &done_in, out.data(), out.size() / channels_,
                 &done_out);
    put_frames_ += done_in;
    taken_frames_ += done_out;
    take_all();
  };
  const uint64_t enough = std::max<uint64_t>(
      {uint64_t{kWarmUpFrames} * from_hz_ / std::max(from_hz_, to_hz_),
       uint64_t{kWarmUpSlowFrames} * from_hz_ / std::min(from_hz_, to_hz_), kMaxPutFrames});
  while (put_frames_ < enough) put_some(kWarmUpPutFrames);
  // How far it lags at most, over several of its transforms: frame by frame, or by less than a
  // frame of the output.
  const uint32_t some = std::max(from_hz_ / to_hz_ / 4, 1U);
  double most = 0.0;
  const uint64_t begin = put_frames_;
  while (static_cast<double>(put_frames_ - begin) < 24 * most + kMaxPutFrames) {
    const double next = static_cast<double>(taken_frames_) * from_hz_ / to_hz_;
    most = std::max(most, static_cast<double>(put_frames_ + some) - next);
    put(nullptr, some);
    take_all();
  }
  hold_frames_ = static_cast<uint32_t>(std::ceil(most));
  // From here on both streams begin anew, at one moment that is a frame of both.
  const uint32_t step = from_hz_ / std::gcd(from_hz_, to_hz_);
  while (put_frames_ % step != 0) {
    put(nullptr, static_cast<uint32_t>(
                     std::min<uint64_t>(step - put_frames_ % step, uint64_t{kMaxPutFrames})));
    take_all();
  }
}

uint32_t Converter::take_any(float* out, uint32_t maximum) noexcept {
  size_t done = 0;
  soxr_process(soxr_.get(), silence_.data(), 0, nullptr, out, maximum, &done);
  taken_frames_ += done;
  return static_cast<uint32_t>(done);
}

uint32_t Converter::take(float* out, uint32_t maximum) noexcept {
  while (taken_frames_ < skip_until_) {
    const auto want =
        static_cast<uint32_t>(std::min<uint64_t>(skip_until_ - taken_frames_, kMaxPutFrames));
    if (take_any(waste_.data(), want) < want) return 0;
  }
  return take_any(out, maximum);
}

void Converter::put(const float* in, uint32_t frames) noexcept {
  // Not asked how much it took, soxr takes all.
  size_t done = 0;
  soxr_process(soxr_.get(), in ? in : silence_.data(), frames, nullptr, waste_.data(), 0, &done);
  put_frames_ += frames;
}

void Converter::forget() noexcept {
  for (uint32_t left = forget_frames(); left != 0;) {
    const uint32_t part = std::min(left, kMaxPutFrames);
    put(nullptr, part);
    left -= part;
    // Made now, thrown away later: nothing piles up in front of the filters.
    while (take_any(waste_.data(), kMaxPutFrames) == kMaxPutFrames) {
    }
  }
}

}  // namespace resample
