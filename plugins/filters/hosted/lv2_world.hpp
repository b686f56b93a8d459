// LV2 plugins (lv2plug.in, through lilv): what there are, what their data says, and running them.
// [control]
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "guest.hpp"

namespace hosted {

// Every plugin in the bundles of LV2_PATH, or else of the usual folders; named after its URI.
std::vector<Guest> lv2_guests();

// Throws sluice::Failure.
Guest lv2_guest(std::string_view uri);

// Throws sluice::Failure.
std::unique_ptr<Instance> make_lv2(const Guest& guest, uint32_t rate_hz);

}  // namespace hosted
