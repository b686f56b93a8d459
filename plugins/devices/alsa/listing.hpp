// What `sluice devices` tells of ALSA. Opens no PCM. [control]
#pragma once

#include <sluice/sluice.hpp>

#include "trouble.hpp"

namespace alsa {

// The default, the PCMs of every card by the card's id, and those that the configuration hints at.
void list_pcms(const sluice::DeviceListing& listing, Direction direction);
// The cards of snd-aloop.
void list_loopback_cards(const sluice::DeviceListing& listing);

}  // namespace alsa
