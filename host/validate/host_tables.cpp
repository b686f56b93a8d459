#include "host/validate/host_tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include "host/support/audio_section.hpp"
#include "host/validate/call_class.hpp"
#include "host/validate/peers.hpp"
#include "host/validate/rt_guard.hpp"

namespace sluice::validate {
namespace {

constexpr uint32_t kControl = static_cast<uint32_t>(CallClass::kControl);
constexpr uint32_t kAudio = static_cast<uint32_t>(CallClass::kAudio);
constexpr uint32_t kWorker = static_cast<uint32_t>(CallClass::kWorker);
constexpr uint32_t kSpanFrames = 1U << 16U;

}  // namespace

// What the host itself does in a call is not the node's doing: the guards look away.
struct HostTables {
  struct Call {
    Call(const sluice_host* host, uint32_t classes, const char* function)
        : self(*static_cast<NodeHost*>(host->context)) {
      if (classes != 0) self.expect(classes, function);
    }
    const PluginCode code{false};
    const support::AudioSectionPause audio_pause;
    const WorkerSectionPause worker_pause;
    NodeHost& self;
  };

  // ---- sluice_host ----

  static const void* get_extension(const sluice_host* host, const char* id) {
    const Call call(host, 0, "get_extension");
    if (call.self.refuses_extensions_) return nullptr;
    const std::string_view wanted = id;
    const bool is_threaded = call.self.type_.execution == SLUICE_EXECUTION_THREADED;
    if (wanted == SLUICE_WORKER_HOST && is_threaded) return &kWorkerTable;
    if (wanted == SLUICE_THREAD_HOST && is_threaded) return &kThreadTable;
    if (wanted == SLUICE_PACKET_HOST) return &kPacketTable;
    if (wanted == SLUICE_CLOCK_HOST) return &kClockTable;
    if (wanted == SLUICE_READER_HOST) return &kReaderTable;
    if (wanted == SLUICE_PLAY_HOST) return &kPlayTable;
    if (wanted == SLUICE_DEVICE_HOST) return &kDeviceTable;
    if (wanted == SLUICE_NET_HOST) return &kNetTable;
    return nullptr;
  }
  static void fail(const sluice_host* host, sluice_result, const char* sentence) {
    const Call call(host, 0, "fail");
    call.self.sentence_ = sentence ? sentence : "";
  }
  static void log(const sluice_host* host, uint32_t level, const char* sentence) {
    const Call call(host, kControl | kWorker, "log");
    if (level < SLUICE_LOG_ERROR || level > SLUICE_LOG_DEBUG || !sentence) {
      call.self.violate("it calls log with a level that does not exist, or without a sentence.");
    }
  }
  static sluice_result value(const sluice_host* host, uint32_t index, sluice_value* value) {
    const Call call(host, kControl | kWorker, "value");
    NodeHost& self = call.self;
    if (index >= self.values_.size()) {
      self.violate(fmt::format("it asks for the value of parameter {}; its type has {}.", index,
                               self.values_.size()));
      return SLUICE_ERROR_ARGUMENT;
    }
    const Value& given = self.values_[index];
    value->kind = self.type_.parameters[index].kind;
    value->number = given.number;
    value->text = given.text.c_str();
    value->list = given.list.data();
    value->count = static_cast<uint32_t>(given.list.size());
    value->rows = given.rows;
    return SLUICE_OK;
  }
  static sluice_slot* slots(const sluice_host* host) {
    const Call call(host, 0, "slots");
    return call.self.slots_.size() > 1 ? call.self.slots_.data() : nullptr;
  }
  static int64_t now_ns(const sluice_host* host) {
    return static_cast<NodeHost*>(host->context)->now_ns_;
  }
  static void mark(const sluice_host* host, uint32_t index, const sluice_mark* mark) {
    const Call call(host, kAudio | kWorker, "mark");
    NodeHost& self = call.self;
    NodeHost::Port* port = self.port_of(index, SLUICE_OUTPUT, "mark");
    if (!port) return;
    if (mark->kind < SLUICE_MARK_GAP || mark->kind > SLUICE_MARK_END) {
      self.violate(fmt::format("it puts a mark of kind {}, which does not exist.", mark->kind));
    }
    if (mark->position < port->frames_written || mark->position < port->last_mark) {
      self.violate(
          fmt::format("it puts a mark at frame {} of {}, in front of frames already "
                      "written or of an earlier mark.",
                      mark->position, port->declared->key));
    }
    port->last_mark = std::max(port->last_mark, mark->position);
    self.marks_.push_back(*mark);
  }
  static void tell_upstream(const sluice_host* host, uint32_t index, uint32_t code) {
    const Call call(host, kAudio | kWorker, "tell_upstream");
    if (!call.self.port_of(index, SLUICE_INPUT, "tell_upstream")) return;
    if (code < SLUICE_UPSTREAM_RECONNECTED || code > SLUICE_UPSTREAM_AWAKE) {
      call.self.violate(fmt::format("it tells {} upstream, which is no code.", code));
    }
  }
  static void set_state(const sluice_host* host, uint32_t state, const char*) {
    const Call call(host, kControl | kWorker, "set_state");
    if (state < SLUICE_STATE_STARTING || state > SLUICE_STATE_ASLEEP) {
      call.self.violate(fmt::format("it sets state {}, which does not exist.", state));
    }
  }

