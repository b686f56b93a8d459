// LADSPA plugins (ladspa.h, version 1.1): shared objects with tables of descriptors and nothing
// beside them, so that to know what is in one it has to be loaded. [control]
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "guest.hpp"

namespace hosted {

// Folders of LADSPA_PATH, or else the usual ones.
std::vector<std::string> ladspa_folders();

// Every plugin in them. A guest is named after its label, or FILE/LABEL where an earlier file has
// the same label. `remark` is given a sentence for each file that cannot be loaded.
std::vector<Guest> ladspa_guests(const std::function<void(const std::string&)>& remark);

// LABEL or FILE/LABEL. Throws sluice::Failure.
Guest ladspa_guest(std::string_view name);

// Throws sluice::Failure.
std::unique_ptr<Instance> make_ladspa(const Guest& guest, uint32_t rate_hz);

}  // namespace hosted
