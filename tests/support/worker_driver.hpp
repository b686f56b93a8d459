// A host in miniature: runs one threaded node directly through the ABI, on the calling thread, with
// its ports in memory and a virtual clock.
//
// The node's run() is called by run(); each of its waits lets the test's script go on: what was
// scheduled with at() happens, in order of time, until the node has what it waits for or its
// deadline has come. Nothing sleeps: an hour passes as fast as the node can work through it.
//
//   WorkerDriver tone("source.tone");
//   tone.set("live", 1);
//   ASSERT_TRUE(tone.prepare({sizeof(sluice_format), SLUICE_SAMPLE_F32, 2, 48000}));
//   tone.stop_at(1'000'000'000);
//   ASSERT_TRUE(tone.run());
//   tone.written<float>()  // what it wrote
//
// What the contract forbids (a wait while a span is held, more frames than were offered, a mark
// behind the writer) is collected in violations(); a test asserts that it is empty.
#pragma once

#include <sluice/plugin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host/engine/net/memory_network.hpp"
#include "host/support/result.hpp"

namespace sluice::tests {

// The type of that name from the plugin of that name in the build tree. Aborts with a sentence if
// it is not there: a broken build, not a failed test.
const sluice_type& load_type(const std::string& type_id);

// Somebody else on the network of the test. `act` does all that can be done now; it is called again
// whenever time has moved or the node has waited.
class Participant {
 public:
  virtual ~Participant() = default;
  virtual void act() = 0;
  // When to act again at the latest; SLUICE_FOREVER if only the node can change anything.
  virtual int64_t wake_ns() = 0;
};

// One node, with at most one input and one output, both PCM. Not thread safe; everything belongs to
// the thread that made it.
class WorkerDriver {
 public:
  // What a port can be, as the node described it.
  struct Description {
    std::vector<sluice_format_offer> offers;
    uint32_t flags = 0;
    uint32_t clock = 0;
  };
  // One end_write, as the node made it.
  struct Write {
    uint64_t position;
    uint32_t frames;
    int64_t capture_ns;
    int64_t at_ns;  // virtual time of the call
    std::span<const std::byte> data;
  };

  // What the node said of its clock, see sluice_clock_host.
  struct ClockReading {
    uint32_t port;
    double frames;
    int64_t monotonic_ns;
    double ratio;
  };

  // Makes a node of load_type(type_id), which must have exactly one port.
  explicit WorkerDriver(const std::string& type_id);
  ~WorkerDriver();
  WorkerDriver(const WorkerDriver&) = delete;
  WorkerDriver& operator=(const WorkerDriver&) = delete;

  const sluice_type& type() const { return *type_; }

  // Sets a parameter by its key; a choice by its text. Aborts on an unknown key or choice. While
  // the node runs (from at() or on_write) it counts as a live change.
  void set(std::string_view key, double number);
  void set(std::string_view key, std::string_view text);

  // [control] calls; an error carries the node's sentence.
  support::Result<Description> describe(uint32_t port = 0);
  // Prepares its only port with that format; `frames` is the host's block.
  support::Status prepare(const sluice_format& format, uint32_t mode = SLUICE_MODE_REAL_TIME,
                          uint32_t frames = 480);
  void release();
  // What the node is told of its input; true by default. [before prepare]
  void set_fed_live(bool is_fed_live) { is_fed_live_ = is_fed_live; }
  // Seed of its random generators. [before prepare]
  void set_seed(uint64_t seed) { seed_ = seed; }
  // What the node answered in prepare.
  const sluice_port_setup& setup() const { return port_setup_; }

  // The script. Times are virtual, the clock starts at 0. [before run, or from a script]
  void at(int64_t time_ns, std::function<void()> action);
  void stop_at(int64_t time_ns) {
    at(time_ns, [this] { stop(); });
  }
  void stop() { stopped_ = true; }
  // Asks it to try again at once.
  void retry() { is_asked_to_retry_ = true; }
  // Moves the clock on without waking anybody: the thread was late.
  void skip_time(int64_t ns) { now_ns_ += ns; }
  int64_t now_ns() const { return now_ns_; }

  // The network that the node sees, and who else is on it (not owned).
  engine::MemoryNetwork& network() { return network_; }
  void add(Participant& participant) { participants_.push_back(&participant); }

