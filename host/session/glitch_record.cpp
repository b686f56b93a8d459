#include "host/session/glitch_record.hpp"

#include "host/session/statistics.hpp"

namespace sluice::session {
namespace {

constexpr size_t kFills = 20;
constexpr size_t kMostGlitches = 500;

}  // namespace

std::vector<Glitch> GlitchRecord::look(const engine::Snapshot& snapshot, int64_t start_ns) {
  std::vector<Glitch> news;
  std::map<uint64_t, Watched> still;
  const double time_s = static_cast<double>(snapshot.time_ns - start_ns) / 1e9;
  for (const engine::EdgeSnapshot& edge : snapshot.edges) {
    const std::string key = key_of(*edge.edge);
    const uint64_t serial = edge.edge->serial;
    // What it took over from the one before it was told then.
    const engine::Edge::Carried& carried = edge.edge->carried;
    Watched watched{carried.lost_frames, carried.filled_frames, carried.gaps, {}};
    if (auto known = edges_.find(serial); known != edges_.end()) watched = std::move(known->second);
    watched.fills.emplace_back(rounded(time_s), edge.fill_frames);
    if (watched.fills.size() > kFills) watched.fills.pop_front();
    if (edge.gaps != watched.gaps || edge.lost_frames != watched.lost_frames) {
      Glitch glitch;
      glitch.edge = key;
      glitch.time_s = rounded(time_s);
      glitch.lost_frames = edge.lost_frames - watched.lost_frames;
      glitch.filled_frames = edge.filled_frames - watched.filled_frames;
      glitch.gaps = edge.gaps - watched.gaps;
      if (glitch.lost_frames != 0 && edge.loss_reason) glitch.reason = edge.loss_reason;
      glitch.capacity_frames = edge.capacity_frames;
      glitch.fills.assign(watched.fills.begin(), watched.fills.end());
      glitches_.push_back(glitch);
      if (glitches_.size() > kMostGlitches) glitches_.pop_front();
      news.push_back(std::move(glitch));
    }
    watched.lost_frames = edge.lost_frames;
    watched.filled_frames = edge.filled_frames;
    watched.gaps = edge.gaps;
    still[serial] = std::move(watched);
  }
  edges_ = std::move(still);
  return news;
}

graph::Value GlitchRecord::about(const std::string& edge_or_node) const {
  graph::Value all = graph::Value::array();
  for (const Glitch& glitch : glitches_) {
    const bool is_meant = edge_or_node.empty() || glitch.edge == edge_or_node ||
                          glitch.edge.starts_with(edge_or_node + ".") ||
                          glitch.edge.find("->" + edge_or_node + ".") != std::string::npos;
    if (is_meant) all.push_back(to_json(glitch));
  }
  return all;
}

graph::Value to_json(const Glitch& glitch) {
  graph::Value json = graph::Value::object();
  json.set("edge", glitch.edge);
  json.set("time_s", glitch.time_s);
  json.set("lost_frames", whole(glitch.lost_frames));
  json.set("filled_frames", whole(glitch.filled_frames));
  json.set("gaps", whole(glitch.gaps));
  if (!glitch.reason.empty()) json.set("reason", glitch.reason);
  json.set("capacity_frames", whole(glitch.capacity_frames));
  graph::Value fills = graph::Value::array();
  for (const auto& [time_s, frames] : glitch.fills) {
    graph::Value one = graph::Value::object();
    one.set("time_s", time_s);
    one.set("fill_frames", whole(frames));
    fills.push_back(std::move(one));
  }
  json.set("fills", std::move(fills));
  return json;
}

}  // namespace sluice::session
