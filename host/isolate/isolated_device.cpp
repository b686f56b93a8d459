// Devices: the sound system calls the plugin in its process, and the call goes on here.
#include <time.h>

#include <algorithm>
#include <cstring>
#include <sluice/frames.hpp>
#include <utility>

#include "host/isolate/isolated_node.hpp"
#include "host/support/thread.hpp"

namespace sluice::isolate {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kDevicePatience{20'000};
constexpr int64_t kDeviceSliceNs = 20'000'000;
constexpr int64_t kPeriodNs = 10'000'000;  // of a device that is away

}  // namespace

sluice_result IsolatedNode::start() {
  if (!process_) return SLUICE_ERROR_STATE;
  scratch_.assign(type_.port_count, {});
  for (uint32_t port = 0; port < type_.port_count; ++port) {
    scratch_[port].resize(size_t{server_.room(port).frames} * server_.room(port).frame_bytes);
  }
  captured_.assign(outputs_.size(), nullptr);
  played_.assign(inputs_.size(), nullptr);
  is_started_ = true;
  cycling_ = std::thread([this] { cycle(); });
  const std::lock_guard lock(process_mutex_);
  Failure failure{};
  std::vector<std::byte> more;
  if (take(process_->call(Note::kStart, {}, kDevicePatience), failure, more)) return SLUICE_OK;
  is_started_ = false;
  cycling_.join();
  return tell(failure);
}

void IsolatedNode::stop() {
  if (!cycling_.joinable()) return;
  {
    const std::lock_guard lock(process_mutex_);
    // Its last cycle is still answered.
    if (!process_->is_gone()) static_cast<void>(process_->call(Note::kStop, {}, kDevicePatience));
  }
  is_started_ = false;
  cycling_.join();
}

void IsolatedNode::cycle() {
  support::set_flush_to_zero(true);
  support::set_timer_slack(1);
  Pace pace{0, std::vector<uint64_t>(type_.port_count)};
  while (is_started_) {
    NodeProcess* const process = process_in_use();
    if (!process) {
      stand_in_for_device(pace);
      continue;
    }
    pace.since_ns = 0;
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    const int64_t until_ns = int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec + kDeviceSliceNs;
    if (!process->turns.wait(until_ns)) continue;
    const MessageHead asked = server_.take(*process);
    if (asked.op == Op::kCycle) {
      serve_cycle(asked);
    } else {
      server_.answer(*process, asked);
    }
    server_.send(*process, Op::kAnswer);
  }
}

void IsolatedNode::serve_cycle(const MessageHead& asked) {
  const Message& from = in_use_->other().message;
  uint32_t frames = asked.amount;
  for (size_t i = 0; i < outputs_.size(); ++i) {
    const PortRoom& room = server_.room(outputs_[i]);
    PortFrames moved;
    std::memcpy(&moved, &from.outputs[i], sizeof(moved));
    captured_[i] = nullptr;
    if (room.frames == 0 || moved.moved == 0) continue;
    frames = std::min(frames, room.frames);
    std::byte* const copy = scratch_[outputs_[i]].data();
    std::memcpy(copy, in_use_->output_frames(room), size_t{frames} * room.frame_bytes);
    server_.fade(outputs_[i]).pass(copy, frames);
    captured_[i] = copy;
  }
  for (size_t i = 0; i < inputs_.size(); ++i) {
    const PortRoom& room = server_.room(inputs_[i]);
    PortFrames moved;
    std::memcpy(&moved, &from.inputs[i], sizeof(moved));
    played_[i] = nullptr;
    if (room.frames == 0 || moved.moved == 0) continue;
    frames = std::min(frames, room.frames);
    played_[i] = in_use_->input_frames(room);
  }
  const sluice_cycle cycle{sizeof(sluice_cycle), frames, asked.time_ns, captured_.data(),
                           played_.data()};
  if (frames != 0) server_.device()->cycle(&host_, &cycle);
  // This thread has its priority by now. Processes to come are told when they are taken over.
  if (!std::exchange(has_told_priority_, true)) {
    in_use_->own().message.priority = static_cast<uint32_t>(support::real_time_priority());
  }
}

// Plays to nobody and captures silence, at the rate the device had.
void IsolatedNode::stand_in_for_device(Pace& pace) {
  const int64_t now_ns = host_.now_ns(&host_);
  if (pace.since_ns == 0) pace = {now_ns, std::vector<uint64_t>(1)};
  const uint64_t total = frames_of_ns(now_ns - pace.since_ns, std::max(1U, reference_rate_hz_));
  auto frames = static_cast<uint32_t>(std::min<uint64_t>(total - pace.done_frames[0], UINT32_MAX));
  for (uint32_t port = 0; port < type_.port_count; ++port) {
    if (server_.room(port).frames != 0) frames = std::min(frames, server_.room(port).frames);
  }
  for (size_t i = 0; i < outputs_.size(); ++i) {
    std::byte* const silence = scratch_[outputs_[i]].data();
    server_.fade(outputs_[i]).fill(silence, server_.room(outputs_[i]).frames == 0 ? 0 : frames);
    captured_[i] = server_.room(outputs_[i]).frames == 0 ? nullptr : silence;
  }
  for (size_t i = 0; i < inputs_.size(); ++i) {
    played_[i] = server_.room(inputs_[i]).frames == 0 ? nullptr : scratch_[inputs_[i]].data();
  }
  pace.done_frames[0] += frames;
  const sluice_cycle cycle{sizeof(sluice_cycle), frames, now_ns, captured_.data(), played_.data()};
  if (frames != 0) server_.device()->cycle(&host_, &cycle);
  const timespec period{0, kPeriodNs};
  nanosleep(&period, nullptr);
}

}  // namespace sluice::isolate
