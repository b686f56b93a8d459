#include "tests/integration/doc_blocks.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "tests/support/folders.hpp"

namespace sluice::tests {

namespace fs = std::filesystem;

std::vector<fs::path> doc_pages() {
  std::vector<fs::path> found{source_folder() / "README.md"};
  for (const auto& entry : fs::recursive_directory_iterator(source_folder() / "docs")) {
    if (entry.path().extension() == ".md") found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<DocBlock> doc_blocks() {
  std::vector<DocBlock> found;
  for (const fs::path& path : doc_pages()) {
    const std::string page = fs::relative(path, source_folder());
    std::ifstream file(path);
    bool is_inside = false;
    int line_number = 0;
    for (std::string line; std::getline(file, line);) {
      ++line_number;
      const size_t indent = std::min(line.find_first_not_of(' '), line.size());
      if (line.compare(indent, 3, "```") == 0) {
        if (!is_inside) {
          found.push_back(
              {page, page + ":" + std::to_string(line_number), line.substr(indent + 3), ""});
        }
        is_inside = !is_inside;
      } else if (is_inside) {
        found.back().text += line + "\n";
      }
    }
    EXPECT_FALSE(is_inside) << "the fence of " << found.back().place << " is not closed";
  }
  return found;
}

}  // namespace sluice::tests
