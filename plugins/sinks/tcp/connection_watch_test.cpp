#include "plugins/sinks/tcp/connection_watch.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

namespace sluice {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr uint64_t kChunkBytes = 1920;  // 10 ms
constexpr uint64_t kLeadBytes = 38'400;

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
  // Sends for `ms`, as much as is allowed; the program reads in lumps of `lump` bytes, if it reads.
  void send_for(int64_t ms, bool reads, uint64_t lump = 32'640) {
    for (const int64_t end_ns = now_ns_ + ms * kMs; now_ns_ < end_ns; now_ns_ += 10 * kMs) {
      due_ += kChunkBytes;
      if (!watch_.allows(handed_ + due_)) look();
      const uint64_t sent = std::min(due_, watch_.allowance(handed_, now_ns_));
      if (sent == 0) watch_.hold(now_ns_);
      if (sent > 0) watch_.note_handed(now_ns_);
      handed_ += sent;
      due_ -= sent;
      if (reads) unseen_ = std::min(unseen_ + kChunkBytes, handed_);
      if (unseen_ >= lump) window_end_ += std::exchange(unseen_, 0);
      if (now_ns_ % (250 * kMs) == 0) look();
    }
  }

  ConnectionWatch watch_{ConnectionWatch::limit_of(kChunkBytes, kLeadBytes), kChunkBytes};
  int64_t now_ns_ = 0;
  uint64_t handed_ = 0, due_ = 0, unseen_ = 0, window_end_ = 128'513;
};

TEST_F(ConnectionWatchTest, Program_reads_in_lumps_it_is_never_held_back) {
  for (int i = 0; i < 100; ++i) {
    send_for(100, true);
    ASSERT_EQ(due_, 0u) << i;
    ASSERT_FALSE(watch_.is_not_reading());
  }
}

TEST_F(ConnectionWatchTest, Program_never_reads_it_is_handed_64_KiB_and_named_within_2_s) {
  send_for(950, false);
  EXPECT_EQ(handed_, kLeadBytes + 65'536);
  EXPECT_TRUE(watch_.is_held());
  EXPECT_FALSE(watch_.is_not_reading());
  send_for(850, false);
  EXPECT_TRUE(watch_.is_not_reading());
  EXPECT_LE(handed_, kLeadBytes + 65'536 + kChunkBytes);
}

TEST_F(ConnectionWatchTest, Window_that_grows_by_itself_is_no_sign_of_reading) {
  for (int i = 0; i < 10; ++i) {
    const uint64_t before = handed_;
    send_for(100, false);
    if (handed_ > before) window_end_ += 1650;  // as Linux 6.18 does
  }
  EXPECT_LE(handed_, kLeadBytes + 65'536);
}

TEST_F(ConnectionWatchTest, Window_shrinks_under_small_chunks_the_reader_is_not_held_back) {
  // The first 43 KB that are read only make up for what the window lost.
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

TEST_F(ConnectionWatchTest, Held_peer_is_asked_for_its_probe_often_and_gets_it) {
  send_for(2000, false);
  ASSERT_TRUE(watch_.is_held());
  const uint64_t handed = handed_;
  for (int i = 0; i < 200; ++i) {
    now_ns_ += 10 * kMs;
    // Asking changes nothing.
    if (watch_.allowance(handed_, now_ns_) == 0) continue;
    EXPECT_EQ(watch_.allowance(handed_, now_ns_), kChunkBytes);
    handed_ += kChunkBytes;
    watch_.note_handed(now_ns_);
  }
  EXPECT_GE(handed_, handed + kChunkBytes);
  EXPECT_LE(handed_, handed + 3 * kChunkBytes);
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

TEST(ConnectionWatch, Limit_is_64_KiB_20_chunks_or_the_lead) {
  EXPECT_EQ(ConnectionWatch::limit_of(1920, 38'400), 65'536u);
  EXPECT_EQ(ConnectionWatch::limit_of(8192, 38'400), 163'840u);
  EXPECT_EQ(ConnectionWatch::limit_of(1920, 960'000), 960'000u);
}

}  // namespace
}  // namespace sluice
