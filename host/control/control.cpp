#include "host/control/control.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "host/control/client.hpp"
#include "host/graph/json_text.hpp"
#include "host/session/statistics.hpp"

namespace sluice::control {
namespace {

using graph::Value;
using support::ErrorCode;

constexpr size_t kMostSubscriptions = 256;
constexpr size_t kMostTasks = 10'000;
constexpr double kMostPerSecond = 20.0;
constexpr int64_t kUsualTickNs = 100'000'000;
constexpr int64_t kNsPerSecond = 1'000'000'000;
constexpr const char* kBusy =
    R"({"jsonrpc": "2.0", "id": null, "error": {"code": -32006, "message": "The host has too much to do; try again later."}})";

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

Control::~Control() {
  // Their threads call this object.
  web_.reset();
  server_.reset();
}

support::Result<std::unique_ptr<Control>> Control::start(session::Session& session,
                                                         ControlOptions options) {
  std::unique_ptr<Control> control(new Control(session, std::move(options)));
  if (auto folder = make_runtime_folder(); !folder) return std::move(folder).error();
  auto lock = NameLock::take(control->options_.name);
  if (!lock) return std::move(lock).error();
  control->lock_.emplace(std::move(*lock));
  if (auto status = control->listen(); !status) return std::move(status).error();
  if (auto status = control->listen_to_web(); !status) return std::move(status).error();
  return control;
}

support::Status Control::listen() {
  Server::Handlers handlers;
  handlers.on_line = [this](uint64_t connection, const std::string& line) {
    return take_message(connection, line);
  };
  handlers.on_close = [this](uint64_t connection) { forget(connection); };
  auto server = Server::listen(socket_path(options_.name), options_.limits, std::move(handlers));
  if (!server) return std::move(server).error();
  server_ = std::move(*server);
  return {};
}

std::string Control::take_message(uint64_t connection, std::string_view text) {
  // Reading is done here, on the server's thread: a hostile message costs the session nothing.
  auto message = std::make_shared<std::optional<Value>>(graph::parse_json_value(text));
  const bool has_room = post([this, connection, message] {
    rpc_.handle(*message, {connection}, [this, connection](std::string answer) {
      if (!answer.empty()) send(connection, {std::move(answer)});
    });
  });
  return has_room ? "" : kBusy;
}

void Control::forget(uint64_t connection) {
  post([this, connection] {
    std::erase_if(subscriptions_, [&](const auto& subscription) {
      return subscription.second.connection == connection;
    });
  });
}

void Control::send(uint64_t connection, Outgoing message) {
  if (connection >= WebServer::kFirstConnection) {
    if (web_) web_->send(connection, std::move(message));
  } else if (server_) {
    server_->send(connection, std::move(message));
  }
}

bool Control::post(std::function<void()> task) {
  {
    const std::lock_guard lock(tasks_mutex_);
    // Connections are held back before that; this is for what nobody thought of.
    if (tasks_.size() >= kMostTasks) return false;
    tasks_.push_back(std::move(task));
  }
  session_.player().engine().look_up();
  return true;
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

void Control::reload(std::function<void(const support::Status&)> done) {
  constexpr int64_t kId = 1;
  rpc_.handle(graph::parse_json_value(request_text(kId, "reload", Value::object())), {},
              [done = std::move(done)](const std::string& text) {
                const auto answer = graph::parse_json_value(text);
                const auto result = answer ? meaning_of(*answer, kId) : std::nullopt;
                done(result && !*result ? support::Status(result->error()) : support::Status());
              });
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

bool Control::wants_more_ticks() const {
  return std::any_of(subscriptions_.begin(), subscriptions_.end(), [](const auto& subscription) {
    return subscription.second.topics.contains("statistics") &&
           subscription.second.interval_ns < kUsualTickNs;
  });
}

RpcResult Control::subscribe(const Value& params, const Caller& caller) {
  static const std::set<std::string> known{"changes", "states", "losses", "statistics"};
  if (!caller.takes_events) {
    return RpcError{kFirstOwnCode - static_cast<int>(ErrorCode::kState),
                    "Events come over a WebSocket (/ws) or the graph's socket."};
  }
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
  if (const Value* form = params.find("form")) {
    subscription.is_rows = form->is_text() && form->text() == "rows";
    if (!subscription.is_rows && !(form->is_text() && form->text() == "objects")) {
      return RpcError{kInvalidParams, "\"form\" is \"objects\" or \"rows\"."};
    }
  }
  double rate_hz = 1.0;
  if (const Value* rate = params.find("rate_hz"); rate && rate->is_number()) {
    rate_hz = rate->number();
  }
  if (!(rate_hz > 0.0 && rate_hz <= kMostPerSecond)) {
    return RpcError{kInvalidParams, "\"rate_hz\" must be more than 0 and at most 20."};
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
                   std::shared_ptr<const std::string> what, bool may_be_left_out) {
  Outgoing message;
  // What all are told is made to text once; the rest is put in front of it.
  message.text = fmt::format(
      R"({{"jsonrpc": "2.0", "method": "event", "params": {{"subscription": {}, "sequence": {}, "topic": "{}", "{}": )",
      id, ++subscription.sequence, topic, topic == "statistics" ? "statistics" : "event");
  message.rest = std::move(what);
  message.may_be_left_out = may_be_left_out;
  send(subscription.connection, std::move(message));
}

void Control::tell(const std::string& topic, const Value& what) {
  std::shared_ptr<const std::string> text;
  for (auto& [id, subscription] : subscriptions_) {
    if (!subscription.topics.contains(topic)) continue;
    if (!text) text = std::make_shared<const std::string>(graph::to_json(what) + "}}");
    tell(id, subscription, topic, text, false);
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
  tell_statistics(snapshot);
}

void Control::tell_statistics(const engine::Snapshot& snapshot) {
  // Each form is made to text once, for all that want it now.
  const int64_t start_ns = session_.player().start_ns();
  std::shared_ptr<const std::string> objects, rows, rows_with_layout;
  for (auto& [id, subscription] : subscriptions_) {
    if (!subscription.topics.contains("statistics")) continue;
    if (snapshot.time_ns < subscription.due_ns) continue;
    // In step with the first one, unless a whole interval was missed.
    subscription.due_ns += subscription.interval_ns;
    if (subscription.due_ns <= snapshot.time_ns) {
      subscription.due_ns = snapshot.time_ns + subscription.interval_ns;
    }
    if (!subscription.is_rows) {
      if (!objects) {
        objects =
            std::make_shared<const std::string>(graph::to_json(session_.describe(snapshot)) + "}}");
      }
      tell(id, subscription, "statistics", objects, true);
      continue;
    }
    if (!rows) {
      if (rows_.take(snapshot, start_ns, session_.version())) ++layouts_;
      rows = std::make_shared<const std::string>(rows_.rows() + "}}");
    }
    if (subscription.told_layouts == layouts_) {
      tell(id, subscription, "statistics", rows, true);
      continue;
    }
    if (!rows_with_layout) {
      rows_with_layout = std::make_shared<const std::string>(
          rows_.rows() + ", \"layout\": " + rows_.layout() + "}}");
    }
    subscription.told_layouts = layouts_;
    tell(id, subscription, "statistics", rows_with_layout, false);
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

std::string Control::metrics(MetricsFormat format) const {
  return metrics_text(format, session_.player().engine().snapshot(), session_.player().start_ns(),
                      session_.document().name, {session_.version(), subscriptions_.size()});
}

Value Control::status() const {
  const auto& document = session_.document();
  Value status = Value::object();
  status.set("sluice", SLUICE_VERSION);
  status.set("graph", document.name);
  status.set("file", document.file.string());
  status.set("pid", static_cast<int64_t>(::getpid()));
  if (web_) status.set("http", url());
  status.set("version", static_cast<int64_t>(session_.version()));
  status.set("routes", routes());
  Value now = session_.describe(session_.player().engine().snapshot());
  for (graph::Member& member : now.members()) status.set(member.key, std::move(member.value));
  return status;
}

}  // namespace sluice::control
