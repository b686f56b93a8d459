// Graph files: random text ends in errors or in a document; what is well-formed can be formatted,
// edited and brought to its normal form and back. (-dict=tests/fuzz/graph.dict finds more.)
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "host/graph/load.hpp"
#include "tests/support/graph_catalog.hpp"
#include "tests/support/graph_properties.hpp"

namespace {

void demand(const std::string& broken) {
  if (broken.empty()) return;
  std::fprintf(stderr, "%s\n", broken.c_str());
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  sluice::graph::LoadOptions options;
  options.check_files = false;
  options.folder = "/nowhere";
  options.environment = [](const std::string& name) -> std::optional<std::string> {
    if (name == "SECRET") return "xyzzy";
    return {};
  };
  const auto loaded =
      sluice::graph::load_text(text, "fuzz.json", sluice::test::graph_catalog(), options);
  if (!loaded.document && !sluice::graph::has_errors(loaded.diagnostics)) {
    demand("neither a document nor an error");
  }
  for (const auto& diagnostic : loaded.diagnostics) {
    if (diagnostic.at.line < 1 || diagnostic.at.column < 1) demand("an error without a place");
  }
  if (loaded.document) demand(sluice::test::broken_normal_form(*loaded.document));
  demand(sluice::test::broken_format(text));
  demand(sluice::test::broken_edits(text));
  return 0;
}
