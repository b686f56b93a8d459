#include "host/session/kept_state.hpp"

#include <optional>
#include <utility>

#include "host/session/member_of.hpp"

namespace sluice::session {
namespace {

using graph::Value;

constexpr int kVersion = 1;

const graph::Parameter* live_parameter(const Value& node, std::string_view key,
                                       const graph::Catalog& types) {
  const Value& type = member(node, "type");
  const graph::NodeType* known = type.is_text() ? types.find(type.text()) : nullptr;
  const graph::Parameter* parameter = known ? known->find_parameter(key) : nullptr;
  return parameter && parameter->live && !parameter->secret ? parameter : nullptr;
}

Value pair(const Value& now, const Value& file) {
  Value both = Value::object();
  both.set("now", now);
  both.set("file", file);
  return both;
}

std::optional<std::string> to_argument(const Value& value) {
  if (value.is_bool()) return std::string(value.boolean() ? "true" : "false");
  if (value.is_number()) return graph::number_text(value.number());
  if (value.is_text()) return value.text();
  return std::nullopt;
}

}  // namespace

Value state_of(const Value& file, const Value& now, const graph::Catalog& types) {
  Value routes = Value::object();
  const Value& of_file = member(file, "switches");
  for (const graph::Member& one : member(now, "switches").members()) {
    const Value* before = member(of_file, one.key).find("initial");
    const Value* taken = one.value.find("initial");
    if (before && taken && !(*before == *taken)) routes.set(one.key, pair(*taken, *before));
  }
  Value parameters = Value::object();
  for (const graph::Member& node : member(now, "nodes").members()) {
    const Value& old = member(member(file, "nodes"), node.key);
    if (!(member(old, "type") == member(node.value, "type"))) continue;
    for (const graph::Member& one : member(node.value, "params").members()) {
      const Value* before = member(old, "params").find(one.key);
      if (!before || *before == one.value || !live_parameter(node.value, one.key, types)) continue;
      parameters.set(node.key + "." + one.key, pair(one.value, *before));
    }
  }
  Value state = Value::object();
  state.set("sluice_state", kVersion);
  state.set("routes", std::move(routes));
  state.set("parameters", std::move(parameters));
  return state;
}

KeptSettings settings_of(const Value& state, const Value& file, const graph::Catalog& types) {
  KeptSettings kept;
  const Value* version = state.find("sluice_state");
  if (!version || !version->is_integer() || version->integer() != kVersion) {
    kept.notes.emplace_back("It is not a state that this version has written.");
    return kept;
  }
  const auto overruled = [&](const std::string& name) {
    kept.notes.push_back(name + " is taken from the graph's file, which has changed since.");
  };
  const Value& routes = member(state, "routes");
  if (routes.is_object()) {
    for (const graph::Member& one : routes.members()) {
      const Value* initial = member(member(file, "switches"), one.key).find("initial");
      const Value& now = member(one.value, "now");
      if (!initial || !now.is_text() || !(*initial == member(one.value, "file"))) {
        overruled("The route of " + one.key);
      } else {
        kept.routes.push_back(one.key + "=" + now.text());
      }
    }
  }
  const Value& parameters = member(state, "parameters");
  if (!parameters.is_object()) return kept;
  for (const graph::Member& one : parameters.members()) {
    const size_t dot = one.key.rfind('.');
    if (dot == std::string::npos) continue;
    const Value& node = member(member(file, "nodes"), one.key.substr(0, dot));
    const std::string key = one.key.substr(dot + 1);
    const Value* before = member(node, "params").find(key);
    const auto now = to_argument(member(one.value, "now"));
    if (!before || !now || !(*before == member(one.value, "file")) ||
        !live_parameter(node, key, types)) {
      overruled(one.key);
    } else {
      kept.settings.push_back(one.key + "=" + *now);
    }
  }
  return kept;
}

}  // namespace sluice::session
