// sluice check: what is wrong with a graph, and how it would run.
#include <boost/program_options/value_semantic.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "host/cli/graph_options.hpp"
#include "host/engine/layout.hpp"
#include "host/session/format_solver.hpp"
#include "host/session/player.hpp"
#include "host/session/statistics.hpp"

namespace sluice::cli {
namespace {

namespace po = boost::program_options;

void print_lanes(session::Player& player) {
  std::vector<engine::LaneLayout> lanes;
  engine::assign_lanes(engine::topological_order(player.engine().nodes()), lanes);
  std::printf("Lanes (each runs on a thread of its own):\n");
  for (const engine::LaneLayout& lane : lanes) {
    std::string steps;
    for (const engine::Node* node : lane.steps) steps += " " + node->id();
    std::printf("  %s%s%s\n", lane.name.c_str(), steps.empty() ? "" : ", then", steps.c_str());
  }
}

void print_nodes(const session::BuildResult& plan) {
  std::printf("Nodes:\n");
  for (const session::PlannedNode& planned : plan.nodes) {
    std::string clocks;
    for (const session::ClockName& clock : planned.port_clocks) {
      if (clock.is_none() || clocks.find(clock.name) != std::string::npos) continue;
      clocks += (clocks.empty() ? ", clock " : " and ") + clock.name;
    }
    std::printf("  %s (%s)%s%s%s\n", planned.node->id().c_str(), planned.node->type().id,
                planned.is_inserted ? ", inserted" : "",
                planned.is_isolated ? ", in a process of its own" : "", clocks.c_str());
  }
}

void print_edges(session::Player& player) {
  std::printf("Edges:\n");
  for (const auto& edge : player.engine().edges()) {
    if (!edge->from.is_pcm()) {
      std::printf("  %s: packets\n", session::key_of(*edge).c_str());
      continue;
    }
    std::printf("  %s: %s, %s when full\n", session::key_of(*edge).c_str(),
                session::to_text(edge->from.format).c_str(),
                edge->options.when_full == engine::WhenFull::kSkip ? "skips" : "waits");
  }
}

}  // namespace

int run_check(const Arguments& arguments) {
  GraphOptions graph_options;
  bool is_normal = false;
  po::options_description options("Options");
  po::positional_options_description positional;
  graph_options.add_to(options, positional);
  options.add_options()("normal", po::bool_switch(&is_normal),
                        "print the graph's normal form as JSON instead");
  session::PlayerOptions player_options;
  options.add_options()("isolate-third-party",
                        po::bool_switch(&player_options.isolates_third_party),
                        "run every plugin that did not come with Sluice in a process of its own");
  int exit_code = kSuccess;
  if (!parse(arguments, "sluice check [GRAPH | -e TEXT] [options]",
             "Says everything that is wrong with a graph, or else how it would run: formats, "
             "what is inserted, clocks, lanes, rings. Nothing is started.",
             options, positional, exit_code)) {
    return exit_code;
  }
  const auto registry = make_registry(graph_options.plugin_dirs);
  const auto document = load_graph(graph_options, *registry);
  if (!document) return kFailure;
  if (is_normal) {
    std::printf("%s\n", graph::to_pretty_json(graph::to_normal_json(*document)).c_str());
    return kSuccess;
  }
  // Solving the formats needs the nodes, but nothing is prepared: no file is made, no port taken.
  player_options.is_dry_run = true;
  std::vector<graph::Diagnostic> diagnostics;
  const auto player = session::Player::make(*document, *registry, player_options, diagnostics);
  print(diagnostics);
  if (!player) return kFailure;
  print_nodes(player->plan());
  print_edges(*player);
  print_lanes(*player);
  for (const std::string& note : player->plan().notes) std::printf("Note: %s\n", note.c_str());
  std::printf("The graph is sound.\n");
  return kSuccess;
}

}  // namespace sluice::cli
