#include "host/graph/file_text.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

#include "host/graph/nearest_name.hpp"
#include "host/graph/shown.hpp"

namespace sluice::graph {
namespace {

namespace fs = std::filesystem;
using support::Error;
using support::ErrorCode;

std::string system_message(int error) { return std::generic_category().message(error); }

// "; did you mean ...?" among the files that are there.
std::string nearest_file(const fs::path& file) {
  constexpr std::size_t kMaximumEntries = 4096;
  std::error_code ignored;
  std::vector<std::string> names;
  const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  for (fs::directory_iterator entry(folder, ignored), end; !ignored && entry != end;
       entry.increment(ignored)) {
    if (names.size() == kMaximumEntries) return {};
    names.push_back(entry->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return did_you_mean(file.filename().string(), {names.begin(), names.end()});
}

std::string no_such_file(const fs::path& file, std::string_view shown_name) {
  std::error_code ignored;
  const fs::path folder = file.parent_path();
  if (!folder.empty() && !fs::is_directory(folder, ignored)) {
    return "there is no folder " + shown(folder.string());
  }
  return "there is no file " + shown(shown_name) + nearest_file(file);
}

Error failed(int error, const fs::path& file, std::string_view shown_name) {
  if (error == ENOENT || error == ENOTDIR) {
    return {ErrorCode::kNotFound, no_such_file(file, shown_name)};
  }
  const ErrorCode code =
      error == EACCES || error == EPERM ? ErrorCode::kPermission : ErrorCode::kIo;
  return {code, shown(shown_name) + " cannot be read: " + system_message(error)};
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int number() const { return number_; }

 private:
  int number_;
};

}  // namespace

support::Result<std::string> read_file(const fs::path& file, std::string_view shown_name,
                                       std::size_t limit_bytes) {
  const auto too_large = [&] {
    const std::string limit = limit_bytes % (1u << 20) == 0
                                  ? std::to_string(limit_bytes >> 20) + " MiB"
                                  : std::to_string(limit_bytes >> 10) + " KiB";
    return Error{ErrorCode::kInvalid,
                 shown(shown_name) + " is larger than " + limit + ", the most that is read"};
  };
  const Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (descriptor.number() < 0) return failed(errno, file, shown_name);
  struct stat status {};
  if (::fstat(descriptor.number(), &status) != 0) return failed(errno, file, shown_name);
  if (S_ISDIR(status.st_mode)) {
    return Error{ErrorCode::kInvalid, shown(shown_name) + " is a folder; name a file in it"};
  }
  const auto size = static_cast<std::size_t>(std::max<off_t>(status.st_size, 0));
  if (size > limit_bytes) return too_large();
  constexpr std::size_t kChunkBytes = 65536;
  std::string text;
  text.reserve(size + kChunkBytes);
  while (true) {
    const std::size_t had = text.size();
    const std::size_t wanted =
        std::min(std::max(kChunkBytes, text.capacity() - had), limit_bytes + 1 - had);
    text.resize(had + wanted);
    const ssize_t got = ::read(descriptor.number(), text.data() + had, wanted);
    if (got < 0 && errno == EINTR) {
      text.resize(had);
      continue;
    }
    if (got < 0) return failed(errno, file, shown_name);
    text.resize(had + static_cast<std::size_t>(got));
    if (text.size() > limit_bytes) return too_large();
    if (got == 0) return text;
  }
}

std::string why_not_readable(const fs::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return failed(errno, file, file.string()).message;
  if (S_ISDIR(status.st_mode)) return shown(file.string()) + " is a folder; name a file in it";
  if (::access(file.c_str(), R_OK) != 0) return failed(errno, file, file.string()).message;
  return {};
}

std::string why_not_writable(const fs::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) return shown(file.string()) + " is a folder; name a file in it";
    if (::access(file.c_str(), W_OK) != 0) {
      return shown(file.string()) + " cannot be written: " + system_message(errno);
    }
    return {};
  }
  const fs::path folder = file.parent_path();
  if (::stat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    return "there is no folder " + shown(folder.string()) + "; create it first";
  }
  if (::access(folder.c_str(), W_OK) != 0) {
    return "nothing can be written to the folder " + shown(folder.string()) + ": " +
           system_message(errno);
  }
  return {};
}

}  // namespace sluice::graph
