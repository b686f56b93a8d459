#include "tests/integration/cli_fixture.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "tests/support/daemon.hpp"
#include "tests/support/folders.hpp"

extern "C" char** environ;

namespace sluice::tests {

namespace fs = std::filesystem;
using ::testing::IsEmpty;

namespace {

const std::string kProgram = build_folder() / "bin/sluice";

}  // namespace

std::string content(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write(const fs::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

uint16_t free_port() {
  const int probe = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  const bool is_found = bind(probe, any, size) == 0 && getsockname(probe, any, &size) == 0;
  EXPECT_TRUE(is_found);
  close(probe);
  return ntohs(address.sin_port);
}

Running::Running(const fs::path& folder, const fs::path& home, const Words& words,
                 const fs::path& input) {
  std::vector<char*> arguments{const_cast<char*>(kProgram.c_str())};
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  std::vector<std::string> variables{"LC_ALL=C", "HOME=" + home.string(),
                                     "XDG_CACHE_HOME=" + (home / "cache").string(),
                                     "XDG_RUNTIME_DIR=" + home.string()};
  for (char** variable = environ; *variable; ++variable) {
    const std::string_view text = *variable;
    if (text.starts_with("LC_") || text.starts_with("HOME=") ||
        text.starts_with("XDG_CACHE_HOME=") || text.starts_with("XDG_RUNTIME_DIR=") ||
        text.starts_with("SLUICE_")) {
      continue;
    }
    variables.emplace_back(text);
  }
  std::vector<char*> environment;
  for (std::string& variable : variables) environment.push_back(variable.data());
  environment.push_back(nullptr);

  int out[2];
  int err[2];
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) std::abort();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, input.c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
  posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  const int failed =
      posix_spawn(&pid_, kProgram.c_str(), &actions, nullptr, arguments.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  close(out[1]);
  close(err[1]);
  pipes_[0] = {out[0], POLLIN, 0};
  pipes_[1] = {err[0], POLLIN, 0};
  if (failed) {
    ADD_FAILURE() << kProgram << " cannot be started";
    pid_ = -1;
  }
}

Running::~Running() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  for (const pollfd& pipe : pipes_) {
    if (pipe.fd >= 0) close(pipe.fd);
  }
}

void Running::signal(int number) const {
  if (pid_ > 0) kill(pid_, number);
}

size_t Running::kill_isolated() const { return kill_isolated_nodes(pid_); }

void Running::read_some(int timeout_ms) {
  if (poll(pipes_, 2, timeout_ms) <= 0) return;
  for (size_t i = 0; i < 2; ++i) {
    if (pipes_[i].fd < 0 || pipes_[i].revents == 0) continue;
    char buffer[65536];
    const ssize_t count = read(pipes_[i].fd, buffer, sizeof(buffer));
    if (count > 0) {
      (i == 0 ? ended_.out : ended_.err).append(buffer, static_cast<size_t>(count));
    } else {
      close(pipes_[i].fd);
      pipes_[i].fd = -1;
    }
  }
}

Ended Running::finish() {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (is_talking() && std::chrono::steady_clock::now() < end) read_some(100);
  if (is_talking()) {
    ADD_FAILURE() << "still running:\n" << ended_.out << ended_.err;
    kill(pid_, SIGKILL);
  }
  int status = 0;
  if (pid_ > 0 && waitpid(pid_, &status, 0) == pid_) {
    ended_.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  pid_ = -1;
  return ended_;
}

Cli::Cli() {
  fs::create_directory(work_);
  fs::create_directory(home_);
}

std::string Cli::output(const Words& words) const {
  const Ended ended = sluice(words);
  EXPECT_EQ(ended.exit_code, 0) << ::testing::PrintToString(words) << "\n" << ended.err;
  return ended.out;
}

std::string Cli::refusal(std::string_view text, const Words& commands) const {
  write(work_ / "g.json", text);
  return refusal_of({"g.json"}, commands);
}

std::string Cli::refusal_of(const Words& graph, const Words& commands) const {
  const size_t files_before = files();
  std::string first;
  for (const std::string& command : commands) {
    Words words{command, "-q"};
    words.insert(words.end(), graph.begin(), graph.end());
    const Ended ended = sluice(words);
    EXPECT_EQ(ended.exit_code, 1) << command << "\n" << ended.err;
    EXPECT_THAT(ended.out, IsEmpty()) << command;
    if (first.empty()) first = ended.err;
    EXPECT_EQ(ended.err, first) << command;
  }
  EXPECT_EQ(files(), files_before) << "something was started";
  return first;
}

size_t Cli::files() const {
  return static_cast<size_t>(std::distance(fs::directory_iterator(work_), {}));
}

size_t Cli::lines(const std::string& text) {
  return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace sluice::tests
