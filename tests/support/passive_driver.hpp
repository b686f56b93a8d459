// Drives one passive node straight through the ABI, as a host would, and holds it to its contract.
//
//   PassiveDriver gain("filter.gain");
//   gain.set("gain_db", -6.0);
//   gain.prepare();                                   // 48 kHz stereo f32
//   gain.parameter_at(4800, "gain_db", 0.0);
//   std::vector<float> out = gain.run(sine(1000, -20, 48000, 2), {.frames = 480});
//
// The node is offered its input in a copy with guard bytes around it, and room with guard bytes
// behind it. A node that writes where it must not, counts wrongly, answers an invalid status, or
// stops making progress with input or its end before it and room behind it, makes run() throw
// Broken with a sentence; what host/validate/rt_guard.hpp forbids in process ends the test. One
// input port, one output port, PCM. Not thread safe.
#pragma once

#include <sluice/plugin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace sluice::tests {

// The node broke the contract of plugin.h, or the test asked for what does not exist.
struct Broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// How run() cuts a stream into calls.
struct Splits {
  uint32_t frames = 4096;  // new frames offered per call; with `seed` at most
  uint64_t seed = 0;       // non-zero: each call 0..frames new frames and 0..2*frames room
  bool is_ended = true;    // nothing follows this run
};

constexpr sluice_format format_of(sluice_sample_format sample_format, uint32_t channels = 2,
                                  uint32_t rate_hz = 48000) {
  return {sizeof(sluice_format), sample_format, channels, rate_hz};
}
inline constexpr sluice_format kStereo = format_of(SLUICE_SAMPLE_F32);

class PassiveDriver {
 public:
  // Loads the type from the plugin `stem`.so (empty: named as the type) of the build tree;
  // "FAMILY/NAME" is a member of a family.
  explicit PassiveDriver(const std::string& type_id, const std::string& stem = "");
  ~PassiveDriver();
  PassiveDriver(const PassiveDriver&) = delete;
  PassiveDriver& operator=(const PassiveDriver&) = delete;

  const sluice_type& type() const { return *type_; }

  // Values of parameters before prepare; what is not set has its default.
  void set(const std::string& key, double number);
  void set(const std::string& key, const char* choice_or_text);
  void set_list(const std::string& key, std::vector<double> numbers);
  void set_matrix(const std::string& key, uint32_t rows, std::vector<double> numbers);

  // Creates the node, describes its ports, finds the output format and prepares. The sentence of
  // what failed, or "". May be called again, which starts from the beginning.
  [[nodiscard]] std::string try_prepare(const sluice_format& input = kStereo, uint64_t seed = 1);
  // The same; throws Broken with the sentence.
  void prepare(const sluice_format& input = kStereo, uint64_t seed = 1);
  void reset();

  const sluice_format& input_format() const { return setup_[0].format; }
  const sluice_format& output_format() const { return setup_[1].format; }
  uint64_t latency_frames() const { return setup_[1].latency_frames; }
  uint64_t hold_frames() const { return setup_[0].hold_frames; }

  // What is to happen when the input has come to `frame`, counted from prepare.
  void parameter_at(uint64_t frame, const std::string& key, double value);
  void upstream_at(uint64_t frame, uint32_t code);
  void mark_at(uint64_t frame, uint32_t kind, uint64_t value = 0);
  // Capture time of the input's first frame; unknown unless set.
  void capture_from(int64_t capture_ns) { capture_ns_ = capture_ns; }

  // Feeds `input` behind what was fed before and returns what came out meanwhile. Runs until the
  // node is drained or, if the stream goes on, until it asks for more.
  std::vector<std::byte> run_bytes(std::span<const std::byte> input, const Splits& splits = {});
  template <typename Out = float, typename In>
  std::vector<Out> run(const std::vector<In>& input, const Splits& splits = {}) {
    const std::vector<std::byte> bytes = run_bytes(std::as_bytes(std::span(input)), splits);
    std::vector<Out> output(bytes.size() / sizeof(Out));
    if (!bytes.empty()) std::memcpy(output.data(), bytes.data(), bytes.size());
    return output;
  }

  // One call with exactly this span and room, nothing checked: for measuring.
  sluice_status process_once(const void* in, uint32_t frames, void* out, uint32_t room);

  // Since prepare.
  uint64_t consumed_frames() const { return consumed_; }
  uint64_t produced_frames() const { return produced_; }
  bool is_drained() const { return is_drained_; }
  // Put there by the node itself.
  const std::vector<sluice_mark>& marks() const { return marks_; }
  // Frames produced by the largest single call.
  uint32_t largest_production() const { return largest_production_; }
  // Capture time that the node gave or left to output frame `frame`; SLUICE_NO_TIME if unknown.
  int64_t capture_ns(uint64_t frame) const;
  double gauge(const std::string& key) const;
  uint64_t counter(const std::string& key) const;

 private:
  struct Value {
    double number = 0.0;
    std::string text;
    std::vector<double> list;
    uint32_t rows = 0;
  };
  struct Capture {
    uint64_t first = 0, frames = 0;
    int64_t capture_ns = SLUICE_NO_TIME;
  };
  using Event = std::pair<uint64_t, sluice_event>;  // at an input position

  static PassiveDriver& of(const sluice_host* host) {
    return *static_cast<PassiveDriver*>(host->context);
  }
  uint32_t index_of_parameter(const std::string& key) const;
  uint64_t slot(const std::string& key, uint32_t kind) const;
  void add_event(uint64_t frame, sluice_event event);
  void destroy();
  sluice_port_info describe(uint32_t port, const sluice_format* inputs);
  sluice_status call(uint32_t offered, uint32_t room, uint32_t wanted, bool is_last);
  [[noreturn]] void broken(const std::string& what) const;

  void* library_ = nullptr;
  const sluice_type* type_ = nullptr;
  const sluice_passive* passive_ = nullptr;
  sluice_node* node_ = nullptr;
  sluice_host host_{};
  std::vector<Value> values_;
  std::vector<sluice_slot> slots_;
  std::string sentence_;

  sluice_port_setup setup_[2] = {};
  uint32_t frame_bytes_[2] = {};
  std::vector<std::byte> queue_;  // fed, not consumed
  std::vector<std::byte> output_;
  std::deque<Event> events_;
  std::deque<sluice_mark> input_marks_;
  std::vector<sluice_mark> marks_;
  std::vector<Capture> captures_;
  int64_t capture_ns_ = SLUICE_NO_TIME;
  uint64_t consumed_ = 0, produced_ = 0;
  uint32_t last_consumed_ = 0, last_produced_ = 0, last_wanted_ = 0;
  bool last_had_event_ = false;
  uint32_t largest_production_ = 0;
  bool is_drained_ = false;
};

}  // namespace sluice::tests
