// sluice profile: named settings of a running graph.
#include <cstdio>

#include "host/cli/remote.hpp"

namespace sluice::cli {

using graph::Value;

int run_profile(const Arguments& arguments) {
  int exit_code = kSuccess;
  const auto options = parse_remote(
      arguments,
      {"profile [options] [list | NAME | save NAME | delete NAME]",
       "Takes a profile of the running graph: its variables, parameters and routes, as one change. "
       "save writes what was changed live into the graph's file as a profile, delete takes one out "
       "of it. Without a NAME tells which there are; the one that was taken last is marked.",
       0, 2, true},
      exit_code);
  if (!options) return exit_code;
  const auto& words = options->words;
  if (words.empty() || (words.size() == 1 && words[0] == "list")) {
    return call_and_show(*options, "profile", Value::object(), [](const Value& answer) {
      const Value* known = answer.find("known");
      const Value* taken = answer.find("taken");
      if (!known || known->elements().empty()) std::puts("The graph has no profiles.");
      for (const Value& name : known ? known->elements() : Value::Array{}) {
        std::printf("%s%s\n", taken && name == *taken ? "* " : "  ", name.text().c_str());
      }
    });
  }
  if (words.size() == 1) return call_change(*options, "profile", object_of({{"name", words[0]}}));
  if ((words[0] != "save" && words[0] != "delete") || options->is_dry_run) {
    std::fputs("Usage: sluice profile [list | NAME | save NAME | delete NAME]\n", stderr);
    return kUsage;
  }
  return call_and_show(
      *options, "profile", object_of({{words[0], words[1]}}), [&](const Value& answer) {
        const Value* file = answer.find("file");
        std::printf("%s the profile %s in %s.\n", words[0] == "save" ? "Saved" : "Deleted",
                    words[1].c_str(), file && file->is_text() ? file->text().c_str() : "");
      });
}

}  // namespace sluice::cli
