// Another program at the end of a TCP connection or a FIFO, for tests of graphs that run.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>

namespace sluice::tests {

// On a thread of its own it sends a tone without end at the pace of a sound card, or keeps what it
// gets. [control]
class TonePeer {
 public:
  static constexpr double kFrequencyHz = 1000, kPeakDb = -12;  // s16, stereo, 48000 Hz
  enum class Habit : uint8_t { kSends, kReceives };

  // Listens on a free port of 127.0.0.1.
  explicit TonePeer(Habit habit);
  // Connects to that port of 127.0.0.1, again and again.
  TonePeer(Habit habit, uint16_t port);
  // Reads what comes out of a FIFO, which it makes.
  explicit TonePeer(const std::filesystem::path& fifo);
  TonePeer(const TonePeer&) = delete;
  TonePeer& operator=(const TonePeer&) = delete;
  ~TonePeer();

  uint16_t port() const { return port_; }
  // Bytes it got that are not zero.
  size_t heard() const { return heard_; }
  // Whether there are 50 ms of the tone in what it got since the last call, or `forget`.
  bool has_tone();
  void forget();

  // The tone for so long, as its bytes.
  static std::string tone(double seconds);

 private:
  void start();
  void turn();
  void meet();
  void send_some();
  void receive_some();
  void leave();

  const Habit habit_;
  uint16_t port_ = 0;
  int listener_ = -1, end_ = -1;
  bool is_fifo_ = false;
  std::chrono::steady_clock::time_point since_{};
  uint64_t sent_bytes_ = 0;
  std::atomic<size_t> heard_{0};
  std::mutex mutex_;
  std::string received_;  // and not looked at yet; under the mutex
  std::atomic<bool> is_over_{false};
  std::thread thread_;
};

}  // namespace sluice::tests
