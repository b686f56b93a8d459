// sluice scc, or scc by a link of that name: the short habit for switching where sound goes.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <system_error>
#include <thread>

#include "host/cli/answer.hpp"
#include "host/cli/remote.hpp"
#include "host/control/runtime_folder.hpp"

extern "C" char** environ;

namespace sluice::cli {
namespace {

namespace fs = std::filesystem;
using graph::Value;

// The node that `vol` and `mute` are about.
constexpr const char* kVolume = "volume";
constexpr const char* kGraph = "scc";
constexpr const char* kUnit = "sluice@scc";
constexpr const char* kUnitFile = "sluice@.service";
// A machine that has just started has much to do.
constexpr std::chrono::seconds kPatience{30};

fs::path home_folder(const char* variable, const char* below_home) {
  if (const char* folder = std::getenv(variable); folder && *folder == '/') return folder;
  const char* home = std::getenv("HOME");
  return home ? fs::path(home) / below_home : fs::path();
}

fs::path program() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error);
}

// The user's own, or the one that came with the program.
std::optional<fs::path> find_graph() {
  const fs::path own = home_folder("XDG_CONFIG_HOME", ".config") / "sluice" / "scc.json";
  const fs::path installed =
      program().parent_path().parent_path() / "share" / "sluice" / "graphs" / "scc.json";
  for (const fs::path& path : {own, installed}) {
    std::error_code error;
    if (fs::is_regular_file(path, error)) return path;
  }
  std::fprintf(stderr, "sluice: no graph is running, and there is no %s to start.\n", own.c_str());
  return std::nullopt;
}

// Whether the user's systemd runs and has the unit that keeps the graph running.
bool has_unit() {
  std::error_code error;
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  if (!runtime || !fs::exists(fs::path(runtime) / "systemd/private", error)) return false;
  const std::array<fs::path, 7> folders{
      home_folder("XDG_CONFIG_HOME", ".config") / "systemd/user",
      home_folder("XDG_DATA_HOME", ".local/share") / "systemd/user",
      "/etc/systemd/user",
      "/usr/local/share/systemd/user",
      "/usr/local/lib/systemd/user",
      "/usr/share/systemd/user",
      "/usr/lib/systemd/user"};
  return std::any_of(folders.begin(), folders.end(),
                     [&](const fs::path& folder) { return fs::exists(folder / kUnitFile, error); });
}

// Waits until the graph answers, or `child` (0: nobody's) has ended.
bool wait_for_answer(pid_t child) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < deadline) {
    if (!control::running_graphs().empty()) return true;
    if (child > 0 && ::waitpid(child, nullptr, WNOHANG) == child) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

// Lets systemd start the graph.
bool start_unit() {
  std::array<char*, 5> words{const_cast<char*>("systemctl"), const_cast<char*>("--user"),
                             const_cast<char*>("start"), const_cast<char*>(kUnit), nullptr};
  pid_t pid = -1;
  int status = 0;
  if (::posix_spawnp(&pid, words[0], nullptr, nullptr, words.data(), environ) != 0) return false;
  ::waitpid(pid, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || !wait_for_answer(0)) {
    std::fprintf(stderr, "sluice: %s does not start; 'journalctl --user -u %s' says why.\n", kUnit,
                 kUnit);
    return false;
  }
  std::printf("Started %s; it logs to the journal.\n", kUnit);
  return true;
}

// Starts the graph in a session of its own, and waits until it answers. It begins where it was left
// when it ended.
bool start_in_background() {
  const auto graph = find_graph();
  if (!graph) return false;
  const fs::path folder = home_folder("XDG_STATE_HOME", ".local/state") / "sluice";
  const fs::path state = folder / "scc.state";
  std::error_code error;
  fs::create_directories(folder, error);
  const fs::path log = folder / "scc.log";
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const int in = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (out < 0 || in < 0) {
    std::fprintf(stderr, "sluice: cannot write %s.\n", log.c_str());
    return false;
  }
  const std::string self = program().string();
  const pid_t pid = ::fork();
  if (pid < 0) return false;
  if (pid == 0) {
    ::setsid();
    ::dup2(in, STDIN_FILENO);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    ::execl(self.c_str(), "sluice", "run", "-q", "--state", state.c_str(), graph->c_str(), nullptr);
    ::_exit(127);
  }
  ::close(in);
  ::close(out);
  if (!wait_for_answer(pid)) {
    std::fprintf(stderr, "sluice: %s does not answer; %s says why.\n", graph->c_str(), log.c_str());
    return false;
  }
  std::printf("Started %s in the background; it logs to %s.\n", graph->c_str(), log.c_str());
  return true;
}

// The graph `scc` is about: the one of that name, else the only one.
std::string graph_meant(const RemoteOptions& options) {
  if (!options.graph.empty()) return options.graph;
  for (const std::string& name : control::running_graphs()) {
    if (name == kGraph) return name;
  }
  return {};
}

// The route behind the one that is taken, of the first switch.
std::string next_route(const Value& routes) {
  for (const graph::Member& one : at(routes, "routes").members()) {
    const auto& known = at(one.value, "known").elements();
    for (size_t i = 0; i < known.size(); ++i) {
      if (known[i] == at(one.value, "taken")) return known[(i + 1) % known.size()].text();
    }
    if (!known.empty()) return known[0].text();
  }
  return {};
}

int take(const RemoteOptions& options, const std::string& word) {
  const size_t equals = word.find('=');
  Value params = Value::object();
  if (equals != std::string::npos) params.set("switch", word.substr(0, equals));
  const std::string route = equals == std::string::npos ? word : word.substr(equals + 1);
  params.set("route", route);
  return call_and_show(options, "route", params,
                       [&](const Value&) { std::printf("%s\n", word.c_str()); });
}

}  // namespace

