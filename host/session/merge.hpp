// Brings what was changed in one document into another. [control]
#pragma once

#include "host/graph/value.hpp"

namespace sluice::session {

// `now`, with all that differs between `before` and `after` made as it is in `after`, member by
// member; everything else stays. So an edited file changes a graph that was changed live as well.
graph::Value merged(const graph::Value& before, const graph::Value& after, graph::Value now);

}  // namespace sluice::session
