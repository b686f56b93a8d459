#include "tests/support/worker_driver.hpp"

#include <dlfcn.h>
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <sluice/describe.hpp>

#include "tests/support/folders.hpp"

namespace sluice::tests {
namespace {

// Enough for every node that asks for no limit of its own.
constexpr uint32_t kSpanFrames = 1u << 16;

[[noreturn]] void abort_with(const std::string& sentence) {
  fmt::print(stderr, "worker_driver: {}\n", sentence);
  std::abort();
}

support::ErrorCode code_of(sluice_result result) {
  switch (result) {
    case SLUICE_ERROR_ARGUMENT:
    case SLUICE_ERROR_FORMAT:
      return support::ErrorCode::kInvalid;
    case SLUICE_ERROR_NOT_FOUND:
      return support::ErrorCode::kNotFound;
    case SLUICE_ERROR_PERMISSION:
      return support::ErrorCode::kPermission;
    case SLUICE_ERROR_STATE:
      return support::ErrorCode::kState;
    case SLUICE_ERROR_UNSUPPORTED:
      return support::ErrorCode::kUnsupported;
    case SLUICE_ERROR_MEMORY:
      return support::ErrorCode::kNoMemory;
    case SLUICE_ERROR_TIMEOUT:
      return support::ErrorCode::kTimeout;
    case SLUICE_ERROR_IO:
    case SLUICE_ERROR_DEVICE:
    case SLUICE_ERROR_NETWORK:
      return support::ErrorCode::kIo;
    default:
      return support::ErrorCode::kInternal;
  }
}

}  // namespace

struct WorkerDriver::HostTables {
  static WorkerDriver& of(const sluice_host* host) {
    return *static_cast<WorkerDriver*>(host->context);
  }

  static const void* get_extension(const sluice_host*, const char* id) {
    const std::string_view wanted = id;
    if (wanted == SLUICE_WORKER_HOST) return &kWorker;
    if (wanted == SLUICE_NET_HOST) return &kNet;
    if (wanted == SLUICE_CLOCK_HOST) return &kClock;
    if (wanted == SLUICE_THREAD_HOST) return &kThread;
    return nullptr;
  }
  static void fail(const sluice_host* host, sluice_result, const char* sentence) {
    of(host).sentence_ = sentence;
  }
  static void log(const sluice_host* host, uint32_t, const char* sentence) {
    of(host).log_.emplace_back(sentence);
  }
  static sluice_result value(const sluice_host* host, uint32_t index, sluice_value* value) {
    WorkerDriver& self = of(host);
    if (index >= self.values_.size()) {
      self.violate(fmt::format("value: there is no parameter {}", index));
      return SLUICE_ERROR_ARGUMENT;
    }
    *value = self.values_[index];
    return SLUICE_OK;
  }
  static sluice_slot* slots(const sluice_host* host) { return of(host).slots_.data(); }
  static int64_t now_ns(const sluice_host* host) { return of(host).now_ns_; }
  static void mark(const sluice_host* host, uint32_t, const sluice_mark* mark) {
    WorkerDriver& self = of(host);
    if (mark->position < self.frames_written_) self.violate("mark: behind the writer");
    self.marks_.push_back(*mark);
  }
  static void tell_upstream(const sluice_host* host, uint32_t, uint32_t code) {
    of(host).told_upstream_.push_back(code);
  }
  static void set_state(const sluice_host* host, uint32_t state, const char* sentence) {
    WorkerDriver& self = of(host);
    const std::string text = sentence ? sentence : "";
    if (self.state_ == state && self.state_sentence_ == text) return;
    self.state_ = state;
    self.state_sentence_ = text;
    if (sentence) self.log_.push_back(text);
  }

