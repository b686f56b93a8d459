// A host for one node that holds it to its contract: every call of the ABI is looked at, buffers
// have guards around them, time is virtual, the network is in memory. [control]
//
// What the node does wrong is collected in violations(), one sentence each; nothing here ends the
// process, but the node may.
#pragma once

#include <sluice/plugin.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "host/engine/net/memory_network.hpp"

namespace sluice::validate {

class Peers;

struct Value {
  double number = 0.0;
  std::string text;
  std::vector<double> list;
  uint32_t rows = 0;
};

// Where a call of the node is under way; what host functions check their caller against.
enum class CallClass : uint8_t { kNone = 0, kControl = 1, kAudio = 2, kWorker = 4 };

// What stands around the spans handed to process.
enum class Fence : uint8_t {
  kBytes,  // guard bytes, looked at after the call
  kPages,  // memory that nobody may touch, right behind each span
};

// What is fed to PCM inputs.
enum class Signal : uint8_t { kNoise, kSilence, kSquare, kDenormals, kConstant, kImpulse, kNan };

// How a stream is cut into calls of process.
struct Cut {
  uint64_t frames = 9600;       // of each input
  uint32_t block_frames = 480;  // offered in a call, at most
  uint32_t room_frames = 0;     // at the outputs; 0: as block_frames, or as much as they ask for
  uint64_t seed = 0;            // non-zero: blocks and rooms of random sizes, zero among them
  Signal signal = Signal::kNoise;
  Fence fence = Fence::kBytes;
  bool is_ended = true;  // nothing follows
  // Called before each call with the frames consumed of the first input.
  std::function<void(uint64_t position)> before_call = {};
};

// How a threaded node is run.
struct Course {
  uint64_t frames = 48'000;           // of each PCM input, at real-time pace
  bool is_ended = true;               // the inputs end behind them
  int64_t stop_ns = 10'000'000'000;   // virtual
  uint64_t stop_frames = 4 * 48'000;  // written at the first output
  uint64_t stop_waits = 200'000;
  double live_changes_per_s = 0.0;  // of random live parameters
};

class NodeHost {
 public:
  // `values` has one entry for each parameter; `type` outlives the host.
  NodeHost(const sluice_type& type, std::vector<Value> values, uint64_t seed = 1);
  ~NodeHost();
  NodeHost(const NodeHost&) = delete;
  NodeHost& operator=(const NodeHost&) = delete;

  // ---- Calls of the plugin. The sentence of what failed; empty on success.
  std::string create();
  // Finds a format for each port, near `wanted`, and prepares. Optional inputs are connected if
  // `with_optional`.
  std::string prepare(const sluice_format& wanted = kStereo, uint32_t block_frames = 4096,
                      bool with_optional = true);
  void release();
  void destroy();
  void reset();
  const void* interface(const char* id) const;

  // Feeds and calls process until the node is drained or asks for more. False: it failed, did not
  // come on or broke its contract.
  bool play(const Cut& cut);
  // Runs a threaded node until it returns. The sentence of its failure; empty on success.
  std::string run(const Course& course);
  // Starts a device, waits up to 2 s for its first cycle and stops it.
  std::string start_and_stop();

  // ---- What is to happen.
  void change_live(uint32_t parameter, double value);  // at the next call, or wait
  void set_refuses_extensions(bool refuses) { refuses_extensions_ = refuses; }
  // Who sits at the other end of connections; null: nobody. Not owned.
  void set_peers(Peers* peers) { peers_ = peers; }
  void put_mark(uint64_t position, uint32_t kind);  // on every PCM input

  // ---- What happened.
  static constexpr sluice_format kStereo{sizeof(sluice_format), SLUICE_SAMPLE_F32, 2, 48000};
  const std::set<std::string>& violations() const { return violations_; }
  void violate(const std::string& sentence);
  // Host functions called from the wrong thread class.
  const std::set<std::string>& class_violations() const { return class_violations_; }
  // Of the first input and output of the type; zeros if there is none.
  sluice_format input_format() const;
  sluice_format output_format() const;
  uint64_t consumed() const;
  uint64_t produced() const { return output_of_first() ? output_of_first()->frames_written : 0; }
  uint64_t latency_frames() const;
  // Written by PCM output `index` (counted among outputs), as floats.
  std::vector<float> output(size_t index = 0) const;
  const std::vector<sluice_mark>& marks() const { return marks_; }
  void clear_output();
  uint32_t block_largest_ns() const { return block_largest_ns_; }
  uint64_t block_total_ns() const { return block_total_ns_; }
  uint64_t blocks() const { return blocks_; }
  bool has_used_network() const { return has_used_network_; }
  bool was_stopped() const { return is_stopped_; }
  uint64_t waits() const { return waits_; }
  uint64_t cycles() const { return cycles_; }
  int64_t now_ns() const { return now_ns_; }
  engine::MemoryNetwork& network() { return network_; }

