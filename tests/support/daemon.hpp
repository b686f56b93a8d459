// A program of the lab (a server, a player) beside a test: what it says goes into a file.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace sluice::tests {

// A program unpacked below build/lab/FOLDER/bin; empty if the lab is not there.
std::filesystem::path lab_program(const std::string& folder, const std::string& name);

// Kills the processes in which `host` runs isolated nodes; how many they were.
size_t kill_isolated_nodes(pid_t host);

// Killed, and waited for, when it goes out of scope.
class Daemon {
 public:
  // Starts `program` (a path) with `arguments` in `folder`; output and errors are appended to
  // `log`.
  Daemon(const std::filesystem::path& program, const std::vector<std::string>& arguments,
         const std::filesystem::path& folder, std::filesystem::path log);
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon();

  bool is_running();
  void signal(int number) const;
  size_t kill_isolated() const { return kill_isolated_nodes(pid_); }
  // Sends the signal and waits for the end.
  void stop(int number);
  // What it has said so far.
  std::string log() const;

 private:
  std::filesystem::path log_;
  pid_t pid_ = -1;
};

}  // namespace sluice::tests
