// What decides how fast frames move through a port. Plain data, [any].
#pragma once

#include <sluice/plugin.h>

#include <cstdint>
#include <string>

namespace sluice::session {

struct ClockName {
  uint32_t kind = SLUICE_CLOCK_NONE;
  std::string name;  // "device:hw:0", "monotonic", "remote:radio"; empty for none

  bool is_none() const { return kind == SLUICE_CLOCK_NONE; }
  friend bool operator==(const ClockName& a, const ClockName& b) = default;
};

// The clock of a port of the node `id`.
inline ClockName clock_name(const std::string& id, const sluice_port_info& info) {
  switch (info.clock) {
    case SLUICE_CLOCK_MONOTONIC:
      return {info.clock, "monotonic"};
    case SLUICE_CLOCK_DEVICE:
      return {info.clock, std::string("device:") + (info.clock_id ? info.clock_id : id)};
    case SLUICE_CLOCK_REMOTE:
      return {info.clock, "remote:" + id};
    default:
      return {};
  }
}

}  // namespace sluice::session
