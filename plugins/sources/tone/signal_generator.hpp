// The signals of source.tone, frame by frame.
#pragma once

#include <array>
#include <cstdint>
#include <sluice/ramp.hpp>
#include <vector>

enum class Wave : uint32_t { kSine, kSweep, kWhite, kPink, kSilence, kImpulse, kCounter };
inline constexpr const char* kWaveNames[] = {"sine",    "sweep",   "white",  "pink",
                                             "silence", "impulse", "counter"};

// Makes one signal from frame 0 on. Equal settings and seed make equal frames. Not thread safe;
// allocates only when it is made. [worker]
class SignalGenerator {
 public:
  struct Settings {
    Wave wave = Wave::kSine;
    double frequency_hz = 1000;
    double level_db = -20;
    double sweep_s = 10;
    uint32_t channels = 2;
    uint32_t rate_hz = 48000;
    uint64_t seed = 0;
  };
  explicit SignalGenerator(const Settings& settings);

  // Moves to the value over sluice::kRampMs, without a step in level or phase.
  void set_frequency_hz(double frequency_hz) { frequency_hz_.to(frequency_hz); }
  void set_level_db(double level_db) { gain_.to(sluice::from_db(level_db)); }

  // Writes the next frames: f32, or for the counter s16 stereo.
  void generate(void* to, uint32_t frames);

 private:
  // Filters white noise to pink: Paul Kellet, "refined" method of 17 October 1999
  // (musicdsp.org, no. 76): falls 3.01 dB an octave, within 0.05 dB above rate / 4800.
  class PinkFilter {
   public:
    double next(double white);

   private:
    std::array<double, 6> poles_{};
    double previous_white_ = 0;
  };

  double next_sine();
  double next_sweep();
  double next_impulse();
  double next_white();
  void write_counter(int16_t* to, uint32_t frames);
  template <typename Next>
  void write_same(float* to, uint32_t frames, Next next);

  Settings settings_;
  sluice::Ramp gain_, frequency_hz_;
  uint64_t frame_ = 0;

  uint64_t phase_ = 0, step_ = 0;                  // in 2^-64 of a turn
  double sweep_turns_ = 0, sweep_rate_per_s_ = 0;  // Farina's K / (2 pi) and 1 / L
  uint64_t sweep_frames_ = 1;
  uint64_t random_ = 0;
  std::vector<PinkFilter> pink_;
};
