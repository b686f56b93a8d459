#include "plugins/sinks/tcp/session_statistics.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace sluice {
namespace {

double kbit_s(uint64_t bytes, int64_t ns) {
  constexpr double kNsPerMs = 1e6;
  return ns <= 0 ? 0.0 : static_cast<double>(bytes) * 8 / (static_cast<double>(ns) / kNsPerMs);
}

}  // namespace

int64_t RecentValues::quantile(double share) {
  if (count_ == 0) return 0;
  const auto end = values_.begin() + static_cast<std::ptrdiff_t>(count_);
  std::copy(values_.begin(), end, sorted_.begin());
  const auto at = sorted_.begin() +
                  static_cast<std::ptrdiff_t>(std::lround(share * static_cast<double>(count_ - 1)));
  std::nth_element(sorted_.begin(), at, sorted_.begin() + static_cast<std::ptrdiff_t>(count_));
  return *at;
}

double RecentValues::mean() const {
  if (count_ == 0) return 0;
  const auto end = values_.begin() + static_cast<std::ptrdiff_t>(count_);
  return static_cast<double>(std::accumulate(values_.begin(), end, int64_t{0})) /
         static_cast<double>(count_);
}

void Bitrate::start(int64_t now_ns, uint64_t bytes) {
  start_ns_ = last_ns_ = now_ns;
  start_bytes_ = last_bytes_ = bytes;
}

double Bitrate::current_kbit_s(int64_t now_ns, uint64_t bytes) {
  const double rate = kbit_s(bytes - last_bytes_, now_ns - last_ns_);
  last_ns_ = now_ns;
  last_bytes_ = bytes;
  return rate;
}

double Bitrate::mean_kbit_s(int64_t now_ns, uint64_t bytes) const {
  return kbit_s(bytes - start_bytes_, now_ns - start_ns_);
}

}  // namespace sluice
