#include "plugins/sinks/tcp/connection_watch.hpp"

namespace sluice {
namespace {

constexpr uint32_t kSegmentBytes = 1460;     // on Ethernet
constexpr uint64_t kSegmentsInABuffer = 17;  // MAX_SKB_FRAGS of Linux

}  // namespace

ConnectionWatch::Limits ConnectionWatch::limits_of(uint64_t chunk_bytes, uint64_t lead_bytes) {
  return {std::max(kLimitBytes, lead_bytes + std::max(lead_bytes / 2, 3 * chunk_bytes)),
          std::max({kLimitBytes, (kSegmentsInABuffer + 3) * chunk_bytes, lead_bytes})};
}

void ConnectionWatch::begin(int64_t now_ns) {
  sign_handed_ = sign_window_end_ = window_end_ = 0;
  since_ns_ = held_ns_ = probe_ns_ = now_ns;
  is_placed_ = has_read_ = is_held_ = is_not_reading_ = false;
}

void ConnectionWatch::look(const sluice_stream_info& info, uint64_t handed, bool is_blocked,
                           int64_t now_ns) {
  window_end_ = std::max(window_end_, info.acknowledged_bytes + info.peer_window_bytes);
  const bool is_first = !is_placed_ && info.acknowledged_bytes > 0;
  const uint64_t moved = window_end_ - sign_window_end_;
  const bool has_read = is_placed_ && moved > (handed - sign_handed_) / 4 && moved > 0;
  if (is_first) {
    is_placed_ = true;
    sign_window_end_ = window_end_;
  }
  if (has_read) {
    has_read_ = true;
    is_held_ = false;
    sign_handed_ = handed;
    sign_window_end_ = window_end_;
  }
  // A window that is open for a segment would have closed, had what is unsent arrived unread.
  const bool is_on_its_way = info.unsent_bytes > 0 && info.peer_window_bytes >= kSegmentBytes;
  if (is_first || has_read || is_on_its_way || !(is_held_ || is_blocked)) {
    since_ns_ = now_ns;
    is_not_reading_ = false;
  } else if (now_ns - since_ns_ >= kNotReadingNs) {
    is_not_reading_ = true;
  }
}

uint64_t ConnectionWatch::allowance(uint64_t handed, int64_t now_ns) const {
  if (handed < end()) return end() - handed;
  return is_held_ && now_ns >= probe_ns_ ? probe_ : 0;
}

void ConnectionWatch::hold(int64_t now_ns) {
  if (is_held_) return;
  is_held_ = true;
  held_ns_ = now_ns;
  probe_ns_ = now_ns + kEarlyProbeNs;
}

void ConnectionWatch::note_handed(int64_t now_ns) {
  if (!is_held_) return;
  probe_ns_ = now_ns + (now_ns - held_ns_ < kEarlyNs ? kEarlyProbeNs : kProbeNs);
}

}  // namespace sluice
