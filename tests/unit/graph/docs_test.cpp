// Every graph in the documentation of the format loads, and is laid out as `sluice fmt` would.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "host/graph/expression.hpp"
#include "host/graph/format.hpp"
#include "tests/support/folders.hpp"
#include "tests/unit/graph/loading.hpp"

namespace sluice::test {
namespace {

std::vector<std::string> blocks(const std::string& language) {
  std::ifstream file(tests::source_folder() / "docs/graph-format.md", std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  const std::string all = text.str();
  const std::string fence = "\n```" + language + "\n";
  std::vector<std::string> found;
  for (std::size_t at = all.find(fence); at != std::string::npos; at = all.find(fence, at)) {
    at += fence.size();
    found.push_back(all.substr(at, all.find("\n```", at) + 1 - at));
  }
  return found;
}

TEST(GraphFormatPage, every_graph_loads_and_is_laid_out) {
  const std::vector<std::string> all = blocks("json");
  ASSERT_EQ(all.size(), 4u);
  for (const std::string& text : all) {
    EXPECT_THAT(complaints(text), testing::IsEmpty()) << text;
    EXPECT_EQ(graph::format(text, "page").text, text);
  }
}

TEST(GraphFormatPage, every_expression_loads) {
  std::size_t count = 0;
  for (const std::string& block : blocks("text")) {
    std::stringstream lines_of(block);
    for (std::string line; std::getline(lines_of, line); ++count) {
      EXPECT_THAT(lines(graph::load_expression(line, graph_catalog(), text_options()).diagnostics),
                  testing::IsEmpty());
    }
  }
  EXPECT_EQ(count, 2u);
}

}  // namespace
}  // namespace sluice::test
