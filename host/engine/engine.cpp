#include "host/engine/engine.hpp"

#include <algorithm>
#include <sluice/frames.hpp>
#include <utility>

namespace sluice::engine {
namespace {

// A stall is reported when nothing has moved for so long.
constexpr int64_t kStallNs = 500'000'000;
constexpr int64_t kLookNs = 250'000'000;
// While a change is under way.
constexpr int64_t kChangeLookNs = 2'000'000;

}  // namespace

Engine::Engine(EngineOptions options) : options_(options) {
  if (options_.time == TimeMode::kVirtual) {
    auto clock = std::make_unique<VirtualClock>();
    scheduler_ = std::make_unique<VirtualScheduler>(*clock, options_.network);
    clock_ = std::move(clock);
  } else {
    clock_ = std::make_unique<MonotonicClock>();
  }
  services_ = {clock_.get(), options_.network, options_.log, &changes_};
}

Engine::~Engine() { stop(); }

support::Result<Node*> Engine::add(std::string id, const sluice_type& type,
                                   std::vector<ParameterValue> values, uint64_t seed) {
  auto node = std::make_unique<Node>(std::move(id), type, std::move(values), services_);
  if (auto status = node->create(); !status) return error_in(*node, std::move(status).error());
  Node* made = node.get();
  entries_.push_back({std::move(node), seed});
  node_list_.push_back(made);
  return made;
}

Node* Engine::find(std::string_view id) const {
  const auto found = std::find_if(node_list_.begin(), node_list_.end(),
                                  [&](const Node* node) { return node->id() == id; });
  return found == node_list_.end() ? nullptr : *found;
}

Edge& Engine::connect(OutputPort& from, InputPort& to, const EdgeOptions& options) {
  edges_.push_back(std::make_unique<Edge>(from, to, options));
  edges_.back()->serial = ++last_serial_;
  from.joined.push_back(edges_.back().get());
  to.joined.push_back(edges_.back().get());
  if ((from.node.type().flags & SLUICE_TYPE_BRIDGES_CLOCKS) != 0) {
    edges_.back()->is_timed = true;
    to.has_timed_edges.store(true, std::memory_order_relaxed);
  }
  return *edges_.back();
}

bool Engine::has(const Edge* edge, uint64_t serial) const {
  return std::any_of(edges_.begin(), edges_.end(),
                     [&](const auto& it) { return it.get() == edge && it->serial == serial; });
}

void Engine::erase_edges(const std::function<bool(const Edge&)>& is_gone) {
  std::erase_if(edges_, [&](const auto& edge) {
    if (!is_gone(*edge)) return false;
    std::erase(edge->from.joined, edge.get());
    std::erase(edge->to.joined, edge.get());
    return true;
  });
}

bool Engine::is_source(const Node& node) const {
  return std::all_of(node.inputs.begin(), node.inputs.end(),
                     [](const auto& input) { return input->joined.empty(); });
}

// What a passive node could put out and nobody reads is not the end of anything.
bool Engine::is_sink(const Node& node) const {
  if (node.is_passive() && !node.outputs.empty()) return false;
  return std::all_of(node.outputs.begin(), node.outputs.end(),
                     [](const auto& output) { return output->joined.empty(); });
}

support::Status Engine::start_lane(Lane& lane) {
  if (!lane.is_device()) return lane.start();
  Node& node = *lane.head();
  // From then on the node knows better.
  node.set_state(NodeState::kRunning, nullptr);
  if (auto status = node.start_device(); !status) return error_in(node, std::move(status).error());
  lane.set_device_started();
  return {};
}

support::Status Engine::start() {
  is_started_ = true;
  for (const bool is_device : {false, true}) {
    for (auto lane = lanes_.rbegin(); lane != lanes_.rend(); ++lane) {
      if ((*lane)->is_device() != is_device) continue;
      if (auto status = start_lane(**lane); !status) {
        stop();
        return status;
      }
    }
  }
  if (scheduler_) scheduler_->reverse();
  return {};
}

bool Engine::are_sinks_done() const {
  bool has_sinks = false;
  for (const Node* node : node_list_) {
    if (is_source(*node) || !is_sink(*node)) continue;
    has_sinks = true;
    if (!node->is_finished() && !(node->is_device() && node->lane->is_done())) return false;
  }
  if (has_sinks) return true;
  return std::all_of(lanes_.begin(), lanes_.end(),
                     [](const auto& lane) { return lane->is_done(); });
}

// Nothing comes from anywhere: all may rest until somebody joins it again.
bool Engine::is_idle() const {
  return std::none_of(edges_.begin(), edges_.end(), [&](const auto& edge) {
    if (!edge->is_wired || edge->is_closed || !fed_.contains(&edge->from.node)) return false;
    return !edge->has_end() || !edge->from.is_pcm() || edge->fill() != 0;
  });
}

// Everybody sleeps, nobody waits for time or for the world, and nobody has woken for kStallNs.
bool Engine::is_stalled(int64_t now_ns) {
  uint64_t wakes = 0;
  const bool is_still =
      !is_idle() && std::all_of(lanes_.begin(), lanes_.end(), [&](const auto& it) {
        if (it->is_done()) return true;
        wakes += it->wakes();
        return !it->is_device() && it->is_waiting_for_others();
      });
  if (!is_still) {
    still_since_ns_ = kForever;
    return false;
  }
  const bool has_woken = wakes != std::exchange(stall_wakes_, wakes);
  still_since_ns_ = has_woken ? now_ns : std::min(still_since_ns_, now_ns);
  return now_ns - still_since_ns_ >= kStallNs;
}

Engine::Outcome Engine::run(int64_t deadline_ns, const std::function<bool()>& keep_going) {
  if (scheduler_) {
    const auto go_on = [&] {
      tend();
      return !are_sinks_done() && (!keep_going || keep_going());
    };
    const auto outcome = scheduler_->run(deadline_ns, go_on);
    tend();
    if (are_sinks_done()) return Outcome::kFinished;
    if (outcome == VirtualScheduler::Outcome::kStalled && is_idle() && deadline_ns != kForever) {
      virtual_clock().advance_to(deadline_ns);
      return Outcome::kRunning;
    }
    return outcome == VirtualScheduler::Outcome::kStalled ? Outcome::kStalled : Outcome::kRunning;
  }
  for (;;) {
    const auto ticket = changes_.prepare_wait();
    tend();
    if (are_sinks_done()) {
      changes_.cancel_wait();
      return Outcome::kFinished;
    }
    const int64_t now_ns = clock_->now_ns();
    if (now_ns >= deadline_ns || (keep_going && !keep_going())) {
      changes_.cancel_wait();
      return Outcome::kRunning;
    }
    if (is_stalled(now_ns)) {
      changes_.cancel_wait();
      return Outcome::kStalled;
    }
    const int64_t look_ns = is_changing() || is_watched_ ? kChangeLookNs : kLookNs;
    changes_.wait(ticket, std::min(deadline_ns, now_ns + look_ns));
  }
}

void Engine::fade_out() {
  for (const auto& edge : edges_) {
    if (edge->from.is_pcm() && edge->from.format.sample_format == SLUICE_SAMPLE_F32) {
      edge->gain_target.store(0.0F, std::memory_order_relaxed);
      edge->to.call_targets();
    }
  }
}

void Engine::end_sources_after(int64_t duration_ns) {
  for (Node* node : node_list_) {
    if (!node->is_threaded() || !is_source(*node)) continue;
    for (const auto& output : node->outputs) {
      if (!output->is_pcm()) continue;
      output->end_frame = std::max<uint64_t>(1, frames_of_ns(duration_ns, output->format.rate_hz));
    }
  }
}

void Engine::stop_sources() {
  for (const auto& lane : lanes_) {
    if (lane->head() && lane->head()->is_threaded() && is_source(*lane->head())) {
      lane->request_head_stop();
    }
  }
}

void Engine::stop() {
  if (!std::exchange(is_started_, false)) return;
  for (const auto& lane : lanes_) {
    if (lane->is_device() && lane->has_started_device()) lane->head()->stop_device();
    lane->request_stop();
  }
  if (scheduler_) scheduler_->finish();
  for (const auto& lane : lanes_) lane->join();
}

}  // namespace sluice::engine
