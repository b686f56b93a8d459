#include "host/loader/device_list.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "host/loader/descriptor.hpp"
#include "host/loader/library.hpp"
#include "host/support/printable.hpp"

namespace sluice::loader {
namespace {

constexpr size_t kMostTextBytes = 1024;
constexpr uint32_t kMostDeviceOffers = 64;
// Some say nonsense where they do not know.
constexpr double kMostLatencyMs = 60'000.0;

struct TakingDevices {
  const Type& type;
  DeviceList list;

  void refuse(std::string_view what) {
    list.remarks.push_back(
        fmt::format("{}: a device of {} was left out: {}.", type.file().string(), type.id(), what));
  }
  static std::string text(const char* text) {
    return text == nullptr ? std::string() : support::printable(text, kMostTextBytes);
  }
  void device(const sluice_listed_device& given) {
    const auto device = copy_sized<sluice_listed_device>(&given, given.struct_size);
    ListedDevice listed{.parameter = text(device.parameter),
                        .selector = text(device.selector),
                        .name = text(device.name),
                        .system = text(device.system),
                        .remark = text(device.remark),
                        .is_default = (device.flags & SLUICE_LISTED_DEFAULT) != 0,
                        .channels = device.channels,
                        .rate_hz = device.rate_hz,
                        .offers = {},
                        .latency_ms = device.latency_ms};
    if (type.find_parameter(listed.parameter) == nullptr) {
      return refuse(fmt::format("the type has no parameter \"{}\"", listed.parameter));
    }
    if (!(listed.latency_ms >= 0.0 && listed.latency_ms < kMostLatencyMs)) listed.latency_ms = 0;
    if (listed.selector.empty()) return refuse("it has no selector");
    if (listed.selector != device.selector) return refuse("its selector cannot be printed");
    if (device.offers != nullptr) {
      const auto* bytes = reinterpret_cast<const unsigned char*>(device.offers);
      const uint32_t size = device.offers->struct_size;
      for (uint32_t i = 0; i < std::min(device.offer_count, kMostDeviceOffers); ++i) {
        listed.offers.push_back(copy_sized<sluice_format_offer>(bytes + size_t{i} * size, size));
      }
    }
    list.devices.push_back(std::move(listed));
  }
};

}  // namespace

DeviceList list_devices(const Type& type) {
  const auto library = Library::load(type.file());
  if (!library) return {{}, {library.error().message}};
  const auto* const table =
      static_cast<const sluice_device_list*>((*library)->extension(SLUICE_DEVICE_LIST));
  if (!type.has_flag(SLUICE_TYPE_OPENS_DEVICES) || table == nullptr || table->list == nullptr) {
    return {};
  }
  TakingDevices taking{type, {}};
  const sluice_device_listing listing{
      sizeof(sluice_device_listing), &taking,
      [](void* context, const sluice_listed_device* device) {
        static_cast<TakingDevices*>(context)->device(*device);
      },
      [](void* context, const char* sentence) {
        static_cast<TakingDevices*>(context)->list.remarks.push_back(TakingDevices::text(sentence));
      }};
  table->list(type.data().id, &listing);
  return std::move(taking.list);
}

}  // namespace sluice::loader
