// The ring under threads. Every frame says where it belongs, so a frame that was overwritten while
// it was read, lost without being counted or handed out twice is seen.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "tests/unit/engine/ring_support.hpp"

namespace sluice::engine {
namespace {

using test::fill_payload;
using test::make_ring;
using test::repetitions;
using test::wrong_frames;

std::uint64_t printed_seed() {
  const std::uint64_t seed = std::random_device{}();
  std::printf("[     SEED ] %llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

struct Account {
  std::uint64_t received = 0;
  std::uint64_t reported_lost = 0;
  std::uint64_t wrong = 0;
  std::uint64_t jumps = 0;  // positions that are not those of the last span, its end and the loss
  std::uint64_t silent = 0;
};

// Reads until everything up to `end` was seen or lost.
class Reader {
 public:
  Reader(Ring& ring, CursorPolicy policy, std::uint64_t seed, int laziness)
      : ring_(ring), random_(seed), laziness_(laziness) {
    EXPECT_EQ(cursor_.attach_behind(ring, 0, policy, random_() % ring.capacity_frames()),
              AttachStatus::kAttached);
    joined_ = cursor_.position();
  }

  void run(const std::atomic<bool>& finished) {
    std::uint64_t expected = joined_;
    for (;;) {
      const bool last = finished.load(std::memory_order_acquire);
      const ReadSpan span = cursor_.begin_read(static_cast<std::uint32_t>(1 + random_() % 300));
      if (span.frames == 0) {
        if (last) break;
        std::this_thread::yield();
        continue;
      }
      account_.jumps += span.position == expected + span.lost_frames ? 0 : 1;
      // A slow reader looks at its span again and again: nobody may write over it meanwhile.
      for (int i = 0; i <= laziness_; ++i) check(span);
      const auto used = static_cast<std::uint32_t>(1 + random_() % span.frames);
      account_.received += used;
      account_.reported_lost += span.lost_frames;
      expected = span.position + used;
      cursor_.end_read(used);
    }
    lost_ = cursor_.lost();
    passed_ = cursor_.position();
  }

  const Account& account() const { return account_; }
  std::uint64_t lost() const { return lost_; }
  std::uint64_t passed() const { return passed_; }

 private:
  void check(const ReadSpan& span) {
    account_.wrong += wrong_frames(span.data, span.position, span.frames, ring_.frame_bytes());
  }

  Ring& ring_;
  Cursor cursor_;
  std::mt19937_64 random_;
  int laziness_;
  std::uint64_t joined_ = 0;
  Account account_;
  std::uint64_t lost_ = 0;
  std::uint64_t passed_ = 0;
};

void write_until(Ring& ring, std::uint64_t frames, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  while (ring.written() < frames) {
    const std::uint64_t left = frames - ring.written();
    const WriteSpan span =
        ring.begin_write(static_cast<std::uint32_t>(std::min(left, 1 + random() % 200)));
    if (span.frames == 0) {
      std::this_thread::yield();
      continue;
    }
    fill_payload(span.data, span.position, span.frames, ring.frame_bytes());
    ring.end_write(static_cast<std::uint32_t>(1 + random() % span.frames));
  }
}

void run_crowd(std::uint32_t frame_bytes, std::uint64_t frames, std::uint64_t seed) {
  SCOPED_TRACE("frame_bytes " + std::to_string(frame_bytes) + ", seed " + std::to_string(seed));
  const auto ring = make_ring(frame_bytes, 1000);
  std::vector<std::unique_ptr<Reader>> readers;
  readers.push_back(std::make_unique<Reader>(*ring, CursorPolicy::kWait, seed + 1, 0));
  readers.push_back(std::make_unique<Reader>(*ring, CursorPolicy::kWait, seed + 2, 0));
  readers.push_back(std::make_unique<Reader>(*ring, CursorPolicy::kSkip, seed + 3, 3));
  readers.push_back(std::make_unique<Reader>(*ring, CursorPolicy::kSkip, seed + 4, 10));
  std::atomic<bool> finished{false};
  std::vector<std::thread> threads;
  for (const auto& reader : readers) {
    threads.emplace_back([&finished, it = reader.get()] { it->run(finished); });
  }
  write_until(*ring, frames, seed);
  finished.store(true, std::memory_order_release);
  for (std::thread& thread : threads) thread.join();

  for (std::size_t i = 0; i < readers.size(); ++i) {
    const Account& it = readers[i]->account();
    EXPECT_EQ(it.wrong, 0U) << "reader " << i;
    EXPECT_EQ(it.jumps, 0U) << "reader " << i;
    EXPECT_EQ(it.reported_lost, readers[i]->lost()) << "reader " << i;
    EXPECT_EQ(it.received + it.reported_lost, ring->written()) << "reader " << i;
    EXPECT_EQ(readers[i]->passed(), ring->written()) << "reader " << i;
  }
  EXPECT_EQ(readers[0]->lost() + readers[1]->lost(), 0U);
}

TEST(RingStressTest, Two_waiting_and_two_slow_skipping_readers_get_or_count_every_frame) {
  const std::uint64_t seed = printed_seed();
  for (const std::uint32_t frame_bytes : {1U, 3U, 8U, 24U}) {
    run_crowd(frame_bytes, repetitions(5'000'000, 25), seed);
  }
}

TEST(RingStressTest, Every_frame_size_gets_or_counts_every_frame) {
  const std::uint64_t seed = printed_seed();
  for (std::uint32_t frame_bytes = 1; frame_bytes <= 64; ++frame_bytes) {
    run_crowd(frame_bytes, repetitions(1'000'000, 100), seed + frame_bytes * 16);
  }
}

// A live writer that never waits: what it could not write is silence of exactly that length.
TEST(RingStressTest, Live_writer_drops_its_newest_and_stream_time_goes_on) {
  const std::uint64_t seed = printed_seed();
  const std::uint64_t frames = repetitions(20'000'000, 100);
  constexpr std::uint32_t kFrameBytes = 8;
  const auto ring = make_ring(kFrameBytes, 512);
  Cursor waits;
  ASSERT_EQ(waits.attach_behind(*ring, 0, CursorPolicy::kWait), AttachStatus::kAttached);
  Reader lazy(*ring, CursorPolicy::kSkip, seed, 0);
  std::atomic<bool> finished{false};
  std::uint64_t silent = 0;
  std::uint64_t received = 0;
  std::uint64_t wrong = 0;
  std::thread reader([&] {
    std::mt19937_64 random(seed + 1);
    const std::byte nothing[kFrameBytes] = {};
    for (;;) {
      const bool last = finished.load(std::memory_order_acquire);
      const ReadSpan span = waits.begin_read(static_cast<std::uint32_t>(1 + random() % 300));
      if (span.frames == 0 && last) break;
      for (std::uint32_t i = 0; i < span.frames; ++i) {
        const std::byte* frame = span.data + std::size_t{i} * kFrameBytes;
        if (std::memcmp(frame, nothing, kFrameBytes) == 0) {
          ++silent;
        } else {
          wrong += wrong_frames(frame, span.position + i, 1, kFrameBytes);
        }
      }
      received += span.frames;
      if (span.frames != 0) waits.end_read(span.frames);
    }
  });
  std::thread slow([&] { lazy.run(finished); });
  std::mt19937_64 random(seed + 2);
  while (ring->write_position() < frames) {
    const auto want = static_cast<std::uint32_t>(1 + random() % 200);
    const WriteSpan span = ring->begin_write(want);
    if (span.frames != 0) {
      fill_payload(span.data, span.position, span.frames, kFrameBytes);
      ring->end_write(span.frames);
    }
    if (span.frames == want) continue;
    if (random() % 16 == 0) ring->drop(want - span.frames);
    std::this_thread::yield();
  }
  while (ring->fill_drops() != 0) std::this_thread::yield();
  finished.store(true, std::memory_order_release);
  reader.join();
  slow.join();
  EXPECT_EQ(wrong, 0U);
  EXPECT_EQ(silent, ring->dropped());
  EXPECT_EQ(received, ring->written());
  EXPECT_EQ(ring->written(), ring->write_position());
  EXPECT_EQ(lazy.account().received + lazy.lost(), ring->written());
  std::printf("[          ] %llu of %llu frames dropped\n",
              static_cast<unsigned long long>(ring->dropped()),
              static_cast<unsigned long long>(ring->written()));
}

// 10 million attaches with SLUICE_STRESS=full.
TEST(RingStressTest, Attach_and_detach_under_a_running_writer_never_read_overwritten_frames) {
  const std::uint64_t seed = printed_seed();
  const std::uint64_t attaches = repetitions(10'000'000, 50);
  constexpr std::uint32_t kFrameBytes = 8;
  constexpr int kThreads = 2;
  const auto ring = make_ring(kFrameBytes, 512);
  const std::uint64_t capacity = ring->capacity_frames();
  std::atomic<bool> finished{false};

  struct Result {
    std::uint64_t attached = 0, overwritten = 0, received = 0, wrong = 0, misplaced = 0;
  };
  std::vector<Result> results(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(seed + static_cast<std::uint64_t>(t));
      Result it;
      Cursor cursor;
      while (it.attached < attaches / kThreads) {
        // A waiting cursor holds the writer up; that is not what is to be tested most.
        const CursorPolicy policy = random() % 8 == 0 ? CursorPolicy::kWait : CursorPolicy::kSkip;
        const std::uint64_t back = random() % (capacity + 50);
        if (random() % 2 == 0) {
          const std::uint64_t written = ring->written();
          const std::uint64_t position = written - std::min(written, back);
          if (cursor.attach_at(*ring, position, policy, back) != AttachStatus::kAttached) {
            ++it.overwritten;
            continue;
          }
          // A skip cursor may have been moved on already, but not before it was counted.
          it.misplaced += cursor.position() == position || policy == CursorPolicy::kSkip ? 0 : 1;
        } else if (cursor.attach_behind(*ring, back, policy, back) != AttachStatus::kAttached) {
          ++it.misplaced;
          continue;
        }
        ++it.attached;
        for (std::uint64_t reads = random() % 3; reads != 0; --reads) {
          const ReadSpan span = cursor.begin_read(static_cast<std::uint32_t>(random() % 64));
          it.wrong += wrong_frames(span.data, span.position, span.frames, kFrameBytes);
          it.received += span.frames;
          cursor.end_read(span.frames);
          if (span.frames != 0 && random() % 8 == 0 &&
              cursor.seek(span.position) == AttachStatus::kAttached) {
            it.misplaced +=
                cursor.position() == span.position || policy == CursorPolicy::kSkip ? 0 : 1;
          }
        }
        cursor.detach();
        if (it.attached % 512 == 0) std::this_thread::yield();
      }
      results[static_cast<std::size_t>(t)] = it;
    });
  }
  std::thread writer([&] {
    std::mt19937_64 random(seed + 100);
    while (!finished.load(std::memory_order_acquire)) {
      const WriteSpan span = ring->begin_write(static_cast<std::uint32_t>(1 + random() % 64));
      if (span.frames == 0) {
        std::this_thread::yield();
        continue;
      }
      fill_payload(span.data, span.position, span.frames, kFrameBytes);
      ring->end_write(span.frames);
    }
  });
  for (std::thread& thread : threads) thread.join();
  finished.store(true, std::memory_order_release);
  writer.join();

  Result all;
  for (const Result& it : results) {
    all.attached += it.attached;
    all.overwritten += it.overwritten;
    all.received += it.received;
    EXPECT_EQ(it.wrong, 0U);
    EXPECT_EQ(it.misplaced, 0U);
  }
  EXPECT_EQ(ring->cursor_count(), 0U);
  std::printf("[          ] %llu attached, %llu too late, %llu frames read of %llu written\n",
              static_cast<unsigned long long>(all.attached),
              static_cast<unsigned long long>(all.overwritten),
              static_cast<unsigned long long>(all.received),
              static_cast<unsigned long long>(ring->written()));
}

}  // namespace
}  // namespace sluice::engine
