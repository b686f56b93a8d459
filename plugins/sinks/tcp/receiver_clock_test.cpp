#include "plugins/sinks/tcp/receiver_clock.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <random>

namespace sluice {
namespace {

constexpr int64_t kS = 1'000'000'000;
constexpr uint32_t kRateHz = 48000;

// A receiver that reads 20 ms at a time and frees its buffers in lumps of 17 chunks of 10 ms, seen
// through acknowledgements that come up to 40 ms late.
class Receiver {
 public:
  explicit Receiver(double ppm) : ratio_(1 + ppm * 1e-6) {}
  double frames(double at_s) {
    const double late_s = 0.04 * static_cast<double>(random_()) / 4294967295.0;
    const double read = std::floor((at_s - late_s) * ratio_ / 0.02) * 960;
    return std::floor(std::max(0.0, read) / 8160) * 8160 + added_;
  }
  void add(double frames) { added_ += frames; }
  double exact(double at_s) const { return at_s * ratio_ * kRateHz; }

 private:
  double ratio_;
  double added_ = 0;
  std::mt19937 random_{7};
};

class ReceiverClockTest : public ::testing::Test {
 protected:
  void watch(Receiver& receiver, int64_t from_s, int64_t to_s) {
    for (int64_t ns = from_s * kS; ns < to_s * kS; ns += kS / 100) {
      clock_.observe(ns, receiver.frames(static_cast<double>(ns) / 1e9));
    }
  }
  double ppm() const { return (clock_.ratio() - 1) * 1e6; }
  ReceiverClock clock_{kRateHz};
};

TEST_F(ReceiverClockTest, Nothing_is_said_before_three_minutes) {
  Receiver receiver(100);
  clock_.restart(0);
  watch(receiver, 0, 180);
  EXPECT_FALSE(clock_.is_measured());
  EXPECT_EQ(clock_.ratio(), 1);
  watch(receiver, 180, 191);
  EXPECT_TRUE(clock_.is_measured());
}

TEST_F(ReceiverClockTest, Rate_is_found_within_10_ppm_in_twenty_minutes) {
  for (const double ppm_true : {-200.0, -20.0, 0.0, 55.0, 200.0}) {
    clock_ = ReceiverClock(kRateHz);
    Receiver receiver(ppm_true);
    clock_.restart(0);
    watch(receiver, 0, 1200);
    EXPECT_NEAR(ppm(), ppm_true, 10);
    const double drift = clock_.drift_frames(1200 * kS) - clock_.drift_frames(0);
    EXPECT_NEAR(drift, 1200 * ppm_true * 1e-6 * kRateHz, 0.012 * kRateHz);
  }
}

TEST_F(ReceiverClockTest, Jumps_of_the_window_are_taken_out) {
  Receiver receiver(100);
  clock_.restart(0);
  watch(receiver, 0, 400);
  receiver.add(16'000);  // the buffer grew
  watch(receiver, 400, 600);
  receiver.add(-30'000);  // the receiver waited
  watch(receiver, 600, 1200);
  EXPECT_NEAR(ppm(), 100, 15);
  const double drift = clock_.drift_frames(1200 * kS) - clock_.drift_frames(0);
  EXPECT_NEAR(drift, 1200 * 100e-6 * kRateHz, 0.02 * kRateHz);
}

TEST_F(ReceiverClockTest, Another_connection_goes_on_with_the_ratio) {
  Receiver receiver(-150);
  clock_.restart(0);
  watch(receiver, 0, 1200);
  clock_.restart(2000 * kS);
  EXPECT_TRUE(clock_.is_measured());
  EXPECT_NEAR(ppm(), -150, 10);
  const double drift = clock_.drift_frames(2100 * kS) - clock_.drift_frames(2000 * kS);
  EXPECT_NEAR(drift, 100 * -150e-6 * kRateHz, 50);
}

TEST_F(ReceiverClockTest, What_no_clock_does_is_not_believed) {
  Receiver receiver(5000);
  clock_.restart(0);
  watch(receiver, 0, 600);
  EXPECT_LE(std::abs(ppm()), 1000);
}

}  // namespace
}  // namespace sluice
