// Notices that somebody has saved one of a few files: by writing into it, or by putting another in
// its place, as editors do. [control]
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "host/support/result.hpp"

namespace sluice::cli {

class FileWatch {
 public:
  // Error: the system has no watch left (fs.inotify.max_user_instances), or a folder is not there.
  static support::Result<std::unique_ptr<FileWatch>> make(
      const std::vector<std::filesystem::path>& files);
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;
  ~FileWatch();

  // Watches these from now on. A link is followed: it and what it leads to are watched.
  support::Status watch(const std::vector<std::filesystem::path>& files);

  // Something was saved since it was last asked. Does not wait.
  bool has_news();

 private:
  explicit FileWatch(int descriptor) : descriptor_(descriptor) {}

  const int descriptor_;
  // By the number of the folder's watch: the names that count in it.
  std::map<int, std::set<std::string>> names_;
};

}  // namespace sluice::cli
