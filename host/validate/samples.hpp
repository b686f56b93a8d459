// Samples of every format as floats and back. [any]
#pragma once

#include <sluice/plugin.h>

#include <cstddef>
#include <span>
#include <vector>

namespace sluice::validate {

// Values beyond -1..1, and those that are no numbers, end at the limits of integers.
void append_samples(std::vector<std::byte>& bytes, std::span<const float> values,
                    sluice_sample_format format);
std::vector<float> to_floats(std::span<const std::byte> bytes, sluice_sample_format format);

}  // namespace sluice::validate
