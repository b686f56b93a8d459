#include "host/engine/node.hpp"

#include <sluice/state.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "host/engine/lane.hpp"
#include "host/support/audio_section.hpp"

namespace sluice::engine {
namespace {

support::ErrorCode code_of(sluice_result result) {
  using support::ErrorCode;
  switch (result) {
    case SLUICE_ERROR_ARGUMENT:
      return ErrorCode::kInvalid;
    case SLUICE_ERROR_FORMAT:
    case SLUICE_ERROR_UNSUPPORTED:
      return ErrorCode::kUnsupported;
    case SLUICE_ERROR_PERMISSION:
      return ErrorCode::kPermission;
    case SLUICE_ERROR_MEMORY:
      return ErrorCode::kNoMemory;
    case SLUICE_ERROR_STATE:
      return ErrorCode::kState;
    case SLUICE_ERROR_TIMEOUT:
      return ErrorCode::kTimeout;
    case SLUICE_ERROR_NOT_FOUND:
      return ErrorCode::kNotFound;
    case SLUICE_ERROR_DEVICE:
    case SLUICE_ERROR_NETWORK:
    case SLUICE_ERROR_IO:
      return ErrorCode::kIo;
    default:
      return ErrorCode::kInternal;
  }
}

const sluice_port& port_of(const sluice_type& type, uint32_t index) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(type.ports);
  return *reinterpret_cast<const sluice_port*>(bytes + size_t{index} * type.ports->struct_size);
}

const sluice_parameter& parameter_of(const sluice_type& type, uint32_t index) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(type.parameters);
  return *reinterpret_cast<const sluice_parameter*>(bytes +
                                                    size_t{index} * type.parameters->struct_size);
}

}  // namespace

support::Error error_in(const Node& node, support::Error error) {
  error.message = node.id() + ": " + error.message;
  return error;
}

const char* name_of(NodeState state) {
  switch (state) {
    case NodeState::kStarting:
      return "starting";
    case NodeState::kWaiting:
      return "waiting";
    case NodeState::kRunning:
      return "running";
    case NodeState::kDegraded:
      return "degraded";
    case NodeState::kLost:
      return "lost";
    case NodeState::kAsleep:
      return "asleep";
    case NodeState::kFinished:
      return "finished";
    case NodeState::kFailed:
      return "failed";
  }
  return "unknown";
}

Node::Node(std::string id, const sluice_type& type, std::vector<ParameterValue> values,
           const NodeServices& services)
    : id_(std::move(id)),
      type_(type),
      has_equal_counts_((type.flags & SLUICE_TYPE_EQUAL_COUNTS) != 0),
      services_(services),
      parameters_(type.parameter_count),
      slots_(type.statistic_count) {
  for (uint32_t i = 0; i < type.parameter_count; ++i) {
    parameters_[i].initial = std::move(values[i]);
    parameters_[i].number = parameters_[i].initial.number;
  }
  for (uint32_t i = 0; i < type.port_count; ++i) {
    const sluice_port& port = port_of(type, i);
    if (port.direction == SLUICE_INPUT) {
      inputs.push_back(std::make_unique<InputPort>(*this, i, port));
    } else {
      outputs.push_back(std::make_unique<OutputPort>(*this, i, port));
    }
  }
  block_inputs_.resize(inputs.size());
  block_outputs_.resize(outputs.size());
  wanted_.resize(inputs.size());
  offered_limit_.resize(inputs.size());
  for (auto& in : block_inputs_) in.struct_size = sizeof(in);
  for (auto& out : block_outputs_) out.struct_size = sizeof(out);
  block_ = {.struct_size = sizeof(sluice_block),
            .input_count = static_cast<uint32_t>(inputs.size()),
            .output_count = static_cast<uint32_t>(outputs.size()),
            .event_count = 0,
            .inputs = block_inputs_.data(),
            .outputs = block_outputs_.data(),
            .events = events_.data()};
  fill_host(host_, *this);
}

Node::~Node() {
  if (!node_) return;
  release();
  type_.functions->destroy(node_);
}

support::Error Node::take_error(sluice_result result, const char* doing) {
  const std::lock_guard lock(sentence_mutex_);
  std::string why = std::exchange(error_sentence_, {});
  if (why.empty()) why = std::string("The plugin failed to ") + doing + " without saying why.";
  return {code_of(result), std::move(why)};
}

