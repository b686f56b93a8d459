#include "tests/support/passive_driver.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>
#include <sluice/describe.hpp>
#include <utility>

#include "host/support/audio_section.hpp"
#include "tests/support/folders.hpp"

namespace sluice::tests {
namespace {

constexpr size_t kGuardBytes = 256;
constexpr std::byte kGuard{0xA5};
// What room holds before the node writes: a signalling pattern, so that frames said to be produced
// but never written stand out as huge values.
constexpr std::byte kUnwritten{0x7E};

bool is_intact(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == kGuard; });
}

int64_t duration_ns(uint64_t frames, uint32_t rate_hz) {
  return std::llround(static_cast<double>(frames) * 1e9 / rate_hz);
}

}  // namespace

PassiveDriver::PassiveDriver(const std::string& type_id, const std::string& stem) {
  const std::string path = plugin_folder() / ((stem.empty() ? type_id : stem) + ".so");
  library_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library_) throw Broken(dlerror());
  const auto* entry = static_cast<const sluice_library*>(dlsym(library_, "sluice_entry"));
  if (!entry) throw Broken(path + " exports no sluice_entry");
  for (uint32_t t = 0; t < entry->type_count; ++t) {
    if (entry->types[t]->id == type_id) type_ = entry->types[t];
  }
  if (const size_t slash = type_id.find('/'); slash != std::string::npos && entry->get_extension) {
    const auto* families =
        static_cast<const sluice_type_families*>(entry->get_extension(SLUICE_TYPE_FAMILIES));
    std::string why;
    if (families) {
      type_ = families->find(type_id.substr(0, slash).c_str(), type_id.c_str() + slash + 1, &why,
                             [](void* context, const char* sentence) {
                               *static_cast<std::string*>(context) = sentence;
                             });
    }
    if (!type_) throw Broken(why);
  }
  if (!type_) throw Broken(path + " has no type " + type_id);
  if (type_->execution != SLUICE_EXECUTION_PASSIVE || type_->port_count != 2) {
    throw Broken(type_id + " is no passive type with one input and one output");
  }
  for (uint32_t p = 0; p < type_->parameter_count; ++p) {
    const sluice_parameter& parameter = type_->parameters[p];
    Value value{parameter.default_number, "", {}, 0};
    if (parameter.kind == SLUICE_CHOICE) {
      value.text = parameter.choices[static_cast<size_t>(parameter.default_number)];
    } else if (parameter.default_text) {
      value.text = parameter.default_text;
    }
    values_.push_back(std::move(value));
  }
  slots_.resize(std::max(type_->statistic_count, 1u));

  host_.struct_size = sizeof(host_);
  host_.context = this;
  host_.get_extension = [](const sluice_host*, const char*) -> const void* { return nullptr; };
  host_.fail = [](const sluice_host* host, sluice_result, const char* sentence) {
    const support::AudioSectionPause pause;
    of(host).sentence_ = sentence;
  };
  host_.log = [](const sluice_host*, uint32_t, const char*) {};
  host_.value = [](const sluice_host* host, uint32_t index, sluice_value* out) -> sluice_result {
    PassiveDriver& self = of(host);
    if (index >= self.values_.size()) return SLUICE_ERROR_ARGUMENT;
    const Value& value = self.values_[index];
    out->kind = self.type_->parameters[index].kind;
    out->number = value.number;
    out->text = value.text.c_str();
    out->list = value.list.data();
    out->count = static_cast<uint32_t>(value.list.size());
    out->rows = value.rows;
    return SLUICE_OK;
  };
  host_.slots = [](const sluice_host* host) { return of(host).slots_.data(); };
  host_.now_ns = [](const sluice_host*) -> int64_t { return 0; };
  host_.mark = [](const sluice_host* host, uint32_t, const sluice_mark* mark) {
    const support::AudioSectionPause pause;
    PassiveDriver& self = of(host);
    if (mark->position < self.produced_ ||
        (!self.marks_.empty() && mark->position < self.marks_.back().position)) {
      self.sentence_ = "it put a mark before frames already written or before an earlier mark";
    }
    self.marks_.push_back(*mark);
  };
  host_.tell_upstream = [](const sluice_host*, uint32_t, uint32_t) {};
  host_.set_state = [](const sluice_host*, uint32_t, const char*) {};
}

PassiveDriver::~PassiveDriver() {
  destroy();
  if (library_) dlclose(library_);
}

void PassiveDriver::destroy() {
  if (!node_) return;
  type_->functions->release(node_);
  type_->functions->destroy(node_);
  node_ = nullptr;
}

void PassiveDriver::broken(const std::string& what) const {
  throw Broken(std::string(type_->id) + " after " + std::to_string(consumed_) + " frames: " + what);
}

