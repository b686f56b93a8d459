// What was changed, as a profile of a graph. [control]
#pragma once

#include "host/graph/catalog.hpp"
#include "host/graph/value.hpp"
#include "host/support/result.hpp"

namespace sluice::session {

// {"set": {...}, "route": {...}}: the settings that make `now` of `before` (bases, see edits.hpp),
// and every route that is taken. Error: they differ in something that no profile can say, or in a
// secret; the sentence names it.
support::Result<graph::Value> profile_of(const graph::Value& before, const graph::Value& now,
                                         const graph::Catalog& types);

}  // namespace sluice::session
