#include "host/graph/topology.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace sluice::graph {
namespace {

constexpr std::size_t kMaximumCircles = 10;
constexpr std::size_t kMaximumRouteChecks = 1000;

// Nodes by number, edges as lists of numbers, with what is taken out marked.
class Wiring {
 public:
  explicit Wiring(const std::vector<const Edge*>& edges) {
    for (const Edge* edge : edges) {
      from_.push_back(number(edge->from_node));
      to_.push_back(number(edge->to_node));
    }
    leaving_.resize(count_);
    entering_.resize(count_);
    for (std::size_t i = 0; i < edges.size(); ++i) {
      leaving_[from_[i]].push_back(i);
      entering_[to_[i]].push_back(i);
    }
    gone_.assign(edges.size(), false);
  }

  // The edges of one circle, in order; empty if there is none. Takes out all that lies on none.
  std::vector<std::size_t> find_circle() {
    peel(leaving_, entering_, from_);
    peel(entering_, leaving_, to_);
    const auto first = std::find(gone_.begin(), gone_.end(), false);
    if (first == gone_.end()) return {};
    std::vector<std::size_t> path;
    std::vector<std::size_t> step_of(count_, 0);
    std::size_t edge = static_cast<std::size_t>(first - gone_.begin());
    while (true) {
      const std::size_t node = from_[edge];
      if (step_of[node] > 0) {
        return {path.begin() + static_cast<std::ptrdiff_t>(step_of[node] - 1), path.end()};
      }
      path.push_back(edge);
      step_of[node] = path.size();
      edge = *std::find_if(leaving_[to_[edge]].begin(), leaving_[to_[edge]].end(),
                           [this](std::size_t i) { return !gone_[i]; });
    }
  }

  void take_out(std::size_t edge) { gone_[edge] = true; }

 private:
  using Lists = std::vector<std::vector<std::size_t>>;

  std::size_t number(std::string_view node) {
    return numbers_.emplace(node, count_).second ? count_++ : numbers_.find(node)->second;
  }

  // Takes out, again and again, the `behind` edges of nodes that have none of `ahead` left; `ends`
  // says where a `behind` edge leads back to.
  void peel(const Lists& ahead, const Lists& behind, const std::vector<std::size_t>& ends) {
    std::vector<std::size_t> left(count_, 0);
    std::vector<std::size_t> ready;
    for (std::size_t node = 0; node < count_; ++node) {
      left[node] = static_cast<std::size_t>(std::count_if(
          ahead[node].begin(), ahead[node].end(), [this](std::size_t i) { return !gone_[i]; }));
      if (left[node] == 0) ready.push_back(node);
    }
    while (!ready.empty()) {
      const std::size_t node = ready.back();
      ready.pop_back();
      for (const std::size_t edge : behind[node]) {
        if (gone_[edge]) continue;
        gone_[edge] = true;
        if (--left[ends[edge]] == 0) ready.push_back(ends[edge]);
      }
    }
  }

  std::unordered_map<std::string_view, std::size_t> numbers_;
  std::size_t count_ = 0;
  std::vector<std::size_t> from_, to_;
  Lists leaving_, entering_;
  std::vector<bool> gone_;
};

std::vector<const Edge*> edges_with(const Document& document, const Switch* other,
                                    const Route* route) {
  std::vector<const Edge*> edges;
  const auto add = [&edges](const std::vector<Edge>& from) {
    for (const Edge& edge : from) edges.push_back(&edge);
  };
  add(document.edges);
  for (const Switch& s : document.switches) add(&s == other ? route->edges : s.initial.edges);
  return edges;
}

}  // namespace