uint32_t PassiveDriver::index_of_parameter(const std::string& key) const {
  for (uint32_t p = 0; p < type_->parameter_count; ++p) {
    if (type_->parameters[p].key == key) return p;
  }
  broken("it has no parameter " + key);
}

void PassiveDriver::set(const std::string& key, double number) {
  values_[index_of_parameter(key)].number = number;
}

void PassiveDriver::set(const std::string& key, const char* choice_or_text) {
  const uint32_t index = index_of_parameter(key);
  const sluice_parameter& parameter = type_->parameters[index];
  Value& value = values_[index];
  value.text = choice_or_text;
  if (parameter.kind != SLUICE_CHOICE) return;
  const auto* end = parameter.choices + parameter.choice_count;
  const auto* at = std::find(parameter.choices, end, value.text);
  if (at == end) broken(key + " has no choice " + value.text);
  value.number = static_cast<double>(at - parameter.choices);
}

void PassiveDriver::set_list(const std::string& key, std::vector<double> numbers) {
  set_matrix(key, 0, std::move(numbers));
}

void PassiveDriver::set_matrix(const std::string& key, uint32_t rows, std::vector<double> numbers) {
  Value& value = values_[index_of_parameter(key)];
  value.rows = rows;
  value.list = std::move(numbers);
}

sluice_port_info PassiveDriver::describe(uint32_t port, const sluice_format* inputs) {
  const sluice_port& declared = type_->ports[port];
  sluice_port_info info{sizeof(info), declared.flags,  declared.clock,
                        nullptr,      declared.offers, declared.offer_count};
  if (type_->functions->describe &&
      type_->functions->describe(node_, port, inputs, &info) != SLUICE_OK && sentence_.empty()) {
    sentence_ = "describe failed without a sentence";
  }
  return info;
}

std::string PassiveDriver::try_prepare(const sluice_format& input, uint64_t seed) {
  destroy();
  sentence_.clear();
  std::fill(slots_.begin(), slots_.end(), sluice_slot{});
  if (type_->functions->create(&host_, &node_) != SLUICE_OK) return sentence_;
  passive_ =
      static_cast<const sluice_passive*>(type_->functions->get_interface(node_, SLUICE_PASSIVE));
  if (!passive_) return "it has no passive interface";

  describe(0, nullptr);
  if (!sentence_.empty()) return sentence_;
  const sluice_port_info info = describe(1, &input);
  if (!sentence_.empty()) return sentence_;

  sluice_format output = input;
  if (info.offer_count != 0) {
    const sluice_format_offer& offer = info.offers[0];
    if (!(info.flags & SLUICE_PORT_SAME_SAMPLE_FORMAT) &&
        !(offer.sample_formats & SLUICE_SAMPLE_BIT(input.sample_format))) {
      output.sample_format = offer.preferred;
    }
    if (!(info.flags & SLUICE_PORT_SAME_CHANNELS)) {
      output.channels = std::clamp(input.channels, offer.channels_minimum, offer.channels_maximum);
    }
    if (!(info.flags & SLUICE_PORT_SAME_RATE)) {
      output.rate_hz = std::clamp(input.rate_hz, offer.rate_hz_minimum, offer.rate_hz_maximum);
    }
  }
  setup_[0] = {sizeof(sluice_port_setup), 1, input, 0, 0, 0, 0, 0, 0, 0, 0};
  setup_[1] = {sizeof(sluice_port_setup), 1, output, 0, 0, 0, 0, 0, 0, 0, 0};
  frame_bytes_[0] = frame_bytes(input);
  frame_bytes_[1] = frame_bytes(output);
  sluice_setup setup{sizeof(setup), SLUICE_MODE_OFFLINE, 4096, 2, setup_, seed};
  if (type_->functions->prepare(node_, &setup) != SLUICE_OK) {
    return sentence_.empty() ? "prepare failed without a sentence" : sentence_;
  }
  queue_.clear();
  events_.clear();
  input_marks_.clear();
  marks_.clear();
  captures_.clear();
  consumed_ = produced_ = 0;
  last_wanted_ = largest_production_ = 0;
  is_drained_ = false;
  return sentence_;
}

void PassiveDriver::prepare(const sluice_format& input, uint64_t seed) {
  const std::string sentence = try_prepare(input, seed);
  if (!sentence.empty()) broken(sentence);
}

void PassiveDriver::reset() {
  if (passive_->reset) passive_->reset(node_);
}

void PassiveDriver::add_event(uint64_t frame, sluice_event event) {
  const auto at = std::upper_bound(events_.begin(), events_.end(), frame,
                                   [](uint64_t f, const Event& e) { return f < e.first; });
  events_.insert(at, {frame, event});
}

