// filter.lv2: LV2 plugins as filters.
#include "hosted_filter.hpp"
#include "lv2_world.hpp"

namespace {

class Lv2 : public hosted::HostedFilter<Lv2> {
 public:
  static constexpr sluice::Info kInfo{
      "filter.lv2", "LV2 plugin",
      "Runs an LV2 plugin: filter.lv2/URI is the type of the plugin with that URI, with its "
      "controls as parameters. 'sluice plugins --lv2' lists them, 'sluice plugins filter.lv2/URI' "
      "tells all about one. They are looked for in the folders of LV2_PATH, or else in ~/.lv2, "
      "/usr/local/lib/lv2 and /usr/lib/lv2. Numbers ramp when they are changed, over 30 ms in "
      "steps "
      "of 32 frames; a plugin with one input and one output runs once for each channel; side "
      "chains, control voltages and events have nothing in them."};
  static constexpr const char* kIdentity = "uri";
  static constexpr const char* kSystem = "LV2";
  static constexpr sluice_parameter kParameters[] = {
      sluice::text(kIdentity, "", "Which plugin it is; the type's name says so already.")};

  template <typename Remark>
  static std::vector<hosted::Guest> all(const Remark&) {
    return hosted::lv2_guests();
  }
  static hosted::Guest find(std::string_view uri) { return hosted::lv2_guest(uri); }
  static std::unique_ptr<hosted::Instance> make(const hosted::Guest& guest, uint32_t rate_hz) {
    return hosted::make_lv2(guest, rate_hz);
  }
};

}  // namespace

SLUICE_PLUGIN("LV2", "1.0.0", "Sluice", "MIT", Lv2);