  static sluice_result wait(const sluice_host* host, sluice_wait_item* items, uint32_t count,
                            int64_t deadline_ns) {
    return of(host).wait(items, count, deadline_ns);
  }
  static sluice_result begin_read(const sluice_host* host, uint32_t, uint32_t maximum,
                                  sluice_read_span* span) {
    WorkerDriver& self = of(host);
    if (self.read_held_) self.violate("begin_read: a span is held");
    span->frames = static_cast<uint32_t>(std::min<uint64_t>(maximum, self.available_frames()));
    span->flags = self.idle_ ? SLUICE_INPUT_IDLE : 0;
    if (self.ended_ && span->frames == self.available_frames()) span->flags |= SLUICE_INPUT_ENDED;
    span->data = self.input_.data() + self.input_begin_;
    span->position = self.frames_read_;
    span->capture_ns = SLUICE_NO_TIME;
    self.read_held_ = span->frames;
    return SLUICE_OK;
  }
  static void end_read(const sluice_host* host, uint32_t, uint32_t frames) {
    WorkerDriver& self = of(host);
    if (!self.read_held_ || frames > *self.read_held_) {
      return self.violate(fmt::format("end_read: {} frames were not offered", frames));
    }
    self.read_held_.reset();
    self.consume(frames);
  }
  static sluice_result begin_write(const sluice_host* host, uint32_t, uint32_t maximum,
                                   sluice_write_span* span) {
    WorkerDriver& self = of(host);
    if (self.write_held_) self.violate("begin_write: a span is held");
    span->frames =
        static_cast<uint32_t>(std::min<uint64_t>({maximum, self.room_frames(), kSpanFrames}));
    // Filled with nonsense: a node must write every frame it publishes.
    self.span_.assign(size_t{span->frames} * self.frame_bytes_, std::byte{0x7b});
    span->data = self.span_.data();
    span->position = self.frames_written_;
    self.write_held_ = span->frames;
    return SLUICE_OK;
  }
  static void end_write(const sluice_host* host, uint32_t, uint32_t frames, int64_t capture_ns) {
    WorkerDriver& self = of(host);
    if (!self.write_held_ || frames > *self.write_held_) {
      return self.violate(fmt::format("end_write: {} frames were not offered", frames));
    }
    self.write_held_.reset();
    if (frames == 0) return;
    const auto data = std::span(self.span_).first(size_t{frames} * self.frame_bytes_);
    const uint64_t position = self.frames_written_;
    self.frames_written_ += frames;
    if (self.on_write_) {
      self.on_write_({position, frames, capture_ns, self.now_ns_, data});
    } else {
      self.written_.insert(self.written_.end(), data.begin(), data.end());
    }
  }
  static void drop(const sluice_host* host, uint32_t, uint64_t frames) {
    of(host).frames_dropped_ += frames;
  }
  static sluice_result next_mark(const sluice_host* host, uint32_t, uint64_t position,
                                 sluice_mark* mark) {
    WorkerDriver& self = of(host);
    if (self.input_marks_.empty() || self.input_marks_.front().position > position) {
      return SLUICE_ERROR_AGAIN;
    }
    *mark = self.input_marks_.front();
    self.input_marks_.pop_front();
    return SLUICE_OK;
  }
  static uint64_t available(const sluice_host* host, uint32_t) {
    return of(host).available_frames();
  }
  static void discard(const sluice_host* host, uint32_t, uint64_t frames, const char*) {
    WorkerDriver& self = of(host);
    const uint64_t discarded = std::min(frames, self.available_frames());
    self.frames_discarded_ += discarded;
    self.consume(discarded);
  }

  static void publish(const sluice_host* host, uint32_t port, double frames, int64_t monotonic_ns,
                      double ratio) {
    of(host).clock_readings_.push_back({port, frames, monotonic_ns, ratio});
  }
  static uint32_t raise_priority(const sluice_host* host, uint32_t priority, const char** why_not) {
    of(host).asked_priority_ = priority;
    *why_not = "The test driver has no priorities.";
    return 0;
  }

