// README.md and what is below docs/: pages and their code blocks.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace sluice::tests {

std::vector<std::filesystem::path> doc_pages();

// What stands between "```language" and "```".
struct DocBlock {
  std::string page;      // below the sources, such as docs/devices.md
  std::string place;     // page:line of the fence
  std::string language;  // all that stands behind the fence
  std::string text;
};

// All of them, page by page; a fence that is not closed is a failure of the test.
std::vector<DocBlock> doc_blocks();

}  // namespace sluice::tests
