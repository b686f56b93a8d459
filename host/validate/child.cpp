#include "host/validate/child.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <string_view>

#include "host/support/printable.hpp"
#include "host/support/thread.hpp"

namespace sluice::validate {
namespace {

using std::chrono::steady_clock;

// Outlives the child, so that the last words can be read.
struct LastWords {
  std::atomic<uint32_t> length{0};
  char text[1000];
};
LastWords* last_words = nullptr;
int report_pipe = -1;
int kept_output = -1;

// One line for each finding: a letter, its text. The line "E" says that nothing is missing.
void add_line(std::string& lines, char kind, std::string_view text) {
  lines += kind;
  for (const char c : text) lines += c == '\n' ? ' ' : c;
  lines += '\n';
}

[[noreturn]] void send_and_end(const Report& report) {
  std::string lines;
  for (const std::string& text : report.failures) add_line(lines, 'F', text);
  for (const std::string& text : report.notes) add_line(lines, 'N', text);
  if (!report.skipped.empty()) add_line(lines, 'S', report.skipped);
  add_line(lines, 'E', "");
  std::string_view left = lines;
  while (!left.empty()) {
    const ssize_t count = ::write(report_pipe, left.data(), left.size());
    if (count < 0 && errno != EINTR) break;
    if (count > 0) left.remove_prefix(static_cast<size_t>(count));
  }
  _exit(0);
}

[[noreturn]] void be_child(const std::function<void(Report&)>& body,
                           std::chrono::milliseconds patience) {
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  const auto seconds =
      static_cast<rlim_t>(std::chrono::ceil<std::chrono::seconds>(patience).count());
  const rlimit cpu{seconds, seconds + 1};
  setrlimit(RLIMIT_CPU, &cpu);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // A group of its own, so that what it starts ends with it.
  setpgid(0, 0);
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(nothing, STDIN_FILENO);
  kept_output = memfd_create("output", MFD_CLOEXEC);
  dup2(kept_output, STDOUT_FILENO);
  dup2(kept_output, STDERR_FILENO);
  // As the host's own threads run.
  support::set_flush_to_zero(true);

  Report report;
  body(report);
  send_and_end(report);
}

Report parse(std::string_view lines, bool& is_complete) {
  Report report;
  is_complete = false;
  while (!lines.empty()) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    const std::string text = support::printable(lines.substr(1, end == 0 ? 0 : end - 1));
    switch (lines.front()) {
      case 'F':
        report.failures.push_back(text);
        break;
      case 'N':
        report.notes.push_back(text);
        break;
      case 'S':
        report.skipped = text;
        break;
      default:
        is_complete = true;
    }
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return report;
}

std::string during() {
  const uint32_t length = last_words->length.load();
  if (length == 0) return "before anything was called";
  return "during " + support::printable(std::string_view(last_words->text, length));
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status) && WTERMSIG(status) != SIGXCPU) {
    return fmt::format("The process dies with SIG{} ({}) {}.", sigabbrev_np(WTERMSIG(status)),
                       sigdescr_np(WTERMSIG(status)), during());
  }
  if (WIFSIGNALED(status)) return fmt::format("It computes without end {}.", during());
  return fmt::format("The process ends with exit code {} {}.", WEXITSTATUS(status), during());
}

}  // namespace

void doing(const std::string& what) {
  if (!last_words) return;
  const size_t length = std::min(what.size(), sizeof(last_words->text));
  std::copy_n(what.data(), length, last_words->text);
  last_words->length.store(static_cast<uint32_t>(length));
}

void give_up(const std::set<std::string>& failures) {
  Report report;
  report.failures.assign(failures.begin(), failures.end());
  send_and_end(report);
}

size_t printed_bytes() {
  std::fflush(nullptr);
  struct stat status {};
  fstat(kept_output, &status);
  return static_cast<size_t>(status.st_size);
}

Report in_child(const std::function<void(Report&)>& body, std::chrono::milliseconds patience) {
  if (!last_words) {
    void* const shared =
        mmap(nullptr, sizeof(LastWords), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) return {{"There is no memory to start a check."}, {}, {}};
    last_words = new (shared) LastWords;
  }
  last_words->length.store(0);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return {{"There are no descriptors to start a check."}, {}, {}};
  std::fflush(nullptr);
  const pid_t id = fork();
  if (id < 0) {
    ::close(ends[0]);
    ::close(ends[1]);
    return {{"No process could be started for the check."}, {}, {}};
  }
  if (id == 0) {
    ::close(ends[0]);
    report_pipe = ends[1];
    be_child(body, patience);
  }
  ::close(ends[1]);
  const auto deadline = steady_clock::now() + patience;
  std::string lines;
  bool is_late = false;
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now()).count();
    pollfd item{ends[0], POLLIN, 0};
    const int ready = poll(&item, 1, left > 0 ? static_cast<int>(left) : 0);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      is_late = true;
      break;
    }
    char buffer[65536];
    const ssize_t count = ::read(ends[0], buffer, sizeof(buffer));
    if (count <= 0) break;
    lines.append(buffer, static_cast<size_t>(count));
    if (lines == "E\n" || lines.ends_with("\nE\n")) break;
  }
  ::close(ends[0]);
  bool is_complete = false;
  Report report = parse(lines, is_complete);
  const bool has_died = !is_late && !is_complete;
  kill(-id, SIGKILL);
  // One that has died already keeps its own status.
  if (!has_died) kill(id, SIGKILL);
  int status = 0;
  while (waitpid(id, &status, 0) < 0 && errno == EINTR) {
  }
  if (is_late) {
    report.failures.push_back(
        fmt::format("It has not come to an end after {} ms {}.", patience.count(), during()));
  } else if (has_died) {
    report.failures.push_back(how_it_ended(status));
  }
  return report;
}

}  // namespace sluice::validate
