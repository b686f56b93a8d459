// The process of an isolated node: loads the plugin, makes the node, and is its host, as far as the
// real one at the other end tells it.
#pragma once

#include <sluice/plugin.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "host/isolate/area.hpp"
#include "host/isolate/channel.hpp"
#include "host/isolate/packer.hpp"
#include "host/isolate/turns.hpp"
#include "host/isolate/wire.hpp"
#include "host/loader/type.hpp"

namespace sluice::isolate {

// The descriptors that such a process is started with.
inline constexpr int kNoteDescriptor = 3;        // a Channel
inline constexpr int kDescriptorDescriptor = 4;  // for send_descriptors

// A stream or listener as the plugin sees it: the host knows it by its handle.
struct RemoteStream {
  uint32_t handle = 0;
  uint16_t port = 0;  // a listener's
  std::string sentence, peer;
};

class RemoteNode {
 public:
  RemoteNode();
  ~RemoteNode() = default;
  RemoteNode(const RemoteNode&) = delete;
  RemoteNode& operator=(const RemoteNode&) = delete;

  // Answers notes until the host is gone or says to end.
  int serve();

  // ---- For the host's tables; see plugin.h for what each does.
  static RemoteNode& of(const sluice_host* host) {
    return *static_cast<RemoteNode*>(host->context);
  }
  void fail(const char* sentence);
  void tell(Note kind, uint32_t number, const char* sentence);
  sluice_result value(uint32_t index, sluice_value& value) const;
  sluice_slot* slots() { return slots_.data(); }
  int64_t now_ns() const;
  bool is_virtual() const { return is_virtual_; }
  void post(const Post& post);
  // Sends the message under `op`, with all posts, and waits for the answer. Node's thread.
  const Message& ask(Op op);
  Message& message() { return own_->message; }
  const Message& answer() const { return other_->message; }
  const std::byte* input_frames(uint32_t port) const;
  std::byte* output_frames(uint32_t port);
  uint32_t room_frames(uint32_t port) const;
  sluice_result wait(std::span<sluice_wait_item> items, int64_t deadline_ns);
  void note_span(int change) { open_spans_ += change; }
  bool is_node_thread() const { return std::this_thread::get_id() == thread_.get_id(); }
  // As sluice_net_host.listen, from a [control] call.
  sluice_result listen(const char* address, uint16_t port, const sluice_stream_options& options,
                       RemoteStream& listener);
  bool is_threaded() const { return type_ && type_->execution() == SLUICE_EXECUTION_THREADED; }
  void cycle(const sluice_cycle& cycle);
  bool is_device() const { return type_ && type_->execution() == SLUICE_EXECUTION_DEVICE; }
  sluice_result reserve(uint32_t port, uint32_t size_bytes, void** data);
  sluice_result commit(uint32_t port, const sluice_packet& packet);
  sluice_result peek(uint32_t port, sluice_packet& packet);
  void pop(uint32_t port);

 private:
  struct Parameter {
    std::atomic<double> number{0.0};
    std::string text;
    std::vector<double> list;
    uint32_t rows = 0;
  };
  struct Packets {
    std::vector<std::byte> bytes;
    bool is_held = false;  // peeked, not popped
    sluice_packet packet{};
  };

  void create(Unpacker& facts);
  void describe(Unpacker& facts);
  void prepare(Unpacker& facts);
  void attach(Unpacker& facts, std::span<const int> descriptors);
  void start();
  void stop();
  void save();
  void load(Unpacker& facts);
  void release();
  void reply(sluice_result result, const Packer& more = {});
  void run_node();
  void process();
  // The notes' thread and the node's take turns by way of the host. That is another process, so
  // this tells the memory model of this one that each sees what the other has written.
  void take_over() { turn_overs_.fetch_add(1, std::memory_order_acq_rel); }
  void send(Op op);
  void take_changes();
  std::string take_sentence();

  Channel channel_;
  std::mutex channel_mutex_;
  std::mutex sentence_mutex_;
  std::string sentence_;

  sluice_host host_{};
  const loader::Type* type_ = nullptr;
  sluice_node* node_ = nullptr;
  bool is_virtual_ = false;
  std::vector<Parameter> parameters_;
  std::vector<sluice_slot> slots_;

  // From attach to release.
  Area host_area_, own_area_;
  Side* own_ = nullptr;
  const Side* other_ = nullptr;
  std::vector<PortRoom> rooms_;  // by port
  std::vector<Packets> packets_;
  Turns turns_;
  std::thread thread_;
  std::atomic<uint32_t> turn_overs_{0};
  uint32_t priority_ = 0;
  int open_spans_ = 0;
  std::vector<sluice_input> inputs_;
  std::vector<sluice_output> outputs_;
  std::vector<uint32_t> input_ports_, output_ports_;  // index in the type's array
};

// Tables of remote_host.cpp and remote_net.cpp.
void fill_host(sluice_host& host, RemoteNode& node);
const sluice_net_host* net_table();

}  // namespace sluice::isolate
