// What a running graph tells about itself, as JSON: one object a moment. [control]
#pragma once

#include <string>

#include "host/engine/snapshot.hpp"
#include "host/graph/value.hpp"

namespace sluice::session {

// "gate.out->prefill.in".
std::string key_of(const engine::Edge& edge);
// "gate.out".
std::string key_of(const engine::OutputPort& port);

// One statistic of a node as a number.
double statistic_of(const engine::NodeSnapshot& node, uint32_t index);

// Level in dB below full scale; -144 at most little, so that JSON can hold it.
double level_db(float linear);

// Three digits behind the point, which are enough for people and plots.
double rounded(double value);

graph::Value whole(uint64_t count);

// How long so many frames last; 0 where there is no format yet.
double ms(uint64_t frames, const sluice_format& format);

// {"time_s", "nodes": {id: {"type", "state", "statistics": {...}}}, "outputs": {...}, "edges":
// {...}} Times count from `start_ns`.
graph::Value to_json(const engine::Snapshot& snapshot, int64_t start_ns);

}  // namespace sluice::session
