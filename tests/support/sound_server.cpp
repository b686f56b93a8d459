#include "tests/support/sound_server.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <thread>
#include <utility>

#include "tests/support/folders.hpp"

namespace sluice::tests {

namespace fs = std::filesystem;

bool SoundServer::is_there() { return !lab_program("audio", "pulseaudio").empty(); }

SoundServer::SoundServer(std::string kind, fs::path folder, std::vector<std::string> outputs)
    : kind_(std::move(kind)), folder_(std::move(folder)), outputs_(std::move(outputs)) {
  fs::create_directories(folder_);
  setenv("PULSE_COOKIE", (folder_ / "cookie").c_str(), 1);
  if (kind_ == "jack") {
    jack_lock_ = ::open((fs::temp_directory_path() / "sluice-test-jack.lock").c_str(),
                        O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    ::flock(jack_lock_, LOCK_EX);
    setenv("JACK_DEFAULT_SERVER", folder_.filename().c_str(), 1);
    setenv("JACK_NO_START_SERVER", "1", 1);
    unsetenv("ALSA_CONFIG_PATH");
    return;
  }
  setenv("PULSE_SERVER", address().c_str(), 1);
  setenv("ALSA_CONFIG_PATH", (folder_ / "alsa.conf").c_str(), 1);
}

SoundServer::~SoundServer() {
  kill();
  if (jack_lock_ >= 0) ::close(jack_lock_);
}

void SoundServer::start() {
  const fs::path ready = folder_ / "ready";
  std::error_code ignored;
  fs::remove(ready, ignored);
  std::vector<std::string> words{kind_, folder_.string()};
  words.insert(words.end(), outputs_.begin(), outputs_.end());
  daemon_ = std::make_unique<Daemon>(source_folder() / "tests" / "lab" / "sound-server", words,
                                     folder_, folder_ / "server.log");
  while (!fs::exists(ready) && daemon_->is_running()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ASSERT_TRUE(fs::exists(ready)) << log();
  std::ifstream environment(folder_ / "environment");
  for (std::string line; std::getline(environment, line);) {
    const size_t at = line.find('=');
    setenv(line.substr(0, at).c_str(), line.substr(at + 1).c_str(), 1);
  }
}

void SoundServer::kill() {
  // Its programs first, while their parent can reap them: JACK takes a zombie for a server that
  // runs.
  signal(SIGKILL);
  for (int i = 0; i < 400 && daemon_ && daemon_->is_running(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  daemon_.reset();
}

void SoundServer::signal(int number) const {
  std::ifstream pids(folder_ / "pids");
  for (pid_t pid = 0; pids >> pid;) ::kill(pid, number);
}

void SoundServer::tell(const std::string& program, const std::vector<std::string>& words) const {
  Daemon command(lab_program("audio", program), words, folder_, folder_ / "commands.log");
  while (command.is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

std::unique_ptr<Daemon> SoundServer::play(const fs::path& raw, const std::string& output) const {
  return std::make_unique<Daemon>(
      lab_program("audio", "paplay"),
      std::vector<std::string>{"--raw", "--format=s16le", "--rate=48000", "--channels=2",
                               "--device=" + output, raw.string()},
      folder_, folder_ / "commands.log");
}

std::string SoundServer::log() const {
  std::string text;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    if (entry.path().extension() != ".log") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    text += entry.path().filename().string() + ":\n";
    text.append(std::istreambuf_iterator<char>(file), {});
  }
  return text;
}

}  // namespace sluice::tests
