// The graph's catalog of node types, filled from plugins as a graph asks for them.
#pragma once

#include <string_view>

#include "host/graph/catalog.hpp"
#include "host/loader/registry.hpp"

namespace sluice::session {

// What the graph module needs to know of a type. [control]
graph::NodeType to_node_type(const loader::Type& type);

// A catalog of the types that `text` seems to name and that have a plugin file of that name: enough
// for most graphs, and only their plugins are loaded. Where it is not enough use full_catalog.
// It asks `registry` for members of families for as long as it is in use. [control]
graph::Catalog catalog_for(std::string_view text, loader::Registry& registry);

// A catalog of every type there is. [control]
graph::Catalog full_catalog(loader::Registry& registry);

}  // namespace sluice::session
