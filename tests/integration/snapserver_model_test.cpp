// The model of Snapserver's reader, which stands in for it in virtual time, against the real one:
// both are given the same bytes at the same times, and have to notice the same pauses.
#include "tests/support/snapserver_model.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/integration/snapserver_fixture.hpp"

namespace sluice::tests {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kBlockNs = 10 * kMs;
constexpr uint64_t kBlockBytes = 480 * 4;
constexpr uint64_t kChunkBytes = 960 * 4;
// A machine that keeps its programs waiting for longer than what they have in hand shows nothing.
constexpr int64_t kTooLateNs = 20 * kMs;

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}
void sleep_until_ns(int64_t at_ns) {
  std::this_thread::sleep_for(std::chrono::nanoseconds(std::max<int64_t>(0, at_ns - now_ns())));
}

// What the reader would make of bytes that came when they did.
class Expectation {
 public:
  void arrive(int64_t at_ns, uint64_t bytes) {
    there_ += bytes;
    for (; there_ >= kChunkBytes; there_ -= kChunkBytes) {
      const uint64_t resyncs = timeline_.resyncs();
      read_ns_ = timeline_.note_chunk(std::max(read_ns_, at_ns));
      waits_for_any_ = timeline_.resyncs() != resyncs;
    }
  }
  // Whether a chunk at that time is neither clearly in time nor clearly late.
  bool is_doubtful(int64_t at_ns, int64_t margin_ns) const {
    return !waits_for_any_ && std::abs(at_ns - read_ns_ - SnapserverTimeline::kChunkNs) < margin_ns;
  }
  const SnapserverTimeline& timeline() const { return timeline_; }

 private:
  SnapserverTimeline timeline_{0};
  uint64_t there_ = 0;
  int64_t read_ns_ = 0;
  bool waits_for_any_ = true;  // the next chunk begins a timeline, whenever it comes
};

struct Resyncs {
  size_t count = 0;
  double late_ms = 0;
};

// "onResync (lab): 199 ms", so often and so much in all.
Resyncs resyncs_in(const std::string& log) {
  Resyncs resyncs;
  for (size_t at = 0; (at = log.find("onResync", at)) != std::string::npos; ++at) {
    const size_t number = log.find("): ", at);
    if (number == std::string::npos) break;
    ++resyncs.count;
    resyncs.late_ms += std::strtod(log.c_str() + number + 3, nullptr);
  }
  return resyncs;
}

// The longest that a thread which asks for a millisecond sleeps more than that, on any processor:
// what this machine may do to any program, the server among them.
class MachineLateness {
 public:
  MachineLateness() {
    cpu_set_t all;
    sched_getaffinity(0, sizeof(all), &all);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &all))
        threads_.emplace_back([this, cpu](const auto& stop) { watch(cpu, stop); });
    }
  }
  int64_t worst_ns() const { return worst_ns_; }
  // Up to now; counts anew.
  int64_t take_worst_ns() { return worst_ns_.exchange(0); }

 private:
  void watch(size_t cpu, const std::stop_token& stop) {
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET(cpu, &here);
    sched_setaffinity(0, sizeof(here), &here);
    while (!stop.stop_requested()) {
      const int64_t before_ns = now_ns();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      const int64_t late_ns = now_ns() - before_ns - kMs;
      int64_t worst_ns = worst_ns_;
      while (late_ns > worst_ns && !worst_ns_.compare_exchange_weak(worst_ns, late_ns)) {
      }
    }
  }

  std::atomic<int64_t> worst_ns_{0};
  std::vector<std::jthread> threads_;
};

// SLUICE_TEST_MINUTES, which soaking sets; 0: a few seconds will do.
int64_t soak_minutes() {
  const char* minutes = std::getenv("SLUICE_TEST_MINUTES");
  return minutes ? std::atoll(minutes) : 0;
}

TEST_F(Snapserver, Model_of_its_reader_notices_the_same_pauses_by_as_much) {
  start_server();
  const int stream = connect_to(port_);
  ASSERT_GE(stream, 0);
  const int on = 1;  // what is sent is there at once
  setsockopt(stream, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  const std::string audio(kBlockBytes, '\1');
  std::mt19937 random(1);
  const auto ms_between = [&](int64_t least, int64_t most) {
    return std::uniform_int_distribution<int64_t>(least, most)(random) * kMs;
  };
  Expectation expectation;
  const auto send_block = [&] {
    ASSERT_TRUE(write_all(stream, audio));
    expectation.arrive(now_ns(), kBlockBytes);
  };
  MachineLateness machine;
  Resyncs base;  // what the log has more than was expected, where the machine stood still
  double worst_difference_ms = 0;
  size_t pauses = 0, judged = 0, wrong = 0;
  bool is_settling = false;
  const int64_t minutes = soak_minutes();
  const int64_t end_ns = now_ns() + (minutes > 0 ? minutes * 60 : 6) * 1000 * kMs;
  while (now_ns() < end_ns) {
    // So much ahead, so long at the rate of the audio, and then nothing for a while: with luck that
    // is bridged, and if not the next start finds the server waiting.
    const int64_t lead_ns = ms_between(6, 25) * 10;
    const int64_t start_ns = now_ns();
    for (int64_t sent_ns = 0; sent_ns < lead_ns; sent_ns += kBlockNs) send_block();
    int64_t due_ns = start_ns;
    for (const int64_t until_ns = start_ns + ms_between(200, 600); due_ns < until_ns;) {
      due_ns += kBlockNs;
      sleep_until_ns(due_ns);
      send_block();
    }
    sleep_until_ns(due_ns + ms_between(0, 3) * 100 + ms_between(0, 60));
    while (expectation.is_doubtful(now_ns(), 15 * kMs + 3 * machine.worst_ns())) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ++pauses;
    // What it found late so far, it has said by now.
    const SnapserverTimeline& timeline = expectation.timeline();
    Resyncs more = resyncs_in(server_->log());
    more.count -= timeline.resyncs();
    more.late_ms -= static_cast<double>(timeline.late_ns()) / 1e6;
    const int64_t machine_late_ns = machine.take_worst_ns();
    const bool was_settling = std::exchange(is_settling, machine_late_ns > kTooLateNs);
    const double difference_ms = std::abs(more.late_ms - base.late_ms);
    const bool is_right = more.count == base.count &&
                          difference_ms <= 5 + 3 * static_cast<double>(machine_late_ns) / 1e6;
    base = more;
    if (!is_settling && !was_settling) {
      ++judged;
      wrong += is_right ? 0 : 1;
      is_settling = !is_right;
      if (is_right) worst_difference_ms = std::max(worst_difference_ms, difference_ms);
    }
    // Then both have run dry, and begin anew with the next chunk.
    if (is_settling) std::this_thread::sleep_for(std::chrono::seconds(2));
  }
  close(stream);
  const auto expected = static_cast<size_t>(expectation.timeline().resyncs());
  std::printf(
      "%zu pauses, %zu resyncs expected. The machine stood still in %zu; %zu of the others went "
      "wrong, and in those that went right lateness differed by %.1f ms at most.\n",
      pauses, expected, pauses - judged, wrong, worst_difference_ms);
  // A server that did not get the processor resyncs by itself; a wrong model is wrong every time.
  EXPECT_LE(wrong, minutes > 0 ? judged / 100 : judged / 3) << server_->log();
  if (judged < pauses) return;
  EXPECT_GT(expected, 0u);
  EXPECT_LT(expected, pauses);
}

}  // namespace
}  // namespace sluice::tests
