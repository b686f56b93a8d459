#include <fcntl.h>
#include <gtest/gtest.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <thread>

#include "host/engine/ring/bell.hpp"
#include "tests/unit/engine/ring_support.hpp"

namespace sluice::engine {
namespace {

using Woken = Bell::Woken;

std::int64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
}

// Far enough that reaching it means that a wake-up was lost.
std::int64_t never_ns() { return now_ns() + std::int64_t{60'000'000'000}; }

class Pipe {
 public:
  Pipe() { EXPECT_EQ(pipe2(ends_.data(), O_CLOEXEC), 0); }
  ~Pipe() {
    close(ends_[0]);
    close(ends_[1]);
  }
  int read_end() const { return ends_[0]; }
  void send() { EXPECT_EQ(write(ends_[1], "x", 1), 1); }

 private:
  std::array<int, 2> ends_{-1, -1};
};

TEST(BellTest, Ring_between_prepare_and_wait_is_not_lost) {
  Bell bell;
  const auto ticket = bell.prepare_wait();
  bell.ring_if_waiting();
  EXPECT_EQ(bell.wait(ticket, never_ns()), Woken::kRung);
}

TEST(BellTest, Unconditional_ring_ends_a_wait_that_is_being_prepared) {
  Bell bell;
  ASSERT_TRUE(bell.prepare_descriptors());
  auto ticket = bell.prepare_wait();
  bell.ring();
  EXPECT_EQ(bell.wait(ticket, never_ns()), Woken::kRung);
  ticket = bell.prepare_wait_descriptors();
  bell.ring();
  EXPECT_EQ(bell.wait_descriptors(ticket, {}, never_ns()), Woken::kRung);
}

TEST(BellTest, Ring_before_prepare_is_news_of_the_past) {
  Bell bell;
  bell.ring();
  bell.ring_if_waiting();
  const auto ticket = bell.prepare_wait();
  const std::int64_t deadline = now_ns() + 1'000'000;
  EXPECT_EQ(bell.wait(ticket, deadline), Woken::kDeadline);
  EXPECT_GE(now_ns(), deadline) << "CLOCK_MONOTONIC has reached the deadline";
}

TEST(BellTest, Deadline_in_the_past_returns_at_once) {
  Bell bell;
  ASSERT_TRUE(bell.prepare_descriptors());
  for (const std::int64_t deadline : {std::int64_t{-5}, std::int64_t{0}, std::int64_t{1}}) {
    EXPECT_EQ(bell.wait(bell.prepare_wait(), deadline), Woken::kDeadline);
    EXPECT_EQ(bell.wait_descriptors(bell.prepare_wait_descriptors(), {}, deadline),
              Woken::kDeadline);
  }
}

TEST(BellTest, Descriptor_wait_ends_at_its_deadline_and_not_before) {
  Bell bell;
  ASSERT_TRUE(bell.prepare_descriptors());
  Pipe pipe;
  std::array<pollfd, 1> polled{{{pipe.read_end(), POLLIN, 77}}};
  const std::int64_t deadline = now_ns() + 1'234'567;
  EXPECT_EQ(bell.wait_descriptors(bell.prepare_wait_descriptors(), polled, deadline),
            Woken::kDeadline);
  EXPECT_GE(now_ns(), deadline);
  EXPECT_EQ(polled[0].revents, 0);
}

TEST(BellTest, Ready_descriptor_ends_the_wait_and_is_named) {
  Bell bell;
  ASSERT_TRUE(bell.prepare_descriptors());
  ASSERT_TRUE(bell.prepare_descriptors()) << "idempotent";
  Pipe silent;
  Pipe ready;
  ready.send();
  std::array<pollfd, 2> polled{{{silent.read_end(), POLLIN, 0}, {ready.read_end(), POLLIN, 0}}};
  EXPECT_EQ(bell.wait_descriptors(bell.prepare_wait_descriptors(), polled, never_ns()),
            Woken::kDescriptor);
  EXPECT_EQ(polled[0].revents, 0);
  EXPECT_EQ(polled[1].revents, POLLIN);
  EXPECT_EQ(bell.wait_descriptors(bell.prepare_wait_descriptors(), polled, 0), Woken::kDescriptor)
      << "what is ready is reported even if the deadline has passed";
}

TEST(BellTest, Event_left_over_by_a_cancelled_wait_does_not_end_the_next) {
  Bell bell;
  ASSERT_TRUE(bell.prepare_descriptors());
  bell.prepare_wait_descriptors();
  bell.ring_if_waiting();
  bell.cancel_wait();
  EXPECT_EQ(bell.wait_descriptors(bell.prepare_wait_descriptors(), {}, now_ns() + 1'000'000),
            Woken::kDeadline);
}

TEST(BellTest, Cancelled_wait_is_not_rung) {
  Bell bell;
  const auto ticket = bell.prepare_wait();
  bell.cancel_wait();
  bell.ring_if_waiting();
  EXPECT_EQ(bell.prepare_wait(), ticket) << "nobody was waiting, so the counter stood still";
}

// A point of meeting: `turn` counts up, each side waits for its own parity.
class PingPong {
 public:
  PingPong(std::uint64_t rounds, Bell::Scope scope)
      : rounds_(rounds), bells_{Bell(scope), Bell(scope)} {}

  // Whether every wait ended with a ring.
  bool run(bool in_poll) {
    if (in_poll) {
      for (Bell& bell : bells_) EXPECT_TRUE(bell.prepare_descriptors());
    }
    std::thread other([&] { play(1, in_poll); });
    play(0, in_poll);
    other.join();
    return !lost_.load() && turn_.load() >= 2 * rounds_;
  }

 private:
  void play(std::uint64_t side, bool in_poll) {
    Bell& mine = bells_[side];
    Bell& theirs = bells_[1 - side];
    std::minstd_rand random(static_cast<unsigned>(side) + 1);
    for (std::uint64_t round = 0; round < rounds_ && !lost_.load(); ++round) {
      const std::uint64_t wanted = 2 * round + side;
      // Mostly the answer comes while we look; going to sleep just then is what must be hit.
      for (auto looks = random() % 256; looks != 0; --looks) {
        if (turn_.load(std::memory_order_acquire) == wanted) break;
      }
      while (turn_.load(std::memory_order_acquire) != wanted) {
        const auto ticket = in_poll ? mine.prepare_wait_descriptors() : mine.prepare_wait();
        if (turn_.load(std::memory_order_acquire) == wanted) {
          mine.cancel_wait();
          break;
        }
        const Woken woken =
            in_poll ? mine.wait_descriptors(ticket, {}, never_ns()) : mine.wait(ticket, never_ns());
        if (woken != Woken::kRung) {
          lost_.store(true);
          theirs.ring();
          return;
        }
      }
      turn_.store(wanted + 1, std::memory_order_release);
      theirs.ring_if_waiting();
    }
  }

  const std::uint64_t rounds_;
  std::array<Bell, 2> bells_;
  std::atomic<std::uint64_t> turn_{0};
  std::atomic<bool> lost_{false};
};

// Starts both threads of a round as nearly together as can be.
class StartingLine {
 public:
  void meet(std::uint64_t round) {
    arrived_.fetch_add(1);
    for (int looks = 1; arrived_.load(std::memory_order_relaxed) < 2 * (round + 1); ++looks) {
      if (looks % 4096 == 0) std::this_thread::yield();
    }
  }

 private:
  alignas(64) std::atomic<std::uint64_t> arrived_{0};
};

void delay(unsigned turns) {
  for (; turns != 0; --turns) std::atomic_signal_fence(std::memory_order_seq_cst);
}

// One thread rings just when the other goes to sleep. Without either of the two fences a round is
// lost within the full count.
bool ring_beside_going_to_sleep(std::uint64_t rounds, bool in_poll) {
  Bell bell;
  EXPECT_TRUE(bell.prepare_descriptors());
  StartingLine line;
  alignas(64) std::atomic<std::uint64_t> published{0};
  alignas(64) std::atomic<bool> lost{false};
  std::thread ringer([&] {
    std::minstd_rand random(1);
    for (std::uint64_t round = 0; round < rounds && !lost.load(); ++round) {
      line.meet(round);
      bell.ring_if_waiting();  // fetches the bell's line, so that looking is quicker than telling
      delay(random() % 64);
      published.store(round + 1, std::memory_order_release);
      bell.ring_if_waiting();
    }
  });
  std::minstd_rand random(2);
  for (std::uint64_t round = 0; round < rounds && !lost.load(); ++round) {
    line.meet(round);
    delay(random() % 64);
    while (published.load(std::memory_order_acquire) <= round) {
      const auto ticket = in_poll ? bell.prepare_wait_descriptors() : bell.prepare_wait();
      if (published.load(std::memory_order_acquire) > round) {
        bell.cancel_wait();
        break;
      }
      const Woken woken =
          in_poll ? bell.wait_descriptors(ticket, {}, never_ns()) : bell.wait(ticket, never_ns());
      if (woken == Woken::kRung) continue;
      lost.store(true);
      line.meet(round + 1);  // lets the ringer see it
      break;
    }
  }
  ringer.join();
  return !lost.load();
}

TEST(BellTest, Ring_just_when_the_other_goes_to_sleep_is_not_lost) {
  EXPECT_TRUE(ring_beside_going_to_sleep(test::repetitions(1'000'000, 50), false));
  EXPECT_TRUE(ring_beside_going_to_sleep(test::repetitions(1'000'000, 50), true));
}

// A million rounds with SLUICE_STRESS=full.
TEST(BellTest, Ping_pong_of_two_threads_loses_no_wake_up) {
  EXPECT_TRUE(PingPong(test::repetitions(1'000'000, 10), Bell::Scope::kPrivate).run(false));
}

TEST(BellTest, Ping_pong_with_shared_futexes_loses_no_wake_up) {
  EXPECT_TRUE(PingPong(test::repetitions(1'000'000, 50), Bell::Scope::kShared).run(false));
}

TEST(BellTest, Ping_pong_in_poll_loses_no_wake_up) {
  EXPECT_TRUE(PingPong(test::repetitions(1'000'000, 20), Bell::Scope::kPrivate).run(true));
}

}  // namespace
}  // namespace sluice::engine
