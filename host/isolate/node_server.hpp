// Answers what the plugin in the other process asks of its host, by asking the real one.
#pragma once

#include <sluice/plugin.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "host/isolate/fade.hpp"
#include "host/isolate/node_process.hpp"
#include "host/isolate/wire.hpp"

namespace sluice::isolate {

// For one node. Driver's thread, in audio calls too: everything is allocated by the constructor,
// except what only threaded nodes can ask for.
class NodeServer {
 public:
  NodeServer(const sluice_host& host, const sluice_type& type, bool is_virtual);

  // The places of the frames; from prepare. [control]
  void set_rooms(std::vector<PortRoom> rooms, std::span<const sluice_port_setup> ports);
  const PortRoom& room(uint32_t port) const { return rooms_[port]; }
  // Of an output.
  Fade& fade(uint32_t port) { return fades_[port]; }

  // Completes the host's message with what every one of them tells, and sends it.
  void send(NodeProcess& process, Op op);
  // Parameters are told anew: the process is a new one.
  void begin(NodeProcess& process);
  // Takes over what the node's message tells besides its operation: posts and statistics. Returns
  // its head, copied: the memory may change at any time.
  MessageHead take(NodeProcess& process);
  // The same of a message that comes too late to count.
  MessageHead take_late(NodeProcess& process);
  // Does what was asked for and fills in the answer. False if the process ended meanwhile.
  bool answer(NodeProcess& process, const MessageHead& asked);

  // Streams and listeners that it has left behind. [control, worker]
  void close_handles(NodeProcess& process) const;
  Packer listen(NodeProcess& process, Unpacker& facts) const;

  // Frames that the host has thrown away while the node held the same ones.
  void note_passed(uint32_t port, uint64_t frames) { passed_[port] += frames; }
  const sluice_worker_host* worker() const { return worker_; }
  const sluice_packet_host* packets() const { return packets_; }
  const sluice_device_host* device() const { return device_; }

 private:
  void take_post(NodeProcess& process, const Post& post);
  void take_statistics(const Message& from);
  void put_parameters(Message& to);
  sluice_result wait(NodeProcess& process, const MessageHead& asked, bool& has_ended);
  sluice_result ask_net(NodeProcess& process, const MessageHead& asked);
  uint32_t keep(NodeProcess& process, void* object, bool is_listener) const;
  bool is_port(uint32_t port, uint32_t direction, uint32_t kind) const;

  const sluice_host& host_;
  const sluice_type& type_;
  const bool is_virtual_;
  const sluice_worker_host* worker_;
  const sluice_packet_host* packets_;
  const sluice_device_host* device_;
  const sluice_clock_host* clocks_;
  const sluice_reader_host* readers_;
  const sluice_play_host* players_;
  const sluice_net_host* net_;
  std::vector<PortRoom> rooms_;
  std::vector<Fade> fades_;
  std::vector<uint64_t> passed_;
  std::vector<uint32_t> live_;  // parameters
  std::vector<double> told_;    // of these
  // Counters of processes that are gone, and what the present one said last.
  std::vector<uint64_t> counted_before_, counted_;
};

}  // namespace sluice::isolate
