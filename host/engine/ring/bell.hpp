// The futex counter that wakes a lane.
#pragma once

#include <poll.h>

#include <atomic>
#include <cstdint>
#include <limits>
#include <span>

#include "host/engine/ring/fence.hpp"
#include "host/support/result.hpp"

namespace sluice::engine {

// Wakes one sleeping thread, at the price of a fence and a load while it is awake.
//
// One waiter at a time, any number of ringers. The waiter:
//
//   for (;;) {
//     if (what I need is there) break;
//     const std::uint32_t ticket = bell.prepare_wait();
//     if (what I need is there) { bell.cancel_wait(); break; }
//     bell.wait(ticket, deadline_ns);
//   }
//
// A ringer publishes (commit, release, mark) and then calls ring_if_waiting. Either it sees that
// somebody is waiting, or the waiter's second look sees what was published: no wake-up is lost. A
// wait may end early for no reason; look again. Which fill is worth a wake-up is for the ringer to
// decide before it rings.
class alignas(64) Bell {
 public:
  // Whether ringers live in this process only.
  enum class Scope : std::uint8_t { kPrivate, kShared };
  enum class Woken : std::uint8_t {
    kRung,
    kDeadline,
    kDescriptor,  // wait_descriptors: see revents
    kFailed,      // wait_descriptors: the system refused to poll (errno says why)
  };
  using Ticket = std::uint32_t;

  // As a deadline: none.
  static constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();
  // Descriptors that one wait_descriptors takes.
  static constexpr std::size_t kMaxDescriptors = 64;

  explicit Bell(Scope scope = Scope::kPrivate) noexcept : scope_(scope) {}
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;
  ~Bell();

  // Says that the caller is going to sleep. Then look again at what is waited for, and call either
  // wait or cancel_wait. Wait-free. [any]
  Ticket prepare_wait() noexcept { return prepare(kInFutex); }

  // As prepare_wait, for wait_descriptors. prepare_descriptors() has succeeded before. [any]
  Ticket prepare_wait_descriptors() noexcept { return prepare(kInPoll); }

  // The caller is not going to sleep after all. Wait-free. [any]
  void cancel_wait() noexcept { waiting_.store(kAwake, std::memory_order_relaxed); }

  // Sleeps until the bell has been rung since `ticket` was taken or CLOCK_MONOTONIC has reached
  // `deadline_ns` (absolute; past: returns at once; kForever: none). [worker]
  Woken wait(Ticket ticket, std::int64_t deadline_ns) noexcept;

  // Makes the event descriptor that rings into a poll need; idempotent. kNoMemory if the process
  // has no descriptors left. Call before prepare_wait_descriptors. [control, worker]
  support::Status prepare_descriptors() noexcept;

  // As wait, and also until one of `descriptors` (at most kMaxDescriptors) is ready: fills in their
  // revents; zero in all of them unless kDescriptor. A ring that came as well is not lost: what it
  // announced is there to be seen. [worker]
  Woken wait_descriptors(Ticket ticket, std::span<pollfd> descriptors,
                         std::int64_t deadline_ns) noexcept;

  // After having published something: wakes the waiter if there is one. [any]
  void ring_if_waiting() noexcept {
    full_fence();
    if (waiting_.load(std::memory_order_relaxed) != kAwake) wake();
  }

  // Whether somebody has said so; after a full fence the answer can be relied upon. [any]
  bool is_waiting() const noexcept { return waiting_.load(std::memory_order_relaxed) != kAwake; }

  // Ends the wait under way or the one being prepared, whatever was published. [any]
  void ring() noexcept {
    counter_.fetch_add(1, std::memory_order_release);
    ring_if_waiting();
  }

 private:
  enum : std::uint32_t { kAwake = 0, kInFutex = 1, kInPoll = 2 };

  Ticket prepare(std::uint32_t how) noexcept {
    const Ticket ticket = counter_.load(std::memory_order_acquire);
    waiting_.store(how, std::memory_order_relaxed);
    full_fence();
    return ticket;
  }
  bool is_rung(Ticket ticket) const noexcept {
    return counter_.load(std::memory_order_acquire) != ticket;
  }
  void wake() noexcept;

  std::atomic<std::uint32_t> counter_{0};
  std::atomic<std::uint32_t> waiting_{kAwake};
  std::atomic<int> event_descriptor_{-1};
  Scope scope_;
};

}  // namespace sluice::engine
