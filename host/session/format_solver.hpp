// Finds one format for every edge of a graph, and what has to stand in between where two ports do
// not agree. [control]
#pragma once

#include <sluice/plugin.h>

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace sluice::session {

// "48000 Hz, 2 channels, s16".
std::string to_text(const sluice_format& format);
// "f32 or s16, 1 to 64 channels, 48000 Hz".
std::string to_text(const sluice_format_offer& offer);
std::string to_text(std::span<const sluice_format_offer> offers);

bool accepts(const sluice_format_offer& offer, const sluice_format& format);
bool accepts(std::span<const sluice_format_offer> offers, const sluice_format& format);

// The format nearest to `wish` that `offers` allow: channels and rate change only if they must, and
// the first offer that keeps most of them wins. `needs_f32`: only f32 counts. None if no offer
// fits.
std::optional<sluice_format> nearest(std::span<const sluice_format_offer> offers,
                                     const sluice_format& wish, bool needs_f32);

// What an output becomes: what the offers fix, what `flags` (SLUICE_PORT_SAME_*) takes from the
// first input (null for a source), and f32, stereo, 48000 Hz where nothing is said. `wanted` is
// what the readers would like, or null.
std::optional<sluice_format> choose_output(std::span<const sluice_format_offer> offers,
                                           uint32_t flags, const sluice_format* input,
                                           std::span<const sluice_format_offer> wanted);

}  // namespace sluice::session
