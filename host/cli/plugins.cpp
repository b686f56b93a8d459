// sluice plugins: the node types there are, and all about one of them.
#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options/value_semantic.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "host/cli/graph_options.hpp"
#include "host/loader/type_family.hpp"
#include "host/session/format_solver.hpp"
#include "host/session/plugin_catalog.hpp"

namespace sluice::cli {
namespace {

namespace po = boost::program_options;

std::string first_sentence(std::string_view text) {
  const size_t end = text.find(". ");
  return std::string(end == std::string_view::npos ? text : text.substr(0, end + 1));
}

// Breaks `text` into lines of at most 96 columns behind `indent` blanks.
std::string wrapped(std::string_view text, size_t indent) {
  constexpr size_t kColumns = 96;
  std::string out(indent, ' ');
  size_t column = indent;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    if (column + end > kColumns && column > indent) {
      out += '\n' + std::string(indent, ' ');
      column = indent;
    }
    out += text.substr(0, end);
    column += end + 1;
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!text.empty()) out += ' ';
  }
  return out + '\n';
}

const char* execution_of(const loader::Type& type) {
  switch (type.execution()) {
    case SLUICE_EXECUTION_PASSIVE:
      return "passive";
    case SLUICE_EXECUTION_THREADED:
      return "threaded";
    default:
      return "device";
  }
}

std::string default_text(const graph::Parameter& parameter) {
  if (parameter.required) return "required";
  const std::string text = graph::to_text(graph::default_value(parameter));
  return text.empty() ? "default: empty" : "default " + text;
}

void print_type(const loader::Type& type) {
  const graph::NodeType node = session::to_node_type(type);
  std::printf("%s: %s\n\n%s", node.id.c_str(), node.name.c_str(),
              wrapped(node.description, 2).c_str());
  std::printf("\n  %s, from %s\n", execution_of(type), type.file().c_str());
  std::printf("\nPorts\n");
  for (const sluice_port& port : type.ports()) {
    std::printf("  %-12s %s%s%s\n", port.key, port.direction == SLUICE_INPUT ? "input" : "output",
                (port.flags & SLUICE_PORT_OPTIONAL) ? ", optional" : "",
                port.kind == SLUICE_PACKETS
                    ? ", packets"
                    : (", " + session::to_text(loader::offers(port))).c_str());
    std::fputs(wrapped(port.description, 6).c_str(), stdout);
  }
  if (!node.parameters.empty()) std::printf("\nParameters\n");
  for (const graph::Parameter& parameter : node.parameters) {
    const std::string range = graph::allowed_range(parameter);
    std::printf("  %s%s%s, %s%s\n", parameter.key.c_str(), range.empty() ? "" : ": ", range.c_str(),
                default_text(parameter).c_str(), parameter.live ? ", live" : "");
    std::fputs(wrapped(parameter.description, 6).c_str(), stdout);
  }
  if (!node.statistics.empty()) std::printf("\nStatistics\n");
  for (const graph::Statistic& statistic : node.statistics) {
    std::printf("  %s (%s)\n", statistic.key.c_str(), statistic.counter ? "counter" : "gauge");
    std::fputs(wrapped(statistic.description, 6).c_str(), stdout);
  }
}

graph::Value to_json(const loader::Type& type) {
  const graph::NodeType node = session::to_node_type(type);
  graph::Value json = graph::Value::object();
  json.set("id", node.id);
  json.set("name", node.name);
  json.set("description", node.description);
  json.set("execution", execution_of(type));
  json.set("file", node.plugin);
  graph::Value ports = graph::Value::array();
  for (const sluice_port& port : type.ports()) {
    graph::Value entry = graph::Value::object();
    entry.set("key", port.key);
    entry.set("direction", port.direction == SLUICE_INPUT ? "input" : "output");
    entry.set("kind", port.kind == SLUICE_PCM ? "pcm" : "packets");
    entry.set("optional", (port.flags & SLUICE_PORT_OPTIONAL) != 0);
    entry.set("description", port.description);
    ports.push_back(std::move(entry));
  }
  json.set("ports", std::move(ports));
  graph::Value parameters = graph::Value::array();
  for (const graph::Parameter& parameter : node.parameters) {
    graph::Value entry = graph::Value::object();
    entry.set("key", parameter.key);
    entry.set("kind", graph::kind_name(parameter));
    if (!parameter.unit.empty()) entry.set("unit", parameter.unit);
    if (parameter.minimum) entry.set("minimum", *parameter.minimum);
    if (parameter.maximum) entry.set("maximum", *parameter.maximum);
    if (!parameter.choices.empty()) {
      graph::Value choices = graph::Value::array();
      for (const std::string& choice : parameter.choices) choices.push_back(choice);
      entry.set("choices", std::move(choices));
    }
    if (!parameter.required) {
      entry.set("default", graph::to_value(graph::default_value(parameter)));
    }
    entry.set("live", parameter.live);
    entry.set("required", parameter.required);
    entry.set("description", parameter.description);
    parameters.push_back(std::move(entry));
  }
  json.set("parameters", std::move(parameters));
  graph::Value statistics = graph::Value::array();
  for (const graph::Statistic& statistic : node.statistics) {
    graph::Value entry = graph::Value::object();
    entry.set("key", statistic.key);
    entry.set("kind", statistic.counter ? "counter" : "gauge");
    if (!statistic.unit.empty()) entry.set("unit", statistic.unit);
    entry.set("description", statistic.description);
    statistics.push_back(std::move(entry));
  }
  json.set("statistics", std::move(statistics));
  return json;
}

