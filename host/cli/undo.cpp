// sluice undo, reload, diff and save: the document of a running graph and its file.
#include <cstdio>

#include "host/cli/answer.hpp"
#include "host/cli/remote.hpp"

namespace sluice::cli {

using graph::Value;

int run_undo(const Arguments& arguments) {
  int exit_code = kSuccess;
  const auto options = parse_remote(
      arguments, {"undo [options]", "Takes back the last change of a running graph.", 0, 0, true},
      exit_code);
  return options ? call_change(*options, "undo", Value::object()) : exit_code;
}

int run_reload(const Arguments& arguments) {
  int exit_code = kSuccess;
  const auto options =
      parse_remote(arguments,
                   {"reload [options]",
                    "Reads the running graph's file again and changes what differs, and nothing "
                    "else. Routes that are taken stay so.",
                    0, 0, true},
                   exit_code);
  return options ? call_change(*options, "reload", Value::object()) : exit_code;
}

int run_diff(const Arguments& arguments) {
  int exit_code = kSuccess;
  const auto options = parse_remote(
      arguments,
      {"diff [options]",
       "Shows what was changed in a running graph since it was started or saved. --json adds it as "
       "a patch (RFC 6902).",
       0, 0, false},
      exit_code);
  if (!options) return exit_code;
  return call_and_show(*options, "diff", Value::object(), [](const Value& answer) {
    if (elements(at(answer, "steps")).empty()) {
      std::puts("Nothing was changed.");
    } else {
      show_steps(answer);
    }
  });
}

int run_save(const Arguments& arguments) {
  int exit_code = kSuccess;
  const auto options =
      parse_remote(arguments,
                   {"save [options]",
                    "Writes what was changed live into the graph's file, in place: comments, order "
                    "and ${...} stay.",
                    0, 0, false},
                   exit_code);
  if (!options) return exit_code;
  return call_and_show(*options, "save", Value::object(), [](const Value& answer) {
    const Value* file = answer.find("file");
    std::printf("Saved %s.\n", file && file->is_text() ? file->text().c_str() : "");
  });
}

}  // namespace sluice::cli