 private:
  friend struct HostTables;
  struct Packet {
    sluice_packet head{};
    std::vector<std::byte> data;
  };
  struct Port {
    const sluice_port* declared = nullptr;
    bool is_connected = true;
    sluice_format format{};
    uint32_t frame_bytes = 0;
    sluice_port_setup* setup = nullptr;
    // Inputs.
    std::vector<std::byte> data;
    uint64_t frames_fed = 0, frames_read = 0;
    bool has_ended = false;
    uint32_t wanted = 0;
    std::deque<sluice_mark> marks;
    std::deque<Packet> packets;
    // Outputs.
    std::vector<std::byte> written;
    uint64_t frames_written = 0;
    uint64_t last_mark = 0;
    // Of a span that is held.
    std::vector<std::byte> span;
    int64_t held_frames = -1;

    bool is_input() const { return declared->direction == SLUICE_INPUT; }
    bool is_pcm() const { return declared->kind == SLUICE_PCM; }
    uint64_t frames_left() const { return frames_fed - frames_read; }
  };
  struct Outcome {
    sluice_status status = SLUICE_STATUS_INVALID;
    bool has_moved = false;
  };

  bool are_slots_intact() const;
  Port* first(uint32_t direction);
  const Port* output_of_first() const;
  std::string take_sentence(const char* doing, sluice_result result);
  std::string describe(uint32_t port, const sluice_format* inputs, sluice_port_info& info);
  void feed(Port& port, uint64_t frames, Signal signal);
  Outcome call(const Cut& cut, std::span<const uint32_t> offered, uint32_t room, bool is_last);
  bool look_after(const Cut& cut, std::span<sluice_input> inputs, std::span<sluice_output> outputs,
                  sluice_status status);
  sluice_result wait(sluice_wait_item* items, uint32_t count, int64_t deadline_ns);
  uint32_t ready(const sluice_wait_item& item);
  int64_t next_ns(std::span<const sluice_wait_item> items);
  uint64_t arrived_frames(const Port& port) const;
  Port* port_of(uint32_t index, uint32_t direction, const char* function);
  void expect(uint32_t classes, const char* function);
  double random() { return static_cast<double>(next_random() >> 11) * 0x1p-53; }
  uint64_t next_random();

  const sluice_type& type_;
  std::vector<Value> values_;
  const uint64_t seed_;
  uint64_t random_state_;
  sluice_host host_{};
  sluice_node* node_ = nullptr;
  bool is_prepared_ = false;
  bool refuses_extensions_ = false;
  std::vector<Port> ports_;
  std::vector<sluice_port_setup> setups_;
  std::vector<sluice_slot> slots_;
  std::vector<sluice_event> events_;
  std::vector<sluice_mark> marks_;
  std::set<std::string> violations_, class_violations_;
  std::string sentence_;
  bool has_failed_call_ = false;

  int64_t now_ns_ = 0;
  Course course_;
  bool is_stopped_ = false, is_parameter_changed_ = false;
  uint64_t waits_ = 0, waits_after_stop_ = 0;
  int64_t next_change_ns_ = 0;
  uint64_t blocks_ = 0, block_total_ns_ = 0;
  uint32_t block_largest_ns_ = 0;
  bool has_used_network_ = false;
  std::mutex cycle_mutex_;
  uint64_t cycles_ = 0;
  bool is_device_stopped_ = false;
  std::vector<std::byte> reserved_;
  Peers* peers_ = nullptr;
  engine::MemoryNetwork network_{[this] { return now_ns_; }};
};

// One value for each parameter: its default, or where it has none the smallest that it may be
// (44100 Hz for the rate of a node that changes the rate).
std::vector<Value> default_values(const sluice_type& type);

// The text that a parameter's value has as an index of its choices.
std::string choice_text(const sluice_parameter& parameter, double index);

}  // namespace sluice::validate
