// The writing end of a pipe: a FIFO in the file system or standard output, never blocking, and
// never the end of the process when the reader leaves. [control, worker]
#pragma once

#include <csignal>
#include <cstddef>
#include <string>

namespace pipes {

// While it lives, a reader that leaves is an error of write and no signal (SIGPIPE, which goes to
// the thread that writes).
class NoPipeSignal {
 public:
  NoPipeSignal();
  ~NoPipeSignal();
  NoPipeSignal(const NoPipeSignal&) = delete;
  NoPipeSignal& operator=(const NoPipeSignal&) = delete;

 private:
  sigset_t before_{};
};

class WritingEnd {
 public:
  WritingEnd() = default;
  WritingEnd(const WritingEnd&) = delete;
  WritingEnd& operator=(const WritingEnd&) = delete;
  ~WritingEnd() { close(); }

  // `path` empty: standard output. A path where nothing is becomes a FIFO, which is removed again
  // in the end. Throws sluice::Failure. [control]
  void prepare(const std::string& path);
  // Closes, and removes the FIFO if prepare made it. [control]
  void release() noexcept;

  bool is_standard_output() const { return path_.empty(); }
  // "standard output", or the path.
  const std::string& name() const { return name_; }

  // Whether somebody reads it now; may be asked again at any time.
  bool open();
  void close() noexcept;
  bool is_open() const { return descriptor_ >= 0; }
  int descriptor() const { return descriptor_; }

  enum class Write { kSome, kFull, kGone };
  // Writes what the pipe takes at once: `done` of `bytes`. kGone: the reader has left. Throws
  // sluice::Failure on anything else, such as a full disk behind standard output.
  Write write(const void* data, size_t bytes, size_t& done);

 private:
  std::string path_, name_;
  int descriptor_ = -1;
  int flags_to_restore_ = -1;  // of a description shared with others
  bool is_ours_ = false;       // the FIFO made, or standard output taken
};

}  // namespace pipes
