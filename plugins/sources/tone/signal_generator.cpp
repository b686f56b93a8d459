#include "plugins/sources/tone/signal_generator.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <sluice/frames.hpp>

namespace {

constexpr double kSweepFromHz = 20.0, kSweepToHz = 20000.0;
constexpr double kTurn = 18446744073709551616.0;  // 2^64

struct Pole {
  double decay, gain;
};
constexpr Pole kPinkPoles[] = {{0.99886, 0.0555179}, {0.99332, 0.0750759}, {0.96900, 0.1538520},
                               {0.86650, 0.3104856}, {0.55000, 0.5329522}, {-0.7616, -0.0168980}};
constexpr double kPinkDirect = 0.5362, kPinkDelayed = 0.115926;

// Variance of the filter's output for white noise of variance 1: the sum of its squared impulse
// response, of which the first two values hold the direct and the delayed path.
constexpr double pink_variance() {
  double variance = 0;
  double at_0 = kPinkDirect, at_1 = kPinkDelayed;
  for (const Pole& a : kPinkPoles) {
    at_0 += a.gain;
    at_1 += a.gain * a.decay;
    for (const Pole& b : kPinkPoles) {
      const double product = a.decay * b.decay;
      variance += a.gain * b.gain * product * product / (1 - product);
    }
  }
  return variance + at_0 * at_0 + at_1 * at_1;
}
const double kPinkScale = 1.0 / std::sqrt(pink_variance());

uint64_t phase_step(double frequency_hz, uint32_t rate_hz) {
  return static_cast<uint64_t>(std::clamp(frequency_hz / rate_hz, 0.0, 0.5) * kTurn);
}

double sine_of(uint64_t phase) {
  return std::sin(static_cast<double>(static_cast<int64_t>(phase)) *
                  (2.0 * std::numbers::pi / kTurn));
}

}  // namespace

SignalGenerator::SignalGenerator(const Settings& settings)
    : settings_(settings), random_(settings.seed), pink_(settings.channels) {
  gain_.reset(sluice::from_db(settings.level_db), settings.rate_hz);
  frequency_hz_.reset(settings.frequency_hz, settings.rate_hz);
  step_ = phase_step(settings.frequency_hz, settings.rate_hz);
  const double top_hz = std::min(kSweepToHz, settings.rate_hz / 2.0);
  sweep_rate_per_s_ = std::log(top_hz / kSweepFromHz) / settings.sweep_s;
  sweep_turns_ = kSweepFromHz / sweep_rate_per_s_;
  sweep_frames_ =
      std::max<uint64_t>(sluice::frames_of_ms(settings.sweep_s * 1000, settings.rate_hz), 1);
}

double SignalGenerator::next_sine() {
  if (frequency_hz_.is_moving()) step_ = phase_step(frequency_hz_.next(), settings_.rate_hz);
  const double value = sine_of(phase_);
  phase_ += step_;  // wraps at a whole turn, so no error adds up
  return value;
}

// A. Farina, "Simultaneous measurement of impulse response and distortion with a swept-sine
// technique", AES 108 (2000): x(t) = sin(K (exp(t / L) - 1)).
double SignalGenerator::next_sweep() {
  const double t_s = static_cast<double>(frame_ % sweep_frames_) / settings_.rate_hz;
  const double turns = sweep_turns_ * std::expm1(t_s * sweep_rate_per_s_);
  return std::sin(2.0 * std::numbers::pi * (turns - std::floor(turns)));
}

double SignalGenerator::next_impulse() { return frame_ % settings_.rate_hz == 0 ? 1.0 : 0.0; }

// Uniform, of variance 1. Generator: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
double SignalGenerator::next_white() {
  uint64_t z = random_ += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  z ^= z >> 31;
  constexpr double kScale = 2.0 * std::numbers::sqrt3 / kTurn;
  return static_cast<double>(static_cast<int64_t>(z)) * kScale;
}

double SignalGenerator::PinkFilter::next(double white) {
  double sum = white * kPinkDirect + previous_white_ * kPinkDelayed;
  previous_white_ = white;
  for (size_t i = 0; i < poles_.size(); ++i) {
    poles_[i] = poles_[i] * kPinkPoles[i].decay + white * kPinkPoles[i].gain;
    sum += poles_[i];
  }
  return sum * kPinkScale;
}

void SignalGenerator::write_counter(int16_t* to, uint32_t frames) {
  for (uint32_t i = 0; i < frames; ++i) {
    const uint64_t number = ++frame_;
    to[2 * i] = static_cast<int16_t>(number & 0xffff);
    to[2 * i + 1] = static_cast<int16_t>(number >> 16 & 0xffff);
  }
}

template <typename Next>
void SignalGenerator::write_same(float* to, uint32_t frames, Next next) {
  for (uint32_t i = 0; i < frames; ++i, ++frame_) {
    to = std::fill_n(to, settings_.channels, static_cast<float>(next() * gain_.next()));
  }
}

void SignalGenerator::generate(void* to, uint32_t frames) {
  auto* samples = static_cast<float*>(to);
  switch (settings_.wave) {
    case Wave::kSine:
      return write_same(samples, frames, [this] { return next_sine(); });
    case Wave::kSweep:
      return write_same(samples, frames, [this] { return next_sweep(); });
    case Wave::kImpulse:
      return write_same(samples, frames, [this] { return next_impulse(); });
    case Wave::kSilence:
      std::fill_n(samples, size_t{frames} * settings_.channels, 0.0f);
      return;
    case Wave::kWhite:
    case Wave::kPink:
      for (uint32_t i = 0; i < frames; ++i) {
        const double gain = gain_.next();
        for (PinkFilter& pink : pink_) {
          const double white = next_white();
          const double value = settings_.wave == Wave::kPink ? pink.next(white) : white;
          *samples++ = static_cast<float>(value * gain);
        }
      }
      return;
    case Wave::kCounter:
      return write_counter(static_cast<int16_t*>(to), frames);
  }
}
