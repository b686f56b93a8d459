// What lets many senders of one process wake the machine together.
#pragma once

#include <atomic>
#include <cstdint>

namespace sluice {

// One of those that send just now. The moments of all are counted from the start of whoever sent
// first; who is alone keeps to its own start. [worker], any number of threads.
class SharedMoments {
 public:
  SharedMoments() { members_.fetch_add(1); }
  ~SharedMoments() { members_.fetch_sub(1); }
  SharedMoments(const SharedMoments&) = delete;
  SharedMoments& operator=(const SharedMoments&) = delete;

  // Where the moments of a schedule that starts at now_ns are counted from.
  int64_t reference_ns(int64_t now_ns) const {
    if (members_.load() == 1) reference_ns_.store(now_ns);
    return reference_ns_.load();
  }

 private:
  static inline std::atomic<int> members_{0};
  static inline std::atomic<int64_t> reference_ns_{0};
};

}  // namespace sluice
