// Marks "an audio call is running on this thread", for whoever must behave differently inside one:
// the host functions offered to plugins, and the guard in the tests that aborts on an allocation, a
// lock or a system call.
#pragma once

#include <atomic>
#include <cstdint>

namespace sluice::support {

namespace detail {
// Depth, not a flag: a device's cycle runs the process calls of its lane. Local-exec TLS in an
// executable: reading or writing it is one instruction.
inline thread_local constinit uint32_t audio_section_depth = 0;
}  // namespace detail

// Around every call of process and every cycle of a device. [any]
class AudioSection {
 public:
  // The fences cost nothing; they keep the compiler, which knows that malloc never looks at the
  // depth, from moving it across.
  AudioSection() noexcept {
    ++detail::audio_section_depth;
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  ~AudioSection() {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    --detail::audio_section_depth;
  }
  AudioSection(const AudioSection&) = delete;
  AudioSection& operator=(const AudioSection&) = delete;
};

// Whether the calling thread is inside an AudioSection. [any]
inline bool is_in_audio_section() noexcept { return detail::audio_section_depth != 0; }

// Lifts the mark for its lifetime: around the system call that wakes another lane, and around a
// guard's own report. [any]
class AudioSectionPause {
 public:
  AudioSectionPause() noexcept : depth_(detail::audio_section_depth) {
    detail::audio_section_depth = 0;
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  ~AudioSectionPause() {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    detail::audio_section_depth = depth_;
  }
  AudioSectionPause(const AudioSectionPause&) = delete;
  AudioSectionPause& operator=(const AudioSectionPause&) = delete;

 private:
  const uint32_t depth_;
};

}  // namespace sluice::support
