// The host as the plugin in a process of its own sees it: each function asks the real one.
#include <algorithm>
#include <cstring>
#include <string_view>

#include "host/isolate/remote_node.hpp"
#include "host/support/thread.hpp"

namespace sluice::isolate {
namespace {

Post make_post(Post::Kind kind, uint32_t port, uint64_t frames = 0) {
  Post post{};
  post.kind = kind;
  post.port = port;
  post.frames = frames;
  return post;
}

// ---- sluice_host ----

void fail(const sluice_host* host, sluice_result, const char* sentence) {
  RemoteNode::of(host).fail(sentence);
}
void log(const sluice_host* host, uint32_t level, const char* sentence) {
  RemoteNode::of(host).tell(Note::kLog, level, sentence);
}
sluice_result value(const sluice_host* host, uint32_t index, sluice_value* value) {
  return RemoteNode::of(host).value(index, *value);
}
sluice_slot* slots(const sluice_host* host) { return RemoteNode::of(host).slots(); }
int64_t now_ns(const sluice_host* host) { return RemoteNode::of(host).now_ns(); }
void mark(const sluice_host* host, uint32_t port, const sluice_mark* mark) {
  Post post = make_post(Post::kMark, port);
  post.mark = *mark;
  RemoteNode::of(host).post(post);
}
void tell_upstream(const sluice_host* host, uint32_t port, uint32_t code) {
  RemoteNode::of(host).post(make_post(Post::kUpstream, port, code));
}
void set_state(const sluice_host* host, uint32_t state, const char* sentence) {
  RemoteNode::of(host).tell(Note::kState, state, sentence);
}

// ---- sluice_worker_host ----

sluice_result wait(const sluice_host* host, sluice_wait_item* items, uint32_t count,
                   int64_t deadline_ns) {
  return RemoteNode::of(host).wait({items, count}, deadline_ns);
}

sluice_result begin_read(const sluice_host* host, uint32_t port, uint32_t maximum,
                         sluice_read_span* span) {
  RemoteNode& node = RemoteNode::of(host);
  if (node.room_frames(port) == 0) return SLUICE_ERROR_ARGUMENT;
  node.message().port = port;
  node.message().amount = std::min(maximum, node.room_frames(port));
  const Message& answer = node.ask(Op::kBeginRead);
  if (answer.result != SLUICE_OK) return answer.result;
  const PortFrames& offered = answer.inputs[0];
  span->flags = offered.flags;
  span->data = node.input_frames(port);
  span->frames = offered.frames;
  span->position = offered.position;
  span->capture_ns = offered.capture_ns;
  node.note_span(1);
  return SLUICE_OK;
}

void end_read(const sluice_host* host, uint32_t port, uint32_t frames) {
  RemoteNode& node = RemoteNode::of(host);
  node.note_span(-1);
  if (frames != 0) node.post(make_post(Post::kEndRead, port, frames));
}

sluice_result begin_write(const sluice_host* host, uint32_t port, uint32_t maximum,
                          sluice_write_span* span) {
  RemoteNode& node = RemoteNode::of(host);
  if (node.room_frames(port) == 0) return SLUICE_ERROR_ARGUMENT;
  node.message().port = port;
  node.message().amount = std::min(maximum, node.room_frames(port));
  const Message& answer = node.ask(Op::kBeginWrite);
  if (answer.result != SLUICE_OK) return answer.result;
  span->data = node.output_frames(port);
  span->frames = answer.outputs[0].frames;
  span->position = answer.outputs[0].position;
  node.note_span(1);
  return SLUICE_OK;
}

void end_write(const sluice_host* host, uint32_t port, uint32_t frames, int64_t capture_ns) {
  RemoteNode& node = RemoteNode::of(host);
  node.note_span(-1);
  if (frames == 0) return;
  Post post = make_post(Post::kEndWrite, port, frames);
  post.time_ns = capture_ns;
  node.post(post);
}

void drop(const sluice_host* host, uint32_t port, uint64_t frames) {
  if (frames != 0) RemoteNode::of(host).post(make_post(Post::kDrop, port, frames));
}

sluice_result next_mark(const sluice_host* host, uint32_t port, uint64_t position,
                        sluice_mark* mark) {
  RemoteNode& node = RemoteNode::of(host);
  node.message().port = port;
  node.message().position = position;
  const Message& answer = node.ask(Op::kNextMark);
  if (answer.result == SLUICE_OK) *mark = answer.mark;
  return answer.result;
}

uint64_t available(const sluice_host* host, uint32_t port) {
  RemoteNode& node = RemoteNode::of(host);
  node.message().port = port;
  return node.ask(Op::kAvailable).frames;
}

void discard(const sluice_host* host, uint32_t port, uint64_t frames, const char* reason) {
  RemoteNode& node = RemoteNode::of(host);
  node.post(make_post(Post::kDiscard, port, frames));
  auto& text = node.message().text;
  const std::string_view why = reason ? reason : "";
  const size_t count = std::min(why.size(), text.size() - 1);
  std::memcpy(text.data(), why.data(), count);
  text[count] = '\0';
  node.ask(Op::kFlush);
}

// ---- sluice_thread_host ----

uint32_t raise_priority(const sluice_host* host, uint32_t priority, const char** why_not) {
  static thread_local support::SchedulingOutcome raised;
  *why_not = "";
  if (RemoteNode::of(host).is_virtual()) return 0;
  const auto wanted = static_cast<int>(priority);
  if (support::real_time_priority() < wanted) {
    raised = support::set_scheduling(support::Scheduling::kFifo, wanted);
    *why_not = raised.why_not.c_str();
  }
  return static_cast<uint32_t>(support::real_time_priority());
}

// ---- sluice_packet_host ----

sluice_result reserve(const sluice_host* host, uint32_t port, uint32_t size_bytes, void** data) {
  return RemoteNode::of(host).reserve(port, size_bytes, data);
}
sluice_result commit(const sluice_host* host, uint32_t port, const sluice_packet* packet) {
  return RemoteNode::of(host).commit(port, *packet);
}
sluice_result peek(const sluice_host* host, uint32_t port, sluice_packet* packet) {
  return RemoteNode::of(host).peek(port, *packet);
}
void pop(const sluice_host* host, uint32_t port) { RemoteNode::of(host).pop(port); }

// ---- sluice_clock_host, sluice_reader_host, sluice_play_host ----

void publish(const sluice_host* host, uint32_t port, double frames, int64_t monotonic_ns,
             double ratio) {
  Post post = make_post(Post::kPublish, port);
  post.position_frames = frames;
  post.ratio = ratio;
  post.time_ns = monotonic_ns;
  RemoteNode::of(host).post(post);
}

sluice_result last_read(const sluice_host* host, uint32_t port, sluice_reading* reading) {
  RemoteNode& node = RemoteNode::of(host);
  node.message().port = port;
  const Message& answer = node.ask(Op::kLastRead);
  if (answer.result == SLUICE_OK) {
    const uint32_t size = reading->struct_size;
    std::memcpy(reading, &answer.reading, std::min<size_t>(size, sizeof(*reading)));
    reading->struct_size = size;
  }
  return answer.result;
}

sluice_result played(const sluice_host* host, uint32_t port, uint64_t frames,
                     int64_t monotonic_ns) {
  RemoteNode& node = RemoteNode::of(host);
  Message& message = node.message();
  message.port = port;
  message.frames = frames;
  message.time_ns = monotonic_ns;
  return node.ask(Op::kPlayed).result;
}

// ---- sluice_device_host ----

void cycle(const sluice_host* host, const sluice_cycle* cycle) {
  RemoteNode::of(host).cycle(*cycle);
}

constexpr sluice_device_host kDeviceHost{cycle};
constexpr sluice_worker_host kWorkerHost{wait, begin_read, end_read,  begin_write, end_write,
                                         drop, next_mark,  available, discard};
constexpr sluice_thread_host kThreadHost{raise_priority};
constexpr sluice_packet_host kPacketHost{reserve, commit, peek, pop};
constexpr sluice_clock_host kClockHost{publish};
constexpr sluice_reader_host kReaderHost{last_read};
constexpr sluice_play_host kPlayHost{played};

const void* get_extension(const sluice_host* host, const char* id) {
  const std::string_view wanted = id;
  const bool is_threaded = RemoteNode::of(host).is_threaded();
  if (wanted == SLUICE_WORKER_HOST) return is_threaded ? &kWorkerHost : nullptr;
  if (wanted == SLUICE_THREAD_HOST) return is_threaded ? &kThreadHost : nullptr;
  if (wanted == SLUICE_DEVICE_HOST) {
    return RemoteNode::of(host).is_device() ? &kDeviceHost : nullptr;
  }
  if (wanted == SLUICE_PACKET_HOST) return &kPacketHost;
  if (wanted == SLUICE_CLOCK_HOST) return &kClockHost;
  if (wanted == SLUICE_READER_HOST) return &kReaderHost;
  if (wanted == SLUICE_PLAY_HOST) return &kPlayHost;
  if (wanted == SLUICE_NET_HOST) return is_threaded ? net_table() : nullptr;
  return nullptr;
}

// The sound system's thread gets what the host's has for the same device.
void raise_to(uint32_t priority) {
  static thread_local uint32_t asked_for = 0;
  if (priority <= asked_for) return;
  asked_for = priority;
  support::raise_to_real_time(static_cast<int>(priority));
}

}  // namespace

void fill_host(sluice_host& host, RemoteNode& node) {
  host.struct_size = sizeof(host);
  host.context = &node;
  host.get_extension = get_extension;
  host.fail = fail;
  host.log = log;
  host.value = value;
  host.slots = slots;
  host.now_ns = now_ns;
  host.mark = mark;
  host.tell_upstream = tell_upstream;
  host.set_state = set_state;
}

sluice_result RemoteNode::wait(std::span<sluice_wait_item> items, int64_t deadline_ns) {
  if (open_spans_ != 0) return SLUICE_ERROR_STATE;
  if (items.size() > kMostWaits) return SLUICE_ERROR_ARGUMENT;
  Message& to = message();
  std::vector<int> descriptors;
  for (size_t i = 0; i < items.size(); ++i) {
    const sluice_wait_item& item = items[i];
    to.waits[i] = {item.kind, item.port, item.amount, 0, 0};
    if (item.kind == SLUICE_WAIT_DESCRIPTOR) descriptors.push_back(item.descriptor);
    if (item.kind == SLUICE_WAIT_STREAM && item.object) {
      to.waits[i].handle = static_cast<const RemoteStream*>(item.object)->handle;
    }
  }
  if (!descriptors.empty() && !send_descriptors(kDescriptorDescriptor, descriptors)) {
    return SLUICE_ERROR_ARGUMENT;
  }
  to.wait_count = static_cast<uint32_t>(items.size());
  to.time_ns = deadline_ns;
  const Message& from = ask(Op::kWait);
  take_changes();
  for (size_t i = 0; i < items.size(); ++i) items[i].ready = from.waits[i].ready;
  return from.result;
}

// In pieces, if the device's period is longer than it said.
void RemoteNode::cycle(const sluice_cycle& cycle) {
  uint32_t most = cycle.frames;
  for (const PortRoom& room : rooms_) {
    if (room.frames != 0) most = std::min(most, room.frames);
  }
  for (uint32_t done = 0; done < cycle.frames;) {
    const uint32_t frames = std::min(most, cycle.frames - done);
    Message& to = message();
    for (size_t i = 0; i < output_ports_.size(); ++i) {
      const PortRoom& room = rooms_[output_ports_[i]];
      const auto* from =
          static_cast<const std::byte*>(cycle.captured ? cycle.captured[i] : nullptr);
      to.outputs[i].moved = from && room.frames != 0 ? frames : 0;
      if (to.outputs[i].moved == 0) continue;
      std::memcpy(output_frames(output_ports_[i]), from + size_t{done} * room.frame_bytes,
                  size_t{frames} * room.frame_bytes);
    }
    for (size_t i = 0; i < input_ports_.size(); ++i) {
      to.inputs[i].moved = cycle.played && cycle.played[i] ? frames : 0;
    }
    to.amount = frames;
    to.time_ns = cycle.time_ns;
    raise_to(ask(Op::kCycle).priority);
    for (size_t i = 0; i < input_ports_.size(); ++i) {
      const PortRoom& room = rooms_[input_ports_[i]];
      if (to.inputs[i].moved == 0 || room.frames == 0) continue;
      std::memcpy(static_cast<std::byte*>(cycle.played[i]) + size_t{done} * room.frame_bytes,
                  input_frames(input_ports_[i]), size_t{frames} * room.frame_bytes);
    }
    done += frames;
  }
}

sluice_result RemoteNode::reserve(uint32_t port, uint32_t size_bytes, void** data) {
  *data = nullptr;
  if (port >= packets_.size()) return SLUICE_ERROR_ARGUMENT;
  if (size_bytes > kMostPacketBytes) return SLUICE_ERROR_MEMORY;
  message().port = port;
  message().amount = size_bytes;
  const Message& from = ask(Op::kReserve);
  if (from.result != SLUICE_OK) return from.result;
  packets_[port].bytes.resize(std::max<size_t>(size_bytes, 1));
  *data = packets_[port].bytes.data();
  return SLUICE_OK;
}

sluice_result RemoteNode::commit(uint32_t port, const sluice_packet& packet) {
  if (port >= packets_.size() || packet.size_bytes > packets_[port].bytes.size()) {
    return SLUICE_ERROR_ARGUMENT;
  }
  message().port = port;
  message().packet = packet;
  std::memcpy(message().bytes.data(), packets_[port].bytes.data(), packet.size_bytes);
  return ask(Op::kCommit).result;
}

sluice_result RemoteNode::peek(uint32_t port, sluice_packet& packet) {
  if (port >= packets_.size()) return SLUICE_ERROR_ARGUMENT;
  Packets& held = packets_[port];
  if (!held.is_held) {
    message().port = port;
    const Message& from = ask(Op::kPeek);
    if (from.result != SLUICE_OK) return from.result;
    held.packet = from.packet;
    held.bytes.assign(from.bytes.begin(), from.bytes.begin() + from.packet.size_bytes);
    held.is_held = true;
  }
  const uint32_t size = packet.struct_size;
  std::memcpy(&packet, &held.packet, std::min<size_t>(size, sizeof(packet)));
  packet.struct_size = size;
  packet.data = held.bytes.data();
  return SLUICE_OK;
}

void RemoteNode::pop(uint32_t port) {
  if (port >= packets_.size() || !packets_[port].is_held) return;
  packets_[port].is_held = false;
  post(make_post(Post::kPop, port));
}

}  // namespace sluice::isolate
