#include "tests/support/folders.hpp"

namespace sluice::tests {

const std::filesystem::path& source_folder() {
  static const std::filesystem::path folder = SLUICE_TEST_SOURCE_DIR;
  return folder;
}

const std::filesystem::path& build_folder() {
  static const std::filesystem::path folder = SLUICE_TEST_BUILD_DIR;
  return folder;
}

const std::filesystem::path& plugin_folder() {
  static const std::filesystem::path folder = SLUICE_TEST_PLUGIN_DIR;
  return folder;
}

const std::filesystem::path& bad_plugin_folder() {
  static const std::filesystem::path folder = SLUICE_TEST_BAD_PLUGIN_DIR;
  return folder;
}

}  // namespace sluice::tests
