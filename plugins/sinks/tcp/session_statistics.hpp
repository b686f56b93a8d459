// What sink.tcp measures while it sends: how late chunks leave, how long writes take, bitrates.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sluice {

// The newest values of something, and their quantiles.
class RecentValues {
 public:
  explicit RecentValues(size_t count) : values_(count), sorted_(count) {}
  void add(int64_t value) {
    values_[next_] = value;
    next_ = next_ + 1 == values_.size() ? 0 : next_ + 1;
    if (count_ < values_.size()) ++count_;
  }
  // The value that `share` (0..1) of them do not exceed; 0 if there are none.
  int64_t quantile(double share);
  double mean() const;

 private:
  std::vector<int64_t> values_, sorted_;
  size_t next_ = 0, count_ = 0;
};

// Bytes a second: over the time since the last look, and since the start.
class Bitrate {
 public:
  void start(int64_t now_ns, uint64_t bytes);
  // Kilobits a second since the last call.
  double current_kbit_s(int64_t now_ns, uint64_t bytes);
  double mean_kbit_s(int64_t now_ns, uint64_t bytes) const;

 private:
  int64_t start_ns_ = 0, last_ns_ = 0;
  uint64_t start_bytes_ = 0, last_bytes_ = 0;
};

}  // namespace sluice
