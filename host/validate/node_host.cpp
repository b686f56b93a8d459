#include "host/validate/node_host.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <sluice/describe.hpp>
#include <string_view>
#include <utility>

#include "host/support/audio_section.hpp"
#include "host/validate/call_class.hpp"
#include "host/validate/child.hpp"
#include "host/validate/host_tables.hpp"
#include "host/validate/samples.hpp"

namespace sluice::validate {
namespace {

constexpr double kOtherRateHz = 44'100;
constexpr uint64_t kSlotGuard = 0x5AFE'5AFE'5AFE'5AFE;

// The format of an offer nearest to the one wanted.
sluice_format nearest(const sluice_format_offer& offer, const sluice_format& wanted) {
  sluice_format format = wanted;
  if (!(offer.sample_formats & SLUICE_SAMPLE_BIT(wanted.sample_format))) {
    format.sample_format =
        offer.preferred != SLUICE_SAMPLE_UNSET
            ? offer.preferred
            : static_cast<sluice_sample_format>(std::countr_zero(offer.sample_formats));
  }
  format.channels = std::clamp(wanted.channels, offer.channels_minimum, offer.channels_maximum);
  format.rate_hz = std::clamp(wanted.rate_hz, offer.rate_hz_minimum, offer.rate_hz_maximum);
  return format;
}

}  // namespace

std::string choice_text(const sluice_parameter& parameter, double index) {
  return parameter.choices[static_cast<size_t>(index)];
}

std::vector<Value> default_values(const sluice_type& type) {
  std::vector<Value> values;
  for (uint32_t i = 0; i < type.parameter_count; ++i) {
    const sluice_parameter& parameter = type.parameters[i];
    Value value;
    value.number = parameter.default_number;
    if ((parameter.flags & SLUICE_PARAMETER_REQUIRED) != 0) {
      // What a host sets where it inserts such a node: a rate that is not the input's.
      const bool is_rate = (type.flags & SLUICE_TYPE_ADAPTS_RATE) != 0 &&
                           std::string_view(parameter.key) == "rate_hz";
      value.number = is_rate ? kOtherRateHz : parameter.minimum;
    }
    if (parameter.kind == SLUICE_CHOICE) {
      value.text = choice_text(parameter, value.number);
    } else if (parameter.default_text) {
      value.text = parameter.default_text;
    }
    values.push_back(std::move(value));
  }
  return values;
}

NodeHost::NodeHost(const sluice_type& type, std::vector<Value> values, uint64_t seed)
    : type_(type),
      values_(std::move(values)),
      seed_(seed),
      random_state_(seed),
      ports_(type.port_count),
      setups_(type.port_count),
      slots_(type.statistic_count + 1) {
  for (uint32_t i = 0; i < type.port_count; ++i) {
    ports_[i].declared = &type.ports[i];
    ports_[i].setup = &setups_[i];
  }
  slots_.back().word = kSlotGuard;
  fill_host(host_, *this);
}

NodeHost::~NodeHost() { destroy(); }

void NodeHost::violate(const std::string& sentence) {
  // Of a thousand of one kind a few say enough.
  if (violations_.size() < 8) violations_.insert(sentence);
}

uint64_t NodeHost::next_random() {
  // SplitMix64 (Steele, Lea, Flood 2014).
  random_state_ += 0x9e3779b97f4a7c15u;
  uint64_t z = random_state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

void NodeHost::expect(uint32_t classes, const char* function) {
  const auto current = static_cast<uint32_t>(current_call_class());
  if ((classes & current) != 0) return;
  class_violations_.insert(
      fmt::format("it calls {} from {}.", function, name_of(current_call_class())));
}

std::string NodeHost::take_sentence(const char* doing, sluice_result result) {
  std::string sentence = std::exchange(sentence_, {});
  if (result > 0 || result < SLUICE_ERROR_AGAIN) {
    violate(fmt::format("{} answers {}, which is no result; see sluice_result.", doing, result));
  }
  if (result == SLUICE_OK) return {};
  if (sentence.empty()) {
    violate(fmt::format("{} fails with {} and says no sentence; call host->fail before it returns.",
                        doing, result));
    sentence = fmt::format("{} failed with {}.", doing, result);
  }
  return sentence;
}

std::string NodeHost::create() {
  destroy();
  doing("create");
  const sluice_result result =
      in_call(CallClass::kControl, [&] { return type_.functions->create(&host_, &node_); });
  std::string sentence = take_sentence("create", result);
  if (!sentence.empty()) node_ = nullptr;
  if (sentence.empty() && !node_) {
    violate("create answers SLUICE_OK and leaves *node null.");
    return "create made no node.";
  }
  return sentence;
}

const void* NodeHost::interface(const char* id) const {
  return type_.functions->get_interface(node_, id);
}

std::string NodeHost::describe(uint32_t port, const sluice_format* inputs, sluice_port_info& info) {
  const sluice_port& declared = type_.ports[port];
  info = {sizeof(info), declared.flags,  declared.clock,
          nullptr,      declared.offers, declared.offer_count};
  if (!type_.functions->describe) return {};
  doing(fmt::format("describe of port {}", declared.key));
  const sluice_result result = in_call(
      CallClass::kControl, [&] { return type_.functions->describe(node_, port, inputs, &info); });
  if (result == SLUICE_OK && info.offer_count != 0 && !info.offers) {
    violate(fmt::format("describe of {} says {} offers and gives none.", declared.key,
                        info.offer_count));
    info.offer_count = 0;
  }
  return take_sentence("describe", result);
}

std::string NodeHost::prepare(const sluice_format& wanted, uint32_t block_frames,
                              bool with_optional) {
  release();
  std::vector<sluice_format> inputs;
  for (const uint32_t direction : {SLUICE_INPUT, SLUICE_OUTPUT}) {
    for (uint32_t i = 0; i < type_.port_count; ++i) {
      Port& port = ports_[i];
      if (port.declared->direction != direction) continue;
      const sluice_port* const declared = port.declared;
      sluice_port_setup* const setup = port.setup;
      port = Port{};
      port.declared = declared;
      port.setup = setup;
      port.is_connected = with_optional || !(declared->flags & SLUICE_PORT_OPTIONAL);
      *setup = {};
      setup->struct_size = sizeof(*setup);
      setup->is_connected = port.is_connected ? 1 : 0;
      setup->is_fed_live = 1;
      const bool is_output = direction == SLUICE_OUTPUT;
      sluice_port_info info{};
      std::string sentence = describe(i, is_output ? inputs.data() : nullptr, info);
      if (!sentence.empty()) return sentence;
      if (!port.is_pcm()) continue;
      const sluice_format& like = is_output && !inputs.empty() ? inputs.front() : wanted;
      port.format = info.offer_count != 0 ? nearest(*info.offers, like) : like;
      if (is_output && !inputs.empty()) {
        if (info.flags & SLUICE_PORT_SAME_SAMPLE_FORMAT) {
          port.format.sample_format = like.sample_format;
        }
        if (info.flags & SLUICE_PORT_SAME_CHANNELS) port.format.channels = like.channels;
        if (info.flags & SLUICE_PORT_SAME_RATE) port.format.rate_hz = like.rate_hz;
      }
      port.format.struct_size = sizeof(port.format);
      port.frame_bytes = frame_bytes(port.format);
      setup->format = port.format;
      if (!is_output) inputs.push_back(port.format);
    }
  }
  marks_.clear();
  events_.clear();
  std::fill(slots_.begin(), slots_.end() - 1, sluice_slot{});
  is_stopped_ = has_failed_call_ = false;
  random_state_ = seed_;
  waits_ = waits_after_stop_ = 0;
  now_ns_ = 0;

  sluice_setup setup{sizeof(setup),    SLUICE_MODE_OFFLINE, block_frames,
                     type_.port_count, setups_.data(),      seed_};
  doing("prepare");
  const sluice_result result =
      in_call(CallClass::kControl, [&] { return type_.functions->prepare(node_, &setup); });
  is_prepared_ = result == SLUICE_OK;
  return take_sentence("prepare", result);
}

void NodeHost::release() {
  if (!is_prepared_) return;
  is_prepared_ = false;
  doing("release");
  in_call(CallClass::kControl, [&] { type_.functions->release(node_); });
}

void NodeHost::destroy() {
  release();
  if (!node_) return;
  doing("destroy");
  in_call(CallClass::kControl, [&] { type_.functions->destroy(std::exchange(node_, nullptr)); });
}

void NodeHost::reset() {
  const auto* passive = static_cast<const sluice_passive*>(interface(SLUICE_PASSIVE));
  if (!passive || !passive->reset) return;
  doing("reset");
  const support::AudioSection audio;
  in_call(CallClass::kAudio, [&] { passive->reset(node_); });
}

bool NodeHost::are_slots_intact() const { return slots_.back().word == kSlotGuard; }

NodeHost::Port* NodeHost::first(uint32_t direction) {
  for (Port& port : ports_) {
    if (port.declared->direction == direction && port.is_pcm()) return &port;
  }
  return nullptr;
}
const NodeHost::Port* NodeHost::output_of_first() const {
  return const_cast<NodeHost*>(this)->first(SLUICE_OUTPUT);
}
sluice_format NodeHost::input_format() const {
  const Port* port = const_cast<NodeHost*>(this)->first(SLUICE_INPUT);
  return port ? port->format : sluice_format{};
}
sluice_format NodeHost::output_format() const {
  const Port* port = output_of_first();
  return port ? port->format : sluice_format{};
}
uint64_t NodeHost::consumed() const {
  const Port* port = const_cast<NodeHost*>(this)->first(SLUICE_INPUT);
  return port ? port->frames_read : 0;
}
uint64_t NodeHost::latency_frames() const {
  const Port* port = output_of_first();
  return port ? port->setup->latency_frames : 0;
}

std::vector<float> NodeHost::output(size_t index) const {
  for (const Port& port : ports_) {
    if (port.is_input() || !port.is_pcm() || index-- != 0) continue;
    return to_floats(port.written, port.format.sample_format);
  }
  return {};
}

void NodeHost::clear_output() {
  for (Port& port : ports_) port.written.clear();
}

void NodeHost::change_live(uint32_t parameter, double value) {
  values_[parameter].number = value;
  const sluice_parameter& declared = type_.parameters[parameter];
  if (declared.kind == SLUICE_CHOICE) values_[parameter].text = choice_text(declared, value);
  is_parameter_changed_ = true;
  events_.push_back({sizeof(sluice_event), SLUICE_EVENT_PARAMETER, 0, parameter, 0, value});
}

void NodeHost::put_mark(uint64_t position, uint32_t kind) {
  for (Port& port : ports_) {
    if (!port.is_input() || !port.is_pcm()) continue;
    port.marks.push_back({sizeof(sluice_mark), kind, position, SLUICE_NO_TIME, 0});
  }
}

}  // namespace sluice::validate
