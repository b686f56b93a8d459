// The log: one line for one thing that happened, on stderr unless told otherwise.
//
// A line is `12:34:56.789 warning gate: sentence`; lines of the host itself have no node. Whatever
// is not printable UTF-8 in a sentence (control characters, escape sequences, broken bytes) is made
// visible instead of being sent to the terminal.
//
// Thread class: [control, worker] for everything here; never in an audio call (it locks, allocates
// and writes). Usable before main and after it: nothing here is destroyed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::support {

// Values as in SLUICE_LOG_*.
enum class LogLevel : uint32_t { kError = 1, kWarning, kInfo, kDebug };

// "error", "warning", "info", "debug".
std::string_view name_of(LogLevel level);

// The least important level that is written; kInfo to begin with. kWarning is --quiet, kDebug
// --verbose. [any]
void set_log_level(LogLevel least);
LogLevel log_level();

// `node` is the id of the node concerned; empty for the host.
void log(LogLevel level, std::string_view node, std::string_view sentence);
void log_error(std::string_view sentence);
void log_warning(std::string_view sentence);
void log_info(std::string_view sentence);
void log_debug(std::string_view sentence);

// Returns when every line is with the output. Called before the program ends or aborts.
void flush_log();

struct LogLine {
  LogLevel level = LogLevel::kInfo;
  std::string_view node;
  std::string_view sentence;  // printable
  std::string_view text;      // the whole line, without a line feed
};

// Where lines go. One call at a time, never from two threads at once. Must not log.
class LogOutput {
 public:
  virtual ~LogOutput() = default;
  virtual void write(const LogLine& line) = 0;
  virtual void flush() {}
};

// Writes the line to stderr in one write call, coloured where that is a terminal (NO_COLOR and
// TERM=dumb are heeded); where that is the journal, without the time and with the level as it wants
// it. For outputs that add to it, as one that keeps a status line at the bottom
// of the terminal.
void write_to_stderr(const LogLine& line);

// Whether stderr is the journal (JOURNAL_STREAM, systemd.exec(5)): it has times of its own, and
// takes a line's level from its beginning (sd-daemon(3)).
bool is_stderr_the_journal();

// Text for whoever started the program, on standard error as it is; for the journal each line with
// the level. Not through the log, and so not subject to its level. [control]
void tell(LogLevel level, std::string_view text);
// The same of one sentence, after the program's name, which the journal knows.
void tell_error(std::string_view sentence);

// Sends lines to `output` instead for its lifetime, then to where they went before. `output` must
// outlive it. Nests; destroy in the opposite order.
class LogRedirect {
 public:
  explicit LogRedirect(LogOutput& output);
  ~LogRedirect();
  LogRedirect(const LogRedirect&) = delete;
  LogRedirect& operator=(const LogRedirect&) = delete;

 private:
  LogOutput* const before_;
};

// Logs a sentence when it differs from the one before: once per change of state. Not thread safe.
class LogOnChange {
 public:
  explicit LogOnChange(std::string node = {}) : node_(std::move(node)) {}
  // Returns whether the sentence was new.
  bool log(LogLevel level, std::string_view sentence);
  // The next sentence is new again.
  void reset() { is_set_ = false; }

 private:
  std::string node_;
  std::string last_;
  bool is_set_ = false;
};

// Logs at most once in `interval_ns`; the line that comes after a pause says how many were left
// out. Time is given by the caller, so that virtual time works. Not thread safe.
class LogSeldom {
 public:
  explicit LogSeldom(int64_t interval_ns, std::string node = {})
      : interval_ns_(interval_ns), node_(std::move(node)) {}
  // Returns whether the sentence was written.
  bool log(LogLevel level, std::string_view sentence, int64_t now_ns);

 private:
  const int64_t interval_ns_;
  std::string node_;
  int64_t next_ns_ = INT64_MIN;
  uint64_t left_out_ = 0;
};

}  // namespace sluice::support
