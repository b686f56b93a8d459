#include "plugins/sinks/tcp/pacer.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <sluice/back_off.hpp>
#include <sluice/frames.hpp>
#include <vector>

#include "plugins/sinks/tcp/dscp.hpp"
#include "plugins/sinks/tcp/shared_moments.hpp"

namespace sluice {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kS = 1'000'000'000;

TEST(Pacer, Start_the_lead_is_due_at_once_and_the_rest_at_its_rate) {
  Pacer pacer(48000, 9600, 9600);
  pacer.start(kS);
  EXPECT_EQ(pacer.due_frames(kS), 9600u);
  EXPECT_EQ(pacer.due_ns(9600), kS);
  pacer.pass(9600);
  EXPECT_EQ(pacer.due_frames(kS), 0u);
  EXPECT_EQ(pacer.lead_frames(kS), 9600);
  EXPECT_EQ(pacer.due_ns(480), kS + 10 * kMs);
  EXPECT_EQ(pacer.due_frames(kS + 10 * kMs - 1), 479u);
  EXPECT_EQ(pacer.due_frames(kS + 10 * kMs), 480u);
}

TEST(Pacer, Moments_are_shared_chunks_of_any_start_are_due_at_one_of_eight) {
  for (const uint32_t rate_hz : {48000u, 44100u}) {
    for (const uint32_t chunk : {480u, 509u}) {
      const int64_t reference_ns = kS - 123'457;
      std::set<uint64_t> phases;
      for (int64_t start_ns = kS; start_ns < 2 * kS; start_ns += 777'777) {
        Pacer pacer(rate_hz, 9600, 9600);
        pacer.share_moments(reference_ns, chunk);
        pacer.start(start_ns);
        EXPECT_LE(pacer.start_ns(), start_ns);
        EXPECT_GT(pacer.start_ns(), start_ns - ns_of_frames(chunk / 8 + 2, rate_hz));
        pacer.pass(9600);
        for (int i = 0; i < 10; ++i) {
          phases.insert(frames_of_ns(pacer.due_ns(chunk) - reference_ns, rate_hz) % chunk);
          pacer.pass(chunk);
        }
      }
      EXPECT_EQ(phases.size(), 8u);
    }
  }
}

TEST(SharedMoments, Alone_its_own_start_counts_and_together_that_of_the_first) {
  std::optional<SharedMoments> first(std::in_place);
  EXPECT_EQ(first->reference_ns(5 * kS), 5 * kS);
  EXPECT_EQ(first->reference_ns(6 * kS), 6 * kS);
  const SharedMoments second;
  EXPECT_EQ(second.reference_ns(7 * kS), 6 * kS);
  EXPECT_EQ(first->reference_ns(8 * kS), 6 * kS);
  first.reset();
  EXPECT_EQ(second.reference_ns(9 * kS), 9 * kS);
}

TEST(Pacer, Day_of_chunks_is_exact_to_the_nanosecond) {
  for (const uint32_t rate_hz : {44100u, 48000u, 11025u}) {
    Pacer pacer(rate_hz, 0, 480);
    pacer.start(0);
    uint64_t sent = 0;
    for (; sent < uint64_t{rate_hz} * 86400; sent += 441) {
      const int64_t due_ns = pacer.due_ns(441);
      ASSERT_EQ(due_ns, ns_of_frames(sent + 441, rate_hz));
      ASSERT_EQ(pacer.due_frames(due_ns), 441u);
      pacer.pass(441);
    }
  }
}

TEST(Pacer, Stall_within_the_burst_is_caught_up) {
  Pacer pacer(48000, 9600, 9600);
  pacer.start(0);
  pacer.pass(9600);
  EXPECT_EQ(pacer.forgive(150 * kMs), 0u);
  EXPECT_EQ(pacer.due_frames(150 * kMs), 7200u);
  pacer.pass(7200);
  EXPECT_EQ(pacer.lead_frames(150 * kMs), 9600);
}

TEST(Pacer, Stall_beyond_the_burst_delays_the_schedule_by_the_rest) {
  Pacer pacer(48000, 9600, 9600);
  pacer.start(0);
  pacer.pass(9600);
  EXPECT_EQ(pacer.lead_frames(300 * kMs), -4800);
  EXPECT_EQ(pacer.forgive(300 * kMs), 4800u);
  EXPECT_EQ(pacer.due_frames(300 * kMs), 9600u);
  pacer.pass(9600);
  EXPECT_EQ(pacer.lead_frames(300 * kMs), 9600);
  EXPECT_EQ(pacer.due_ns(480), 310 * kMs);
}

TEST(Pacer, Start_lead_longer_than_the_burst_is_given_whole) {
  Pacer pacer(48000, 48000, 9600);
  pacer.start(0);
  EXPECT_EQ(pacer.forgive(0), 0u);
  EXPECT_EQ(pacer.due_frames(0), 48000u);
  pacer.pass(30'000);
  EXPECT_EQ(pacer.forgive(100 * kMs), 0u);
  // A stall with a part of the lead still to come: that part and the burst are what goes out.
  EXPECT_EQ(pacer.forgive(300 * kMs), 4800u);
  EXPECT_EQ(pacer.due_frames(300 * kMs), 18'000u + 9600u);
  pacer.pass(18'000 + 9600);
  EXPECT_EQ(pacer.lead_frames(300 * kMs), 48000);
  EXPECT_EQ(pacer.forgive(500 * kMs), 0u);
  EXPECT_EQ(pacer.forgive(501 * kMs), 48u);
}

TEST(Pacer, Satisfied_nothing_is_due_yet) {
  Pacer pacer(48000, 9600, 9600);
  pacer.start_satisfied(kS);
  EXPECT_EQ(pacer.due_frames(kS), 0u);
  EXPECT_EQ(pacer.due_frames(kS + 100 * kMs), 4800u);
}

TEST(BackOff, Failures_wait_twice_as_long_each_time_up_to_a_minute) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    BackOff back_off(seed);
    int64_t base_ns = kS / 4;
    for (int i = 0; i < 20; ++i) {
      const int64_t wait_ns = back_off.next_ns();
      EXPECT_GE(wait_ns, base_ns / 2);
      EXPECT_LT(wait_ns, base_ns * 3 / 2);
      base_ns = std::min(base_ns * 2, 60 * kS);
    }
    back_off.session_ended(10 * kS - 1);
    EXPECT_GE(back_off.next_ns(), 30 * kS);
    back_off.session_ended(10 * kS);
    EXPECT_LT(back_off.next_ns(), kS * 3 / 8);
  }
}

TEST(BackOff, Hundred_clients_that_lose_one_server_do_not_come_back_together) {
  std::vector<int> buckets(100);
  int total = 0;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    BackOff back_off(seed);
    for (int64_t at_ns = back_off.next_ns(); at_ns < 5 * kS; at_ns += back_off.next_ns()) {
      ++buckets[static_cast<size_t>(at_ns / (50 * kMs))];
      ++total;
    }
  }
  for (int count : buckets) EXPECT_LE(count, total / 5);
}

TEST(Dscp, Names_and_numbers) {
  EXPECT_EQ(dscp_of("voip"), 46u);
  EXPECT_EQ(dscp_of("best-effort"), 0u);
  EXPECT_EQ(dscp_of("63"), 63u);
  for (const char* word : {"", "64", "-1", "4x", "VOIP"}) EXPECT_FALSE(dscp_of(word)) << word;
}

}  // namespace
}  // namespace sluice
