// sluice schema: the JSON Schema of graph files, made from all plugins found.
#include "host/graph/schema.hpp"

#include <boost/program_options/value_semantic.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "host/cli/graph_options.hpp"
#include "host/session/plugin_catalog.hpp"

namespace sluice::cli {

namespace po = boost::program_options;

int run_schema(const Arguments& arguments) {
  std::vector<std::string> plugin_dirs;
  po::options_description options("Options");
  options.add_options()("plugin-dir", po::value(&plugin_dirs)->value_name("FOLDER"),
                        "look for plugins here first; may be repeated");
  int exit_code = kSuccess;
  if (!parse(arguments, "sluice schema [options]",
             "Prints the JSON Schema (draft-07) of graph files, with the types and parameters of "
             "every plugin found. Editors complete and check graphs with it.",
             options, {}, exit_code)) {
    return exit_code;
  }
  const auto registry = make_registry(plugin_dirs);
  const graph::Catalog catalog = session::full_catalog(*registry);
  std::printf("%s\n", graph::to_pretty_json(graph::graph_schema(catalog)).c_str());
  return kSuccess;
}

}  // namespace sluice::cli