void check_circles(const std::vector<const Edge*>& edges, const std::string& where,
                   Report& report) {
  Wiring wiring(edges);
  for (std::size_t i = 0; i < kMaximumCircles; ++i) {
    const std::vector<std::size_t> circle = wiring.find_circle();
    if (circle.empty()) return;
    // Named from the edge that was written first.
    const auto first = std::min_element(circle.begin(), circle.end());
    std::string names = edges[*first]->from_node;
    for (std::size_t step = 0; step < circle.size(); ++step) {
      const std::size_t offset = static_cast<std::size_t>(first - circle.begin());
      names += " -> " + edges[circle[(offset + step) % circle.size()]]->to_node;
    }
    const std::size_t last = *std::max_element(circle.begin(), circle.end());
    report.error(edges[last]->at,
                 "edges go round in a circle: " + names + "; remove one of them" + where);
    wiring.take_out(last);
  }
}

void check_circles(const Document& document, Report& report) {
  std::vector<const Edge*> all = edges_with(document, nullptr, nullptr);
  for (const Switch& s : document.switches) {
    for (const Route& route : s.routes) {
      for (const Edge& edge : route.edges) all.push_back(&edge);
    }
  }
  if (Wiring(all).find_circle().empty()) return;
  const std::size_t errors = report.error_count();
  check_circles(edges_with(document, nullptr, nullptr), "", report);
  if (report.error_count() != errors) return;
  std::size_t checks = 0;
  for (const Switch& s : document.switches) {
    for (const Route& route : s.routes) {
      if (route.name == s.initial.name) continue;
      if (++checks > kMaximumRouteChecks) return;
      check_circles(edges_with(document, &s, &route),
                    " (when the switch \"" + s.id + "\" is at \"" + route.name + "\")", report);
    }
  }
}

void check_inputs(const Document& document, const std::vector<Edge>& more, const EdgeDoubts& doubts,
                  const NodeIndex& nodes, Report& report) {
  std::set<std::pair<std::string_view, std::string_view>> connected;
  std::set<std::string_view> reached;
  const auto note = [&](const std::vector<Edge>& edges) {
    for (const Edge& edge : edges) {
      connected.emplace(edge.to_node, edge.to_port);
      reached.insert(edge.from_node);
      reached.insert(edge.to_node);
    }
  };
  note(document.edges);
  note(more);
  for (const Switch& s : document.switches) {
    note(s.initial.edges);
    for (const Route& route : s.routes) note(route.edges);
  }
  for (const Node& node : document.nodes) {
    const NodeType* type = nodes.type(node.id);
    if (type == nullptr || doubts.nodes.contains(node.id)) continue;
    bool complained = false;
    for (const Port& port : type->ports) {
      if (port.direction != PortDirection::kInput || port.optional) continue;
      if (connected.contains({node.id, port.key})) continue;
      complained = true;
      report.error(node.at,
                   "the input \"" + port.key + "\" of " + node.id + " (" + node.type +
                       ") is not connected; add an edge that ends at " + node.id +
                       (type->default_port(PortDirection::kInput) == &port ? "" : "." + port.key));
    }
    // With an error somewhere it may be the edge that could not be read.
    if (!complained && !report.has_errors() && !type->ports.empty() && !reached.contains(node.id)) {
      report.warning(node.at, "no edge begins or ends at " + node.id + "; it does nothing");
    }
  }
}

void check_twice(const Document& document, Report& report) {
  struct Owner {
    const Switch* owner;
    const Edge* edge;
  };
  std::unordered_map<std::string, Owner> seen;
  const auto note = [&](const Switch* owner, const std::vector<Edge>& edges) {
    for (const Edge& edge : edges) {
      const auto [first, fresh] = seen.emplace(edge.key(), Owner{owner, &edge});
      if (fresh || (owner != nullptr && first->second.owner == owner)) continue;
      const Location& at = first->second.edge->at;
      const std::string file = at.file == edge.at.file ? "line " : at.file + ", line ";
      report.error(edge.at, "the edge " + edge.key() + " is there already, at " + file +
                                std::to_string(at.line) + ", column " + std::to_string(at.column) +
                                "; remove one of them");
    }
  };
  note(nullptr, document.edges);
  for (const Switch& s : document.switches) {
    for (const Route& route : s.routes) note(&s, route.edges);
    note(&s, s.initial.edges);
  }
}

}  // namespace sluice::graph
