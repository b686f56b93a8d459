// Reading small files whole. [control], blocks on the file system.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "host/support/result.hpp"

namespace sluice::graph {

// The file's bytes. Looks at the size before it reads and never reads more than `limit_bytes` + 1,
// whatever kind of file it is. Error: a sentence that names `shown_name`, and the nearest file in
// the folder if there is no such file; kInvalid if it is larger than the limit.
support::Result<std::string> read_file(const std::filesystem::path& file,
                                       std::string_view shown_name, std::size_t limit_bytes);

// Why a file cannot be read (or written): a sentence; empty if it can. A file to be written need
// not exist, but its folder must.
std::string why_not_readable(const std::filesystem::path& file);
std::string why_not_writable(const std::filesystem::path& file);

}  // namespace sluice::graph
