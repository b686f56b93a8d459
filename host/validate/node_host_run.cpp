// Threaded nodes and devices under NodeHost.
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "host/validate/call_class.hpp"
#include "host/validate/child.hpp"
#include "host/validate/node_host.hpp"
#include "host/validate/peers.hpp"
#include "host/validate/rt_guard.hpp"

namespace sluice::validate {
namespace {

// A node that has been told to stop and waits so often again never will return.
constexpr uint64_t kWaitsAfterStop = 100;
constexpr uint64_t kHopelessWaits = 10'000;

}  // namespace

NodeHost::Port* NodeHost::port_of(uint32_t index, uint32_t direction, const char* function) {
  if (index < ports_.size() && ports_[index].declared->direction == direction) {
    return &ports_[index];
  }
  violate(fmt::format("it calls {} with port {}, which is no {} of its type.", function, index,
                      direction == SLUICE_INPUT ? "input" : "output"));
  return nullptr;
}

// Frames come at the pace of the virtual clock, 100 ms ahead.
uint64_t NodeHost::arrived_frames(const Port& port) const {
  const auto rate_hz = static_cast<int64_t>(port.format.rate_hz);
  const int64_t due = (now_ns_ + 100'000'000) / 1000 * rate_hz / 1'000'000;
  return std::clamp<uint64_t>(static_cast<uint64_t>(due), port.frames_read, port.frames_fed);
}

uint32_t NodeHost::ready(const sluice_wait_item& item) {
  const Port* port = item.port < ports_.size() ? &ports_[item.port] : nullptr;
  switch (item.kind) {
    case SLUICE_WAIT_INPUT: {
      if (!port || !port->is_input()) break;
      if (!port->is_pcm()) return !port->packets.empty() || port->has_ended;
      const uint64_t there = arrived_frames(*port) - port->frames_read;
      const bool is_end = port->has_ended && there == port->frames_left();
      return is_end || there >= std::max<uint64_t>(item.amount, 1);
    }
    case SLUICE_WAIT_OUTPUT:
      if (port && !port->is_input()) return 1;
      break;
    case SLUICE_WAIT_RETRY:
      // Nobody asks for it.
      return 0;
    case SLUICE_WAIT_PARAMETERS:
      return std::exchange(is_parameter_changed_, false);
    case SLUICE_WAIT_STREAM:
      if (item.object) return network_.ready(item.object, item.amount);
      break;
    case SLUICE_WAIT_MARKS:
      if (port && port->is_input()) return !port->marks.empty();
      break;
    case SLUICE_WAIT_DESCRIPTOR: {
      pollfd descriptor{item.descriptor, static_cast<short>(item.amount), 0};
      ::poll(&descriptor, 1, 0);
      return static_cast<uint16_t>(descriptor.revents);
    }
    default:
      break;
  }
  violate(fmt::format("it waits for an item of kind {} at port {}, which cannot be.", item.kind,
                      item.port));
  return 0;
}

int64_t NodeHost::next_ns(std::span<const sluice_wait_item> items) {
  int64_t next = peers_ ? peers_->wake_ns() : SLUICE_FOREVER;
  if (course_.live_changes_per_s > 0) next = std::min(next, next_change_ns_);
  std::vector<pollfd> none;
  for (const sluice_wait_item& item : items) {
    if (item.kind == SLUICE_WAIT_STREAM && item.object) {
      network_.poll_set(item.object, item.amount, none, next);
    } else if (item.kind == SLUICE_WAIT_INPUT && item.port < ports_.size()) {
      // The next millisecond of audio.
      next = std::min(next, now_ns_ + 1'000'000);
    } else if (item.kind == SLUICE_WAIT_DESCRIPTOR) {
      next = std::min(next, now_ns_ + 10'000'000);
    }
  }
  return next;
}

sluice_result NodeHost::wait(sluice_wait_item* items, uint32_t count, int64_t deadline_ns) {
  ++waits_;
  for (const Port& port : ports_) {
    if (port.held_frames < 0) continue;
    violate("it waits while it holds a span; other readers would be held up.");
    return SLUICE_ERROR_STATE;
  }
  for (;;) {
    if (peers_) peers_->act(now_ns_);
    if (course_.live_changes_per_s > 0 && now_ns_ >= next_change_ns_) {
      next_change_ns_ =
          now_ns_ + static_cast<int64_t>(2e9 * random() / course_.live_changes_per_s) + 1;
      for (uint32_t i = 0; i < type_.parameter_count; ++i) {
        const sluice_parameter& p = type_.parameters[i];
        if (!(p.flags & SLUICE_PARAMETER_LIVE) || random() < 0.5) continue;
        double value = p.minimum + (p.maximum - p.minimum) * random();
        if (p.kind != SLUICE_NUMBER) value = static_cast<double>(static_cast<int64_t>(value));
        change_live(i, value);
      }
    }
    const Port* output = output_of_first();
    is_stopped_ |= now_ns_ >= course_.stop_ns || waits_ >= course_.stop_waits ||
                   (output && output->frames_written >= course_.stop_frames);
    if (is_stopped_) {
      if (++waits_after_stop_ == kWaitsAfterStop) {
        violate(
            fmt::format("run goes on waiting: {} times after wait has answered "
                        "SLUICE_ERROR_STOPPED.",
                        kWaitsAfterStop));
      }
      if (waits_after_stop_ > kHopelessWaits) give_up(violations_);
      return SLUICE_ERROR_STOPPED;
    }
    bool is_any = false;
    for (uint32_t i = 0; i < count; ++i) {
      items[i].ready = ready(items[i]);
      is_any |= items[i].ready != 0;
    }
    if (is_any) return SLUICE_OK;
    if (deadline_ns <= now_ns_) return SLUICE_ERROR_TIMEOUT;
    const int64_t next = std::min({next_ns({items, count}), deadline_ns, course_.stop_ns});
    now_ns_ = std::max(now_ns_ + 1, next);
  }
}

std::string NodeHost::run(const Course& course) {
  course_ = course;
  next_change_ns_ = 0;
  for (Port& port : ports_) {
    if (!port.is_input()) continue;
    if (port.is_pcm()) feed(port, course.frames, Signal::kNoise);
    port.has_ended = course.is_ended;
  }
  const auto* threaded = static_cast<const sluice_threaded*>(interface(SLUICE_THREADED));
  doing("run");
  sluice_result result = SLUICE_OK;
  {
    const WorkerSection worker;
    result = in_call(CallClass::kWorker, [&] { return threaded->run(node_); });
  }
  for (Port& port : ports_) {
    if (port.held_frames >= 0) violate("run returns while it holds a span.");
    port.held_frames = -1;
  }
  if (!are_slots_intact()) violate("it writes behind its statistics.");
  if (result == SLUICE_ERROR_STOPPED) {
    sentence_.clear();
    return {};
  }
  if (result == SLUICE_OK) sentence_.clear();
  return take_sentence("run", result);
}

std::string NodeHost::start_and_stop() {
  const auto* device = static_cast<const sluice_device*>(interface(SLUICE_DEVICE));
  is_device_stopped_ = false;
  const uint64_t before = cycles_;
  {
    doing("start");
    const sluice_result result = in_call(CallClass::kControl, [&] { return device->start(node_); });
    std::string sentence = take_sentence("start", result);
    if (!sentence.empty()) return sentence;
  }
  // A device keeps its own time; nothing is concluded from how long it takes.
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  const auto has_cycled = [&] {
    const std::lock_guard lock(cycle_mutex_);
    return cycles_ > before;
  };
  while (!has_cycled() && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  doing("stop");
  in_call(CallClass::kControl, [&] { device->stop(node_); });
  {
    const std::lock_guard lock(cycle_mutex_);
    is_device_stopped_ = true;
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  return {};
}

}  // namespace sluice::validate