  static sluice_result connect(const sluice_host* host, const char* name, uint16_t port,
                               const sluice_stream_options* options, sluice_stream** stream) {
    auto made = of(host).network_.connect(name, port, *options);
    if (!made) return of(host).refuse(made.error());
    *stream = *made;
    return SLUICE_OK;
  }
  static sluice_result listen(const sluice_host* host, const char* address, uint16_t port,
                              const sluice_stream_options* options, sluice_listener** listener) {
    auto made = of(host).network_.listen(address, port, *options);
    if (!made) return of(host).refuse(made.error());
    *listener = *made;
    return SLUICE_OK;
  }
  static uint16_t listener_port(const sluice_host* host, sluice_listener* listener) {
    return of(host).network_.listener_port(listener);
  }
  static sluice_result accept(const sluice_host* host, sluice_listener* listener,
                              sluice_stream** stream) {
    return of(host).network_.accept(listener, stream);
  }
  static sluice_result send(const sluice_host* host, sluice_stream* stream, const void* data,
                            size_t size_bytes, size_t* sent) {
    return of(host).network_.send(stream, data, size_bytes, *sent);
  }
  static sluice_result receive(const sluice_host* host, sluice_stream* stream, void* data,
                               size_t size_bytes, size_t* received) {
    return of(host).network_.receive(stream, data, size_bytes, *received);
  }
  static void info(const sluice_host* host, sluice_stream* stream, sluice_stream_info* info) {
    of(host).network_.info(stream, *info);
  }
  static void finish(const sluice_host* host, sluice_stream* stream) {
    of(host).network_.finish(stream);
  }
  static void close(const sluice_host* host, sluice_stream* stream, uint32_t abort) {
    of(host).network_.close(stream, abort != 0);
  }
  static void close_listener(const sluice_host* host, sluice_listener* listener) {
    of(host).network_.close_listener(listener);
  }

  static const sluice_worker_host kWorker;
  static const sluice_clock_host kClock;
  static const sluice_thread_host kThread;
  static const sluice_net_host kNet;
};

const sluice_worker_host WorkerDriver::HostTables::kWorker{
    wait, begin_read, end_read, begin_write, end_write, drop, next_mark, available, discard};
const sluice_clock_host WorkerDriver::HostTables::kClock{publish};
const sluice_thread_host WorkerDriver::HostTables::kThread{raise_priority};
const sluice_net_host WorkerDriver::HostTables::kNet{
    connect, listen, listener_port, accept, send, receive, info, finish, close, close_listener};

const sluice_type& load_type(const std::string& type_id) {
  const std::string path = plugin_folder() / (type_id + ".so");
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) abort_with(dlerror());
  const auto* entry = static_cast<const sluice_library*>(dlsym(library, "sluice_entry"));
  if (!entry) abort_with(path + " is no plugin");
  for (uint32_t i = 0; i < entry->type_count; ++i) {
    if (type_id == entry->types[i]->id) return *entry->types[i];
  }
  abort_with(path + " has no type " + type_id);
}

WorkerDriver::WorkerDriver(const std::string& type_id) : type_(&load_type(type_id)) {
  if (type_->port_count != 1) abort_with(type_id + " has more than one port");
  for (uint32_t i = 0; i < type_->parameter_count; ++i) {
    const sluice_parameter& p = type_->parameters[i];
    texts_.push_back(std::make_unique<std::string>(p.default_text ? p.default_text : ""));
    sluice_value value{};
    value.struct_size = sizeof(value);
    value.kind = p.kind;
    value.number = p.default_number;
    value.text = p.kind == SLUICE_CHOICE ? p.choices[static_cast<uint32_t>(p.default_number)]
                                         : texts_.back()->c_str();
    values_.push_back(value);
  }
  slots_.resize(type_->statistic_count);

  host_ = {sizeof(sluice_host),       this,
           HostTables::get_extension, HostTables::fail,
           HostTables::log,           HostTables::value,
           HostTables::slots,         HostTables::now_ns,
           HostTables::mark,          HostTables::tell_upstream,
           HostTables::set_state};
  if (type_->functions->create(&host_, &node_) != SLUICE_OK) abort_with(sentence_);
}

WorkerDriver::~WorkerDriver() {
  release();
  type_->functions->destroy(node_);
}

uint32_t WorkerDriver::index_of(std::string_view key) const {
  for (uint32_t i = 0; i < type_->parameter_count; ++i) {
    if (key == type_->parameters[i].key) return i;
  }
  abort_with(fmt::format("{} has no parameter {}", type_->id, key));
}

