// The one fence that is stronger than acquire and release.
#pragma once

#include <atomic>

namespace sluice::engine {

// Orders every earlier store before every later load, in one total order of all such fences: "I
// said what I did; has the other side said that it is going to sleep?" needs it, and nothing weaker
// will do. About 1 to 8 ns. [any]
inline void full_fence() noexcept {
  // ThreadSanitizer does not model fences, and g++ says so at each one. Nothing here leans on this
  // fence to publish data, so its reports stay exact.
#if defined(__SANITIZE_THREAD__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtsan"
  std::atomic_thread_fence(std::memory_order_seq_cst);
#pragma GCC diagnostic pop
#else
  std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
}

}  // namespace sluice::engine
