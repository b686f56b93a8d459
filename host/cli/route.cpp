// sluice route: shows or takes routes of a running graph.
#include <cstdio>

#include "host/cli/remote.hpp"

namespace sluice::cli {

using graph::Value;

int run_route(const Arguments& arguments) {
  int exit_code = kSuccess;
  const auto options = parse_remote(
      arguments,
      {"route [options] [[SWITCH=]ROUTE]",
       "Takes a route, without a click; without a ROUTE tells which are taken and which there are.",
       0, 1, true},
      exit_code);
  if (!options) return exit_code;
  if (!options->words.empty()) {
    const std::string& word = options->words[0];
    const size_t equals = word.find('=');
    Value params = Value::object();
    if (equals != std::string::npos) params.set("switch", word.substr(0, equals));
    params.set("route", equals == std::string::npos ? word : word.substr(equals + 1));
    return call_change(*options, "route", std::move(params));
  }
  return call_and_show(*options, "route", Value::object(), [](const Value& answer) {
    const Value* routes = answer.find("routes");
    if (!routes || routes->members().empty()) std::puts("The graph has no routes.");
    for (const graph::Member& one : routes ? routes->members() : Value::Object{}) {
      std::string known;
      for (const Value& name : one.value.find("known")->elements()) {
        known += (known.empty() ? "" : ", ") + name.text();
      }
      if (one.value.find("any")->boolean()) known += known.empty() ? "any name" : " or any name";
      std::printf("%s: %s (of %s)\n", one.key.c_str(), one.value.find("taken")->text().c_str(),
                  known.c_str());
    }
  });
}

}  // namespace sluice::cli
