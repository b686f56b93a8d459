#include "tests/unit/graph/loading.hpp"

#include <stdlib.h>

#include <fstream>
#include <stdexcept>

namespace sluice::test {

Folder::Folder() {
  std::string name = (std::filesystem::temp_directory_path() / "sluice-graph-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no folder for the test");
  path_ = std::filesystem::canonical(name);
}

Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::filesystem::path Folder::write(const std::string& name, const std::string& text) const {
  const std::filesystem::path file = path_ / name;
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
  return file;
}

}  // namespace sluice::test
