#include "host/isolate/isolated_node.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "host/engine/node.hpp"

namespace sluice::isolate {
namespace {

using std::chrono::milliseconds;

// How long a plugin may take for a call that may block.
constexpr milliseconds kCallPatience{20'000};
constexpr milliseconds kGoodbyePatience{2'000};
constexpr milliseconds kStatePatience{1'000};
// A driver that has waited so long waits in vain: the process is ended.
constexpr int64_t kHangNs = 1'000'000'000;
constexpr int64_t kFileHangNs = 10'000'000'000;  // of a threaded node, which may use files
constexpr int kLookMs = 250;
// Between tries: the first one at once, then from so long on, doubling.
constexpr int64_t kFirstDelayNs = 250'000'000;
constexpr int64_t kLongestDelayNs = 30'000'000'000;
// Who lived so long is worth a try at once again.
constexpr int64_t kGoodRunNs = 10'000'000'000;

std::vector<uint32_t> ports_of(const sluice_type& type, uint32_t direction) {
  std::vector<uint32_t> ports;
  for (uint32_t i = 0; i < type.port_count; ++i) {
    if (type.ports[i].direction == direction) ports.push_back(i);
  }
  return ports;
}

bool is_virtual_time(const sluice_host& host) {
  return dynamic_cast<const engine::VirtualClock*>(engine::Node::of(&host).services().clock);
}

constexpr size_t kLine = 64;
uint64_t rounded_up(uint64_t bytes) { return (bytes + kLine - 1) / kLine * kLine; }

}  // namespace

int64_t IsolatedNode::real_now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

IsolatedNode::IsolatedNode(const sluice_host& host, const IsolatedType& type)
    : host_(host),
      type_(type),
      is_virtual_(is_virtual_time(host)),
      inputs_(ports_of(type, SLUICE_INPUT)),
      outputs_(ports_of(type, SLUICE_OUTPUT)),
      server_(host, type, is_virtual_),
      described_(type.port_count),
      clock_ids_(type.port_count),
      offers_(type.port_count) {}

IsolatedNode::~IsolatedNode() {
  release();
  if (wake_descriptor_ >= 0) close(wake_descriptor_);
}

// ---- [control]: what the engine asks before and after running

Packer IsolatedNode::facts() const {
  Packer all;
  all.text(engine::Node::of(&host_).id()).text(type_.file.string()).text(type_.id);
  all.add(is_virtual_).add(type_.parameter_count);
  std::vector<std::string> read{type_.file.parent_path().string()}, write;
  for (uint32_t i = 0; i < type_.parameter_count; ++i) {
    sluice_value value{};
    value.struct_size = sizeof(value);
    host_.value(&host_, i, &value);
    const std::string_view text = value.text ? value.text : "";
    all.add(value.number).text(text);
    all.list(std::span(value.list, value.list ? value.count : 0)).add(value.rows);
    if (text.empty()) continue;
    const uint32_t flags = type_.parameters[i].flags;
    if ((flags & SLUICE_PARAMETER_INPUT_PATH) != 0) read.emplace_back(text);
    if ((flags & SLUICE_PARAMETER_OUTPUT_PATH) != 0) write.emplace_back(text);
  }
  all.add((type_.flags & SLUICE_TYPE_OPENS_DEVICES) != 0);
  for (const auto* paths : {&read, &write}) {
    all.add(static_cast<uint32_t>(paths->size()));
    for (const std::string& path : *paths) all.text(path);
  }
  return all;
}

// Of what a process that ended or answered says about a call.
bool IsolatedNode::take(support::Result<NodeProcess::Answer> answer, Failure& failure,
                        std::vector<std::byte>& more) {
  if (!answer) {
    failure = {SLUICE_ERROR_INTERNAL,
               "The plugin, in a process of its own, " + answer.error().message + "."};
    return false;
  }
  more = std::move(answer->more);
  failure = {answer->result, std::move(answer->sentence)};
  return answer->result == SLUICE_OK;
}

bool IsolatedNode::make(std::unique_ptr<NodeProcess>& process, bool is_again, Failure& failure) {
  auto started = NodeProcess::start(type_.program, *this);
  if (!started) {
    failure = {SLUICE_ERROR_MEMORY, started.error().message};
    return false;
  }
  process = std::move(*started);
  std::vector<std::byte> more;
  const bool is_made = take(process->call(Note::kCreate, facts(), kCallPatience), failure, more);
  const std::string limits = Unpacker(more).text();
  if (!limits.empty() && !std::exchange(has_told_limits_, true)) {
    host_.log(&host_, SLUICE_LOG_WARNING, limits.c_str());
  }
  if (!is_made) return false;
  if (!is_again) return true;
  // Everything that the first one was told.
  for (const auto& asked : described_) {
    if (asked.empty()) continue;
    Packer facts;
    facts.bytes(asked);
    if (!take(process->call(Note::kDescribe, facts, kCallPatience), failure, more)) return false;
  }
  Packer setup;
  setup.add(setup_).list(std::span<const sluice_port_setup>(ports_));
  if (!take(process->call(Note::kPrepare, setup, kCallPatience), failure, more)) return false;
  if (auto status = attach(*process); !status) {
    failure = {SLUICE_ERROR_MEMORY, status.error().message};
    return false;
  }
  return true;
}

support::Status IsolatedNode::attach(NodeProcess& process) {
  auto status = process.attach(rooms_, host_bytes_, node_bytes_);
  if (status) process_id_ = process.id();
  return status;
}

sluice_result IsolatedNode::tell(const Failure& failure) {
  // Where there is no sentence the host has one of its own.
  if (!failure.sentence.empty()) host_.fail(&host_, failure.result, failure.sentence.c_str());
  return failure.result;
}

sluice_result IsolatedNode::create() {
  Failure failure{};
  if (!make(process_, false, failure)) return tell(failure);
  return SLUICE_OK;
}

sluice_result IsolatedNode::describe(uint32_t port, const sluice_format* inputs,
                                     sluice_port_info& info) {
  uint32_t pcm_inputs = 0;
  for (const uint32_t input : inputs_) pcm_inputs += type_.ports[input].kind == SLUICE_PCM ? 1 : 0;
  Packer asked;
  asked.add(port).add(inputs != nullptr).list(std::span(inputs, inputs ? pcm_inputs : 0));
  Failure failure{};
  std::vector<std::byte> more;
  if (!process_) return SLUICE_ERROR_STATE;
  if (!take(process_->call(Note::kDescribe, asked, kCallPatience), failure, more)) {
    return tell(failure);
  }
  described_[port] = asked.bytes();
  Unpacker answer(more);
  info.flags = answer.take<uint32_t>();
  info.clock = answer.take<uint32_t>();
  const bool has_clock_id = answer.take<bool>();
  clock_ids_[port] = answer.text();
  info.clock_id = has_clock_id ? clock_ids_[port].c_str() : nullptr;
  const bool has_offers = answer.take<bool>();
  offers_[port] = answer.list<sluice_format_offer>();
  info.offers = has_offers ? offers_[port].data() : nullptr;
  info.offer_count = static_cast<uint32_t>(offers_[port].size());
  return SLUICE_OK;
}

sluice_result IsolatedNode::prepare(sluice_setup& setup) {
  if (!process_) return SLUICE_ERROR_STATE;
  setup_ = setup;
  setup_.ports = nullptr;
  ports_.assign(setup.ports, setup.ports + setup.port_count);
  Packer asked;
  asked.add(setup_).list(std::span<const sluice_port_setup>(ports_));
  Failure failure{};
  std::vector<std::byte> more;
  if (!take(process_->call(Note::kPrepare, asked, kCallPatience), failure, more)) {
    return tell(failure);
  }
  const auto answered = Unpacker(more).list<sluice_port_setup>();
  if (answered.size() != ports_.size()) return SLUICE_ERROR_INTERNAL;
  std::copy(answered.begin(), answered.end(), setup.ports);

  // Room for the largest block of each port.
  rooms_.assign(ports_.size(), {});
  host_bytes_ = node_bytes_ = rounded_up(sizeof(Side));
  reference_rate_hz_ = 0;
  for (uint32_t i = 0; i < ports_.size(); ++i) {
    const sluice_format& format = ports_[i].format;
    if (type_.ports[i].kind != SLUICE_PCM || format.rate_hz == 0) continue;
    if (reference_rate_hz_ == 0) reference_rate_hz_ = format.rate_hz;
    const bool is_input = type_.ports[i].direction == SLUICE_INPUT;
    const uint64_t frames =
        std::max(setup.block_frames, answered[i].max_block_frames) + answered[i].hold_frames;
    rooms_[i].frames = static_cast<uint32_t>(std::min<uint64_t>(frames, uint64_t{1} << 22U));
    rooms_[i].frame_bytes = sample_bytes(format.sample_format) * format.channels;
    uint64_t& bytes = is_input ? host_bytes_ : node_bytes_;
    rooms_[i].offset_bytes = bytes;
    bytes += rounded_up(uint64_t{rooms_[i].frames} * rooms_[i].frame_bytes);
  }
  silent_.assign(inputs_.size() + outputs_.size(), 0);
  server_.set_rooms(rooms_, ports_);
  if (auto status = attach(*process_); !status) {
    return tell({SLUICE_ERROR_MEMORY, status.error().message});
  }
  started_ns_ = real_now_ns();
  offered_ = process_.get();
  if (wake_descriptor_ < 0) wake_descriptor_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  keeper_ = std::thread([this] { keep(); });
  return SLUICE_OK;
}

sluice_result IsolatedNode::save(std::vector<std::byte>& state) {
  const std::lock_guard lock(process_mutex_);
  if (!process_ || process_->is_gone()) return SLUICE_ERROR_STATE;
  Failure failure{};
  take(process_->call(Note::kSave, {}, kStatePatience), failure, state);
  return failure.result;
}

sluice_result IsolatedNode::load(std::span<const std::byte> state) {
  const std::lock_guard lock(process_mutex_);
  if (!process_ || process_->is_gone()) return SLUICE_ERROR_STATE;
  Packer facts;
  facts.bytes(state);
  Failure failure{};
  std::vector<std::byte> more;
  return take(process_->call(Note::kLoad, facts, kStatePatience), failure, more) ? SLUICE_OK
                                                                                 : tell(failure);
}

void IsolatedNode::release() {
  is_ending_ = true;
  if (keeper_.joinable()) {
    const uint64_t one = 1;
    [[maybe_unused]] const auto written = write(wake_descriptor_, &one, sizeof(one));
    keeper_.join();
  }
  in_use_ = nullptr;
  offered_ = nullptr;
  process_id_ = 0;
  for (auto* process : {&older_, &process_}) {
    if (!*process) continue;
    if (!(*process)->is_gone() && !is_late_) {
      const bool is_driven = type_.execution != SLUICE_EXECUTION_DEVICE;
      if (!rooms_.empty() && is_driven) server_.send(**process, Op::kEnd);
      // It may end itself; if it does not, it is ended.
      static_cast<void>((*process)->call(Note::kRelease, {}, kGoodbyePatience));
    }
    server_.close_handles(**process);
    process->reset();
  }
}

// ---- What the process says of itself

void IsolatedNode::heard(Note kind, Unpacker& facts) {
  const auto number = facts.take<uint32_t>();
  const bool has_sentence = facts.take<bool>();
  const std::string sentence = facts.text();
  if (kind == Note::kLog) host_.log(&host_, number, sentence.c_str());
  if (kind == Note::kState) {
    host_.set_state(&host_, number, has_sentence ? sentence.c_str() : nullptr);
  }
}

Packer IsolatedNode::listen(NodeProcess& process, Unpacker& facts) {
  return server_.listen(process, facts);
}

// ---- The keeper

void IsolatedNode::keep() {
  while (!is_ending_) {
    const bool is_there = process_ && !lost_ns_ && !is_done_;
    std::array<pollfd, 3> watched{{{wake_descriptor_, POLLIN, 0},
                                   {is_there ? process_->pid_descriptor() : -1, POLLIN, 0},
                                   {is_there ? process_->channel_descriptor() : -1, POLLIN, 0}}};
    int timeout_ms = kLookMs;
    if (!is_there) {
      const int64_t left_ms = (next_try_ns_ - real_now_ns() + 999'999) / 1'000'000;
      timeout_ms =
          is_done_ || has_failed_ ? -1 : static_cast<int>(std::clamp<int64_t>(left_ms, 1, kLookMs));
    }
    poll(watched.data(), watched.size(), timeout_ms);
    if (is_ending_) return;
    const std::lock_guard lock(process_mutex_);
    if (is_there) {
      process_->look();
      look_for_hang();
      if (process_->has_ended()) note_end();
    } else if (!has_failed_ && !is_done_ && real_now_ns() >= next_try_ns_) {
      try_again();
    }
    if (older_ && older_->is_let_go) older_.reset();
  }
}

void IsolatedNode::look_for_hang() {
  // A device that does not call may have nothing to call for.
  if (type_.execution == SLUICE_EXECUTION_DEVICE) return;
  const int64_t since_ns = process_->awaited_since_ns.load(std::memory_order_acquire);
  const bool is_threaded = type_.execution == SLUICE_EXECUTION_THREADED;
  const bool is_hurried = engine::Node::of(&host_).is_clocked.load(std::memory_order_relaxed);
  const int64_t most_ns = is_threaded || !is_hurried ? kFileHangNs : kHangNs;
  if (since_ns == 0 || real_now_ns() - since_ns < most_ns) return;
  // It may have answered while the driver had nothing to do.
  const uint32_t taken = process_->awaited_turn.load(std::memory_order_relaxed);
  if (process_->other().turn.load(std::memory_order_acquire) != taken) return;
  is_hung_ = true;
  process_->kill();
}

void IsolatedNode::note_end() {
  process_->give_up();
  const int64_t now_ns = real_now_ns();
  lost_ns_ = now_ns;
  process_id_ = 0;
  if (now_ns - started_ns_ >= kGoodRunNs) failed_tries_ = 0;
  const std::string what =
      std::exchange(is_hung_, false) ? std::string("hung and was ended") : process_->how_it_ended();
  if (is_virtual_) {
    const std::string sentence = fmt::format("{} in process {}.", what, process_->id());
    sentence.copy(literal_.data(), literal_.size() - 1);
    has_failed_.store(true, std::memory_order_release);
    return;
  }
  int64_t delay_ns = 0;
  if (failed_tries_ != 0) {
    delay_ns = std::min(kFirstDelayNs << std::min(failed_tries_ - 1, 10U), kLongestDelayNs);
  }
  ++failed_tries_;
  next_try_ns_ = now_ns + delay_ns;
  host_.set_state(
      &host_, SLUICE_STATE_LOST,
      fmt::format("{} in process {}; silence until it is back, next try {}.", what, process_->id(),
                  delay_ns == 0 ? std::string("at once")
                                : fmt::format("in {:.3g} s", static_cast<double>(delay_ns) / 1e9))
          .c_str());
}

void IsolatedNode::try_again() {
  // A threaded node's streams are the host's; the driver must have left them first.
  if (type_.execution == SLUICE_EXECUTION_THREADED && process_) {
    if (offered_.load() != process_.get() && !process_->is_let_go) return;
    server_.close_handles(*process_);
  }
  std::unique_ptr<NodeProcess> next;
  Failure failure{};
  if (!make(next, true, failure)) {
    next.reset();
    const int64_t delay_ns =
        std::min(kFirstDelayNs << std::min(failed_tries_ - 1, 10U), kLongestDelayNs);
    ++failed_tries_;
    next_try_ns_ = real_now_ns() + delay_ns;
    host_.set_state(&host_, SLUICE_STATE_LOST,
                    fmt::format("Not back yet: {} Next try in {:.3g} s.", failure.sentence,
                                static_cast<double>(delay_ns) / 1e9)
                        .c_str());
    return;
  }
  started_ns_ = real_now_ns();
  const double away_ms = static_cast<double>(started_ns_ - lost_ns_) / 1e6;
  lost_ns_ = 0;
  const pid_t id = next->id();
  NodeProcess* const fresh = next.get();
  // The driver may never have seen the one that ended.
  const bool was_seen = offered_.exchange(fresh) == nullptr;
  if (was_seen && process_ && !process_->is_let_go) older_ = std::move(process_);
  process_ = std::move(next);
  if (is_started_) {
    std::vector<std::byte> more;
    if (!take(process_->call(Note::kStart, {}, kCallPatience), failure, more)) {
      process_->kill();  // and noticed
      return;
    }
  }
  host_.set_state(&host_, SLUICE_STATE_RUNNING,
                  fmt::format("Back in process {}, after {:.0f} ms.", id, away_ms).c_str());
}

}  // namespace sluice::isolate
