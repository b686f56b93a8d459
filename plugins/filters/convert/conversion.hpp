// Conversion of samples between f32 and packed signed integers of 16, 24 and 32 bits.
//
// An integer of n bits stands for itself over 2^(n-1), in both directions, so whatever fits comes
// back as it was. Rounds to the nearest value, ties to even; what is out of range becomes the
// nearest end of it; NaN becomes 0. Thread class: [any], nothing allocates.
#pragma once

#include <sluice/plugin.h>

#include <cstddef>
#include <cstdint>

namespace convert {

// Triangular dither: the sum of two uniform values, 2 least significant bits wide (Lipshitz,
// Wannamaker, Vanderkooy, "Quantization and Dither", JAES 40 (1992)). The value for a sample
// depends on its place in the stream alone, so it does not matter how the stream is cut into
// blocks; it repeats after 2^32 samples.
struct Dither {
  uint32_t seed = 0;
  uint32_t position = 0;  // of the next sample
};

// Converts `samples` samples; `in` and `out` do not overlap. Moves `dither` on.
using Conversion = void (*)(const void* in, void* out, size_t samples, Dither& dither);

// The conversion between two formats. Dither is applied, if asked for, where the result has fewer
// bits: from f32, s24 and s32 to s16, and from f32 and s32 to s24.
Conversion find_conversion(sluice_sample_format from, sluice_sample_format to, bool with_dither);

}  // namespace convert
