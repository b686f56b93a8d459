// The line at the bottom of the terminal that shows a graph playing. [control]
#pragma once

#include <mutex>
#include <string>

#include "host/engine/snapshot.hpp"
#include "host/support/log.hpp"

namespace sluice::cli {

// The state of a graph in at most `columns` characters: time, levels where sound goes out, nodes
// that measure a level against a threshold, what bridges make up for, the largest latency, fill of
// each edge. Bars are ASCII unless `is_unicode`.
std::string status_line(const engine::Snapshot& snapshot, int64_t start_ns, size_t columns,
                        bool is_unicode);

// Keeps a status line under the log while it lives. On a terminal it is redrawn in place; elsewhere
// a line is printed now and then. Any thread may write to the log meanwhile.
class LiveLine final : public support::LogOutput {
 public:
  LiveLine();
  ~LiveLine() override;

  void show(const engine::Snapshot& snapshot, int64_t start_ns);
  // Removes the line.
  void clear();

  void write(const support::LogLine& line) override;
  void flush() override;

 private:
  void draw();
  void erase();

  const bool is_terminal_;
  const bool is_unicode_;
  std::mutex mutex_;  // for what is on the terminal: a line or none
  std::string line_;
  int64_t printed_at_s_ = -1;
  support::LogRedirect redirect_;
};

}  // namespace sluice::cli
