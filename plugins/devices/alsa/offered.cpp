#include "offered.hpp"

#include <algorithm>
#include <iterator>
#include <sluice/describe.hpp>
#include <sluice/sluice.hpp>

namespace alsa {
namespace {

constexpr sluice_sample_format kBestFirst[] = {SLUICE_SAMPLE_S32, SLUICE_SAMPLE_S24,
                                               SLUICE_SAMPLE_F32, SLUICE_SAMPLE_S16};
constexpr uint32_t kUsualRatesHz[] = {8000,  11025, 12000, 16000, 22050,  24000,  32000,
                                      44100, 48000, 88200, 96000, 176400, 192000, 384000};
// Nobody has it but who has every rate.
constexpr uint32_t kUnusualRateHz = 45678;

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (size_t i = 0; i < words.size(); ++i) {
    text += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + words[i];
  }
  return text;
}

std::string range(uint32_t minimum, uint32_t maximum) {
  return minimum == maximum ? std::to_string(minimum)
                            : std::to_string(minimum) + " to " + std::to_string(maximum);
}

std::string channels_text(const std::string& count) {
  return count + (count == "1" ? " channel" : " channels");
}

}  // namespace

snd_pcm_format_t alsa_format(sluice_sample_format format) {
  switch (format) {
    case SLUICE_SAMPLE_F32:
      return SND_PCM_FORMAT_FLOAT;
    case SLUICE_SAMPLE_S16:
      return SND_PCM_FORMAT_S16;
    case SLUICE_SAMPLE_S24:
      return SND_PCM_FORMAT_S24_3LE;
    case SLUICE_SAMPLE_S32:
      return SND_PCM_FORMAT_S32;
    default:
      return SND_PCM_FORMAT_UNKNOWN;
  }
}

bool Offered::has_rate(uint32_t rate_hz) const {
  if (is_any_rate) return rate_hz >= rate_hz_minimum && rate_hz <= rate_hz_maximum;
  return std::find(rates_hz.begin(), rates_hz.end(), rate_hz) != rates_hz.end();
}

uint32_t Offered::nearest_rate(uint32_t rate_hz) const {
  if (is_any_rate || rates_hz.empty()) {
    return std::clamp(rate_hz, rate_hz_minimum, std::max(rate_hz_minimum, rate_hz_maximum));
  }
  return *std::min_element(rates_hz.begin(), rates_hz.end(), [&](uint32_t a, uint32_t b) {
    return std::max(a, rate_hz) - std::min(a, rate_hz) <
           std::max(b, rate_hz) - std::min(b, rate_hz);
  });
}

bool Offered::has(const sluice_format& format) const {
  return (formats & SLUICE_SAMPLE_BIT(format.sample_format)) != 0 &&
         format.channels >= channels_minimum && format.channels <= channels_maximum &&
         has_rate(format.rate_hz);
}

sluice_sample_format Offered::best_format() const {
  for (const sluice_sample_format format : kBestFirst) {
    if (formats & SLUICE_SAMPLE_BIT(format)) return format;
  }
  return SLUICE_SAMPLE_UNSET;
}

std::string Offered::text() const {
  std::vector<std::string> rates, names;
  if (is_any_rate) {
    rates.push_back(range(rate_hz_minimum, rate_hz_maximum));
  } else {
    for (const uint32_t rate_hz : rates_hz) rates.push_back(std::to_string(rate_hz));
  }
  for (const sluice_sample_format format : kBestFirst) {
    if (formats & SLUICE_SAMPLE_BIT(format)) names.emplace_back(sluice::sample_name(format));
  }
  std::reverse(names.begin(), names.end());
  if (names.empty()) names.push_back(others);
  return joined(rates) + " Hz, " + channels_text(range(channels_minimum, channels_maximum)) + ", " +
         joined(names);
}

