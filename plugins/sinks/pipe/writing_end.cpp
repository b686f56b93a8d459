#include "writing_end.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <ctime>
#include <sluice/sluice.hpp>
#include <system_error>
#include <utility>

namespace pipes {
namespace {

// One process has one standard output.
std::atomic<bool> is_standard_output_taken{false};

std::string reason(int error) { return std::generic_category().message(error); }

}  // namespace

NoPipeSignal::NoPipeSignal() {
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, &before_);
}

NoPipeSignal::~NoPipeSignal() {
  // What has come meanwhile is taken out before it could be delivered.
  if (sigismember(&before_, SIGPIPE) == 0) {
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    const timespec at_once{};
    while (sigtimedwait(&pipe, nullptr, &at_once) == SIGPIPE) {
    }
  }
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void WritingEnd::prepare(const std::string& path) {
  path_ = path;
  name_ = path.empty() ? "standard output" : path;
  if (path.empty()) {
    if (::isatty(STDOUT_FILENO)) {
      throw sluice::Failure{SLUICE_ERROR_ARGUMENT,
                            "Standard output is a terminal, which would show the samples as "
                            "letters; pipe it into a program or into a file."};
    }
    if (is_standard_output_taken.exchange(true)) {
      throw sluice::Failure{SLUICE_ERROR_ARGUMENT,
                            "Another node writes to standard output already; give `path` a FIFO."};
    }
    is_ours_ = true;
    return;
  }
  if (::mkfifo(path.c_str(), 0666) == 0) {
    is_ours_ = true;
    return;
  }
  if (errno != EEXIST) {
    throw sluice::Failure{SLUICE_ERROR_IO, path + " cannot be made a FIFO: " + reason(errno) + "."};
  }
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    throw sluice::Failure{SLUICE_ERROR_IO, path + " cannot be looked at: " + reason(errno) + "."};
  }
  if (!S_ISFIFO(status.st_mode)) {
    throw sluice::Failure{SLUICE_ERROR_ARGUMENT,
                          path + " is no FIFO; name one, or use sink.wav to write a file."};
  }
}

void WritingEnd::release() noexcept {
  close();
  if (!std::exchange(is_ours_, false)) return;
  if (is_standard_output()) {
    is_standard_output_taken = false;
  } else {
    ::unlink(path_.c_str());
  }
}

bool WritingEnd::open() {
  if (is_open()) return true;
  if (!is_standard_output()) {
    descriptor_ = ::open(path_.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor_ >= 0) return true;
    if (errno == ENXIO || errno == ENOENT || errno == EINTR) return false;
    throw sluice::Failure{errno == EACCES ? SLUICE_ERROR_PERMISSION : SLUICE_ERROR_IO,
                          path_ + " cannot be opened for writing: " + reason(errno) + "."};
  }
  struct stat status {};
  const bool is_known = ::fstat(STDOUT_FILENO, &status) == 0;
  if (is_known && S_ISFIFO(status.st_mode)) {
    // A description of our own: O_NONBLOCK must not reach others who hold this pipe.
    descriptor_ = ::open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor_ >= 0) return true;
  }
  descriptor_ = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  if (descriptor_ < 0) {
    throw sluice::Failure{SLUICE_ERROR_IO, "Standard output is closed; pipe it into a program."};
  }
  if (is_known && !S_ISREG(status.st_mode)) {
    const int flags = ::fcntl(descriptor_, F_GETFL);
    if (flags >= 0 && (flags & O_NONBLOCK) == 0) {
      flags_to_restore_ = flags;
      ::fcntl(descriptor_, F_SETFL, flags | O_NONBLOCK);
    }
  }
  return true;
}

void WritingEnd::close() noexcept {
  if (!is_open()) return;
  if (flags_to_restore_ >= 0) {
    ::fcntl(descriptor_, F_SETFL, std::exchange(flags_to_restore_, -1));
  }
  ::close(std::exchange(descriptor_, -1));
}

WritingEnd::Write WritingEnd::write(const void* data, size_t bytes, size_t& done) {
  const ssize_t written = ::write(descriptor_, data, bytes);
  done = written > 0 ? static_cast<size_t>(written) : 0;
  if (written >= 0) return Write::kSome;
  if (errno == EAGAIN || errno == EINTR) return Write::kFull;
  if (errno == EPIPE || errno == ECONNRESET) return Write::kGone;
  throw sluice::Failure{SLUICE_ERROR_IO, "Writing to " + name_ + " failed: " + reason(errno) + "."};
}

}  // namespace pipes
