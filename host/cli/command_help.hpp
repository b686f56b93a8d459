// The help of a command in parts, for manual pages and completion: what `sluice COMMAND --help`
// prints, taken from the same definitions. [control]
#pragma once

#include <boost/program_options/options_description.hpp>
#include <string>
#include <vector>

#include "host/cli/command.hpp"

namespace sluice::cli {

struct OptionHelp {
  std::string name;          // "--graph"
  std::string letter;        // "-g", or empty
  std::string argument;      // "FILE"; empty: takes none
  bool is_bare_too = false;  // the argument may be left out: "--ws[=URL]"
  std::string description;
};

struct CommandHelp {
  std::string usage;  // "sluice run [GRAPH] [options]"
  std::string description;
  std::vector<OptionHelp> options;
};

CommandHelp help_of(const Command& command);

// Called where help would be printed: whether help_of has asked for it instead.
bool take_help(const std::string& usage, const std::string& description,
               const boost::program_options::options_description& options);

}  // namespace sluice::cli
