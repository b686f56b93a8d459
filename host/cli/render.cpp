// sluice render: runs a graph offline, in virtual time.
#include <boost/program_options/value_semantic.hpp>
#include <cstdio>

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
             "same files gives the same bits every time.",
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
  const auto outcome = player->engine().run(end_ns, go_on);
  const std::string waits = player->engine().describe_waits();
  if (outcome == engine::Engine::Outcome::kRunning) {
    player->engine().stop_sources();
    if (!is_interrupted()) player->engine().run(end_ns + kFlushNs, go_on);
  }
  player->stop();
  if (!graph_options.is_quiet) {
    std::fputs(summary(player->engine().snapshot(), player->start_ns()).c_str(), stderr);
  }
  if (outcome == engine::Engine::Outcome::kStalled) {
    std::fprintf(stderr, "sluice: the graph has stalled: every node waits for another (%s).\n",
                 waits.c_str());
    return kFailure;
  }
  const auto failures = player->failures();
  for (const std::string& sentence : failures) {
    std::fprintf(stderr, "sluice: %s\n", sentence.c_str());
  }
  return failures.empty() && !is_interrupted() ? kSuccess : kFailure;
}

}  // namespace sluice::cli
