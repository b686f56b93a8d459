#include "plugins/sinks/tcp/connection_watch.hpp"

#include <algorithm>

namespace sluice {
namespace {

constexpr uint64_t kSegmentsInABuffer = 17;  // MAX_SKB_FRAGS of Linux

}  // namespace

uint64_t ConnectionWatch::limit_of(uint64_t chunk_bytes, uint64_t lead_bytes) {
  return std::max({kLimitBytes, (kSegmentsInABuffer + 3) * chunk_bytes, lead_bytes});
}

void ConnectionWatch::begin(int64_t now_ns) {
  sign_handed_ = sign_window_end_ = window_end_ = 0;
  since_ns_ = probe_ns_ = now_ns;
  is_placed_ = is_held_ = is_not_reading_ = false;
}

void ConnectionWatch::look(const sluice_stream_info& info, uint64_t handed, bool is_blocked,
                           int64_t now_ns) {
  window_end_ = std::max(window_end_, info.acknowledged_bytes + info.peer_window_bytes);
  const bool is_first = !is_placed_ && info.acknowledged_bytes > 0;
  const uint64_t moved = window_end_ - sign_window_end_;
  const bool has_read = is_placed_ && moved > (handed - sign_handed_) / 4 && moved > 0;
  if (is_first || has_read) {
    is_placed_ = true;
    is_held_ = false;
    sign_handed_ = handed;
    sign_window_end_ = window_end_;
  }
  if (is_first || has_read || !(is_held_ || is_blocked)) {
    since_ns_ = now_ns;
    is_not_reading_ = false;
  } else if (now_ns - since_ns_ >= kNotReadingNs) {
    is_not_reading_ = true;
  }
}

uint64_t ConnectionWatch::allowance(uint64_t handed, int64_t now_ns) const {
  const uint64_t sent = handed - sign_handed_;
  if (sent < limit_) return limit_ - sent;
  return is_held_ && now_ns >= probe_ns_ ? chunk_ : 0;
}

void ConnectionWatch::hold(int64_t now_ns) {
  if (!is_held_) probe_ns_ = now_ns + kProbeNs;
  is_held_ = true;
}

}  // namespace sluice
