// The words of host/support/nearest_name.hpp, as the sentences of this module use them.
#pragma once

#include "host/support/nearest_name.hpp"

namespace sluice::graph {

using support::did_you_mean;
using support::edit_distance;
using support::joined;
using support::listed;
using support::nearest_name;

}  // namespace sluice::graph
