#include "host/cli/command.hpp"

namespace sluice::cli {
namespace {

constexpr Command kCommands[] = {
    {"run", "play a graph", run_run},
    {"scc", "say where sound goes, or send it elsewhere", run_scc},
    {"status", "show how a running graph is", run_status},
    {"set", "change parameters of a running graph", run_set},
    {"route", "show or take a route of a running graph", run_route},
    {"connect", "join nodes of a running graph", run_connect},
    {"disconnect", "take out an edge of a running graph", run_disconnect},
    {"add", "add a node to a running graph", run_add},
    {"remove", "take a node out of a running graph", run_remove},
    {"undo", "take back the last change of a running graph", run_undo},
    {"diff", "show what was changed in a running graph", run_diff},
    {"save", "write what was changed into the graph's file", run_save},
    {"reload", "read a running graph's file again", run_reload},
    {"why", "tell what was lost in a running graph, and why", run_why},
    {"events", "print what happens in a running graph", run_events},
    {"call", "call a method of the control API", run_call},
    {"render", "run a graph offline, as fast as the machine allows", run_render},
    {"check", "say what is wrong with a graph, and how it would run", run_check},
    {"draw", "draw a graph: terminal, DOT or SVG", run_draw},
    {"devices", "list what can be captured from and played to", run_devices},
    {"plugins", "list the node types there are, or tell all about one", run_plugins},
    {"schema", "print the JSON Schema of graph files", run_schema},
    {"new-graph", "write a graph to start from", run_new_graph},
    {"fmt", "lay out a graph file the usual way", run_fmt},
};

}  // namespace

std::span<const Command> commands() { return kCommands; }

}  // namespace sluice::cli
