// Device types for tests: a capture, a playback and a duplex device, driven by a thread of their
// own in real time, or by whoever calls cycle() in virtual time.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <sluice/sluice.hpp>
#include <thread>
#include <vector>

namespace sluice::tests {

inline constexpr uint32_t kPeriodFrames = 240;

// Captures 1, 2, 3 ... and keeps what it plays.
template <typename T, bool kCaptures, bool kPlays>
class TestDevice : public Device<T> {
 public:
  // The one that was made last; for the test's driver.
  static inline T* newest = nullptr;

  void prepare(Setup& setup) {
    newest = static_cast<T*>(this);
    channels_ = setup.channels();
    capture_.resize(size_t{kPeriodFrames} * channels_);
    play_.resize(size_t{kPeriodFrames} * channels_);
    played.reserve(10'000'000);
  }
  void start() {
    if (!is_self_driven) return;
    is_running_ = true;
    thread_ = std::thread([this] {
      while (is_running_) {
        run_cycle();
        std::this_thread::sleep_for(std::chrono::microseconds(500));
      }
    });
  }
  void stop() noexcept {
    is_running_ = false;
    if (thread_.joinable()) thread_.join();
  }
  // One period, of the first channel alone.
  void run_cycle() {
    for (uint32_t i = 0; i < kPeriodFrames; ++i) {
      for (uint32_t c = 0; c < channels_; ++c) {
        capture_[size_t{i} * channels_ + c] = static_cast<float>(count_ + 1);
      }
      ++count_;
    }
    const void* captured[] = {capture_.data()};
    void* playing[] = {play_.data()};
    sluice_cycle period{sizeof(sluice_cycle), kPeriodFrames, this->now_ns(),
                        kCaptures ? captured : nullptr, kPlays ? playing : nullptr};
    this->cycle(period);
    if (kPlays) {
      for (uint32_t i = 0; i < kPeriodFrames; ++i) played.push_back(play_[size_t{i} * channels_]);
    }
    ++cycles;
  }

  static inline bool is_self_driven = true;
  std::vector<float> played;
  std::atomic<uint64_t> cycles{0};

 private:
  std::vector<float> capture_, play_;
  uint64_t count_ = 0;
  uint32_t channels_ = 1;
  std::atomic<bool> is_running_{false};
  std::thread thread_;
};

class TestCapture final : public TestDevice<TestCapture, true, false> {
 public:
  static constexpr Info kInfo{"test.capture", "Capture", "Captures numbers."};
  static constexpr sluice_port kPorts[] = {
      output("out", "Numbers.", kOfferF32, SLUICE_PORT_LIVE, SLUICE_CLOCK_DEVICE)};
};

class TestPlayback final : public TestDevice<TestPlayback, false, true> {
 public:
  static constexpr Info kInfo{"test.playback", "Playback", "Keeps what it plays."};
  static constexpr sluice_port kPorts[] = {
      input("in", "Audio.", kOfferF32, SLUICE_PORT_LIVE, SLUICE_CLOCK_DEVICE)};
};

class TestDuplex final : public TestDevice<TestDuplex, true, true> {
 public:
  static constexpr Info kInfo{"test.duplex", "Duplex", "Both at once."};
  static constexpr sluice_port kPorts[] = {
      input("in", "Audio.", kOfferF32, SLUICE_PORT_LIVE, SLUICE_CLOCK_DEVICE),
      output("out", "Numbers.", kOfferF32, SLUICE_PORT_LIVE, SLUICE_CLOCK_DEVICE)};
};

}  // namespace sluice::tests
