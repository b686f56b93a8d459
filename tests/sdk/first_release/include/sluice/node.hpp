// Base classes for nodes in C++: Passive, Filter, Threaded (sources and sinks), Device.
//
// A node class T derives from one of them, passing itself, and declares
//   static constexpr sluice::Info kInfo            what it is
//   static constexpr sluice_parameter kParameters[]   (if any)  described by number(), text(), ...
//   static constexpr sluice_statistic kStatistics[]   (if any)
//   static constexpr sluice_port kPorts[]             (Filter: in and out, both f32, by default)
// and those of these functions that it needs; what it does not declare is left out of the ABI
// table:
//   void describe(uint32_t port, const sluice_format* inputs, sluice_port_info& info)   [control]
//   void prepare(sluice::Setup& setup)      [control]   allocate, open
//   void release() noexcept                 [control]
//   sluice_status process(sluice_block& block) noexcept          Passive          [audio]
//   void filter(const float* in, float* out,
//               uint32_t frames, uint32_t channels) noexcept     Filter           [audio]
//   void parameter(uint32_t index, double value) noexcept        Filter           [audio]
//   void upstream(uint32_t code) noexcept                        Filter           [audio]
//   void reset() noexcept                                        Passive, Filter  [audio]
//   void run()                                                   Threaded         [worker]
//   void start(); void stop() noexcept                           Device           [control]
//
// describe, prepare, run and start report trouble by throwing sluice::Failure with a sentence; no
// exception leaves the plugin.
#pragma once

#include <sluice/plugin.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstring>
#include <exception>
#include <new>
#include <sluice/describe.hpp>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace sluice {

// Why a call failed: a class of error and one sentence that says what to do. Empty: a call of the
// host has already said it.
struct Failure {
  sluice_result result;
  std::string sentence;
};

// A copy of sluice_setup with named access. Port indexes are those of kPorts.
class Setup {
 public:
  explicit Setup(sluice_setup& setup) : setup_(setup) {}
  sluice_port_setup& port(uint32_t index) {
    auto* bytes = reinterpret_cast<unsigned char*>(setup_.ports);
    return *reinterpret_cast<sluice_port_setup*>(bytes + size_t{index} * setup_.ports->struct_size);
  }
  const sluice_format& format(uint32_t index = 0) { return port(index).format; }
  uint32_t rate_hz(uint32_t index = 0) { return format(index).rate_hz; }
  uint32_t channels(uint32_t index = 0) { return format(index).channels; }
  uint32_t block_frames() const { return setup_.block_frames; }
  bool is_offline() const { return setup_.mode == SLUICE_MODE_OFFLINE; }
  uint64_t seed() const { return setup_.seed; }

 private:
  sluice_setup& setup_;
};

// What every node has: its host, parameters, statistics, log.
class Node {
 public:
  Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

 protected:
  const sluice_host* host() const { return host_; }

  // [control, worker]
  sluice_value value(uint32_t index) const {
    sluice_value v{};
    v.struct_size = sizeof(v);
    host_->value(host_, index, &v);
    return v;
  }
  double number(uint32_t index) const { return value(index).number; }
  uint32_t integer(uint32_t index) const { return static_cast<uint32_t>(value(index).number); }
  uint32_t choice(uint32_t index) const { return integer(index); }
  bool boolean(uint32_t index) const { return value(index).number != 0; }
  std::string_view text(uint32_t index) const {
    const char* t = value(index).text;
    return t ? t : "";
  }
  std::span<const double> list(uint32_t index) const {
    const sluice_value v = value(index);
    return {v.list, v.count};
  }

