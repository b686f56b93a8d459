// sluice render: runs a graph offline, in virtual time.
#include <algorithm>
#include <boost/program_options/value_semantic.hpp>
#include <cstdio>
#include <functional>
#include <string>

#include "host/cli/graph_options.hpp"
#include "host/cli/signals.hpp"
#include "host/cli/summary.hpp"
#include "host/session/player.hpp"
#include "host/support/log.hpp"

namespace sluice::cli {

namespace po = boost::program_options;

namespace {
// Of the graph's own time, for what is under way when --for ends it.
constexpr int64_t kFlushNs = 10'000'000'000;
// Of the graph's own time without a frame that moves, until a peer that is looked for is given up.
constexpr int64_t kStillNs = 60'000'000'000;

uint64_t moved_frames(const engine::Snapshot& snapshot) {
  uint64_t frames = 0;
  for (const auto& edge : snapshot.edges) frames += edge.read_frames;
  return frames;
}

bool has_lost_node(const engine::Snapshot& snapshot) {
  return std::any_of(snapshot.nodes.begin(), snapshot.nodes.end(),
                     [](const auto& node) { return node.state == engine::NodeState::kLost; });
}

// Until the graph has finished, `end_ns` has come, or nothing can move any more.
engine::Engine::Outcome render(engine::Engine& engine, int64_t end_ns,
                               const std::function<bool()>& go_on) {
  using Outcome = engine::Engine::Outcome;
  for (uint64_t before = 0;;) {
    const int64_t look_ns = std::min(end_ns, engine.clock().now_ns() + kStillNs);
    const Outcome outcome = engine.run(look_ns, go_on);
    if (outcome != Outcome::kRunning || look_ns == end_ns || !go_on()) return outcome;
    const engine::Snapshot snapshot = engine.snapshot();
    const uint64_t moved = moved_frames(snapshot);
    if (moved == before && has_lost_node(snapshot)) return Outcome::kStalled;
    before = moved;
  }
}

// Why a graph that stands still does so.
std::string why_still(engine::Engine& engine) {
  for (const auto& node : engine.snapshot().nodes) {
    if (node.state != engine::NodeState::kWaiting && node.state != engine::NodeState::kLost) {
      continue;
    }
    return node.node->id() +
           " waits for somebody who is not in the graph, and 'sluice render' reaches nobody else: "
           "use 'sluice run'.";
  }
  return "the graph has stalled: every node waits for another (" + engine.describe_waits() + ").";
}

}  // namespace

int run_render(const Arguments& arguments) {
  GraphOptions graph_options;
  double seconds = 0.0;
  session::PlayerOptions player_options;
  player_options.time = engine::TimeMode::kVirtual;
  player_options.is_offline = true;
  po::options_description options("Options");
  po::positional_options_description positional;
  graph_options.add_to(options, positional);
  options.add_options()("for", po::value(&seconds)->value_name("SECONDS"),
                        "end after so many seconds: every source stops at that frame, and the "
                        "graph when that much of its own time has passed");
  options.add_options()("block", po::value(&player_options.block_frames)->value_name("FRAMES"),
                        "most frames that a filter is given at once (default 32768)");
  int exit_code = kSuccess;
  if (!parse(arguments, "sluice render [GRAPH | -e TEXT] [options]",
             "Runs a graph in virtual time, as fast as the machine allows. The same graph on the "
             "same files gives the same bits every time. Over the network it reaches itself alone.",
             options, positional, exit_code)) {
    return exit_code;
  }
  const auto registry = make_registry(graph_options.plugin_dirs);
  const auto document = load_graph(graph_options, *registry);
  if (!document) return kFailure;
  watch_signals();
  std::vector<graph::Diagnostic> diagnostics;
  const auto player = session::Player::make(*document, *registry, player_options, diagnostics);
  print(diagnostics);
  if (!player) return kFailure;
  for (const std::string& note : player->plan().notes) support::log_info(note);
  const auto duration_ns = static_cast<int64_t>(seconds * 1e9);
  if (seconds > 0.0) player->engine().end_sources_after(duration_ns);
  if (auto status = player->start(); !status) {
    std::fprintf(stderr, "sluice: %s\n", status.error().message.c_str());
    return kFailure;
  }
  const int64_t end_ns = seconds > 0.0 ? player->start_ns() + duration_ns : engine::kForever;
  const auto go_on = [] { return !is_interrupted(); };
  using Outcome = engine::Engine::Outcome;
  const Outcome outcome = render(player->engine(), end_ns, go_on);
  const std::string why = outcome == Outcome::kStalled ? why_still(player->engine()) : "";
  if (outcome == Outcome::kRunning) {
    player->engine().stop_sources();
    if (!is_interrupted()) player->engine().run(end_ns + kFlushNs, go_on);
  }
  player->stop();
  if (!graph_options.is_quiet) {
    std::fputs(summary(player->engine().snapshot(), player->start_ns()).c_str(), stderr);
  }
  if (outcome == Outcome::kStalled) {
    std::fprintf(stderr, "sluice: %s\n", why.c_str());
    return kFailure;
  }
  const auto failures = player->failures();
  for (const std::string& sentence : failures) {
    std::fprintf(stderr, "sluice: %s\n", sentence.c_str());
  }
  return failures.empty() && !is_interrupted() ? kSuccess : kFailure;
}

}  // namespace sluice::cli
