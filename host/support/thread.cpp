#include "host/support/thread.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <semaphore>
#include <system_error>
#include <utility>

#include "host/support/printable.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sluice::support {
namespace {

constexpr std::size_t kMostThreadNameBytes = 15;  // TASK_COMM_LEN less the final zero

std::string reason(int error) { return std::system_category().message(error); }

int policy_of(Scheduling scheduling) {
  // An unprivileged thread may set the flag but never clear it, so it stays with kNormal too.
  constexpr int kNotInherited = SCHED_RESET_ON_FORK;
  switch (scheduling) {
    case Scheduling::kRoundRobin:
      return SCHED_RR | kNotInherited;
    case Scheduling::kFifo:
      return SCHED_FIFO | kNotInherited;
    case Scheduling::kNormal:
      break;
  }
  return SCHED_OTHER | kNotInherited;
}

// 0 or an errno. For the calling thread: sched_setscheduler(2) with 0.
int request(Scheduling scheduling, int priority) {
  sched_param parameters{};
  parameters.sched_priority = scheduling == Scheduling::kNormal ? 0 : priority;
  return sched_setscheduler(0, policy_of(scheduling), &parameters) == 0 ? 0 : errno;
}

int allowed_priority() {
  rlimit limit{};
  if (getrlimit(RLIMIT_RTPRIO, &limit) != 0) return 0;
  return limit.rlim_cur > 99 ? 99 : static_cast<int>(limit.rlim_cur);
}

std::size_t usable_stack_bytes(std::size_t wanted) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const long least = sysconf(_SC_THREAD_STACK_MIN);
  if (least > 0) wanted = std::max(wanted, static_cast<std::size_t>(least));
  return (wanted + page - 1) / page * page;
}

}  // namespace

std::string_view name_of(Scheduling scheduling) {
  switch (scheduling) {
    case Scheduling::kRoundRobin:
      return "SCHED_RR";
    case Scheduling::kFifo:
      return "SCHED_FIFO";
    case Scheduling::kNormal:
      break;
  }
  return "SCHED_OTHER";
}

SchedulingOutcome set_scheduling(Scheduling scheduling, int priority) {
  priority = std::clamp(priority, 1, 99);
  const int error = request(scheduling, priority);
  if (scheduling == Scheduling::kNormal) {
    return {Scheduling::kNormal, 0,
            error == 0 ? std::string()
                       : fmt::format("Leaving real-time scheduling failed: {}.", reason(error))};
  }
  if (error == 0) return {scheduling, priority, {}};

  const int allowed = allowed_priority();
  if (error == EPERM && allowed > 0 && allowed < priority && request(scheduling, allowed) == 0) {
    return {scheduling, allowed, outcome_of(priority, allowed).why_not};
  }
  if (error == EPERM && allowed < priority) return outcome_of(priority, 0);
  return {
      Scheduling::kNormal, 0,
      fmt::format("Real-time priority {} was refused by the system: {}.", priority, reason(error))};
}

int raise_to_real_time(int priority) {
  priority = std::clamp(priority, 1, 99);
  if (real_time_priority() < priority && request(Scheduling::kFifo, priority) != 0) {
    const int allowed = std::min(allowed_priority(), priority);
    if (real_time_priority() < allowed) request(Scheduling::kFifo, allowed);
  }
  return real_time_priority();
}

SchedulingOutcome outcome_of(int priority, int obtained) {
  if (obtained >= priority) return {Scheduling::kFifo, obtained, {}};
  if (obtained > 0) {
    return {Scheduling::kFifo, obtained,
            fmt::format("Priority {} was refused and {} obtained, which is the limit on real-time "
                        "priorities (ulimit -r).",
                        priority, obtained)};
  }
  return {Scheduling::kNormal, 0,
          fmt::format("Real-time priority {} was refused: the limit is {} (ulimit -r). Allow it "
                      "with a line '@audio - rtprio 95' in /etc/security/limits.d/audio.conf, "
                      "join the group audio and log in again.",
                      priority, allowed_priority())};
}

int real_time_priority() {
  // Not pthread_getschedparam, which answers what pthread functions have set.
  sched_param parameters{};
  if (sched_getparam(0, &parameters) != 0) return 0;
  const int policy = sched_getscheduler(0) & ~SCHED_RESET_ON_FORK;
  return policy == SCHED_FIFO || policy == SCHED_RR ? parameters.sched_priority : 0;
}

