// A file to be written, guarded against losing what a person did not mean to lose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <sluice/sluice.hpp>
#include <string>

// Not thread safe. Every function may block on the disk. [control, worker]
class OutputFile {
 public:
  // Opens or creates the file and keeps other writers and source.wav away from it, but changes
  // nothing in it yet. Throws sluice::Failure with a sentence: no such folder, not permitted, a
  // folder, a device or a pipe in its place, in use.
  explicit OutputFile(const std::string& path);
  // Removes the file if it was created here and begin() was never called.
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  const std::string& path() const { return path_; }
  // Length of what begin() will throw away; 0 if nothing.
  uint64_t previous_bytes() const { return previous_bytes_; }

  // Empties the file.
  void begin();

  // Writes at byte `offset`, at most at the end of the file. Returns how much could be written; if
  // that is not everything, reason() says why, and every later write that would make the file
  // longer fails too.
  size_t write_at(uint64_t offset, const void* data, size_t bytes);
  // Gives up what lies beyond.
  void truncate(uint64_t bytes);

  uint64_t bytes() const { return bytes_; }
  bool has_failed() const { return !reason_.empty(); }
  const std::string& reason() const { return reason_; }

  // The failure of a node whose file cannot go on after `frames` frames.
  sluice::Failure failure(uint64_t frames) const;

 private:
  std::string path_;
  int descriptor_ = -1;
  bool is_created_ = false, has_begun_ = false;
  uint64_t previous_bytes_ = 0;
  uint64_t bytes_ = 0;
  std::string reason_;
};
