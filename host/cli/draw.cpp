// sluice draw: a picture of a graph.
#include <boost/program_options/value_semantic.hpp>
#include <cstdio>
#include <fstream>
#include <string>

#include "host/cli/graph_options.hpp"
#include "host/cli/terminal.hpp"
#include "host/graph/picture.hpp"

namespace sluice::cli {

namespace po = boost::program_options;

int run_draw(const Arguments& arguments) {
  GraphOptions graph_options;
  std::string format;
  std::string output;
  po::options_description options("Options");
  po::positional_options_description positional;
  graph_options.add_to(options, positional);
  options.add_options()("format", po::value(&format)->value_name("FORMAT"),
                        "text, ascii, dot or svg; by default text, or ascii where the locale has "
                        "no UTF-8, or what the ending of FILE says");
  options.add_options()("output,o", po::value(&output)->value_name("FILE"),
                        "write here instead of standard output");
  int exit_code = kSuccess;
  if (!parse(arguments, "sluice draw [GRAPH | -e TEXT] [--format FORMAT] [-o FILE]",
             "Draws a graph as it runs at the start.", options, positional, exit_code)) {
    return exit_code;
  }
  if (format.empty()) {
    format = output.ends_with(".svg")   ? "svg"
             : output.ends_with(".dot") ? "dot"
             : has_unicode()            ? "text"
                                        : "ascii";
  }
  if (format != "text" && format != "ascii" && format != "dot" && format != "svg") {
    std::fprintf(stderr, "sluice: there is no format '%s'; it is text, ascii, dot or svg.\n",
                 format.c_str());
    return kUsage;
  }
  const auto registry = make_registry(graph_options.plugin_dirs);
  const auto document = load_graph(graph_options, *registry);
  if (!document) return kFailure;
  const std::string picture = format == "svg"   ? graph::draw_svg(*document)
                              : format == "dot" ? graph::draw_dot(*document)
                                                : graph::draw_text(*document, format == "text");
  if (output.empty()) {
    std::fputs(picture.c_str(), stdout);
    return kSuccess;
  }
  std::ofstream file(output, std::ios::binary);
  file << picture << std::flush;
  if (!file.good()) {
    std::fprintf(stderr, "sluice: cannot write %s; name a file in a folder that exists.\n",
                 output.c_str());
    return kFailure;
  }
  return kSuccess;
}

}  // namespace sluice::cli
