// Where tests find what is built and what lies in the source tree. [any]
#pragma once

#include <filesystem>

namespace sluice::tests {

// Functions, so that only one object file knows where it was built.
const std::filesystem::path& source_folder();
const std::filesystem::path& build_folder();  // bin/sluice is below it
const std::filesystem::path& plugin_folder();
const std::filesystem::path& bad_plugin_folder();

}  // namespace sluice::tests
