#include "host/engine/virtual_scheduler.hpp"

#include <sluice/plugin.h>

#include <algorithm>
#include <utility>

#include "host/engine/lane.hpp"
#include "host/engine/net/network.hpp"

namespace sluice::engine {

namespace {
struct Unwinding {};
}  // namespace

VirtualScheduler::Participant::Participant(VirtualScheduler& scheduler,
                                           std::function<void(Participant&)> body)
    : scheduler_(scheduler), fiber_(std::make_unique<Fiber>([this, body = std::move(body)] {
        try {
          if (!is_stopping_) body(*this);
        } catch (const Unwinding&) {
        }
      })) {}

int64_t VirtualScheduler::Participant::now_ns() const { return scheduler_.clock_.now_ns(); }

void VirtualScheduler::Participant::sleep_until(int64_t time_ns) {
  wait([] { return false; }, time_ns);
}

bool VirtualScheduler::Participant::wait(std::function<bool()> is_ready, int64_t deadline_ns) {
  is_ready_ = std::move(is_ready);
  deadline_ns_ = deadline_ns;
  while (!is_ready_()) {
    if (now_ns() >= deadline_ns_) return false;
    fiber_->suspend();
    if (is_stopping_) throw Unwinding{};
  }
  return true;
}

void VirtualScheduler::add_participant(std::function<void(Participant&)> body) {
  participants_.push_back(std::unique_ptr<Participant>(new Participant(*this, std::move(body))));
}

// Resumes, in order, everybody who can go on now. Returns whether anybody could.
bool VirtualScheduler::run_ready() {
  bool has_run = false;
  const int64_t now_ns = clock_.now_ns();
  for (Lane* lane : lanes_) {
    Fiber& fiber = *lane->fiber();
    if (fiber.is_finished()) continue;
    if (!lane->is_dirty() && lane->deadline_ns() > now_ns) continue;
    fiber.resume();
    has_run = true;
  }
  for (const auto& participant : participants_) {
    if (participant->fiber_->is_finished()) continue;
    if (participant->is_ready_ && !participant->is_ready_() && participant->deadline_ns_ > now_ns) {
      continue;
    }
    participant->fiber_->resume();
    has_run = true;
  }
  return has_run;
}

// Marks the lane dirty if a stream or descriptor it waits for is ready.
bool VirtualScheduler::ask_network(Lane& lane, int64_t& wake_ns, std::vector<pollfd>& descriptors) {
  for (const sluice_wait_item& item : lane.waiting_for()) {
    if (item.kind == SLUICE_WAIT_STREAM) {
      if (network_->ready(item.object, item.amount) != 0) {
        lane.set_dirty();
        return true;
      }
      network_->poll_set(item.object, item.amount, descriptors, wake_ns);
    } else if (item.kind == SLUICE_WAIT_DESCRIPTOR) {
      pollfd descriptor{item.descriptor, static_cast<short>(item.amount), 0};
      if (::poll(&descriptor, 1, 0) > 0) {
        lane.set_dirty();
        return true;
      }
      descriptors.push_back(descriptor);
    }
  }
  return false;
}

void VirtualScheduler::finish() {
  for (bool is_alive = true; is_alive;) {
    is_alive = false;
    for (Lane* lane : lanes_) {
      if (lane->fiber()->is_finished()) continue;
      lane->fiber()->resume();
      is_alive = true;
    }
  }
  for (const auto& participant : participants_) {
    participant->is_stopping_ = true;
    while (!participant->fiber_->is_finished()) participant->fiber_->resume();
  }
}

void VirtualScheduler::finish(Lane& lane) {
  while (lane.fiber() && !lane.fiber()->is_finished()) lane.fiber()->resume();
}

VirtualScheduler::Outcome VirtualScheduler::run(int64_t until_ns,
                                                const std::function<bool()>& keep_going) {
  std::vector<pollfd> descriptors;
  for (uint32_t turn = 0;; ++turn) {
    if (keep_going && turn % 64 == 0 && !keep_going()) return Outcome::kTime;
    if (run_ready()) continue;
    int64_t wake_ns = kForever;
    bool is_alive = false;
    bool is_network_ready = false;
    descriptors.clear();
    for (Lane* lane : lanes_) {
      if (lane->fiber()->is_finished()) continue;
      is_alive = true;
      wake_ns = std::min(wake_ns, lane->deadline_ns());
      is_network_ready |= ask_network(*lane, wake_ns, descriptors);
    }
    for (const auto& participant : participants_) {
      if (participant->fiber_->is_finished()) continue;
      is_alive = true;
      wake_ns = std::min(wake_ns, participant->deadline_ns_);
    }
    if (!is_alive) return Outcome::kDone;
    if (is_network_ready) continue;
    if (wake_ns == kForever) {
      if (descriptors.empty()) return Outcome::kStalled;
      // Nothing but the real world can go on: give it a moment of real time.
      ::poll(descriptors.data(), descriptors.size(), 100);
      if (keep_going && !keep_going()) return Outcome::kTime;
      continue;
    }
    if (wake_ns > until_ns) {
      clock_.advance_to(until_ns);
      return Outcome::kTime;
    }
    clock_.advance_to(wake_ns);
  }
}

}  // namespace sluice::engine