  // ---- sluice_worker_host ----

  static sluice_result wait(const sluice_host* host, sluice_wait_item* items, uint32_t count,
                            int64_t deadline_ns) {
    const Call call(host, kWorker, "wait");
    return call.self.wait(items, count, deadline_ns);
  }
  static sluice_result begin_read(const sluice_host* host, uint32_t index, uint32_t maximum,
                                  sluice_read_span* span) {
    const Call call(host, kWorker, "begin_read");
    NodeHost& self = call.self;
    NodeHost::Port* port = self.port_of(index, SLUICE_INPUT, "begin_read");
    if (!port || !port->is_pcm()) return SLUICE_ERROR_ARGUMENT;
    if (port->held_frames >= 0) self.violate("it calls begin_read while it holds a span.");
    const uint64_t there = self.arrived_frames(*port) - port->frames_read;
    const auto frames = static_cast<uint32_t>(std::min<uint64_t>({maximum, there, kSpanFrames}));
    const size_t bytes = size_t{frames} * port->frame_bytes;
    port->span.assign(port->data.begin(), port->data.begin() + static_cast<std::ptrdiff_t>(bytes));
    span->data = port->span.data();
    span->frames = frames;
    span->flags =
        port->has_ended && frames == port->frames_left() ? uint32_t{SLUICE_INPUT_ENDED} : 0U;
    span->position = port->frames_read;
    span->capture_ns = SLUICE_NO_TIME;
    port->held_frames = frames;
    return SLUICE_OK;
  }
  static void end_read(const sluice_host* host, uint32_t index, uint32_t frames) {
    const Call call(host, kWorker, "end_read");
    NodeHost& self = call.self;
    NodeHost::Port* port = self.port_of(index, SLUICE_INPUT, "end_read");
    if (!port) return;
    if (port->held_frames < 0 || frames > port->held_frames) {
      self.violate(fmt::format("it ends the reading of {} frames and was offered {}.", frames,
                               std::max<int64_t>(port->held_frames, 0)));
      frames = static_cast<uint32_t>(std::max<int64_t>(port->held_frames, 0));
    }
    port->held_frames = -1;
    consume(*port, frames);
  }
  static void consume(NodeHost::Port& port, uint64_t frames) {
    port.data.erase(port.data.begin(),
                    port.data.begin() + static_cast<std::ptrdiff_t>(frames * port.frame_bytes));
    port.frames_read += frames;
  }
  static sluice_result begin_write(const sluice_host* host, uint32_t index, uint32_t maximum,
                                   sluice_write_span* span) {
    const Call call(host, kWorker, "begin_write");
    NodeHost& self = call.self;
    NodeHost::Port* port = self.port_of(index, SLUICE_OUTPUT, "begin_write");
    if (!port || !port->is_pcm()) return SLUICE_ERROR_ARGUMENT;
    if (port->held_frames >= 0) self.violate("it calls begin_write while it holds a span.");
    const uint32_t frames = std::min(maximum, kSpanFrames);
    // Guard bytes behind the room; what is not written stands out.
    port->span.assign(size_t{frames} * port->frame_bytes + 256, std::byte{0x7E});
    span->data = port->span.data();
    span->frames = frames;
    span->position = port->frames_written;
    port->held_frames = frames;
    return SLUICE_OK;
  }
  static void end_write(const sluice_host* host, uint32_t index, uint32_t frames, int64_t) {
    const Call call(host, kWorker, "end_write");
    NodeHost& self = call.self;
    NodeHost::Port* port = self.port_of(index, SLUICE_OUTPUT, "end_write");
    if (!port) return;
    if (port->held_frames < 0 || frames > port->held_frames) {
      self.violate(fmt::format("it ends the writing of {} frames and had room for {}.", frames,
                               std::max<int64_t>(port->held_frames, 0)));
      frames = static_cast<uint32_t>(std::max<int64_t>(port->held_frames, 0));
    }
    const auto is_guard = [](std::byte b) { return b == std::byte{0x7E}; };
    if (!std::all_of(port->span.end() - 256, port->span.end(), is_guard)) {
      self.violate(fmt::format("it writes beyond the room that begin_write gave at {}.",
                               port->declared->key));
    }
    port->held_frames = -1;
    const size_t bytes = size_t{frames} * port->frame_bytes;
    port->written.insert(port->written.end(), port->span.begin(),
                         port->span.begin() + static_cast<std::ptrdiff_t>(bytes));
    port->frames_written += frames;
  }
  static void drop(const sluice_host* host, uint32_t index, uint64_t) {
    const Call call(host, kWorker, "drop");
    call.self.port_of(index, SLUICE_OUTPUT, "drop");
  }
  static sluice_result next_mark(const sluice_host* host, uint32_t index, uint64_t position,
                                 sluice_mark* mark) {
    const Call call(host, kWorker, "next_mark");
    NodeHost::Port* port = call.self.port_of(index, SLUICE_INPUT, "next_mark");
    if (!port || port->marks.empty() || port->marks.front().position > position) {
      return SLUICE_ERROR_AGAIN;
    }
    *mark = port->marks.front();
    port->marks.pop_front();
    return SLUICE_OK;
  }
  static uint64_t available(const sluice_host* host, uint32_t index) {
    const Call call(host, kWorker, "available");
    const NodeHost::Port* port = call.self.port_of(index, SLUICE_INPUT, "available");
    return port ? call.self.arrived_frames(*port) - port->frames_read : 0;
  }
  static void discard(const sluice_host* host, uint32_t index, uint64_t frames, const char*) {
    const Call call(host, kWorker, "discard");
    NodeHost::Port* port = call.self.port_of(index, SLUICE_INPUT, "discard");
    if (port) {
      consume(*port, std::min(frames, call.self.arrived_frames(*port) - port->frames_read));
    }
  }

