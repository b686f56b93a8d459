// The C functions behind sluice_host and its extensions: thin, each finds its node and forwards.
#include <algorithm>
#include <cstring>
#include <string_view>

#include "host/engine/lane.hpp"
#include "host/engine/net/network.hpp"
#include "host/engine/node.hpp"
#include "host/support/audio_section.hpp"

namespace sluice::engine {
namespace {

// ---- sluice_host ----

void fail(const sluice_host* host, sluice_result result, const char* sentence) {
  Node::of(host).fail(result, sentence);
}

void log(const sluice_host* host, uint32_t level, const char* sentence) {
  const Node& node = Node::of(host);
  if (node.services().log) node.services().log->write(node.id(), level, sentence);
}

sluice_result value(const sluice_host* host, uint32_t index, sluice_value* value) {
  return Node::of(host).value(index, *value);
}

sluice_slot* slots(const sluice_host* host) { return Node::of(host).slots(); }

int64_t now_ns(const sluice_host* host) { return Node::of(host).services().clock->now_ns(); }

void mark(const sluice_host* host, uint32_t port, const sluice_mark* mark) {
  Node& node = Node::of(host);
  if (OutputPort* output = node.output_at(port)) {
    output->marks.write(*mark);
    node.lane->note_news(*output);
  }
}

void tell_upstream(const sluice_host* host, uint32_t port, uint32_t code) {
  Node& node = Node::of(host);
  if (InputPort* input = node.input_at(port)) node.lane->tell_upstream(*input, code);
}

void set_state(const sluice_host* host, uint32_t state, const char* sentence) {
  if (state < SLUICE_STATE_STARTING || state > SLUICE_STATE_ASLEEP) return;
  Node::of(host).set_state(static_cast<NodeState>(state), sentence);
}

// ---- sluice_worker_host ----

sluice_result wait(const sluice_host* host, sluice_wait_item* items, uint32_t count,
                   int64_t deadline_ns) {
  Node& node = Node::of(host);
  return node.lane->wait(node, {items, count}, deadline_ns);
}

sluice_result begin_read(const sluice_host* host, uint32_t port, uint32_t maximum,
                         sluice_read_span* span) {
  Node& node = Node::of(host);
  InputPort* input = node.input_at(port);
  if (!input || !input->is_pcm()) return SLUICE_ERROR_ARGUMENT;
  const InputView view = input->begin(maximum);
  span->flags = view.flags;
  span->data = view.data;
  span->frames = view.frames;
  span->position = view.position;
  span->capture_ns = view.capture_ns;
  if (view.capture_ns != SLUICE_NO_TIME && view.frames != 0) {
    input->measured_latency_ns.store(node.services().clock->now_ns() - view.capture_ns,
                                     std::memory_order_relaxed);
  }
  node.lane->note_span(1);
  return SLUICE_OK;
}

void end_read(const sluice_host* host, uint32_t port, uint32_t frames) {
  Node& node = Node::of(host);
  InputPort* input = node.input_at(port);
  if (!input) return;
  input->end(frames);
  node.lane->note_span(-1);
  if (frames != 0) node.lane->note_release(*input);
}

sluice_result begin_write(const sluice_host* host, uint32_t port, uint32_t maximum,
                          sluice_write_span* span) {
  Node& node = Node::of(host);
  OutputPort* output = node.output_at(port);
  if (!output || !output->is_pcm()) return SLUICE_ERROR_ARGUMENT;
  const WriteSpan room = output->begin(maximum);
  span->data = room.data;
  span->frames = static_cast<uint32_t>(std::min<uint64_t>(
      room.frames, output->end_frame - std::min(output->end_frame, room.position)));
  span->position = room.position;
  output->open_span = room.data;
  node.lane->note_span(1);
  return SLUICE_OK;
}

void end_write(const sluice_host* host, uint32_t port, uint32_t frames, int64_t capture_ns) {
  Node& node = Node::of(host);
  OutputPort* output = node.output_at(port);
  if (!output) return;
  if (frames != 0) {
    if (node.lane->is_metered()) output->meter.add(output->open_span, frames, output->format);
    output->commit(frames, capture_ns);
    node.lane->note_commit(*output);
    if (output->ring->write_position() >= output->end_frame) node.lane->request_head_stop();
  } else {
    output->ring->end_write(0);
  }
  node.lane->note_span(-1);
}

void drop(const sluice_host* host, uint32_t port, uint64_t frames) {
  Node& node = Node::of(host);
  OutputPort* output = node.output_at(port);
  if (!output || frames == 0 || output->ring->write_position() >= output->end_frame) return;
  output->drop(frames);
  node.lane->note_news(*output);
}

sluice_result next_mark(const sluice_host* host, uint32_t port, uint64_t position,
                        sluice_mark* mark) {
  InputPort* input = Node::of(host).input_at(port);
  if (!input || !input->is_pcm()) return SLUICE_ERROR_ARGUMENT;
  return input->take_mark(position, *mark) ? SLUICE_OK : SLUICE_ERROR_AGAIN;
}

uint64_t available(const sluice_host* host, uint32_t port) {
  InputPort* input = Node::of(host).input_at(port);
  return input && input->is_pcm() ? input->available() : 0;
}

void discard(const sluice_host* host, uint32_t port, uint64_t frames, const char* reason) {
  Node& node = Node::of(host);
  InputPort* input = node.input_at(port);
  if (!input || !input->is_pcm()) return;
  input->discard(frames, reason);
  node.lane->note_release(*input);
}

// ---- sluice_thread_host ----

uint32_t raise_priority(const sluice_host* host, uint32_t priority, const char** why_not) {
  return Node::of(host).lane->raise_priority(priority, why_not);
}

// ---- sluice_packet_host ----

sluice_result reserve(const sluice_host* host, uint32_t port, uint32_t size_bytes, void** data) {
  OutputPort* output = Node::of(host).output_at(port);
  if (!output || output->is_pcm()) return SLUICE_ERROR_ARGUMENT;
  *data = output->packet_ring->reserve(size_bytes).data();
  return *data ? SLUICE_OK : SLUICE_ERROR_AGAIN;
}

sluice_result commit(const sluice_host* host, uint32_t port, const sluice_packet* packet) {
  Node& node = Node::of(host);
  OutputPort* output = node.output_at(port);
  if (!output || output->is_pcm()) return SLUICE_ERROR_ARGUMENT;
  PacketDescriptor descriptor;
  descriptor.flags = packet->flags;
  descriptor.stream = packet->stream;
  descriptor.position = packet->position;
  descriptor.duration_frames = packet->duration_frames;
  descriptor.sequence = packet->sequence;
  descriptor.capture_ns = packet->capture_ns;
  descriptor.arrival_ns = packet->arrival_ns;
  output->packet_ring->commit(descriptor, 0, packet->size_bytes);
  ++node.packet_moves;
  node.lane->note_commit(*output);
  return SLUICE_OK;
}

sluice_result peek(const sluice_host* host, uint32_t port, sluice_packet* packet) {
  InputPort* input = Node::of(host).input_at(port);
  if (!input || input->is_pcm()) return SLUICE_ERROR_ARGUMENT;
  Edge* edge = input->packet_edge();
  if (!edge) return SLUICE_ERROR_AGAIN;
  edge->packets.end_read(0);
  const auto span = edge->packets.begin_read(1);
  if (span.empty()) return SLUICE_ERROR_AGAIN;
  const PacketDescriptor& descriptor = span.front();
  packet->flags = descriptor.flags;
  packet->data = edge->packets.payload(descriptor).data();
  packet->size_bytes = descriptor.size_bytes;
  packet->stream = descriptor.stream;
  packet->position = descriptor.position;
  packet->duration_frames = descriptor.duration_frames;
  packet->sequence = descriptor.sequence;
  packet->capture_ns = descriptor.capture_ns;
  packet->arrival_ns = descriptor.arrival_ns;
  return SLUICE_OK;
}

void pop(const sluice_host* host, uint32_t port) {
  Node& node = Node::of(host);
  InputPort* input = node.input_at(port);
  if (!input || input->is_pcm()) return;
  Edge* edge = input->packet_edge();
  if (!edge || edge->packets.held_packets() == 0) return;
  edge->packets.end_read(1);
  ++node.packet_moves;
  Edge::count(edge->read_frames, 1);
  edge->lost_frames.store(edge->packets.lost(), std::memory_order_relaxed);
  node.lane->note_release(*input);
}

// ---- sluice_clock_host ----

void publish(const sluice_host* host, uint32_t port, double frames, int64_t monotonic_ns,
             double ratio) {
  Node& node = Node::of(host);
  ClockReading reading{frames, monotonic_ns, ratio};
  if (OutputPort* output = node.output_at(port)) {
    output->clock.write(reading);
  } else if (InputPort* input = node.input_at(port)) {
    input->clock.write(reading);
  }
}

// ---- sluice_reader_host ----

sluice_result last_read(const sluice_host* host, uint32_t port, sluice_reading* reading) {
  const OutputPort* output = Node::of(host).output_at(port);
  if (!output || !output->is_pcm() || output->edges.empty()) return SLUICE_ERROR_NOT_FOUND;
  const Edge* edge = output->edges[0];
  uint64_t behind_frames = 0;  // from the node's position to that of the edge's writer
  if ((Node::of(host).type().flags & SLUICE_TYPE_FOLLOWS_READER) != 0) {
    // All of these belong to the calling lane.
    while (edge->is_local) {
      const Node& next = edge->to.node;
      if ((next.type().flags & SLUICE_TYPE_EQUAL_COUNTS) == 0 || next.outputs.empty() ||
          next.outputs[0]->edges.empty()) {
        return SLUICE_ERROR_NOT_FOUND;
      }
      behind_frames += edge->fill();
      edge = next.outputs[0]->edges[0];
    }
  }
  Edge::Reading last = edge->reading.read();
  const uint64_t unread_frames = edge->from.written() - std::min(last.frames, edge->from.written());
  if (&edge->from != output) {
    last.frames = output->written() - std::min(output->written(), behind_frames + unread_frames);
  }
  reading->frames = last.frames;
  reading->capacity_frames = output->ring->capacity_frames();
  reading->time_ns = last.time_ns;
  return SLUICE_OK;
}

// ---- sluice_play_host ----

sluice_result played(const sluice_host* host, uint32_t port, uint64_t frames,
                     int64_t monotonic_ns) {
  InputPort* input = Node::of(host).input_at(port);
  const bool is_bridged = input && input->is_pcm() && input->note_played(frames, monotonic_ns);
  return is_bridged ? SLUICE_OK : SLUICE_ERROR_NOT_FOUND;
}

// ---- sluice_device_host ----

void cycle(const sluice_host* host, const sluice_cycle* cycle) {
  Node& node = Node::of(host);
  node.lane->cycle(node, *cycle);
}

// ---- sluice_net_host ----

sluice_result answer(const sluice_host* host, const support::Error& error) {
  Node::of(host).fail(SLUICE_ERROR_NETWORK, error.message.c_str());
  return error.code == support::ErrorCode::kPermission ? SLUICE_ERROR_PERMISSION
                                                       : SLUICE_ERROR_NETWORK;
}

Network& network_of(const sluice_host* host) { return *Node::of(host).services().network; }

sluice_stream_options complete(const sluice_stream_options* options) {
  sluice_stream_options full{};
  if (options) std::memcpy(&full, options, std::min<size_t>(options->struct_size, sizeof(full)));
  full.struct_size = sizeof(full);
  return full;
}

sluice_result connect(const sluice_host* host, const char* name, uint16_t port,
                      const sluice_stream_options* options, sluice_stream** stream) {
  auto made = network_of(host).connect(name, port, complete(options));
  if (!made) return answer(host, made.error());
  *stream = *made;
  return SLUICE_OK;
}

sluice_result listen(const sluice_host* host, const char* address, uint16_t port,
                     const sluice_stream_options* options, sluice_listener** listener) {
  auto made = network_of(host).listen(address, port, complete(options));
  if (!made) return answer(host, made.error());
  *listener = *made;
  return SLUICE_OK;
}

uint16_t listener_port(const sluice_host* host, sluice_listener* listener) {
  return network_of(host).listener_port(listener);
}

sluice_result accept(const sluice_host* host, sluice_listener* listener, sluice_stream** stream) {
  return network_of(host).accept(listener, stream);
}

sluice_result send(const sluice_host* host, sluice_stream* stream, const void* data,
                   size_t size_bytes, size_t* sent) {
  return network_of(host).send(stream, data, size_bytes, *sent);
}

sluice_result receive(const sluice_host* host, sluice_stream* stream, void* data, size_t size_bytes,
                      size_t* received) {
  return network_of(host).receive(stream, data, size_bytes, *received);
}

void info(const sluice_host* host, sluice_stream* stream, sluice_stream_info* info) {
  sluice_stream_info full{};
  full.struct_size = sizeof(full);
  network_of(host).info(stream, full);
  const uint32_t size = std::min<uint32_t>(info->struct_size, sizeof(full));
  std::memcpy(info, &full, size);
  info->struct_size = size;
}

void finish(const sluice_host* host, sluice_stream* stream) { network_of(host).finish(stream); }

void close(const sluice_host* host, sluice_stream* stream, uint32_t abort) {
  network_of(host).close(stream, abort != 0);
}

void close_listener(const sluice_host* host, sluice_listener* listener) {
  network_of(host).close_listener(listener);
}

constexpr sluice_worker_host kWorkerHost{wait, begin_read, end_read,  begin_write, end_write,
                                         drop, next_mark,  available, discard};
constexpr sluice_thread_host kThreadHost{raise_priority};
constexpr sluice_packet_host kPacketHost{reserve, commit, peek, pop};
constexpr sluice_clock_host kClockHost{publish};
constexpr sluice_reader_host kReaderHost{last_read};
constexpr sluice_play_host kPlayHost{played};
constexpr sluice_device_host kDeviceHost{cycle};
constexpr sluice_net_host kNetHost{connect, listen, listener_port, accept, send,
                                   receive, info,   finish,        close,  close_listener};

}  // namespace

const void* host_extension(const sluice_host* host, const char* id) {
  const std::string_view wanted = id;
  const Node& node = Node::of(host);
  if (wanted == SLUICE_WORKER_HOST) return node.is_threaded() ? &kWorkerHost : nullptr;
  if (wanted == SLUICE_THREAD_HOST) return node.is_threaded() ? &kThreadHost : nullptr;
  if (wanted == SLUICE_DEVICE_HOST) return node.is_device() ? &kDeviceHost : nullptr;
  if (wanted == SLUICE_PACKET_HOST) return &kPacketHost;
  if (wanted == SLUICE_CLOCK_HOST) return &kClockHost;
  if (wanted == SLUICE_READER_HOST) return &kReaderHost;
  if (wanted == SLUICE_PLAY_HOST) return &kPlayHost;
  if (wanted == SLUICE_NET_HOST) {
    return node.is_threaded() && node.services().network ? &kNetHost : nullptr;
  }
  return nullptr;
}

void fill_host(sluice_host& host, Node& node) {
  host.struct_size = sizeof(host);
  host.context = &node;
  host.get_extension = host_extension;
  host.fail = fail;
  host.log = log;
  host.value = value;
  host.slots = slots;
  host.now_ns = now_ns;
  host.mark = mark;
  host.tell_upstream = tell_upstream;
  host.set_state = set_state;
}

}  // namespace sluice::engine
