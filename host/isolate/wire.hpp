// What lies in the memory that the host and the process of an isolated node share, and the kinds of
// messages on the socket between them. Both ends are the same program, so layouts agree.
//
// There are two areas, each written by one side alone: the host's (the node's process maps it
// read-only) and the node's (the host maps it read-only). Each begins with the words of `Side`,
// then the message its owner sent last, then room for the frames of each port.
#pragma once

#include <sluice/plugin.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace sluice::isolate {

inline constexpr uint32_t kMostPorts = 64;
inline constexpr uint32_t kMostMarks = 512;  // in one block
inline constexpr uint32_t kMostEvents = 64;  // in one block
inline constexpr uint32_t kMostPosts = 256;  // between two messages of the node
inline constexpr uint32_t kMostWaits = 32;   // in one wait
inline constexpr uint32_t kMostStatistics = 256;
inline constexpr uint32_t kMostParameters = 1024;
inline constexpr uint32_t kMostTextBytes = 512;
inline constexpr uint32_t kMostPacketBytes = 1u
                                             << 16;  // of one packet, or of one piece of a stream

// Messages in shared memory. Between kProcess and kProcessed, and between kRun and kRunEnded, the
// node's process may ask; the host answers each question with kAnswer.
enum class Op : uint32_t {
  kNone,
  // from the host
  kProcess,
  kRun,
  kAnswer,
  kEnd,
  // from the node
  kProcessed,
  kRunEnded,
  kFlush,  // posts alone
  kWait,
  kBeginRead,
  kBeginWrite,
  kNextMark,
  kAvailable,
  kReserve,
  kCommit,
  kPeek,
  kLastRead,
  kPlayed,
  kCycle,
  kConnect,
  kListen,
  kAccept,
  kSend,
  kReceive,
  kStreamInfo,
  kFinish,
  kClose,
  kCloseListener,
};

// What fits into `to`, with a final zero.
template <size_t bytes>
void copy_text(std::array<char, bytes>& to, std::string_view text) {
  const size_t count = std::min(text.size(), bytes - 1);
  std::memcpy(to.data(), text.data(), count);
  to[count] = '\0';
}

// What the node told the host without waiting for an answer, in order; rides on its next message.
struct Post {
  enum Kind : uint32_t { kMark, kUpstream, kEndRead, kEndWrite, kDrop, kDiscard, kPop, kPublish };
  uint32_t kind;
  uint32_t port;
  uint64_t frames;  // kUpstream: the code
  int64_t time_ns;
  double position_frames, ratio;  // kPublish
  sluice_mark mark;
};

struct PortFrames {
  uint32_t frames;  // offered, or room
  uint32_t flags;
  uint64_t position;
  int64_t capture_ns;
  uint32_t mark_count;
  // answers
  uint32_t moved;  // consumed or produced
  uint32_t wanted;
  uint32_t reserved;
};

struct WaitItem {
  uint32_t kind, port, amount, ready;
  uint32_t handle;  // of a stream or listener
};

// Members that an operation does not name hold what was there before. Frames lie at the places that
// PortRoom says, what is below and in Message in the message itself.
struct MessageHead {
  Op op;
  int32_t result;
  uint32_t port;
  uint32_t amount;
  uint32_t handle;
  uint32_t input_count, output_count, event_count, wait_count, post_count;
  uint32_t changed_count;  // parameters: `changed_index`, `changed_value`
  uint32_t priority;       // real-time priority of the host's thread
  uint64_t frames;
  uint64_t position;
  int64_t time_ns;  // deadline, or capture time
  int64_t now_ns;   // of a virtual clock; SLUICE_NO_TIME: ask CLOCK_MONOTONIC
  sluice_reading reading;
  sluice_packet packet;
  sluice_mark mark;
  sluice_stream_info info;
  sluice_stream_options options;
};
struct Message : MessageHead {
  std::array<PortFrames, kMostPorts> inputs;
  std::array<PortFrames, kMostPorts> outputs;
  std::array<WaitItem, kMostWaits> waits;
  std::array<sluice_event, kMostEvents> events;
  std::array<sluice_mark, kMostMarks> marks;  // of all inputs, one after the other
  std::array<Post, kMostPosts> posts;
  std::array<sluice_slot, kMostStatistics> slots;
  std::array<uint32_t, kMostParameters> changed_index;
  std::array<double, kMostParameters> changed_value;
  std::array<char, kMostTextBytes> text, peer;
  std::array<std::byte, kMostPacketBytes> bytes;
};

// The head of an area.
struct Side {
  // Messages sent. The other side sleeps on it.
  alignas(64) std::atomic<uint32_t> turn;
  // Set while the owner sleeps on the other's turn.
  alignas(64) std::atomic<uint32_t> is_asleep;
  alignas(64) Message message;
};
static_assert(std::atomic<uint32_t>::is_always_lock_free);

// Where the frames of a port lie in the area of the one who writes them: inputs in the host's,
// outputs in the node's.
struct PortRoom {
  uint64_t offset_bytes = 0;
  uint32_t frames = 0;
  uint32_t frame_bytes = 0;
};

// Messages on the socket. The host's are each answered by kReply.
enum class Note : uint32_t {
  kCreate = 1,
  kDescribe,
  kPrepare,
  kAttach,  // with the descriptors of both areas
  kStart,   // devices
  kStop,
  kSave,  // state.h
  kLoad,
  kRelease,
  kReply,
  // from the node
  kLog,
  kState,
  kListen,  // answered by kListening
  kListening,
};

}  // namespace sluice::isolate
