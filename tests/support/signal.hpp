// Signals to feed to nodes, and what can be said about the signals that come out.
//
// All signals are interleaved f32; positions and counts are frames. Thread class: [any].
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sluice::tests {

// ---- Making ----

// Every channel the same sine, starting at `phase` radians; `level_db` is that of the peak.
std::vector<float> sine(double frequency_hz, double peak_db, size_t frames, uint32_t channels = 1,
                        uint32_t rate_hz = 48000, double phase = 0.0);
// Independent uniform noise in every sample, within -peak..peak; the same for the same seed.
std::vector<float> noise(uint64_t seed, double peak, size_t frames, uint32_t channels = 1);
std::vector<float> silence(size_t frames, uint32_t channels = 1);
// Channel c of frame n holds (n * channels + c + 1) / 2^24, exactly: every sample names its place.
// For up to 2^24 samples.
std::vector<float> counter(size_t frames, uint32_t channels = 1);
// Interleaved s16: frame n holds 2n and 2n + 1, modulo 2^16; from frame `first` on.
std::vector<int16_t> counter16(size_t frames, size_t first = 0);
// One signal behind the other.
std::vector<float> join(std::vector<float> first, std::span<const float> second);

// ---- Taking apart ----

// Frames first..first + frames; to the end if there are fewer.
std::span<const float> part(std::span<const float> signal, size_t first, size_t frames,
                            uint32_t channels = 1);
// One channel of an interleaved signal.
std::vector<float> channel_of(std::span<const float> signal, uint32_t channel, uint32_t channels);

// ---- Measuring ----

// The largest magnitude; NaN if any sample is.
double peak(std::span<const float> signal);
// Root mean square over all samples in dB; a full-scale sine has -3.01 dB, silence -infinity.
double rms_db(std::span<const float> signal);
// The largest difference between neighbours within one channel.
double largest_step(std::span<const float> signal, uint32_t channels = 1);
// Runs of at least `frames` frames in which every channel is exactly zero.
size_t count_gaps(std::span<const float> signal, size_t frames, uint32_t channels = 1);
// The bits of both are the same, NaNs included.
bool same_bits(std::span<const float> a, std::span<const float> b);
// First sample whose bits differ; the shorter length if there is none.
size_t first_difference(std::span<const float> a, std::span<const float> b);

// Level and distortion of one channel that should hold one sine of this frequency. The sine and a
// constant are fitted by least squares; what is left counts as distortion and noise.
struct Tone {
  double peak_db;   // of the fitted sine
  double thd_n_db;  // RMS of what is left over that of the sine
};
Tone measure_tone(std::span<const float> channel, double frequency_hz, uint32_t rate_hz = 48000);
// Level in dB of the component at one frequency (Goertzel with a Hann window); a full-scale sine on
// it reads 0 dB. One channel.
double level_at(std::span<const float> channel, double frequency_hz, uint32_t rate_hz = 48000);
// Power spectrum in dB of the first 2^k frames, Blackman-Harris window, from 0 Hz to half the rate;
// a full-scale sine in the middle of a bin reads 0 dB. One channel.
std::vector<double> spectrum_db(std::span<const float> channel);
// By how many frames `later` is behind `earlier`: the lag, 0..maximum_frames, at which their
// correlation is largest. One channel each.
size_t delay_frames(std::span<const float> earlier, std::span<const float> later,
                    size_t maximum_frames);

}  // namespace sluice::tests
