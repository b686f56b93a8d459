#include "tests/support/daemon.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "tests/support/folders.hpp"

namespace sluice::tests {

namespace fs = std::filesystem;

fs::path lab_program(const std::string& folder, const std::string& name) {
  fs::path path = source_folder() / "build" / "lab" / folder / "bin" / name;
  return fs::exists(path) ? path : fs::path();
}

size_t kill_isolated_nodes(pid_t host) {
  const auto content = [](const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return std::string{std::istreambuf_iterator<char>(file), {}};
  };
  size_t count = 0;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const pid_t id = std::atoi(entry.path().filename().c_str());
    if (id <= 0) continue;
    // proc(5): behind the name in brackets the state and the parent.
    const std::string stat = content(entry.path() / "stat");
    const size_t name_end = std::min(stat.rfind(')'), stat.size());
    if (stat.size() < name_end + 5 || std::atoi(stat.c_str() + name_end + 4) != host) continue;
    if (content(entry.path() / "cmdline").find("isolated-node") == std::string::npos) continue;
    kill(id, SIGKILL);
    ++count;
  }
  return count;
}

Daemon::Daemon(const fs::path& program, const std::vector<std::string>& arguments,
               const fs::path& folder, fs::path log)
    : log_(std::move(log)) {
  std::vector<std::string> words{program.string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log_.c_str(),
                                   O_WRONLY | O_CREAT | O_APPEND, 0644);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  const int failed =
      posix_spawn(&pid_, program.c_str(), &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) {
    ADD_FAILURE() << program << " cannot be started: " << std::strerror(failed);
    pid_ = -1;
  }
}

Daemon::~Daemon() { stop(SIGKILL); }

bool Daemon::is_running() {
  if (pid_ > 0 && waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = -1;
  return pid_ > 0;
}

void Daemon::signal(int number) const {
  if (pid_ > 0) kill(pid_, number);
}

void Daemon::stop(int number) {
  if (pid_ <= 0) return;
  kill(pid_, number);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::string Daemon::log() const {
  std::ifstream file(log_, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace sluice::tests
