#include "plugins/sinks/tcp/connection_watch.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace sluice {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr uint64_t kChunkBytes = 1920;  // 10 ms
constexpr uint64_t kLeadBytes = 38'400;
constexpr uint64_t kFrameBytes = 4;

// A kernel that acknowledges everything, and a program that reads or not.
class ConnectionWatchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    watch_.begin(0);
    handed_ = kLeadBytes;
    look();
  }
  void look() {
    sluice_stream_info info{};
    info.acknowledged_bytes = handed_;
    info.peer_window_bytes = static_cast<uint32_t>(window_end_ - handed_);
    watch_.look(info, handed_, false, now_ns_);
  }
  // Sends for `ms`, as much as is allowed; the program reads, if it does, what comes and frees it
  // in lumps of `lump` bytes.
  void send_for(int64_t ms, bool reads, uint64_t lump = 32'640) {
    for (const int64_t end_ns = now_ns_ + ms * kMs; now_ns_ < end_ns; now_ns_ += 10 * kMs) {
      due_ += kChunkBytes;
      if (!watch_.allows(handed_ + due_)) look();
      const uint64_t sent = std::min(due_, watch_.allowance(handed_, now_ns_));
      if (sent == 0) watch_.hold(now_ns_);
      if (sent > 0) watch_.note_handed(now_ns_);
      handed_ += sent;
      due_ -= sent;
      if (reads) {
        const uint64_t taken = std::min(kChunkBytes, handed_ - read_);
        read_ += taken;
        unseen_ += taken;
      }
      if (unseen_ >= lump) window_end_ += std::exchange(unseen_, 0);
      if (now_ns_ % (250 * kMs) == 0) look();
    }
  }

  ConnectionWatch watch_{ConnectionWatch::limits_of(kChunkBytes, kLeadBytes), kFrameBytes};
  int64_t now_ns_ = 0;
  uint64_t handed_ = 0, due_ = 0, read_ = 0, unseen_ = 0, window_end_ = 128'513;
};

TEST_F(ConnectionWatchTest,
       Network_that_delivers_nothing_is_not_taken_for_a_program_that_does_not_read) {
  sluice_stream_info info{};
  info.acknowledged_bytes = handed_;
  info.peer_window_bytes = 128'513;
  info.unsent_bytes = 64'000;
  for (; now_ns_ < 4000 * kMs; now_ns_ += 250 * kMs) {
    watch_.look(info, handed_ + info.unsent_bytes, true, now_ns_);
    EXPECT_FALSE(watch_.is_not_reading());
  }
  info.peer_window_bytes = 536;
  for (int i = 0; i < 5; ++i, now_ns_ += 250 * kMs) {
    watch_.look(info, handed_ + info.unsent_bytes, true, now_ns_);
  }
  EXPECT_TRUE(watch_.is_not_reading());
}

TEST_F(ConnectionWatchTest, Program_reads_in_lumps_it_keeps_half_its_lead_until_its_first_sign) {
  for (int i = 0; i < 100; ++i) {
    send_for(10, true);
    ASSERT_GE(handed_ - read_, kLeadBytes / 2) << i;
  }
  for (int i = 0; i < 100; ++i) {
    send_for(100, true);
    ASSERT_EQ(due_, 0u) << i;
    ASSERT_FALSE(watch_.is_held());
    ASSERT_FALSE(watch_.is_not_reading());
  }
}

TEST_F(ConnectionWatchTest, Program_never_reads_it_is_handed_64_KiB_in_all_and_named_within_2_s) {
  send_for(950, false);
  EXPECT_TRUE(watch_.is_held());
  EXPECT_FALSE(watch_.is_not_reading());
  EXPECT_GE(handed_, 64'000u);
  send_for(850, false);
  EXPECT_TRUE(watch_.is_not_reading());
  send_for(118'200, false);  // the longest write timeout
  EXPECT_LE(handed_, 65'536u);
}

TEST_F(ConnectionWatchTest, Program_stops_it_is_handed_64_KiB_since_its_last_sign_was_seen) {
  send_for(2000, true);
  look();
  const uint64_t handed = handed_;
  send_for(10'000, false);
  EXPECT_LE(handed_, handed + 65'536);
  EXPECT_TRUE(watch_.is_not_reading());
}

TEST_F(ConnectionWatchTest, Window_that_grows_by_itself_is_no_sign_of_reading) {
  for (int i = 0; i < 10; ++i) {
    const uint64_t before = handed_;
    send_for(10, false);
    if (handed_ > before) window_end_ += 1000;  // as Linux 6.18 does
  }
  send_for(900, false);
  EXPECT_LE(handed_, 65'536u);
}

TEST_F(ConnectionWatchTest, Window_shrinks_under_small_chunks_the_reader_is_not_held_back) {
  send_for(1000, true);
  // The next 43 KB that are read only make up for what the window lost.
  uint64_t lost = 43'000;
  for (int i = 0; i < 100; ++i) {
    const uint64_t before = window_end_;
    send_for(100, true);
    const uint64_t back = std::min(lost, window_end_ - before);
    window_end_ -= back;
    lost -= back;
    ASSERT_EQ(due_, 0u) << i;
  }
}

TEST_F(ConnectionWatchTest, Held_peer_gets_a_frame_each_20_ms_and_then_each_second) {
  send_for(150, false);
  ASSERT_TRUE(watch_.is_held());
  std::vector<int64_t> probes_ms;
  const int64_t start_ns = now_ns_;
  for (int i = 0; i < 3000; ++i) {
    now_ns_ += kMs;
    // Asking changes nothing.
    if (watch_.allowance(handed_, now_ns_) == 0) continue;
    ASSERT_EQ(watch_.allowance(handed_, now_ns_), kFrameBytes);
    handed_ += kFrameBytes;
    watch_.note_handed(now_ns_);
    probes_ms.push_back((now_ns_ - start_ns) / kMs);
  }
  ASSERT_GE(probes_ms.size(), 20u);
  EXPECT_EQ(probes_ms[10] - probes_ms[9], 20);
  EXPECT_EQ(probes_ms.back() - probes_ms[probes_ms.size() - 2], 1000);
}

TEST_F(ConnectionWatchTest, Program_stops_and_reads_again_it_is_seen_with_the_next_probe) {
  send_for(2000, true);
  send_for(3000, false);
  EXPECT_TRUE(watch_.is_not_reading());
  window_end_ += 60'000;
  due_ = 0;
  send_for(1300, true);
  EXPECT_FALSE(watch_.is_not_reading());
  EXPECT_FALSE(watch_.is_held());
}

TEST_F(ConnectionWatchTest, Nothing_is_sent_nothing_is_held_against_it) {
  for (int i = 0; i < 100; ++i) {
    now_ns_ += 1000 * kMs;
    look();
  }
  EXPECT_FALSE(watch_.is_not_reading());
}

TEST(ConnectionWatch, Limits_are_64_KiB_or_what_a_reader_needs) {
  const auto limits = ConnectionWatch::limits_of(1920, 38'400);
  EXPECT_EQ(limits.at_first, 65'536u);
  EXPECT_EQ(limits.later, 65'536u);
  EXPECT_EQ(ConnectionWatch::limits_of(8192, 38'400).later, 163'840u);
  EXPECT_EQ(ConnectionWatch::limits_of(16'384, 38'400).at_first, 87'552u);
  EXPECT_EQ(ConnectionWatch::limits_of(1920, 960'000).at_first, 1'440'000u);
  EXPECT_EQ(ConnectionWatch::limits_of(1920, 960'000).later, 960'000u);
}

}  // namespace
}  // namespace sluice
