#include "host/session/clock_map.hpp"

#include <algorithm>

namespace sluice::session {
namespace {

// Where a reader that was overtaken goes on: late enough not to run dry at once.
constexpr double kSkipTargetMs = 50.0;
// How long a sum waits for a live branch.
constexpr double kFillAfterMs = 100.0;

// Where a running edge goes on pacing its writer; above every rank.
constexpr int kRunningScore = 10;
// What the graph says itself counts for more than that.
constexpr int kAskedScore = 100;

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
  domains_.clear();
}

void ClockMap::join(const engine::OutputPort& from, const engine::InputPort& to, bool is_pacer,
                    std::optional<graph::WhenFull> when_full, bool is_running) {
  links_.push_back({&from, &to, is_pacer, when_full, is_running});
  upstream_.clear();
  downstream_.clear();
  domains_.clear();
}

void ClockMap::forget() {
  for (Entry& entry : clocks_) entry.clock = {};
  for (Link& link : links_) link.when_full.reset();
  upstream_.clear();
  downstream_.clear();
  domains_.clear();
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
  // Between two bridges the way back leads here again.
  upstream_[link] = {};
  const engine::Node& writer = links_[link].from->node;
  ClockName best = own(writer, links_[link].from->port_index);
  if (is_bridge(writer)) {
    // What leaves a bridge has its reader's clock.
    best = downstream(link);
    for (size_t i = 0; i < links_.size() && best.is_none(); ++i) {
      if (i != link && links_[i].to == links_[link].to && !is_bridge(links_[i].from->node)) {
        best = upstream(i);
      }
    }
  } else if (best.is_none() && writer.is_passive()) {
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
  if (is_bridge(reader)) {
    best = upstream(link);  // and what enters it its writer's
  } else if (best.is_none() && reader.is_passive()) {
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
    int score = rank(downstream(i));
    if (links_[i].is_running && score != 0 && !is_bridge(links_[i].to->node)) {
      score += kRunningScore;
    }
    if (links_[i].is_pacer) score = kAskedScore;
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
    const bool is_one = node.is_passive() && !is_bridge(node);
    if (&link.to->node == &node && (is_one || link.to->port_index == port)) {
      clock = upstream(i);
      if (clock.is_none()) clock = downstream(pacer_of(*link.from));
    } else if (&link.from->node == &node && (is_one || link.from->port_index == port)) {
      clock = downstream(i);
    }
    if (rank(clock) > rank(best)) best = std::move(clock);
  }
  return best;
}

// The clocks that feed the node, each once, best first.
std::vector<ClockName> ClockMap::clocks_into(const engine::Node& node, bool only_running) const {
  std::vector<ClockName> feeding;
  for (size_t i = 0; i < links_.size(); ++i) {
    if (&links_[i].to->node != &node || (only_running && !links_[i].is_running)) continue;
    ClockName clock = writer_clock(i);
    if (clock.is_none() || std::find(feeding.begin(), feeding.end(), clock) != feeding.end()) {
      continue;
    }
    feeding.push_back(std::move(clock));
  }
  std::stable_sort(feeding.begin(), feeding.end(),
                   [](const ClockName& a, const ClockName& b) { return rank(a) > rank(b); });
  return feeding;
}

// The clock of what the node feeds, as far as no bridge stands in between.
ClockName ClockMap::clock_behind(const engine::Node& node, bool only_running) const {
  ClockName best;
  for (size_t i = 0; i < links_.size(); ++i) {
    if (&links_[i].from->node != &node || is_bridge(links_[i].to->node)) continue;
    if (only_running && !links_[i].is_running) continue;
    if (rank(downstream(i)) > rank(best)) best = downstream(i);
  }
  return best;
}

const ClockName& ClockMap::domain(const engine::Node& node) const {
  if (const auto known = domains_.find(&node); known != domains_.end()) return known->second;
  if (followers_.contains(&node)) {
    if (ClockName driven = clock_behind(node, false); !driven.is_none()) {
      return domains_[&node] = std::move(driven);
    }
  }
  for (const bool only_running : {true, false}) {
    const std::vector<ClockName> feeding = clocks_into(node, only_running);
    if (feeding.size() == 1) return domains_[&node] = feeding.front();
    if (feeding.empty() && !only_running) break;
    if (ClockName driven = clock_behind(node, only_running); !driven.is_none()) {
      return domains_[&node] = std::move(driven);
    }
    if (!feeding.empty()) return domains_[&node] = feeding.front();
  }
  return domains_[&node] = {};
}

ClockName ClockMap::writer_clock(size_t edge) const {
  const engine::OutputPort& output = *links_[edge].from;
  const ClockName& clock = own(output.node, output.port_index);
  if (!clock.is_none()) return clock;
  if (is_bridge(output.node)) return upstream(edge);
  if (output.node.is_passive()) {
    if (const ClockName& kept = domain(output.node); !kept.is_none()) return kept;
  }
  // Without a clock of its own it goes at the pace of the one who is waited for.
  return downstream(pacer_of(output));
}

ClockName ClockMap::reader_clock(size_t edge) const {
  const engine::InputPort& input = *links_[edge].to;
  const ClockName& clock = own(input.node, input.port_index);
  if (!clock.is_none() || !input.node.is_passive() || is_bridge(input.node)) return clock;
  if (const ClockName& kept = domain(input.node); !kept.is_none()) return kept;
  return downstream(edge);
}

std::vector<size_t> ClockMap::meetings() const {
  std::vector<size_t> edges;
  for (size_t i = 0; i < links_.size(); ++i) {
    if (is_bridge(links_[i].from->node) || is_bridge(links_[i].to->node)) continue;
    if (!links_[i].from->is_pcm()) continue;
    const ClockName writer = writer_clock(i);
    const ClockName reader = reader_clock(i);
    if (!writer.is_none() && !reader.is_none() && writer != reader) edges.push_back(i);
  }
  return edges;
}

std::vector<std::string> ClockMap::notes() const {
  std::vector<std::string> notes;
  for (const size_t edge : meetings()) {
    const Link& link = links_[edge];
    notes.push_back("Two clocks meet between " + link.from->node.id() + " (" +
                    writer_clock(edge).name + ") and " + link.to->node.id() + " (" +
                    reader_clock(edge).name +
                    "): where they drift apart, frames are skipped or silence is put in, counted "
                    "at that edge.");
  }
  return notes;
}

}  // namespace sluice::session
