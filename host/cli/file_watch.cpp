#include "host/cli/file_watch.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace sluice::cli {
namespace {

namespace fs = std::filesystem;
using support::Error;
using support::ErrorCode;

// Folders are watched, not files: a file that is put in another's place is another file.
constexpr uint32_t kSaved = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ONLYDIR;

}  // namespace

support::Result<std::unique_ptr<FileWatch>> FileWatch::make(const std::vector<fs::path>& files) {
  const int descriptor = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (descriptor < 0) {
    return Error{ErrorCode::kNoMemory,
                 std::string("Files cannot be watched: ") + std::strerror(errno) +
                     "; raise fs.inotify.max_user_instances, or end a program that watches many."};
  }
  std::unique_ptr<FileWatch> watch(new FileWatch(descriptor));
  if (auto status = watch->watch(files); !status) return std::move(status).error();
  return watch;
}

FileWatch::~FileWatch() { ::close(descriptor_); }

support::Status FileWatch::watch(const std::vector<fs::path>& files) {
  std::map<int, std::set<std::string>> names;
  const auto add = [&](const fs::path& file) -> support::Status {
    const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
    // A folder that is watched already has the same number.
    const int number = ::inotify_add_watch(descriptor_, folder.c_str(), kSaved);
    if (number < 0) {
      return Error{ErrorCode::kIo,
                   folder.string() + " cannot be watched: " + std::strerror(errno) + "."};
    }
    names[number].insert(file.filename().string());
    return {};
  };
  for (const fs::path& file : files) {
    if (auto status = add(file); !status) return status;
    std::error_code error;
    const fs::path real = fs::canonical(file, error);
    if (error || real == file) continue;
    if (auto status = add(real); !status) return status;
  }
  for (const auto& [number, ignored] : names_) {
    if (!names.contains(number)) ::inotify_rm_watch(descriptor_, number);
  }
  names_ = std::move(names);
  return {};
}

bool FileWatch::has_news() {
  bool has_news = false;
  alignas(inotify_event) std::array<char, 4096> buffer;
  for (ssize_t size = 0; (size = ::read(descriptor_, buffer.data(), buffer.size())) > 0;) {
    for (const char* at = buffer.data(); at < buffer.data() + size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(at);
      at += sizeof(inotify_event) + event->len;
      if ((event->mask & IN_Q_OVERFLOW) != 0) has_news = true;
      const auto folder = names_.find(event->wd);
      if (folder == names_.end() || event->len == 0) continue;
      has_news |= folder->second.contains(event->name);
    }
  }
  return has_news;
}

}  // namespace sluice::cli
