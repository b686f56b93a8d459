// sluice events and call: the control API as it is.
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "host/cli/http_options.hpp"
#include "host/cli/remote.hpp"
#include "host/control/web_client.hpp"
#include "host/graph/json_text.hpp"

namespace sluice::cli {

using graph::Value;

namespace {

support::Result<Value> call_over_web(const RemoteOptions& options, const std::string& method,
                                     const Value& params) {
  const std::string& url = *options.web;
  const char* const variable = std::getenv(kTokenVariable);
  std::string token = variable ? variable : "";
  if (!options.token_file.empty()) {
    auto read = control::read_token(options.token_file);
    if (!read) return std::move(read).error();
    token = *std::move(read);
  }
  auto client = control::WebClient::connect(url, token);
  if (!client) return std::move(client).error();
  constexpr int64_t kId = 1;
  if (auto sent = client->send(control::request_text(kId, method, params)); !sent) {
    return std::move(sent).error();
  }
  for (;;) {
    const auto text = client->receive();
    const auto message = text ? graph::parse_json_value(*text) : std::nullopt;
    if (!message) {
      return support::Error{support::ErrorCode::kIo, "The host has gone before it answered."};
    }
    if (auto answer = control::meaning_of(*message, kId)) return *std::move(answer);
  }
}

// Where the graph that is meant offers a WebSocket. Nothing: a sentence was printed.
std::optional<std::string> url_of(const std::string& graph, int& exit_code) {
  auto client = connect_to(graph, exit_code);
  if (!client) return std::nullopt;
  const auto status = client->call("status", Value::object());
  const Value* url = status ? status->find("http") : nullptr;
  if (url && url->is_text()) return url->text();
  std::fputs("sluice: the graph offers no HTTP; 'sluice run --http PORT' makes it do so.\n",
             stderr);
  exit_code = kFailure;
  return std::nullopt;
}

}  // namespace

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
       1, 100, false, true},
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
  if (!options->web) return call_and_show(*options, options->words[0], params, [](const Value&) {});
  if (options->web->empty()) {
    options->web = url_of(options->graph, exit_code);
    if (!options->web) return exit_code;
  }
  const auto answer = call_over_web(*options, options->words[0], params);
  if (!answer) {
    std::fprintf(stderr, "sluice: %s\n", answer.error().message.c_str());
    return kFailure;
  }
  std::printf("%s\n", graph::to_pretty_json(*answer).c_str());
  return kSuccess;
}

}  // namespace sluice::cli
