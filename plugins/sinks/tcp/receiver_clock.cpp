#include "plugins/sinks/tcp/receiver_clock.hpp"

#include <algorithm>
#include <cmath>

namespace sluice {
namespace {

double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

ReceiverClock::ReceiverClock(uint32_t rate_hz) : rate_hz_(rate_hz) {
  buckets_.reserve(kMostBuckets + 1);
  scratch_.reserve(kMostBuckets * (kMostBuckets + 1) / 2);
}

void ReceiverClock::restart(int64_t now_ns) {
  start_ns_ = now_ns;
  bucket_end_ns_ = now_ns + kBucketNs;
  has_start_frames_ = is_placed_ = has_bucket_ = false;
  taken_out_ = intercept_ = 0;
  buckets_.clear();
}

void ReceiverClock::interrupt() { is_placed_ = has_bucket_ = false; }

void ReceiverClock::observe(int64_t now_ns, double read_frames) {
  if (!has_start_frames_) start_frames_ = read_frames;
  has_start_frames_ = true;
  while (now_ns >= bucket_end_ns_) {
    close_bucket();
    bucket_end_ns_ += kBucketNs;
  }
  const double at_s = static_cast<double>(now_ns - start_ns_) / 1e9;
  const double drift = read_frames - start_frames_ - at_s * rate_hz_;
  if (!has_bucket_ || drift > bucket_.drift) bucket_ = {at_s, drift};
  has_bucket_ = true;
}

void ReceiverClock::close_bucket() {
  if (!has_bucket_) return;
  has_bucket_ = false;
  const Bucket from = buckets_.empty() ? Bucket{0, intercept_} : buckets_.back();
  const double expected = from.drift + excess_ * rate_hz_ * (bucket_.at_s - from.at_s);
  const double jump = bucket_.drift - taken_out_ - expected;
  if (!is_placed_ || std::abs(jump) > kJumpS * rate_hz_) taken_out_ += jump;
  is_placed_ = true;
  if (buckets_.size() == kMostBuckets) buckets_.erase(buckets_.begin());
  buckets_.push_back({bucket_.at_s, bucket_.drift - taken_out_});
  if (buckets_.size() >= kLeastBuckets) fit();
}

void ReceiverClock::fit() {
  scratch_.clear();
  for (size_t i = 0; i < buckets_.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      scratch_.push_back((buckets_[i].drift - buckets_[j].drift) /
                         (buckets_[i].at_s - buckets_[j].at_s));
    }
  }
  const double excess = median(scratch_) / rate_hz_;
  if (std::abs(excess) > kMostExcess) return;
  excess_ = excess;
  scratch_.clear();
  for (const Bucket& bucket : buckets_) {
    scratch_.push_back(bucket.drift - excess_ * rate_hz_ * bucket.at_s);
  }
  intercept_ = median(scratch_);
  is_measured_ = true;
}

double ReceiverClock::drift_frames(int64_t now_ns) const {
  return intercept_ + excess_ * rate_hz_ * static_cast<double>(now_ns - start_ns_) / 1e9;
}

}  // namespace sluice
