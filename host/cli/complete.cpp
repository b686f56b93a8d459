// sluice complete: what a word may become, for the shells. A candidate is one line, with a tab and
// a description where there is one; ":files" stands for what files there are.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "host/cli/answer.hpp"
#include "host/cli/command_help.hpp"
#include "host/cli/graph_options.hpp"
#include "host/cli/remote.hpp"
#include "host/control/runtime_folder.hpp"
#include "host/support/log.hpp"

namespace sluice::cli {
namespace {

using graph::Value;

constexpr int kPatienceMs = 500;  // with a host that does not answer

class Candidates {
 public:
  explicit Candidates(std::string beginning) : beginning_(std::move(beginning)) {}

  void add(const std::string& word, const std::string& description = "") {
    if (!word.starts_with(beginning_) || !said_.insert(word).second) return;
    std::printf("%s%s%s\n", word.c_str(), description.empty() ? "" : "\t", description.c_str());
  }
  static void add_files() { std::puts(":files"); }

 private:
  const std::string beginning_;
  std::set<std::string> said_;
};

// Answers of the graph that is meant; null if that is not clear, or it does not answer.
Value ask(const std::string& graph, bool is_scc, const char* method) {
  std::string name = graph;
  if (name.empty()) {
    const auto running = control::running_graphs();
    const bool has_scc = std::find(running.begin(), running.end(), "scc") != running.end();
    if (is_scc && has_scc) {
      name = "scc";
    } else if (running.size() == 1) {
      name = running.front();
    } else {
      return {};
    }
  }
  auto client = control::Client::connect(name);
  if (!client) return {};
  client->set_patience_ms(kPatienceMs);
  const auto answer = client->call(method, Value::object());
  return answer ? *answer : Value();
}

void add_routes(const Value& answer, Candidates& candidates) {
  const auto& switches = members(at(answer, "routes"));
  for (const graph::Member& one : switches) {
    const Value& known = at(one.value, "known");
    for (const Value& route : known.is_array() ? known.elements() : Value::Array{}) {
      const std::string name = text(route);
      const std::string description = name == text(at(one.value, "taken")) ? "taken now" : "";
      if (switches.size() == 1) candidates.add(name, description);
      candidates.add(one.key + "=" + name, description);
    }
  }
}

void add_targets(const Value& answer, Candidates& candidates) {
  for (const graph::Member& node : members(at(at(answer, "document"), "nodes"))) {
    for (const graph::Member& parameter : members(at(node.value, "params"))) {
      candidates.add(node.key + "." + parameter.key + "=");
    }
  }
}

void add_types(Candidates& candidates) {
  support::set_log_level(support::LogLevel::kError);
  const auto registry = make_registry({});
  for (const loader::Type* type : registry->all()) candidates.add(std::string(type->id()));
}

// What stands where no option does. `index` counts from the command's first word.
void add_words(const Command& command, const std::string& graph, size_t index,
               Candidates& candidates) {
  const auto answer = [&](const char* method) {
    return ask(graph, command.words == Words::kHabits, method);
  };
  switch (command.words) {
    case Words::kNone:
      break;
    case Words::kFiles:
      if (index == 0) Candidates::add_files();
      break;
    case Words::kHabits:
      if (index != 0) break;
      for (const char* word : {"toggle", "vol", "mute"}) candidates.add(word);
      add_routes(answer("route"), candidates);
      break;
    case Words::kRoutes:
      if (index == 0) add_routes(answer("route"), candidates);
      break;
    case Words::kTargets:
      add_targets(answer("document"), candidates);
      break;
    case Words::kNodes: {
      // Those of routes that are not taken too.
      const Value document = answer("document");
      for (const graph::Member& node : members(at(at(document, "document"), "nodes"))) {
        candidates.add(node.key, text(at(node.value, "type")));
      }
      break;
    }
    case Words::kTypes:
      add_types(candidates);
      break;
    case Words::kMethods: {
      if (index != 0) break;
      const Value methods = answer("methods");
      const Value& names = at(methods, "methods");
      for (const Value& name : names.is_array() ? names.elements() : Value::Array{}) {
        candidates.add(text(name));
      }
      break;
    }
    case Words::kTopics:
      for (const char* topic : {"changes", "states", "losses", "statistics"}) candidates.add(topic);
      break;
    case Words::kShells:
      if (index != 0) break;
      for (const char* shell : {"bash", "zsh", "fish"}) candidates.add(shell);
      break;
  }
}

void complete(const Arguments& words) {
  Candidates candidates(words.back());
  if (words.size() == 1) {
    for (const Command& command : commands()) candidates.add(command.name, command.summary);
    return;
  }
  const auto known = commands();
  const auto command = std::find_if(known.begin(), known.end(),
                                    [&](const Command& one) { return words.front() == one.name; });
  if (command == known.end()) return;
  const CommandHelp help = help_of(*command);
  const auto option_of = [&](const std::string& word) {
    return std::find_if(help.options.begin(), help.options.end(), [&](const OptionHelp& option) {
      return word == option.name || (!option.letter.empty() && word == option.letter);
    });
  };
  size_t index = 0;  // of the word that is completed, among those that are no options
  std::string graph;
  for (size_t i = 1; i + 1 < words.size(); ++i) {
    const auto option = option_of(words[i]);
    if (option == help.options.end()) {
      index += words[i].starts_with('-') ? 0 : 1;
      continue;
    }
    if (option->argument.empty() || option->is_bare_too) continue;
    if (i + 2 < words.size()) {
      if (option->name == "--graph") graph = words[i + 1];
      ++i;
      continue;
    }
    // The word is the option's argument.
    if (option->name == "--graph" && option->argument == "NAME") {
      for (const std::string& name : control::running_graphs()) candidates.add(name);
    } else if (option->argument == "FILE" || option->argument == "FOLDER") {
      Candidates::add_files();
    }
    return;
  }
  if (words.back().starts_with('-')) {
    for (const OptionHelp& option : help.options) candidates.add(option.name, option.description);
    return;
  }
  add_words(*command, graph, index, candidates);
}

}  // namespace

int run_complete(const Arguments& arguments) {
  Arguments words = arguments;
  if (!words.empty() && words.front() == "--") words.erase(words.begin());
  if (words.empty()) words.emplace_back();
  complete(words);
  return kSuccess;
}

}  // namespace sluice::cli
