#include "host/cli/command.hpp"

namespace sluice::cli {
namespace {

constexpr Command kCommands[] = {
    {"run", "play a graph", run_run, Words::kFiles},
    {"scc", "say where sound goes, or send it elsewhere", run_scc, Words::kHabits},
    {"status", "show how a running graph is", run_status},
    {"top", "watch a running graph on the terminal", run_top},
    {"set", "change parameters of a running graph", run_set, Words::kTargets},
    {"route", "show or take a route of a running graph", run_route, Words::kRoutes},
    {"connect", "join nodes of a running graph", run_connect, Words::kNodes},
    {"disconnect", "take out an edge of a running graph", run_disconnect, Words::kNodes},
    {"add", "add a node to a running graph", run_add},
    {"remove", "take a node out of a running graph", run_remove, Words::kNodes},
    {"undo", "take back the last change of a running graph", run_undo},
    {"diff", "show what was changed in a running graph", run_diff},
    {"save", "write what was changed into the graph's file", run_save},
    {"profile", "show, take, save or delete a profile of a running graph", run_profile},
    {"reload", "read a running graph's file again", run_reload},
    {"reconnect", "let a node of a running graph try again now", run_reconnect, Words::kNodes},
    {"why", "tell what was lost in a running graph, and why", run_why, Words::kNodes},
    {"events", "print what happens in a running graph", run_events, Words::kTopics},
    {"call", "call a method of the control API", run_call, Words::kMethods},
    {"render", "run a graph offline, as fast as the machine allows", run_render, Words::kFiles},
    {"check", "say what is wrong with a graph, and how it would run", run_check, Words::kFiles},
    {"draw", "draw a graph: terminal, DOT or SVG", run_draw, Words::kFiles},
    {"devices", "list what can be captured from and played to", run_devices},
    {"plugins", "list the node types there are, or tell all about one", run_plugins, Words::kTypes},
    {"schema", "print the JSON Schema of graph files", run_schema},
    {"new-graph", "write a graph to start from", run_new_graph},
    {"new-plugin", "write a repository to start a plugin from", run_new_plugin},
    {"validate", "look for broken promises of a plugin", run_validate, Words::kFiles},
    {"completion", "print what a shell needs to complete words", run_completion, Words::kShells},
    {"man-pages", "write the manual's pages", run_man_pages},
    {"fmt", "lay out a graph file the usual way", run_fmt, Words::kFiles},
};

}  // namespace

std::span<const Command> commands() { return kCommands; }

}  // namespace sluice::cli
