#include "host/session/plugin_catalog.hpp"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace sluice::session {
namespace {

graph::ParameterKind kind_of(uint32_t kind) {
  switch (kind) {
    case SLUICE_INTEGER:
      return graph::ParameterKind::kInteger;
    case SLUICE_BOOLEAN:
      return graph::ParameterKind::kBoolean;
    case SLUICE_TEXT:
      return graph::ParameterKind::kText;
    case SLUICE_CHOICE:
      return graph::ParameterKind::kChoice;
    case SLUICE_LIST:
      return graph::ParameterKind::kList;
    case SLUICE_MATRIX:
      return graph::ParameterKind::kMatrix;
    default:
      return graph::ParameterKind::kNumber;
  }
}

graph::ParameterValue default_of(const sluice_parameter& parameter) {
  switch (parameter.kind) {
    case SLUICE_INTEGER:
      return static_cast<int64_t>(parameter.default_number);
    case SLUICE_BOOLEAN:
      return parameter.default_number != 0;
    case SLUICE_TEXT:
      return std::string(parameter.default_text ? parameter.default_text : "");
    case SLUICE_CHOICE:
      return std::string(parameter.choices[static_cast<uint32_t>(parameter.default_number)]);
    case SLUICE_LIST:
      return std::vector<double>{};
    case SLUICE_MATRIX:
      return graph::Matrix{};
    default:
      return parameter.default_number;
  }
}

graph::Parameter to_parameter(const sluice_parameter& from) {
  graph::Parameter to;
  to.key = from.key;
  to.kind = kind_of(from.kind);
  to.unit = from.unit ? from.unit : "";
  to.description = from.description;
  if (from.kind == SLUICE_NUMBER || from.kind == SLUICE_INTEGER || from.kind == SLUICE_LIST ||
      from.kind == SLUICE_MATRIX) {
    to.minimum = from.minimum;
    to.maximum = from.maximum;
  }
  for (const char* choice : loader::choices(from)) to.choices.emplace_back(choice);
  to.live = (from.flags & SLUICE_PARAMETER_LIVE) != 0;
  to.secret = (from.flags & SLUICE_PARAMETER_SECRET) != 0;
  to.required = (from.flags & SLUICE_PARAMETER_REQUIRED) != 0;
  if (!to.required) to.default_value = default_of(from);
  if (from.flags & SLUICE_PARAMETER_INPUT_PATH) to.path = graph::PathUse::kInput;
  if (from.flags & SLUICE_PARAMETER_OUTPUT_PATH) to.path = graph::PathUse::kOutput;
  return to;
}

// The parameters of one claim, in their order: the last says what is taken, those before it where.
std::vector<graph::Claim> to_claims(const loader::Type& type) {
  std::vector<graph::Claim> claims;
  for (const sluice_parameter& parameter : type.parameters()) {
    // A path claims its file by itself.
    if (!parameter.claim ||
        (parameter.flags & (SLUICE_PARAMETER_INPUT_PATH | SLUICE_PARAMETER_OUTPUT_PATH)) != 0) {
      continue;
    }
    auto claim = std::find_if(claims.begin(), claims.end(),
                              [&](const graph::Claim& c) { return c.name == parameter.claim; });
    if (claim == claims.end()) {
      claim = claims.insert(claim, {parameter.claim, {}, {}, {}, false});
      claim->is_waited_for = type.has_flag(SLUICE_TYPE_OPENS_DEVICES);
    }
    if (!claim->parts.empty()) {
      claim->parts.back().none.clear();
      claim->parts.back().any = {"", "*", "0.0.0.0", "::"};
    }
    claim->parts.push_back({parameter.key, {}, {"", "0"}});
    const std::string_view when = parameter.claim_when ? parameter.claim_when : "";
    if (const size_t equals = when.find('='); equals != std::string_view::npos) {
      claim->when_parameter = when.substr(0, equals);
      claim->when_value = when.substr(equals + 1);
    }
  }
  return claims;
}

// One that finds members of families alone.
graph::Catalog empty_catalog(loader::Registry& registry) {
  graph::Catalog catalog;
  catalog.find_members_with([&registry](std::string_view id) -> support::Result<graph::NodeType> {
    auto type = registry.find(id);
    if (!type) return std::move(type).error();
    return to_node_type(**type);
  });
  return catalog;
}

}  // namespace

graph::NodeType to_node_type(const loader::Type& type) {
  graph::NodeType node;
  node.id = type.id();
  node.name = type.name();
  node.description = type.description();
  node.plugin = type.file().string();
  for (const sluice_port& port : type.ports()) {
    node.ports.push_back(
        {port.key,
         port.direction == SLUICE_INPUT ? graph::PortDirection::kInput
                                        : graph::PortDirection::kOutput,
         port.kind == SLUICE_PCM ? graph::PortKind::kPcm : graph::PortKind::kPackets,
         (port.flags & SLUICE_PORT_OPTIONAL) != 0, port.description});
  }
  for (const sluice_parameter& parameter : type.parameters()) {
    node.parameters.push_back(to_parameter(parameter));
  }
  node.claims = to_claims(type);
  for (const sluice_statistic& statistic : type.statistics()) {
    node.statistics.push_back({statistic.key, statistic.unit ? statistic.unit : "",
                               statistic.description, statistic.kind == SLUICE_COUNTER});
  }
  return node;
}

graph::Catalog full_catalog(loader::Registry& registry) {
  graph::Catalog catalog = empty_catalog(registry);
  for (const loader::Type* type : registry.all()) {
    if (auto status = catalog.add(to_node_type(*type)); !status) {
      catalog.add_unavailable(std::string(type->id()), status.error().message);
    }
  }
  // A file is named after a type of its own, so this is why that type is missing.
  for (const loader::Problem& problem : registry.problems()) {
    const std::string id = problem.file.stem().string();
    if (!catalog.find(id)) catalog.add_unavailable(id, problem.sentence);
  }
  return catalog;
}

graph::Catalog catalog_for(std::string_view text, loader::Registry& registry) {
  constexpr std::string_view kIdCharacters = "abcdefghijklmnopqrstuvwxyz0123456789_-.";
  graph::Catalog catalog = empty_catalog(registry);
  std::set<std::string, std::less<>> seen;
  for (size_t at = 0; (at = text.find_first_of(kIdCharacters, at)) != std::string_view::npos;) {
    size_t end = text.find_first_not_of(kIdCharacters, at);
    if (end == std::string_view::npos) end = text.size();
    const std::string id(text.substr(at, end - at));
    at = end;
    if (id.find('.') == std::string::npos || id.size() > 200 || !seen.insert(id).second) continue;
    const bool has_file =
        std::any_of(registry.folders().begin(), registry.folders().end(), [&](const auto& folder) {
          std::error_code ignored;
          return std::filesystem::is_regular_file(folder / (id + ".so"), ignored);
        });
    if (!has_file) continue;
    if (auto type = registry.describe(id)) {
      if (auto status = catalog.add(to_node_type(**type)); !status) {
        catalog.add_unavailable(id, status.error().message);
      }
    }
  }
  return catalog;
}

}  // namespace sluice::session
