#include "host/isolate/remote_node.hpp"

#include <poll.h>
#include <signal.h>
#include <sluice/state.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "host/isolate/isolated_process.hpp"
#include "host/isolate/sandbox.hpp"
#include "host/loader/library.hpp"
#include "host/loader/type_family.hpp"
#include "host/support/thread.hpp"

namespace sluice::isolate {
int run_isolated_node() {
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  // Also while the plugin keeps the other thread.
  std::thread([] {
    pollfd host{kNoteDescriptor, 0, 0};
    while (poll(&host, 1, -1) < 0) {
    }
    _exit(0);
  }).detach();
  // Whoever ends a group of processes means the host, which then ends this one.
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) signal(number, SIG_IGN);
  RemoteNode node;
  const int code = node.serve();
  // The plugin's own threads may still be about.
  _exit(code);
}

RemoteNode::RemoteNode() {
  channel_.open(kNoteDescriptor);
  isolate::fill_host(host_, *this);
}

int RemoteNode::serve() {
  for (;;) {
    Channel::Received note;
    if (channel_.receive(note, -1) != Channel::Outcome::kDone) return 0;
    Unpacker facts(note.bytes);
    take_over();
    switch (note.kind) {
      case Note::kCreate:
        create(facts);
        break;
      case Note::kDescribe:
        describe(facts);
        break;
      case Note::kPrepare:
        prepare(facts);
        break;
      case Note::kAttach:
        attach(facts, note.descriptors);
        break;
      case Note::kStart:
        start();
        break;
      case Note::kStop:
        stop();
        break;
      case Note::kSave:
        save();
        break;
      case Note::kLoad:
        load(facts);
        break;
      case Note::kRelease:
        release();
        if (node_) type_->data().functions->destroy(std::exchange(node_, nullptr));
        reply(SLUICE_OK);
        return 0;
      default:
        return 1;
    }
    take_over();
  }
}

void RemoteNode::create(Unpacker& facts) {
  const std::string name = facts.text();
  const std::string file = facts.text();
  const std::string id = facts.text();
  is_virtual_ = facts.take<bool>();
  parameters_ = std::vector<Parameter>(facts.take<uint32_t>());
  for (Parameter& parameter : parameters_) {
    parameter.number = facts.take<double>();
    parameter.text = facts.text();
    parameter.list = facts.list<double>();
    parameter.rows = facts.take<uint32_t>();
  }
  Permissions permissions;
  permissions.opens_devices = facts.take<bool>();
  for (auto left = facts.take<uint32_t>(); left != 0; --left)
    permissions.read.push_back(facts.text());
  for (auto left = facts.take<uint32_t>(); left != 0; --left) {
    permissions.write.push_back(facts.text());
  }
  support::set_thread_name(name);
  Packer more;
  more.text(confine(permissions));
  const auto library = loader::Library::load(file);
  if (!library) {
    fail(library.error().message.c_str());
    return reply(SLUICE_ERROR_NOT_FOUND, more);
  }
  // A member of a family is made by the family.
  const std::string_view listed = std::string_view(id).substr(0, id.find('/'));
  for (const loader::Type* type : (*library)->types()) {
    if (type->id() == listed) type_ = type;
  }
  if (type_ && listed != id) {
    auto member = loader::find_member(*type_, id);
    if (!member) {
      fail(member.error().message.c_str());
      return reply(SLUICE_ERROR_NOT_FOUND, more);
    }
    type_ = *member;
  }
  if (!type_ || type_->parameters().size() != parameters_.size()) {
    fail((file + " no longer offers the type " + id + " as it was.").c_str());
    return reply(SLUICE_ERROR_NOT_FOUND, more);
  }
  slots_.resize(std::max<size_t>(type_->statistics().size(), 1));
  rooms_.resize(type_->ports().size());
  packets_.resize(type_->ports().size());
  const sluice_result result = type_->data().functions->create(&host_, &node_);
  if (result == SLUICE_OK && !node_) fail("The plugin says that it made a node, but gave none.");
  reply(result == SLUICE_OK && !node_ ? SLUICE_ERROR_INTERNAL : result, more);
}

void RemoteNode::describe(Unpacker& facts) {
  const auto port = facts.take<uint32_t>();
  const bool has_formats = facts.take<bool>();
  const auto formats = facts.list<sluice_format>();
  if (!node_ || port >= type_->ports().size()) return reply(SLUICE_ERROR_STATE);
  const sluice_port& declared = type_->ports()[port];
  sluice_port_info info{};
  info.struct_size = sizeof(info);
  info.flags = declared.flags;
  info.clock = declared.clock;
  info.offers = declared.offers;
  info.offer_count = declared.offer_count;
  sluice_result result = SLUICE_OK;
  if (const auto describe_port = type_->data().functions->describe) {
    result = describe_port(node_, port, has_formats ? formats.data() : nullptr, &info);
  }
  Packer more;
  more.add(info.flags).add(info.clock).add(info.clock_id != nullptr);
  more.text(info.clock_id ? info.clock_id : "");
  more.add(info.offers != nullptr);
  more.list(std::span(info.offers, info.offers ? info.offer_count : 0));
  reply(result, more);
}

