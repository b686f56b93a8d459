#include "host/session/clock_map.hpp"

#include <algorithm>
#include <functional>
#include <utility>

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

void ClockMap::forget_found() {
  upstream_.clear();
  downstream_.clear();
  domains_.clear();
  meetings_.reset();
}

std::span<const size_t> ClockMap::Index::at(const void* key) const {
  if (!is_sorted_) {
    const std::less<> before;  // a total order of pointers
    std::sort(keys_.begin(), keys_.end(), [&](const auto& a, const auto& b) {
      return a.first == b.first ? a.second < b.second : before(a.first, b.first);
    });
    links_.clear();
    for (const auto& [ignored, link] : keys_) links_.push_back(link);
    is_sorted_ = true;
  }
  struct Less {
    bool operator()(const std::pair<const void*, size_t>& a, const void* b) const {
      return std::less<>()(a.first, b);
    }
    bool operator()(const void* a, const std::pair<const void*, size_t>& b) const {
      return std::less<>()(a, b.first);
    }
  };
  const auto [first, last] = std::equal_range(keys_.begin(), keys_.end(), key, Less());
  return {links_.data() + (first - keys_.begin()), static_cast<size_t>(last - first)};
}

void ClockMap::add(const engine::Node& node, uint32_t port, ClockName clock) {
  std::vector<ClockName>& clocks = clocks_[&node];
  if (clocks.size() <= port) clocks.resize(port + 1);
  clocks[port] = std::move(clock);
  forget_found();
}

void ClockMap::join(const engine::OutputPort& from, const engine::InputPort& to, bool is_pacer,
                    std::optional<graph::WhenFull> when_full, bool is_running) {
  const size_t link = links_.size();
  links_.push_back({&from, &to, is_pacer, when_full, is_running});
  into_node_.add(&to.node, link);
  out_of_node_.add(&from.node, link);
  into_port_.add(&to, link);
  out_of_port_.add(&from, link);
  forget_found();
}

void ClockMap::forget() {
  clocks_.clear();
  for (Link& link : links_) link.when_full.reset();
  forget_found();
}

const ClockName& ClockMap::own(const engine::Node& node, uint32_t port) const {
  static const ClockName none;
  const auto found = clocks_.find(&node);
  return found == clocks_.end() || found->second.size() <= port ? none : found->second[port];
}

const ClockName& ClockMap::upstream(size_t link) const {
  upstream_.resize(links_.size());
  if (upstream_[link]) return *upstream_[link];
  // Between two bridges the way back leads here again.
  upstream_[link].emplace();
  const engine::Node& writer = links_[link].from->node;
  ClockName best = own(writer, links_[link].from->port_index);
  if (is_bridge(writer)) {
    // What leaves a bridge has its reader's clock.
    best = downstream(link);
    for (const size_t other : into_port_.at(links_[link].to)) {
      if (!best.is_none()) break;
      if (other != link && !is_bridge(links_[other].from->node)) best = upstream(other);
    }
  } else if (best.is_none() && writer.is_passive()) {
    for (const size_t other : into_node_.at(&writer)) {
      if (rank(upstream(other)) > rank(best)) best = upstream(other);
    }
  }
  return *(upstream_[link] = std::move(best));
}

const ClockName& ClockMap::downstream(size_t link) const {
  downstream_.resize(links_.size());
  if (downstream_[link]) return *downstream_[link];
  downstream_[link].emplace();
  const engine::Node& reader = links_[link].to->node;
  ClockName best = own(reader, links_[link].to->port_index);
  if (is_bridge(reader)) {
    best = upstream(link);  // and what enters it its writer's
  } else if (best.is_none() && reader.is_passive()) {
    for (const size_t other : out_of_node_.at(&reader)) {
      if (rank(downstream(other)) > rank(best)) best = downstream(other);
    }
  }
  return *(downstream_[link] = std::move(best));
}

size_t ClockMap::pacer_of(const engine::OutputPort& output) const {
  size_t best = links_.size();
  int best_rank = -1;
  for (const size_t link : out_of_port_.at(&output)) {
    int score = rank(downstream(link));
    if (links_[link].is_running && score != 0 && !is_bridge(links_[link].to->node)) {
      score += kRunningScore;
    }
    if (links_[link].is_pacer) score = kAskedScore;
    if (score > best_rank) {
      best = link;
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
  const bool is_one = node.is_passive() && !is_bridge(node);
  // Among equals the one of the first link.
  size_t best_link = links_.size();
  const auto consider = [&](size_t link, const ClockName& clock) {
    const int better = rank(clock) - rank(best);
    if (better < 0 || clock.is_none() || (better == 0 && link > best_link)) return;
    best = clock;
    best_link = link;
  };
  for (const size_t link : into_node_.at(&node)) {
    if (!is_one && links_[link].to->port_index != port) continue;
    const ClockName& clock = upstream(link);
    consider(link, clock.is_none() ? downstream(pacer_of(*links_[link].from)) : clock);
  }
  for (const size_t link : out_of_node_.at(&node)) {
    if (is_one || links_[link].from->port_index == port) consider(link, downstream(link));
  }
  return best;
}

// The clocks that feed the node, each once, best first.
std::vector<ClockName> ClockMap::clocks_into(const engine::Node& node, bool only_running) const {
  std::vector<ClockName> feeding;
  for (const size_t link : into_node_.at(&node)) {
    if (only_running && !links_[link].is_running) continue;
    ClockName clock = writer_clock(link);
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
  for (const size_t link : out_of_node_.at(&node)) {
    if (is_bridge(links_[link].to->node)) continue;
    if (only_running && !links_[link].is_running) continue;
    if (rank(downstream(link)) > rank(best)) best = downstream(link);
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

const std::vector<size_t>& ClockMap::meetings() const {
  if (meetings_) return *meetings_;
  std::vector<size_t> edges;
  for (size_t i = 0; i < links_.size(); ++i) {
    if (is_bridge(links_[i].from->node) || is_bridge(links_[i].to->node)) continue;
    if (!links_[i].from->is_pcm()) continue;
    const ClockName writer = writer_clock(i);
    const ClockName reader = reader_clock(i);
    if (!writer.is_none() && !reader.is_none() && writer != reader) edges.push_back(i);
  }
  return meetings_.emplace(std::move(edges));
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
