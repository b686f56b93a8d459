#include "host/control/control.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "host/graph/json_text.hpp"
#include "host/session/statistics.hpp"

namespace sluice::control {
namespace {

using graph::Value;
using support::ErrorCode;

constexpr size_t kMostSubscriptions = 256;
constexpr size_t kMostTasks = 10'000;
constexpr double kMostPerSecond = 10.0;
constexpr int64_t kNsPerSecond = 1'000'000'000;

}  // namespace

Control::Control(session::Session& session, ControlOptions options)
    : session_(session), options_(std::move(options)) {
  add_methods();
  add_changes();
  session_.listen(
      [this](const session::ChangeRequest& request, const session::ChangeResult& result) {
        Value what = Value::object();
        what.set("version", static_cast<int64_t>(result.version));
        what.set("origin", request.origin);
        Value steps = Value::array();
        for (const std::string& step : result.steps) steps.push_back(step);
        what.set("steps", std::move(steps));
        tell("changes", what);
      });
}

Control::~Control() { server_.reset(); }

support::Result<std::unique_ptr<Control>> Control::start(session::Session& session,
                                                         ControlOptions options) {
  std::unique_ptr<Control> control(new Control(session, std::move(options)));
  if (auto folder = make_runtime_folder(); !folder) return std::move(folder).error();
  const std::string name = control->options_.name;
  auto lock = NameLock::take(name);
  if (!lock) return std::move(lock).error();
  control->lock_.emplace(std::move(*lock));
  Control* const self = control.get();
  Server::Handlers handlers;
  handlers.on_line = [self](uint64_t connection, const std::string& line) {
    // Reading is done here, on the server's thread: a hostile message costs the session nothing.
    auto message = std::make_shared<std::optional<Value>>(graph::parse_json_value(line));
    self->post([self, connection, message] {
      self->rpc_.handle(*message, {connection}, [self, connection](std::string text) {
        if (self->server_) self->server_->send(connection, std::move(text));
      });
    });
  };
  handlers.on_close = [self](uint64_t connection) {
    self->post([self, connection] {
      std::erase_if(self->subscriptions_, [&](const auto& subscription) {
        return subscription.second.connection == connection;
      });
    });
  };
  auto server = Server::listen(socket_path(name), control->options_.limits, std::move(handlers));
  if (!server) return std::move(server).error();
  control->server_ = std::move(*server);
  return control;
}

void Control::post(std::function<void()> task) {
  {
    const std::lock_guard lock(tasks_mutex_);
    // Connections are held back before that; this is for what nobody thought of.
    if (tasks_.size() >= kMostTasks) return;
    tasks_.push_back(std::move(task));
  }
  session_.player().engine().look_up();
}

void Control::serve() {
  for (;;) {
    std::function<void()> task;
    {
      const std::lock_guard lock(tasks_mutex_);
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

void Control::handle(const std::string& line, uint64_t connection,
                     const std::function<void(std::string)>& send) {
  rpc_.handle(graph::parse_json_value(line), {connection}, send);
}

bool Control::wants_levels() const {
  return std::any_of(subscriptions_.begin(), subscriptions_.end(), [](const auto& subscription) {
    return subscription.second.topics.contains("statistics");
  });
}

RpcResult Control::subscribe(const Value& params, const Caller& caller) {
  static const std::set<std::string> known{"changes", "states", "losses", "statistics"};
  Subscription subscription;
  subscription.connection = caller.connection;
  const Value* topics = params.find("topics");
  if (!topics) {
    subscription.topics = {"changes", "states", "losses"};
  } else if (!topics->is_array()) {
    return RpcError{kInvalidParams, "\"topics\" is a list of texts."};
  } else {
    for (const Value& topic : topics->elements()) {
      if (!topic.is_text() || !known.contains(topic.text())) {
        return RpcError{kInvalidParams,
                        "There are the topics changes, states, losses and "
                        "statistics."};
      }
      subscription.topics.insert(topic.text());
    }
  }
  double rate_hz = 1.0;
  if (const Value* rate = params.find("rate_hz"); rate && rate->is_number()) {
    rate_hz = rate->number();
  }
  if (!(rate_hz > 0.0 && rate_hz <= kMostPerSecond)) {
    return RpcError{kInvalidParams, "\"rate_hz\" must be more than 0 and at most 10."};
  }
  subscription.interval_ns = std::llround(static_cast<double>(kNsPerSecond) / rate_hz);
  if (subscriptions_.size() >= kMostSubscriptions) {
    return RpcError{kFirstOwnCode - static_cast<int>(ErrorCode::kState),
                    "There are too many subscriptions; end one."};
  }
  const uint64_t id = ++last_subscription_;
  subscriptions_[id] = std::move(subscription);
  Value result = Value::object();
  result.set("subscription", static_cast<int64_t>(id));
  result.set("sequence", 0);
  Value snapshot = Value::object();
  snapshot.set("version", static_cast<int64_t>(session_.version()));
  snapshot.set("document", graph::to_normal_json(session_.document()));
  snapshot.set("status", status());
  result.set("snapshot", std::move(snapshot));
  return result;
}

void Control::tell(uint64_t id, Subscription& subscription, const std::string& topic,
                   const Value& what) {
  Value params = Value::object();
  params.set("subscription", static_cast<int64_t>(id));
  params.set("sequence", static_cast<int64_t>(++subscription.sequence));
  params.set("topic", topic);
  params.set(topic == "statistics" ? "statistics" : "event", what);
  if (server_) {
    server_->send(subscription.connection, notification("event", std::move(params)),
                  topic == "statistics");
  }
}

void Control::tell(const std::string& topic, const Value& what) {
  for (auto& [id, subscription] : subscriptions_) {
    if (subscription.topics.contains(topic)) tell(id, subscription, topic, what);
  }
}

void Control::tell_states(const engine::Snapshot& snapshot) {
  std::map<std::string, std::string> now;
  for (const auto& node : snapshot.nodes) {
    const std::string id = node.node->id();
    const std::string state = engine::name_of(node.state);
    now[id] = state + "\n" + node.sentence;
    const auto before = states_.find(id);
    if (before != states_.end() && before->second == now[id]) continue;
    Value what = Value::object();
    what.set("node", id);
    what.set("state", state);
    if (!node.sentence.empty()) what.set("sentence", node.sentence);
    tell("states", what);
  }
  for (const auto& [id, state] : states_) {
    if (now.contains(id)) continue;
    Value what = Value::object();
    what.set("node", id);
    what.set("state", "closed");
    tell("states", what);
  }
  states_ = std::move(now);
}

void Control::tick(const engine::Snapshot& snapshot) {
  tell_states(snapshot);
  const int64_t start_ns = session_.player().start_ns();
  for (const session::Glitch& glitch : glitches_.look(snapshot, start_ns)) {
    tell("losses", session::to_json(glitch));
  }
  Value statistics;
  for (auto& [id, subscription] : subscriptions_) {
    if (!subscription.topics.contains("statistics")) continue;
    if (snapshot.time_ns < subscription.due_ns) continue;
    subscription.due_ns =
        std::max(subscription.due_ns + subscription.interval_ns, snapshot.time_ns);
    if (statistics.is_null()) statistics = session::to_json(snapshot, start_ns);
    tell(id, subscription, "statistics", statistics);
  }
}

Value Control::routes() const {
  Value all = Value::object();
  for (const graph::Switch& one : session_.document().switches) {
    Value entry = Value::object();
    entry.set("taken", one.initial.name);
    Value known = Value::array();
    for (const graph::Route& route : one.routes) known.push_back(route.name);
    entry.set("known", std::move(known));
    entry.set("any", one.any != nullptr);
    all.set(one.id, std::move(entry));
  }
  return all;
}

Value Control::status() const {
  const auto& document = session_.document();
  Value status = Value::object();
  status.set("sluice", SLUICE_VERSION);
  status.set("graph", document.name);
  status.set("file", document.file.string());
  status.set("pid", static_cast<int64_t>(::getpid()));
  status.set("version", static_cast<int64_t>(session_.version()));
  status.set("routes", routes());
  Value now = session::to_json(session_.player().engine().snapshot(), session_.player().start_ns());
  for (graph::Member& member : now.members()) status.set(member.key, std::move(member.value));
  return status;
}

}  // namespace sluice::control