void set_thread_name(std::string_view name) {
  const std::string fitting(utf8_prefix(name, kMostThreadNameBytes));
  pthread_setname_np(pthread_self(), fitting.c_str());
}

void set_timer_slack(int64_t slack_ns) {
  // 0 would mean "back to the default" (prctl(2)).
  prctl(PR_SET_TIMERSLACK, static_cast<unsigned long>(std::max<int64_t>(slack_ns, 1)), 0, 0, 0);
}

void sleep_until(int64_t time_ns) {
  const timespec time{time_ns / 1'000'000'000, time_ns % 1'000'000'000};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nullptr) == EINTR) {
  }
}

#if defined(__x86_64__)

namespace {
constexpr unsigned kFlushToZeroAndDenormalsAreZero = 0x8040;  // Intel SDM vol. 1, 10.2.3
}
bool set_flush_to_zero(bool is_on) {
  const unsigned before = _mm_getcsr();
  _mm_setcsr(is_on ? before | kFlushToZeroAndDenormalsAreZero
                   : before & ~kFlushToZeroAndDenormalsAreZero);
  return true;
}
bool is_flush_to_zero() {
  return (_mm_getcsr() & kFlushToZeroAndDenormalsAreZero) == kFlushToZeroAndDenormalsAreZero;
}

#elif defined(__aarch64__)

namespace {
constexpr uint64_t kFlushToZero = uint64_t{1} << 24U;  // FPCR.FZ, Arm ARM C5.2
uint64_t fpcr() {
  uint64_t value = 0;
  asm volatile("mrs %0, fpcr" : "=r"(value));
  return value;
}
}  // namespace
bool set_flush_to_zero(bool is_on) {
  const uint64_t value = is_on ? fpcr() | kFlushToZero : fpcr() & ~kFlushToZero;
  asm volatile("msr fpcr, %0" : : "r"(value));
  return true;
}
bool is_flush_to_zero() { return (fpcr() & kFlushToZero) != 0; }

#else

bool set_flush_to_zero(bool) { return false; }
bool is_flush_to_zero() { return false; }

#endif

struct Thread::State {
  State(ThreadOptions thread_options, std::function<void()> thread_body)
      : options(std::move(thread_options)), body(std::move(thread_body)) {}

  const ThreadOptions options;
  const std::function<void()> body;
  SchedulingOutcome outcome;
  std::binary_semaphore is_set_up{0};
  pthread_t handle{};

  static void* enter(void* argument) {
    auto& state = *static_cast<State*>(argument);
    const ThreadOptions& options = state.options;
    if (!options.name.empty()) set_thread_name(options.name);
    if (options.timer_slack_ns > 0) set_timer_slack(options.timer_slack_ns);
    if (options.flush_to_zero) set_flush_to_zero(true);
    if (options.scheduling != Scheduling::kNormal) {
      state.outcome = set_scheduling(options.scheduling, options.priority);
    }
    state.is_set_up.release();
    state.body();
    return nullptr;
  }
};

void Thread::StateDeleter::operator()(State* state) const { delete state; }

Result<Thread> Thread::start(ThreadOptions options, std::function<void()> body) {
  Thread thread;
  thread.state_.reset(new State(std::move(options), std::move(body)));
  State& state = *thread.state_;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  int error = 0;
  if (state.options.stack_bytes > 0) {
    error = pthread_attr_setstacksize(&attributes, usable_stack_bytes(state.options.stack_bytes));
  }
  if (error == 0) error = pthread_create(&state.handle, &attributes, State::enter, &state);
  pthread_attr_destroy(&attributes);
  if (error != 0) {
    Error failure{ErrorCode::kNoMemory, fmt::format("Thread '{}' could not be started: {}.",
                                                    state.options.name, reason(error))};
    thread.state_.reset();
    return failure;
  }
  state.is_set_up.acquire();
  return thread;
}

Thread& Thread::operator=(Thread&& other) noexcept {
  if (this != &other) {
    join();
    state_ = std::move(other.state_);
  }
  return *this;
}

Thread::~Thread() { join(); }

void Thread::join() {
  if (!state_) return;
  pthread_join(state_->handle, nullptr);
  state_.reset();
}

const SchedulingOutcome& Thread::scheduling() const {
  static const SchedulingOutcome none;
  return state_ ? state_->outcome : none;
}

}  // namespace sluice::support
