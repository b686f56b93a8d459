// Byte streams of a plugin in a process of its own: the host's sockets, in the host.
#include <algorithm>
#include <cstring>
#include <string_view>

#include "host/isolate/remote_node.hpp"

namespace sluice::isolate {
namespace {

RemoteStream* stream_of(const void* object) {
  return static_cast<RemoteStream*>(const_cast<void*>(object));
}

sluice_stream_options complete(const sluice_stream_options* options) {
  sluice_stream_options full{};
  if (options) std::memcpy(&full, options, std::min<size_t>(options->struct_size, sizeof(full)));
  full.struct_size = sizeof(full);
  return full;
}

const Message& ask_about(RemoteNode& node, Op op, const void* stream) {
  node.message().handle = stream_of(stream)->handle;
  return node.ask(op);
}

sluice_result take_stream(RemoteNode& node, const Message& answer, void** stream) {
  *stream = nullptr;
  if (answer.result != SLUICE_OK) {
    if (answer.text[0] != '\0') node.fail(answer.text.data());
    return answer.result;
  }
  auto made = std::make_unique<RemoteStream>();
  made->handle = answer.handle;
  *stream = made.release();
  return SLUICE_OK;
}

sluice_result connect(const sluice_host* host, const char* name, uint16_t port,
                      const sluice_stream_options* options, sluice_stream** stream) {
  RemoteNode& node = RemoteNode::of(host);
  copy_text(node.message().text, name ? name : "");
  node.message().port = port;
  node.message().options = complete(options);
  return take_stream(node, node.ask(Op::kConnect), reinterpret_cast<void**>(stream));
}

sluice_result listen(const sluice_host* host, const char* address, uint16_t port,
                     const sluice_stream_options* options, sluice_listener** listener) {
  RemoteNode& node = RemoteNode::of(host);
  *listener = nullptr;
  auto made = std::make_unique<RemoteStream>();
  if (const auto result = node.listen(address, port, complete(options), *made);
      result != SLUICE_OK) {
    return result;
  }
  *listener = reinterpret_cast<sluice_listener*>(made.release());
  return SLUICE_OK;
}

uint16_t listener_port(const sluice_host*, sluice_listener* listener) {
  return stream_of(listener)->port;
}

sluice_result accept(const sluice_host* host, sluice_listener* listener, sluice_stream** stream) {
  RemoteNode& node = RemoteNode::of(host);
  return take_stream(node, ask_about(node, Op::kAccept, listener),
                     reinterpret_cast<void**>(stream));
}

sluice_result send(const sluice_host* host, sluice_stream* stream, const void* data,
                   size_t size_bytes, size_t* sent) {
  RemoteNode& node = RemoteNode::of(host);
  const size_t count = std::min<size_t>(size_bytes, kMostPacketBytes);
  std::memcpy(node.message().bytes.data(), data, count);
  node.message().amount = static_cast<uint32_t>(count);
  const Message& answer = ask_about(node, Op::kSend, stream);
  *sent = answer.amount;
  return answer.result;
}

sluice_result receive(const sluice_host* host, sluice_stream* stream, void* data, size_t size_bytes,
                      size_t* received) {
  RemoteNode& node = RemoteNode::of(host);
  node.message().amount = static_cast<uint32_t>(std::min<size_t>(size_bytes, kMostPacketBytes));
  const Message& answer = ask_about(node, Op::kReceive, stream);
  *received = answer.amount;
  std::memcpy(data, answer.bytes.data(), answer.amount);
  return answer.result;
}

void info(const sluice_host* host, sluice_stream* stream, sluice_stream_info* info) {
  const Message& answer = ask_about(RemoteNode::of(host), Op::kStreamInfo, stream);
  RemoteStream& own = *stream_of(stream);
  own.sentence = answer.text.data();
  own.peer = answer.peer.data();
  sluice_stream_info full = answer.info;
  full.sentence = own.sentence.c_str();
  full.peer = own.peer.c_str();
  const uint32_t size = std::min<uint32_t>(info->struct_size, sizeof(full));
  std::memcpy(info, &full, size);
  info->struct_size = size;
}

void finish(const sluice_host* host, sluice_stream* stream) {
  ask_about(RemoteNode::of(host), Op::kFinish, stream);
}

void close(const sluice_host* host, sluice_stream* stream, uint32_t abort) {
  RemoteNode& node = RemoteNode::of(host);
  const std::unique_ptr<RemoteStream> gone(stream_of(stream));
  // Outside of run the host has closed it already.
  if (!node.is_node_thread()) return;
  node.message().amount = abort;
  ask_about(node, Op::kClose, stream);
}

void close_listener(const sluice_host* host, sluice_listener* listener) {
  RemoteNode& node = RemoteNode::of(host);
  const std::unique_ptr<RemoteStream> gone(stream_of(listener));
  if (node.is_node_thread()) ask_about(node, Op::kCloseListener, listener);
}

constexpr sluice_net_host kNetHost{connect, listen, listener_port, accept, send,
                                   receive, info,   finish,        close,  close_listener};

}  // namespace

const sluice_net_host* net_table() { return &kNetHost; }

sluice_result RemoteNode::listen(const char* address, uint16_t port,
                                 const sluice_stream_options& options, RemoteStream& listener) {
  if (is_node_thread()) {
    copy_text(message().text, address ? address : "");
    message().port = port;
    message().options = options;
    const Message& from = ask(Op::kListen);
    if (from.result != SLUICE_OK) fail(from.text.data());
    listener.handle = from.handle;
    listener.port = static_cast<uint16_t>(from.amount);
    return from.result;
  }
  Packer all;
  all.text(address ? address : "").add(port).add(options);
  {
    const std::lock_guard lock(channel_mutex_);
    channel_.send(Note::kListen, all.bytes());
  }
  // The host has asked for what this call is part of, so nothing else can come.
  Channel::Received note;
  if (channel_.receive(note, -1) != Channel::Outcome::kDone) return SLUICE_ERROR_STOPPED;
  Unpacker facts(note.bytes);
  const auto result = facts.take<sluice_result>();
  listener.handle = facts.take<uint32_t>();
  listener.port = facts.take<uint16_t>();
  if (result != SLUICE_OK) fail(facts.text().c_str());
  return result;
}

}  // namespace sluice::isolate