void PassiveDriver::parameter_at(uint64_t frame, const std::string& key, double value) {
  const uint32_t index = index_of_parameter(key);
  if (!(type_->parameters[index].flags & SLUICE_PARAMETER_LIVE)) broken(key + " is not live");
  add_event(frame, {sizeof(sluice_event), SLUICE_EVENT_PARAMETER, 0, index, 0, value});
}

void PassiveDriver::upstream_at(uint64_t frame, uint32_t code) {
  add_event(frame, {sizeof(sluice_event), SLUICE_EVENT_UPSTREAM, 0, 1, code, 0.0});
}

void PassiveDriver::mark_at(uint64_t frame, uint32_t kind, uint64_t value) {
  const sluice_mark mark{sizeof(mark), kind, frame, SLUICE_NO_TIME, value};
  const auto at = std::upper_bound(input_marks_.begin(), input_marks_.end(), frame,
                                   [](uint64_t f, const sluice_mark& m) { return f < m.position; });
  input_marks_.insert(at, mark);
}

sluice_status PassiveDriver::call(uint32_t offered, uint32_t room, uint32_t wanted, bool is_last) {
  const uint32_t rate_hz = input_format().rate_hz;

  // Events lie on frames that the node can reach in this call. One behind everything that will ever
  // be offered here is delivered at the end.
  const uint64_t end = consumed_ + offered;
  std::vector<sluice_event> events;
  if (!events_.empty() && events_.front().first < end && offered > room) {
    offered = std::max(room, std::min(offered, wanted));
  }
  const bool reaches_end = consumed_ + offered == consumed_ + queue_.size() / frame_bytes_[0];
  while (!events_.empty() && (events_.front().first < consumed_ + offered ||
                              (reaches_end && events_.front().first == consumed_ + offered))) {
    sluice_event event = events_.front().second;
    event.frame = static_cast<uint32_t>(events_.front().first - consumed_);
    events.push_back(event);
    events_.pop_front();
  }
  last_had_event_ = !events.empty();
  std::vector<sluice_mark> marks;
  for (const sluice_mark& mark : input_marks_) {
    if (mark.position <= consumed_ + offered) marks.push_back(mark);
  }

  const size_t in_bytes = size_t{offered} * frame_bytes_[0];
  const size_t out_bytes = size_t{room} * frame_bytes_[1];
  std::vector<std::byte> in(in_bytes + 2 * kGuardBytes, kGuard);
  std::vector<std::byte> out(out_bytes + 2 * kGuardBytes, kGuard);
  std::copy_n(queue_.begin(), in_bytes, in.begin() + kGuardBytes);
  std::fill_n(out.begin() + kGuardBytes, out_bytes, kUnwritten);

  const auto time_at = [&](uint64_t frame) {
    return capture_ns_ == SLUICE_NO_TIME ? SLUICE_NO_TIME
                                         : capture_ns_ + duration_ns(frame, rate_hz);
  };
  sluice_input input{};
  input.struct_size = sizeof(input);
  input.flags = (is_last && reaches_end) ? uint32_t{SLUICE_INPUT_ENDED} : 0u;
  input.data = in.data() + kGuardBytes;
  input.frames = offered;
  input.mark_count = static_cast<uint32_t>(marks.size());
  input.marks = marks.data();
  input.position = consumed_;
  input.capture_ns = time_at(consumed_);
  sluice_output output{};
  output.struct_size = sizeof(output);
  output.data = out.data() + kGuardBytes;
  output.frames = room;
  output.position = produced_;
  output.capture_ns = capture_ns_ == SLUICE_NO_TIME
                          ? SLUICE_NO_TIME
                          : input.capture_ns - duration_ns(latency_frames(), rate_hz);
  sluice_block block{};
  block.struct_size = sizeof(block);
  block.input_count = block.output_count = 1;
  block.event_count = static_cast<uint32_t>(events.size());
  block.inputs = &input;
  block.outputs = &output;
  block.events = events.data();

  const sluice_status status = [&] {
    const support::AudioSection audio;
    return passive_->process(node_, &block);
  }();

  const std::span<const std::byte> in_view(in);
  const std::span<const std::byte> out_view(out);
  if (!sentence_.empty()) broken(sentence_);
  if (status < SLUICE_STATUS_CONTINUE || status > SLUICE_STATUS_FAILED) broken("invalid status");
  if (status == SLUICE_STATUS_FAILED) broken("process failed");
  if (input.consumed > offered) broken("it consumed more than it was offered");
  if (output.produced > room) broken("it produced more than there was room for");
  if (!is_intact(in_view.first(kGuardBytes)) || !is_intact(in_view.last(kGuardBytes)) ||
      !std::equal(queue_.begin(), queue_.begin() + static_cast<ptrdiff_t>(in_bytes),
                  in.begin() + kGuardBytes)) {
    broken("it wrote to its input");
  }
  if (!is_intact(out_view.first(kGuardBytes)) || !is_intact(out_view.last(kGuardBytes))) {
    broken("it wrote beyond its room");
  }
  if (output.produced != 0) captures_.push_back({produced_, output.produced, output.capture_ns});

  const auto produced = out_view.subspan(kGuardBytes, size_t{output.produced} * frame_bytes_[1]);
  output_.insert(output_.end(), produced.begin(), produced.end());
  queue_.erase(queue_.begin(),
               queue_.begin() + static_cast<ptrdiff_t>(size_t{input.consumed} * frame_bytes_[0]));
  consumed_ += input.consumed;
  produced_ += output.produced;
  while (!input_marks_.empty() && input_marks_.front().position <= consumed_) {
    input_marks_.pop_front();
  }
  last_consumed_ = input.consumed;
  last_produced_ = output.produced;
  last_wanted_ = status == SLUICE_STATUS_NEED_INPUT ? input.wanted : 0;
  largest_production_ = std::max(largest_production_, output.produced);
  return status;
}

