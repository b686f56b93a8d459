#include "host/loader/probe.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "host/loader/library.hpp"
#include "host/loader/scan_cache.hpp"

extern "C" char** environ;

namespace sluice::loader {
namespace {

using std::chrono::steady_clock;

constexpr std::string_view kStart = "sluice probe 1\n";
constexpr std::size_t kMostBytes = std::size_t{16} << 20U;

// Every part is preceded by its length and a line feed; the first one is the content.
void add_part(std::string& answer, std::string_view part) {
  answer += fmt::format("{}\n{}", part.size(), part);
}

// Nothing while the answer is not complete: it ends with an empty sentence.
std::optional<Probed> parse(std::string_view answer) {
  if (!answer.starts_with(kStart)) return {};
  answer.remove_prefix(kStart.size());
  Probed probed;
  for (bool is_content = true;; is_content = false) {
    std::size_t bytes = 0;
    const auto [end, error] = std::from_chars(answer.data(), answer.data() + answer.size(), bytes);
    const auto digits = static_cast<std::size_t>(end - answer.data());
    if (error != std::errc() || digits >= answer.size() || answer[digits] != '\n') return {};
    answer.remove_prefix(digits + 1);
    if (bytes > answer.size()) return {};
    const std::string_view part = answer.substr(0, bytes);
    answer.remove_prefix(bytes);
    if (is_content) {
      probed.content = part;
    } else if (part.empty()) {
      return probed;
    } else {
      probed.sentences.emplace_back(part);
    }
  }
}

Probed refused(const std::filesystem::path& file, std::string_view why) {
  return {{}, {fmt::format("{} cannot be used: {}", file.string(), why)}};
}

// How a process ended that gave no answer.
std::string how_it_ended(int status) {
  constexpr std::string_view kRemedy = "Mend the plugin or remove it from the folder.";
  if (WIFSIGNALED(status)) {
    return fmt::format("loading it ends the process with SIG{} ({}). {}",
                       sigabbrev_np(WTERMSIG(status)), sigdescr_np(WTERMSIG(status)), kRemedy);
  }
  return fmt::format("loading it ends the process with exit code {}. {}", WEXITSTATUS(status),
                     kRemedy);
}

class Process {
 public:
  Process(const std::filesystem::path& program, const std::filesystem::path& file) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
      error_ = errno;
      return;
    }
    output_ = ends[0];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::string name = program, command = "probe-plugin", path = file;
    char* const arguments[] = {name.data(), command.data(), path.data(), nullptr};
    error_ = posix_spawn(&id_, program.c_str(), &actions, nullptr, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    if (error_ != 0) id_ = -1;
  }
  ~Process() {
    if (id_ > 0) {
      kill(id_, SIGKILL);
      wait();
    }
    if (output_ >= 0) ::close(output_);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  int error() const { return error_; }
  // Appends what it has written; false at its end, or when `deadline` has passed.
  bool read_until(steady_clock::time_point deadline, std::string& answer) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now()).count();
    pollfd item{output_, POLLIN, 0};
    const int ready = poll(&item, 1, left > 0 ? static_cast<int>(left) : 0);
    if (ready < 0 && errno == EINTR) return true;
    if (ready <= 0) return false;
    char buffer[65536];
    const ssize_t count = ::read(output_, buffer, sizeof(buffer));
    if (count > 0) answer.append(buffer, static_cast<std::size_t>(count));
    return count > 0 && answer.size() <= kMostBytes;
  }
  // Its status, as of waitpid.
  int wait() {
    int status = 0;
    while (waitpid(id_, &status, 0) < 0 && errno == EINTR) {
    }
    id_ = -1;
    return status;
  }

 private:
  pid_t id_ = -1;
  int output_ = -1;
  int error_ = 0;
};

}  // namespace

Probed probe(const std::filesystem::path& prober, const std::filesystem::path& file,
             std::chrono::milliseconds patience) {
  Process process(prober, file);
  if (process.error() != 0) {
    return refused(file, fmt::format("no process could be started to look at it: {}.",
                                     std::generic_category().message(process.error())));
  }
  const auto deadline = steady_clock::now() + patience;
  std::string answer;
  while (process.read_until(deadline, answer)) {
    if (auto probed = parse(answer)) return *std::move(probed);
  }
  if (steady_clock::now() >= deadline) {
    return refused(file, fmt::format("loading it has not ended after {} ms. Mend the plugin or "
                                     "remove it from the folder.",
                                     patience.count()));
  }
  return refused(file, how_it_ended(process.wait()));
}

void answer_probe(const std::filesystem::path& file) {
  // Nobody would read the core of a plugin that crashes, nor wait for one that hangs.
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int output = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  dup2(nowhere, STDOUT_FILENO);

  std::string answer(kStart);
  if (const auto library = Library::load(file); !library) {
    add_part(answer, "");
    add_part(answer, library.error().message);
  } else {
    add_part(answer, encode_types((*library)->abi_minor(), (*library)->types()));
    for (const std::string& defect : (*library)->defects()) add_part(answer, defect);
  }
  add_part(answer, "");
  std::string_view left = answer;
  while (!left.empty()) {
    const ssize_t count = ::write(output, left.data(), left.size());
    if (count < 0 && errno != EINTR) break;
    if (count > 0) left.remove_prefix(static_cast<std::size_t>(count));
  }
  _exit(0);
}

}  // namespace sluice::loader
