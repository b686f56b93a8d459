// Programs that a benchmark runs: found on the PATH, started quietly, ended, their cost read.
#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace sluice::bench {

using Words = std::vector<std::string>;

// Where this benchmark lies, and sluice beside it.
inline std::filesystem::path bin_folder() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path();
}

inline bool is_on_path(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::string folders = path ? path : "";
  for (size_t at = 0; at <= folders.size();) {
    const size_t end = std::min(folders.find(':', at), folders.size());
    if (access((folders.substr(at, end - at) + "/" + program).c_str(), X_OK) == 0) return true;
    at = end + 1;
  }
  return false;
}

// SLUICE_BENCH_SECONDS, how long a measured program runs; 60 by default.
inline double running_seconds() {
  const char* wish = std::getenv("SLUICE_BENCH_SECONDS");
  return wish ? std::atof(wish) : 60.0;
}

// A program under way; its output goes nowhere. Killed with this object.
class Process {
 public:
  explicit Process(const Words& words) {
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    for (const int descriptor : {0, 1, 2}) {
      posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0);
    }
    if (posix_spawnp(&pid_, arguments[0], &actions, nullptr, arguments.data(), environ) != 0) {
      std::fprintf(stderr, "cannot start %s\n", arguments[0]);
      std::exit(1);
    }
    posix_spawn_file_actions_destroy(&actions);
  }
  ~Process() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      end();
    }
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Proportional set size in KiB, now.
  double pss_kib() const {
    std::ifstream rollup("/proc/" + std::to_string(pid_) + "/smaps_rollup");
    for (std::string line; std::getline(rollup, line);) {
      if (line.starts_with("Pss:")) return std::atof(line.c_str() + 4);
    }
    return 0.0;
  }
  // CPU seconds used so far, of all threads, in steps of 10 ms (proc(5), utime and stime).
  double cpu_seconds() const {
    std::ifstream stat("/proc/" + std::to_string(pid_) + "/stat");
    std::string text;
    std::getline(stat, text);
    // Behind the name, which may hold anything; utime is the 12th field from there.
    size_t at = text.rfind(')');
    for (int i = 0; i < 12 && at != std::string::npos; ++i) at = text.find(' ', at + 1);
    if (at == std::string::npos) return 0.0;
    const double user = std::atof(text.c_str() + at);
    const double system = std::atof(text.c_str() + text.find(' ', at + 1));
    return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
  }
  void interrupt() const { kill(pid_, SIGINT); }
  // Waits for the end and returns the CPU seconds used.
  double end() {
    int status = 0;
    rusage usage{};
    wait4(std::exchange(pid_, -1), &status, 0, &usage);
    has_failed_ = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    const auto seconds = [](const timeval& time) {
      return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }
  bool has_failed() const { return has_failed_; }

 private:
  pid_t pid_ = -1;
  bool has_failed_ = false;
};

// A socket that listens on a port of its own at 127.0.0.1.
struct Listener {
  explicit Listener(int backlog) : descriptor(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address);
    listen(descriptor, backlog);
    socklen_t size = sizeof address;
    getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
  }
  ~Listener() { close(descriptor); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  int descriptor;
  uint16_t port = 0;
};

// A stereo WAV at 48 kHz, float or 16 bits, of noise, so that nobody can take a short cut.
inline void make_wav(const std::filesystem::path& path, uint32_t seconds, bool is_float) {
  constexpr uint32_t kRateHz = 48'000;
  const uint32_t sample_bytes = is_float ? 4 : 2;
  const uint32_t bytes_a_second = kRateHz * 2 * sample_bytes;
  std::ofstream file(path, std::ios::binary);
  const auto number = [&](uint32_t value, int size) {
    file.write(reinterpret_cast<const char*>(&value), size);
  };
  file << "RIFF";
  number(36 + seconds * bytes_a_second, 4);
  file << "WAVEfmt ";
  number(16, 4);
  number(is_float ? 3 : 1, 2);
  number(2, 2);
  number(kRateHz, 4);
  number(bytes_a_second, 4);
  number(2 * sample_bytes, 2);
  number(8 * sample_bytes, 2);
  file << "data";
  number(seconds * bytes_a_second, 4);
  uint32_t state = 1;
  const auto noise = [&] { return state = state * 1664525U + 1013904223U; };
  std::vector<float> floats(is_float ? 2 * kRateHz : 0);
  std::vector<uint32_t> frames(is_float ? 0 : kRateHz);
  for (uint32_t second = 0; second < seconds; ++second) {
    for (float& sample : floats) {
      sample = static_cast<float>(static_cast<int32_t>(noise())) * 0x1p-33F;
    }
    for (uint32_t& frame : frames) frame = noise();
    const void* data = is_float ? static_cast<const void*>(floats.data()) : frames.data();
    file.write(static_cast<const char*>(data), bytes_a_second);
  }
}

}  // namespace sluice::bench
