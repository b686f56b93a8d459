#include "host/control/runtime_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <system_error>
#include <utility>

namespace sluice::control {
namespace {

namespace fs = std::filesystem;
using support::Error;
using support::ErrorCode;

bool answers(const fs::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string text = path.string();
  if (text.size() >= sizeof(address.sun_path)) return false;
  std::memcpy(address.sun_path, text.c_str(), text.size() + 1);
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return false;
  const int result =
      ::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  // A full queue of connections is somebody's too.
  const bool is_there = result == 0 || errno == EAGAIN;
  ::close(descriptor);
  return is_there;
}

}  // namespace

fs::path runtime_folder() {
  if (const char* folder = std::getenv("XDG_RUNTIME_DIR"); folder && *folder == '/') {
    return fs::path(folder) / "sluice";
  }
  if (::geteuid() == 0) return "/run/sluice";
  return "/tmp/sluice-" + std::to_string(::geteuid());
}

support::Result<fs::path> make_runtime_folder() {
  const fs::path folder = runtime_folder();
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return Error{ErrorCode::kPermission, "The folder for control sockets, " + folder.string() +
                                             ", cannot be made (" + std::strerror(errno) +
                                             "); set XDG_RUNTIME_DIR to a folder of your own."};
  }
  struct stat status {};
  const bool is_there = ::lstat(folder.c_str(), &status) == 0;
  if (!is_there || !S_ISDIR(status.st_mode) || status.st_uid != ::geteuid() ||
      (status.st_mode & 077) != 0) {
    return Error{ErrorCode::kPermission,
                 folder.string() +
                     " is not a folder that is yours alone; remove it, or set "
                     "XDG_RUNTIME_DIR to one that is."};
  }
  return folder;
}

fs::path socket_path(const std::string& graph) { return runtime_folder() / (graph + ".sock"); }

std::vector<std::string> running_graphs() {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(runtime_folder(), error)) {
    if (entry.path().extension() != ".sock" || !answers(entry.path())) continue;
    names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

support::Result<NameLock> NameLock::take(const std::string& graph) {
  const fs::path path = runtime_folder() / (graph + ".lock");
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) {
    return Error{ErrorCode::kPermission,
                 path.string() + " cannot be made: " + std::strerror(errno) + "."};
  }
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    std::array<char, 24> text{};
    const ssize_t size = ::pread(descriptor, text.data(), text.size() - 1, 0);
    int pid = 0;
    if (size > 0) std::from_chars(text.data(), text.data() + size, pid);
    ::close(descriptor);
    return Error{ErrorCode::kState, "A graph named " + graph + " runs already" +
                                        (pid == 0 ? "" : " (process " + std::to_string(pid) + ")") +
                                        "; end it, or give this one another \"name\"."};
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(descriptor, 0) == 0) {
    [[maybe_unused]] const ssize_t written = ::pwrite(descriptor, pid.data(), pid.size(), 0);
  }
  return NameLock(descriptor);
}

NameLock::NameLock(NameLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

NameLock::~NameLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace sluice::control