int run_scc(const Arguments& arguments) {
  int exit_code = kSuccess;
  auto options = parse_remote(
      arguments,
      {"scc [options] [[SWITCH=]ROUTE | toggle | vol DB | mute]",
       "Says where sound goes now, or sends it elsewhere: 'scc local', 'scc box', 'scc none', 'scc "
       "some.host' where the graph has a \"*\" route. toggle takes the next route; vol and mute "
       "are of the node named volume. Without a running graph it starts scc.json of "
       "~/.config/sluice in the background, where it was left: as the user's unit sluice@scc if "
       "there is one, else with a log in ~/.local/state/sluice.",
       0, 2, false},
      exit_code);
  if (!options) return exit_code;
  const std::string word = options->words.empty() ? "" : options->words[0];
  const bool is_command = word.empty() || word == "toggle" || word == "vol" || word == "mute";
  if ((word == "vol") != (options->words.size() == 2)) {
    std::fputs("Usage: scc [[SWITCH=]ROUTE | toggle | vol DB | mute]\n", stderr);
    return kUsage;
  }
  if (options->graph.empty() && control::running_graphs().empty()) {
    if (has_unit() ? !start_unit() : !start_in_background()) return kFailure;
  }
  options->graph = graph_meant(*options);
  if (word.empty()) {
    return call_and_show(*options, "route", Value::object(), [](const Value& answer) {
      const auto& all = at(answer, "routes").members();
      for (const graph::Member& one : all) {
        const std::string prefix = all.size() == 1 ? "" : one.key + "=";
        std::printf("%s%s\n", prefix.c_str(), at(one.value, "taken").text().c_str());
      }
    });
  }
  if (!is_command) return take(*options, word);
  auto client = connect_to(options->graph, exit_code);
  if (!client) return exit_code;
  const auto now = client->call(word == "toggle" ? "route" : "document", Value::object());
  if (!now) {
    std::fprintf(stderr, "sluice: %s\n", now.error().message.c_str());
    return kFailure;
  }
  if (word == "toggle") return take(*options, next_route(*now));
  const Value& volume = at(at(at(*now, "document"), "nodes"), kVolume);
  if (!volume.is_object()) {
    std::fprintf(stderr,
                 "sluice: vol and mute are of the node called %s, a filter.gain, which this graph "
                 "does not have.\n",
                 kVolume);
    return kFailure;
  }
  if (word == "vol") {
    return call_change(
        *options, "set",
        object_of({{"target", std::string(kVolume) + ".gain_db"}, {"value", options->words[1]}}));
  }
  const Value& mute = at(at(volume, "params"), "mute");
  const bool is_muted = mute.is_bool() && mute.boolean();
  return call_change(*options, "set",
                     object_of({{"target", std::string(kVolume) + ".mute"}, {"value", !is_muted}}));
}

}  // namespace sluice::cli
