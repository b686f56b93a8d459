// sluice run: plays a graph.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/program_options/value_semantic.hpp>
#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>

#include "host/cli/graph_file.hpp"
#include "host/cli/graph_options.hpp"
#include "host/cli/http_options.hpp"
#include "host/cli/live_line.hpp"
#include "host/cli/signals.hpp"
#include "host/cli/state_file.hpp"
#include "host/cli/summary.hpp"
#include "host/control/control.hpp"
#include "host/control/service_manager.hpp"
#include "host/session/ledger.hpp"
#include "host/session/session.hpp"
#include "host/support/log.hpp"

namespace sluice::cli {
namespace {

namespace po = boost::program_options;

constexpr int64_t kTickNs = 100'000'000;
constexpr int64_t kQuickTickNs = kTickNs / 2;      // for clients that ask for more
constexpr int64_t kUnwatchedTickNs = 500'000'000;  // for the record of glitches alone
constexpr int kTicksASecond = 10;

// One JSON object a second, and one at the end.
class StatisticsFile {
 public:
  explicit StatisticsFile(const std::string& path) : file_(path) {}
  bool is_open() const { return file_.is_open(); }
  bool write(const session::Session& session, const engine::Snapshot& snapshot) {
    file_ << graph::to_json(session.describe(snapshot)) << '\n' << std::flush;
    return file_.good();
  }

 private:
  std::ofstream file_;
};

// Warns when the latency exceeds what the graph allows; again after it has kept to it.
class BudgetWatch {
 public:
  void look(const engine::Snapshot& snapshot, std::optional<double> budget_ms) {
    if (!budget_ms) return;
    const std::string sentence =
        session::over_budget(session::latency_ledgers(snapshot), *budget_ms);
    if (!sentence.empty() && !is_over_) support::log_warning(sentence);
    is_over_ = !sentence.empty();
  }

