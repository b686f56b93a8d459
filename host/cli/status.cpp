// sluice status and why: how a running graph is.
#include <fmt/format.h>

#include <cstdio>

#include "host/cli/answer.hpp"
#include "host/cli/remote.hpp"

namespace sluice::cli {
namespace {

using graph::Value;

std::string measured(const Value& value) {
  return value.is_number() ? fmt::format("{:.1f}", value.number()) : "-";
}

void show_clocks(const Value& status) {
  if (at(status, "clocks").is_object() && !at(status, "clocks").members().empty()) {
    fmt::print("\nclocks, against the host's\n");
    for (const graph::Member& clock : at(status, "clocks").members()) {
      std::string bridges;
      for (const Value& id : at(clock.value, "corrected_by").elements()) bridges += " " + text(id);
      const std::string by = text(at(clock.value, "measured_by"));
      fmt::print("  {:<36} {:>8} ppm{}{}\n", clock.key, measured(at(clock.value, "ppm")),
                 by.empty() ? "" : ", measured by " + by,
                 bridges.empty() ? "" : ", corrected by" + bridges);
    }
  }
  if (!at(status, "latency").is_array() || at(status, "latency").elements().empty()) return;
  fmt::print("\nlatency in ms: declared, measured\n");
  for (const Value& way : at(status, "latency").elements()) {
    const Value& budget = at(way, "budget_ms");
    fmt::print("  {:<40} {:>8} {:>8}{}\n", text(at(way, "source")) + " to " + text(at(way, "sink")),
               measured(at(way, "declared_ms")), measured(at(way, "measured_ms")),
               budget.is_number() ? fmt::format("  of at most {:.0f}", budget.number()) : "");
    for (const Value& part : at(way, "parts").elements()) {
      fmt::print("    {:<38} {:>8} {:>8}\n", text(at(part, "what")),
                 measured(at(part, "declared_ms")), measured(at(part, "measured_ms")));
    }
  }
}

void show_status(const Value& status) {
  fmt::print("{} (process {}), playing for {:.0f} s, version {}\n", text(at(status, "graph")),
             whole(at(status, "pid")), number(at(status, "time_s")), whole(at(status, "version")));
  for (const graph::Member& one : at(status, "routes").members()) {
    fmt::print("  {} goes to {}\n", one.key, text(at(one.value, "taken")));
  }
  fmt::print("\n");
  for (const graph::Member& node : at(status, "nodes").members()) {
    const std::string sentence = text(at(node.value, "sentence"));
    fmt::print("  {:<16} {:<20} {}{}\n", node.key, text(at(node.value, "type")),
               text(at(node.value, "state")), sentence.empty() ? "" : ": " + sentence);
  }
  fmt::print("\n");
  for (const graph::Member& edge : at(status, "edges").members()) {
    fmt::print("  {:<36} {:>8.1f} ms  {:>12} read {:>8} lost {:>8} filled\n", edge.key,
               number(at(edge.value, "fill_ms")), whole(at(edge.value, "read_frames")),
               whole(at(edge.value, "lost_frames")), whole(at(edge.value, "filled_frames")));
  }
  show_clocks(status);
}

void show_glitches(const Value& answer) {
  const Value& glitches = at(answer, "glitches");
  if (!glitches.is_array() || glitches.elements().empty()) {
    std::puts("Nothing was lost or filled in.");
    return;
  }
  for (const Value& glitch : glitches.elements()) {
    const std::string reason = text(at(glitch, "reason"));
    fmt::print("{:>10.1f} s  {}: {} frames lost, {} filled in{}\n", number(at(glitch, "time_s")),
               text(at(glitch, "edge")), whole(at(glitch, "lost_frames")),
               whole(at(glitch, "filled_frames")), reason.empty() ? "" : " (" + reason + ")");
    std::string fills;
    for (const Value& fill : at(glitch, "fills").elements()) {
      fills += fmt::format(" {}", whole(at(fill, "fill_frames")));
    }
    fmt::print("              of {} frames there were:{}\n", whole(at(glitch, "capacity_frames")),
               fills);
  }
}

}  // namespace

int run_status(const Arguments& arguments) {
  int exit_code = kSuccess;
  const auto options = parse_remote(
      arguments,
      {"status [options]",
       "Shows how a running graph is: routes, nodes, edges, what was lost, clocks and latency.", 0,
       0, false},
      exit_code);
  return options ? call_and_show(*options, "status", Value::object(), show_status) : exit_code;
}

int run_why(const Arguments& arguments) {
  int exit_code = kSuccess;
  const auto options = parse_remote(
      arguments,
      {"why [options] [EDGE|NODE]",
       "Tells the last glitches there: what was lost, when, why, and how full the edge was around "
       "it.",
       0, 1, false},
      exit_code);
  if (!options) return exit_code;
  Value params = Value::object();
  if (!options->words.empty()) params.set("of", options->words[0]);
  return call_and_show(*options, "why", params, show_glitches);
}

}  // namespace sluice::cli
