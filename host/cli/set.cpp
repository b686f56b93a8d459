// sluice set: changes parameters of a running graph.
#include <cstdio>

#include "host/cli/remote.hpp"

namespace sluice::cli {

using graph::Value;

int run_set(const Arguments& arguments) {
  int exit_code = kSuccess;
  const auto options = parse_remote(
      arguments,
      {"set [options] NODE.PARAMETER VALUE | NODE.PARAMETER=VALUE...",
       "Changes parameters of a running graph, or options of an edge ('a->b:gain_db=-6'): all or "
       "none. Live ones ramp; others replace the node behind a cross-fade.",
       1, 100, true},
      exit_code);
  if (!options) return exit_code;
  Value values = Value::object();
  const auto& words = options->words;
  if (words.size() == 2 && words[0].find('=') == std::string::npos) {
    values.set(words[0], words[1]);
  } else {
    for (const std::string& word : words) {
      const size_t equals = word.find('=');
      if (equals == std::string::npos) {
        std::fprintf(
            stderr,
            "sluice: say a value: NODE.PARAMETER VALUE, or NODE.PARAMETER=VALUE; %s has none.\n",
            word.c_str());
        return kUsage;
      }
      values.set(word.substr(0, equals), word.substr(equals + 1));
    }
  }
  return call_change(*options, "set", object_of({{"values", values}}));
}

}  // namespace sluice::cli
