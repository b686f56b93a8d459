// sluice new-graph: the text of a graph to start from.
#include "host/graph/new_graph.hpp"

#include <boost/program_options/value_semantic.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "host/cli/graph_options.hpp"
#include "host/session/plugin_catalog.hpp"

namespace sluice::cli {

namespace po = boost::program_options;

int run_new_graph(const Arguments& arguments) {
  std::vector<std::string> plugin_dirs;
  std::vector<std::string> types;
  std::string output;
  std::string name;
  po::options_description options("Options");
  po::positional_options_description positional;
  options.add_options()("type", po::value(&types)->value_name("TYPE"),
                        "node types, in the order of the chain");
  options.add_options()("output,o", po::value(&output)->value_name("FILE"),
                        "write here instead of standard output; never replaces a file");
  options.add_options()("name", po::value(&name)->value_name("NAME"), "name of the graph");
  options.add_options()("plugin-dir", po::value(&plugin_dirs)->value_name("FOLDER"),
                        "look for plugins here first; may be repeated");
  positional.add("type", -1);
  int exit_code = kSuccess;
  if (!parse(arguments, "sluice new-graph [TYPE...] [-o FILE]",
             "Writes a graph to start from: a chain of the given types with their most important "
             "parameters. Without types: a sound file into nowhere.",
             options, positional, exit_code)) {
    return exit_code;
  }
  if (types.empty()) types = {"source.wav", "filter.gain", "sink.null"};
  if (name.empty()) name = output.empty() ? "my-graph" : std::filesystem::path(output).stem();
  const auto registry = make_registry(plugin_dirs);
  auto text = graph::new_graph(name, types, session::full_catalog(*registry));
  if (!text) {
    std::fprintf(stderr, "sluice: %s\n", text.error().message.c_str());
    return kFailure;
  }
  if (output.empty()) {
    std::fputs(text->c_str(), stdout);
    return kSuccess;
  }
  std::FILE* file = std::fopen(output.c_str(), "wx");
  if (!file) {
    std::fprintf(stderr, "sluice: cannot make %s; it exists already, or its folder does not.\n",
                 output.c_str());
    return kFailure;
  }
  const bool is_written = std::fputs(text->c_str(), file) >= 0;
  return std::fclose(file) == 0 && is_written ? kSuccess : kFailure;
}

}  // namespace sluice::cli