  // ---- Smaller tables ----

  static uint32_t raise_priority(const sluice_host* host, uint32_t, const char** why_not) {
    const Call call(host, kWorker, "raise_priority");
    *why_not = "";
    return 0;
  }
  static sluice_result reserve(const sluice_host* host, uint32_t index, uint32_t size_bytes,
                               void** data) {
    const Call call(host, kAudio | kWorker, "reserve");
    if (!call.self.port_of(index, SLUICE_OUTPUT, "reserve")) return SLUICE_ERROR_ARGUMENT;
    call.self.reserved_.assign(size_t{size_bytes} + 1, std::byte{0});
    *data = call.self.reserved_.data();
    return SLUICE_OK;
  }
  static sluice_result commit(const sluice_host* host, uint32_t index,
                              const sluice_packet* packet) {
    const Call call(host, kAudio | kWorker, "commit");
    NodeHost& self = call.self;
    NodeHost::Port* port = self.port_of(index, SLUICE_OUTPUT, "commit");
    if (!port) return SLUICE_ERROR_ARGUMENT;
    if (size_t{packet->size_bytes} + 1 > self.reserved_.size()) {
      self.violate(
          fmt::format("it commits a packet of {} bytes and reserved fewer.", packet->size_bytes));
    }
    self.reserved_.clear();
    ++port->frames_written;
    return SLUICE_OK;
  }
  static sluice_result peek(const sluice_host* host, uint32_t index, sluice_packet* packet) {
    const Call call(host, kAudio | kWorker, "peek");
    NodeHost::Port* port = call.self.port_of(index, SLUICE_INPUT, "peek");
    if (!port || port->packets.empty()) return SLUICE_ERROR_AGAIN;
    const uint32_t struct_size = packet->struct_size;
    std::memcpy(packet, &port->packets.front().head,
                std::min<size_t>(struct_size, sizeof(sluice_packet)));
    packet->struct_size = struct_size;
    packet->data = port->packets.front().data.data();
    return SLUICE_OK;
  }
  static void pop(const sluice_host* host, uint32_t index) {
    const Call call(host, kAudio | kWorker, "pop");
    NodeHost::Port* port = call.self.port_of(index, SLUICE_INPUT, "pop");
    if (!port) return;
    if (port->packets.empty()) return call.self.violate("it pops a packet where there is none.");
    port->packets.pop_front();
  }
  static void publish(const sluice_host* host, uint32_t, double, int64_t, double) {
    const Call call(host, kAudio | kWorker, "publish");
  }
  static sluice_result last_read(const sluice_host* host, uint32_t index, sluice_reading* reading) {
    const Call call(host, kAudio | kWorker, "last_read");
    const NodeHost::Port* port = call.self.port_of(index, SLUICE_OUTPUT, "last_read");
    if (!port) return SLUICE_ERROR_NOT_FOUND;
    reading->frames = port->frames_written;
    reading->capacity_frames = kSpanFrames;
    reading->time_ns = call.self.now_ns_;
    return SLUICE_OK;
  }
  static sluice_result played(const sluice_host* host, uint32_t index, uint64_t, int64_t) {
    const Call call(host, kAudio | kWorker, "played");
    const bool is_input = call.self.port_of(index, SLUICE_INPUT, "played") != nullptr;
    return is_input ? SLUICE_OK : SLUICE_ERROR_NOT_FOUND;
  }
  static void cycle(const sluice_host* host, const sluice_cycle* cycle) {
    NodeHost& self = *static_cast<NodeHost*>(host->context);
    const std::lock_guard lock(self.cycle_mutex_);
    ++self.cycles_;
    if (self.is_device_stopped_) self.violate("it calls cycle after stop has returned.");
    if (cycle->frames == 0) self.violate("it calls cycle with no frames.");
    size_t playback = 0;
    for (const NodeHost::Port& port : self.ports_) {
      if (!port.is_input()) continue;
      void* const played = cycle->played ? cycle->played[playback] : nullptr;
      ++playback;
      if (played) std::memset(played, 0, size_t{cycle->frames} * port.frame_bytes);
    }
  }

