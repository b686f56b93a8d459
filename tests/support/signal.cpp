#include "tests/support/signal.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <complex>
#include <limits>
#include <numbers>
#include <random>

namespace sluice::tests {
namespace {

constexpr double kPi = std::numbers::pi;

double from_db(double db) { return std::pow(10.0, db / 20.0); }

// In place, radix 2; the size is a power of two.
void fft(std::vector<std::complex<double>>& x) {
  const size_t n = x.size();
  for (size_t i = 1, j = 0; i < n; ++i) {
    size_t bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) std::swap(x[i], x[j]);
  }
  for (size_t length = 2; length <= n; length <<= 1) {
    const std::complex<double> turn = std::polar(1.0, -2.0 * kPi / static_cast<double>(length));
    for (size_t i = 0; i < n; i += length) {
      std::complex<double> w = 1.0;
      for (size_t k = 0; k < length / 2; ++k, w *= turn) {
        const std::complex<double> even = x[i + k];
        const std::complex<double> odd = x[i + k + length / 2] * w;
        x[i + k] = even + odd;
        x[i + k + length / 2] = even - odd;
      }
    }
  }
}

}  // namespace

std::vector<float> sine(double frequency_hz, double peak_db, size_t frames, uint32_t channels,
                        uint32_t rate_hz, double phase) {
  std::vector<float> signal;
  signal.reserve(frames * channels);
  for (size_t n = 0; n < frames; ++n) {
    const double turns = std::fmod(frequency_hz * static_cast<double>(n) / rate_hz, 1.0);
    const double value = from_db(peak_db) * std::sin(2.0 * kPi * turns + phase);
    signal.insert(signal.end(), channels, static_cast<float>(value));
  }
  return signal;
}

std::vector<float> noise(uint64_t seed, double peak, size_t frames, uint32_t channels) {
  std::mt19937_64 random(seed);
  std::vector<float> signal(frames * channels);
  for (float& sample : signal) {
    const double unit = static_cast<double>(random() >> 11) * 0x1p-53;
    sample = static_cast<float>(peak * (2.0 * unit - 1.0));
  }
  return signal;
}

std::vector<float> silence(size_t frames, uint32_t channels) {
  return std::vector<float>(frames * channels, 0.0f);
}

std::vector<float> counter(size_t frames, uint32_t channels) {
  std::vector<float> signal(frames * channels);
  for (size_t i = 0; i < signal.size(); ++i) signal[i] = static_cast<float>(i + 1) * 0x1p-24f;
  return signal;
}

std::vector<int16_t> counter16(size_t frames, size_t first) {
  std::vector<int16_t> samples;
  samples.reserve(2 * frames);
  for (size_t i = 2 * first; i < 2 * (first + frames); ++i) {
    samples.push_back(static_cast<int16_t>(i));
  }
  return samples;
}

std::vector<float> join(std::vector<float> first, std::span<const float> second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

std::span<const float> part(std::span<const float> signal, size_t first, size_t frames,
                            uint32_t channels) {
  const size_t begin = std::min(first * channels, signal.size());
  return signal.subspan(begin, std::min(frames * channels, signal.size() - begin));
}

std::vector<float> channel_of(std::span<const float> signal, uint32_t channel, uint32_t channels) {
  std::vector<float> one;
  for (size_t i = channel; i < signal.size(); i += channels) one.push_back(signal[i]);
  return one;
}

double peak(std::span<const float> signal) {
  double largest = 0.0;
  for (const float sample : signal) {
    if (std::isnan(sample)) return std::numeric_limits<double>::quiet_NaN();
    largest = std::max(largest, std::abs(double{sample}));
  }
  return largest;
}

double rms_db(std::span<const float> signal) {
  double sum = 0.0;
  for (const float sample : signal) sum += double{sample} * double{sample};
  return 10.0 * std::log10(sum / static_cast<double>(std::max<size_t>(signal.size(), 1)));
}

double largest_step(std::span<const float> signal, uint32_t channels) {
  double largest = 0.0;
  for (size_t i = channels; i < signal.size(); ++i) {
    largest = std::max(largest, std::abs(double{signal[i]} - double{signal[i - channels]}));
  }
  return largest;
}

size_t count_gaps(std::span<const float> signal, size_t frames, uint32_t channels) {
  size_t gaps = 0;
  size_t run = 0;
  for (size_t i = 0; i + channels <= signal.size(); i += channels) {
    const auto frame = signal.subspan(i, channels);
    const bool is_zero = std::all_of(frame.begin(), frame.end(), [](float x) { return x == 0.0f; });
    run = is_zero ? run + 1 : 0;
    if (run == frames) ++gaps;
  }
  return gaps;
}

size_t first_difference(std::span<const float> a, std::span<const float> b) {
  const size_t size = std::min(a.size(), b.size());
  for (size_t i = 0; i < size; ++i) {
    if (std::bit_cast<uint32_t>(a[i]) != std::bit_cast<uint32_t>(b[i])) return i;
  }
  return size;
}

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && first_difference(a, b) == a.size();
}

