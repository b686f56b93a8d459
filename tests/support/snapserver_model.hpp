// How Snapserver 0.26 reads a tcp:// stream, on the clock of the test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "tests/support/worker_driver.hpp"

namespace sluice::tests {

// Takes one connection at a time. Reads one chunk of 20 ms, then waits for the tick of its own
// clock at which the next is due. A chunk that is whole only behind its tick is a resync: the
// timeline begins again with the next chunk, and listeners hear a gap (AsioStream::do_read in
// server/streamreader/asio_stream.hpp).
class SnapserverModel final : public Participant {
 public:
  static constexpr int64_t kChunkNs = 20'000'000;

  // `ppm`: how much faster than the test's clock its own runs.
  SnapserverModel(WorkerDriver& driver, uint32_t chunk_bytes, double ppm);
  ~SnapserverModel() override;

  // Called with every chunk it has read.
  void on_chunk(std::function<void(std::span<const std::byte>)> action) {
    on_chunk_ = std::move(action);
  }
  uint64_t resyncs() const { return resyncs_; }
  uint64_t chunks() const { return chunks_; }

  void act() override;
  int64_t wake_ns() override;

 private:
  int64_t tick_ns() const;

  WorkerDriver& driver_;
  const double tick_length_ns_;
  std::vector<std::byte> chunk_;
  size_t filled_ = 0;
  std::function<void(std::span<const std::byte>)> on_chunk_;
  sluice_listener* listener_ = nullptr;
  sluice_stream* stream_ = nullptr;
  int64_t start_ns_ = 0;     // of the timeline
  uint64_t ticks_ = 0;       // since then
  bool is_reading_ = false;  // a chunk, as opposed to waiting for its tick
  bool is_first_ = true;
  uint64_t chunks_ = 0, resyncs_ = 0;
};

}  // namespace sluice::tests