  // Input: frames that have arrived, and whether more will come.
  void feed(std::span<const std::byte> frames);
  template <typename T>
  void feed(const std::vector<T>& samples) {
    feed(std::as_bytes(std::span(samples)));
  }
  void end_input() { ended_ = true; }
  // SLUICE_INPUT_IDLE on what is read from now on.
  void set_idle(bool idle) { idle_ = idle; }
  // A mark at the position fed so far.
  void feed_mark(uint32_t kind);
  uint64_t available_frames() const { return frames_fed_ - frames_read_; }
  // Read or discarded.
  uint64_t frames_read() const { return frames_read_; }
  uint64_t frames_discarded() const { return frames_discarded_; }

  // Output: with a capacity, the node finds room for so many frames until take() is called; without
  // one everything is taken at once.
  void set_capacity(uint64_t frames) { capacity_frames_ = frames; }
  void take(uint64_t frames) { frames_taken_ += frames; }
  uint64_t frames_written() const { return frames_written_; }
  uint64_t frames_dropped() const { return frames_dropped_; }
  // Called for every end_write; with it, written() stays empty.
  void on_write(std::function<void(const Write&)> action) { on_write_ = std::move(action); }
  template <typename T>
  std::vector<T> written() const {
    std::vector<T> samples(written_.size() / sizeof(T));
    std::memcpy(samples.data(), written_.data(), samples.size() * sizeof(T));
    return samples;
  }
  const std::vector<std::byte>& written_bytes() const { return written_; }

  // Runs the node until it returns. SLUICE_ERROR_STOPPED counts as success. A node that waits for
  // something that cannot happen any more is stopped, and the error says so.
  support::Status run();

  uint64_t counter(std::string_view key) const;
  double gauge(std::string_view key) const;
  // The newest set_state.
  uint32_t state() const { return state_; }
  const std::vector<std::string>& log_lines() const { return log_; }
  const std::vector<uint32_t>& told_upstream() const { return told_upstream_; }
  // The real-time priority the node asked for; 0: none.
  uint32_t asked_priority() const { return asked_priority_; }
  const std::vector<sluice_mark>& marks() const { return marks_; }
  const std::vector<ClockReading>& clock_readings() const { return clock_readings_; }
  const std::vector<std::string>& violations() const { return violations_; }
  uint64_t waits() const { return waits_; }

 private:
  struct HostTables;
  friend struct HostTables;

  uint32_t index_of(std::string_view key) const;
  const sluice_slot& slot_of(std::string_view key) const;
  support::Status status(sluice_result result);
  sluice_result refuse(const support::Error& error);
  uint32_t is_ready(const sluice_wait_item& item);
  int64_t next_ns(std::span<const sluice_wait_item> items);
  sluice_result wait(sluice_wait_item* items, uint32_t count, int64_t deadline_ns);
  uint64_t room_frames() const;
  void consume(uint64_t frames);
  void violate(std::string sentence) { violations_.push_back(std::move(sentence)); }

  const sluice_type* type_ = nullptr;
  sluice_host host_{};
  sluice_node* node_ = nullptr;
  bool is_prepared_ = false;
  bool is_fed_live_ = true;
  uint64_t seed_ = 1;
  uint32_t asked_priority_ = 0;

  std::vector<sluice_value> values_;
  std::vector<std::unique_ptr<std::string>> texts_;
  std::vector<sluice_slot> slots_;
  sluice_port_setup port_setup_{};
  uint32_t frame_bytes_ = 0;

  int64_t now_ns_ = 0;
  std::multimap<int64_t, std::function<void()>> script_;
  engine::MemoryNetwork network_{[this] { return now_ns_; }};
  std::vector<Participant*> participants_;
  bool stopped_ = false;
  bool is_stuck_ = false;
  bool parameters_changed_ = false;
  bool is_asked_to_retry_ = false;
  bool is_running_ = false;

  std::vector<std::byte> input_;  // fed and not read yet, from input_begin_ on
  size_t input_begin_ = 0;
  uint64_t frames_fed_ = 0, frames_read_ = 0;
  uint64_t frames_discarded_ = 0;
  std::deque<sluice_mark> input_marks_;
  bool ended_ = false, idle_ = false;
  std::optional<uint32_t> read_held_, write_held_;  // frames of the span

  std::vector<std::byte> span_;
  std::vector<std::byte> written_;
  std::function<void(const Write&)> on_write_;
  std::optional<uint64_t> capacity_frames_;
  uint64_t frames_written_ = 0, frames_taken_ = 0, frames_dropped_ = 0;

  uint32_t state_ = 0;
  std::string state_sentence_;
  std::string sentence_;
  std::vector<std::string> log_, violations_;
  std::vector<ClockReading> clock_readings_;
  std::vector<uint32_t> told_upstream_;
  std::vector<sluice_mark> marks_;
  uint64_t waits_ = 0;
};

}  // namespace sluice::tests