Tone measure_tone(std::span<const float> channel, double frequency_hz, uint32_t rate_hz) {
  // Normal equations for a*sin + b*cos + c.
  double m[3][4] = {};
  const auto basis = [&](size_t n, double out[3]) {
    const double turns = std::fmod(frequency_hz * static_cast<double>(n) / rate_hz, 1.0);
    out[0] = std::sin(2.0 * kPi * turns);
    out[1] = std::cos(2.0 * kPi * turns);
    out[2] = 1.0;
  };
  double f[3];
  for (size_t n = 0; n < channel.size(); ++n) {
    basis(n, f);
    for (int i = 0; i < 3; ++i) {
      for (int j = 0; j < 3; ++j) m[i][j] += f[i] * f[j];
      m[i][3] += f[i] * double{channel[n]};
    }
  }
  for (int i = 0; i < 3; ++i) {
    for (int k = 0; k < 3; ++k) {
      if (k == i) continue;
      const double factor = m[k][i] / m[i][i];
      for (int j = i; j < 4; ++j) m[k][j] -= factor * m[i][j];
    }
  }
  const double a = m[0][3] / m[0][0];
  const double b = m[1][3] / m[1][1];
  const double c = m[2][3] / m[2][2];
  double rest = 0.0;
  for (size_t n = 0; n < channel.size(); ++n) {
    basis(n, f);
    const double difference = double{channel[n]} - a * f[0] - b * f[1] - c;
    rest += difference * difference;
  }
  const double amplitude = std::hypot(a, b);
  const double rest_rms = std::sqrt(rest / static_cast<double>(channel.size()));
  return {20.0 * std::log10(amplitude),
          20.0 * std::log10(rest_rms / (amplitude / std::numbers::sqrt2))};
}

double level_at(std::span<const float> channel, double frequency_hz, uint32_t rate_hz) {
  std::complex<double> sum = 0.0;
  double weight = 0.0;
  const double size = static_cast<double>(channel.size());
  for (size_t n = 0; n < channel.size(); ++n) {
    const double at = static_cast<double>(n);
    const double window = 0.5 - 0.5 * std::cos(2.0 * kPi * (at + 0.5) / size);
    const double turns = std::fmod(frequency_hz * at / rate_hz, 1.0);
    sum += window * double{channel[n]} * std::polar(1.0, -2.0 * kPi * turns);
    weight += window;
  }
  return 20.0 * std::log10(2.0 * std::abs(sum) / weight);
}

std::vector<double> spectrum_db(std::span<const float> channel) {
  const size_t size = std::bit_floor(channel.size());
  std::vector<std::complex<double>> x(size);
  double weight = 0.0;
  for (size_t n = 0; n < size; ++n) {
    // F. J. Harris, "On the use of windows for harmonic analysis", Proc. IEEE 66 (1978): 92 dB.
    const double t = 2.0 * kPi * static_cast<double>(n) / static_cast<double>(size);
    const double window =
        0.35875 - 0.48829 * std::cos(t) + 0.14128 * std::cos(2.0 * t) - 0.01168 * std::cos(3.0 * t);
    x[n] = window * double{channel[n]};
    weight += window;
  }
  fft(x);
  std::vector<double> spectrum(size / 2 + 1);
  for (size_t k = 0; k < spectrum.size(); ++k) {
    spectrum[k] = 20.0 * std::log10(2.0 * std::abs(x[k]) / weight);
  }
  return spectrum;
}

size_t delay_frames(std::span<const float> earlier, std::span<const float> later,
                    size_t maximum_frames) {
  size_t best = 0;
  double best_sum = -std::numeric_limits<double>::infinity();
  for (size_t lag = 0; lag <= maximum_frames && lag < later.size(); ++lag) {
    const size_t size = std::min(earlier.size(), later.size() - lag);
    double sum = 0.0;
    for (size_t n = 0; n < size; ++n) sum += double{earlier[n]} * double{later[n + lag]};
    if (sum > best_sum) {
      best_sum = sum;
      best = lag;
    }
  }
  return best;
}

}  // namespace sluice::tests
