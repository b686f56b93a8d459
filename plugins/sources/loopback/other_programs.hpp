// What other programs play into an output, where Sluice itself plays into it too: their streams,
// captured one by one and mixed. [worker]
#pragma once

#include <sluice/plugin.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "plugins/sources/loopback/pulse.hpp"
#include "plugins/sources/loopback/tap.hpp"

namespace loopback {

class OtherPrograms {
 public:
  void prepare(const sluice_format& format, uint32_t fragment_frames);

  // A new list of who plays: begin, note each stream of the server and each of its clients, end,
  // then take.
  void begin_list();
  void note(const pa_sink_input_info& info, uint32_t output_index);
  // PipeWire's own clients (ALSA's plugin pipewire among them) say nothing of their process with
  // their streams.
  void note(const pa_client_info& client);
  void end_list();
  // How many of the streams in the list are Sluice's, isolated nodes among them.
  uint32_t own_count() const { return own_count_; }
  // Captures the others from now on, if they `must` be captured apart. True if that is a change.
  bool take(pa_context& context, const std::string& monitor, bool must);

  // They are captured apart.
  bool is_mixing() const { return is_mixing_; }
  // The next frames of all of them together; they last until the next call.
  const std::byte* mix(uint32_t frames);
  // The output is given up.
  void clear();

 private:
  struct Player {
    uint32_t input, client;  // as the server counts them
    pid_t process;           // 0: not known
  };

  sluice_format format_{};
  uint32_t fragment_frames_ = 0;
  std::vector<Player> players_;  // in the list that is being made
  std::vector<uint32_t> others_;
  uint32_t own_count_ = 0;
  bool is_mixing_ = false;
  std::vector<std::unique_ptr<Tap>> taps_;
  std::vector<std::byte> mix_;
};

}  // namespace loopback
