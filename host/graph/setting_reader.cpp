#include "host/graph/setting_reader.hpp"

#include <memory>
#include <utility>
#include <vector>

#include "host/graph/nearest_name.hpp"
#include "host/graph/shown.hpp"
#include "host/graph/typed_value.hpp"
#include "host/graph/utf8.hpp"

namespace sluice::graph {
namespace {

constexpr std::size_t kMostListed = 12;  // names; more would bury the sentence

}  // namespace

const Parameter* SettingReader::find(const SettingKey& key, std::string& node) {
  const auto at = [&](std::size_t index) { return key.at_index ? key.at_index(index) : key.at; };
  const std::size_t dot = key.text.find('.');
  node = key.text.substr(0, dot);
  if (node.empty()) {
    report_.error(at(0), "the id of a node is missing here; a setting is NODE.PARAMETER=VALUE");
    return nullptr;
  }
  if (!nodes_.contains(node)) {
    std::string help;
    if (report_.wants_suggestions()) help = did_you_mean(node, nodes_.ids());
    if (help.empty() && nodes_.ids().size() <= kMostListed) help = listed(nodes_.ids());
    if (dot == std::string::npos) help += "; a setting is NODE.PARAMETER=VALUE";
    report_.error(at(0), "there is no node " + shown(node) + help);
    return nullptr;
  }
  if (dot == std::string::npos) {
    report_.error(at(0),
                  "a setting names a node and one of its parameters: \"" + node + ".PARAMETER\"");
    return nullptr;
  }
  const NodeType* type = nodes_.type(node);
  if (type == nullptr) return nullptr;
  const std::string name = key.text.substr(dot + 1);
  if (const Parameter* parameter = type->find_parameter(name)) return parameter;
  std::vector<std::string_view> known;
  for (const Parameter& parameter : type->parameters) known.push_back(parameter.key);
  std::string help = did_you_mean(name, known);
  if (help.empty()) {
    help = known.empty() ? "; it has none" : listed(known);
  }
  report_.error(at(dot + 1), node + " (" + type->id + ") has no parameter " + shown(name) + help);
  return nullptr;
}

std::optional<Setting> SettingReader::read(const SettingKey& key, const RawValue& value) {
  Setting setting;
  const Parameter* parameter = find(key, setting.node);
  const auto expanded = expander_.expand(value);
  if (parameter == nullptr || !expanded) return {};
  auto typed = typed_value(*parameter, *expanded, value.at, check_files_, report_);
  if (!typed) return {};
  setting.parameter = parameter->key;
  setting.value = std::move(*typed);
  setting.secret = parameter->secret;
  setting.secret_source = parameter->secret ? expanded->outside_source : "";
  setting.at = value.at;
  return setting;
}

std::optional<Argument> split_argument(std::string_view option, const std::string& text,
                                       std::string_view form, const std::filesystem::path& folder,
                                       Report& report) {
  const std::size_t equals = text.find('=');
  // What stands behind the equals sign may be a secret: it is never part of a name in messages.
  const std::string name = std::string(option) + " " + text.substr(0, equals);
  if (find_invalid_utf8(text) != std::string::npos || text.find('\0') != std::string::npos) {
    report.error({std::string(option), 1, 1, {}}, "this argument holds bytes that are not text");
    return {};
  }
  if (equals == std::string::npos) {
    report.error({name, 1, 1, {}}, "an equals sign is missing; write " + std::string(option) + " " +
                                       std::string(form));
    return {};
  }
  if (equals == 0) {
    report.error({name, 1, 1, {}}, "a name is missing in front of the equals sign; write " +
                                       std::string(option) + " " + std::string(form));
    return {};
  }
  Argument argument;
  argument.source = std::make_shared<SourceText>(name, folder, text);
  // Without a byte order mark, should somebody have pasted one.
  const std::string_view plain = argument.source->text();
  argument.key = plain.substr(0, plain.find('='));
  argument.value_begin = argument.key.size() + 1;
  return argument;
}

}  // namespace sluice::graph
