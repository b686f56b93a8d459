// A PulseAudio, PipeWire or JACK of the lab beside a test: tests/lab/sound-server, without a sound
// card.
#pragma once

#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/daemon.hpp"

namespace sluice::tests {

class SoundServer {
 public:
  // Whether the lab has the programs; a test without them is skipped.
  static bool is_there();

  // `kind`: pulse, pipewire or jack; the outputs are null sinks. Everything of it lies in `folder`.
  // What this process starts from now on finds it by the environment. Not started yet.
  SoundServer(std::string kind, std::filesystem::path folder,
              std::vector<std::string> outputs = {"lab"});
  SoundServer(const SoundServer&) = delete;
  SoundServer& operator=(const SoundServer&) = delete;
  ~SoundServer();

  // Starts it and waits until it is there; a failure of the test if it does not come. What its
  // clients need beyond its address is in the environment then.
  void start();
  // Ends it without a word to its clients.
  void kill();
  // Sends a signal to its processes, such as SIGSTOP: it is there, and does not move.
  void signal(int number) const;

  // As clients take it.
  std::string address() const { return "unix:" + (folder_ / "socket").string(); }
  // Runs a program of the lab (pactl, pw-link, ...) to its end.
  void tell(const std::string& program, const std::vector<std::string>& words) const;
  // Plays a raw file of s16, stereo, 48000 Hz into an output (pulse, pipewire).
  std::unique_ptr<Daemon> play(const std::filesystem::path& raw, const std::string& output) const;
  std::string log() const;

 private:
  const std::string kind_;
  const std::filesystem::path folder_;
  const std::vector<std::string> outputs_;
  // JACK keeps what its servers share below names of its own, so one test at a time has one.
  int jack_lock_ = -1;
  std::unique_ptr<Daemon> daemon_;
};

}  // namespace sluice::tests
