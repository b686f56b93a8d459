// The node type that a guest becomes.
#pragma once

#include <cstdint>
#include <sluice/families.hpp>

#include "guest.hpp"

namespace hosted {

// The type's parameters: first `identity`, a text that is the guest's name, then its controls.
inline constexpr uint32_t kIdentity = 0, kFirstControl = 1;
// Its statistics are the meters.

// A guest with one input and one output runs once for each channel.
inline bool is_for_any_channels(const Guest& guest) {
  return guest.audio_in.size() == 1 && guest.audio_out.size() == 1;
}

// Makes the type of `guest`, whose remark is empty, in `type`. [control]
void describe(const Guest& guest, const char* identity, sluice::MadeType& type);

}  // namespace hosted
