// What the tests of source.tcp share.
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
inline constexpr int64_t kMs = 1'000'000;
inline constexpr int64_t kS = 1'000'000'000;

// Frame n holds n and -n.
inline std::vector<int16_t> counted(int from, int count) {
  std::vector<int16_t> samples;
  for (int i = from; i < from + count; ++i) {
    samples.push_back(static_cast<int16_t>(i));
    samples.push_back(static_cast<int16_t>(-i));
  }
  return samples;
}

inline std::string bytes_of(const std::vector<int16_t>& samples) {
  return {reinterpret_cast<const char*>(samples.data()), samples.size() * sizeof(int16_t)};
}

class SourceTcpFixture : public ::testing::Test {
 protected:
  void run() {
    ASSERT_TRUE(node_.prepare(kFormat));
    const support::Status status = node_.run();
    ASSERT_TRUE(status) << status.error().message;
    EXPECT_THAT(node_.violations(), ::testing::IsEmpty());
  }
  // Sends `bytes` cut into pieces of `piece` bytes, 1 ms apart, and leaves.
  void send_in_pieces(const std::string& bytes, size_t piece) {
    node_.at(kMs, [this] { sender_.connect(); });
    int64_t time_ns = kMs;
    for (size_t at = 0; at < bytes.size(); at += piece) {
      node_.at(time_ns += kMs, [this, part = bytes.substr(at, piece)] { sender_.push(part); });
    }
    node_.at(time_ns += kMs, [this] { sender_.finish(); });
    node_.set("until", "first-sender");
  }
  std::vector<uint32_t> mark_kinds() const {
    std::vector<uint32_t> kinds;
    for (const sluice_mark& mark : node_.marks()) kinds.push_back(mark.kind);
    return kinds;
  }

  WorkerDriver node_{"source.tcp"};
  SendingPeer sender_{node_}, second_{node_};
};

}  // namespace sluice::tests
