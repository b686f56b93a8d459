#include "host/cli/graph_options.hpp"

#include <algorithm>
#include <boost/program_options/parsers.hpp>
#include <cstdio>
#include <fstream>
#include <functional>
#include <sstream>
#include <system_error>

#include "host/cli/command_help.hpp"
#include "host/session/plugin_catalog.hpp"
#include "host/support/log.hpp"

namespace sluice::cli {

namespace po = boost::program_options;

void GraphOptions::add_to(po::options_description& options,
                          po::positional_options_description& positional) {
  auto add = options.add_options();
  add("graph", po::value(&file)->value_name("FILE"), "the graph, a JSON file");
  add("expression,e", po::value(&expressions)->value_name("TEXT"),
      "a graph in one line instead of a file: 'source.wav path=a.wav -> sink.null'");
  add("set", po::value(&load.settings)->value_name("NODE.PARAMETER=VALUE"),
      "a parameter for this run");
  add("var", po::value(&load.variables)->value_name("NAME=VALUE"), "a variable for this run");
  add("profile", po::value(&load.profile)->value_name("NAME"), "a profile of the graph");
  add("route", po::value(&load.routes)->value_name("[SWITCH=]ROUTE"),
      "the route to begin with, instead of the graph's initial one");
  add("plugin-dir", po::value(&plugin_dirs)->value_name("FOLDER"),
      "look for plugins here first; may be repeated");
  add("quiet,q", po::bool_switch(&is_quiet), "log warnings and errors only");
  add("verbose,v", po::bool_switch(&is_verbose), "log more");
  positional.add("graph", 1);
}

std::optional<po::variables_map> parse(const Arguments& arguments, const char* usage,
                                       const char* description,
                                       const po::options_description& options,
                                       const po::positional_options_description& positional,
                                       int& exit_code) {
  po::options_description all = options;
  all.add_options()("help,h", "this text");
  po::variables_map values;
  try {
    po::store(po::command_line_parser(arguments).options(all).positional(positional).run(), values);
    if (values.contains("help")) {
      exit_code = kSuccess;
      if (take_help(usage, description, all)) return std::nullopt;
      std::ostringstream text;
      text << "Usage: " << usage << "\n\n" << description << "\n\n" << all;
      std::fputs(text.str().c_str(), stdout);
      return std::nullopt;
    }
    po::notify(values);
  } catch (const po::error& error) {
    // "sluice run", without what may follow it.
    const std::string_view words = usage;
    const std::string command(words.substr(0, words.find(' ', words.find(' ') + 1)));
    std::fprintf(stderr, "sluice: %s. See '%s --help'.\n", error.what(), command.c_str());
    exit_code = kUsage;
    return std::nullopt;
  }
  return values;
}

std::unique_ptr<loader::Registry> make_registry(const std::vector<std::string>& plugin_dirs) {
  loader::RegistryOptions options;
  for (const std::string& dir : plugin_dirs) options.plugin_dirs.emplace_back(dir);
  options.prober = "/proc/self/exe";
  auto registry = std::make_unique<loader::Registry>(options);
  for (const loader::Problem& problem : registry->problems()) {
    support::log_warning(problem.sentence);
  }
  return registry;
}

void print(const std::vector<graph::Diagnostic>& diagnostics) {
  for (const auto& diagnostic : diagnostics) {
    support::tell(diagnostic.severity == graph::Severity::kError ? support::LogLevel::kError
                                                                 : support::LogLevel::kWarning,
                  graph::to_text(diagnostic));
  }
}

namespace {

// A file as far as a graph may be large; empty if it cannot be read, which loading it explains.
std::string beginning_of(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return {};
  std::ifstream file(path, std::ios::binary);
  std::string text(
      std::min<uintmax_t>(std::filesystem::file_size(path, ignored), graph::kMaximumFileBytes), 0);
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  return text;
}

}  // namespace

namespace {

graph::LoadResult load(const GraphOptions& options, const graph::LoadOptions& load_options,
                       loader::Registry& registry) {
  const bool is_expression = !options.expressions.empty();
  std::string expression;
  for (const std::string& part : options.expressions) {
    if (!expression.empty()) expression += '\n';
    expression += part;
  }
  const auto load_with = [&](const graph::Catalog& catalog) {
    return is_expression ? graph::load_expression(expression, catalog, load_options)
                         : graph::load_file(options.file, catalog, load_options);
  };
  const std::string text = is_expression ? expression : beginning_of(options.file);
  graph::LoadResult loaded = load_with(session::catalog_for(text, registry));
  // With every type known, names that are merely unusual are found and the others explained.
  if (!loaded.document) loaded = load_with(session::full_catalog(registry));
  return loaded;
}

}  // namespace

std::optional<graph::Document> load_graph(const GraphOptions& options, loader::Registry& registry) {
  if (options.is_quiet) support::set_log_level(support::LogLevel::kWarning);
  if (options.is_verbose) support::set_log_level(support::LogLevel::kDebug);
  const bool is_expression = !options.expressions.empty();
  if (options.file.empty() != is_expression) {
    std::fputs("sluice: name one graph: a file, or -e and a graph in one line.\n", stderr);
    return std::nullopt;
  }
  graph::LoadResult loaded = load(options, options.load, registry);
  print(loaded.diagnostics);
  return std::move(loaded.document);
}

namespace {

support::Result<LoadedGraph> load_both(
    const GraphOptions& options,
    const std::function<graph::LoadResult(const graph::LoadOptions&)>& load_with) {
  LoadedGraph both;
  graph::LoadOptions load_options = options.load;
  for (const bool applies_routes : {true, false}) {
    load_options.applies_routes = applies_routes;
    graph::LoadResult loaded = load_with(load_options);
    if (!loaded.document) {
      for (const graph::Diagnostic& diagnostic : loaded.diagnostics) {
        if (diagnostic.severity != graph::Severity::kError) continue;
        return support::Error{support::ErrorCode::kInvalid, graph::to_text(diagnostic)};
      }
      return support::Error{support::ErrorCode::kInvalid, "The graph cannot be loaded."};
    }
    if (applies_routes) {
      both.document = *std::move(loaded.document);
    } else {
      both.base = graph::to_normal_json(*loaded.document, graph::Secrets::kReveal);
    }
  }
  return both;
}

}  // namespace

support::Result<LoadedGraph> load_quietly(const GraphOptions& options, loader::Registry& registry) {
  return load_both(options, [&](const graph::LoadOptions& load_options) {
    return load(options, load_options, registry);
  });
}

support::Result<LoadedGraph> load_quietly(const GraphOptions& options, loader::Registry& registry,
                                          const std::string& text) {
  const graph::Catalog types = session::full_catalog(registry);
  return load_both(options, [&](const graph::LoadOptions& load_options) {
    return graph::load_text(text, options.file, types, load_options);
  });
}

}  // namespace sluice::cli