support::Status Node::create() {
  if (const auto result = type_.functions->create(&host_, &node_); result != SLUICE_OK) {
    node_ = nullptr;
    return take_error(result, "create the node");
  }
  if (!node_) {
    return support::Error{support::ErrorCode::kInternal,
                          std::string("The plugin says that it made a ") + type_.id +
                              ", but gave none: its function create has to set *node."};
  }
  const auto interface = [&](const char* name) {
    return type_.functions->get_interface(node_, name);
  };
  switch (type_.execution) {
    case SLUICE_EXECUTION_PASSIVE:
      passive_ = static_cast<const sluice_passive*>(interface(SLUICE_PASSIVE));
      process_ = passive_ ? passive_->process : nullptr;
      break;
    case SLUICE_EXECUTION_THREADED:
      threaded_ = static_cast<const sluice_threaded*>(interface(SLUICE_THREADED));
      break;
    case SLUICE_EXECUTION_DEVICE:
      device_ = static_cast<const sluice_device*>(interface(SLUICE_DEVICE));
      break;
    default:
      break;
  }
  if (!passive_ && !threaded_ && !device_) {
    return support::Error{support::ErrorCode::kUnsupported,
                          std::string("The plugin has no functions to run a ") + type_.id +
                              ": rebuild it against this SDK."};
  }
  if (const char* const missing = missing_function()) {
    return support::Error{support::ErrorCode::kUnsupported,
                          std::string("The plugin's table for a ") + type_.id +
                              " has no function " + missing +
                              ": fill it in and rebuild the plugin."};
  }
  return {};
}

const char* Node::missing_function() const {
  if (passive_) return passive_->process ? nullptr : "process";
  if (threaded_) return threaded_->run ? nullptr : "run";
  if (!device_->start) return "start";
  return device_->stop ? nullptr : "stop";
}

support::Result<sluice_port_info> Node::describe(uint32_t port,
                                                 std::span<const sluice_format> input_formats) {
  const sluice_port& declared = port_of(type_, port);
  sluice_port_info info{};
  info.struct_size = sizeof(info);
  info.flags = declared.flags;
  info.clock = declared.clock;
  info.offers = declared.offers;
  info.offer_count = declared.offer_count;
  if (type_.functions->describe) {
    const sluice_format* formats = declared.direction == SLUICE_OUTPUT && !input_formats.empty()
                                       ? input_formats.data()
                                       : nullptr;
    if (const auto result = type_.functions->describe(node_, port, formats, &info);
        result != SLUICE_OK) {
      return take_error(result, "describe a port");
    }
  }
  return info;
}

support::Status Node::prepare(sluice_setup& setup) {
  if (const auto result = type_.functions->prepare(node_, &setup); result != SLUICE_OK) {
    return take_error(result, "prepare");
  }
  is_prepared_ = true;
  // It has no start of its own: its lane calls it from its first turn on.
  if (is_passive() && state() == NodeState::kStarting) set_state(NodeState::kRunning, nullptr);
  if (const Node* const before = std::exchange(predecessor_, nullptr)) take_state_of(*before);
  return {};
}

void Node::take_state_of(const Node& before) {
  const auto table = [](const Node& node) {
    return static_cast<const sluice_state*>(
        node.type_.functions->get_interface(node.node_, SLUICE_STATE));
  };
  const sluice_state* const from = table(before);
  const sluice_state* const to = table(*this);
  if (!from || !from->save || !to || !to->load) return;
  std::vector<std::byte> state;
  const auto take = [](void* context, const void* data, size_t size_bytes) {
    const auto* const bytes = static_cast<const std::byte*>(data);
    static_cast<std::vector<std::byte>*>(context)->assign(bytes, bytes + size_bytes);
  };
  if (from->save(before.node_, &state, take) != SLUICE_OK) return;
  const sluice_result result = to->load(node_, state.data(), state.size());
  if (result == SLUICE_OK || !services_.log) return;
  const support::Error error = take_error(result, "take over the state of the one before");
  services_.log->write(id_, SLUICE_LOG_WARNING, "It begins anew: " + error.message);
}

support::Status Node::start_device() {
  if (const auto result = device_->start(node_); result != SLUICE_OK) {
    return take_error(result, "start");
  }
  return {};
}

void Node::stop_device() { device_->stop(node_); }

void Node::release() {
  if (!std::exchange(is_prepared_, false)) return;
  type_.functions->release(node_);
}

InputPort* Node::input_at(uint32_t port) const {
  for (const auto& input : inputs) {
    if (input->port_index == port) return input.get();
  }
  return nullptr;
}

OutputPort* Node::output_at(uint32_t port) const {
  for (const auto& output : outputs) {
    if (output->port_index == port) return output.get();
  }
  return nullptr;
}

void Node::fail(sluice_result, const char* sentence) {
  if (support::is_in_audio_section()) {
    audio_sentence_.store(sentence, std::memory_order_release);
    return;
  }
  const std::lock_guard lock(sentence_mutex_);
  error_sentence_ = sentence ? sentence : "";
}

void Node::set_state(NodeState state, const char* sentence) {
  // Who has ended stays ended, whatever its plugin still says.
  NodeState before = state_.load(std::memory_order_acquire);
  while (before != NodeState::kFinished && before != NodeState::kFailed &&
         !state_.compare_exchange_weak(before, state, std::memory_order_acq_rel)) {
  }
  if (before == NodeState::kFinished || before == NodeState::kFailed) return;
  std::string text = sentence ? sentence : "";
  bool is_news = before != state;
  {
    const std::lock_guard lock(sentence_mutex_);
    is_news |= text != sentence_;
    sentence_ = text;
  }
  if (!is_news || text.empty() || !services_.log) return;
  const uint32_t level = state == NodeState::kFailed ? SLUICE_LOG_ERROR
                         : state == NodeState::kLost || state == NodeState::kDegraded
                             ? SLUICE_LOG_WARNING
                             : SLUICE_LOG_INFO;
  services_.log->write(id_, level, text);
}

