// sluice add and remove: nodes of a running graph.
#include <cstdio>

#include "host/cli/remote.hpp"

namespace sluice::cli {

using graph::Value;

int run_add(const Arguments& arguments) {
  int exit_code = kSuccess;
  const auto options =
      parse_remote(arguments,
                   {"add [options] ID TYPE [PARAMETER=VALUE...] ['A -> ID -> B'...]",
                    "Adds a node to a running graph, with the edges that are named.", 2, 100, true},
                   exit_code);
  if (!options) return exit_code;
  Value params = Value::object();
  Value edges = Value::array();
  for (size_t i = 2; i < options->words.size(); ++i) {
    const std::string& word = options->words[i];
    const size_t equals = word.find('=');
    if (word.find("->") != std::string::npos) {
      edges.push_back(word);
    } else if (equals != std::string::npos) {
      params.set(word.substr(0, equals), word.substr(equals + 1));
    } else {
      std::fprintf(stderr, "sluice: %s is neither PARAMETER=VALUE nor 'A -> B'.\n", word.c_str());
      return kUsage;
    }
  }
  const Value node = object_of({{"type", options->words[1]}, {"params", params}});
  return call_change(*options, "add",
                     object_of({{"id", options->words[0]}, {"node", node}, {"edges", edges}}));
}

int run_remove(const Arguments& arguments) {
  int exit_code = kSuccess;
  const auto options = parse_remote(
      arguments,
      {"remove [options] ID",
       "Takes a node out of a running graph, with all its edges; they ramp out first.", 1, 1, true},
      exit_code);
  if (!options) return exit_code;
  return call_change(*options, "remove", object_of({{"id", options->words[0]}}));
}

}  // namespace sluice::cli
