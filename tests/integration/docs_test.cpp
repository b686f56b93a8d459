// Every graph and every plugin printed in the documentation is checked, as a reader would who
// copies it into a file. docs_run_test.cpp runs them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "tests/integration/doc_blocks.hpp"
#include "tests/support/folders.hpp"
#include "tests/support/sound_files.hpp"

namespace sluice::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::Ge;
using ::testing::SizeIs;

const fs::path kSources = source_folder();

// Blocks of this language that contain `word`.
std::vector<DocBlock> blocks(const std::string& language, const std::string& word) {
  std::vector<DocBlock> found = doc_blocks();
  std::erase_if(found, [&](const DocBlock& block) {
    return block.language != language || block.text.find(word) == std::string::npos;
  });
  return found;
}

struct Outcome {
  int exit_code = -1;
  std::string output;
};

Outcome run(const std::string& command) {
  Outcome outcome;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (!pipe) return outcome;
  char part[4096];
  for (size_t size = 0; (size = std::fread(part, 1, sizeof(part), pipe)) != 0;) {
    outcome.output.append(part, size);
  }
  const int status = ::pclose(pipe);
  outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

std::string in_quotes(const fs::path& path) { return "'" + path.string() + "'"; }

void write(const fs::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
}

// Graphs name files as a reader sees them who stands in a copy of the repository.
TEST(Docs, Graph_printed_passes_check) {
  const std::vector<DocBlock> graphs = blocks("json", "\"nodes\"");
  ASSERT_THAT(graphs, SizeIs(Ge(5u)));
  TemporaryFolder folder;
  fs::copy(kSources / "graphs", folder / "graphs");
  for (const DocBlock& block : graphs) {
    write(folder / "page.json", block.text);
    const Outcome outcome = run(in_quotes(build_folder() / "bin" / "sluice") + " check " +
                                in_quotes(folder / "page.json"));
    EXPECT_EQ(outcome.exit_code, 0) << block.place << "\n" << outcome.output;
  }
}

TEST(Docs, Graph_shipped_passes_check) {
  size_t count = 0;
  for (const auto& entry : fs::directory_iterator(kSources / "graphs")) {
    if (entry.path().extension() != ".json") continue;
    ++count;
    const Outcome outcome =
        run(in_quotes(build_folder() / "bin" / "sluice") + " check " + in_quotes(entry.path()));
    EXPECT_EQ(outcome.exit_code, 0) << entry.path() << "\n" << outcome.output;
  }
  EXPECT_THAT(count, Ge(3u));
}

void expect_to_compile(const std::string& word, size_t least, const fs::path& includes) {
  const std::vector<DocBlock> sources = blocks("cpp", word);
  ASSERT_THAT(sources, SizeIs(Ge(least)));
  TemporaryFolder folder;
  for (const DocBlock& block : sources) {
    write(folder / "page.cpp", block.text);
    const Outcome outcome =
        run(in_quotes(SLUICE_TEST_CXX) + " -std=c++20 -fsyntax-only -Wall -Wextra -Werror -I " +
            in_quotes(kSources / "sdk" / "include") + " -I " + in_quotes(includes) + " " +
            in_quotes(folder / "page.cpp"));
    EXPECT_EQ(outcome.exit_code, 0) << block.place << "\n" << outcome.output;
  }
}

TEST(Docs, Plugin_printed_compiles) {
  expect_to_compile("SLUICE_PLUGIN(", 3, kSources / "sdk" / "include");
}

// It is for the tree, and may use what lies there.
TEST(Docs, Test_printed_compiles) { expect_to_compile("TEST(", 1, kSources); }

// No block is of a kind that nothing looks at. Data for other programs is not looked at.
TEST(Docs, Block_is_of_a_kind_that_is_tested) {
  const std::set<std::string> data{"text", "ini", "yaml", ""};
  const std::regex command(R"((^|\n)(sluice|scc|\./dev|systemctl|pactl|cmake) )");
  for (const DocBlock& block : doc_blocks()) {
    const std::string& text = block.text;
    const auto has = [&](const char* word) { return text.find(word) != std::string::npos; };
    if (data.contains(block.language)) {
      EXPECT_FALSE(std::regex_search(text, command)) << block.place << ": commands are sh";
    } else if (block.language == "cpp") {
      EXPECT_TRUE(has("SLUICE_PLUGIN(") || has("TEST(")) << block.place << ": not compiled";
    } else if (block.language == "json") {
      EXPECT_TRUE(has("\"nodes\"")) << block.place << ": no graph; say json fragment";
    } else if (block.language == "json fragment") {
      const bool is_whole = nlohmann::json::accept(text);
      EXPECT_TRUE(is_whole || nlohmann::json::accept("{" + text + "}")) << block.place;
    } else if (block.language == "cmake") {
      EXPECT_EQ(block.page, "docs/writing-a-plugin.md") << "only tests/sdk/page runs these";
    } else if (block.language == "curl") {
      EXPECT_EQ(block.page, "docs/control-api.md") << "only Web.Every_curl_... runs these";
    } else {
      EXPECT_EQ(block.language, "sh") << block.place;
    }
  }
}

// The README's table of nodes has all plugins of the repository and no others.
TEST(Docs, Readme_names_every_node) {
  std::ifstream file(kSources / "README.md");
  std::vector<std::string> named;
  for (std::string line; std::getline(file, line);) {
    for (const char* kind : {"| `source.", "| `filter.", "| `sink."}) {
      if (line.starts_with(kind)) named.push_back(line.substr(3, line.find('`', 3) - 3));
    }
  }
  std::vector<std::string> built;
  for (const auto& entry : fs::directory_iterator(plugin_folder())) {
    if (entry.path().extension() == ".so") built.push_back(entry.path().stem().string());
  }
  EXPECT_THAT(named, ::testing::UnorderedElementsAreArray(built));
}

// A link to a file of the repository leads somewhere.
TEST(Docs, Link_leads_to_a_file) {
  for (const fs::path& page : doc_pages()) {
    std::ifstream file(page);
    for (std::string line; std::getline(file, line);) {
      for (size_t at = line.find("]("); at != std::string::npos; at = line.find("](", at + 2)) {
        std::string target = line.substr(at + 2, line.find(')', at) - at - 2);
        target = target.substr(0, target.find('#'));
        if (target.empty() || target.find("://") != std::string::npos) continue;
        EXPECT_TRUE(fs::exists(page.parent_path() / target)) << page << ": " << target;
      }
    }
  }
}

}  // namespace
}  // namespace sluice::tests
