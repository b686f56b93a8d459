// A fixed set of node types for tests and fuzzers of the graph module.
#pragma once

#include "host/graph/catalog.hpp"

namespace sluice::test {

// source.wav, source.tone, source.tcp, filter.gate, filter.gain, filter.channels, filter.split (two
// outputs), filter.mix (one required and one optional input), codec.encode (PCM to packets),
// codec.decode, sink.wav, sink.null, sink.tcp, sink.rtp (packets); sink.broken is unavailable.
const graph::Catalog& graph_catalog();

}  // namespace sluice::test
