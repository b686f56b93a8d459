// A stream of PortAudio's that keeps its place in the graph, whatever becomes
// of the device.
//
// While the device runs, its callback runs the lane of the node. While it is
// absent or lost a thread of this stream's does, at the nominal rate: what is
// played then goes nowhere, and nothing is captured, but nobody else in the
// graph waits for it. PortAudio does not say that a device was unplugged (its
// callback is just not called any more), so a second thread watches, closes,
// and opens again what is back.
#pragma once

#include <sluice/plugin.h>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <sluice/ramp.hpp>
#include <string>
#include <thread>
#include <vector>

#include "plugins/devices/portaudio/port_audio.hpp"

namespace devices {

enum class State : uint8_t { kAbsent, kOpening, kRunning, kLost };

// What a stream tells the node it belongs to, from its own threads.
class Owner {
 public:
  virtual ~Owner() = default;
  // Runs the lane for `frames` frames. `captured` is null while there is
  // nothing; `played` is to be filled. One call at a time. [audio]
  virtual void run_lane(uint32_t frames, const void* captured, void* played) noexcept = 0;
  // In front of the first call of run_lane with a device, or with none. [audio]
  virtual void device_came() noexcept = 0;
  virtual void device_went() noexcept = 0;
  // `sentence` is for people; empty: nothing to say. [control]
  virtual void be(State state, const std::string& sentence) = 0;
  // What the device granted. [control]
  virtual void granted(const PaStreamInfo& info) = 0;
  // The device had too few frames of ours, or had to throw away some. [audio]
  virtual void note_xrun() noexcept = 0;
  // As it is now. [control]
  virtual double gain_db() const noexcept = 0;
};

struct StreamOptions {
  Direction direction = Direction::kPlayback;
  std::string device;  // see find()
  sluice_format format{};
  uint32_t buffer_frames = 512;
  double latency_ms = 0;              // beside a buffer; 0: another one
  std::vector<uint32_t> channel_map;  // for each channel of the format one of
                                      // the device, from 1 on
};

class DeviceStream {
 public:
  // The most frames that run_lane is called for at once. [control]
  static uint32_t most_frames(uint32_t buffer_frames) { return buffer_frames; }

  // [control]
  DeviceStream(Owner& owner, StreamOptions options);
  ~DeviceStream();
  DeviceStream(const DeviceStream&) = delete;
  DeviceStream& operator=(const DeviceStream&) = delete;

 private:
  // Who runs the lane.
  enum class Driver : uint8_t { kNobody, kDevice, kClock };

  static int callback(const void* input, void* output, unsigned long frames,
                      const PaStreamCallbackTimeInfo* time, PaStreamCallbackFlags flags,
                      void* stream);
  void run_device(const std::byte* input, std::byte* output, uint32_t frames) noexcept;
  void capture(const std::byte* input, uint32_t frames) noexcept;
  void play(std::byte* output, uint32_t frames) noexcept;

  void keep();
  void follow_clock();
  bool open();
  void refuse(const std::string& sentence);
  void close(bool plays_out);
  bool is_alive();
  const char* gone_sentence() const;
  void note_gain();
  bool rest(int milliseconds);
  void drive_by(Driver driver);
  std::string missing_sentence(const std::vector<Device>& found) const;
  std::string refusal(PaError error, const Device& device, uint32_t channels) const;

  Owner& owner_;
  const StreamOptions options_;
  const uint32_t frame_bytes_, sample_bytes_;
  uint32_t device_channels_ = 0;

  std::atomic<Driver> driver_{Driver::kNobody};
  std::atomic<bool> is_in_lane_{false};
  std::atomic<uint64_t> callbacks_{0};
  std::atomic<double> wanted_gain_{1};
  std::atomic<bool> is_new_{false};  // the driver is, and has not run the lane yet
  sluice::Ramp fade_, gain_;         // of whoever is in the lane
  bool has_been_away_ = false;       // likewise
  std::vector<std::byte> period_;    // likewise, in the graph's channels

  // The keeper's.
  std::unique_ptr<Session> session_;
  PaStream* stream_ = nullptr;
  bool was_running_ = false;
  double latency_s_ = 0;
  bool is_jack_ = false;  // the device that was found last
  uint64_t seen_callbacks_ = 0;
  int quiet_ms_ = 0;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool is_stopping_ = false;  // guarded by mutex_
  std::thread keeper_, clock_;
};

}  // namespace devices