  int64_t now_ns() const { return host_->now_ns(host_); }  // [any]
  // [control, worker]
  void log(uint32_t level, const std::string& sentence) const {
    host_->log(host_, level, sentence.c_str());
  }
  void info(const std::string& sentence) const { log(SLUICE_LOG_INFO, sentence); }
  void warn(const std::string& sentence) const { log(SLUICE_LOG_WARNING, sentence); }
  void set_state(uint32_t state, const std::string& sentence = {}) const {
    host_->set_state(host_, state, sentence.empty() ? nullptr : sentence.c_str());
  }
  // Statistics, by the index in kStatistics. [any]
  void add(uint32_t statistic, uint64_t amount = 1) const {
    std::atomic_ref<uint64_t> word(host_->slots(host_)[statistic].word);
    word.store(word.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  void set(uint32_t statistic, double gauge) const {
    std::atomic_ref<uint64_t> word(host_->slots(host_)[statistic].word);
    word.store(std::bit_cast<uint64_t>(gauge), std::memory_order_relaxed);
  }
  // [audio, worker]
  void mark(uint32_t port, uint32_t kind, uint64_t position, uint64_t value = 0,
            int64_t capture_ns = SLUICE_NO_TIME) const {
    const sluice_mark m{sizeof(sluice_mark), kind, position, capture_ns, value};
    host_->mark(host_, port, &m);
  }
  void tell_upstream(uint32_t port, uint32_t code) const {
    host_->tell_upstream(host_, port, code);
  }
  // A host extension; throws Failure if this host has none. [control]
  template <typename Table>
  const Table* extension(const char* id) const {
    const void* table = host_->get_extension(host_, id);
    if (!table) {
      throw Failure{SLUICE_ERROR_UNSUPPORTED,
                    std::string("This host does not offer ") + id + "; a newer Sluice may."};
    }
    return static_cast<const Table*>(table);
  }

 private:
  template <typename T>
  friend struct TypeOf;
  const sluice_host* host_ = nullptr;
};

// A passive node with full control over counts.
template <typename T>
class Passive : public Node {
 public:
  static constexpr uint32_t kExecution = SLUICE_EXECUTION_PASSIVE;
};

inline constexpr sluice_port kFilterPorts[] = {
    input("in", "Audio to be filtered.", kOfferF32),
    output("out", "The filtered audio.", kOfferF32, SLUICE_PORT_SAME_FORMAT)};

// A passive node with one f32 input and one f32 output of the same format that makes one frame of
// each frame. T declares filter(); live parameters arrive through parameter() exactly at their
// frame. `in` and `out` never overlap. A filter that is late says so in prepare, by
// setup.port(1).latency_frames; behind the end of the input it is then fed so many frames of
// silence, to hand out what it still holds.
template <typename T>
class Filter : public Passive<T> {
 public:
  static constexpr const auto& kPorts = kFilterPorts;
  static constexpr uint32_t kTypeFlags = SLUICE_TYPE_EQUAL_COUNTS;

  sluice_status process(sluice_block& block) noexcept {
    sluice_input& in = *block.inputs;
    sluice_output& out = *block.outputs;
    T& self = static_cast<T&>(*this);
    const uint32_t frames = std::min(in.frames, out.frames);
    const float* from = static_cast<const float*>(in.data);
    float* to = static_cast<float*>(out.data);
    uint32_t done = 0;
    for (const sluice_event& event : std::span(block.events, block.event_count)) {
      const uint32_t at = std::min(event.frame, frames);
      if (at > done) {
        run(self, from + samples(done), to + samples(done), at - done);
        done = at;
      }
      if constexpr (requires { self.parameter(0u, 0.0); }) {
        if (event.kind == SLUICE_EVENT_PARAMETER) self.parameter(event.index, event.value);
      }
      if constexpr (requires { self.upstream(0u); }) {
        if (event.kind == SLUICE_EVENT_UPSTREAM) self.upstream(event.code);
      }
    }
    if (done < frames) run(self, from + samples(done), to + samples(done), frames - done);
    in.consumed = out.produced = frames;
    if (!(in.flags & SLUICE_INPUT_ENDED) || frames < in.frames) return SLUICE_STATUS_CONTINUE;

    static constexpr float kSilence[SLUICE_MAX_CHANNELS * 16] = {};
    const auto most = static_cast<uint32_t>(std::size(kSilence)) / channels_;
    while (tail_frames_ != 0 && out.produced < out.frames) {
      const uint32_t part = std::min({tail_frames_, out.frames - out.produced, most});
      run(self, kSilence, to + samples(out.produced), part);
      out.produced += part;
      tail_frames_ -= part;
    }
    return tail_frames_ == 0 ? SLUICE_STATUS_DRAINED : SLUICE_STATUS_NEED_ROOM;
  }

 private:
  template <typename U>
  friend struct TypeOf;
  size_t samples(uint32_t frames) const { return size_t{frames} * channels_; }
  void run(T& self, const float* in, float* out, uint32_t frames) noexcept {
    self.filter(in, out, frames, channels_);
  }
  uint32_t channels_ = 1;
  uint32_t latency_frames_ = 0;
  uint32_t tail_frames_ = 0;  // of the latency, still to be handed out
};

// A node with a thread of its own. Its run() blocks in wait() alone and returns when wait() says
// so.
template <typename T>
class Threaded : public Node {
 public:
  static constexpr uint32_t kExecution = SLUICE_EXECUTION_THREADED;

 protected:
  static sluice_wait_item on_input(uint32_t port, uint32_t frames = 0) {
    return item(SLUICE_WAIT_INPUT, port, frames, -1, nullptr);
  }
  static sluice_wait_item on_output(uint32_t port, uint32_t frames) {
    return item(SLUICE_WAIT_OUTPUT, port, frames, -1, nullptr);
  }
  static sluice_wait_item on_descriptor(int descriptor, uint32_t events) {
    return item(SLUICE_WAIT_DESCRIPTOR, 0, events, descriptor, nullptr);
  }
  static sluice_wait_item on_stream(const void* stream_or_listener, uint32_t events) {
    return item(SLUICE_WAIT_STREAM, 0, events, -1, stream_or_listener);
  }
  static sluice_wait_item on_parameters() {
    return item(SLUICE_WAIT_PARAMETERS, 0, 0, -1, nullptr);
  }
  static sluice_wait_item on_marks(uint32_t port) {
    return item(SLUICE_WAIT_MARKS, port, 0, -1, nullptr);
  }
  static sluice_wait_item on_retry() { return item(SLUICE_WAIT_RETRY, 0, 0, -1, nullptr); }

  // SLUICE_OK, SLUICE_ERROR_TIMEOUT or SLUICE_ERROR_STOPPED; see sluice_worker_host.wait. [worker]
  sluice_result wait(std::span<sluice_wait_item> items, int64_t deadline_ns = SLUICE_FOREVER) {
    return worker_->wait(this->host(), items.data(), static_cast<uint32_t>(items.size()),
                         deadline_ns);
  }
  sluice_result wait(sluice_wait_item item, int64_t deadline_ns = SLUICE_FOREVER) {
    return worker_->wait(this->host(), &item, 1, deadline_ns);
  }
  sluice_result sleep_until(int64_t deadline_ns) {
    return worker_->wait(this->host(), nullptr, 0, deadline_ns);
  }
  sluice_read_span begin_read(uint32_t port, uint32_t maximum) {
    sluice_read_span span{};
    span.struct_size = sizeof(span);
    worker_->begin_read(this->host(), port, maximum, &span);
    return span;
  }
  void end_read(uint32_t port, uint32_t frames) { worker_->end_read(this->host(), port, frames); }
  sluice_write_span begin_write(uint32_t port, uint32_t maximum) {
    sluice_write_span span{};
    span.struct_size = sizeof(span);
    worker_->begin_write(this->host(), port, maximum, &span);
    return span;
  }
  void end_write(uint32_t port, uint32_t frames, int64_t capture_ns = SLUICE_NO_TIME) {
    worker_->end_write(this->host(), port, frames, capture_ns);
  }
  void drop(uint32_t port, uint64_t frames) { worker_->drop(this->host(), port, frames); }
  void discard(uint32_t port, uint64_t frames, const char* reason) {
    worker_->discard(this->host(), port, frames, reason);
  }
  uint64_t available(uint32_t port) { return worker_->available(this->host(), port); }
  bool next_mark(uint32_t port, uint64_t position, sluice_mark& mark) {
    mark.struct_size = sizeof(mark);
    return worker_->next_mark(this->host(), port, position, &mark) == SLUICE_OK;
  }

 private:
  template <typename U>
  friend struct TypeOf;
  static sluice_wait_item item(uint32_t kind, uint32_t port, uint32_t amount, int descriptor,
                               const void* object) {
    return {sizeof(sluice_wait_item), kind, port, amount, descriptor, 0, object};
  }
  const sluice_worker_host* worker_ = nullptr;
};

// A node that a device's callback drives.
template <typename T>
class Device : public Node {
 public:
  static constexpr uint32_t kExecution = SLUICE_EXECUTION_DEVICE;

 protected:
  // One period; see sluice_device_host.cycle. [audio]
  void cycle(const sluice_cycle& period) { device_->cycle(this->host(), &period); }

 private:
  template <typename U>
  friend struct TypeOf;
  const sluice_device_host* device_ = nullptr;
};

}  // namespace sluice