void WorkerDriver::set(std::string_view key, double number) {
  const uint32_t index = index_of(key);
  const sluice_parameter& p = type_->parameters[index];
  if (number < p.minimum || number > p.maximum) {
    abort_with(fmt::format("{} = {} is out of range", key, number));
  }
  values_[index].number = number;
  if (!is_running_) return;
  if (!(p.flags & SLUICE_PARAMETER_LIVE)) abort_with(fmt::format("{} is not live", key));
  parameters_changed_ = true;
}

void WorkerDriver::set(std::string_view key, std::string_view text) {
  const uint32_t index = index_of(key);
  const sluice_parameter& p = type_->parameters[index];
  if (p.kind != SLUICE_CHOICE) {
    *texts_[index] = text;
    values_[index].text = texts_[index]->c_str();
    return;
  }
  const auto choices = std::span(p.choices, p.choice_count);
  const auto found =
      std::ranges::find(choices, text, [](const char* c) { return std::string_view(c); });
  if (found == choices.end()) abort_with(fmt::format("{} cannot be {}", key, text));
  values_[index].text = *found;
  values_[index].number = static_cast<double>(found - choices.begin());
}

support::Status WorkerDriver::status(sluice_result result) {
  if (result == SLUICE_OK || result == SLUICE_ERROR_STOPPED) return {};
  if (sentence_.empty()) sentence_ = "The node failed without a sentence.";
  return support::Error{code_of(result), std::exchange(sentence_, {})};
}

sluice_result WorkerDriver::refuse(const support::Error& error) {
  sentence_ = error.message;
  return SLUICE_ERROR_NETWORK;
}

support::Result<WorkerDriver::Description> WorkerDriver::describe(uint32_t port) {
  const sluice_port& declared = type_->ports[port];
  sluice_port_info info{sizeof(sluice_port_info), declared.flags,      declared.clock, nullptr,
                        declared.offers,          declared.offer_count};
  const sluice_result result = type_->functions->describe(node_, port, nullptr, &info);
  if (result != SLUICE_OK) return status(result).error();
  return Description{{info.offers, info.offers + info.offer_count}, info.flags, info.clock};
}

support::Status WorkerDriver::prepare(const sluice_format& format, uint32_t mode, uint32_t frames) {
  release();
  frame_bytes_ = frame_bytes(format);
  port_setup_ = {};
  port_setup_.struct_size = sizeof(port_setup_);
  port_setup_.is_connected = 1;
  port_setup_.format = format;
  port_setup_.is_fed_live = is_fed_live_ ? 1 : 0;
  sluice_setup setup{sizeof(sluice_setup), mode, frames, 1, &port_setup_, seed_};
  const sluice_result result = type_->functions->prepare(node_, &setup);
  is_prepared_ = result == SLUICE_OK;
  return status(result);
}

void WorkerDriver::release() {
  if (is_prepared_) type_->functions->release(node_);
  is_prepared_ = false;
}

void WorkerDriver::at(int64_t time_ns, std::function<void()> action) {
  script_.emplace(time_ns, std::move(action));
}

void WorkerDriver::feed(std::span<const std::byte> frames) {
  input_.insert(input_.end(), frames.begin(), frames.end());
  frames_fed_ += frames.size() / frame_bytes_;
}

void WorkerDriver::feed_mark(uint32_t kind) {
  input_marks_.push_back({sizeof(sluice_mark), kind, frames_fed_, SLUICE_NO_TIME, 0});
}

void WorkerDriver::consume(uint64_t frames) {
  frames_read_ += frames;
  input_begin_ += frames * frame_bytes_;
  if (input_begin_ == input_.size()) {
    input_.clear();
    input_begin_ = 0;
  } else if (input_begin_ > input_.size() / 2 && input_begin_ > kSpanFrames) {
    input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(input_begin_));
    input_begin_ = 0;
  }
}