  // ---- sluice_net_host ----

  static sluice_result connect(const sluice_host* host, const char* name, uint16_t port,
                               const sluice_stream_options* options, sluice_stream** stream) {
    const Call call(host, kWorker, "connect");
    NodeHost& self = call.self;
    self.has_used_network_ = true;
    if (self.peers_) self.peers_->node_connects(name, port);
    auto made = self.network_.connect(name, port, complete(options));
    if (!made) {
      self.sentence_ = made.error().message;
      return SLUICE_ERROR_NETWORK;
    }
    *stream = *made;
    return SLUICE_OK;
  }
  static sluice_stream_options complete(const sluice_stream_options* options) {
    sluice_stream_options all{};
    if (options) {
      std::memcpy(&all, options, std::min<size_t>(options->struct_size, sizeof(all)));
    }
    all.struct_size = sizeof(all);
    return all;
  }
  static sluice_result listen(const sluice_host* host, const char* address, uint16_t port,
                              const sluice_stream_options* options, sluice_listener** listener) {
    const Call call(host, kControl | kWorker, "listen");
    NodeHost& self = call.self;
    self.has_used_network_ = true;
    auto made = self.network_.listen(address, port, complete(options));
    if (!made) {
      self.sentence_ = made.error().message;
      return SLUICE_ERROR_NETWORK;
    }
    *listener = *made;
    if (self.peers_) self.peers_->node_listens(address, self.network_.listener_port(*made));
    return SLUICE_OK;
  }
  static uint16_t listener_port(const sluice_host* host, sluice_listener* listener) {
    const Call call(host, kControl | kWorker, "listener_port");
    return call.self.network_.listener_port(listener);
  }
  static sluice_result accept(const sluice_host* host, sluice_listener* listener,
                              sluice_stream** stream) {
    const Call call(host, kWorker, "accept");
    return call.self.network_.accept(listener, stream);
  }
  static sluice_result send(const sluice_host* host, sluice_stream* stream, const void* data,
                            size_t size_bytes, size_t* sent) {
    const Call call(host, kWorker, "send");
    return call.self.network_.send(stream, data, size_bytes, *sent);
  }
  static sluice_result receive(const sluice_host* host, sluice_stream* stream, void* data,
                               size_t size_bytes, size_t* received) {
    const Call call(host, kWorker, "receive");
    return call.self.network_.receive(stream, data, size_bytes, *received);
  }
  static void info(const sluice_host* host, sluice_stream* stream, sluice_stream_info* info) {
    const Call call(host, kControl | kWorker, "info");
    call.self.network_.info(stream, *info);
  }
  static void finish(const sluice_host* host, sluice_stream* stream) {
    const Call call(host, kWorker, "finish");
    call.self.network_.finish(stream);
  }
  static void close(const sluice_host* host, sluice_stream* stream, uint32_t abort) {
    const Call call(host, kControl | kWorker, "close");
    call.self.network_.close(stream, abort != 0);
  }
  static void close_listener(const sluice_host* host, sluice_listener* listener) {
    const Call call(host, kControl | kWorker, "close_listener");
    call.self.network_.close_listener(listener);
  }

