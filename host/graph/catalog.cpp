#include "host/graph/catalog.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "host/graph/nearest_name.hpp"

namespace sluice::graph {
namespace {

using support::Error;
using support::ErrorCode;
using support::Status;

bool is_key(std::string_view text) {
  if (text.empty() || text[0] < 'a' || text[0] > 'z') return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

bool is_type_id(std::string_view text) {
  std::size_t parts = 0;
  bool fresh = true;
  for (const char c : text) {
    if (c == '.') {
      if (fresh) return false;
      fresh = true;
      continue;
    }
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (!plain && (fresh || (c != '_' && c != '-'))) return false;
    if (fresh) ++parts;
    fresh = false;
  }
  return !fresh && parts >= 2;
}

Error contradiction(const NodeType& type, const std::string& what) {
  std::string from = type.plugin.empty() ? "" : " (" + type.plugin + ")";
  return {ErrorCode::kInvalid, "the node type \"" + type.id + "\"" + from + " " + what};
}

Status check_parameter(const NodeType& type, const Parameter& p) {
  const std::string of = "has a parameter \"" + p.key + "\" ";
  if (!is_key(p.key)) {
    return contradiction(type, of + "whose key is not made of a-z, 0-9 and _");
  }
  if (p.minimum && p.maximum && *p.minimum > *p.maximum) {
    return contradiction(type, of + "whose minimum is above its maximum");
  }
  if (p.kind == ParameterKind::kChoice && p.choices.empty()) {
    return contradiction(type, of + "without choices");
  }
  if (p.required && p.default_value) {
    return contradiction(type, of + "that is required and has a default");
  }
  if (p.path != PathUse::kNone && p.kind != ParameterKind::kText) {
    return contradiction(type, of + "that is a path, but not text");
  }
  if (!p.required) {
    const ParameterValue value = default_value(p);
    const auto checked = check_value(p, to_value(value));
    if (!checked || *checked != value) {
      return contradiction(type, of + "whose default is not one of its values");
    }
  }
  return {};
}

}  // namespace

const Port* NodeType::find_port(PortDirection direction, std::string_view key) const {
  for (const Port& port : ports) {
    if (port.direction == direction && port.key == key) return &port;
  }
  return nullptr;
}

const Port* NodeType::default_port(PortDirection direction) const {
  const Port* only = nullptr;
  const Port* only_needed = nullptr;
  std::size_t count = 0;
  std::size_t needed = 0;
  for (const Port& port : ports) {
    if (port.direction != direction) continue;
    ++count;
    only = &port;
    if (!port.optional) {
      ++needed;
      only_needed = &port;
    }
  }
  if (count == 1) return only;
  return needed == 1 ? only_needed : nullptr;
}

const Parameter* NodeType::find_parameter(std::string_view key) const {
  for (const Parameter& parameter : parameters) {
    if (parameter.key == key) return &parameter;
  }
  return nullptr;
}

Status Catalog::add(NodeType type) {
  if (!is_type_id(type.id)) {
    return contradiction(type, "has an id that is not of the form \"filter.gate\"");
  }
  if (const NodeType* other = find(type.id)) {
    return contradiction(
        type, "is there already" + (other->plugin.empty() ? "" : ", from " + other->plugin));
  }
  if (Status status = check(type); !status) return status;
  const auto place =
      std::lower_bound(types_.begin(), types_.end(), type,
                       [](const NodeType& a, const NodeType& b) { return a.id < b.id; });
  types_.insert(place, std::move(type));
  return {};
}

Status Catalog::check(const NodeType& type) {
  std::set<std::pair<PortDirection, std::string_view>> ports;
  for (const Port& port : type.ports) {
    if (!is_key(port.key)) {
      return contradiction(
          type, "has a port \"" + port.key + "\" whose key is not made of a-z, 0-9 and _");
    }
    if (!ports.emplace(port.direction, port.key).second) {
      return contradiction(type, "has two ports \"" + port.key + "\"");
    }
  }
  std::set<std::string_view> keys;
  for (const Parameter& parameter : type.parameters) {
    if (Status status = check_parameter(type, parameter); !status) return status;
    if (!keys.insert(parameter.key).second) {
      return contradiction(type, "has two parameters \"" + parameter.key + "\"");
    }
  }
  for (const Claim& claim : type.claims) {
    for (const Claim::Part& part : claim.parts) {
      if (!keys.contains(part.parameter)) {
        return contradiction(
            type, "claims by a parameter \"" + part.parameter + "\" that it does not have");
      }
    }
    if (!claim.when_parameter.empty() && !keys.contains(claim.when_parameter)) {
      return contradiction(
          type, "claims by a parameter \"" + claim.when_parameter + "\" that it does not have");
    }
  }
  return {};
}

void Catalog::find_members_with(MemberFinder finder) {
  members_ = std::make_shared<Members>();
  members_->finder = std::move(finder);
}

// Null if the id is none of a member.
const support::Result<NodeType>* Catalog::member(std::string_view type_id) const {
  if (!members_ || type_id.find('/') == std::string_view::npos) return nullptr;
  const auto known = members_->known.find(type_id);
  if (known != members_->known.end()) return &known->second;
  auto found = members_->finder(type_id);
  if (found) {
    if (Status status = check(*found); !status) found = std::move(status).error();
  }
  return &members_->known.emplace(type_id, std::move(found)).first->second;
}

void Catalog::add_unavailable(std::string type_id, std::string reason) {
  unavailable_.push_back({std::move(type_id), std::move(reason)});
}

const NodeType* Catalog::find(std::string_view type_id) const {
  const auto place =
      std::lower_bound(types_.begin(), types_.end(), type_id,
                       [](const NodeType& a, std::string_view id) { return a.id < id; });
  if (place != types_.end() && place->id == type_id) return &*place;
  const auto* found = member(type_id);
  return found && *found ? &**found : nullptr;
}

const std::string* Catalog::unavailable_reason(std::string_view type_id) const {
  if (find(type_id) != nullptr) return nullptr;
  if (const auto* missing = member(type_id)) return &missing->error().message;
  for (const Unavailable& unavailable : unavailable_) {
    if (unavailable.type_id == type_id) return &unavailable.reason;
  }
  return nullptr;
}

std::string Catalog::nearest_type(std::string_view type_id) const {
  std::vector<std::string_view> names;
  // A kind left out is the commonest slip: "gate" for "filter.gate".
  for (const NodeType& type : types_) {
    const std::string_view id = type.id;
    if (id.size() > type_id.size() + 1 && id.ends_with(type_id) && !type_id.empty() &&
        id[id.size() - type_id.size() - 1] == '.') {
      return type.id;
    }
    names.push_back(id);
  }
  for (const Unavailable& unavailable : unavailable_) names.push_back(unavailable.type_id);
  return nearest_name(type_id, names);
}

}  // namespace sluice::graph
