// sluice fmt: lays out graph files the usual way.
#include <boost/program_options/value_semantic.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <vector>

#include "host/cli/graph_options.hpp"
#include "host/graph/format.hpp"
#include "host/graph/load.hpp"

namespace sluice::cli {
namespace {

namespace po = boost::program_options;

// Replaces the file so that a crash leaves the old or the new text, never half of one.
bool replace(const std::filesystem::path& path, const std::string& text) {
  const std::filesystem::path temporary = path.string() + ".new";
  {
    std::ofstream file(temporary, std::ios::binary);
    file << text << std::flush;
    if (!file.good()) {
      std::fprintf(stderr,
                   "sluice: cannot write beside %s; is the folder yours and the disk not "
                   "full?\n",
                   path.c_str());
      return false;
    }
  }
  std::error_code error;
  const auto permissions = std::filesystem::status(path, error).permissions();
  if (!error) std::filesystem::permissions(temporary, permissions, error);
  std::filesystem::rename(temporary, path, error);
  if (error) {
    std::fprintf(stderr, "sluice: cannot replace %s: %s.\n", path.c_str(), error.message().c_str());
    std::filesystem::remove(temporary, error);
    return false;
  }
  return true;
}

enum class Outcome { kSame, kChanged, kFailed };

Outcome lay_out(const std::string& path, bool only_checks, bool to_stdout) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error || size > graph::kMaximumFileBytes) {
    std::fprintf(stderr, "sluice: %s: %s.\n", path.c_str(),
                 error ? error.message().c_str() : "a graph file has at most 16 MiB");
    return Outcome::kFailed;
  }
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file.bad()) {
    std::fprintf(stderr, "sluice: cannot read %s.\n", path.c_str());
    return Outcome::kFailed;
  }
  const graph::FormatResult result = graph::format(text, path);
  print(result.diagnostics);
  if (graph::has_errors(result.diagnostics)) return Outcome::kFailed;
  if (to_stdout) std::fputs(result.text.c_str(), stdout);
  if (result.text == text) return Outcome::kSame;
  if (only_checks) {
    std::printf("%s\n", path.c_str());
  } else if (!to_stdout && !replace(path, result.text)) {
    return Outcome::kFailed;
  }
  return Outcome::kChanged;
}

}  // namespace

int run_fmt(const Arguments& arguments) {
  std::vector<std::string> files;
  bool only_checks = false;
  bool to_stdout = false;
  po::options_description options("Options");
  po::positional_options_description positional;
  options.add_options()("file", po::value(&files)->value_name("FILE")->required(),
                        "graph files to lay out in place");
  options.add_options()("check", po::bool_switch(&only_checks),
                        "change nothing; print the names of files that would change and fail");
  options.add_options()("stdout", po::bool_switch(&to_stdout), "print instead of changing files");
  positional.add("file", -1);
  int exit_code = kSuccess;
  if (!parse(arguments, "sluice fmt FILE... [--check | --stdout]",
             "Lays out graph files the usual way; comments, order and ${...} stay.", options,
             positional, exit_code)) {
    return exit_code;
  }
  for (const std::string& file : files) {
    const Outcome outcome = lay_out(file, only_checks, to_stdout);
    if (outcome == Outcome::kFailed || (only_checks && outcome == Outcome::kChanged)) {
      exit_code = kFailure;
    }
  }
  return exit_code;
}

}  // namespace sluice::cli
