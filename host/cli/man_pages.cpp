// sluice man-pages: the manual, made of what the commands say about themselves.
#include <fmt/format.h>

#include <boost/program_options/positional_options.hpp>
#include <boost/program_options/value_semantic.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

#include "host/cli/command_help.hpp"
#include "host/cli/graph_options.hpp"

namespace sluice::cli {
namespace {

namespace po = boost::program_options;

// Text as roff takes it (groff_char(7)): no line of it is a request, and its dashes can be copied.
std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (out.empty() || out.back() == '\n') {
      if (c == '.' || c == '\'') out += "\\&";
    }
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if (c == '\'') {
      out += "\\(aq";
    } else {
      out += c;
    }
  }
  return out;
}

std::string head(std::string_view page) {
  std::string title(page);
  for (char& c : title) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return fmt::format(".TH {} 1 \"\" \"sluice {}\" \"Sluice\"\n", roff(title), SLUICE_VERSION);
}

std::string section(std::string_view name, std::string_view text) {
  return fmt::format(".SH {}\n{}\n", name, text);
}

constexpr const char* kExitStatus =
    ".TP\n.B 0\nIt went well.\n.TP\n.B 1\nThe graph, a file, a device or a host would not do.\n"
    ".TP\n.B 2\nThe command line is wrong.";

std::string command_page(const Command& command) {
  const CommandHelp help = help_of(command);
  const std::string name = std::string("sluice-") + command.name;
  std::string page = head(name);
  page += section("NAME", fmt::format("{} \\- {}", roff(name), roff(command.summary)));
  // The usage begins with the words that are typed as they stand.
  const std::string typed = std::string("sluice ") + command.name;
  const std::string rest =
      help.usage.starts_with(typed) ? help.usage.substr(typed.size()) : " " + help.usage;
  page += section("SYNOPSIS",
                  fmt::format(".B {}\n{}", roff(typed), roff(rest.substr(rest.empty() ? 0 : 1))));
  page += section("DESCRIPTION", roff(help.description));
  std::string options;
  for (const OptionHelp& option : help.options) {
    std::string names = option.letter.empty() ? "" : "\\fB" + roff(option.letter) + "\\fR, ";
    names += "\\fB" + roff(option.name) + "\\fR";
    if (!option.argument.empty()) {
      const std::string argument = "\\fI" + roff(option.argument) + "\\fR";
      names += option.is_bare_too ? "[=" + argument + "]" : " " + argument;
    }
    options +=
        fmt::format("{}.TP\n{}\n{}", options.empty() ? "" : "\n", names, roff(option.description));
  }
  page += section("OPTIONS", options);
  page += section("EXIT STATUS", kExitStatus);
  page += section("SEE ALSO", ".BR sluice (1)");
  return page;
}

std::string overview_page() {
  std::string page = head("sluice");
  page += section("NAME", "sluice \\- route audio");
  page += section("SYNOPSIS", ".B sluice\n.I COMMAND\n[options]");
  page += section("DESCRIPTION",
                  "Sluice routes audio: a graph of plugins, joined by rings, changed while it "
                  "plays. A graph is a JSON file, or one line on the command line.");
  std::string commands, others;
  for (const Command& command : cli::commands()) {
    commands += fmt::format("{}.TP\n.BR {} (1)\n{}", commands.empty() ? "" : "\n",
                            roff(std::string("sluice-") + command.name), roff(command.summary));
  }
  page += section("COMMANDS", commands);
  page += section("ENVIRONMENT",
                  ".TP\n.B XDG_RUNTIME_DIR\nRunning graphs are reached in its folder sluice.\n"
                  ".TP\n.B SLUICE_HTTP_TOKEN\nThe token for control over HTTP.\n"
                  ".TP\n.B NO_COLOR\nIf it is set to anything, nothing is coloured.");
  page += section("EXIT STATUS", kExitStatus);
  return page;
}

bool write_page(const std::filesystem::path& folder, const std::string& name,
                const std::string& page) {
  std::ofstream file(folder / (name + ".1"), std::ios::binary);
  file << page << std::flush;
  if (file.good()) return true;
  std::fprintf(stderr, "sluice: cannot write %s.\n", (folder / (name + ".1")).c_str());
  return false;
}

}  // namespace

int run_man_pages(const Arguments& arguments) {
  std::string folder;
  po::options_description options("Options");
  options.add_options()("folder", po::value(&folder)->value_name("FOLDER"),
                        "where they are written");
  po::positional_options_description positional;
  positional.add("folder", 1);
  int exit_code = kSuccess;
  if (!parse(arguments, "sluice man-pages FOLDER",
             "Writes the manual: a page about sluice, and one about each command.", options,
             positional, exit_code)) {
    return exit_code;
  }
  if (folder.empty()) {
    std::fputs("Usage: sluice man-pages FOLDER\n", stderr);
    return kUsage;
  }
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!write_page(folder, "sluice", overview_page())) return kFailure;
  if (!write_page(folder, "scc", ".so man1/sluice-scc.1\n")) return kFailure;
  for (const Command& command : commands()) {
    if (!write_page(folder, std::string("sluice-") + command.name, command_page(command))) {
      return kFailure;
    }
  }
  return kSuccess;
}

}  // namespace sluice::cli