  static const sluice_worker_host kWorkerTable;
  static const sluice_thread_host kThreadTable;
  static const sluice_packet_host kPacketTable;
  static const sluice_clock_host kClockTable;
  static const sluice_reader_host kReaderTable;
  static const sluice_play_host kPlayTable;
  static const sluice_device_host kDeviceTable;
  static const sluice_net_host kNetTable;
};

const sluice_worker_host HostTables::kWorkerTable{
    wait, begin_read, end_read, begin_write, end_write, drop, next_mark, available, discard};
const sluice_thread_host HostTables::kThreadTable{raise_priority};
const sluice_packet_host HostTables::kPacketTable{reserve, commit, peek, pop};
const sluice_clock_host HostTables::kClockTable{publish};
const sluice_reader_host HostTables::kReaderTable{last_read};
const sluice_play_host HostTables::kPlayTable{played};
const sluice_device_host HostTables::kDeviceTable{cycle};
const sluice_net_host HostTables::kNetTable{connect, listen, listener_port, accept, send,
                                            receive, info,   finish,        close,  close_listener};

void fill_host(sluice_host& host, NodeHost& node_host) {
  host = {sizeof(sluice_host),       &node_host,           HostTables::get_extension,
          HostTables::fail,          HostTables::log,      HostTables::value,
          HostTables::slots,         HostTables::now_ns,   HostTables::mark,
          HostTables::tell_upstream, HostTables::set_state};
}

}  // namespace sluice::validate
