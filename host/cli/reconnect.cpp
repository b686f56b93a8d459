// sluice reconnect: lets a node try again now what it would try later.
#include <cstdio>

#include "host/cli/remote.hpp"

namespace sluice::cli {

using graph::Value;

int run_reconnect(const Arguments& arguments) {
  int exit_code = kSuccess;
  const auto options = parse_remote(
      arguments,
      {"reconnect [options] NODE",
       "Skips the wait of a node that has lost its peer or never met it: it tries again at once.",
       1, 1, false},
      exit_code);
  if (!options) return exit_code;
  const std::string& node = options->words[0];
  return call_and_show(*options, "reconnect", object_of({{"node", node}}),
                       [&](const Value&) { std::printf("%s tries again.\n", node.c_str()); });
}

}  // namespace sluice::cli
