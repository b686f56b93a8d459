#include "host/session/session.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "host/session/ledger.hpp"
#include "host/session/plugin_catalog.hpp"
#include "host/session/statistics.hpp"

namespace sluice::session {
namespace {

using graph::Value;
using support::Error;
using support::ErrorCode;

// Changes that can be undone.
constexpr size_t kMostHistory = 100;
// How long a change waits for what an earlier one is still closing.
constexpr int64_t kLongestClosingNs = 3'000'000'000;

// Wherever they were written.
bool is_same(const graph::Node& a, const graph::Node& b) {
  return a.id == b.id && a.type == b.type && a.description == b.description &&
         a.isolate == b.isolate && a.standby == b.standby && a.adapt == b.adapt &&
         a.dormant == b.dormant &&
         std::equal(a.parameters.begin(), a.parameters.end(), b.parameters.begin(),
                    b.parameters.end(), [](const auto& one, const auto& other) {
                      return one.key == other.key && one.value == other.value;
                    });
}

}  // namespace

Session::~Session() {
  if (player_) player_->stop();
}

std::unique_ptr<Session> Session::make(graph::Document document, Value base,
                                       loader::Registry& registry, const PlayerOptions& options,
                                       std::vector<graph::Diagnostic>& diagnostics) {
  std::unique_ptr<Session> session(new Session(registry));
  session->types_ =
      std::make_shared<const graph::Catalog>(catalog_for(graph::to_json(base), registry));
  session->first_base_ = session->base_ = std::move(base);
  session->first_document_ = session->document_ = std::move(document);
  session->player_ = Player::make(session->document_, registry, options, diagnostics);
  if (!session->player_) return nullptr;
  const BuildResult& plan = session->player_->plan();
  for (const PlannedNode& planned : plan.nodes) {
    RunningNode node{planned, {}};
    node.settings.id = planned.node->id();
    if (const auto* settings = session->document_.find_node(planned.node->id())) {
      node.settings = *settings;
    }
    session->nodes_.push_back(std::move(node));
  }
  session->edges_ = plan.edges;
  session->landings_ = plan.landings;
  return session;
}

void Session::note_saved() { note_file(document_, base_); }

void Session::note_file(graph::Document document, Value base) {
  first_document_ = std::move(document);
  first_base_ = std::move(base);
  ++file_version_;
}

Value Session::describe(const engine::Snapshot& snapshot) const {
  std::vector<PlannedNode> planned;
  for (const RunningNode& node : nodes_) planned.push_back(node.planned);
  Value all = to_json(snapshot, player_->start_ns());
  add_ledgers(all, clock_rows(planned, snapshot), latency_ledgers(snapshot),
              document_.latency_budget_ms);
  return all;
}

void Session::change(ChangeRequest request, Done done) {
  queue_.push_back({std::move(request), std::move(done), player_->engine().clock().now_ns()});
  tend();
}

bool Session::is_settled() const {
  return queue_.empty() && !warming_ && retired_.empty() && unwanted_.empty() && closing_.empty() &&
         !player_->engine().is_changing();
}

void Session::fail(Pending& pending, Error error) {
  ChangeResult result;
  result.status = std::move(error);
  result.version = version_;
  if (pending.done) pending.done(result);
}

bool Session::is_closing(const std::string& id) const {
  const auto is_it = [&](const auto& node) { return node.settings.id == id; };
  return std::any_of(closing_.begin(), closing_.end(),
                     [&](const auto& closing) { return closing.second == id; }) ||
         std::any_of(unwanted_.begin(), unwanted_.end(), is_it);
}

// Takes up a change. False: it has to wait for what an earlier one is closing.
bool Session::begin(Pending& pending) {
  const ChangeRequest& request = pending.request;
  if (request.if_version && *request.if_version != version_) {
    fail(pending, {ErrorCode::kState, "The graph has changed meanwhile: it is at version " +
                                          std::to_string(version_) + ", not " +
                                          std::to_string(*request.if_version) + "."});
    return true;
  }
  auto base = changed_base(request);
  if (!base) {
    fail(pending, std::move(base).error());
    return true;
  }
  auto next = load(*std::move(base), request);
  if (!next) {
    fail(pending, std::move(next).error());
    return true;
  }
  if (auto called_back = request.anew.empty() ? call_back(*next) : std::nullopt;
      called_back && !request.is_dry_run) {
    warming_ = *std::move(called_back);
    warming_->next = *std::move(next);
    if (auto status = build_beside(*warming_); !status) {
      Warming failed = *std::move(warming_);
      warming_.reset();
      if (const auto anew = to_make_anew(failed); !anew.empty()) {
        return carry_out(pending, std::move(failed.next), anew);
      }
      fail(pending, std::move(status).error());
      return true;
    }
    warming_->pending = std::move(pending);
    commit();
    return true;
  }
  return carry_out(pending, *std::move(next), request.anew);
}

// `anew`: ids of nodes and keys of edges to be replaced whatever their settings.
bool Session::carry_out(Pending& pending, Next wanted, const std::set<std::string>& anew) {
  const ChangeRequest& request = pending.request;
  Next* const next = &wanted;
  auto plan = plan_change(nodes_, edges_, next->document, *next->types, anew);
  if (!plan) {
    fail(pending, {plan.error().code, name_step(*next, plan.error().message)});
    return true;
  }
  const bool has_time = player_->engine().clock().now_ns() < pending.since_ns + kLongestClosingNs;
  if (has_time && !request.is_dry_run) {
    for (const std::string& id : plan->built) {
      const bool is_replaced =
          std::find(plan->replaced.begin(), plan->replaced.end(), id) != plan->replaced.end();
      if (!is_replaced && is_closing(id)) return false;
    }
  }
  if (request.is_dry_run) {
    Warming warming;
    warming.next = std::move(wanted);
    warming.plan = *std::move(plan);
    std::set<std::string> more;
    auto latency = foresee(warming, more);
    if (!latency) return carry_out_otherwise(pending, warming.next, anew, more, latency.error());
    Value told = to_json(warming.plan);
    told.set("latency", *std::move(latency));
    if (pending.done) pending.done({{}, version_, warming.next.steps, std::move(told)});
    return true;
  }
  if (!plan->is_structural()) {
    set_live(*plan);
    finish(pending, std::move(*next), *plan);
    return true;
  }
  Warming warming;
  warming.next = std::move(wanted);
  warming.plan = *std::move(plan);
  if (auto status = build_beside(warming); !status) {
    return carry_out_otherwise(pending, warming.next, anew, to_make_anew(warming), status.error());
  }
  warming.pending = std::move(pending);
  warming_ = std::move(warming);
  player_->engine().set_watched(true);
  return true;
}

// With more made anew, where that helps against the error.
bool Session::carry_out_otherwise(Pending& pending, Next& wanted, const std::set<std::string>& anew,
                                  std::set<std::string> more, const Error& error) {
  more.insert(anew.begin(), anew.end());
  if (more.size() > anew.size()) return carry_out(pending, std::move(wanted), more);
  fail(pending, {error.code, name_step(wanted, error.message)});
  return true;
}

// What stood in the way of the change and can be made anew with it.
std::set<std::string> Session::to_make_anew(const Warming& warming) const {
  const auto& misplaced = warming.built.misplaced;
  std::set<std::string> anew(misplaced.begin(), misplaced.end());
  for (const engine::Edge* edge : player_->engine().too_early()) {
    for (const PlannedEdge& planned : edges_) {
      if (planned.hops.back() == edge) anew.insert(planned.edge.key());
    }
  }
  // What is to be read by more than its buffer was made for, if nobody can tell.
  const std::string& small = player_->engine().too_small();
  const bool is_filter = std::any_of(nodes_.begin(), nodes_.end(), [&](const RunningNode& node) {
    return node.settings.id == small && node.planned.node->is_passive() &&
           !node.planned.is_inserted;
  });
  if (anew.empty() && is_filter) anew.insert(small);
  return anew;
}

void Session::finish(Pending& pending, Next next, const ChangePlan& plan) {
  if (pending.request.is_undo) {
    history_.pop_back();
  } else if (pending.request.anew.empty()) {
    history_.push_back(std::move(base_));
    if (history_.size() > kMostHistory) history_.erase(history_.begin());
  }
  base_ = std::move(next.base);
  document_ = std::move(next.document);
  types_ = std::move(next.types);
  std::unordered_map<std::string_view, const graph::Node*> settings;
  for (const graph::Node& node : document_.nodes) settings.emplace(node.id, &node);
  for (RunningNode& node : nodes_) {
    const auto found = settings.find(node.settings.id);
    if (found != settings.end() && !is_same(node.settings, *found->second)) {
      node.settings = *found->second;
    }
  }
  // Edges that stay differ in nothing else.
  for (PlannedEdge& edge : edges_) {
    for (const ChangePlan::Gain& gain : plan.gains) {
      if (edge.hops.back() == gain.edge) edge.edge.options.gain_db = gain.gain_db;
    }
  }
  ++version_;
  if (pending.request.carried_out) pending.request.carried_out();
  const ChangeResult result{{}, version_, next.steps, to_json(plan)};
  if (pending.done) pending.done(result);
  for (const Listener& listener : listeners_) listener(pending.request, result);
}

void Session::tend() {
  tend_retired();
  for (;;) {
    if (warming_) {
      bool is_ready = false;
      if (auto error = warm_up(is_ready)) {
        Pending pending = std::move(warming_->pending);
        const std::string sentence =
            name_step(warming_->next, error->message) + name_routes(warming_->next);
        roll_back();
        fail(pending, {error->code, sentence});
      } else if (is_ready) {
        commit();
      } else {
        return;
      }
    }
    if (queue_.empty()) return;
    Pending pending = std::move(queue_.front());
    queue_.pop_front();
    if (!begin(pending)) {
      queue_.push_front(std::move(pending));
      return;
    }
  }
}

}  // namespace sluice::session
