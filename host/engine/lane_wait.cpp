// How a lane waits: what its node asks for, what it tells other lanes, and whom it wakes.
#include <poll.h>

#include <algorithm>
#include <utility>

#include "host/engine/lane.hpp"
#include "host/engine/net/network.hpp"
#include "host/engine/virtual_scheduler.hpp"
#include "host/support/audio_section.hpp"
#include "host/support/thread.hpp"

namespace sluice::engine {
namespace {

constexpr uint32_t kNever = UINT32_MAX;  // a threshold nobody reaches: do not wake me for this edge
constexpr int64_t kNapNs = 12'000'000;   // a block of 10 ms, and a bit

// Frames that must lie in the ring before the reader has `frames` of them: a stream that begins
// later than the input's position has silence in front.
uint32_t threshold(const Edge& edge, const InputPort& port, uint32_t frames) {
  if (frames == kNever || edge.is_plain || !edge.is_aligned) return frames;
  const int64_t lead = std::clamp<int64_t>(edge.lead(port.position()), 0, frames - 1);
  return frames - static_cast<uint32_t>(lead);
}

// The writer passes this reader over, and what it waits for is another one: no use to wake it for
// the room that this one makes. Writer's lane, with no room just now.
bool writer_waits_for_another(const Edge& edge) {
  const Ring& ring = *edge.from.ring;
  if (!ring.live() || ring.blocker() != Blocker::kWaitingCursor) return false;
  if (edge.when_full.load(std::memory_order_relaxed) != WhenFull::kSkip) return false;
  const auto state = ring.cursor_state(edge.slot);
  return state && state->policy == CursorPolicy::kSkip;
}

// Room for the writer in front of a reader for whom that much lies there. [any]
uint64_t room_before(const Ring& ring, uint64_t fill) {
  return ring.ahead_frames() - std::min(ring.ahead_frames(), fill);
}

// Room for the writer in front of every reader that it does not pass over. [any]
uint64_t room_beyond_skippers(const Ring& ring) {
  const uint64_t written = ring.written();
  uint64_t oldest = written;
  for (uint32_t slot = 0; slot < kMaxCursors; ++slot) {
    const auto state = ring.cursor_state(slot);
    if (state && state->policy == CursorPolicy::kWait) oldest = std::min(oldest, state->position);
  }
  return room_before(ring, written - oldest);
}

}  // namespace

void Lane::tell_upstream(InputPort& port, uint32_t code) {
  for (Edge* edge : port.edges) {
    edge->upstream.push(code);
    edge->from.node.has_upstream_news.store(true, std::memory_order_release);
    if (edge->is_local) {
      has_told_steps_ = true;
      is_settled_ = false;
    } else {
      edge->from.node.lane->wake();
    }
  }
}

void Lane::rouse(Lane& lane) {
  if (scheduler_) {
    lane.is_dirty_ = true;
  } else if (lane.bell_.is_waiting()) {
    lane.bell_.ring();
  }
}

// Wakes the lanes that wait for what this one has published. Their sleep is announced before their
// last look, our positions are published before this look, and a full fence stands between on both
// sides: one of the two sees the other.
void Lane::flush() {
  if (!std::exchange(has_news_, false)) return;
  if (!scheduler_) full_fence();
  for (const auto& wiring : plan_->outputs) {
    OutputPort& port = *wiring.port;
    const bool has_marks = std::exchange(port.has_marks, false);
    if (!std::exchange(port.has_commits, false) && !has_marks) continue;
    for (Edge* edge : wiring.remote_edges) {
      if (has_marks || !port.is_pcm() ||
          edge->fill() >= edge->wanted_frames.load(std::memory_order_relaxed)) {
        rouse(*edge->to.node.lane);
      }
    }
  }
  for (const auto& wiring : plan_->inputs) {
    InputPort& port = *wiring.port;
    if (!std::exchange(port.has_releases, false)) continue;
    for (Edge* edge : wiring.remote_edges) {
      if (edge->is_closed.load(std::memory_order_relaxed) || !port.is_pcm()) {
        rouse(*edge->from.node.lane);
        continue;
      }
      uint32_t wanted = edge->wanted_room.load(std::memory_order_relaxed);
      if (wanted == kNever) continue;
      if (edge->from.starving_readers.load(std::memory_order_relaxed) != 0) {
        wanted = edge->least_room.load(std::memory_order_relaxed);
      }
      if (room_before(*edge->from.ring, edge->fill()) >= wanted) rouse(*edge->from.node.lane);
    }
  }
}

bool Lane::is_ready(Node& node, sluice_wait_item& item) {
  item.ready = 0;
  switch (item.kind) {
    case SLUICE_WAIT_INPUT: {
      InputPort* port = node.input_at(item.port);
      if (!port) return false;
      if (!port->is_pcm()) {
        item.ready = port->has_packets() || port->is_ended();
      } else {
        // After the end what is there is all there will be.
        item.ready = port->has_end() ||
                     port->available() >= std::clamp(item.amount, 1U, port->largest_want());
      }
      break;
    }
    case SLUICE_WAIT_OUTPUT: {
      OutputPort* port = node.output_at(item.port);
      if (!port) return false;
      if (!port->is_pcm()) {
        item.ready = port->packet_ring->has_room(item.amount);
      } else {
        const uint32_t amount = std::clamp(item.amount, 1U, port->largest_wait_frames);
        item.ready = port->has_room(amount);
      }
      break;
    }
    case SLUICE_WAIT_STREAM:
      item.ready = services_.network->ready(item.object, item.amount);
      break;
    case SLUICE_WAIT_PARAMETERS:
      item.ready = node.take_parameter_change();
      break;
    case SLUICE_WAIT_RETRY:
      item.ready = node.take_retry();
      break;
    case SLUICE_WAIT_MARKS: {
      const InputPort* port = node.input_at(item.port);
      item.ready = port && port->has_new_marks();
      break;
    }
    default:
      break;
  }
  return item.ready != 0;
}

bool Lane::is_late(int64_t deadline_ns) const {
  return deadline_ns != kForever && services_.clock->now_ns() >= deadline_ns;
}

// Before `deadline_ns` the lane sleeps if nothing is ready, which looks at the descriptors by
// itself.
bool Lane::evaluate(Node& node, std::span<sluice_wait_item> items, int64_t deadline_ns) {
  const Polled polled = std::exchange(polled_, Polled::kNo);
  bool is_any_ready = false;
  bool has_descriptors = false;
  for (sluice_wait_item& item : items) {
    if (item.kind != SLUICE_WAIT_DESCRIPTOR) {
      is_any_ready |= is_ready(node, item);
      continue;
    }
    has_descriptors = true;
    if (polled != Polled::kYes) item.ready = 0;
    is_any_ready |= item.ready != 0;
  }
  if (!has_descriptors || polled == Polled::kYes) return is_any_ready;
  if (polled == Polled::kNo && !is_any_ready && !scheduler_ && !is_late(deadline_ns)) {
    return false;
  }
  for (sluice_wait_item& item : items) {
    if (item.kind != SLUICE_WAIT_DESCRIPTOR) continue;
    pollfd descriptor{item.descriptor, static_cast<short>(item.amount), 0};
    if (::poll(&descriptor, 1, 0) > 0) {
      item.ready = static_cast<uint16_t>(descriptor.revents);
      is_any_ready = true;
    }
  }
  return is_any_ready;
}

sluice_result Lane::wait(Node& node, std::span<sluice_wait_item> items, int64_t deadline_ns) {
  if (open_spans_ != 0) return SLUICE_ERROR_STATE;
  for (;;) {
    adopt_plan();
    progress();
    const bool is_any_ready = evaluate(node, items, deadline_ns);
    if (is_stopping_.load(std::memory_order_acquire) ||
        is_head_stopping_.load(std::memory_order_acquire)) {
      return SLUICE_ERROR_STOPPED;
    }
    if (is_any_ready) return SLUICE_OK;
    const int64_t left_ns =
        deadline_ns == kForever ? kForever : deadline_ns - services_.clock->now_ns();
    if (left_ns <= 0) return SLUICE_ERROR_TIMEOUT;
    if (items.empty() && left_ns <= kNapNs && nap(deadline_ns)) {
      // Nothing stands between the deadline and what is done then.
      return is_stopping_.load(std::memory_order_acquire) ||
                     is_head_stopping_.load(std::memory_order_acquire)
                 ? SLUICE_ERROR_STOPPED
                 : SLUICE_ERROR_TIMEOUT;
    }
    set_thresholds(&node, items);
    sleep(items, deadline_ns);
  }
}

// A sink that waits for the time alone, and not for long, sleeps without a bell. Nobody depends on
// it in the meantime, a new plan and a stop can wait as long, and a sleep that nobody can end takes
// fewer instructions than one at a futex.
bool Lane::nap(int64_t deadline_ns) {
  if (scheduler_ || !plan_->outputs.empty() || !plan_->steps.empty()) return false;
  support::sleep_until(deadline_ns);
  wakes_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

// Says at each edge to other lanes from which fill on it is worth waking this one. A writer that
// could go on by a frame sleeps on until it can go on by half a ring: fewer, larger turns. Readers
// that it passes over leave its waking to the one it waits for.
void Lane::set_thresholds(Node* node, std::span<const sluice_wait_item> items) {
  for (const auto& wiring : plan_->inputs) {
    if (wiring.remote_edges.empty() || !wiring.port->is_pcm()) continue;
    const InputPort& port = *wiring.port;
    uint32_t wanted = kNever;
    if (&port.node != runner_) {
      wanted = port.node.wanted_frames(port);
    } else if (node) {
      for (const sluice_wait_item& item : items) {
        if (item.kind != SLUICE_WAIT_INPUT || item.port != port.port_index) continue;
        wanted = std::clamp(item.amount, 1U, port.largest_want());
      }
    }
    for (Edge* edge : wiring.remote_edges) {
      edge->wanted_frames.store(threshold(*edge, port, wanted), std::memory_order_relaxed);
    }
  }
  for (const auto& wiring : plan_->outputs) {
    if (wiring.remote_edges.empty() || !wiring.port->is_pcm()) continue;
    const OutputPort& port = *wiring.port;
    uint32_t wanted = 1;
    if (&port.node == runner_) {
      wanted = kNever;
      for (const sluice_wait_item& item : items) {
        if (item.kind != SLUICE_WAIT_OUTPUT || item.port != port.port_index) continue;
        wanted = std::clamp(item.amount, 1U, port.largest_wait_frames);
      }
    }
    const auto half = static_cast<uint32_t>(
        std::min<uint64_t>(port.ring->ahead_frames() / 2, port.largest_wait_frames));
    const uint32_t comfortable = wanted == kNever ? kNever : std::max(wanted, half);
    for (Edge* edge : wiring.remote_edges) {
      edge->least_room.store(wanted, std::memory_order_relaxed);
      edge->wanted_room.store(writer_waits_for_another(*edge) ? kNever : comfortable,
                              std::memory_order_relaxed);
    }
  }
}

// A reader about to sleep for want of data must not find its writer sleeping in comfort, be it for
// its own sake or for that of another reader of the same ring.
void Lane::rouse_feeders() {
  for (const auto& wiring : plan_->inputs) {
    if (!wiring.port->is_pcm()) continue;
    for (Edge* edge : wiring.remote_edges) {
      if (edge->is_closed.load(std::memory_order_relaxed)) continue;
      const uint32_t wanted = edge->wanted_frames.load(std::memory_order_relaxed);
      const uint64_t fill = edge->fill();
      if (wanted == kNever || fill >= wanted) continue;
      if (!std::exchange(edge->is_starving, true)) {
        edge->from.starving_readers.fetch_add(1, std::memory_order_relaxed);
      }
      const uint32_t least = edge->least_room.load(std::memory_order_relaxed);
      if (least == kNever) continue;
      const Ring& ring = *edge->from.ring;
      const bool is_passed_over = edge->wanted_room.load(std::memory_order_relaxed) == kNever;
      const uint64_t room = is_passed_over ? room_beyond_skippers(ring) : room_before(ring, fill);
      if (room < least) continue;
      // Once: two lanes that feed each other would keep each other awake.
      const uint64_t written = edge->next + fill;
      if (edge->roused_next == edge->next && edge->roused_written == written) continue;
      edge->roused_next = edge->next;
      edge->roused_written = written;
      rouse(*edge->from.node.lane);
    }
  }
}

void Lane::end_starving() {
  for (const auto& wiring : plan_->inputs) {
    for (Edge* edge : wiring.remote_edges) {
      if (!std::exchange(edge->is_starving, false)) continue;
      edge->from.starving_readers.fetch_sub(1, std::memory_order_relaxed);
    }
  }
}

// What the sleep has seen of the descriptors; rung, it may not have looked.
void Lane::note_polled(std::span<sluice_wait_item> items, Bell::Woken woken) {
  const bool has_looked = woken == Bell::Woken::kDescriptor || woken == Bell::Woken::kDeadline;
  polled_ = has_looked ? Polled::kYes : Polled::kOwed;
  if (!has_looked) return;
  auto place = places_.begin();
  for (sluice_wait_item& item : items) {
    if (item.kind != SLUICE_WAIT_DESCRIPTOR) continue;
    item.ready = static_cast<uint16_t>(descriptors_[*place++].revents);
  }
}

void Lane::sleep(std::span<sluice_wait_item> items, int64_t deadline_ns) {
  if (scheduler_) {
    rouse_feeders();
    items_ = items;
    deadline_ns_ = deadline_ns;
    is_dirty_ = false;
    is_suspended_ = true;
    fiber_->suspend();
    is_suspended_ = false;
    end_starving();
    return;
  }
  const bool needs_poll = std::any_of(items.begin(), items.end(), [](const sluice_wait_item& item) {
    return item.kind == SLUICE_WAIT_DESCRIPTOR || item.kind == SLUICE_WAIT_STREAM;
  });
  const auto ticket = needs_poll ? bell_.prepare_wait_descriptors() : bell_.prepare_wait();
  rouse_feeders();
  // The last look, after the announcement. If anything moved the thresholds no longer hold.
  bool is_pointless = progress() || is_stopping_.load(std::memory_order_acquire) ||
                      (runner_ && is_head_stopping_.load(std::memory_order_acquire)) ||
                      offered_plan_.load(std::memory_order_acquire) != nullptr;
  int64_t wake_ns = deadline_ns;
  descriptors_.clear();
  places_.clear();
  for (sluice_wait_item& item : items) {
    if (item.kind == SLUICE_WAIT_DESCRIPTOR) {
      places_.push_back(descriptors_.size());
      descriptors_.push_back({item.descriptor, static_cast<short>(item.amount), 0});
    } else if (item.kind == SLUICE_WAIT_STREAM) {
      services_.network->poll_set(item.object, item.amount, descriptors_, wake_ns);
    } else if (item.kind == SLUICE_WAIT_PARAMETERS) {
      is_pointless |= runner_ && runner_->has_parameter_change();
    } else if (item.kind == SLUICE_WAIT_RETRY) {
      is_pointless |= runner_ && runner_->is_asked_to_retry();
    } else if (runner_) {
      is_pointless |= is_ready(*runner_, item);
    }
  }
  if (is_pointless) {
    bell_.cancel_wait();
    end_starving();
    return;
  }
  waits_for_others_.store(wake_ns == kForever && !needs_poll, std::memory_order_release);
  if (needs_poll) {
    const Bell::Woken woken = bell_.wait_descriptors(ticket, descriptors_, wake_ns);
    note_polled(items, woken);
  } else {
    bell_.wait(ticket, wake_ns);
  }
  waits_for_others_.store(false, std::memory_order_release);
  end_starving();
  wakes_.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace sluice::engine
