// sluice validate: becomes the program sluice-validate, in which functions of the C library are
// replaced by ones that watch.
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "host/cli/command.hpp"
#include "host/cli/graph_options.hpp"
#include "host/validate/options.hpp"

namespace sluice::cli {

namespace fs = std::filesystem;

int run_validate(const Arguments& arguments) {
  validate::Options parsed;
  boost::program_options::options_description options("Options");
  boost::program_options::positional_options_description positional;
  parsed.add_to(options, positional);
  int exit_code = kSuccess;
  if (!parse(arguments, validate::Options::kUsage, validate::Options::kDescription, options,
             positional, exit_code)) {
    return exit_code;
  }
  std::error_code error;
  const fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
  // Beside this program in a build, and where an installation has it.
  const std::array candidates = {
      folder / "sluice-validate",
      folder / ".." / SLUICE_INSTALL_LIBEXECDIR / "sluice" / "sluice-validate"};
  std::string name = "sluice-validate";
  std::vector<std::string> words = arguments;
  std::vector<char*> argv{name.data()};
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  for (const fs::path& candidate : candidates) execv(candidate.c_str(), argv.data());
  std::fprintf(stderr, "sluice: %s is missing; install Sluice again.\n", candidates[1].c_str());
  return kFailure;
}

}  // namespace sluice::cli
