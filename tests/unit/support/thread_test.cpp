#include "host/support/thread.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <array>
#include <limits>
#include <string>
#include <thread>

#include "host/support/audio_section.hpp"

namespace sluice::support {
namespace {

std::string own_name() {
  std::array<char, 32> name{};
  pthread_getname_np(pthread_self(), name.data(), name.size());
  return name.data();
}

TEST(Thread, started_has_name_slack_stack_and_no_denormals) {
  std::string name;
  int slack = 0;
  std::size_t stack_bytes = 0;
  bool is_flushing = false;
  {
    auto thread = Thread::start({.name = "sluice lane 1", .stack_bytes = 1000001}, [&] {
      name = own_name();
      slack = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
      is_flushing = is_flush_to_zero();
      pthread_attr_t attributes;
      pthread_getattr_np(pthread_self(), &attributes);
      pthread_attr_getstacksize(&attributes, &stack_bytes);
      pthread_attr_destroy(&attributes);
    });
    ASSERT_TRUE(thread) << thread.error().message;
    EXPECT_TRUE(thread->is_joinable());
    EXPECT_EQ(thread->scheduling().scheduling, Scheduling::kNormal);
    EXPECT_EQ(thread->scheduling().why_not, "");
    thread->join();
    EXPECT_FALSE(thread->is_joinable());
  }
  EXPECT_EQ(name, "sluice lane 1");
  EXPECT_EQ(slack, 1);
  EXPECT_GE(stack_bytes, 1000001u);
  EXPECT_LT(stack_bytes, 2000000u);
#if defined(__x86_64__) || defined(__aarch64__)
  EXPECT_TRUE(is_flushing);
#endif
}

TEST(Thread, with_a_long_name_keeps_whole_characters) {
  std::string name;
  auto thread = Thread::start({.name = "Küchenlautsprächer"}, [&] { name = own_name(); });
  ASSERT_TRUE(thread);
  thread->join();
  EXPECT_EQ(name, "Küchenlautspr");  // 14 bytes: one more would be half an ä
}

TEST(Thread, with_an_impossible_stack_is_an_error_with_a_sentence) {
  const auto thread =
      Thread::start({.name = "huge", .stack_bytes = std::size_t{1} << 60U}, [] { FAIL(); });
  ASSERT_FALSE(thread);
  EXPECT_EQ(thread.error().code, ErrorCode::kNoMemory);
  EXPECT_TRUE(thread.error().message.starts_with("Thread 'huge' could not be started: "))
      << thread.error().message;
}

TEST(Thread, destroyed_has_run_to_its_end) {
  bool is_done = false;
  {
    const auto thread = Thread::start({.name = "t"}, [&] { is_done = true; });
    ASSERT_TRUE(thread);
  }
  EXPECT_TRUE(is_done);
}

TEST(FlushToZero, on_makes_denormals_zero) {
#if defined(__x86_64__) || defined(__aarch64__)
  std::thread([] {
    volatile float tiny = std::numeric_limits<float>::denorm_min();
    volatile float half_smallest = std::numeric_limits<float>::min();
    ASSERT_TRUE(set_flush_to_zero(true));
    const float from_denormal = tiny * 1e30F;
    const float to_denormal = half_smallest * 0.5F;
    set_flush_to_zero(false);
    const float kept = tiny * 1e30F;
    EXPECT_EQ(from_denormal, 0.0F);
    EXPECT_EQ(to_denormal, 0.0F);
    EXPECT_GT(kept, 0.0F);
  }).join();
#endif
}

// What is obtained depends on who runs the test; what is said must agree with the kernel.
TEST(SetScheduling, real_time_says_what_the_kernel_says) {
  std::thread([] {
    const SchedulingOutcome outcome = set_scheduling(Scheduling::kFifo, 10);
    sched_param parameters{};
    int policy = 0;
    pthread_getschedparam(pthread_self(), &policy, &parameters);
    if (outcome.scheduling == Scheduling::kFifo) {
      EXPECT_EQ(policy & ~SCHED_RESET_ON_FORK, SCHED_FIFO);
      EXPECT_EQ(parameters.sched_priority, outcome.priority);
      EXPECT_EQ(outcome.why_not.empty(), outcome.priority == 10);
      int child_policy = -1;
      std::thread([&] { child_policy = sched_getscheduler(0); }).join();
      EXPECT_EQ(child_policy & ~SCHED_RESET_ON_FORK, SCHED_OTHER);
    } else {
      EXPECT_EQ(policy & ~SCHED_RESET_ON_FORK, SCHED_OTHER);
      EXPECT_FALSE(outcome.why_not.empty());
    }
    EXPECT_EQ(set_scheduling(Scheduling::kNormal, 0).why_not, "");
    EXPECT_EQ(sched_getscheduler(0) & ~SCHED_RESET_ON_FORK, SCHED_OTHER);
  }).join();
}

TEST(AudioSection, nested_and_paused_counts_depth_for_its_thread_alone) {
  EXPECT_FALSE(is_in_audio_section());
  {
    const AudioSection cycle;
    {
      const AudioSection process;
      EXPECT_TRUE(is_in_audio_section());
    }
    EXPECT_TRUE(is_in_audio_section());
    {
      const AudioSectionPause pause;
      EXPECT_FALSE(is_in_audio_section());
    }
    EXPECT_TRUE(is_in_audio_section());
    bool is_elsewhere = true;
    {
      const AudioSectionPause pause;
      std::thread([&] { is_elsewhere = is_in_audio_section(); }).join();
    }
    EXPECT_FALSE(is_elsewhere);
  }
  EXPECT_FALSE(is_in_audio_section());
}

}  // namespace
}  // namespace sluice::support
