// What the tests of sink.tcp share.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <sluice/sluice.hpp>
#include <string>
#include <vector>

#include "tests/support/net_peers.hpp"

namespace sluice::tests {

inline constexpr sluice_format kFormat{sizeof(sluice_format), SLUICE_SAMPLE_S16, 2, 48000};
inline constexpr uint32_t kFrameBytes = 4;
inline constexpr int64_t kMs = 1'000'000;
inline constexpr int64_t kS = 1'000'000'000;
inline constexpr const char* kServer = "127.0.0.1";
inline constexpr uint64_t kFadeFrames = 1440;  // 30 ms

// Frame n holds n modulo 65536 and n / 65536.
inline std::vector<int16_t> counted(uint64_t from, uint64_t count) {
  std::vector<int16_t> samples;
  for (uint64_t i = from; i < from + count; ++i) {
    samples.push_back(static_cast<int16_t>(i));
    samples.push_back(static_cast<int16_t>(i >> 16));
  }
  return samples;
}
inline uint64_t number_of(const std::vector<int16_t>& samples, size_t frame) {
  return static_cast<uint16_t>(samples[2 * frame]) |
         uint64_t{static_cast<uint16_t>(samples[2 * frame + 1])} << 16;
}
// Where frames that fade in first began.
inline uint64_t first_of_faded(const std::vector<int16_t>& samples) {
  return number_of(samples, kFadeFrames) - kFadeFrames;
}
// `samples` without their first `frames` frames.
inline std::vector<int16_t> behind(const std::vector<int16_t>& samples, size_t frames) {
  return {samples.begin() + static_cast<std::ptrdiff_t>(2 * frames), samples.end()};
}

// A sink.tcp in virtual time with a server on its network that listens when told to.
class SinkTcpFixture : public ::testing::Test {
 protected:
  void prepare() {
    if (is_prepared_) return;
    is_prepared_ = true;
    ASSERT_TRUE(node_.prepare(kFormat));
  }
  void run() {
    prepare();
    const support::Status status = node_.run();
    ASSERT_TRUE(status) << status.error().message;
    EXPECT_THAT(node_.violations(), ::testing::IsEmpty());
  }
  void feed(uint64_t frames) {
    prepare();
    node_.feed(counted(fed_, frames));
    fed_ += frames;
  }
  // As a live source does: 10 ms every 10 ms.
  void feed_live(int64_t from_ms, int64_t to_ms) {
    for (int64_t ms = from_ms; ms < to_ms; ms += 10) {
      node_.at(ms * kMs, [this] { feed(480); });
    }
  }
  uint64_t frames_at(const ReceivingPeer::Session& session, int64_t at_ns) const {
    uint64_t frames = 0;
    for (const auto& arrival : session.arrivals) {
      if (arrival.at_ns <= at_ns) frames = arrival.end / kFrameBytes;
    }
    return frames;
  }

  WorkerDriver node_{"sink.tcp"};
  ReceivingPeer server_{node_};
  uint64_t fed_ = 0;
  bool is_prepared_ = false;
};

}  // namespace sluice::tests
