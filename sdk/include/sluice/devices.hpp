// Lists of the devices that nodes of a type can open, as `sluice devices` shows them.
//
// A node class that opens devices declares
//   static void list_devices(const sluice::DeviceListing& listing)   [control]
// and SLUICE_PLUGIN does the rest. It calls listing.device() for each device and listing.remark()
// for what people should know about the list. A sluice::Failure thrown becomes a remark.
#pragma once

#include <sluice/plugin.h>

#include <string>
#include <vector>

namespace sluice {

// See sluice_listed_device. Empty texts and lists mean unknown or none.
struct ListedDevice {
  std::string parameter = {};
  std::string selector = {};
  std::string name = {};
  std::string system = {};
  std::string remark = {};
  bool is_default = false;
  uint32_t channels = 0, rate_hz = 0;
  std::vector<sluice_format_offer> offers = {};
  double latency_ms = 0;
};

// Where the devices go.
class DeviceListing {
 public:
  explicit DeviceListing(const sluice_device_listing& listing) : listing_(listing) {}

  void device(const ListedDevice& device) const {
    sluice_listed_device listed{};
    listed.struct_size = sizeof(listed);
    listed.flags = device.is_default ? uint32_t{SLUICE_LISTED_DEFAULT} : 0u;
    listed.parameter = device.parameter.c_str();
    listed.selector = device.selector.c_str();
    listed.name = device.name.c_str();
    listed.system = device.system.c_str();
    listed.remark = device.remark.empty() ? nullptr : device.remark.c_str();
    listed.channels = device.channels;
    listed.rate_hz = device.rate_hz;
    listed.offers = device.offers.empty() ? nullptr : device.offers.data();
    listed.offer_count = static_cast<uint32_t>(device.offers.size());
    listed.latency_ms = device.latency_ms;
    listing_.device(listing_.context, &listed);
  }
  void remark(const std::string& sentence) const {
    listing_.remark(listing_.context, sentence.c_str());
  }

 private:
  const sluice_device_listing& listing_;
};

}  // namespace sluice
