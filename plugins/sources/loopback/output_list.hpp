// The outputs of a sound server, for `sluice devices`. [control]
#pragma once

#include <sluice/devices.hpp>

namespace loopback {

// Lists the outputs of the server that PULSE_SERVER and the user's settings name; waits for it for
// 2 s at most. `parameter`: the one that takes their names.
void list_outputs(const sluice::DeviceListing& listing, const char* parameter);

}  // namespace loopback
