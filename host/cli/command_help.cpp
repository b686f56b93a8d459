#include "host/cli/command_help.hpp"

#include <boost/program_options/cmdline.hpp>
#include <boost/program_options/value_semantic.hpp>

namespace sluice::cli {
namespace {

namespace po = boost::program_options;

// Who asks, while a command runs for its help alone.
CommandHelp* asked_for = nullptr;

}  // namespace

CommandHelp help_of(const Command& command) {
  CommandHelp help;
  asked_for = &help;
  command.run({"--help"});
  asked_for = nullptr;
  return help;
}

bool take_help(const std::string& usage, const std::string& description,
               const po::options_description& options) {
  if (!asked_for) return false;
  asked_for->usage = usage;
  asked_for->description = description;
  for (const auto& option : options.options()) {
    OptionHelp one;
    one.name = "--" + option->long_name();
    one.letter = option->canonical_display_name(po::command_line_style::allow_dash_for_short);
    if (!one.letter.starts_with('-')) one.letter.clear();
    const auto semantic = option->semantic();
    if (semantic->max_tokens() != 0) {
      // "arg (=2)" has a default, which the description need not repeat.
      one.argument = semantic->name().substr(0, semantic->name().find(' '));
      if (one.argument.starts_with("[=")) {  // "[=URL(=)]" may be left out
        one.argument = one.argument.substr(2, one.argument.find_first_of("(]", 2) - 2);
      }
    }
    one.is_bare_too = semantic->max_tokens() != 0 && semantic->min_tokens() == 0;
    one.description = option->description();
    asked_for->options.push_back(std::move(one));
  }
  return true;
}

}  // namespace sluice::cli