void RemoteNode::prepare(Unpacker& facts) {
  auto setup = facts.take<sluice_setup>();
  auto ports = facts.list<sluice_port_setup>();
  setup.ports = ports.data();
  setup.port_count = static_cast<uint32_t>(ports.size());
  if (!node_) return reply(SLUICE_ERROR_STATE);
  const sluice_result result = type_->data().functions->prepare(node_, &setup);
  Packer more;
  more.list(std::span<const sluice_port_setup>(ports));
  reply(result, more);
}

void RemoteNode::attach(Unpacker& facts, std::span<const int> descriptors) {
  rooms_ = facts.list<PortRoom>();
  const auto host_bytes = facts.take<uint64_t>();
  const auto own_bytes = facts.take<uint64_t>();
  if (!node_ || descriptors.size() != 2 || rooms_.size() != type_->ports().size()) {
    return reply(SLUICE_ERROR_STATE);
  }
  auto host_area = Area::map(descriptors[0], host_bytes, Area::Writer::kMaker);
  auto own_area = Area::map(descriptors[1], own_bytes, Area::Writer::kOther);
  if (!host_area || !own_area) {
    fail((host_area ? own_area : host_area).error().message.c_str());
    return reply(SLUICE_ERROR_MEMORY);
  }
  host_area_ = std::move(*host_area);
  own_area_ = std::move(*own_area);
  other_ = reinterpret_cast<const Side*>(host_area_.data());
  own_ = reinterpret_cast<Side*>(own_area_.data());
  turns_ = Turns(*own_, *other_);
  for (uint32_t i = 0; i < rooms_.size(); ++i) {
    const sluice_port& port = type_->ports()[i];
    (port.direction == SLUICE_INPUT ? input_ports_ : output_ports_).push_back(i);
  }
  inputs_.assign(input_ports_.size(), {});
  outputs_.assign(output_ports_.size(), {});
  for (auto& in : inputs_) in.struct_size = sizeof(in);
  for (auto& out : outputs_) out.struct_size = sizeof(out);
  // A device has a thread of its own.
  if (!is_device()) thread_ = std::thread([this] { run_node(); });
  reply(SLUICE_OK);
}

void RemoteNode::start() {
  const auto* device = static_cast<const sluice_device*>(
      node_ ? type_->data().functions->get_interface(node_, SLUICE_DEVICE) : nullptr);
  reply(device && device->start && own_ ? device->start(node_)
                                        : sluice_result{SLUICE_ERROR_UNSUPPORTED});
}

void RemoteNode::stop() {
  const auto* device = static_cast<const sluice_device*>(
      node_ ? type_->data().functions->get_interface(node_, SLUICE_DEVICE) : nullptr);
  if (device && device->stop) device->stop(node_);
  reply(SLUICE_OK);
}

void RemoteNode::save() {
  const auto* state = static_cast<const sluice_state*>(
      node_ ? type_->data().functions->get_interface(node_, SLUICE_STATE) : nullptr);
  if (!state || !state->save) return reply(SLUICE_ERROR_UNSUPPORTED);
  Packer more;
  const auto take = [](void* context, const void* data, size_t size_bytes) {
    static_cast<Packer*>(context)->bytes({static_cast<const std::byte*>(data), size_bytes});
  };
  const sluice_result result = state->save(node_, &more, take);
  reply(result, more);
}

void RemoteNode::load(Unpacker& facts) {
  const auto* state = static_cast<const sluice_state*>(
      node_ ? type_->data().functions->get_interface(node_, SLUICE_STATE) : nullptr);
  const std::vector<std::byte> bytes = facts.rest();
  // Whoever hands nothing over, and whoever takes nothing, begins anew as a matter of course.
  reply(state && state->load ? state->load(node_, bytes.data(), bytes.size())
                             : sluice_result{SLUICE_OK});
}

void RemoteNode::release() {
  // The host has let its side end with kEnd, or does not care.
  if (thread_.joinable()) thread_.join();
  if (node_) type_->data().functions->release(node_);
}

void RemoteNode::reply(sluice_result result, const Packer& more) {
  Packer all;
  all.add(result).text(take_sentence());
  std::vector<std::byte> bytes = all.bytes();
  bytes.insert(bytes.end(), more.bytes().begin(), more.bytes().end());
  const std::lock_guard lock(channel_mutex_);
  channel_.send(Note::kReply, bytes);
}

std::string RemoteNode::take_sentence() {
  const std::lock_guard lock(sentence_mutex_);
  return std::exchange(sentence_, {});
}

void RemoteNode::fail(const char* sentence) {
  const std::lock_guard lock(sentence_mutex_);
  sentence_ = sentence ? sentence : "";
}

void RemoteNode::tell(Note kind, uint32_t number, const char* sentence) {
  Packer all;
  all.add(number).add(sentence != nullptr).text(sentence ? sentence : "");
  const std::lock_guard lock(channel_mutex_);
  channel_.send(kind, all.bytes());
}

