// How Snapserver 0.26 reads a tcp:// stream, on the clock of the test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "tests/support/worker_driver.hpp"

namespace sluice::tests {

// When it reads. One chunk of 20 ms, then it waits for the tick of its own clock at which the next
// is due. A chunk that is whole only behind its tick is a resync: the timeline begins again with
// the next chunk, and listeners hear a gap (AsioStream::do_read in
// server/streamreader/asio_stream.hpp). tests/integration/snapserver_model_test.cpp holds it
// against the real one. Not thread safe.
class SnapserverTimeline {
 public:
  static constexpr int64_t kChunkNs = 20'000'000;

  // `ppm`: how much faster than the clock of its caller its own runs.
  explicit SnapserverTimeline(double ppm)
      : tick_length_ns_(static_cast<double>(kChunkNs) / (1 + ppm * 1e-6)) {}

  // The next chunk is the first one of a connection.
  void begin() { is_first_ = true; }
  // A chunk has been read whole at now_ns. When it begins to read the next: at its tick, or now if
  // that is past.
  int64_t note_chunk(int64_t now_ns);

  uint64_t resyncs() const { return resyncs_; }
  // By how much its chunks were late, all in all.
  int64_t late_ns() const { return late_ns_; }

 private:
  const double tick_length_ns_;
  int64_t start_ns_ = 0;  // of the timeline
  uint64_t ticks_ = 0;    // since then
  bool is_first_ = true;
  uint64_t resyncs_ = 0;
  int64_t late_ns_ = 0;
};

// On the network of a test; takes one connection at a time.
class SnapserverModel final : public Participant {
 public:
  // `ppm`: how much faster than the test's clock its own runs.
  SnapserverModel(WorkerDriver& driver, uint32_t chunk_bytes, double ppm);
  ~SnapserverModel() override;

  // Called with every chunk it has read.
  void on_chunk(std::function<void(std::span<const std::byte>)> action) {
    on_chunk_ = std::move(action);
  }
  uint64_t resyncs() const { return timeline_.resyncs(); }
  uint64_t chunks() const { return chunks_; }

  void act() override;
  int64_t wake_ns() override;

 private:
  WorkerDriver& driver_;
  SnapserverTimeline timeline_;
  std::vector<std::byte> chunk_;
  size_t filled_ = 0;
  std::function<void(std::span<const std::byte>)> on_chunk_;
  sluice_listener* listener_ = nullptr;
  sluice_stream* stream_ = nullptr;
  bool is_reading_ = false;  // a chunk, as opposed to waiting for its tick
  int64_t read_ns_ = 0;      // when the next one is read
  uint64_t chunks_ = 0;
};

}  // namespace sluice::tests
