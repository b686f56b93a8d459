// Threads as the engine wants them: named, with a stack of a chosen size, real time where the
// system allows it, with sharp timers and without denormals.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "host/support/result.hpp"

namespace sluice::support {

enum class Scheduling : uint8_t { kNormal, kRoundRobin, kFifo };
std::string_view name_of(Scheduling scheduling);

// What a thread got of the priority it asked for.
struct SchedulingOutcome {
  Scheduling scheduling = Scheduling::kNormal;
  int priority = 0;  // 0 if kNormal
  // Empty if all that was asked for was given; otherwise one sentence with what would help.
  std::string why_not;
};

// Asks for a real-time priority (1..99, see sched(7)) for the calling thread, lower ones down to
// what RLIMIT_RTPRIO allows if that one is refused. Processes started from the thread do not
// inherit it. kNormal goes back to time sharing. [control, worker]
SchedulingOutcome set_scheduling(Scheduling scheduling, int priority);

// The real-time priority of the calling thread; 0 under time sharing. [any]
int real_time_priority();

// The same request for a thread that is somebody else's and in the middle of audio: a priority that
// it has already and is no lower stays, and nothing is allocated. Returns the priority it has then,
// 0 under time sharing. A handful of system calls. [any]
int raise_to_real_time(int priority);
// What there is to say about a thread that asked for `priority` and has `obtained`. [control]
SchedulingOutcome outcome_of(int priority, int obtained);

// Names the calling thread, as `top -H` and debuggers show it: the first 15 bytes, never half a
// character (pthread_setname_np). [control, worker]
void set_thread_name(std::string_view name);

// How late the kernel may wake the calling thread from a timed wait (PR_SET_TIMERSLACK; 50000 by
// default; real-time threads have none). [control, worker]
void set_timer_slack(int64_t slack_ns);

// Sleeps until CLOCK_MONOTONIC has reached `time_ns`; signals do not end it. [any]
void sleep_until(int64_t time_ns);

// Makes the calling thread's floating point unit treat denormals as zero and produce none: x86
// MXCSR FTZ and DAZ, aarch64 FPCR.FZ. On other machines nothing happens and false is returned.
// [any]
bool set_flush_to_zero(bool is_on);
bool is_flush_to_zero();

struct ThreadOptions {
  std::string name;
  std::size_t stack_bytes =
      0;  // rounded up to pages and the least allowed; 0: the system's default
  Scheduling scheduling = Scheduling::kNormal;
  int priority = 0;
  bool flush_to_zero = true;
  int64_t timer_slack_ns = 1;  // 0: the system's default
};

// A running thread; the destructor waits for its end. [control]
class Thread {
 public:
  Thread() = default;
  Thread(Thread&& other) noexcept = default;
  Thread& operator=(Thread&& other) noexcept;
  ~Thread();

  // Starts a thread that is set up as `options` says and then calls `body`. A refused priority is
  // no error: see scheduling(). Error: kNoMemory if there can be no further thread.
  static Result<Thread> start(ThreadOptions options, std::function<void()> body);

  bool is_joinable() const { return state_ != nullptr; }
  // Waits until `body` has returned. Must not be called from the thread itself.
  void join();
  // What it got; known when start returns.
  const SchedulingOutcome& scheduling() const;

 private:
  struct State;
  struct StateDeleter {
    void operator()(State* state) const;
  };
  std::unique_ptr<State, StateDeleter> state_;
};

}  // namespace sluice::support
