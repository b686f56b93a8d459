// sluice connect and disconnect: edges of a running graph.
#include "host/cli/remote.hpp"

namespace sluice::cli {
namespace {

// The words as one chain: "a -> b -> c" in quotes, or "a b c".
std::string chain_of(const std::vector<std::string>& words) {
  std::string chain;
  for (const std::string& word : words) {
    if (word.find("->") != std::string::npos) return word;
    chain += (chain.empty() ? "" : " -> ") + word;
  }
  return chain;
}

}  // namespace

int run_connect(const Arguments& arguments) {
  int exit_code = kSuccess;
  const auto options =
      parse_remote(arguments,
                   {"connect [options] A B... | 'A -> B -> ...'",
                    "Joins nodes of a running graph; what is new ramps in.", 1, 100, true},
                   exit_code);
  if (!options) return exit_code;
  return call_change(*options, "connect", object_of({{"edge", chain_of(options->words)}}));
}

int run_disconnect(const Arguments& arguments) {
  int exit_code = kSuccess;
  const auto options = parse_remote(
      arguments,
      {"disconnect [options] A B | 'A -> B'",
       "Takes out an edge of a running graph; it ramps out. In the middle of a chain this splits "
       "it.",
       1, 2, true},
      exit_code);
  if (!options) return exit_code;
  return call_change(*options, "disconnect", object_of({{"edge", chain_of(options->words)}}));
}

}  // namespace sluice::cli
