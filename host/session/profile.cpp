#include "host/session/profile.hpp"

#include <string>
#include <utility>

#include "host/session/member_of.hpp"

namespace sluice::session {
namespace {

using graph::Value;
using support::Error;
using support::ErrorCode;

bool is_secret(const Value& node, const std::string& key, const graph::Catalog& types) {
  const Value& type = member(node, "type");
  const graph::NodeType* known = type.is_text() ? types.find(type.text()) : nullptr;
  const graph::Parameter* parameter = known ? known->find_parameter(key) : nullptr;
  return parameter && parameter->secret;
}

Error not_in_a_profile(const std::string& what) {
  return {ErrorCode::kState, what +
                                 " was changed, and a profile holds parameters, edges' options and "
                                 "routes alone; 'sluice save' writes it into the graph."};
}

}  // namespace

support::Result<Value> profile_of(const Value& before, const Value& now,
                                  const graph::Catalog& types) {
  Value set = Value::object();
  const Value& old_nodes = member(before, "nodes");
  const Value& nodes = member(now, "nodes");
  for (const graph::Member& old : old_nodes.members()) {
    if (!nodes.find(old.key)) return not_in_a_profile("The node " + old.key);
  }
  for (const graph::Member& node : nodes.members()) {
    const Value& old = member(old_nodes, node.key);
    if (!(member(old, "type") == member(node.value, "type"))) {
      return not_in_a_profile("The node " + node.key);
    }
    for (const graph::Member& one : member(node.value, "params").members()) {
      const Value* was = member(old, "params").find(one.key);
      if (was && *was == one.value) continue;
      const std::string name = node.key + "." + one.key;
      if (is_secret(node.value, one.key, types)) {
        return Error{ErrorCode::kPermission,
                     name + " is a secret and is never written; put ${env:NAME} there by hand."};
      }
      set.set(name, one.value);
    }
  }
  const Value& old_edges = member(before, "edges");
  const Value& edges = member(now, "edges");
  for (const graph::Member& old : old_edges.members()) {
    if (!edges.find(old.key)) return not_in_a_profile("The edge " + old.key);
  }
  for (const graph::Member& edge : edges.members()) {
    const Value* old = old_edges.find(edge.key);
    if (!old) return not_in_a_profile("The edge " + edge.key);
    for (const graph::Member& one : edge.value.members()) {
      const Value* was = old->find(one.key);
      if (!was || !(*was == one.value)) set.set(edge.key + ":" + one.key, one.value);
    }
  }
  Value routes = Value::object();
  for (const graph::Member& one : member(now, "switches").members()) {
    routes.set(one.key, member(one.value, "initial"));
  }
  Value profile = Value::object();
  if (!set.members().empty()) profile.set("set", std::move(set));
  if (!routes.members().empty()) profile.set("route", std::move(routes));
  return profile;
}

}  // namespace sluice::session
