// One open ALSA PCM: negotiated, started, read or written without ever blocking, and recovered.
#pragma once

#include <alsa/asoundlib.h>
#include <poll.h>
#include <sluice/plugin.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "offered.hpp"
#include "trouble.hpp"

namespace alsa {

// [control] until start, then for one thread [worker].
//
// Conversion of sample formats and channels inside ALSA is asked for only where a PCM offers none
// of our formats otherwise, and of rates never: a PCM then says what it really has, and what is to
// be converted is converted in the graph.
class Pcm {
 public:
  Pcm() = default;
  ~Pcm() { close(); }
  Pcm(const Pcm&) = delete;
  Pcm& operator=(const Pcm&) = delete;

  // Opens the PCM and looks at what it offers.
  Trouble open(const std::string& name, Direction direction);
  bool is_open() const { return pcm_ != nullptr; }
  void close() noexcept;
  const Offered& offered() const { return offered_; }
  const std::string& name() const { return name_; }
  // What names its clock: the card ("hw:PCH"), or of snd-aloop the cable ("hw:Loopback,0,3"), whose
  // two ends are one clock; the name of the PCM where it has no card or is not open.
  std::string clock_id() const;

  // Sets it up: this format exactly, and as near as the device can to periods of `period_frames`
  // and `periods` of them. Mapped into memory where it can be. Hardware that captures is set to
  // parts of a period, and wakes when there is about a whole one.
  Trouble set_up(const sluice_format& format, uint32_t period_frames, uint32_t periods);
  uint32_t period_frames() const { return period_frames_; }
  // It wakes at the ends of its periods alone, so whole ones are to be taken.
  bool wakes_at_periods() const { return parts_ == 1; }
  uint32_t buffer_frames() const { return buffer_frames_; }
  bool is_mapped() const { return is_mapped_; }

  // Starts it, playback with what has been written.
  Trouble start();
  // After an xrun that stopped it, or before a new start: as freshly set up.
  Trouble restart();

  // What to poll for. Filled in again after each set_up.
  const std::vector<pollfd>& descriptors() const { return descriptors_; }
  // To be called before each poll: plugins may have told of room that is taken by now.
  void will_be_polled();
  // Tells ALSA what poll answered, in the same order; plugins count on it. True if there is
  // something to do: frames, or a change of state.
  bool woken(pollfd* answered);

  // From how much on playback wakes for room: a period at first.
  void wake_for(uint32_t room_frames);

  enum class State : uint8_t { kRunning, kStopped, kXrun, kSuspended, kGone };
  State state() const;

  // Frames to read, or room to write, when the device last said so, at the end of a period mostly;
  // more than the buffer while an xrun goes on. Negative: an error of ALSA, -EPIPE for an xrun that
  // stopped it.
  int64_t available();
  // The same as it is now, for a system call.
  int64_t available_now();
  // Frames between here and the loudspeaker or microphone; negative: not known.
  int64_t delay_frames();
  // Moves at most `frames` frames; how many, or a negative error. Never blocks.
  int64_t read(void* frames_to, uint32_t frames);
  int64_t write(const void* frames_from, uint32_t frames);
  // Passes over frames without moving them; how many, or a negative error.
  int64_t pass_over(uint64_t frames);
  // Begins to play out what is in the buffer.
  void drain();
  bool is_drained() const;

  Trouble trouble(const char* doing, int64_t error) const {
    return running_trouble(name_, doing, static_cast<int>(error));
  }

 private:
  template <typename Copy>
  int64_t through_map(uint32_t frames, Copy copy);

  snd_pcm_t* pcm_ = nullptr;
  std::string name_;
  Direction direction_ = Direction::kCapture;
  Offered offered_;
  uint32_t period_frames_ = 0, buffer_frames_ = 0, parts_ = 1;
  size_t frame_bytes_ = 0;
  bool is_mapped_ = false;
  std::vector<pollfd> descriptors_;
};

}  // namespace alsa
