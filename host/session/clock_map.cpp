#include "host/session/clock_map.hpp"

#include <algorithm>

#include "host/engine/node.hpp"

namespace sluice::session {
namespace {

// Where a reader that was overtaken goes on: late enough not to run dry at once.
constexpr double kSkipTargetMs = 50.0;
// How long a sum waits for a live branch.
constexpr double kFillAfterMs = 100.0;

int rank(const ClockName& clock) {
  switch (clock.kind) {
    case SLUICE_CLOCK_DEVICE:
      return 3;
    case SLUICE_CLOCK_MONOTONIC:
      return 2;
    case SLUICE_CLOCK_REMOTE:
      return 1;
    default:
      return 0;
  }
}

}  // namespace

void ClockMap::add(const engine::Node& node, uint32_t port, ClockName clock) {
  clocks_.push_back({&node, port, std::move(clock)});
  upstream_.clear();
  downstream_.clear();
}

void ClockMap::join(const engine::OutputPort& from, const engine::InputPort& to, bool is_pacer,
                    std::optional<graph::WhenFull> when_full) {
  links_.push_back({&from, &to, is_pacer, when_full});
  upstream_.clear();
  downstream_.clear();
}

void ClockMap::forget() {
  for (Entry& entry : clocks_) entry.clock = {};
  for (Link& link : links_) link.when_full.reset();
  upstream_.clear();
  downstream_.clear();
}

const ClockName& ClockMap::own(const engine::Node& node, uint32_t port) const {
  static const ClockName none;
  const auto found = std::find_if(clocks_.begin(), clocks_.end(), [&](const Entry& entry) {
    return entry.node == &node && entry.port == port;
  });
  return found == clocks_.end() ? none : found->clock;
}

const ClockName& ClockMap::upstream(size_t link) const {
  const auto known = upstream_.find(link);
  if (known != upstream_.end()) return known->second;
  const engine::Node& writer = links_[link].from->node;
  ClockName best = own(writer, links_[link].from->port_index);
  if (best.is_none() && writer.is_passive()) {
    for (size_t i = 0; i < links_.size(); ++i) {
      if (&links_[i].to->node == &writer && rank(upstream(i)) > rank(best)) best = upstream(i);
    }
  }
  return upstream_[link] = std::move(best);
}

const ClockName& ClockMap::downstream(size_t link) const {
  const auto known = downstream_.find(link);
  if (known != downstream_.end()) return known->second;
  const engine::Node& reader = links_[link].to->node;
  ClockName best = own(reader, links_[link].to->port_index);
  if (best.is_none() && reader.is_passive()) {
    for (size_t i = 0; i < links_.size(); ++i) {
      if (&links_[i].from->node == &reader && rank(downstream(i)) > rank(best)) {
        best = downstream(i);
      }
    }
  }
  return downstream_[link] = std::move(best);
}

size_t ClockMap::pacer_of(const engine::OutputPort& output) const {
  size_t best = links_.size();
  int best_rank = -1;
  for (size_t i = 0; i < links_.size(); ++i) {
    if (links_[i].from != &output) continue;
    const int score = links_[i].is_pacer ? 4 : rank(downstream(i));
    if (score > best_rank) {
      best = i;
      best_rank = score;
    }
  }
  return best;
}

ClockMap::Policy ClockMap::policy(size_t edge) const {
  const Link& link = links_[edge];
  Policy policy;
  policy.target_ms = kSkipTargetMs;
  const ClockName& up = upstream(edge);
  const ClockName& down = downstream(edge);
  if (!up.is_none()) policy.fill_after_ms = kFillAfterMs;

  const size_t pacer = pacer_of(*link.from);
  const bool is_clocked = !up.is_none() || !downstream(pacer).is_none();
  const bool needs_bridge = !up.is_none() && !down.is_none() && up != down;
  if (is_clocked && (edge != pacer || needs_bridge)) policy.when_full = engine::WhenFull::kSkip;
  if (!link.when_full) return policy;

  policy.when_full =
      *link.when_full == graph::WhenFull::kSkip ? engine::WhenFull::kSkip : engine::WhenFull::kWait;
  // A reader without a clock may ask for every frame of a source without one: it has said so.
  const bool is_late_by_nature = !up.is_none() || !down.is_none();
  if (policy.when_full == engine::WhenFull::kWait && is_late_by_nature && edge != pacer) {
    policy.complaint = link.to->node.id() + " would hold up " + links_[pacer].to->node.id() +
                       ", which plays in real time: let this edge skip, or give it \"pace\": true.";
  }
  return policy;
}

ClockName ClockMap::clock(const engine::Node& node, uint32_t port) const {
  ClockName best = own(node, port);
  if (!best.is_none()) return best;
  for (size_t i = 0; i < links_.size(); ++i) {
    const Link& link = links_[i];
    ClockName clock;
    if (&link.to->node == &node && (node.is_passive() || link.to->port_index == port)) {
      clock = upstream(i);
      if (clock.is_none()) clock = downstream(pacer_of(*link.from));
    } else if (&link.from->node == &node && (node.is_passive() || link.from->port_index == port)) {
      clock = downstream(i);
    }
    if (rank(clock) > rank(best)) best = std::move(clock);
  }
  return best;
}

std::vector<std::string> ClockMap::notes() const {
  std::vector<std::string> notes;
  for (size_t i = 0; i < links_.size(); ++i) {
    const Link& link = links_[i];
    const ClockName& up = upstream(i);
    const ClockName& down = own(link.to->node, link.to->port_index);
    if (up.is_none() || down.is_none() || up == down) continue;
    notes.push_back("Two clocks meet between " + link.from->node.id() + " (" + up.name + ") and " +
                    link.to->node.id() + " (" + down.name +
                    "): where they drift apart, frames are skipped or silence is put in, counted "
                    "at that edge.");
  }
  return notes;
}

}  // namespace sluice::session
