// The options by which every command that takes a graph takes it, and the loading of it. [control]
#pragma once

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/positional_options.hpp>
#include <boost/program_options/variables_map.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/cli/command.hpp"
#include "host/graph/document.hpp"
#include "host/graph/load.hpp"
#include "host/loader/registry.hpp"

namespace sluice::cli {

struct GraphOptions {
  std::string file;
  std::vector<std::string> expressions;  // -e; several are chains of one graph
  graph::LoadOptions load;
  std::vector<std::string> plugin_dirs;
  bool is_quiet = false;
  bool is_verbose = false;

  // Adds the graph's options and the positional GRAPH to a command's own.
  void add_to(boost::program_options::options_description& options,
              boost::program_options::positional_options_description& positional);
};

// Parses `arguments`. None: the command is over (help was printed, or an error, with the exit code
// in `exit_code`). `usage` is the first line of the help: "sluice run [GRAPH] [options]".
std::optional<boost::program_options::variables_map> parse(
    const Arguments& arguments, const char* usage, const char* description,
    const boost::program_options::options_description& options,
    const boost::program_options::positional_options_description& positional, int& exit_code);

std::unique_ptr<loader::Registry> make_registry(const std::vector<std::string>& plugin_dirs);

// Loads the graph and prints what is wrong with it on stderr. None: there were errors.
std::optional<graph::Document> load_graph(const GraphOptions& options, loader::Registry& registry);

// A graph, and the same as the base of a session: see session/edits.hpp.
struct LoadedGraph {
  graph::Document document;
  graph::Value base;
};
// Says nothing; the error is the first sentence that load_graph would have printed.
support::Result<LoadedGraph> load_quietly(const GraphOptions& options, loader::Registry& registry);
// As if `text` stood in the graph's file.
support::Result<LoadedGraph> load_quietly(const GraphOptions& options, loader::Registry& registry,
                                          const std::string& text);

// Prints diagnostics on stderr, and how many errors there are.
void print(const std::vector<graph::Diagnostic>& diagnostics);

}  // namespace sluice::cli