 private:
  bool is_over_ = false;
};

// What makes the graph reachable for `sluice set` and the others. Without a place for its socket
// the graph plays all the same; `is_refused` if another of its name does, or if there cannot be the
// HTTP that was asked for.
std::unique_ptr<control::Control> start_control(session::Session& session, GraphFile* file,
                                                std::optional<control::WebOptions> web,
                                                bool& is_refused) {
  control::ControlOptions options;
  const bool needs_web = web.has_value();
  options.web = std::move(web);
  options.name = session.document().name;
  if (file) file->offer(options);
  auto control = control::Control::start(session, options);
  if (!control && control.error().code == support::ErrorCode::kState && !file) {
    // Graphs without a file have no name of their own.
    options.name += "-" + std::to_string(::getpid());
    control = control::Control::start(session, options);
  }
  if (control) {
    if (needs_web) support::log_info("Control over HTTP at " + (*control)->url() + ".");
    return std::move(*control);
  }
  is_refused = needs_web || control.error().code == support::ErrorCode::kState;
  if (is_refused) {
    support::tell_error(control.error().message);
  } else {
    support::log_warning("The graph cannot be changed while it plays. " + control.error().message);
  }
  return nullptr;
}

}  // namespace

int run_run(const Arguments& arguments) {
  GraphOptions graph_options;
  std::string statistics_path;
  std::string state_path;
  bool follows_file = false;
  double seconds = 0.0;
  session::PlayerOptions player_options;
  po::options_description options("Options");
  po::positional_options_description positional;
  graph_options.add_to(options, positional);
  options.add_options()("stats", po::value(&statistics_path)->value_name("FILE"),
                        "write one JSON object a second to FILE");
  options.add_options()("watch", po::bool_switch(&follows_file),
                        "when the graph's file is saved, change what differs");
  options.add_options()("state", po::value(&state_path)->value_name("FILE"),
                        "keep routes and live parameters in FILE and begin with those in it");
  options.add_options()("for", po::value(&seconds)->value_name("SECONDS"),
                        "end after so many seconds");
  options.add_options()("priority", po::value(&player_options.priority)->value_name("N"),
                        "real-time priority (SCHED_FIFO, 1 to 99) of the audio threads; 0: none");
  options.add_options()("isolate-third-party",
                        po::bool_switch(&player_options.isolates_third_party),
                        "run every plugin that did not come with Sluice in a process of its own");
  HttpOptions http_options;
  http_options.add_to(options);
  int exit_code = kSuccess;
  if (!parse(arguments, "sluice run [GRAPH | -e TEXT] [options]",
             "Plays a graph until it ends, or until Ctrl-C: once fades out, flushes and closes, "
             "twice ends now.",
             options, positional, exit_code)) {
    return exit_code;
  }
  auto web = http_options.web();
  if (!web) {
    support::tell_error(web.error().message);
    return kFailure;
  }
  const auto registry = make_registry(graph_options.plugin_dirs);
  if (!load_graph(graph_options, *registry)) return kFailure;
  if (follows_file && graph_options.file.empty()) {
    support::tell_error("--watch needs a graph in a file.");
    return kUsage;
  }

  std::optional<StatisticsFile> statistics;
  if (!statistics_path.empty()) {
    statistics.emplace(statistics_path);
    if (!statistics->is_open()) {
      support::tell_error("cannot write " + statistics_path +
                          "; name a file in a folder that exists.");
      return kFailure;
    }
  }

  control::ServiceManager manager;
  watch_signals(!graph_options.file.empty() && ::isatty(STDERR_FILENO) == 0);
  const bool is_shown = !graph_options.is_quiet && !support::is_stderr_the_journal();
  player_options.is_metered = is_shown || statistics.has_value();
  const auto of_file = load_quietly(graph_options, *registry);
  if (!of_file) {
    support::tell(support::LogLevel::kError, of_file.error().message);
    return kFailure;
  }
  std::optional<StateFile> state;
  LoadedGraph first = *of_file;
  if (!state_path.empty()) {
    state.emplace(state_path, graph_options, *registry);
    first = state->restore(*of_file);
  }
  std::vector<graph::Diagnostic> diagnostics;
  const auto session =
      session::Session::make(first.document, first.base, *registry, player_options, diagnostics);
  print(diagnostics);
  if (!session) return kFailure;
  session->note_file(of_file->document, of_file->base);
  if (state) {
    if (auto status = state->keep(*session); !status) {
      support::tell_error(status.error().message);
      return kFailure;
    }
  }
  std::optional<GraphFile> file;
  if (!graph_options.file.empty()) file.emplace(*session, *registry, graph_options, *of_file);
  if (file && follows_file) {
    if (auto status = file->watch(); !status) {
      support::tell_error(status.error().message);
      return kFailure;
    }
  }
  session::Player* const player = &session->player();
  for (const std::string& note : player->plan().notes) support::log_info(note);
  if (!player->engine().memory_note().empty()) support::log_info(player->engine().memory_note());

  bool is_refused = false;
  const auto control =
      start_control(*session, file ? &*file : nullptr, *std::move(web), is_refused);
  if (is_refused) return kFailure;
  std::optional<LiveLine> live;
  if (is_shown) live.emplace();
  if (auto status = player->start(); !status) {
    live.reset();
    support::tell_error(status.error().message);
    return kFailure;
  }
  int ticks = 0, quick_ticks = 0;
  bool is_quick = false;
  bool has_statistics = true;
  BudgetWatch budget;
  const auto tick = [&] {
    if (file) file->look();
    if (state) state->tend(*session);
    const std::optional<double> budget_ms = session->document().latency_budget_ms;
    if (!live && !statistics && !control && !budget_ms) return;
    // Every second quick one is for those alone that asked for it.
    const bool is_usual = !is_quick || ++quick_ticks % 2 == 0;
    const bool has_levels = player_options.is_metered || (control && control->wants_levels());
    player->engine().set_metered(has_levels);
    const engine::Snapshot snapshot = player->engine().snapshot(engine::Engine::Meters::kTake);
    if (control) control->tick(snapshot);
    if (live && is_usual) live->show(snapshot, player->start_ns());
    if (!is_usual || ++ticks % kTicksASecond != 0) return;
    budget.look(snapshot, budget_ms);
    if (statistics && has_statistics) {
      has_statistics = statistics->write(*session, snapshot);
      if (!has_statistics) {
        support::log_warning("Statistics cannot be written any more (is the disk full?): " +
                             statistics_path);
      }
    }
  };
  const int64_t end_ns = player->start_ns() + static_cast<int64_t>(seconds * 1e9);
  const auto next_tick_ns = [&] {
    const bool is_watched = live || statistics || (control && control->is_watched());
    is_quick = control && control->wants_more_ticks();
    const int64_t tick_ns = is_quick ? kQuickTickNs : is_watched ? kTickNs : kUnwatchedTickNs;
    const int64_t next_ns = player->engine().clock().now_ns() + tick_ns;
    return seconds > 0.0 ? std::min(next_ns, end_ns) : next_ns;
  };
  const std::string playing = "Playing " + session->document().name;
  manager.tell_ready(playing);
  const auto go_on = [&] {
    if (control && take_reload()) {
      manager.tell_reloading();
      control->reload([&manager, playing](const support::Status& status) {
        if (!status) support::log_error("The graph plays on as it was. " + status.error().message);
        manager.tell_ready(playing);
      });
    }
    manager.tend(player->engine().clock().now_ns());
    if (control) control->serve();
    session->tend();
    return !is_interrupted() && (seconds <= 0.0 || player->engine().clock().now_ns() < end_ns);
  };
  const auto outcome = player->play(next_tick_ns, tick, go_on);
  manager.tell_stopping();
  if (outcome == session::Player::Outcome::kInterrupted) {
    player->end_gracefully([] { return true; });
  }
  const std::string waits = player->engine().describe_waits();
  player->stop();
  if (state) state->tend(*session);
  const engine::Snapshot snapshot = player->engine().snapshot();
  if (statistics) statistics->write(*session, snapshot);
  live.reset();
  if (is_shown) std::fputs(summary(snapshot, player->start_ns()).c_str(), stderr);
  if (outcome == session::Player::Outcome::kStalled) {
    support::tell_error("the graph has stalled: every node waits for another (" + waits +
                        "). An edge with more buffer_ms, or one that may skip, lets it go on.");
    return kFailure;
  }
  const auto failures = player->failures();
  for (const std::string& sentence : failures) {
    support::tell_error(sentence);
  }
  return failures.empty() ? kSuccess : kFailure;
}

}  // namespace sluice::cli
