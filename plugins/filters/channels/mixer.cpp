#include "mixer.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <sluice/sluice.hpp>
#include <string>

namespace channels {
namespace {

std::string count_of(uint32_t number, const char* noun) {
  return std::to_string(number) + " " + noun + (number == 1 ? "" : "s");
}

[[noreturn]] void fail(std::string sentence) {
  throw sluice::Failure{SLUICE_ERROR_ARGUMENT, std::move(sentence)};
}

}  // namespace

Gains from_map(std::span<const double> map, uint32_t input_channels) {
  if (map.size() > SLUICE_MAX_CHANNELS) {
    fail("map has " + std::to_string(map.size()) + " entries; " +
         count_of(SLUICE_MAX_CHANNELS, "channel") + " are the most there can be.");
  }
  Gains gains(static_cast<uint32_t>(map.size()), input_channels);
  for (uint32_t row = 0; row < gains.rows; ++row) {
    if (map[row] != std::floor(map[row])) {
      fail("Entry " + std::to_string(row + 1) +
           " of map is no whole number: name an input channel, counted from 1, or 0 for silence.");
    }
    const auto channel = static_cast<uint32_t>(map[row]);
    if (channel > input_channels) {
      fail("map names input channel " + std::to_string(channel) + ", but the input has " +
           count_of(input_channels, "channel") + ".");
    }
    if (channel != 0) gains.at(row, channel - 1) = 1.0;
  }
  return gains;
}

Gains from_mix(std::span<const double> mix, uint32_t rows, uint32_t input_channels) {
  if (rows > SLUICE_MAX_CHANNELS) {
    fail("mix has " + count_of(rows, "row") + "; " + count_of(SLUICE_MAX_CHANNELS, "channel") +
         " are the most there can be.");
  }
  const auto columns = static_cast<uint32_t>(mix.size() / std::max(rows, 1u));
  if (columns != input_channels) {
    fail("mix has " + count_of(columns, "gain") + " in a row, but the input has " +
         count_of(input_channels, "channel") + ": say one gain for each input channel.");
  }
  Gains gains(rows, columns);
  std::copy(mix.begin(), mix.end(), gains.values.begin());
  return gains;
}

Gains standard(uint32_t input_channels, uint32_t output_channels) {
  constexpr double kMinus3Db = 1.0 / std::numbers::sqrt2;
  Gains gains(output_channels, input_channels);
  const auto set = [&](uint32_t row, std::initializer_list<double> values) {
    std::copy(values.begin(), values.end(), &gains.at(row, 0));
  };
  if (input_channels == 1) {
    std::fill(gains.values.begin(), gains.values.end(), 1.0);
  } else if (input_channels == 2 && output_channels == 1) {
    set(0, {0.5, 0.5});
  } else if (input_channels == 6 && output_channels == 2) {
    set(0, {1, 0, kMinus3Db, 0, kMinus3Db, 0});
    set(1, {0, 1, kMinus3Db, 0, 0, kMinus3Db});
  } else if (input_channels == 6 && output_channels == 1) {
    set(0, {kMinus3Db, kMinus3Db, 1, 0, 0.5, 0.5});
  } else {
    for (uint32_t c = 0; c < std::min(input_channels, output_channels); ++c) gains.at(c, c) = 1.0;
  }
  return gains;
}

void Mixer::prepare(const Gains& gains) {
  inputs_ = gains.columns;
  outputs_ = gains.rows;
  is_copy_ = inputs_ == outputs_;
  taps_.clear();
  row_end_.clear();
  for (uint32_t row = 0; row < outputs_; ++row) {
    for (uint32_t column = 0; column < inputs_; ++column) {
      const double gain = gains.at(row, column);
      if (gain != 0.0) taps_.push_back({column, static_cast<float>(gain)});
      is_copy_ = is_copy_ && gain == (row == column ? 1.0 : 0.0);
    }
    row_end_.push_back(static_cast<uint32_t>(taps_.size()));
  }
}

void Mixer::mix(const float* in, float* out, size_t frames) const noexcept {
  if (frames == 0) return;  // there may be no pointers either
  if (is_copy_) {
    std::memcpy(out, in, frames * inputs_ * sizeof(float));
  } else if (inputs_ == 1 && outputs_ == 2) {
    mix_rows<1, 2>(in, out, frames);
  } else if (inputs_ == 2 && outputs_ == 1) {
    mix_rows<2, 1>(in, out, frames);
  } else if (inputs_ == 2 && outputs_ == 2) {
    mix_rows<2, 2>(in, out, frames);
  } else {
    mix_rows<0, 0>(in, out, frames);
  }
}

// Knowing the shape (0: any) lets the compiler vectorise.
template <uint32_t ins, uint32_t outs>
void Mixer::mix_rows(const float* in, float* out, size_t frames) const noexcept {
  const size_t inputs = ins == 0 ? inputs_ : ins;
  const size_t outputs = outs == 0 ? outputs_ : outs;
  const Tap* tap = taps_.data();
  for (size_t row = 0; row < outputs; ++row) {
    float* to = out + row;
    const Tap* end = taps_.data() + row_end_[row];
    if (tap == end) {
      for (size_t n = 0; n < frames; ++n) to[n * outputs] = 0.0f;
    } else if (tap->gain == 1.0f && tap + 1 == end) {
      const float* from = in + tap->channel;
      for (size_t n = 0; n < frames; ++n) to[n * outputs] = from[n * inputs];
    } else if (tap + 2 == end) {
      const float* first = in + tap[0].channel;
      const float* second = in + tap[1].channel;
      const float first_gain = tap[0].gain;
      const float second_gain = tap[1].gain;
      for (size_t n = 0; n < frames; ++n) {
        to[n * outputs] = first_gain * first[n * inputs] + second_gain * second[n * inputs];
      }
    } else {
      for (size_t n = 0; n < frames; ++n) {
        float total = 0.0f;
        for (const Tap* t = tap; t != end; ++t) total += t->gain * in[n * inputs + t->channel];
        to[n * outputs] = total;
      }
    }
    tap = end;
  }
}

}  // namespace channels
