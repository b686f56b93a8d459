// A node of the host's engine whose plugin runs in a process of its own. To the engine it is a node
// like any other: what stands behind its functions is here.
#pragma once

#include <sluice/plugin.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "host/isolate/isolated_type.hpp"
#include "host/isolate/node_process.hpp"
#include "host/isolate/node_server.hpp"

namespace sluice::isolate {

// The driver is the thread that calls process, or run. A third thread, the keeper, watches the
// process from prepare to release: hands on what it says, notes its end, ends it when it hangs, and
// starts another one.
class IsolatedNode final : private NodeProcess::Listener {
 public:
  IsolatedNode(const sluice_host& host, const IsolatedType& type);
  ~IsolatedNode() override;
  IsolatedNode(const IsolatedNode&) = delete;
  IsolatedNode& operator=(const IsolatedNode&) = delete;

  // As the functions of sluice_node_functions and of the tables for a node's kind.
  sluice_result create();
  sluice_result describe(uint32_t port, const sluice_format* inputs, sluice_port_info& info);
  sluice_result prepare(sluice_setup& setup);
  void release();
  sluice_status process(sluice_block& block);
  sluice_result run();
  sluice_result save(std::vector<std::byte>& state);
  sluice_result load(std::span<const std::byte> state);
  sluice_result start();
  void stop();

  // For tests and benchmarks: of its process; 0 while there is none. [control]
  pid_t process_id() const { return process_id_.load(std::memory_order_relaxed); }

 private:
  // CLOCK_MONOTONIC, whatever the clock of the node is.
  static int64_t real_now_ns();

  enum class Served : uint8_t { kAsked, kEnded, kGone, kStopped };
  // What has passed since the plugin was last heard of.
  struct Pace {
    int64_t since_ns;
    std::vector<uint64_t> done_frames;  // by port
  };

  // Making a process, the first time or again.
  struct Failure {
    sluice_result result;
    std::string sentence;
  };
  bool make(std::unique_ptr<NodeProcess>& process, bool is_again, Failure& failure);
  bool take(support::Result<NodeProcess::Answer> answer, Failure& failure,
            std::vector<std::byte>& more);
  Packer facts() const;
  support::Status attach(NodeProcess& process);
  sluice_result tell(const Failure& failure);
  void heard(Note kind, Unpacker& facts) override;
  Packer listen(NodeProcess& process, Unpacker& facts) override;

  // Driver.
  NodeProcess* process_in_use();
  void let_go();
  bool await_turn(int64_t patience_ns);
  void put_block(const sluice_block& block);
  bool take_block(sluice_block& block, sluice_status& status);
  sluice_status stand_in(sluice_block& block);
  uint64_t silent_frames(const sluice_block& block, bool& is_over) const;
  Served serve_run(sluice_result& result);
  void throw_packets_away();
  sluice_status fail_for_good();
  Served await_question();
  bool stand_in_until_back();
  void keep_pace(Pace& pace, bool has_outputs);
  bool is_stopping();
  void cycle();
  void serve_cycle(const MessageHead& asked);
  void stand_in_for_device(Pace& pace);

  // Keeper.
  void keep();
  void look_for_hang();
  void note_end();
  void try_again();

  const sluice_host& host_;
  const IsolatedType& type_;
  const bool is_virtual_;
  std::vector<uint32_t> inputs_, outputs_;  // indices of ports
  NodeServer server_;

  // What was asked, for the next process.
  std::vector<std::vector<std::byte>> described_;  // by port; empty: not
  std::vector<std::string> clock_ids_;
  std::vector<std::vector<sluice_format_offer>> offers_;
  sluice_setup setup_{};
  std::vector<sluice_port_setup> ports_;
  std::vector<PortRoom> rooms_;
  uint64_t host_bytes_ = 0, node_bytes_ = 0;
  bool has_told_limits_ = false;

  // Owned by the keeper, or [control] while there is none.
  std::mutex process_mutex_;  // of process_, where a device is started and stopped beside it
  std::unique_ptr<NodeProcess> process_, older_;
  std::thread keeper_;
  int wake_descriptor_ = -1;
  std::atomic<bool> is_ending_{false};
  std::atomic<pid_t> process_id_{0};
  int64_t started_ns_ = 0, lost_ns_ = 0, next_try_ns_ = 0;
  uint32_t failed_tries_ = 0;
  bool is_hung_ = false;

  // Handed to the driver; null when taken.
  std::atomic<NodeProcess*> offered_{nullptr};
  // Driver's own.
  NodeProcess* in_use_ = nullptr;
  bool is_late_ = false;            // the answer to the last block is still out
  uint32_t reference_rate_hz_ = 0;  // of the first PCM port
  std::vector<uint64_t> silent_;    // by input, then by output: frames since the process is away
  uint64_t silent_total_ = 0;       // the same, at the reference rate
  uint64_t packet_frames_ = 0;      // thrown away, not yet made up for
  bool is_standing_in_ = false;
  std::array<char, kMostTextBytes> literal_{};
  // A device: its driver is a thread of the host's.
  std::thread cycling_;
  std::atomic<bool> is_started_{false};
  bool has_told_priority_ = false;
  std::vector<std::vector<std::byte>> scratch_;  // by port
  std::vector<const void*> captured_;            // by output
  std::vector<void*> played_;                    // by input
  // Of a process that failed for good, in virtual time.
  std::atomic<bool> has_failed_{false};
  std::atomic<bool> is_done_{false};  // run has returned: nobody needs another process
};

}  // namespace sluice::isolate