uint64_t WorkerDriver::room_frames() const {
  if (!capacity_frames_) return kSpanFrames;
  return *capacity_frames_ - (frames_written_ - frames_taken_);
}

uint32_t WorkerDriver::is_ready(const sluice_wait_item& item) {
  switch (item.kind) {
    case SLUICE_WAIT_INPUT:
      return ended_ || available_frames() >= std::max(item.amount, 1u);
    case SLUICE_WAIT_OUTPUT:
      return room_frames() >= item.amount;
    case SLUICE_WAIT_PARAMETERS:
      return std::exchange(parameters_changed_, false);
    case SLUICE_WAIT_STREAM:
      return network_.ready(item.object, item.amount);
    case SLUICE_WAIT_RETRY:
      return std::exchange(is_asked_to_retry_, false);
    case SLUICE_WAIT_MARKS:
      return !input_marks_.empty();
    case SLUICE_WAIT_DESCRIPTOR: {
      pollfd descriptor{item.descriptor, static_cast<short>(item.amount), 0};
      ::poll(&descriptor, 1, 0);
      return static_cast<uint16_t>(descriptor.revents);
    }
    default:
      violate(fmt::format("wait: kind {} is not offered by the test driver", item.kind));
      return 0;
  }
}

// When anything can happen without the node.
int64_t WorkerDriver::next_ns(std::span<const sluice_wait_item> items) {
  int64_t next_ns = script_.empty() ? SLUICE_FOREVER : script_.begin()->first;
  for (Participant* participant : participants_) {
    next_ns = std::min(next_ns, participant->wake_ns());
  }
  std::vector<pollfd> none;
  for (const sluice_wait_item& item : items) {
    if (item.kind == SLUICE_WAIT_STREAM) {
      network_.poll_set(item.object, item.amount, none, next_ns);
    }
  }
  return next_ns;
}

sluice_result WorkerDriver::wait(sluice_wait_item* items, uint32_t count, int64_t deadline_ns) {
  ++waits_;
  if (read_held_ || write_held_) {
    violate("wait: a span is held");
    return SLUICE_ERROR_STATE;
  }
  for (;;) {
    while (!script_.empty() && script_.begin()->first <= now_ns_) {
      const auto action = std::move(script_.begin()->second);
      script_.erase(script_.begin());
      action();
    }
    for (Participant* participant : participants_) participant->act();
    if (stopped_) return SLUICE_ERROR_STOPPED;
    bool any = false;
    for (uint32_t i = 0; i < count; ++i) {
      items[i].ready = is_ready(items[i]);
      any = any || items[i].ready;
    }
    if (any) return SLUICE_OK;
    if (deadline_ns <= now_ns_) return SLUICE_ERROR_TIMEOUT;
    const int64_t wake_ns = std::min(next_ns({items, count}), deadline_ns);
    if (wake_ns == SLUICE_FOREVER) {
      is_stuck_ = stopped_ = true;
      return SLUICE_ERROR_STOPPED;
    }
    now_ns_ = std::max(now_ns_, wake_ns);
  }
}

support::Status WorkerDriver::run() {
  const auto* threaded =
      static_cast<const sluice_threaded*>(type_->functions->get_interface(node_, SLUICE_THREADED));
  is_running_ = true;
  const sluice_result result = threaded->run(node_);
  is_running_ = false;
  if (read_held_ || write_held_) violate("run: returned with a span held");
  if (is_stuck_) {
    return support::Error{support::ErrorCode::kTimeout,
                          "The node waits for what cannot happen any more."};
  }
  return status(result);
}

const sluice_slot& WorkerDriver::slot_of(std::string_view key) const {
  for (uint32_t i = 0; i < type_->statistic_count; ++i) {
    if (key == type_->statistics[i].key) return slots_[i];
  }
  abort_with(fmt::format("{} has no statistic {}", type_->id, key));
}

uint64_t WorkerDriver::counter(std::string_view key) const { return slot_of(key).word; }
double WorkerDriver::gauge(std::string_view key) const {
  return std::bit_cast<double>(slot_of(key).word);
}

}  // namespace sluice::tests