void Node::tell_failure() {
  if (state() != NodeState::kFailed || std::exchange(has_told_failure_, true)) return;
  const char* literal = audio_sentence_.load(std::memory_order_acquire);
  std::string text;
  {
    const std::lock_guard lock(sentence_mutex_);
    if (!sentence_.empty() && !is_passive()) return;  // its lane has said so already
    sentence_ = literal ? literal : "The node failed without saying why.";
    text = sentence_;
  }
  if (services_.log) services_.log->write(id_, SLUICE_LOG_ERROR, text);
}

std::string Node::sentence() const {
  if (state() == NodeState::kFailed) {
    if (const char* literal = audio_sentence_.load(std::memory_order_acquire)) return literal;
  }
  const std::lock_guard lock(sentence_mutex_);
  return sentence_;
}

sluice_result Node::value(uint32_t index, sluice_value& value) const {
  if (index >= parameters_.size()) return SLUICE_ERROR_ARGUMENT;
  const Parameter& parameter = parameters_[index];
  const sluice_parameter& declared = parameter_of(type_, index);
  value.kind = declared.kind;
  value.number = parameter.number.load(std::memory_order_relaxed);
  value.text = parameter.initial.text.c_str();
  if (declared.kind == SLUICE_CHOICE) {
    value.text = declared.choices[static_cast<uint32_t>(value.number)];
  }
  value.list = parameter.initial.list.data();
  value.count = static_cast<uint32_t>(parameter.initial.list.size());
  value.rows = parameter.initial.rows;
  return SLUICE_OK;
}

support::Status Node::set_parameter(uint32_t index, double value) {
  const sluice_parameter& declared = parameter_of(type_, index);
  if (!(declared.flags & SLUICE_PARAMETER_LIVE)) {
    return support::Error{support::ErrorCode::kState,
                          std::string(declared.key) + " cannot change while the node runs."};
  }
  if (!(value >= declared.minimum && value <= declared.maximum)) {
    return support::Error{support::ErrorCode::kInvalid,
                          std::string(declared.key) + " is out of range."};
  }
  parameters_[index].number.store(value, std::memory_order_relaxed);
  parameters_[index].is_changed.store(true, std::memory_order_release);
  parameters_changed_.store(true, std::memory_order_release);
  if (lane) lane->wake();
  return {};
}

support::Status Node::retry() {
  if (!(type_.flags & SLUICE_TYPE_RETRIES)) {
    return support::Error{support::ErrorCode::kUnsupported,
                          id_ + " (" + type_.id + ") has nothing that it would try again."};
  }
  const NodeState now = state();
  if (now != NodeState::kLost && now != NodeState::kWaiting && now != NodeState::kStarting) {
    return support::Error{support::ErrorCode::kState,
                          id_ + " is " + name_of(now) + ": it waits for no further attempt."};
  }
  is_asked_to_retry_.store(true, std::memory_order_release);
  if (lane) lane->wake();
  return {};
}

void Node::continue_from(const Node& before) {
  carried_.calls = before.calls + before.carried_.calls;
  carried_.busy_ns = before.busy_ns + before.carried_.busy_ns;
  carried_.violations = before.violations + before.carried_.violations;
  if (std::string_view(before.type_.id) == type_.id) {
    for (uint32_t i = 0; i < type_.statistic_count; ++i) {
      const bool is_counter = type_.statistics[i].kind == SLUICE_COUNTER;
      const bool has_more = i < before.carried_.statistics.size();
      const uint64_t older = has_more ? before.carried_.statistics[i] : 0;
      carried_.statistics.push_back(is_counter ? before.slot(i) + older : 0);
    }
  }
  for (const auto& output : outputs) {
    const OutputPort* old = before.output_at(output->port_index);
    if (!output->is_pcm() || !old || !old->is_pcm() || !old->ring) continue;
    output->carried_written_frames = old->written() + old->carried_written_frames;
    output->carried_dropped_frames = old->ring->dropped() + old->carried_dropped_frames;
  }
}

sluice_result Node::run() { return threaded_->run(node_); }

uint32_t Node::wanted_frames(const InputPort& port) const {
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].get() == &port) return std::max(1U, wanted_[i]);
  }
  return 1;
}

void Node::finish(NodeState state) {
  for (const auto& output : outputs) {
    output->end();
    lane->note_news(*output);
  }
  for (const auto& input : inputs) {
    input->close();
    lane->note_release(*input);
  }
  state_.store(state, std::memory_order_release);
  is_finished_.store(true, std::memory_order_release);
  if (services_.changes) services_.changes->ring_if_waiting();
}

}  // namespace sluice::engine
