// The process of an isolated node, as the program's main sees it.
#pragma once

namespace sluice::isolate {

// What the program does when its first argument is "isolated-node"; returns its exit code.
// [control]
int run_isolated_node();

}  // namespace sluice::isolate
