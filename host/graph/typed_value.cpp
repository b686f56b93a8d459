#include "host/graph/typed_value.hpp"

#include <filesystem>
#include <utility>

#include "host/graph/file_text.hpp"
#include "host/graph/nearest_name.hpp"
#include "host/graph/shown.hpp"

namespace sluice::graph {
namespace {

namespace fs = std::filesystem;

Parameter number(std::string key, std::string unit, double minimum, double maximum,
                 std::string description) {
  Parameter p;
  p.key = std::move(key);
  p.kind = ParameterKind::kNumber;
  p.unit = std::move(unit);
  p.minimum = minimum;
  p.maximum = maximum;
  p.description = std::move(description);
  return p;
}

Parameter plain(std::string key, ParameterKind kind, std::string description) {
  Parameter p;
  p.key = std::move(key);
  p.kind = kind;
  p.description = std::move(description);
  return p;
}

Parameter choice(std::string key, std::vector<std::string> choices, std::string description) {
  Parameter p = plain(std::move(key), ParameterKind::kChoice, std::move(description));
  p.choices = std::move(choices);
  return p;
}

}  // namespace

const std::vector<Parameter>& edge_parameters() {
  static const std::vector<Parameter> parameters = {
      number("buffer_ms", "ms", 0, kMaximumEdgeBufferMs,
             "Memory of the ring beyond what the nodes at both ends need."),
      choice(
          "when_full", {"wait", "skip"},
          "What happens when the reader is slower: the writer waits, or the reader is moved on to "
          "the newest audio. Left out, the host decides by the clocks."),
      number("gain_db", "dB", kMinimumEdgeGainDb, kMaximumEdgeGainDb,
             "Gain of this edge; changes ramp."),
      number("delay_ms", "ms", 0, kMaximumEdgeDelayMs, "Delay of this edge."),
      plain("pace", ParameterKind::kBoolean,
            "Whether the clock at this edge's end drives a source without a clock of its own.")};
  return parameters;
}

const std::vector<Parameter>& node_parameters() {
  static const std::vector<Parameter> parameters = {
      plain("description", ParameterKind::kText, "What this node is for."),
      plain("isolate", ParameterKind::kBoolean, "Whether it runs in a process of its own."),
      plain("standby", ParameterKind::kBoolean, "Whether it stays started while no route uses it."),
      choice("adapt", {"auto", "never"},
             "Whether the host may insert converters at its ports where formats differ.")};
  return parameters;
}

const Parameter& latency_budget_parameter() {
  static const Parameter parameter =
      number("latency_budget_ms", "ms", 0, kMaximumLatencyBudgetMs,
             "The most that may pass between any source and any sink.");
  return parameter;
}

const std::vector<Parameter>& route_parameters() {
  static const std::vector<Parameter> parameters = {plain(
      "align", ParameterKind::kBoolean,
      "Whether all sinks that the route leads to are heard at the same time: the ways that are "
      "quicker are delayed, by the latency ledger.")};
  return parameters;
}

const Parameter* find_parameter(const std::vector<Parameter>& parameters, std::string_view key) {
  for (const Parameter& parameter : parameters) {
    if (parameter.key == key) return &parameter;
  }
  return nullptr;
}

std::optional<ParameterValue> typed_value(const Parameter& parameter, const Expanded& expanded,
                                          const Location& at, bool check_files, Report& report) {
  const Value& value = expanded.value;
  auto typed = expanded.loose && value.is_text() ? parse_value(parameter, value.text())
                                                 : check_value(parameter, value);
  if (!typed) {
    report.error(at, shown(parameter.key) + " " + typed.error().message);
    return {};
  }
  auto* text = std::get_if<std::string>(&*typed);
  if (parameter.path == PathUse::kNone || text == nullptr) return std::move(typed).value();
  if (text->empty()) {
    if (!parameter.required) return std::move(typed).value();
    report.error(at, shown(parameter.key) + " must be the path of a file, not empty");
    return {};
  }
  const fs::path file = (expanded.folder / *text).lexically_normal();
  *text = file.string();
  if (!check_files) return std::move(typed).value();
  const std::string why =
      parameter.path == PathUse::kInput ? why_not_readable(file) : why_not_writable(file);
  if (!why.empty()) {
    report.error(at, why);
    return {};
  }
  return std::move(typed).value();
}

void set_option(EdgeOptions& options, std::string_view key, const ParameterValue& value) {
  if (key == "buffer_ms") options.buffer_ms = std::get<double>(value);
  if (key == "gain_db") options.gain_db = std::get<double>(value);
  if (key == "delay_ms") options.delay_ms = std::get<double>(value);
  if (key == "pace") options.pace = std::get<bool>(value);
  if (key == "when_full") {
    options.when_full = std::get<std::string>(value) == "wait" ? WhenFull::kWait : WhenFull::kSkip;
  }
}

void set_option(Node& node, std::string_view key, const ParameterValue& value) {
  if (key == "description") node.description = std::get<std::string>(value);
  if (key == "isolate") node.isolate = std::get<bool>(value);
  if (key == "standby") node.standby = std::get<bool>(value);
  if (key == "adapt") {
    node.adapt = std::get<std::string>(value) == "never" ? Adapt::kNever : Adapt::kAuto;
  }
}

EdgeOptions edge_options(const std::vector<RawMember>& members, Expander& expander,
                         Report& report) {
  EdgeOptions options;
  for (const RawMember& member : members) {
    const Parameter* parameter = find_parameter(edge_parameters(), member.key);
    if (parameter == nullptr) {
      std::vector<std::string_view> known = {"from", "to"};
      for (const Parameter& p : edge_parameters()) known.push_back(p.key);
      std::string help = did_you_mean(member.key, known);
      if (help.empty()) help = listed(known);
      report.error(member.key_at, shown(member.key) + " is no key of an edge" + help);
      continue;
    }
    const auto expanded = expander.expand(member.value);
    if (!expanded) continue;
    if (auto value = typed_value(*parameter, *expanded, member.value.at, false, report)) {
      set_option(options, member.key, *value);
    }
  }
  return options;
}

}  // namespace sluice::graph