// The members of all families, or of those of one system ("LV2"; empty: all).
int print_hosted(loader::Registry& registry, const std::string& system, bool is_json) {
  int exit_code = kSuccess;
  graph::Value list = graph::Value::array();
  size_t count = 0;
  for (const loader::Type* const known : registry.all()) {
    if (!known->has_flag(SLUICE_TYPE_FAMILY)) continue;
    const auto family = registry.find(known->id());
    if (!family) {
      std::fprintf(stderr, "sluice: %s\n", family.error().message.c_str());
      exit_code = kFailure;
      continue;
    }
    const loader::MemberList found = loader::list_members(**family);
    for (const loader::ListedMember& member : found.members) {
      if (!system.empty() && member.system != system) continue;
      ++count;
      const std::string id = fmt::format("{}/{}", (*family)->id(), member.name);
      if (!is_json) {
        std::printf("%s\n    %s (%s)%s%s\n", id.c_str(), member.title.c_str(),
                    member.system.c_str(), member.remark.empty() ? "" : ": ",
                    member.remark.c_str());
        continue;
      }
      graph::Value entry = graph::Value::object();
      entry.set("id", id);
      entry.set("name", member.title);
      entry.set("system", member.system);
      if (!member.remark.empty()) entry.set("remark", member.remark);
      list.push_back(std::move(entry));
    }
    for (const std::string& remark : found.remarks) {
      std::fprintf(stderr, "sluice: %s: %s\n", std::string(known->id()).c_str(), remark.c_str());
    }
  }
  if (is_json) {
    std::printf("%s\n", graph::to_pretty_json(list).c_str());
  } else if (count == 0) {
    std::fputs("sluice: no plugin of another kind was found that could be hosted.\n", stderr);
  }
  return exit_code;
}

}  // namespace

int run_plugins(const Arguments& arguments) {
  std::vector<std::string> plugin_dirs;
  std::string id;
  bool is_json = false;
  bool is_hosted = false;
  po::options_description options("Options");
  po::positional_options_description positional;
  options.add_options()("type", po::value(&id)->value_name("TYPE"), "tell all about this one");
  options.add_options()("json", po::bool_switch(&is_json), "as JSON");
  bool is_lv2 = false;
  options.add_options()("hosted", po::bool_switch(&is_hosted),
                        "list the plugins of other kinds that some types host");
  options.add_options()("lv2", po::bool_switch(&is_lv2), "of these the LV2 plugins");
  options.add_options()("plugin-dir", po::value(&plugin_dirs)->value_name("FOLDER"),
                        "look for plugins here first; may be repeated");
  positional.add("type", 1);
  int exit_code = kSuccess;
  if (!parse(arguments, "sluice plugins [TYPE] [--hosted | --lv2] [--json]",
             "Lists the node types that the plugins found offer, or tells all about one; or lists "
             "the plugins of other kinds (LV2, LADSPA) that can be types too.",
             options, positional, exit_code)) {
    return exit_code;
  }
  const auto registry = make_registry(plugin_dirs);
  if (is_hosted || is_lv2) return print_hosted(*registry, is_lv2 ? "LV2" : "", is_json);
  if (!id.empty()) {
    const auto type = registry->find(id);
    if (!type) {
      std::fprintf(stderr, "sluice: %s\n", type.error().message.c_str());
      return kFailure;
    }
    if (is_json) {
      std::printf("%s\n", graph::to_pretty_json(to_json(**type)).c_str());
    } else {
      print_type(**type);
    }
    return kSuccess;
  }
  const size_t told = registry->problems().size();
  const auto types = registry->all();
  graph::Value list = graph::Value::array();
  for (const loader::Type* type : types) {
    if (is_json) {
      list.push_back(to_json(*type));
    } else {
      std::printf("%-18s %s\n", std::string(type->id()).c_str(),
                  first_sentence(type->description()).c_str());
    }
  }
  if (is_json) std::printf("%s\n", graph::to_pretty_json(list).c_str());
  for (size_t i = told; i < registry->problems().size(); ++i) {
    std::fprintf(stderr, "sluice: %s\n", registry->problems()[i].sentence.c_str());
  }
  if (types.empty()) {
    std::fputs("sluice: no plugins were found; name their folder with --plugin-dir.\n", stderr);
    return kFailure;
  }
  return kSuccess;
}

}  // namespace sluice::cli
