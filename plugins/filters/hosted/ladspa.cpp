// filter.ladspa: LADSPA plugins as filters.
#include "hosted_filter.hpp"
#include "ladspa_library.hpp"

namespace {

class Ladspa : public hosted::HostedFilter<Ladspa> {
 public:
  static constexpr sluice::Info kInfo{
      "filter.ladspa", "LADSPA plugin",
      "Runs a LADSPA plugin: filter.ladspa/LABEL is the type of the plugin with that label, with "
      "its controls as parameters. 'sluice plugins --hosted' lists them, 'sluice plugins "
      "filter.ladspa/LABEL' tells all about one. They are looked for in the folders of "
      "LADSPA_PATH, "
      "or else in ~/.ladspa, /usr/local/lib/ladspa and /usr/lib/ladspa. Numbers ramp when they are "
      "changed, over 30 ms in steps of 32 frames; a plugin with one input and one output runs once "
      "for each channel."};
  static constexpr const char* kIdentity = "label";
  static constexpr const char* kSystem = "LADSPA";
  static constexpr sluice_parameter kParameters[] = {
      sluice::text(kIdentity, "", "Which plugin it is; the type's name says so already.")};

  template <typename Remark>
  static std::vector<hosted::Guest> all(const Remark& remark) {
    return hosted::ladspa_guests(remark);
  }
  static hosted::Guest find(std::string_view name) { return hosted::ladspa_guest(name); }
  static std::unique_ptr<hosted::Instance> make(const hosted::Guest& guest, uint32_t rate_hz) {
    return hosted::make_ladspa(guest, rate_hz);
  }
};

}  // namespace

SLUICE_PLUGIN("LADSPA", "1.0.0", "Sluice", "MIT", Ladspa);
