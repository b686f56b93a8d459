// One-line graphs: random text ends in errors or in a document whose JSON text means the same.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "host/graph/expression.hpp"
#include "host/graph/load.hpp"
#include "tests/support/graph_catalog.hpp"
#include "tests/support/graph_properties.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  sluice::graph::LoadOptions options;
  options.check_files = false;
  options.folder = "/nowhere";
  options.environment = [](const std::string&) { return std::optional<std::string>("7"); };
  const auto& catalog = sluice::test::graph_catalog();
  const auto loaded = sluice::graph::load_expression(text, catalog, options);
  std::string broken;
  if (!loaded.document) {
    if (!sluice::graph::has_errors(loaded.diagnostics)) broken = "neither a document nor an error";
  } else {
    broken = sluice::test::broken_normal_form(*loaded.document);
    const auto json = sluice::graph::expression_to_json(text, catalog, options);
    if (!json) {
      broken = "no JSON text: " + json.error().message;
    } else {
      const auto again = sluice::graph::load_text(*json, "expression.json", catalog, options);
      if (!again.document) {
        broken = "the JSON text is refused: " + to_text(again.diagnostics.front()) + "\n" + *json;
      } else if (!sluice::graph::same_graph(*loaded.document, *again.document)) {
        broken = "the JSON text is another graph:\n" + *json;
      }
    }
  }
  if (!broken.empty()) {
    std::fprintf(stderr, "%s\n", broken.c_str());
    std::abort();
  }
  return 0;
}
