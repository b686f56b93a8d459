// The devices that nodes of a type can open, as its plugin lists them. [control]
#pragma once

#include <sluice/plugin.h>

#include <cstdint>
#include <string>
#include <vector>

#include "host/loader/type.hpp"

namespace sluice::loader {

// See sluice_listed_device; an empty remark is none.
struct ListedDevice {
  std::string parameter, selector, name, system, remark;
  bool is_default = false;
  uint32_t channels = 0, rate_hz = 0;       // 0: unknown
  std::vector<sluice_format_offer> offers;  // empty: unknown
  double latency_ms = 0;                    // likewise 0
};

struct DeviceList {
  std::vector<ListedDevice> devices;  // in the plugin's order
  std::vector<std::string> remarks;   // sentences about the list itself
};

// Asks the plugin of `type`, which is loaded. A type that opens no devices has an empty list. What
// a plugin hands over against the rules (text that is no UTF-8, a parameter the type does not have,
// no selector) is left out, with a remark that names the plugin.
DeviceList list_devices(const Type& type);

}  // namespace sluice::loader
