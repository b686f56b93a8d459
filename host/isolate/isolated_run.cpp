// What the driver of an isolated node does: hands blocks and calls over, and stands in while nobody
// is there to take them.
#include <time.h>

#include <algorithm>
#include <cstring>
#include <sluice/frames.hpp>

#include "host/engine/node.hpp"
#include "host/isolate/isolated_node.hpp"
#include "host/support/audio_section.hpp"

namespace sluice::isolate {
namespace {

// The longest that audio waits for an answer where a clock goes on meanwhile. What stands in front
// holds at least twice as much (EngineOptions::crossing_ms).
constexpr int64_t kLateNs = 50'000'000;
// Elsewhere nobody minds: who hangs is ended by the keeper.
constexpr int64_t kPatientNs = 60'000'000'000;
// How long a wait goes on unaware of an end.
constexpr int64_t kSliceNs = 20'000'000;
constexpr int64_t kPaceNs = 10'000'000;
// After the node was told to stop.
constexpr int64_t kFarewellNs = 1'000'000'000;

constexpr const char* kAway = "its process is away";

}  // namespace

NodeProcess* IsolatedNode::process_in_use() {
  if (in_use_ && in_use_->is_gone()) let_go();
  if (!in_use_) {
    in_use_ = offered_.exchange(nullptr, std::memory_order_acq_rel);
    is_late_ = false;
    if (in_use_ && in_use_->is_gone()) {
      let_go();
    } else if (in_use_) {
      const support::AudioSectionPause pause;  // once for each process
      server_.begin(*in_use_);
    }
  }
  return in_use_;
}

void IsolatedNode::let_go() {
  in_use_->is_let_go.store(true, std::memory_order_release);
  in_use_ = nullptr;
  is_late_ = false;
}

// Until the process has posted. If it has not after `patience_ns`, or has ended: false.
bool IsolatedNode::await_turn(int64_t patience_ns) {
  int64_t now_ns = real_now_ns();
  const int64_t deadline_ns = now_ns + patience_ns;
  in_use_->awaited_turn.store(in_use_->turns.seen(), std::memory_order_relaxed);
  in_use_->awaited_since_ns.store(now_ns, std::memory_order_release);
  for (;;) {
    if (in_use_->turns.wait(std::min(deadline_ns, now_ns + kSliceNs))) {
      in_use_->awaited_since_ns.store(0, std::memory_order_release);
      return true;
    }
    now_ns = real_now_ns();
    if (in_use_->is_gone() || now_ns >= deadline_ns) return false;
  }
}

// ---- Passive nodes

void IsolatedNode::put_block(const sluice_block& block) {
  Message& to = in_use_->own().message;
  to.input_count = block.input_count;
  to.output_count = block.output_count;
  uint32_t marks = 0;
  for (uint32_t i = 0; i < block.input_count; ++i) {
    const sluice_input& in = block.inputs[i];
    const PortRoom& room = server_.room(inputs_[i]);
    const uint32_t frames = std::min(in.frames, room.frames);
    const uint32_t mark_count = std::min(in.mark_count, kMostMarks - marks);
    if (frames != 0) {
      std::memcpy(in_use_->input_frames(room), in.data, size_t{frames} * room.frame_bytes);
    }
    std::copy_n(in.marks, mark_count, to.marks.begin() + marks);
    marks += mark_count;
    // What does not fit is no end.
    const uint32_t flags = frames < in.frames ? in.flags & ~uint32_t{SLUICE_INPUT_ENDED} : in.flags;
    to.inputs[i] = {frames, flags, in.position, in.capture_ns, mark_count, 0, 0, 0};
  }
  for (uint32_t i = 0; i < block.output_count; ++i) {
    const sluice_output& out = block.outputs[i];
    const uint32_t frames = std::min(out.frames, server_.room(outputs_[i]).frames);
    to.outputs[i] = {frames, out.flags, out.position, out.capture_ns, 0, 0, 0, 0};
  }
  to.event_count = std::min(block.event_count, kMostEvents);
  std::copy_n(block.events, to.event_count, to.events.begin());
}

// Serves the process until it is done with the block. False if it is late or has ended.
bool IsolatedNode::take_block(sluice_block& block, sluice_status& status) {
  const bool is_hurried = engine::Node::of(&host_).is_clocked.load(std::memory_order_relaxed);
  for (;;) {
    if (!await_turn(is_hurried && !is_virtual_ ? kLateNs : kPatientNs)) return false;
    const MessageHead head = server_.take(*in_use_);
    if (head.op == Op::kProcessed) {
      status = static_cast<sluice_status>(head.result);
      break;
    }
    server_.answer(*in_use_, head);
    server_.send(*in_use_, Op::kAnswer);
  }
  const Message& asked = in_use_->own().message;
  const Message& from = in_use_->other().message;
  for (uint32_t i = 0; i < block.input_count; ++i) {
    PortFrames moved;
    std::memcpy(&moved, &from.inputs[i], sizeof(moved));
    block.inputs[i].consumed = std::min(moved.moved, asked.inputs[i].frames);
    block.inputs[i].wanted = std::min(moved.wanted, server_.room(inputs_[i]).frames);
  }
  for (uint32_t i = 0; i < block.output_count; ++i) {
    PortFrames moved;
    std::memcpy(&moved, &from.outputs[i], sizeof(moved));
    sluice_output& out = block.outputs[i];
    const PortRoom& room = server_.room(outputs_[i]);
    out.produced = std::min(moved.moved, asked.outputs[i].frames);
    out.capture_ns = moved.capture_ns;
    if (out.produced == 0) continue;
    std::memcpy(out.data, in_use_->output_frames(room), size_t{out.produced} * room.frame_bytes);
    server_.fade(outputs_[i]).pass(static_cast<std::byte*>(out.data), out.produced);
  }
  if (status == SLUICE_STATUS_FAILED) {
    std::memcpy(literal_.data(), from.text.data(), literal_.size());
    literal_.back() = '\0';
    if (literal_[0] != '\0') host_.fail(&host_, SLUICE_ERROR_INTERNAL, literal_.data());
  }
  return true;
}

sluice_status IsolatedNode::process(sluice_block& block) {
  NodeProcess* const process = process_in_use();
  if (process && is_late_ && process->turns.is_there()) {
    // What it says now is about a block whose place is taken.
    process->turns.wait(0);
    const MessageHead head = server_.take_late(*process);
    is_late_ = head.op != Op::kProcessed;
    if (is_late_) {
      server_.answer(*process, head);
      server_.send(*process, Op::kAnswer);
    } else {
      process->awaited_since_ns.store(0, std::memory_order_release);
    }
  }
  if (process && !is_late_) {
    put_block(block);
    server_.send(*process, Op::kProcess);
    sluice_status status = SLUICE_STATUS_CONTINUE;
    if (take_block(block, status)) {
      is_standing_in_ = false;
      return status;
    }
    is_late_ = !process->is_gone();
  }
  if (is_virtual_) return fail_for_good();
  return stand_in(block);
}

// In virtual time nobody listens who would rather have silence than an error.
sluice_status IsolatedNode::fail_for_good() {
  for (int left = 5000; !has_failed_.load(std::memory_order_acquire) && left != 0; --left) {
    const support::AudioSectionPause pause;
    const timespec moment{0, 1'000'000};
    nanosleep(&moment, nullptr);
  }
  host_.fail(&host_, SLUICE_ERROR_INTERNAL,
             has_failed_ ? literal_.data() : "The plugin's process ended.");
  return SLUICE_STATUS_FAILED;
}

// Frames of silence to make, at the rate of the first PCM port: as many as every input has and
// every output has room for.
uint64_t IsolatedNode::silent_frames(const sluice_block& block, bool& is_over) const {
  const uint64_t rate_hz = std::max(1U, reference_rate_hz_);
  uint64_t frames = UINT64_MAX;
  is_over = block.input_count != 0;
  bool has_input = false;
  for (uint32_t i = 0; i < block.input_count; ++i) {
    const sluice_input& in = block.inputs[i];
    const uint32_t own_hz = ports_[inputs_[i]].format.rate_hz;
    const bool has_ended = (in.flags & SLUICE_INPUT_ENDED) != 0;
    is_over &= has_ended && in.frames == 0;
    if (server_.room(inputs_[i]).frames == 0 || (has_ended && in.frames == 0)) continue;
    has_input = true;
    frames = std::min(frames, in.frames * rate_hz / own_hz);
  }
  // A decoder's packets, thrown away, are as long as they say; the rest of its kind has no pace.
  if (!has_input && block.input_count != 0) frames = is_over ? 0 : packet_frames_;
  for (uint32_t i = 0; i < block.output_count; ++i) {
    const uint32_t own_hz = ports_[outputs_[i]].format.rate_hz;
    if (server_.room(outputs_[i]).frames == 0) continue;
    frames = std::min(frames, block.outputs[i].frames * rate_hz / own_hz);
  }
  return frames == UINT64_MAX ? 0 : frames;
}

void IsolatedNode::throw_packets_away() {
  for (const uint32_t port : inputs_) {
    if (type_.ports[port].kind != SLUICE_PACKETS) continue;
    sluice_packet packet{};
    packet.struct_size = sizeof(packet);
    while (server_.packets()->peek(&host_, port, &packet) == SLUICE_OK) {
      packet_frames_ += std::min<uint64_t>(packet.duration_frames, reference_rate_hz_);
      server_.packets()->pop(&host_, port);
    }
  }
}

// Takes the inputs as they come and gives as much silence, behind a ramp.
sluice_status IsolatedNode::stand_in(sluice_block& block) {
  if (!is_standing_in_) {
    std::fill(silent_.begin(), silent_.end(), 0);
    silent_total_ = packet_frames_ = 0;
  }
  throw_packets_away();
  bool is_over = false;
  const uint64_t frames = silent_frames(block, is_over);
  if (is_over) return SLUICE_STATUS_DRAINED;
  silent_total_ += frames;
  packet_frames_ -= std::min(packet_frames_, frames);
  // Rounded so that nothing drifts, however long it takes.
  const auto moved = [&](size_t at, uint32_t rate_hz, uint32_t most) {
    const uint64_t due = silent_total_ * rate_hz / std::max(1U, reference_rate_hz_) - silent_[at];
    const auto now = static_cast<uint32_t>(std::min<uint64_t>(due, most));
    silent_[at] += now;
    return now;
  };
  for (uint32_t i = 0; i < block.input_count; ++i) {
    sluice_input& in = block.inputs[i];
    if (server_.room(inputs_[i]).frames == 0) continue;
    in.consumed = moved(i, ports_[inputs_[i]].format.rate_hz, in.frames);
  }
  for (uint32_t i = 0; i < block.output_count; ++i) {
    sluice_output& out = block.outputs[i];
    const PortRoom& room = server_.room(outputs_[i]);
    if (room.frames == 0) continue;
    out.produced = moved(block.input_count + i, ports_[outputs_[i]].format.rate_hz, out.frames);
    server_.fade(outputs_[i]).fill(static_cast<std::byte*>(out.data), out.produced);
    if (is_standing_in_ || out.produced == 0) continue;
    const sluice_mark gap{sizeof(sluice_mark), SLUICE_MARK_GAP, out.position, SLUICE_NO_TIME,
                          out.produced};
    host_.mark(&host_, outputs_[i], &gap);
  }
  is_standing_in_ = true;
  return SLUICE_STATUS_CONTINUE;
}

// ---- Threaded nodes

sluice_result IsolatedNode::run() {
  sluice_result result = SLUICE_ERROR_STOPPED;
  for (;;) {
    if (process_in_use()) {
      const Served served = serve_run(result);
      if (served != Served::kGone) break;
      let_go();
    }
    if (is_virtual_) {
      fail_for_good();
      result = SLUICE_ERROR_INTERNAL;
      break;
    }
    if (!stand_in_until_back()) break;
  }
  is_done_ = true;
  return result;
}

bool IsolatedNode::is_stopping() {
  return server_.worker()->wait(&host_, nullptr, 0, host_.now_ns(&host_)) == SLUICE_ERROR_STOPPED;
}

IsolatedNode::Served IsolatedNode::serve_run(sluice_result& result) {
  NodeProcess& process = *in_use_;
  server_.send(process, Op::kRun);
  for (;;) {
    if (const Served served = await_question(); served != Served::kAsked) return served;
    const MessageHead head = server_.take(process);
    if (head.op == Op::kRunEnded) {
      result = head.result;
      std::memcpy(literal_.data(), process.other().message.text.data(), literal_.size());
      literal_.back() = '\0';
      if (literal_[0] != '\0') host_.fail(&host_, result, literal_.data());
      return Served::kEnded;
    }
    if (!server_.answer(process, head)) return Served::kGone;
    server_.send(process, Op::kAnswer);
  }
}

// While the plugin does not ask for anything, a sink's inputs must not hold up others.
IsolatedNode::Served IsolatedNode::await_question() {
  const int64_t since_ns = real_now_ns();
  int64_t stopping_since_ns = 0;
  Pace pace{0, std::vector<uint64_t>()};
  for (;;) {
    if (await_turn(kSliceNs)) return Served::kAsked;
    if (in_use_->is_gone()) return Served::kGone;
    // Told again by each wait, for the keeper.
    in_use_->awaited_since_ns.store(since_ns, std::memory_order_release);
    if (is_virtual_) continue;
    const int64_t now_ns = real_now_ns();
    if (is_stopping()) {
      if (stopping_since_ns == 0) stopping_since_ns = now_ns;
      if (now_ns - stopping_since_ns < kFarewellNs) continue;
      in_use_->kill();
      return Served::kStopped;
    }
    const bool is_hurried = engine::Node::of(&host_).is_clocked.load(std::memory_order_relaxed);
    if (!is_hurried || now_ns - since_ns < kLateNs) continue;
    if (pace.done_frames.empty()) pace = {since_ns, std::vector<uint64_t>(type_.port_count)};
    keep_pace(pace, false);
  }
}

bool IsolatedNode::stand_in_until_back() {
  Pace pace{host_.now_ns(&host_), std::vector<uint64_t>(type_.port_count)};
  while (offered_.load(std::memory_order_acquire) == nullptr) {
    const int64_t until_ns = host_.now_ns(&host_) + kPaceNs;
    if (server_.worker()->wait(&host_, nullptr, 0, until_ns) == SLUICE_ERROR_STOPPED) return false;
    keep_pace(pace, true);
  }
  return true;
}

// Inputs are thrown away, outputs are silent, as many frames as have passed.
void IsolatedNode::keep_pace(Pace& pace, bool has_outputs) {
  throw_packets_away();
  const sluice_worker_host& worker = *server_.worker();
  const int64_t now_ns = host_.now_ns(&host_);
  for (uint32_t port = 0; port < type_.port_count; ++port) {
    if (server_.room(port).frames == 0) continue;
    const uint64_t total = frames_of_ns(now_ns - pace.since_ns, ports_[port].format.rate_hz);
    const uint64_t due = total - pace.done_frames[port];
    if (type_.ports[port].direction == SLUICE_INPUT) {
      const uint64_t frames = std::min(due, worker.available(&host_, port));
      pace.done_frames[port] = total;
      if (frames == 0) continue;
      worker.discard(&host_, port, frames, kAway);
      server_.note_passed(port, frames);
    } else if (has_outputs) {
      sluice_write_span span{};
      span.struct_size = sizeof(span);
      const auto most = static_cast<uint32_t>(std::min<uint64_t>(due, UINT32_MAX));
      if (worker.begin_write(&host_, port, most, &span) != SLUICE_OK) continue;
      server_.fade(port).fill(static_cast<std::byte*>(span.data), span.frames);
      worker.end_write(&host_, port, span.frames, SLUICE_NO_TIME);
      pace.done_frames[port] = total;
    }
  }
}

}  // namespace sluice::isolate
