// sluice devices: what can be captured from and played to, as the plugins list it.
#include <fmt/format.h>

#include <boost/program_options/value_semantic.hpp>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "host/cli/asoundrc.hpp"
#include "host/cli/graph_options.hpp"
#include "host/graph/value.hpp"
#include "host/loader/device_list.hpp"
#include "host/session/format_solver.hpp"

namespace sluice::cli {
namespace {

namespace po = boost::program_options;

// "capture" for types with outputs alone, "playback" for those with inputs alone, else "both".
const char* direction_of(const loader::Type& type) {
  bool has[3] = {};
  for (const sluice_port& port : type.ports()) has[port.direction] = true;
  if (has[SLUICE_INPUT] && has[SLUICE_OUTPUT]) return "both";
  return has[SLUICE_OUTPUT] ? "capture" : "playback";
}

// As it can be written after -e.
std::string as_expression(const loader::Type& type, const loader::ListedDevice& device) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:/@+";
  const bool is_plain = device.selector.find_first_not_of(kPlain) == std::string::npos;
  const char* const mark =
      is_plain ? "" : (device.selector.find('"') == std::string::npos ? "\"" : "'");
  return fmt::format("{} {}={}{}{}", type.id(), device.parameter, mark, device.selector, mark);
}

void print_device(const loader::Type& type, const loader::ListedDevice& device) {
  std::string facts = device.system;
  if (device.channels != 0) {
    facts += fmt::format(", {} channel{}", device.channels, device.channels == 1 ? "" : "s");
  }
  if (device.rate_hz != 0) facts += fmt::format(", {} Hz", device.rate_hz);
  if (device.latency_ms != 0) facts += fmt::format(", {:.1f} ms", device.latency_ms);
  if (device.is_default) facts += ", default";
  std::printf("  %s\n      %s (%s)\n", as_expression(type, device).c_str(), device.name.c_str(),
              facts.c_str());
  if (!device.offers.empty()) {
    std::printf("      takes %s\n", session::to_text(device.offers).c_str());
  }
  if (!device.remark.empty()) std::printf("      %s\n", device.remark.c_str());
}

graph::Value to_json(const loader::Type& type, const loader::ListedDevice& device) {
  graph::Value json = graph::Value::object();
  json.set("type", std::string(type.id()));
  json.set("direction", direction_of(type));
  json.set("parameter", device.parameter);
  json.set("selector", device.selector);
  json.set("name", device.name);
  json.set("system", device.system);
  json.set("is_default", device.is_default);
  if (device.channels != 0) json.set("channels", int64_t{device.channels});
  if (device.rate_hz != 0) json.set("rate_hz", int64_t{device.rate_hz});
  if (device.latency_ms != 0) json.set("latency_ms", std::round(device.latency_ms * 1e3) / 1e3);
  if (!device.offers.empty()) json.set("formats", session::to_text(device.offers));
  if (!device.remark.empty()) json.set("remark", device.remark);
  return json;
}

}  // namespace

int run_devices(const Arguments& arguments) {
  std::vector<std::string> plugin_dirs;
  std::string id;
  bool is_json = false;
  bool is_asoundrc = false;
  double latency_ms = 0;
  po::options_description options("Options");
  po::positional_options_description positional;
  options.add_options()("type", po::value(&id)->value_name("TYPE"), "only what this type opens");
  options.add_options()("json", po::bool_switch(&is_json), "as JSON");
  options.add_options()("asoundrc", po::bool_switch(&is_asoundrc),
                        "print an ALSA configuration instead: everything plays into the loopback "
                        "card, for source.aloop");
  options.add_options()("latency-ms", po::value(&latency_ms)->value_name("N"),
                        "buffer of its mixer, 20 to 2000 (170.7)");
  options.add_options()("plugin-dir", po::value(&plugin_dirs)->value_name("FOLDER"),
                        "look for plugins here first; may be repeated");
  positional.add("type", 1);
  int exit_code = kSuccess;
  if (!parse(arguments, "sluice devices [TYPE] [--json] | --asoundrc [--latency-ms N]",
             "Lists what can be captured from and played to now, for each type of node that opens "
             "devices. What is printed can be written into a graph, or after -e; it means the same "
             "device after the next boot.",
             options, positional, exit_code)) {
    return exit_code;
  }
  if (latency_ms != 0 && (!is_asoundrc || latency_ms < 20 || latency_ms > 2000)) {
    std::fputs("sluice: --latency-ms goes with --asoundrc, and is 20 to 2000.\n", stderr);
    return kUsage;
  }
  if (is_asoundrc) {
    std::fputs(asoundrc(latency_ms).c_str(), stdout);
    return kSuccess;
  }
  const auto registry = make_registry(plugin_dirs);
  std::vector<const loader::Type*> types;
  if (id.empty()) {
    for (const loader::Type* const type : registry->all()) {
      if (!type->has_flag(SLUICE_TYPE_OPENS_DEVICES)) continue;
      const auto loaded = registry->find(type->id());
      if (loaded) {
        types.push_back(*loaded);
      } else {
        std::fprintf(stderr, "sluice: %s\n", loaded.error().message.c_str());
        exit_code = kFailure;
      }
    }
  } else {
    const auto type = registry->find(id);
    if (!type) {
      std::fprintf(stderr, "sluice: %s\n", type.error().message.c_str());
      return kFailure;
    }
    if (!(*type)->has_flag(SLUICE_TYPE_OPENS_DEVICES)) {
      std::fprintf(stderr, "sluice: %s opens no devices; 'sluice devices' lists those that do.\n",
                   id.c_str());
      return kFailure;
    }
    types.push_back(*type);
  }
  graph::Value list = graph::Value::array();
  for (const loader::Type* const type : types) {
    const loader::DeviceList found = loader::list_devices(*type);
    for (const loader::ListedDevice& device : found.devices) {
      if (is_json) list.push_back(to_json(*type, device));
    }
    if (!is_json) {
      std::printf("%s (%s)%s\n", std::string(type->id()).c_str(), direction_of(*type),
                  found.devices.empty() ? ": none" : "");
      for (const loader::ListedDevice& device : found.devices) print_device(*type, device);
    }
    for (const std::string& remark : found.remarks) {
      std::fprintf(stderr, "sluice: %s: %s\n", std::string(type->id()).c_str(), remark.c_str());
    }
  }
  if (is_json) std::printf("%s\n", graph::to_pretty_json(list).c_str());
  if (types.empty() && exit_code == kSuccess) {
    std::fputs("sluice: none of the plugins found opens devices.\n", stderr);
  }
  return exit_code;
}

}  // namespace sluice::cli
