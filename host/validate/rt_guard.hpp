// Watches audio calls: whoever allocates, frees, locks, waits, opens, reads, writes or prints
// inside a support::AudioSection ends the program with the name of the function and a backtrace.
// Inside a WorkerSection, what blocks elsewhere than in the host's wait is watched alike.
//
// The functions are replaced in the program itself, so that code in loaded plugins and in
// shared libraries (libstdc++ among them) is seen too. What the C library does inside of itself is
// not, which is why printf, fopen and the like are replaced one by one. Not watched are calls that
// cannot wait: pthread_mutex_trylock and unlock, clock_gettime, sched_getcpu.
//
// Linked into the test programs and into sluice-validate; off under sanitizers, which replace the
// same functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::validate {

// Whether this build has the guard.
bool has_rt_guard();

// Around the run call of a threaded node, whose one place to block is the host's wait. [any]
class WorkerSection {
 public:
  WorkerSection() noexcept;
  ~WorkerSection();
  WorkerSection(const WorkerSection&) = delete;
  WorkerSection& operator=(const WorkerSection&) = delete;
};

// Lifts the mark for its lifetime: around the host's own functions. [any]
class WorkerSectionPause {
 public:
  WorkerSectionPause() noexcept;
  ~WorkerSectionPause();
  WorkerSectionPause(const WorkerSectionPause&) = delete;
  WorkerSectionPause& operator=(const WorkerSectionPause&) = delete;

 private:
  const bool before_;
};

// Says whose code runs on this thread from here on, the plugin's or the host's. [any]
class PluginCode {
 public:
  explicit PluginCode(bool is_plugin) noexcept;
  ~PluginCode();
  PluginCode(const PluginCode&) = delete;
  PluginCode& operator=(const PluginCode&) = delete;

 private:
  const bool before_;
};

// While one exists, the `nth` allocation (from 1) that a plugin makes on this thread is refused.
// [control]
class RefusedAllocation {
 public:
  explicit RefusedAllocation(uint32_t nth) noexcept;
  ~RefusedAllocation();
  RefusedAllocation(const RefusedAllocation&) = delete;
  RefusedAllocation& operator=(const RefusedAllocation&) = delete;
  // Whether it has been asked for.
  bool has_come() const noexcept;
};

// While one exists, forbidden calls of all threads are noted instead of ending the program.
class RtGuardRecorder {
 public:
  RtGuardRecorder();
  ~RtGuardRecorder();
  RtGuardRecorder(const RtGuardRecorder&) = delete;
  RtGuardRecorder& operator=(const RtGuardRecorder&) = delete;

  // Names of the functions called, in order.
  std::vector<std::string> functions() const;
  bool has(std::string_view function) const;
};

}  // namespace sluice::validate
