// Other permanent edges in a document that is known to be sound, without reading it anew. [control]
#pragma once

#include <string>
#include <vector>

#include "host/graph/catalog.hpp"
#include "host/graph/document.hpp"

namespace sluice::graph {

// Takes out the permanent edges `removed` and puts `added`, without options, behind the others: all
// as keys ("a.out->b.in"). The document is then what loading its changed normal form would make of
// it. False, with the document in no certain state, where only loading tells: the result is not
// sound, or a route sets parameters, so that edges decide which nodes can be made.
bool rewire(Document& document, const Catalog& catalog, const std::vector<std::string>& added,
            const std::vector<std::string>& removed);

}  // namespace sluice::graph
