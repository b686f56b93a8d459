// What somebody wrote, as a message shows it. [any]
#pragma once

#include <string>
#include <string_view>

namespace sluice::graph {

// In double quotes, control characters escaped, at most 60 characters and then "...".
std::string shown(std::string_view text);

}  // namespace sluice::graph
