// The commands of the program `sluice`: one file each, listed in commands.cpp. [control]
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace sluice::cli {

// Exit codes, the same for every command.
inline constexpr int kSuccess = 0;
inline constexpr int kFailure = 1;  // the graph, a file or a device would not do
inline constexpr int kUsage = 2;    // the command line itself is wrong

using Arguments = std::vector<std::string>;

// What a command's words may be, for completion.
enum class Words : uint8_t {
  kNone,
  kFiles,    // one graph
  kHabits,   // of scc: routes, and what else it takes
  kRoutes,   // of a running graph, as are those below
  kTargets,  // NODE.PARAMETER=
  kNodes,
  kTypes,  // of nodes, that are installed
  kMethods,
  kTopics,
  kShells,
};

struct Command {
  const char* name;
  const char* summary;  // one line for the overview
  int (*run)(const Arguments& arguments);
  Words words = Words::kNone;
};

// In the order of the overview.
std::span<const Command> commands();

int run_add(const Arguments& arguments);
int run_call(const Arguments& arguments);
int run_check(const Arguments& arguments);
int run_complete(const Arguments& arguments);  // asked by shells, not listed
int run_completion(const Arguments& arguments);
int run_connect(const Arguments& arguments);
int run_devices(const Arguments& arguments);
int run_diff(const Arguments& arguments);
int run_disconnect(const Arguments& arguments);
int run_draw(const Arguments& arguments);
int run_events(const Arguments& arguments);
int run_fmt(const Arguments& arguments);
int run_man_pages(const Arguments& arguments);
int run_new_graph(const Arguments& arguments);
int run_new_plugin(const Arguments& arguments);
int run_plugins(const Arguments& arguments);
int run_profile(const Arguments& arguments);
int run_reconnect(const Arguments& arguments);
int run_reload(const Arguments& arguments);
int run_remove(const Arguments& arguments);
int run_render(const Arguments& arguments);
int run_route(const Arguments& arguments);
int run_run(const Arguments& arguments);
int run_save(const Arguments& arguments);
int run_scc(const Arguments& arguments);
int run_schema(const Arguments& arguments);
int run_set(const Arguments& arguments);
int run_status(const Arguments& arguments);
int run_top(const Arguments& arguments);
int run_undo(const Arguments& arguments);
int run_validate(const Arguments& arguments);
int run_why(const Arguments& arguments);

}  // namespace sluice::cli
