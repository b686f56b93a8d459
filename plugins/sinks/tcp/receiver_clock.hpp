// Measures how fast a receiver plays by how fast it reads from its socket.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sluice {

// Watches the place up to which a receiver has read, against our clock.
//
// What TCP tells of that place comes late and in lumps, but never early: a kernel reports the room
// that reading makes when it frees a buffer or owes an acknowledgement. So of each 10 s only the
// earliest report counts (the upper envelope), and through the last 20 min of these goes a
// Theil-Sen line, the median of all slopes (Sen 1968), which a quarter of wild values does not
// move. A jump that no clock makes (the receive buffer grew, the receiver waited) is taken out, so
// that the line goes on behind it. A report belongs to a chunk that arrived, so places are known to
// a chunk: 10 ms in 20 min are 8 ppm, and the place that follows from the line is as good as that,
// however long it runs.
class ReceiverClock {
 public:
  static constexpr int64_t kBucketNs = 10'000'000'000;
  static constexpr size_t kMostBuckets = 120;
  static constexpr size_t kLeastBuckets = 18;  // before anything is said
  static constexpr double kMostExcess = 1e-3;  // what a clock can be off by
  static constexpr double kJumpS = 0.020;

  explicit ReceiverClock(uint32_t rate_hz);

  // A connection, maybe another one to the same receiver: the place is unknown, the ratio stays.
  void restart(int64_t now_ns);
  // The receiver or the sender stood still: the line goes on as if they had not.
  void interrupt();
  // The receiver has read `read_frames` of this connection, at the least, but for a constant.
  void observe(int64_t now_ns, double read_frames);

  bool is_measured() const { return is_measured_; }
  // Its rate over the nominal one, by our clock; 1 until measured.
  double ratio() const { return 1 + excess_; }
  // What it has read more than our clock would have; the line through the newest measurements, so
  // only differences mean something.
  double drift_frames(int64_t now_ns) const;

 private:
  struct Bucket {
    double at_s, drift;
  };
  void close_bucket();
  void fit();

  double rate_hz_;
  int64_t start_ns_ = 0, bucket_end_ns_ = 0;
  double start_frames_ = 0;
  bool has_start_frames_ = false;
  bool is_placed_ = false;  // what is observed next belongs to the line as it is
  bool has_bucket_ = false;
  Bucket bucket_{};       // of the time now
  double taken_out_ = 0;  // by jumps
  std::vector<Bucket> buckets_;
  std::vector<double> scratch_;
  bool is_measured_ = false;
  double excess_ = 0, intercept_ = 0;  // drift = intercept + excess * rate * s
};

}  // namespace sluice
