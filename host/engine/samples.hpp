// Samples of any format as floats and back: scale 2^(bits - 1) both ways, rounded to nearest,
// saturated. For the rare moments in which the engine itself must touch what it carries.
#pragma once

#include <sluice/plugin.h>

#include <cstddef>

namespace sluice::engine {

// [any]
void to_floats(sluice_sample_format format, const void* from, float* to, size_t samples) noexcept;
// `to` may be the same memory as `from`. [any]
void from_floats(sluice_sample_format format, const float* from, void* to, size_t samples) noexcept;

}  // namespace sluice::engine
