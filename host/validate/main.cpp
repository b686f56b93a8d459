// sluice-validate: what `sluice validate` becomes. See check.hpp.
#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>
#include <boost/program_options/positional_options.hpp>
#include <boost/program_options/variables_map.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include "host/graph/value.hpp"
#include "host/support/log.hpp"
#include "host/validate/check.hpp"
#include "host/validate/options.hpp"
#include "host/validate/rt_guard.hpp"

namespace sluice::validate {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

constexpr int kSuccess = 0, kFailure = 1, kUsage = 2;

// A line of the result.
struct Line {
  std::string type;  // empty: the library
  const Check* check;
  Report report;
};

class Quiet final : public support::LogOutput {
 public:
  void write(const support::LogLine&) override {}
};

int refuse(const std::string& sentence) {
  std::fprintf(stderr, "sluice: %s\n", sentence.c_str());
  return kUsage;
}

// The code with which the program is to end, or -1.
int parse(int argc, char** argv, Options& options) {
  po::options_description all("Options");
  po::positional_options_description positional;
  options.add_to(all, positional);
  all.add_options()("help,h", "this text");
  po::variables_map values;
  try {
    po::store(po::command_line_parser(argc, argv).options(all).positional(positional).run(),
              values);
    po::notify(values);
  } catch (const po::error& error) {
    return refuse(fmt::format("{}. See 'sluice validate --help'.", error.what()));
  }
  if (values.contains("help")) {
    std::ostringstream text;
    text << "Usage: " << Options::kUsage << "\n\n" << Options::kDescription << "\n\n" << all;
    std::fputs(text.str().c_str(), stdout);
    return kSuccess;
  }
  for (const std::string& setting : options.settings) {
    if (setting.find('=') == std::string::npos) {
      return refuse(fmt::format("'{}' is no PARAMETER=VALUE.", setting));
    }
  }
  if (options.level < 1 || options.level > 3) return refuse("--level is 1, 2 or 3.");
  if (options.file.empty() && !options.is_list)
    return refuse("say which plugin: sluice validate foo.so.");
  // With a slash in it, lest the loader search for it.
  std::error_code error;
  options.file = fs::absolute(options.file, error).string();
  return -1;
}

bool is_wanted(const Options& options, const Check& check) {
  if (!options.only.empty()) {
    return std::ranges::any_of(options.only, [&](const std::string& name) {
      return std::string_view(check.id).starts_with(name);
    });
  }
  return check.level <= options.level ||
         (options.is_fuzz && std::string_view(check.id) == "parameters.random");
}

int list(const Options& options) {
  graph::Value json = graph::Value::array();
  for (const Check* check : all_checks()) {
    graph::Value entry = graph::Value::object();
    entry.set("id", check->id);
    entry.set("level", check->level);
    entry.set("what", check->what);
    entry.set("why", check->why);
    json.push_back(std::move(entry));
    if (!options.is_json) fmt::print("{:<30} {}  {}\n", check->id, check->level, check->what);
  }
  if (options.is_json) fmt::print("{}\n", graph::to_pretty_json(json));
  return kSuccess;
}

// Runs a check in a process and a folder of its own.
Report run(const Options& options, const Check& check, const std::string& type) {
  std::string folder = (fs::temp_directory_path() / "sluice-validate-XXXXXX").string();
  if (!mkdtemp(folder.data())) return {{"No folder can be made for its files."}, {}, {}};
  const auto patience = std::chrono::milliseconds(static_cast<int64_t>(options.patience_s * 1000));
  Report report = in_child(
      [&](Report& found) {
        // Forbidden calls are for one check to judge; the others go on.
        const RtGuardRecorder recorder;
        std::vector<Subject::Setting> settings;
        for (const std::string& setting : options.settings) {
          const size_t equals = setting.find('=');
          settings.push_back({setting.substr(0, equals), setting.substr(equals + 1)});
        }
        Subject subject(options.file, type, folder, settings, options.seed, found);
        check.run(subject);
      },
      patience);
  std::error_code error;
  fs::remove_all(folder, error);
  return report;
}

// What is known of the types, asked for in a process of its own.
struct Kind {
  std::string id;
  uint32_t execution;
  bool is_family;  // its members make nodes, it makes none
};
std::vector<Kind> types_of(const Options& options) {
  const Report report = in_child(
      [&](Report& found) {
        Subject subject(options.file, "", "", {}, options.seed, found);
        const loader::Library* library = subject.load();
        if (!library) return;
        for (const loader::Type* type : library->types()) {
          const bool is_family = (type->data().flags & SLUICE_TYPE_FAMILY) != 0;
          found.notes.push_back(
              fmt::format("{}{} {}", type->execution(), is_family ? 'f' : 't', type->id()));
        }
      },
      std::chrono::milliseconds(static_cast<int64_t>(options.patience_s * 1000)));
  std::vector<Kind> kinds;
  for (const std::string& note : report.notes) {
    const Kind kind{note.substr(3), static_cast<uint32_t>(note[0] - '0'), note[1] == 'f'};
    kinds.push_back(kind);
    // Members are made when they are asked for.
    for (const std::string& wanted : options.types) {
      if (kind.is_family && wanted.starts_with(kind.id + "/")) {
        kinds.push_back({wanted, kind.execution, false});
      }
    }
  }
  return kinds;
}

const char* outcome_of(const Report& report) {
  if (!report.failures.empty()) return "FAILED";
  return report.skipped.empty() ? "ok" : "skipped";
}

void print(const Line& line) {
  fmt::print("  {:<8}{}\n", outcome_of(line.report), line.check->id);
  for (const std::string& failure : line.report.failures) fmt::print("            {}\n", failure);
  if (!line.report.failures.empty()) fmt::print("          why: {}\n", line.check->why);
  if (line.report.failures.empty() && !line.report.skipped.empty()) {
    fmt::print("            {}\n", line.report.skipped);
  }
  for (const std::string& note : line.report.notes) fmt::print("            {}\n", note);
  std::fflush(stdout);
}

graph::Value strings(const std::vector<std::string>& texts) {
  graph::Value array = graph::Value::array();
  for (const std::string& text : texts) array.push_back(text);
  return array;
}

graph::Value to_json(const Line& line) {
  graph::Value entry = graph::Value::object();
  entry.set("check", line.check->id);
  entry.set("level", line.check->level);
  if (!line.type.empty()) entry.set("type", line.type);
  const std::string outcome = outcome_of(line.report);
  entry.set("outcome", outcome == "FAILED" ? "failed" : outcome);
  entry.set("failures", strings(line.report.failures));
  if (!line.report.skipped.empty()) entry.set("skipped", line.report.skipped);
  entry.set("notes", strings(line.report.notes));
  return entry;
}

int validate(const Options& options) {
  std::error_code error;
  if (!fs::is_regular_file(options.file, error)) {
    return refuse(fmt::format("{} is no file.", options.file));
  }
  std::vector<Line> lines;
  const auto check_all = [&](const std::string& type, uint32_t execution, bool is_family) {
    for (const Check* check : all_checks()) {
      const bool is_of_library = check->about == About::kLibrary;
      if (is_of_library != type.empty() || !is_wanted(options, *check)) continue;
      if (!is_of_library && !applies_to(*check, execution)) continue;
      // A family makes no nodes; how a member is described is another's business.
      const bool is_description = std::string_view(check->id).starts_with("type.");
      const bool is_member = type.find('/') != std::string::npos;
      if (is_family ? !is_description : is_description && is_member) continue;
      lines.push_back({type, check, run(options, *check, type)});
      if (!options.is_json) print(lines.back());
    }
  };
  if (!options.is_json) fmt::print("{}\n", options.file);
  check_all("", 0, false);
  for (const Kind& kind : types_of(options)) {
    if (!options.types.empty() &&
        std::ranges::find(options.types, kind.id) == options.types.end()) {
      continue;
    }
    if (!options.is_json) fmt::print("{}\n", kind.id);
    check_all(kind.id, kind.execution, kind.is_family);
  }
  if (lines.empty()) {
    return refuse(
        "there is nothing to check: no check has such a name (see --list), or no type of "
        "the plugin can be used (see --only library).");
  }

  size_t failed = 0, skipped = 0;
  graph::Value json = graph::Value::array();
  for (const Line& line : lines) {
    if (!line.report.failures.empty()) {
      ++failed;
    } else if (!line.report.skipped.empty()) {
      ++skipped;
    }
    json.push_back(to_json(line));
  }
  if (options.is_json) {
    fmt::print("{}\n", graph::to_pretty_json(json));
  } else {
    fmt::print("{} checks passed, {} failed, {} could not be made.\n",
               lines.size() - failed - skipped, failed, skipped);
  }
  return failed == 0 ? kSuccess : kFailure;
}

}  // namespace
}  // namespace sluice::validate

int main(int argc, char** argv) {
  sluice::validate::Options options;
  if (const int code = sluice::validate::parse(argc, argv, options); code >= 0) return code;
  sluice::validate::Quiet quiet;
  const sluice::support::LogRedirect redirect(quiet);
  return options.is_list ? sluice::validate::list(options) : sluice::validate::validate(options);
}
