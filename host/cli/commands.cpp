#include "host/cli/command.hpp"

namespace sluice::cli {
namespace {

constexpr Command kCommands[] = {
    {"run", "play a graph", run_run},
    {"render", "run a graph offline, as fast as the machine allows", run_render},
    {"check", "say what is wrong with a graph, and how it would run", run_check},
    {"draw", "draw a graph: terminal, DOT or SVG", run_draw},
    {"plugins", "list the node types there are, or tell all about one", run_plugins},
    {"schema", "print the JSON Schema of graph files", run_schema},
    {"new-graph", "write a graph to start from", run_new_graph},
    {"fmt", "lay out a graph file the usual way", run_fmt},
};

}  // namespace

std::span<const Command> commands() { return kCommands; }

}  // namespace sluice::cli
