// Watches audio calls: whoever allocates, frees, locks, waits, opens, reads, writes or prints
// inside a support::AudioSection ends the test with the name of the function and a backtrace.
//
// The functions are replaced in the test program itself, so that code in loaded plugins and in
// shared libraries (libstdc++ among them) is seen too. What the C library does inside of itself is
// not, which is why printf, fopen and the like are replaced one by one. Not watched are calls that
// cannot wait: pthread_mutex_trylock and unlock, clock_gettime, sched_getcpu.
//
// Linked into every test program; off under sanitizers, which replace the same functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sluice::tests {

// Whether this build has the guard.
bool has_rt_guard();

// While one exists, forbidden calls of all threads are noted instead of ending the test.
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

}  // namespace sluice::tests
