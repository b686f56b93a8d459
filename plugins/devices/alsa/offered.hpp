// What an open PCM can be set to, and the ALSA names of sample formats. [control, worker]
#pragma once

#include <alsa/asoundlib.h>
#include <sluice/plugin.h>

#include <cstdint>
#include <string>
#include <vector>

namespace alsa {

// SND_PCM_FORMAT_UNKNOWN for what is no sample format.
snd_pcm_format_t alsa_format(sluice_sample_format format);

struct Offered {
  uint32_t formats = 0;  // mask of SLUICE_SAMPLE_BIT; none of ours: 0
  std::string others;    // ALSA's names of those that are none of ours: "S24_LE, U8"
  uint32_t channels_minimum = 0, channels_maximum = 0;
  uint32_t rate_hz_minimum = 0, rate_hz_maximum = 0;
  bool is_any_rate = false;        // every rate between these
  std::vector<uint32_t> rates_hz;  // of the usual ones, those it has, ascending

  bool has_rate(uint32_t rate_hz) const;
  uint32_t nearest_rate(uint32_t rate_hz) const;
  bool has(const sluice_format& format) const;
  // The best of the offered formats: the most bits, integers before floats. SLUICE_SAMPLE_UNSET if
  // none.
  sluice_sample_format best_format() const;
  // "44100 or 48000 Hz, 2 channels, s16 or s32".
  std::string text() const;
};

Offered offered_by(snd_pcm_t* pcm);

// For a port: what is offered (null: anything), as far as `wanted` leaves it open with zeros; the
// rate of 48 kHz or the nearest first. Empty if nothing is left.
std::vector<sluice_format_offer> offers_of(const Offered* offered, const sluice_format& wanted);

// "48000 Hz, 2 channels, s16".
std::string text_of(const sluice_format& format);

}  // namespace alsa
