#include "host/engine/ring/bell.hpp"

#include <linux/futex.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <system_error>

#include "host/support/audio_section.hpp"

namespace sluice::engine {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

timespec to_timespec(std::int64_t ns) noexcept {
  ns = std::max<std::int64_t>(ns, 0);
  return {static_cast<time_t>(ns / kNsPerSecond), static_cast<long>(ns % kNsPerSecond)};
}

std::int64_t monotonic_ns() noexcept {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::int64_t>(now.tv_sec) * kNsPerSecond + now.tv_nsec;
}

}  // namespace

Bell::~Bell() {
  const int descriptor = event_descriptor_.load(std::memory_order_relaxed);
  if (descriptor >= 0) ::close(descriptor);
}

Bell::Woken Bell::wait(Ticket ticket, std::int64_t deadline_ns) noexcept {
  const int operation = FUTEX_WAIT_BITSET | (scope_ == Scope::kPrivate ? FUTEX_PRIVATE_FLAG : 0);
  const timespec deadline = to_timespec(deadline_ns);
  const timespec* until = deadline_ns == kForever ? nullptr : &deadline;
  Woken woken = Woken::kRung;
  while (!is_rung(ticket)) {
    // A bitset wait takes an absolute CLOCK_MONOTONIC time. It also ends for a signal.
    if (syscall(SYS_futex, &counter_, operation, ticket, until, nullptr, FUTEX_BITSET_MATCH_ANY) !=
            0 &&
        errno == ETIMEDOUT) {
      woken = Woken::kDeadline;
      break;
    }
  }
  waiting_.store(kAwake, std::memory_order_relaxed);
  return woken;
}

support::Status Bell::prepare_descriptors() noexcept {
  if (event_descriptor_.load(std::memory_order_acquire) >= 0) return {};
  const int made = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (made < 0) {
    return support::Error{support::ErrorCode::kNoMemory,
                          "The system refused an event descriptor (" +
                              std::generic_category().message(errno) +
                              "): raise the limit on open files."};
  }
  int none = -1;
  if (!event_descriptor_.compare_exchange_strong(none, made, std::memory_order_acq_rel)) {
    ::close(made);
  }
  return {};
}

Bell::Woken Bell::wait_descriptors(Ticket ticket, std::span<pollfd> descriptors,
                                   std::int64_t deadline_ns) noexcept {
  std::array<pollfd, kMaxDescriptors + 1> polled;
  const std::size_t count = std::min(descriptors.size(), kMaxDescriptors);
  const int event = event_descriptor_.load(std::memory_order_acquire);
  polled[0] = {event, POLLIN, 0};
  std::copy_n(descriptors.begin(), count, polled.begin() + 1);

  Woken woken = Woken::kRung;
  while (!is_rung(ticket)) {
    // Always polled at least once: a deadline that has passed still reports what is ready.
    timespec left{};
    if (deadline_ns != kForever) left = to_timespec(deadline_ns - monotonic_ns());
    const int ready =
        ppoll(polled.data(), count + 1, deadline_ns == kForever ? nullptr : &left, nullptr);
    if (ready == 0) {
      woken = Woken::kDeadline;
      break;
    }
    if (ready < 0) {
      if (errno == EINTR) continue;
      woken = Woken::kFailed;
      break;
    }
    if (polled[0].revents != 0) {
      // Possibly of a ring that an earlier wait was told about already: the counter decides.
      std::uint64_t rings = 0;
      [[maybe_unused]] const auto drained = read(event, &rings, sizeof rings);
    }
    if (ready > (polled[0].revents != 0 ? 1 : 0)) {
      woken = Woken::kDescriptor;
      break;
    }
  }
  for (std::size_t i = 0; i < descriptors.size(); ++i) {
    descriptors[i].revents =
        woken == Woken::kDescriptor && i < count ? polled[i + 1].revents : short{0};
  }
  const int saved = errno;
  waiting_.store(kAwake, std::memory_order_relaxed);
  errno = saved;
  return woken;
}

void Bell::wake() noexcept {
  // Whoever takes the flag wakes; a burst of commits costs one system call.
  const std::uint32_t how = waiting_.exchange(kAwake, std::memory_order_acq_rel);
  if (how == kAwake) return;
  counter_.fetch_add(1, std::memory_order_release);
  // The one system call of an audio call: somebody sleeps, and it does not block.
  const support::AudioSectionPause pause;
  if (how == kInPoll) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written =
        write(event_descriptor_.load(std::memory_order_acquire), &one, sizeof one);
  } else {
    const int operation = FUTEX_WAKE | (scope_ == Scope::kPrivate ? FUTEX_PRIVATE_FLAG : 0);
    syscall(SYS_futex, &counter_, operation, 1, nullptr, nullptr, 0);
  }
}

}  // namespace sluice::engine
