#include "reading_end.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <sluice/sluice.hpp>
#include <system_error>
#include <utility>

namespace pipes {
namespace {

// One process has one standard input.
std::atomic<bool> is_standard_input_taken{false};

std::string reason(int error) { return std::generic_category().message(error); }

}  // namespace

void ReadingEnd::prepare(const std::string& path) {
  path_ = path;
  name_ = path.empty() ? "standard input" : path;
  is_fifo_ = false;
  if (!path.empty()) return open();
  if (::isatty(STDIN_FILENO)) {
    throw sluice::Failure{SLUICE_ERROR_ARGUMENT,
                          "Standard input is a terminal; pipe audio into it."};
  }
  if (is_standard_input_taken.exchange(true)) {
    throw sluice::Failure{SLUICE_ERROR_ARGUMENT,
                          "Another node reads standard input already; give `path` a FIFO."};
  }
  is_taken_ = true;
  open();
}

void ReadingEnd::release() noexcept {
  close();
  if (std::exchange(is_taken_, false)) is_standard_input_taken = false;
}

void ReadingEnd::reopen() {
  close();
  open();
}

void ReadingEnd::open() {
  struct stat status {};
  if (!path_.empty()) {
    descriptor_ = ::open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor_ < 0) {
      throw sluice::Failure{errno == EACCES ? SLUICE_ERROR_PERMISSION : SLUICE_ERROR_NOT_FOUND,
                            path_ + " cannot be read: " + reason(errno) + "."};
    }
    is_fifo_ = ::fstat(descriptor_, &status) == 0 && S_ISFIFO(status.st_mode);
    return;
  }
  const bool is_known = ::fstat(STDIN_FILENO, &status) == 0;
  if (is_known && S_ISFIFO(status.st_mode)) {
    // A description of our own: O_NONBLOCK must not reach others who hold this pipe.
    descriptor_ = ::open("/proc/self/fd/0", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor_ >= 0) return;
  }
  descriptor_ = ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
  if (descriptor_ < 0) {
    throw sluice::Failure{SLUICE_ERROR_IO, "Standard input is closed; pipe audio into it."};
  }
  if (is_known && !S_ISREG(status.st_mode)) {
    const int flags = ::fcntl(descriptor_, F_GETFL);
    if (flags >= 0 && (flags & O_NONBLOCK) == 0) {
      flags_to_restore_ = flags;
      ::fcntl(descriptor_, F_SETFL, flags | O_NONBLOCK);
    }
  }
}

void ReadingEnd::close() noexcept {
  if (descriptor_ < 0) return;
  if (flags_to_restore_ >= 0) {
    ::fcntl(descriptor_, F_SETFL, std::exchange(flags_to_restore_, -1));
  }
  ::close(std::exchange(descriptor_, -1));
}

ReadingEnd::Read ReadingEnd::read(void* data, size_t bytes, size_t& done) {
  const ssize_t got = ::read(descriptor_, data, bytes);
  done = got > 0 ? static_cast<size_t>(got) : 0;
  if (got > 0) return Read::kSome;
  if (got == 0 || errno == ECONNRESET) return Read::kEnd;
  if (errno == EAGAIN || errno == EINTR) return Read::kNothing;
  throw sluice::Failure{SLUICE_ERROR_IO, "Reading " + name_ + " failed: " + reason(errno) + "."};
}

}  // namespace pipes
