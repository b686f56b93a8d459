#include "host/support/log.hpp"

#include <fmt/format.h>
#include <spdlog/details/log_msg.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <mutex>

#include "host/support/printable.hpp"

namespace sluice::support {
namespace {

std::atomic<LogLevel> least_level{LogLevel::kInfo};

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kDebug:
      return spdlog::level::debug;
  }
  return spdlog::level::info;
}

LogLevel from_spdlog(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::err:
      return LogLevel::kError;
    case spdlog::level::warn:
      return LogLevel::kWarning;
    case spdlog::level::debug:
      return LogLevel::kDebug;
    default:
      return LogLevel::kInfo;
  }
}

class StderrOutput final : public LogOutput {
 public:
  void write(const LogLine& line) override { write_to_stderr(line); }
};

// Turns spdlog's messages into lines and hands them, one at a time, to the output of the moment.
class LineSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit LineSink(LogOutput& output)
      : base_sink(std::make_unique<spdlog::pattern_formatter>(
            "%H:%M:%S.%e", spdlog::pattern_time_type::local, "")),
        output_(&output) {}

  LogOutput* exchange_output(LogOutput* output) {
    const std::lock_guard lock(mutex_);
    return std::exchange(output_, output);
  }

 protected:
  // The logger's name carries the node.
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::string node(message.logger_name.data(), message.logger_name.size());
    const std::string sentence = printable({message.payload.data(), message.payload.size()});
    spdlog::memory_buf_t time;
    formatter_->format(message, time);
    const LogLevel level = from_spdlog(message.level);
    std::string text =
        fmt::format("{} {:<7} ", std::string_view(time.data(), time.size()), name_of(level));
    if (!node.empty()) text += printable(node) + ": ";
    text += sentence;
    output_->write({level, node, sentence, text});
  }
  void flush_() override { output_->flush(); }

 private:
  LogOutput* output_;
};

// Never destroyed: a plugin's or a test's destructor may log after main.
LineSink& line_sink() {
  static auto* const output = new StderrOutput;
  static auto* const sink = new LineSink(*output);
  return *sink;
}

// Of syslog(3).
int syslog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return 3;
    case LogLevel::kWarning:
      return 4;
    case LogLevel::kInfo:
      return 6;
    case LogLevel::kDebug:
      break;
  }
  return 7;
}

bool is_colour_wanted() {
  if (isatty(STDERR_FILENO) == 0) return false;
  const char* const no_color = std::getenv("NO_COLOR");  // https://no-color.org
  if (no_color != nullptr && *no_color != '\0') return false;
  const char* const term = std::getenv("TERM");
  return term != nullptr && std::string_view(term) != "dumb";
}

bool is_for_journal() {
  static const bool is_journal = is_stderr_the_journal();
  return is_journal;
}

void write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR) return;
    if (written > 0) bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return "error";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kDebug:
      return "debug";
  }
  return "unknown";
}

void set_log_level(LogLevel least) { least_level.store(least, std::memory_order_relaxed); }
LogLevel log_level() { return least_level.load(std::memory_order_relaxed); }

void log(LogLevel level, std::string_view node, std::string_view sentence) {
  if (level > log_level()) return;
  const spdlog::string_view_t name(node.data(), node.size());
  const spdlog::string_view_t payload(sentence.data(), sentence.size());
  line_sink().log(spdlog::details::log_msg(name, to_spdlog(level), payload));
}

void log_error(std::string_view sentence) { log(LogLevel::kError, {}, sentence); }
void log_warning(std::string_view sentence) { log(LogLevel::kWarning, {}, sentence); }
void log_info(std::string_view sentence) { log(LogLevel::kInfo, {}, sentence); }
void log_debug(std::string_view sentence) { log(LogLevel::kDebug, {}, sentence); }

void flush_log() { line_sink().flush(); }

void write_to_stderr(const LogLine& line) {
  std::string bytes;
  if (is_for_journal()) {
    bytes = fmt::format("<{}>{}{}{}\n", syslog_level(line.level), printable(line.node),
                        line.node.empty() ? "" : ": ", line.sentence);
  } else if (line.level <= LogLevel::kWarning && is_colour_wanted()) {
    const char* const colour = line.level == LogLevel::kError ? "\033[31m" : "\033[33m";
    bytes = fmt::format("{}{}\033[0m\n", colour, line.text);
  } else {
    bytes = fmt::format("{}\n", line.text);
  }
  write_all(bytes);
}

void tell(LogLevel level, std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  std::string bytes;
  for (bool is_more = true; is_more;) {
    const size_t end = text.find('\n');
    is_more = end != std::string_view::npos;
    if (is_for_journal()) bytes += fmt::format("<{}>", syslog_level(level));
    bytes.append(text.substr(0, end)).append("\n");
    if (is_more) text.remove_prefix(end + 1);
  }
  write_all(bytes);
}

void tell_error(std::string_view sentence) {
  tell(LogLevel::kError,
       is_for_journal() ? std::string(sentence) : fmt::format("sluice: {}", sentence));
}

bool is_stderr_the_journal() {
  const char* const stream = std::getenv("JOURNAL_STREAM");
  struct stat status {};
  if (!stream || ::fstat(STDERR_FILENO, &status) != 0) return false;
  return stream == fmt::format("{}:{}", status.st_dev, status.st_ino);
}

LogRedirect::LogRedirect(LogOutput& output) : before_(line_sink().exchange_output(&output)) {}
LogRedirect::~LogRedirect() { line_sink().exchange_output(before_); }

bool LogOnChange::log(LogLevel level, std::string_view sentence) {
  if (is_set_ && last_ == sentence) return false;
  last_ = sentence;
  is_set_ = true;
  support::log(level, node_, sentence);
  return true;
}

bool LogSeldom::log(LogLevel level, std::string_view sentence, int64_t now_ns) {
  if (now_ns < next_ns_) {
    ++left_out_;
    return false;
  }
  next_ns_ = now_ns + interval_ns_;
  if (left_out_ == 0) {
    support::log(level, node_, sentence);
  } else {
    support::log(level, node_, fmt::format("{} ({} such lines left out)", sentence, left_out_));
    left_out_ = 0;
  }
  return true;
}

}  // namespace sluice::support
