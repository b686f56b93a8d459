#include "guest_type.hpp"

#include <algorithm>
#include <string>

namespace hosted {

void describe(const Guest& guest, const char* identity, sluice::MadeType& type) {
  const auto in = static_cast<uint32_t>(guest.audio_in.size());
  const auto out = static_cast<uint32_t>(guest.audio_out.size());
  std::string text = guest.title + ".";
  if (!guest.maker.empty()) text += " By " + guest.maker + ".";
  if (!guest.licence.empty()) text += " Licence: " + guest.licence + ".";
  text += is_for_any_channels(guest)
              ? " Each channel has a copy of its own."
              : " From " + std::to_string(in) + " to " + std::to_string(out) + " channels.";
  type.describe(guest.title, text);

  const auto offer = [](uint32_t least, uint32_t most) {
    return sluice::offer(SLUICE_SAMPLE_BIT(SLUICE_SAMPLE_F32), SLUICE_SAMPLE_F32, least, most);
  };
  const bool is_any = is_for_any_channels(guest);
  const uint32_t same = SLUICE_PORT_SAME_SAMPLE_FORMAT | SLUICE_PORT_SAME_RATE |
                        (in == out ? uint32_t{SLUICE_PORT_SAME_CHANNELS} : 0U);
  type.add_port(sluice::input("in", "Audio for the plugin.", sluice::kOfferF32),
                {is_any ? offer(1, SLUICE_MAX_CHANNELS) : offer(in, in)});
  type.add_port(sluice::output("out", "What the plugin makes of it.", sluice::kOfferF32, same),
                {is_any ? offer(1, SLUICE_MAX_CHANNELS) : offer(out, out)});

  type.add_parameter(sluice::text(identity, guest.name.c_str(),
                                  "Which plugin it is; the type's name says so already."));
  for (const Control& control : guest.controls) {
    const uint32_t flags = control.is_live ? sluice::kLive : 0U;
    const char* const key = control.key.c_str();
    const char* const unit = control.unit.empty() ? nullptr : control.unit.c_str();
    const std::string said = control.name + ".";
    sluice_parameter parameter = sluice::number(key, unit, control.minimum, control.maximum,
                                                control.initial, said.c_str(), flags);
    if (control.kind == Control::Kind::kInteger) parameter.kind = SLUICE_INTEGER;
    if (control.kind == Control::Kind::kToggle) {
      parameter = sluice::boolean(key, control.initial > 0.0, said.c_str(), flags);
    }
    if (control.kind == Control::Kind::kChoice) {
      parameter.kind = SLUICE_CHOICE;
      parameter.minimum = 0.0;
      parameter.maximum = static_cast<double>(control.values.size() - 1);
      const auto nearest =
          std::min_element(control.values.begin(), control.values.end(), [&](double a, double b) {
            return std::abs(a - control.initial) < std::abs(b - control.initial);
          });
      parameter.default_number = static_cast<double>(nearest - control.values.begin());
    }
    type.add_parameter(parameter, control.choices);
  }
  for (const Meter& meter : guest.meters) {
    type.add_statistic(sluice::gauge(meter.key.c_str(),
                                     meter.unit.empty() ? nullptr : meter.unit.c_str(),
                                     (meter.name + ".").c_str()));
  }
}

}  // namespace hosted
