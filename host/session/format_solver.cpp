#include "host/session/format_solver.hpp"

#include <algorithm>
#include <bit>
#include <sluice/describe.hpp>

namespace sluice::session {
namespace {

constexpr uint32_t kUsualRateHz = 48000;
constexpr uint32_t kUsualChannels = 2;

bool has(uint32_t mask, sluice_sample_format format) {
  return (mask & SLUICE_SAMPLE_BIT(format)) != 0;
}

// Which sample format of `mask` to take: the one wished for, the preferred one, the best.
sluice_sample_format choose_samples(uint32_t mask, sluice_sample_format wish,
                                    sluice_sample_format preferred) {
  if (wish != SLUICE_SAMPLE_UNSET && has(mask, wish)) return wish;
  if (preferred != SLUICE_SAMPLE_UNSET && has(mask, preferred)) return preferred;
  for (const sluice_sample_format format :
       {SLUICE_SAMPLE_F32, SLUICE_SAMPLE_S32, SLUICE_SAMPLE_S24, SLUICE_SAMPLE_S16}) {
    if (has(mask, format)) return format;
  }
  return SLUICE_SAMPLE_UNSET;
}

std::string range(uint32_t minimum, uint32_t maximum) {
  return minimum == maximum ? std::to_string(minimum)
                            : std::to_string(minimum) + " to " + std::to_string(maximum);
}

const char* channel_word(uint32_t minimum, uint32_t maximum) {
  return minimum == 1 && maximum == 1 ? " channel" : " channels";
}

}  // namespace

std::string to_text(const sluice_format& format) {
  return std::to_string(format.rate_hz) + " Hz, " + std::to_string(format.channels) +
         channel_word(format.channels, format.channels) + ", " + sample_name(format.sample_format);
}

std::string to_text(const sluice_format_offer& offer) {
  std::string samples;
  for (const sluice_sample_format format :
       {SLUICE_SAMPLE_F32, SLUICE_SAMPLE_S16, SLUICE_SAMPLE_S24, SLUICE_SAMPLE_S32}) {
    if (!has(offer.sample_formats, format)) continue;
    if (!samples.empty()) samples += " or ";
    samples += sample_name(format);
  }
  return range(offer.rate_hz_minimum, offer.rate_hz_maximum) + " Hz, " +
         range(offer.channels_minimum, offer.channels_maximum) +
         channel_word(offer.channels_minimum, offer.channels_maximum) + ", " + samples;
}

std::string to_text(std::span<const sluice_format_offer> offers) {
  std::string text;
  for (const auto& offer : offers) {
    if (!text.empty()) text += "; or ";
    text += to_text(offer);
  }
  return text.empty() ? "anything" : text;
}

bool accepts(const sluice_format_offer& offer, const sluice_format& format) {
  return has(offer.sample_formats, format.sample_format) &&
         format.channels >= offer.channels_minimum && format.channels <= offer.channels_maximum &&
         format.rate_hz >= offer.rate_hz_minimum && format.rate_hz <= offer.rate_hz_maximum;
}

bool accepts(std::span<const sluice_format_offer> offers, const sluice_format& format) {
  return offers.empty() || std::any_of(offers.begin(), offers.end(),
                                       [&](const auto& offer) { return accepts(offer, format); });
}

std::optional<sluice_format> nearest(std::span<const sluice_format_offer> offers,
                                     const sluice_format& wish, bool needs_f32) {
  if (offers.empty()) {
    sluice_format format = wish;
    if (needs_f32) format.sample_format = SLUICE_SAMPLE_F32;
    return format;
  }
  std::optional<sluice_format> best;
  int best_changes = 0;
  for (const sluice_format_offer& offer : offers) {
    if (needs_f32 && !has(offer.sample_formats, SLUICE_SAMPLE_F32)) continue;
    sluice_format format{sizeof(sluice_format), SLUICE_SAMPLE_UNSET, 0, 0};
    format.sample_format =
        choose_samples(needs_f32 ? SLUICE_SAMPLE_BIT(SLUICE_SAMPLE_F32) : offer.sample_formats,
                       wish.sample_format, offer.preferred);
    format.channels = std::clamp(wish.channels, offer.channels_minimum, offer.channels_maximum);
    format.rate_hz = std::clamp(wish.rate_hz, offer.rate_hz_minimum, offer.rate_hz_maximum);
    const int changes = 4 * (format.rate_hz != wish.rate_hz) +
                        2 * (format.channels != wish.channels) +
                        (format.sample_format != wish.sample_format);
    if (!best || changes < best_changes) {
      best = format;
      best_changes = changes;
    }
  }
  return best;
}

std::optional<sluice_format> choose_output(std::span<const sluice_format_offer> offers,
                                           uint32_t flags, const sluice_format* input,
                                           std::span<const sluice_format_offer> wanted) {
  sluice_format wish{sizeof(sluice_format), SLUICE_SAMPLE_UNSET, kUsualChannels, kUsualRateHz};
  if (input) {
    wish.channels = input->channels;
    wish.rate_hz = input->rate_hz;
    if (flags & SLUICE_PORT_SAME_SAMPLE_FORMAT) wish.sample_format = input->sample_format;
  }
  if (!wanted.empty()) {
    const sluice_format_offer& reader = wanted.front();
    if (!input || !(flags & SLUICE_PORT_SAME_CHANNELS)) {
      wish.channels = std::clamp(wish.channels, reader.channels_minimum, reader.channels_maximum);
    }
    if (!input || !(flags & SLUICE_PORT_SAME_RATE)) {
      wish.rate_hz = std::clamp(wish.rate_hz, reader.rate_hz_minimum, reader.rate_hz_maximum);
    }
    if (wish.sample_format == SLUICE_SAMPLE_UNSET) {
      wish.sample_format =
          choose_samples(reader.sample_formats, SLUICE_SAMPLE_UNSET, reader.preferred);
    }
  }
  if (wish.sample_format == SLUICE_SAMPLE_UNSET) wish.sample_format = SLUICE_SAMPLE_F32;
  auto format = nearest(offers, wish, false);
  if (!format || !input) return format;
  if (((flags & SLUICE_PORT_SAME_CHANNELS) && format->channels != input->channels) ||
      ((flags & SLUICE_PORT_SAME_RATE) && format->rate_hz != input->rate_hz) ||
      ((flags & SLUICE_PORT_SAME_SAMPLE_FORMAT) && format->sample_format != input->sample_format)) {
    return std::nullopt;
  }
  return format;
}

}  // namespace sluice::session
