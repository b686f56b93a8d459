// The reading end of a pipe: a FIFO in the file system or standard input, never blocking.
// [control, worker]
#pragma once

#include <cstddef>
#include <string>

namespace pipes {

class ReadingEnd {
 public:
  ReadingEnd() = default;
  ReadingEnd(const ReadingEnd&) = delete;
  ReadingEnd& operator=(const ReadingEnd&) = delete;
  ~ReadingEnd() { close(); }

  // `path` empty: standard input. Opens it; a FIFO needs no writer for that. Throws
  // sluice::Failure. [control]
  void prepare(const std::string& path);
  // [control]
  void release() noexcept;
  // After a writer has left: begins to wait for the next. Throws sluice::Failure.
  void reopen();

  // Nobody comes after the first to leave: standard input, or a file.
  bool has_one_writer() const { return !is_fifo_; }
  // "standard input", or the path.
  const std::string& name() const { return name_; }
  int descriptor() const { return descriptor_; }

  // kEnd: there is no writer, or no more in the file.
  enum class Read { kSome, kNothing, kEnd };
  // Reads what is there at once. Throws sluice::Failure if it cannot be read at all.
  Read read(void* data, size_t bytes, size_t& done);

 private:
  void open();
  void close() noexcept;

  std::string path_, name_;
  int descriptor_ = -1;
  int flags_to_restore_ = -1;  // of a description shared with others
  bool is_fifo_ = false;
  bool is_taken_ = false;  // standard input, by this one
};

}  // namespace pipes
