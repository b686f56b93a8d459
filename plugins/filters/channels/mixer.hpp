// A matrix of gains between channels, and what applies it to audio.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace channels {

// A row for each output channel, a column for each input channel. Linear gains.
struct Gains {
  Gains(uint32_t row_count, uint32_t column_count)
      : rows(row_count), columns(column_count), values(size_t{row_count} * column_count) {}
  double& at(uint32_t row, uint32_t column) { return values[size_t{row} * columns + column]; }
  double at(uint32_t row, uint32_t column) const { return values[size_t{row} * columns + column]; }

  uint32_t rows, columns;
  std::vector<double> values;
};

// For each output channel the input channel, counted from 1, or 0. Throws sluice::Failure where the
// input has no such channel. [control]
Gains from_map(std::span<const double> map, uint32_t input_channels);
// `rows` rows one behind the other. Throws sluice::Failure where they do not fit the input or there
// are too many. [control]
Gains from_mix(std::span<const double> mix, uint32_t rows, uint32_t input_channels);
// Equal counts: as it is. Mono: repeated in every channel. Stereo to mono: half of each, so that
// mono to stereo and back is the identity. 5.1 in the order L R C LFE Ls Rs: to stereo
//   L + 0.7071 C + 0.7071 Ls, R + 0.7071 C + 0.7071 Rs
// and to mono
//   0.7071 L + 0.7071 R + C + 0.5 Ls + 0.5 Rs
// (ITU-R BS.775-3, annex 4, table 2), LFE left out. Otherwise the first channels; any more are
// silent. [control]
Gains standard(uint32_t input_channels, uint32_t output_channels);

// Applies gains to interleaved frames. Outputs that take one channel at unity gain keep every bit.
class Mixer {
 public:
  // [control]
  void prepare(const Gains& gains);
  // `in` and `out` do not overlap. [audio]
  void mix(const float* in, float* out, size_t frames) const noexcept;

 private:
  struct Tap {
    uint32_t channel;
    float gain;
  };
  template <uint32_t ins, uint32_t outs>
  void mix_rows(const float* in, float* out, size_t frames) const noexcept;

  uint32_t inputs_ = 1, outputs_ = 1;
  bool is_copy_ = true;
  std::vector<Tap> taps_;          // the gains that are not zero, row by row
  std::vector<uint32_t> row_end_;  // behind a row's last tap
};

}  // namespace channels
