// The program itself, as people and scripts call it: started, fed with signals, and what it leaves.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/folders.hpp"
#include "tests/support/sound_files.hpp"

namespace sluice::tests {

using Words = std::vector<std::string>;

// The shipped graphs.
inline const std::string kGraphs = source_folder() / "graphs";

struct Ended {
  int exit_code = -1;  // 128 and the signal's number if one ended it
  std::string out, err;
};

// What is in a file; "" if there is none.
std::string content(const std::filesystem::path& path);
void write(const std::filesystem::path& path, std::string_view text);

// A TCP port of 127.0.0.1 that nobody listens on.
uint16_t free_port();

// A command while it runs: `input` to read, the C locale, a home and a current folder that are
// temporary. Killed if it is still there at the end.
class Running {
 public:
  Running(const std::filesystem::path& folder, const std::filesystem::path& home,
          const Words& words, const std::filesystem::path& input = "/dev/null");
  ~Running();
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  void signal(int number) const;
  // Kills the processes that it runs isolated nodes in; how many they were.
  size_t kill_isolated() const;
  // What it has written so far.
  const Ended& said() const { return ended_; }
  // Whether `condition` came true while the program ran.
  template <typename Condition>
  bool wait_until(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < end) {
      if (condition()) return true;
      if (!is_talking()) return condition();
      read_some(5);
    }
    return false;
  }
  Ended finish();

 private:
  static constexpr std::chrono::seconds kPatience{60};

  bool is_talking() const { return pipes_[0].fd >= 0 || pipes_[1].fd >= 0; }
  void read_some(int timeout_ms);

  pid_t pid_ = -1;
  pollfd pipes_[2] = {};
  Ended ended_;
};

// Commands run in a folder of their own.
class Cli : public ::testing::Test {
 protected:
  Cli();

  Ended sluice(const Words& words) const { return Running(work_, home_, words).finish(); }
  // What `sluice` prints; it must not fail.
  std::string output(const Words& words) const;
  // What the commands say against the graph `text`: each the same, with exit code 1 and no new
  // file.
  std::string refusal(std::string_view text, const Words& commands = {"run"}) const;
  std::string refusal_of(const Words& graph, const Words& commands = {"run"}) const;
  size_t files() const;
  static size_t lines(const std::string& text);

  const TemporaryFolder folder_;
  const std::filesystem::path work_ = folder_.path() / "work";
  const std::filesystem::path home_ = folder_.path() / "home";
};

}  // namespace sluice::tests
