// The process of an isolated node, as the host sees it.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "host/isolate/area.hpp"
#include "host/isolate/channel.hpp"
#include "host/isolate/packer.hpp"
#include "host/isolate/turns.hpp"
#include "host/isolate/wire.hpp"
#include "host/support/result.hpp"

namespace sluice::isolate {

class NodeProcess {
 public:
  // Hears what the process says of itself; called inside call and look. [control]
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void heard(Note kind, Unpacker& facts) = 0;
    // Answers Note::kListen.
    virtual Packer listen(NodeProcess& process, Unpacker& facts) = 0;
  };

  // Starts `program` (see run_isolated_node). Error: the system refuses. [control]
  static support::Result<std::unique_ptr<NodeProcess>> start(const std::filesystem::path& program,
                                                             Listener& listener);
  // Kills it if it is still there.
  ~NodeProcess();
  NodeProcess(const NodeProcess&) = delete;
  NodeProcess& operator=(const NodeProcess&) = delete;

  pid_t id() const { return id_; }
  // Readable once it has ended.
  int pid_descriptor() const { return pid_descriptor_; }
  int channel_descriptor() const { return channel_.descriptor(); }
  // On which it sends the descriptors of a wait.
  int descriptor_socket() const { return descriptor_socket_; }

  struct Answer {
    sluice_result result = SLUICE_OK;
    std::string sentence;
    std::vector<std::byte> more;
  };
  // Asks it and waits for the answer. Errors: it ended, or it has not answered after `patience`,
  // and is killed. [control], from any thread
  support::Result<Answer> call(Note kind, const Packer& facts, std::chrono::milliseconds patience,
                               std::span<const int> descriptors = {});
  // Takes what it has said unasked. [control], from any thread
  void look();

  // Makes the shared memory and has the process map it. [control]
  support::Status attach(std::span<const PortRoom> rooms, uint64_t host_bytes, uint64_t node_bytes);
  // After attach. The host's side belongs to whoever drives the node.
  Side& own() { return *reinterpret_cast<Side*>(host_area_.data()); }
  const Side& other() const { return *reinterpret_cast<const Side*>(node_area_.data()); }
  std::byte* input_frames(const PortRoom& room) { return host_area_.data() + room.offset_bytes; }
  const std::byte* output_frames(const PortRoom& room) const {
    return node_area_.data() + room.offset_bytes;
  }
  Turns turns;

  // Whether it has ended or is being killed; nobody waits for it any more. [any]
  bool is_gone() const { return is_gone_.load(std::memory_order_acquire); }
  // Whoever waits for its turn stops.
  void give_up();
  void kill();
  // Reaps it; false while it runs. [control]
  bool has_ended();
  // "crashed (SIGSEGV)", "exited (code 3)"; after has_ended.
  std::string how_it_ended() const;

  // Since when the driver waits for its turn (CLOCK_MONOTONIC); 0: it does not. [any]
  std::atomic<int64_t> awaited_since_ns{0};
  // The turn that was taken before: while it is still that one, the process is silent.
  std::atomic<uint32_t> awaited_turn{0};
  // The driver is done with it.
  std::atomic<bool> is_let_go{false};
  // Streams and listeners of the host that it knows by number. Driver, or [control] before and
  // after that.
  struct Handle {
    void* object = nullptr;
    bool is_listener = false;
  };
  std::vector<Handle> handles;

 private:
  explicit NodeProcess(Listener& listener) : listener_(listener) {}
  void take(Channel::Received& note);

  Listener& listener_;
  pid_t id_ = -1;
  int pid_descriptor_ = -1;
  int descriptor_socket_ = -1;
  std::mutex mutex_;  // of channel_, status_
  Channel channel_;
  bool has_ended_ = false;
  int status_ = 0;
  std::atomic<bool> is_gone_{false};
  bool was_killed_ = false;
  Area host_area_, node_area_;
};

}  // namespace sluice::isolate
