#include "tests/support/snapserver_model.hpp"

#include <cmath>
#include <cstdlib>

namespace sluice::tests {

int64_t SnapserverTimeline::note_chunk(int64_t now_ns) {
  if (is_first_) {
    is_first_ = false;
    start_ns_ = now_ns;
    ticks_ = 0;
  }
  ++ticks_;
  const int64_t tick_ns = start_ns_ + std::llround(static_cast<double>(ticks_) * tick_length_ns_);
  if (tick_ns >= now_ns) return tick_ns;
  ++resyncs_;
  late_ns_ += now_ns - tick_ns;
  is_first_ = true;
  return now_ns;
}

SnapserverModel::SnapserverModel(WorkerDriver& driver, uint32_t chunk_bytes, double ppm)
    : driver_(driver), timeline_(ppm), chunk_(chunk_bytes) {
  driver.add(*this);
  sluice_stream_options options{};
  options.struct_size = sizeof(options);
  auto listener = driver_.network().listen("127.0.0.1", 4953, options);
  if (!listener) std::abort();
  listener_ = *listener;
}

SnapserverModel::~SnapserverModel() {
  if (stream_) driver_.network().close(stream_, false);
  driver_.network().close_listener(listener_);
}

void SnapserverModel::act() {
  if (!stream_) {
    if (driver_.network().accept(listener_, &stream_) != SLUICE_OK) return;
    timeline_.begin();
    is_reading_ = true;
    filled_ = 0;
  }
  for (;;) {
    const int64_t now = driver_.now_ns();
    if (!is_reading_) {
      if (now < read_ns_) return;
      is_reading_ = true;
    }
    size_t received = 0;
    const sluice_result result = driver_.network().receive(stream_, chunk_.data() + filled_,
                                                           chunk_.size() - filled_, received);
    if (result == SLUICE_ERROR_AGAIN) return;
    if (result != SLUICE_OK || received == 0) {
      driver_.network().close(stream_, false);
      stream_ = nullptr;
      return;
    }
    filled_ += received;
    if (filled_ < chunk_.size()) continue;
    filled_ = 0;
    ++chunks_;
    if (on_chunk_) on_chunk_(chunk_);
    read_ns_ = timeline_.note_chunk(now);
    is_reading_ = read_ns_ <= now;
  }
}

int64_t SnapserverModel::wake_ns() {
  if (stream_ && !is_reading_) return read_ns_;
  int64_t wake_ns = SLUICE_FOREVER;
  std::vector<pollfd> none;
  driver_.network().poll_set(stream_ ? static_cast<const void*>(stream_) : listener_,
                             SLUICE_NET_READ, none, wake_ns);
  return wake_ns;
}

}  // namespace sluice::tests
