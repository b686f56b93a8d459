#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include "host/cli/command.hpp"
#include "host/isolate/isolated_process.hpp"
#include "host/loader/probe.hpp"

namespace {

void print_overview(std::FILE* to) {
  std::fputs(
      "Sluice routes audio: a graph of plugins, joined by rings, changed while it plays.\n\n"
      "Usage: sluice COMMAND [options]\n\n",
      to);
  for (const auto& command : sluice::cli::commands()) {
    std::fprintf(to, "  %-10s %s\n", command.name, command.summary);
  }
  std::fputs("\n'sluice COMMAND --help' tells all about one.\n", to);
}

}  // namespace

int main(int argc, char** argv) {
  // A link named scc is the short habit.
  const std::string_view called = argc > 0 ? argv[0] : "";
  if (called == "scc" || called.ends_with("/scc")) {
    return sluice::cli::run_scc({argv + 1, argv + argc});
  }
  if (argc < 2) {
    print_overview(stderr);
    return sluice::cli::kUsage;
  }
  const std::string name = argv[1];
  if (name == "--help" || name == "-h" || name == "help") {
    print_overview(stdout);
    return sluice::cli::kSuccess;
  }
  if (name == "--version") {
    std::printf("sluice %s\n", SLUICE_VERSION);
    return sluice::cli::kSuccess;
  }
  // Not for people: a look at a plugin that may end the process which takes it.
  if (name == "probe-plugin" && argc == 3) sluice::loader::answer_probe(argv[2]);
  // What the process of an isolated node runs.
  if (name == "isolated-node") return sluice::isolate::run_isolated_node();
  // Nor this: shells ask it.
  if (name == "complete") return sluice::cli::run_complete({argv + 2, argv + argc});
  for (const auto& command : sluice::cli::commands()) {
    if (name == command.name) return command.run({argv + 2, argv + argc});
  }
  std::fprintf(stderr, "sluice: there is no command '%s'; 'sluice help' lists them.\n",
               name.c_str());
  return sluice::cli::kUsage;
}
