// What the commands have in common that talk to a running graph. [control]
#pragma once

#include <boost/program_options/options_description.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "host/cli/command.hpp"
#include "host/control/client.hpp"
#include "host/graph/value.hpp"

namespace sluice::cli {

struct RemoteOptions {
  std::string graph;               // of the host that is meant; empty: the only one
  bool is_json = false;            // print the answer as JSON
  bool is_dry_run = false;         // of changes
  std::optional<std::string> web;  // over a WebSocket; empty: of the graph that is meant
  std::string token_file;          // for that
  std::vector<std::string> words;  // positional
};

// What a command's line says: "sluice set [options] NODE.PARAMETER VALUE".
struct RemoteCommand {
  const char* usage;
  const char* description;
  size_t least_words = 0;
  size_t most_words = 0;
  bool is_change = false;  // takes --dry-run
  bool has_web = false;    // takes --ws
  // Options of the command's own; may be null.
  const boost::program_options::options_description* more = nullptr;
};

// Parses the options every such command has, and the words; a word may be a negative number.
// Nothing: the command is over, with `exit_code`.
std::optional<RemoteOptions> parse_remote(const Arguments& arguments, const RemoteCommand& command,
                                          int& exit_code);

// The graph that is meant, connected. Nothing: a sentence was printed, and `exit_code` set; kUsage
// if several run and none was named.
std::optional<control::Client> connect_to(const std::string& graph, int& exit_code);

// Calls a method and prints what it answers: as JSON, or by `show`. Returns the exit code.
int call_and_show(const RemoteOptions& options, const std::string& method,
                  const graph::Value& params,
                  const std::function<void(const graph::Value& answer)>& show);

// Prints the steps of a change: "set gate.hold_ms to 200.".
void show_steps(const graph::Value& answer);
// Carries out a change and shows its steps.
int call_change(const RemoteOptions& options, const std::string& method, graph::Value params);

// JSON if it is that, else the text itself.
graph::Value loose_value(const std::string& text);

// An object of alternating keys and values.
graph::Value object_of(const std::vector<std::pair<std::string, graph::Value>>& members);

}  // namespace sluice::cli
