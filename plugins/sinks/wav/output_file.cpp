#include "plugins/sinks/wav/output_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace {

using sluice::Failure;

std::string system_reason() { return std::generic_category().message(errno); }

void refuse_what_is_no_file(const std::string& path, const struct stat& status) {
  if (S_ISREG(status.st_mode)) return;
  throw Failure{SLUICE_ERROR_ARGUMENT,
                S_ISDIR(status.st_mode)
                    ? "'" + path + "' is a folder; name a file in it."
                    : "'" + path + "' is a device or a pipe and is not written; name a file."};
}

Failure cannot_open(const std::string& path) {
  switch (errno) {
    case ENOENT:
    case ENOTDIR:
      return {SLUICE_ERROR_NOT_FOUND, "The folder for '" + path + "' does not exist; create it."};
    case EACCES:
    case EPERM:
    case EROFS:
      return {SLUICE_ERROR_PERMISSION,
              "'" + path + "' may not be written: " + system_reason() + "."};
    default:
      return {SLUICE_ERROR_IO, "'" + path + "' cannot be opened: " + system_reason() + "."};
  }
}

}  // namespace

OutputFile::OutputFile(const std::string& path) : path_(path) {
  struct stat status {};
  // Before opening, since that alone may rewind a tape or wake the reader of a pipe.
  if (stat(path.c_str(), &status) == 0) refuse_what_is_no_file(path, status);
  descriptor_ = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  is_created_ = descriptor_ >= 0;
  if (!is_created_ && errno == EEXIST) {
    descriptor_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  }
  if (descriptor_ < 0) throw cannot_open(path);
  if (flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    close(descriptor_);
    throw Failure{SLUICE_ERROR_STATE,
                  "'" + path + "' is in use by another node or program; name another file."};
  }
  if (fstat(descriptor_, &status) == 0) previous_bytes_ = static_cast<uint64_t>(status.st_size);
}

OutputFile::~OutputFile() {
  if (is_created_ && !has_begun_) unlink(path_.c_str());
  close(descriptor_);
}

void OutputFile::begin() {
  has_begun_ = true;
  reason_.clear();
  truncate(0);
}

size_t OutputFile::write_at(uint64_t offset, const void* data, size_t bytes) {
  if (has_failed() && offset + bytes > bytes_) return 0;
  const auto* from = static_cast<const char*>(data);
  size_t done = 0;
  while (done < bytes) {
    const ssize_t written =
        pwrite(descriptor_, from + done, bytes - done, static_cast<off_t>(offset + done));
    if (written > 0) {
      done += static_cast<size_t>(written);
    } else if (written == 0 || errno != EINTR) {
      reason_ = written == 0 ? "nothing could be written" : system_reason();
      break;
    }
  }
  bytes_ = std::max(bytes_, offset + done);
  return done;
}

void OutputFile::truncate(uint64_t bytes) {
  if (ftruncate(descriptor_, static_cast<off_t>(bytes)) == 0) bytes_ = bytes;
}

Failure OutputFile::failure(uint64_t frames) const {
  return {SLUICE_ERROR_IO, "Writing '" + path_ + "' failed after " + std::to_string(frames) +
                               " frames: " + reason_ + ". What was written can be played."};
}
