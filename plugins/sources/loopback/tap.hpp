// What one program plays into an output, captured by itself, so that it can be mixed with others'
// at the pace of the output. [worker]
#pragma once

#include <sluice/plugin.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "plugins/sources/loopback/pulse.hpp"

namespace loopback {

class Tap {
 public:
  // Begins to capture the stream `input_index` (a sink input) that plays into the output whose
  // monitor is `monitor`.
  Tap(pa_context& context, const sluice_format& format, uint32_t fragment_frames,
      uint32_t input_index, const std::string& monitor);
  Tap(const Tap&) = delete;
  Tap& operator=(const Tap&) = delete;

  uint32_t input_index() const { return input_index_; }
  // Adds the next `frames` frames to `mix`; what has not come yet is silence. It begins one
  // fragment behind what came first, and so never runs dry by a fragment that is on its way.
  void add_to(std::byte* mix, uint32_t frames);

 private:
  void take_all();

  const sluice_format format_;
  const uint32_t frame_bytes_, fragment_frames_, input_index_;
  bool is_begun_ = false;
  std::vector<std::byte> waiting_;  // captured, not mixed yet
  Stream stream_;
};

}  // namespace loopback