std::vector<std::byte> PassiveDriver::run_bytes(std::span<const std::byte> input,
                                                const Splits& splits) {
  std::mt19937_64 random(splits.seed);
  const auto up_to = [&](uint64_t maximum) {
    return splits.seed == 0 ? maximum : random() % (maximum + 1);
  };
  output_.clear();
  size_t visible = queue_.size() / frame_bytes_[0];
  queue_.insert(queue_.end(), input.begin(), input.end());
  uint32_t idle_calls = 0;
  while (!is_drained_) {
    const size_t total = queue_.size() / frame_bytes_[0];
    visible = std::min<size_t>(visible + up_to(splits.frames), total);
    if (visible < last_wanted_ && visible < total) continue;
    const auto offered = static_cast<uint32_t>(
        std::min<size_t>(visible, std::max<size_t>(splits.frames, last_wanted_)));
    const auto room = static_cast<uint32_t>(up_to(uint64_t{splits.frames} * 2));
    const sluice_status status = call(offered, std::max(room, splits.seed == 0 ? offered : 0u),
                                      last_wanted_, splits.is_ended);
    visible -= last_consumed_;
    is_drained_ = status == SLUICE_STATUS_DRAINED;
    if (last_consumed_ != 0 || last_produced_ != 0 || last_had_event_) {
      idle_calls = 0;
    } else if (visible == queue_.size() / frame_bytes_[0]) {
      ++idle_calls;
      if (!splits.is_ended && idle_calls > 16) break;
      if (idle_calls > 1000) broken("no progress although its input has ended");
    }
  }
  if (is_drained_ && !queue_.empty()) broken("it said drained with input left");
  return std::move(output_);
}

sluice_status PassiveDriver::process_once(const void* in, uint32_t frames, void* out,
                                          uint32_t room) {
  sluice_input input{};
  input.struct_size = sizeof(input);
  input.data = in;
  input.frames = frames;
  input.position = consumed_;
  input.capture_ns = SLUICE_NO_TIME;
  sluice_output output{};
  output.struct_size = sizeof(output);
  output.data = out;
  output.frames = room;
  output.position = produced_;
  output.capture_ns = SLUICE_NO_TIME;
  sluice_block block{};
  block.struct_size = sizeof(block);
  block.input_count = block.output_count = 1;
  block.inputs = &input;
  block.outputs = &output;
  const sluice_status status = passive_->process(node_, &block);
  consumed_ += input.consumed;
  produced_ += output.produced;
  return status;
}

int64_t PassiveDriver::capture_ns(uint64_t frame) const {
  for (const Capture& capture : captures_) {
    if (frame < capture.first || frame >= capture.first + capture.frames) continue;
    if (capture.capture_ns == SLUICE_NO_TIME) return SLUICE_NO_TIME;
    return capture.capture_ns + duration_ns(frame - capture.first, output_format().rate_hz);
  }
  return SLUICE_NO_TIME;
}

uint64_t PassiveDriver::slot(const std::string& key, uint32_t kind) const {
  for (uint32_t s = 0; s < type_->statistic_count; ++s) {
    const sluice_statistic& statistic = type_->statistics[s];
    if (statistic.key == key && statistic.kind == kind) return slots_[s].word;
  }
  broken("it has no statistic " + key + " of this kind");
}

double PassiveDriver::gauge(const std::string& key) const {
  return std::bit_cast<double>(slot(key, SLUICE_GAUGE));
}

uint64_t PassiveDriver::counter(const std::string& key) const { return slot(key, SLUICE_COUNTER); }

}  // namespace sluice::tests