sluice_result RemoteNode::value(uint32_t index, sluice_value& value) const {
  if (index >= parameters_.size() || !type_) return SLUICE_ERROR_ARGUMENT;
  const Parameter& parameter = parameters_[index];
  const sluice_parameter& declared = type_->parameters()[index];
  value.kind = declared.kind;
  value.number = parameter.number.load(std::memory_order_relaxed);
  value.text = parameter.text.c_str();
  if (declared.kind == SLUICE_CHOICE && value.number >= 0.0 &&
      value.number < declared.choice_count) {
    value.text = declared.choices[static_cast<uint32_t>(value.number)];
  }
  value.list = parameter.list.data();
  value.count = static_cast<uint32_t>(parameter.list.size());
  value.rows = parameter.rows;
  return SLUICE_OK;
}

int64_t RemoteNode::now_ns() const {
  if (is_virtual_) return other_ ? other_->message.now_ns : 0;
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// ---- The node's thread

void RemoteNode::run_node() {
  support::set_flush_to_zero(true);
  support::set_timer_slack(1);
  for (;;) {
    while (!turns_.wait(INT64_MAX)) {
    }
    take_over();
    const Message& from = answer();
    if (from.priority != priority_) {
      priority_ = from.priority;
      support::set_scheduling(support::Scheduling::kFifo, static_cast<int>(priority_));
    }
    switch (from.op) {
      case Op::kProcess:
        process();
        break;
      case Op::kRun: {
        const auto* threaded = static_cast<const sluice_threaded*>(
            type_->data().functions->get_interface(node_, SLUICE_THREADED));
        message().result =
            threaded && threaded->run ? threaded->run(node_) : SLUICE_ERROR_UNSUPPORTED;
        copy_text(message().text, take_sentence());
        send(Op::kRunEnded);
        break;
      }
      default:
        return;
    }
  }
}

void RemoteNode::send(Op op) {
  message().op = op;
  std::memcpy(message().slots.data(), slots_.data(), slots_.size() * sizeof(sluice_slot));
  take_over();
  turns_.post();
}

const Message& RemoteNode::ask(Op op) {
  send(op);
  while (!turns_.wait(INT64_MAX)) {
  }
  message().post_count = 0;
  return answer();
}

void RemoteNode::post(const Post& post) {
  if (!own_) return;
  if (message().post_count == kMostPosts) ask(Op::kFlush);
  message().posts[message().post_count++] = post;
}

const std::byte* RemoteNode::input_frames(uint32_t port) const {
  return host_area_.data() + rooms_[port].offset_bytes;
}
std::byte* RemoteNode::output_frames(uint32_t port) {
  return own_area_.data() + rooms_[port].offset_bytes;
}
uint32_t RemoteNode::room_frames(uint32_t port) const {
  return port < rooms_.size() ? rooms_[port].frames : 0;
}

void RemoteNode::take_changes() {
  const Message& from = answer();
  for (uint32_t i = 0; i < from.changed_count && i < kMostParameters; ++i) {
    const uint32_t index = from.changed_index[i];
    if (index < parameters_.size()) parameters_[index].number = from.changed_value[i];
  }
}

void RemoteNode::process() {
  const Message& from = answer();
  Message& to = message();
  to.post_count = 0;
  take_changes();
  uint32_t marks = 0;
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const PortFrames& offered = from.inputs[i];
    sluice_input& in = inputs_[i];
    in.flags = offered.flags;
    in.data = input_frames(input_ports_[i]);
    in.frames = offered.frames;
    in.consumed = in.wanted = 0;
    in.position = offered.position;
    in.capture_ns = offered.capture_ns;
    in.marks = from.marks.data() + marks;
    in.mark_count = offered.mark_count;
    marks += offered.mark_count;
  }
  for (size_t i = 0; i < outputs_.size(); ++i) {
    const PortFrames& room = from.outputs[i];
    sluice_output& out = outputs_[i];
    out.flags = room.flags;
    out.data = output_frames(output_ports_[i]);
    out.frames = room.frames;
    out.produced = 0;
    out.position = room.position;
    out.capture_ns = room.capture_ns;
  }
  sluice_block block{sizeof(sluice_block),
                     static_cast<uint32_t>(inputs_.size()),
                     static_cast<uint32_t>(outputs_.size()),
                     from.event_count,
                     inputs_.data(),
                     outputs_.data(),
                     from.events.data()};
  const auto* passive = static_cast<const sluice_passive*>(
      type_->data().functions->get_interface(node_, SLUICE_PASSIVE));
  const sluice_status status = passive && passive->process ? passive->process(node_, &block)
                                                           : sluice_status{SLUICE_STATUS_FAILED};
  for (size_t i = 0; i < inputs_.size(); ++i) {
    to.inputs[i].moved = inputs_[i].consumed;
    to.inputs[i].wanted = inputs_[i].wanted;
  }
  for (size_t i = 0; i < outputs_.size(); ++i) {
    to.outputs[i].moved = outputs_[i].produced;
    to.outputs[i].capture_ns = outputs_[i].capture_ns;
  }
  to.result = static_cast<int32_t>(status);
  if (status == SLUICE_STATUS_FAILED) copy_text(to.text, take_sentence());
  send(Op::kProcessed);
}

}  // namespace sluice::isolate
