// sluice events and call: the control API as it is.
#include <cstdio>

#include "host/cli/remote.hpp"
#include "host/graph/json_text.hpp"

namespace sluice::cli {

using graph::Value;

int run_events(const Arguments& arguments) {
  int exit_code = kSuccess;
  const auto options = parse_remote(
      arguments,
      {"events [options] [TOPIC...]",
       "Prints what happens in a running graph, an object a line, until it ends. Topics: changes, "
       "states, losses (these three if none is named) and statistics.",
       0, 4, false},
      exit_code);
  if (!options) return exit_code;
  auto client = connect_to(options->graph, exit_code);
  if (!client) return exit_code;
  Value params = Value::object();
  if (!options->words.empty()) {
    Value topics = Value::array();
    for (const std::string& word : options->words) topics.push_back(word);
    params.set("topics", std::move(topics));
  }
  if (const auto answer = client->call("subscribe", params); !answer) {
    std::fprintf(stderr, "sluice: %s\n", answer.error().message.c_str());
    return kFailure;
  }
  while (const auto message = client->next()) {
    const Value* event = message->find("params");
    if (!event) continue;
    std::printf("%s\n", graph::to_json(*event).c_str());
    std::fflush(stdout);
  }
  return kSuccess;
}

int run_call(const Arguments& arguments) {
  int exit_code = kSuccess;
  auto options = parse_remote(
      arguments,
      {"call [options] METHOD [JSON | KEY=VALUE...]",
       "Calls a method of the control API and prints its answer as JSON. A VALUE is JSON, or else "
       "text.",
       1, 100, false},
      exit_code);
  if (!options) return exit_code;
  options->is_json = true;
  Value params = Value::object();
  for (size_t i = 1; i < options->words.size(); ++i) {
    const std::string& word = options->words[i];
    if (word.starts_with('{')) {
      const auto object = graph::parse_json_value(word);
      if (!object || !object->is_object()) {
        std::fprintf(stderr, "sluice: %s is no JSON.\n", word.c_str());
        return kUsage;
      }
      for (const graph::Member& member : object->members()) params.set(member.key, member.value);
      continue;
    }
    const size_t equals = word.find('=');
    if (equals == std::string::npos) {
      std::fprintf(stderr, "sluice: %s is neither JSON nor KEY=VALUE.\n", word.c_str());
      return kUsage;
    }
    params.set(word.substr(0, equals), loose_value(word.substr(equals + 1)));
  }
  return call_and_show(*options, options->words[0], params, [](const Value&) {});
}

}  // namespace sluice::cli
