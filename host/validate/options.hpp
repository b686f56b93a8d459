// The options of `sluice validate`, for the command and for the program that it becomes. [control]
#pragma once

#include <boost/program_options/options_description.hpp>
#include <boost/program_options/positional_options.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace sluice::validate {

struct Options {
  static constexpr const char* kUsage = "sluice validate FILE.so [options]";
  static constexpr const char* kDescription =
      "Looks for broken promises of a plugin: each check in a process of its own, so that a crash "
      "or "
      "a hang is a result. Exit code 1 if there are any.";

  std::string file;
  std::vector<std::string> only, types, settings;
  int level = 2;
  double patience_s = 30;
  uint64_t seed = 1;
  bool is_list = false, is_json = false, is_fuzz = false;

  // Adds them all; parsing fills in the members.
  void add_to(boost::program_options::options_description& options,
              boost::program_options::positional_options_description& positional);
};

}  // namespace sluice::validate
