// Constexpr builders for the data of a node type: parameters, ports, offers, statistics.
// Thread class: none, everything here is evaluated at compile time.
#pragma once

#include <sluice/plugin.h>

#include <cstddef>
#include <cstdint>

namespace sluice {

// Flags for parameters; combine with |.
inline constexpr uint32_t kLive = SLUICE_PARAMETER_LIVE;
inline constexpr uint32_t kSecret = SLUICE_PARAMETER_SECRET;
inline constexpr uint32_t kRequired = SLUICE_PARAMETER_REQUIRED;
inline constexpr uint32_t kInputPath = SLUICE_PARAMETER_INPUT_PATH;
inline constexpr uint32_t kOutputPath = SLUICE_PARAMETER_OUTPUT_PATH;

// What a type is called. `description` begins with one complete sentence.
struct Info {
  const char* id;
  const char* name;
  const char* description;
  uint32_t flags = 0;  // SLUICE_TYPE_*
};

namespace detail {
constexpr sluice_parameter parameter(uint32_t kind, const char* key, const char* unit,
                                     const char* description, uint32_t flags) {
  sluice_parameter p{};
  p.struct_size = sizeof(p);
  p.kind = kind;
  p.flags = flags;
  p.key = key;
  p.unit = unit;
  p.description = description;
  return p;
}
}  // namespace detail

// A real number in `unit` (nullptr: none), minimum <= value <= maximum.
constexpr sluice_parameter number(const char* key, const char* unit, double minimum, double maximum,
                                  double default_value, const char* description,
                                  uint32_t flags = 0) {
  sluice_parameter p = detail::parameter(SLUICE_NUMBER, key, unit, description, flags);
  p.minimum = minimum;
  p.maximum = maximum;
  p.default_number = default_value;
  return p;
}

// A whole number.
constexpr sluice_parameter integer(const char* key, const char* unit, double minimum,
                                   double maximum, double default_value, const char* description,
                                   uint32_t flags = 0) {
  sluice_parameter p = number(key, unit, minimum, maximum, default_value, description, flags);
  p.kind = SLUICE_INTEGER;
  return p;
}

constexpr sluice_parameter boolean(const char* key, bool default_value, const char* description,
                                   uint32_t flags = 0) {
  sluice_parameter p = detail::parameter(SLUICE_BOOLEAN, key, nullptr, description, flags);
  p.maximum = 1;
  p.default_number = default_value ? 1 : 0;
  return p;
}

// `claim`: two nodes with the same text for parameters of one claim exclude each other.
constexpr sluice_parameter text(const char* key, const char* default_value, const char* description,
                                uint32_t flags = 0, const char* claim = nullptr) {
  sluice_parameter p = detail::parameter(SLUICE_TEXT, key, nullptr, description, flags);
  p.default_text = default_value;
  p.claim = claim;
  return p;
}

// The parameter with a claim on what its value names; see sluice_parameter.claim.
constexpr sluice_parameter claiming(sluice_parameter parameter, const char* claim,
                                    const char* when = nullptr) {
  parameter.claim = claim;
  parameter.claim_when = when;
  return parameter;
}

// One of `choices` (a static array); the default is an index into it.
template <std::size_t n>
constexpr sluice_parameter choice(const char* key, const char* const (&choices)[n],
                                  uint32_t default_index, const char* description,
                                  uint32_t flags = 0) {
  sluice_parameter p = detail::parameter(SLUICE_CHOICE, key, nullptr, description, flags);
  p.choices = choices;
  p.choice_count = n;
  p.maximum = n - 1;
  p.default_number = default_index;
  return p;
}

// Numbers, each within minimum..maximum; empty by default.
constexpr sluice_parameter list(const char* key, const char* unit, double minimum, double maximum,
                                const char* description, uint32_t flags = 0) {
  sluice_parameter p = number(key, unit, minimum, maximum, 0, description, flags);
  p.kind = SLUICE_LIST;
  return p;
}

// Rows of equally many numbers, each within minimum..maximum; empty by default.
constexpr sluice_parameter matrix(const char* key, const char* unit, double minimum, double maximum,
                                  const char* description, uint32_t flags = 0) {
  sluice_parameter p = number(key, unit, minimum, maximum, 0, description, flags);
  p.kind = SLUICE_MATRIX;
  return p;
}

constexpr sluice_statistic counter(const char* key, const char* unit, const char* description) {
  return {sizeof(sluice_statistic), SLUICE_COUNTER, key, unit, description, nullptr};
}
// `against`: key of the parameter it is measured against, or nullptr.
constexpr sluice_statistic gauge(const char* key, const char* unit, const char* description,
                                 const char* against = nullptr) {
  return {sizeof(sluice_statistic), SLUICE_GAUGE, key, unit, description, against};
}

// Formats a port can have: a mask of sample formats, the one to choose among them, and ranges.
constexpr sluice_format_offer offer(uint32_t sample_formats,
                                    sluice_sample_format preferred = SLUICE_SAMPLE_UNSET,
                                    uint32_t channels_minimum = 1,
                                    uint32_t channels_maximum = SLUICE_MAX_CHANNELS,
                                    uint32_t rate_hz_minimum = SLUICE_MIN_RATE_HZ,
                                    uint32_t rate_hz_maximum = SLUICE_MAX_RATE_HZ) {
  return {sizeof(sluice_format_offer),
          sample_formats,
          preferred,
          channels_minimum,
          channels_maximum,
          rate_hz_minimum,
          rate_hz_maximum};
}
// Exactly one format.
constexpr sluice_format_offer offer(const sluice_format& f) {
  return offer(SLUICE_SAMPLE_BIT(f.sample_format), f.sample_format, f.channels, f.channels,
               f.rate_hz, f.rate_hz);
}

inline constexpr sluice_format_offer kOfferF32[] = {
    offer(SLUICE_SAMPLE_BIT(SLUICE_SAMPLE_F32), SLUICE_SAMPLE_F32)};
inline constexpr sluice_format_offer kOfferAny[] = {offer(SLUICE_SAMPLE_ANY)};

// A PCM port; `offers` is a static array.
template <std::size_t n>
constexpr sluice_port port(uint32_t direction, const char* key, const char* description,
                           const sluice_format_offer (&offers)[n], uint32_t flags = 0,
                           uint32_t clock = SLUICE_CLOCK_NONE) {
  return {sizeof(sluice_port),     direction, SLUICE_PCM, flags, clock, key, description, offers,
          static_cast<uint32_t>(n)};
}
template <std::size_t n>
constexpr sluice_port input(const char* key, const char* description,
                            const sluice_format_offer (&offers)[n], uint32_t flags = 0,
                            uint32_t clock = SLUICE_CLOCK_NONE) {
  return port(SLUICE_INPUT, key, description, offers, flags, clock);
}
template <std::size_t n>
constexpr sluice_port output(const char* key, const char* description,
                             const sluice_format_offer (&offers)[n], uint32_t flags = 0,
                             uint32_t clock = SLUICE_CLOCK_NONE) {
  return port(SLUICE_OUTPUT, key, description, offers, flags, clock);
}
// A port that carries packets.
constexpr sluice_port packets(uint32_t direction, const char* key, const char* description,
                              uint32_t flags = 0, uint32_t clock = SLUICE_CLOCK_NONE) {
  return {
      sizeof(sluice_port), direction, SLUICE_PACKETS, flags, clock, key, description, nullptr, 0};
}

// Bytes of one sample; 0 for an unknown format.
constexpr uint32_t sample_bytes(sluice_sample_format format) {
  switch (format) {
    case SLUICE_SAMPLE_F32:
    case SLUICE_SAMPLE_S32:
      return 4;
    case SLUICE_SAMPLE_S24:
      return 3;
    case SLUICE_SAMPLE_S16:
      return 2;
    default:
      return 0;
  }
}
// "f32", "s16", "s24", "s32": what graphs call it; "?" for an unknown format.
constexpr const char* sample_name(sluice_sample_format format) {
  switch (format) {
    case SLUICE_SAMPLE_F32:
      return "f32";
    case SLUICE_SAMPLE_S16:
      return "s16";
    case SLUICE_SAMPLE_S24:
      return "s24";
    case SLUICE_SAMPLE_S32:
      return "s32";
    default:
      return "?";
  }
}
// Bytes of one frame.
constexpr uint32_t frame_bytes(const sluice_format& format) {
  return sample_bytes(format.sample_format) * format.channels;
}

}  // namespace sluice
