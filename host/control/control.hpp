// The control API of one running session: methods, subscriptions, and the socket they are reached
// by. docs/control-api.md describes them for clients.
//
// Messages come in on the server's thread; everything that touches the session happens on the
// session's, in serve and tick. [control]
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "host/control/metrics.hpp"
#include "host/control/rpc.hpp"
#include "host/control/runtime_folder.hpp"
#include "host/control/server.hpp"
#include "host/control/statistics_rows.hpp"
#include "host/control/web_server.hpp"
#include "host/engine/snapshot.hpp"
#include "host/session/glitch_record.hpp"
#include "host/session/session.hpp"
#include "host/support/result.hpp"

namespace sluice::control {

struct ControlOptions {
  std::string name;  // of the socket
  ServerLimits limits;
  std::optional<WebOptions> web;  // HTTP and WebSocket besides the socket
  // The change that the graph's file makes if it is read anew; for "reload". This and the following
  // are empty where there is no file.
  std::function<support::Result<session::ChangeRequest>()> reload;
  // Writes what was changed live into the graph's file, and says which; for "save".
  std::function<support::Result<std::string>()> save;
  // For "profile": {"taken", "known"}; the change that taking one makes; writing what was changed
  // into the file as one, and taking one out of it, which say which file.
  std::function<support::Result<graph::Value>()> profiles;
  std::function<support::Result<session::ChangeRequest>(const std::string& name)> take_profile;
  std::function<support::Result<std::string>(const std::string& name)> save_profile;
  std::function<support::Result<std::string>(const std::string& name)> delete_profile;
};

class Control {
 public:
  // Takes the graph's name and listens. `session` outlives it. Error: the name is taken (kState),
  // or there can be no socket.
  static support::Result<std::unique_ptr<Control>> start(session::Session& session,
                                                         ControlOptions options);
  ~Control();

  // Carries out what has come in. To be called with Session::tend.
  void serve();
  // Tells subscribers what is new; about ten times a second, or twenty if somebody wants that.
  void tick(const engine::Snapshot& snapshot);
  // Somebody wants to be told what happens; more than ten times a second.
  bool is_watched() const { return !subscriptions_.empty(); }
  bool wants_more_ticks() const;
  // Somebody wants levels.
  bool wants_levels() const;
  // "http://127.0.0.1:8080"; empty without HTTP.
  std::string url() const;

  // As the method of that name, asked for by a signal.
  void reload(std::function<void(const support::Status&)> done);

  // As if a connection had sent `line`; `send` gets the answer. For tests and fuzzers.
  void handle(const std::string& line, uint64_t connection,
              const std::function<void(std::string)>& send);

 private:
  struct Subscription {
    uint64_t connection = 0;
    std::set<std::string> topics;
    int64_t interval_ns = 0;  // of statistics
    int64_t due_ns = 0;
    bool is_rows = false;       // statistics as rows of numbers
    uint64_t told_layouts = 0;  // how many of them had come when it was told the last
    uint64_t sequence = 0;
  };

  Control(session::Session& session, ControlOptions options);
  void add_methods();
  void add_changes();
  void change(session::ChangeRequest request, const graph::Value& params, const Caller& caller,
              const Reply& reply);
  void profile(const graph::Value& params, const Caller& caller, const Reply& reply);
  graph::Value status() const;
  graph::Value routes() const;
  RpcResult subscribe(const graph::Value& params, const Caller& caller);
  support::Status listen();
  support::Status listen_to_web();
  // On the servers' threads; each returns what is answered at once.
  std::string take_message(uint64_t connection, std::string_view message);
  std::optional<WebAnswer> take_request(uint64_t connection, const WebRequest& request);
  void forget(uint64_t connection);
  void send(uint64_t connection, Outgoing message);
  void tell(const std::string& topic, const graph::Value& what);
  void tell(uint64_t id, Subscription& subscription, const std::string& topic,
            std::shared_ptr<const std::string> what, bool may_be_left_out);
  void tell_statistics(const engine::Snapshot& snapshot);
  void tell_states(const engine::Snapshot& snapshot);
  std::string metrics(MetricsFormat format) const;
  // Whether there was room for the task.
  bool post(std::function<void()> task);

  session::Session& session_;
  const ControlOptions options_;
  Rpc rpc_;
  std::optional<NameLock> lock_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<WebServer> web_;
  std::mutex tasks_mutex_;
  std::deque<std::function<void()>> tasks_;

  std::map<uint64_t, Subscription> subscriptions_;
  uint64_t last_subscription_ = 0;
  std::map<std::string, std::string> states_;  // of nodes, with the reason, as last told
  session::GlitchRecord glitches_;
  StatisticsRows rows_;
  uint64_t layouts_ = 0;  // that there have been
};

}  // namespace sluice::control
