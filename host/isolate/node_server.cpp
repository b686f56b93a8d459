#include "host/isolate/node_server.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "host/support/thread.hpp"

namespace sluice::isolate {
namespace {

template <typename T>
const T* extension(const sluice_host& host, const char* id) {
  return static_cast<const T*>(host.get_extension(&host, id));
}

const sluice_port& port_of(const sluice_type& type, uint32_t index) { return type.ports[index]; }

template <size_t bytes>
std::string text_of(const std::array<char, bytes>& from) {
  std::array<char, bytes> copy;
  std::memcpy(copy.data(), from.data(), bytes);
  copy.back() = '\0';
  return copy.data();
}

// Reasons are told by literals: these live as long as the program.
const char* lasting(std::string text) {
  static std::mutex mutex;
  static std::set<std::string> all;
  const std::lock_guard lock(mutex);
  if (all.size() > 1000) return "thrown away by the node";
  return all.insert(std::move(text)).first->c_str();
}

}  // namespace

NodeServer::NodeServer(const sluice_host& host, const sluice_type& type, bool is_virtual)
    : host_(host),
      type_(type),
      is_virtual_(is_virtual),
      worker_(extension<sluice_worker_host>(host, SLUICE_WORKER_HOST)),
      packets_(extension<sluice_packet_host>(host, SLUICE_PACKET_HOST)),
      device_(extension<sluice_device_host>(host, SLUICE_DEVICE_HOST)),
      clocks_(extension<sluice_clock_host>(host, SLUICE_CLOCK_HOST)),
      readers_(extension<sluice_reader_host>(host, SLUICE_READER_HOST)),
      players_(extension<sluice_play_host>(host, SLUICE_PLAY_HOST)),
      net_(extension<sluice_net_host>(host, SLUICE_NET_HOST)),
      passed_(type.port_count),
      counted_before_(type.statistic_count),
      counted_(type.statistic_count) {
  for (uint32_t i = 0; i < type.parameter_count; ++i) {
    if ((type.parameters[i].flags & SLUICE_PARAMETER_LIVE) != 0) live_.push_back(i);
  }
  told_.assign(live_.size(), std::numeric_limits<double>::quiet_NaN());
}

void NodeServer::set_rooms(std::vector<PortRoom> rooms, std::span<const sluice_port_setup> ports) {
  rooms_ = std::move(rooms);
  fades_.assign(rooms_.size(), {});
  for (size_t i = 0; i < rooms_.size(); ++i) {
    if (rooms_[i].frames != 0) fades_[i].reset(ports[i].format);
  }
}

bool NodeServer::is_port(uint32_t port, uint32_t direction, uint32_t kind) const {
  return port < type_.port_count && port_of(type_, port).direction == direction &&
         port_of(type_, port).kind == kind;
}

void NodeServer::begin(NodeProcess& process) {
  std::fill(told_.begin(), told_.end(), std::numeric_limits<double>::quiet_NaN());
  std::fill(passed_.begin(), passed_.end(), 0);
  for (size_t i = 0; i < counted_.size(); ++i) counted_before_[i] += std::exchange(counted_[i], 0);
  process.own().message.priority = static_cast<uint32_t>(support::real_time_priority());
  // What the one before had still to play was lost with it.
  for (uint32_t port = 0; players_ && port < type_.port_count; ++port) {
    if (is_port(port, SLUICE_INPUT, SLUICE_PCM)) players_->played(&host_, port, 0, SLUICE_NO_TIME);
  }
}

void NodeServer::put_parameters(Message& to) {
  to.changed_count = 0;
  for (size_t i = 0; i < live_.size(); ++i) {
    sluice_value value{};
    value.struct_size = sizeof(value);
    if (host_.value(&host_, live_[i], &value) != SLUICE_OK || value.number == told_[i]) continue;
    told_[i] = value.number;
    to.changed_index[to.changed_count] = live_[i];
    to.changed_value[to.changed_count++] = value.number;
  }
}

void NodeServer::send(NodeProcess& process, Op op) {
  Message& to = process.own().message;
  to.op = op;
  to.now_ns = is_virtual_ ? host_.now_ns(&host_) : int64_t{SLUICE_NO_TIME};
  put_parameters(to);
  process.turns.post();
}

void NodeServer::take_statistics(const Message& from) {
  sluice_slot* const slots = host_.slots(&host_);
  if (!slots) return;
  for (uint32_t i = 0; i < type_.statistic_count; ++i) {
    uint64_t word = 0;
    std::memcpy(&word, &from.slots[i].word, sizeof(word));
    if (type_.statistics[i].kind == SLUICE_COUNTER) {
      counted_[i] = word;
      word += counted_before_[i];
    }
    std::atomic_ref(slots[i].word).store(word, std::memory_order_relaxed);
  }
}

MessageHead NodeServer::take_late(NodeProcess& process) {
  const Message& from = process.other().message;
  MessageHead head;
  std::memcpy(static_cast<void*>(&head), static_cast<const MessageHead*>(&from), sizeof(head));
  take_statistics(from);
  return head;
}

MessageHead NodeServer::take(NodeProcess& process) {
  const Message& from = process.other().message;
  const MessageHead head = take_late(process);
  for (uint32_t i = 0; i < std::min(head.post_count, kMostPosts); ++i) {
    Post post;
    std::memcpy(&post, &from.posts[i], sizeof(post));
    if (post.port < type_.port_count) take_post(process, post);
  }
  return head;
}

void NodeServer::take_post(NodeProcess& process, const Post& post) {
  const uint32_t port = post.port;
  const bool is_input = port_of(type_, port).direction == SLUICE_INPUT;
  switch (post.kind) {
    case Post::kMark:
      if (!is_input) host_.mark(&host_, port, &post.mark);
      return;
    case Post::kUpstream:
      if (is_input) host_.tell_upstream(&host_, port, static_cast<uint32_t>(post.frames));
      return;
    case Post::kPop: {
      sluice_packet packet{};
      packet.struct_size = sizeof(packet);
      if (is_port(port, SLUICE_INPUT, SLUICE_PACKETS) &&
          packets_->peek(&host_, port, &packet) == SLUICE_OK) {
        packets_->pop(&host_, port);
      }
      return;
    }
    case Post::kPublish:
      if (clocks_ && std::isfinite(post.position_frames) && std::isfinite(post.ratio)) {
        clocks_->publish(&host_, port, post.position_frames, post.time_ns, post.ratio);
      }
      return;
    default:
      break;
  }
  if (!worker_ || port_of(type_, port).kind != SLUICE_PCM) return;
  switch (post.kind) {
    case Post::kEndRead: {
      const uint64_t passed = std::min(passed_[port], post.frames);
      passed_[port] -= passed;
      sluice_read_span span{};
      span.struct_size = sizeof(span);
      const auto frames =
          static_cast<uint32_t>(std::min<uint64_t>(post.frames - passed, rooms_[port].frames));
      if (!is_input || frames == 0) return;
      if (worker_->begin_read(&host_, port, frames, &span) != SLUICE_OK) return;
      worker_->end_read(&host_, port, std::min(frames, span.frames));
      return;
    }
    case Post::kEndWrite: {
      sluice_write_span span{};
      span.struct_size = sizeof(span);
      const auto frames =
          static_cast<uint32_t>(std::min<uint64_t>(post.frames, rooms_[port].frames));
      if (is_input || worker_->begin_write(&host_, port, frames, &span) != SLUICE_OK) return;
      const uint32_t written = std::min(frames, span.frames);
      if (written != 0) {
        std::memcpy(span.data, process.output_frames(rooms_[port]),
                    size_t{written} * rooms_[port].frame_bytes);
        fades_[port].pass(static_cast<std::byte*>(span.data), written);
      }
      worker_->end_write(&host_, port, written, post.time_ns);
      return;
    }
    case Post::kDrop:
      if (!is_input) worker_->drop(&host_, port, post.frames);
      return;
    case Post::kDiscard:
      if (is_input) {
        worker_->discard(&host_, port, std::min(post.frames, worker_->available(&host_, port)),
                         lasting(text_of(process.other().message.text)));
      }
      return;
    default:
      return;
  }
}

sluice_result NodeServer::wait(NodeProcess& process, const MessageHead& asked, bool& has_ended) {
  Message& to = process.own().message;
  const uint32_t count = std::min(asked.wait_count, kMostWaits);
  std::array<sluice_wait_item, kMostWaits + 1> items{};
  std::array<int, kMostWaits> descriptors{};
  uint32_t descriptor_count = 0;
  for (uint32_t i = 0; i < count; ++i) {
    WaitItem item;
    std::memcpy(&item, &process.other().message.waits[i], sizeof(item));
    items[i].struct_size = sizeof(sluice_wait_item);
    items[i].kind = item.kind;
    items[i].port = item.port;
    items[i].amount = item.amount;
    if (item.kind == SLUICE_WAIT_DESCRIPTOR) ++descriptor_count;
    if (item.kind == SLUICE_WAIT_STREAM) {
      if (item.handle == 0 || item.handle > process.handles.size()) return SLUICE_ERROR_ARGUMENT;
      items[i].object = process.handles[item.handle - 1].object;
      if (!items[i].object) return SLUICE_ERROR_ARGUMENT;
    }
  }
  const std::span sent(descriptors.data(), descriptor_count);
  if (!sent.empty() && !receive_descriptors(process.descriptor_socket(), sent)) {
    return SLUICE_ERROR_ARGUMENT;
  }
  for (uint32_t i = 0, next = 0; i < count; ++i) {
    if (items[i].kind == SLUICE_WAIT_DESCRIPTOR) items[i].descriptor = descriptors[next++];
  }
  // In virtual time nobody else could end the process meanwhile and nobody would mend it.
  const uint32_t all = is_virtual_ ? count : count + 1;
  items[count] = {sizeof(sluice_wait_item),
                  SLUICE_WAIT_DESCRIPTOR,
                  0,
                  POLLIN,
                  process.pid_descriptor(),
                  0,
                  nullptr};
  const sluice_result result = worker_->wait(&host_, items.data(), all, asked.time_ns);
  for (const int descriptor : sent) close(descriptor);
  has_ended = (all > count && items[count].ready != 0) || process.is_gone();
  for (uint32_t i = 0; i < count; ++i) to.waits[i].ready = items[i].ready;
  return result;
}

bool NodeServer::answer(NodeProcess& process, const MessageHead& asked) {
  Message& to = process.own().message;
  const uint32_t port = asked.port;
  bool has_ended = false;
  to.result = SLUICE_ERROR_ARGUMENT;
  to.text[0] = '\0';
  switch (asked.op) {
    case Op::kFlush:
      to.result = SLUICE_OK;
      break;
    case Op::kWait:
      if (worker_) to.result = wait(process, asked, has_ended);
      break;
    case Op::kBeginRead: {
      if (!worker_ || !is_port(port, SLUICE_INPUT, SLUICE_PCM)) break;
      sluice_read_span span{};
      span.struct_size = sizeof(span);
      passed_[port] = 0;
      to.result =
          worker_->begin_read(&host_, port, std::min(asked.amount, rooms_[port].frames), &span);
      if (to.result != SLUICE_OK) break;
      to.inputs[0] = {span.frames, span.flags, span.position, span.capture_ns, 0, 0, 0, 0};
      if (span.frames != 0) {
        std::memcpy(process.input_frames(rooms_[port]), span.data,
                    size_t{span.frames} * rooms_[port].frame_bytes);
      }
      worker_->end_read(&host_, port, 0);
      break;
    }
    case Op::kBeginWrite: {
      if (!worker_ || !is_port(port, SLUICE_OUTPUT, SLUICE_PCM)) break;
      sluice_write_span span{};
      span.struct_size = sizeof(span);
      to.result =
          worker_->begin_write(&host_, port, std::min(asked.amount, rooms_[port].frames), &span);
      if (to.result != SLUICE_OK) break;
      to.outputs[0] = {span.frames, 0, span.position, SLUICE_NO_TIME, 0, 0, 0, 0};
      worker_->end_write(&host_, port, 0, SLUICE_NO_TIME);
      break;
    }
    case Op::kNextMark:
      if (!worker_ || !is_port(port, SLUICE_INPUT, SLUICE_PCM)) break;
      to.mark = {};
      to.mark.struct_size = sizeof(to.mark);
      to.result = worker_->next_mark(&host_, port, asked.position, &to.mark);
      break;
    case Op::kAvailable:
      to.frames = worker_ && port < type_.port_count ? worker_->available(&host_, port) : 0;
      to.result = SLUICE_OK;
      break;
    case Op::kReserve: {
      void* room = nullptr;
      if (!is_port(port, SLUICE_OUTPUT, SLUICE_PACKETS)) break;
      to.result = packets_->reserve(&host_, port, std::min(asked.amount, kMostPacketBytes), &room);
      break;
    }
    case Op::kCommit: {
      void* room = nullptr;
      sluice_packet packet = asked.packet;
      if (!is_port(port, SLUICE_OUTPUT, SLUICE_PACKETS)) break;
      packet.size_bytes = std::min(packet.size_bytes, kMostPacketBytes);
      to.result = packets_->reserve(&host_, port, packet.size_bytes, &room);
      if (to.result != SLUICE_OK) break;
      std::memcpy(room, process.other().message.bytes.data(), packet.size_bytes);
      packet.struct_size = sizeof(packet);
      packet.data = nullptr;
      to.result = packets_->commit(&host_, port, &packet);
      break;
    }
    case Op::kPeek: {
      if (!is_port(port, SLUICE_INPUT, SLUICE_PACKETS)) break;
      sluice_packet packet{};
      packet.struct_size = sizeof(packet);
      to.result = packets_->peek(&host_, port, &packet);
      if (to.result != SLUICE_OK) break;
      packet.size_bytes = std::min(packet.size_bytes, kMostPacketBytes);
      if (packet.size_bytes != 0) std::memcpy(to.bytes.data(), packet.data, packet.size_bytes);
      to.packet = packet;
      to.packet.data = nullptr;
      break;
    }
    case Op::kLastRead:
      to.reading = {};
      to.reading.struct_size = sizeof(to.reading);
      to.result = readers_ && port < type_.port_count
                      ? readers_->last_read(&host_, port, &to.reading)
                      : sluice_result{SLUICE_ERROR_NOT_FOUND};
      break;
    case Op::kPlayed:
      to.result = players_ && port < type_.port_count
                      ? players_->played(&host_, port, asked.frames, asked.time_ns)
                      : sluice_result{SLUICE_ERROR_NOT_FOUND};
      break;
    default:
      if (net_) to.result = ask_net(process, asked);
      break;
  }
  return !has_ended;
}

// ---- Byte streams

uint32_t NodeServer::keep(NodeProcess& process, void* object, bool is_listener) const {
  auto free = std::find_if(process.handles.begin(), process.handles.end(),
                           [](const auto& handle) { return handle.object == nullptr; });
  if (free == process.handles.end()) free = process.handles.emplace(free);
  *free = {object, is_listener};
  return static_cast<uint32_t>(free - process.handles.begin()) + 1;
}

void NodeServer::close_handles(NodeProcess& process) const {
  for (auto& handle : process.handles) {
    if (!handle.object) continue;
    if (handle.is_listener) {
      net_->close_listener(&host_, static_cast<sluice_listener*>(handle.object));
    } else {
      net_->close(&host_, static_cast<sluice_stream*>(handle.object), 0);
    }
  }
  process.handles.clear();
}

Packer NodeServer::listen(NodeProcess& process, Unpacker& facts) const {
  const std::string address = facts.text();
  const auto port = facts.take<uint16_t>();
  auto options = facts.take<sluice_stream_options>();
  options.struct_size = sizeof(options);
  sluice_listener* listener = nullptr;
  const sluice_result result =
      net_ ? net_->listen(&host_, address.c_str(), port, &options, &listener)
           : sluice_result{SLUICE_ERROR_UNSUPPORTED};
  Packer answer;
  answer.add(result).add(listener ? keep(process, listener, true) : 0U);
  answer.add(listener ? net_->listener_port(&host_, listener) : uint16_t{0});
  // The host has kept its sentence for the call that fails for it.
  answer.text("");
  return answer;
}

sluice_result NodeServer::ask_net(NodeProcess& process, const MessageHead& asked) {
  Message& to = process.own().message;
  const Message& from = process.other().message;
  sluice_stream_options options = asked.options;
  options.struct_size = sizeof(options);
  if (asked.op == Op::kConnect || asked.op == Op::kListen) {
    const std::string name = text_of(from.text);
    const auto port = static_cast<uint16_t>(asked.port);
    sluice_result result = SLUICE_OK;
    if (asked.op == Op::kConnect) {
      sluice_stream* stream = nullptr;
      result = net_->connect(&host_, name.c_str(), port, &options, &stream);
      if (result == SLUICE_OK) to.handle = keep(process, stream, false);
    } else {
      sluice_listener* listener = nullptr;
      result = net_->listen(&host_, name.c_str(), port, &options, &listener);
      if (result == SLUICE_OK) {
        to.handle = keep(process, listener, true);
        to.amount = net_->listener_port(&host_, listener);
      }
    }
    return result;
  }
  if (asked.handle == 0 || asked.handle > process.handles.size()) return SLUICE_ERROR_ARGUMENT;
  NodeProcess::Handle& handle = process.handles[asked.handle - 1];
  const bool wants_listener = asked.op == Op::kAccept || asked.op == Op::kCloseListener;
  if (!handle.object || handle.is_listener != wants_listener) return SLUICE_ERROR_ARGUMENT;
  auto* const stream = static_cast<sluice_stream*>(handle.object);
  auto* const listener = static_cast<sluice_listener*>(handle.object);
  const uint32_t size_bytes = std::min(asked.amount, kMostPacketBytes);
  size_t moved = 0;
  sluice_result result = SLUICE_OK;
  switch (asked.op) {
    case Op::kAccept: {
      sluice_stream* accepted = nullptr;
      result = net_->accept(&host_, listener, &accepted);
      if (result == SLUICE_OK && accepted) to.handle = keep(process, accepted, false);
      return result == SLUICE_OK && !accepted ? sluice_result{SLUICE_ERROR_AGAIN} : result;
    }
    case Op::kSend:
      result = net_->send(&host_, stream, from.bytes.data(), size_bytes, &moved);
      to.amount = static_cast<uint32_t>(moved);
      return result;
    case Op::kReceive:
      result = net_->receive(&host_, stream, to.bytes.data(), size_bytes, &moved);
      to.amount = static_cast<uint32_t>(moved);
      return result;
    case Op::kStreamInfo:
      to.info = {};
      to.info.struct_size = sizeof(to.info);
      net_->info(&host_, stream, &to.info);
      copy_text(to.text, to.info.sentence ? to.info.sentence : "");
      copy_text(to.peer, to.info.peer ? to.info.peer : "");
      return result;
    case Op::kFinish:
      net_->finish(&host_, stream);
      return result;
    case Op::kClose:
      net_->close(&host_, stream, asked.amount != 0 ? 1 : 0);
      handle = {};
      return result;
    case Op::kCloseListener:
      net_->close_listener(&host_, listener);
      handle = {};
      return result;
    default:
      return SLUICE_ERROR_UNSUPPORTED;
  }
}

}  // namespace sluice::isolate
