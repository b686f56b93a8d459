#include "host/cli/remote.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options/positional_options.hpp>
#include <boost/program_options/value_semantic.hpp>
#include <cstdio>
#include <utility>

#include "host/cli/answer.hpp"
#include "host/cli/graph_options.hpp"
#include "host/control/runtime_folder.hpp"
#include "host/graph/json_text.hpp"

namespace sluice::cli {
namespace {

namespace po = boost::program_options;
using graph::Value;

// Keeps the parser from taking "-6" for an option.
constexpr char kShield = '\x01';

bool looks_negative(const std::string& word) {
  return word.size() > 1 && word[0] == '-' &&
         (word[1] == '.' || (word[1] >= '0' && word[1] <= '9'));
}

// "from tone to here 24 ms, now 104 ms; most of it, 20 ms, is here"
std::string latency_sentence(const Value& way) {
  std::string sentence = fmt::format("from {} to {} {:.1f} ms", text(at(way, "source")),
                                     text(at(way, "sink")), number(at(way, "expected_ms")));
  if (way.find("now_ms")) sentence += fmt::format(", now {:.1f} ms", number(at(way, "now_ms")));
  const auto ms = [](const Value& part) {
    return std::max(number(at(part, "declared_ms")), number(at(part, "measured_ms")));
  };
  const Value* largest = nullptr;
  for (const Value& part : elements(at(way, "parts"))) {
    if (!largest || ms(part) > ms(*largest)) largest = &part;
  }
  if (largest && ms(*largest) > 0.0) {
    sentence +=
        fmt::format("; most of it, {:.1f} ms, is {}", ms(*largest), text(at(*largest, "what")));
  }
  std::string unasked;
  for (const Value& id : elements(at(way, "unasked"))) {
    unasked += (unasked.empty() ? "" : " and ") + text(id);
  }
  return unasked.empty() ? sentence : sentence + "; what " + unasked + " adds is not known before";
}

void show_plan(const Value& plan) {
  for (const graph::Member& member : members(plan)) {
    if (member.key == "latency") {
      for (const Value& way : elements(member.value)) {
        std::printf("  latency: %s\n", latency_sentence(way).c_str());
      }
      continue;
    }
    if (elements(member.value).empty()) continue;
    std::printf("  %s:", member.key.c_str());
    for (const Value& name : member.value.elements()) std::printf(" %s", text(name).c_str());
    std::puts("");
  }
}

}  // namespace

std::optional<RemoteOptions> parse_remote(const Arguments& arguments, const RemoteCommand& command,
                                          int& exit_code) {
  Arguments shielded = arguments;
  for (std::string& word : shielded) {
    if (looks_negative(word)) word.insert(word.begin(), kShield);
  }
  RemoteOptions remote;
  po::options_description options("Options");
  options.add_options()("graph,g", po::value(&remote.graph)->value_name("NAME"),
                        "the running graph that is meant; needed if several run");
  options.add_options()("json", po::bool_switch(&remote.is_json), "print the answer as JSON");
  if (command.is_change) {
    options.add_options()("dry-run", po::bool_switch(&remote.is_dry_run),
                          "say what would happen, and do nothing");
  }
  if (command.has_web) {
    options.add_options()("ws",
                          po::value<std::string>()->implicit_value("")->value_name("URL")->notifier(
                              [&](const std::string& url) { remote.web = url; }),
                          "over a WebSocket, to the graph that is meant or to --ws=URL");
    options.add_options()("token-file", po::value(&remote.token_file)->value_name("FILE"),
                          "the token for that is the first line of FILE (else SLUICE_HTTP_TOKEN)");
  }
  if (command.more) {
    for (const auto& option : command.more->options()) options.add(option);
  }
  po::options_description all = options;
  all.add_options()("word", po::value(&remote.words), "");
  po::positional_options_description positional;
  positional.add("word", -1);
  const std::string usage = std::string("sluice ") + command.usage;
  for (const std::string& word : arguments) {
    if (word == "--") break;
    if (word != "--help" && word != "-h") continue;
    parse({"--help"}, usage.c_str(), command.description, options, {}, exit_code);
    return std::nullopt;
  }
  if (!parse(shielded, usage.c_str(), command.description, all, positional, exit_code)) {
    return std::nullopt;
  }
  for (std::string& word : remote.words) {
    if (!word.empty() && word[0] == kShield) word.erase(0, 1);
  }
  if (remote.words.size() < command.least_words || remote.words.size() > command.most_words) {
    std::fprintf(stderr, "Usage: %s\n", usage.c_str());
    exit_code = kUsage;
    return std::nullopt;
  }
  return remote;
}

std::optional<control::Client> connect_to(const std::string& graph, int& exit_code) {
  std::string name = graph;
  if (name.empty()) {
    const auto running = control::running_graphs();
    if (running.empty()) {
      std::fputs("sluice: no graph is running; 'sluice run GRAPH' starts one.\n", stderr);
      exit_code = kFailure;
      return std::nullopt;
    }
    if (running.size() > 1) {
      std::fputs("sluice: several graphs are running; say which with --graph:\n", stderr);
      for (const std::string& one : running) std::fprintf(stderr, "  %s\n", one.c_str());
      exit_code = kUsage;
      return std::nullopt;
    }
    name = running.front();
  }
  auto client = control::Client::connect(name);
  if (!client) {
    std::fprintf(stderr, "sluice: %s\n", client.error().message.c_str());
    exit_code = kFailure;
    return std::nullopt;
  }
  return std::move(*client);
}

int call_and_show(const RemoteOptions& options, const std::string& method, const Value& params,
                  const std::function<void(const Value& answer)>& show) {
  int exit_code = kSuccess;
  auto client = connect_to(options.graph, exit_code);
  if (!client) return exit_code;
  const auto answer = client->call(method, params);
  if (!answer) {
    std::fprintf(stderr, "sluice: %s\n", answer.error().message.c_str());
    return kFailure;
  }
  if (options.is_json) {
    std::printf("%s\n", graph::to_pretty_json(*answer).c_str());
  } else {
    show(*answer);
  }
  return kSuccess;
}

void show_steps(const Value& answer) {
  const Value* steps = answer.find("steps");
  if (!steps || !steps->is_array() || steps->elements().empty()) {
    std::puts("Nothing changes.");
    return;
  }
  for (const Value& step : steps->elements()) {
    if (step.is_text()) std::printf("%s\n", step.text().c_str());
  }
}

int call_change(const RemoteOptions& options, const std::string& method, Value params) {
  if (options.is_dry_run) params.set("dry_run", true);
  return call_and_show(options, method, params, [&](const Value& answer) {
    show_steps(answer);
    if (options.is_dry_run) show_plan(at(answer, "plan"));
  });
}

Value loose_value(const std::string& text) {
  auto value = graph::parse_json_value(text);
  return value ? *std::move(value) : Value(text);
}

Value object_of(const std::vector<std::pair<std::string, Value>>& members) {
  Value object = Value::object();
  for (const auto& [key, value] : members) object.set(key, value);
  return object;
}

}  // namespace sluice::cli
