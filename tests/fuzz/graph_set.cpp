// Arguments of --set, --var, --route and --profile, one a line, the first letter says which.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "host/graph/load.hpp"
#include "tests/support/graph_catalog.hpp"
#include "tests/support/graph_properties.hpp"

namespace {

constexpr std::string_view kGraph = R"({
  "sluice": 1,
  "vars": {"port": 4953, "map": [0, 1]},
  "nodes": {
    "tone": {"type": "source.tone"},
    "gain": "filter.gain",
    "channels": {"type": "filter.channels", "params": {"map": "${map}"}},
    "server": {"type": "sink.tcp", "params": {"host": "${host}", "port": "${port}"}},
    "file": {"type": "sink.wav", "params": {"path": "a.wav"}}
  },
  "edges": ["tone -> gain -> channels"],
  "routes": {"local": ["channels -> server"], "*": {"edges": ["channels -> file"],
             "set": {"file.path": "${route}.wav"}}},
  "route": "local",
  "profiles": {"quiet": {"set": {"gain.gain_db": -20}}}
})";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  sluice::graph::LoadOptions options;
  options.check_files = false;
  options.folder = "/nowhere";
  options.environment = [](const std::string&) { return std::optional<std::string>(); };
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line(text.substr(begin, end - begin));
    begin = end + 1;
    if (line.empty()) continue;
    const std::string argument = line.substr(1);
    switch (line[0]) {
      case 'v':
        options.variables.push_back(argument);
        break;
      case 'r':
        options.routes.push_back(argument);
        break;
      case 'p':
        options.profile = argument;
        break;
      default:
        options.settings.push_back(argument);
    }
  }
  const auto& catalog = sluice::test::graph_catalog();
  const auto loaded = sluice::graph::load_text(std::string(kGraph), "fuzz.json", catalog, options);
  std::string broken;
  if (loaded.document) {
    broken = sluice::test::broken_normal_form(*loaded.document);
    for (const std::string& setting : options.settings) {
      (void)sluice::graph::parse_setting(*loaded.document, catalog, setting);
      (void)sluice::graph::parse_edge(*loaded.document, catalog, setting);
    }
    for (const std::string& route : options.routes) {
      (void)sluice::graph::resolve_route(*loaded.document, catalog, "main", route);
    }
  } else if (!sluice::graph::has_errors(loaded.diagnostics)) {
    broken = "neither a document nor an error";
  }
  if (!broken.empty()) {
    std::fprintf(stderr, "%s\n", broken.c_str());
    std::abort();
  }
  return 0;
}
