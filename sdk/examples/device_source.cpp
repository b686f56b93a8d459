// A source that a device drives: here a thread with a clock stands for the sound card's callback.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <sluice/sluice.hpp>
#include <thread>
#include <vector>

namespace {

constexpr uint32_t kRateHz = 48'000;
constexpr uint32_t kPeriodFrames = 480;

class Device : public sluice::Device<Device> {
 public:
  static constexpr sluice::Info kInfo{"org.example.source.device", "Device",
                                      "Captures a ramp, a period at a time."};
  static constexpr sluice_format_offer kOffers[] = {
      sluice::offer({sizeof(sluice_format), SLUICE_SAMPLE_F32, 1, kRateHz})};
  // Its frames cannot wait, and come at the device's own pace.
  static constexpr sluice_port kPorts[] = {
      sluice::output("out", "What was captured.", kOffers, SLUICE_PORT_LIVE, SLUICE_CLOCK_DEVICE)};
  enum Statistic : uint32_t { kPeriods };
  static constexpr sluice_statistic kStatistics[] = {
      sluice::counter("periods", nullptr, "Periods that came from the device.")};

  void describe(uint32_t, const sluice_format*, sluice_port_info& info) {
    info.clock_id = "example-device";  // nodes with the same one need no bridge between them
  }
  void prepare(sluice::Setup&) { period_.resize(kPeriodFrames); }

  void start() {
    is_running_ = true;
    thread_ = std::thread([this] { call_back(); });
  }
  // No cycle is under way when it returns.
  void stop() noexcept {
    is_running_ = false;
    if (thread_.joinable()) thread_.join();
  }

 private:
  void call_back() {
    auto due = std::chrono::steady_clock::now();
    for (uint32_t at = 0; is_running_; at += kPeriodFrames) {
      due += std::chrono::milliseconds(10);
      std::this_thread::sleep_until(due);
      for (uint32_t i = 0; i < kPeriodFrames; ++i) {
        period_[i] = static_cast<float>((at + i) % kRateHz) / static_cast<float>(kRateHz) * 0.1f;
      }
      // One pointer for each output port; there is nothing to play.
      const void* const captured[] = {period_.data()};
      cycle({sizeof(sluice_cycle), kPeriodFrames, now_ns(), captured, nullptr});
      add(kPeriods);
    }
  }

  std::vector<float> period_;
  std::thread thread_;
  std::atomic<bool> is_running_{false};
};

}  // namespace

SLUICE_PLUGIN("Device", "1.0.0", "Example", "MIT", Device);