Offered offered_by(snd_pcm_t* pcm) {
  Offered offered;
  snd_pcm_hw_params_t* parameters = nullptr;
  snd_pcm_hw_params_alloca(&parameters);
  if (snd_pcm_hw_params_any(pcm, parameters) < 0) return offered;
  snd_pcm_hw_params_set_rate_resample(pcm, parameters, 0);
  for (int i = 0; i <= SND_PCM_FORMAT_LAST; ++i) {
    const auto format = static_cast<snd_pcm_format_t>(i);
    if (snd_pcm_hw_params_test_format(pcm, parameters, format) != 0) continue;
    const auto ours =
        std::find_if(std::begin(kBestFirst), std::end(kBestFirst),
                     [&](sluice_sample_format known) { return alsa_format(known) == format; });
    if (ours != std::end(kBestFirst)) {
      offered.formats |= SLUICE_SAMPLE_BIT(*ours);
    } else if (const char* name = snd_pcm_format_name(format)) {
      offered.others += (offered.others.empty() ? "" : ", ") + std::string(name);
    }
  }
  unsigned minimum = 0, maximum = 0;
  int direction = 0;
  snd_pcm_hw_params_get_channels_min(parameters, &minimum);
  snd_pcm_hw_params_get_channels_max(parameters, &maximum);
  offered.channels_minimum = std::max(minimum, 1U);
  offered.channels_maximum = std::min(maximum, SLUICE_MAX_CHANNELS);
  snd_pcm_hw_params_get_rate_min(parameters, &minimum, &direction);
  snd_pcm_hw_params_get_rate_max(parameters, &maximum, &direction);
  offered.rate_hz_minimum = std::max(minimum, SLUICE_MIN_RATE_HZ);
  offered.rate_hz_maximum = std::min(maximum, SLUICE_MAX_RATE_HZ);
  for (const uint32_t rate_hz : kUsualRatesHz) {
    if (snd_pcm_hw_params_test_rate(pcm, parameters, rate_hz, 0) == 0) {
      offered.rates_hz.push_back(rate_hz);
    }
  }
  offered.is_any_rate = offered.rate_hz_minimum == offered.rate_hz_maximum ||
                        snd_pcm_hw_params_test_rate(pcm, parameters, kUnusualRateHz, 0) == 0;
  return offered;
}

std::vector<sluice_format_offer> offers_of(const Offered* offered, const sluice_format& wanted) {
  const sluice_sample_format format = wanted.sample_format;
  sluice_format_offer offer = sluice::offer(SLUICE_SAMPLE_ANY);
  if (offered) {
    offer.sample_formats = offered->formats;
    offer.channels_minimum = offered->channels_minimum;
    offer.channels_maximum = offered->channels_maximum;
    offer.rate_hz_minimum = offered->rate_hz_minimum;
    offer.rate_hz_maximum = offered->rate_hz_maximum;
    const bool has_format =
        format == SLUICE_SAMPLE_UNSET || (offered->formats & SLUICE_SAMPLE_BIT(format)) != 0;
    const bool has_channels = wanted.channels == 0 || (wanted.channels >= offer.channels_minimum &&
                                                       wanted.channels <= offer.channels_maximum);
    if (!has_format || !has_channels || (wanted.rate_hz != 0 && !offered->has_rate(wanted.rate_hz)))
      return {};
  }
  if (format != SLUICE_SAMPLE_UNSET) offer.sample_formats = SLUICE_SAMPLE_BIT(format);
  if (wanted.channels != 0) offer.channels_minimum = offer.channels_maximum = wanted.channels;
  std::vector<sluice_format_offer> offers;
  const auto add_rate = [&](uint32_t rate) {
    offer.rate_hz_minimum = offer.rate_hz_maximum = rate;
    offers.push_back(offer);
  };
  if (wanted.rate_hz != 0) {
    add_rate(wanted.rate_hz);
  } else if (!offered || offered->is_any_rate || offered->rates_hz.empty()) {
    offers.push_back(offer);
  } else {
    const uint32_t usual = offered->nearest_rate(48000);
    add_rate(usual);
    for (const uint32_t rate : offered->rates_hz) {
      if (rate != usual) add_rate(rate);
    }
  }
  return offers;
}

std::string text_of(const sluice_format& format) {
  return std::to_string(format.rate_hz) + " Hz, " + channels_text(std::to_string(format.channels)) +
         ", " + sluice::sample_name(format.sample_format);
}

}  // namespace alsa
