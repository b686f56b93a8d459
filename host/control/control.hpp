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

#include "host/control/rpc.hpp"
#include "host/control/runtime_folder.hpp"
#include "host/control/server.hpp"
#include "host/engine/snapshot.hpp"
#include "host/session/glitch_record.hpp"
#include "host/session/session.hpp"
#include "host/support/result.hpp"

namespace sluice::control {

struct ControlOptions {
  std::string name;  // of the socket
  ServerLimits limits;
  // The graph's file anew, as a base for a change; for "reload". Empty: there is no file.
  std::function<support::Result<graph::Value>()> reload;
  // Writes what was changed live into the graph's file, and says which; for "save".
  std::function<support::Result<std::string>()> save;
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
  // Tells subscribers what is new; about ten times a second.
  void tick(const engine::Snapshot& snapshot);
  // Somebody wants to be told what happens.
  bool is_watched() const { return !subscriptions_.empty(); }
  // Somebody wants levels.
  bool wants_levels() const;

  // As if a connection had sent `line`; `send` gets the answer. For tests and fuzzers.
  void handle(const std::string& line, uint64_t connection,
              const std::function<void(std::string)>& send);

 private:
  struct Subscription {
    uint64_t connection = 0;
    std::set<std::string> topics;
    int64_t interval_ns = 0;  // of statistics
    int64_t due_ns = 0;
    uint64_t sequence = 0;
  };

  Control(session::Session& session, ControlOptions options);
  void add_methods();
  void add_changes();
  void change(session::ChangeRequest request, const graph::Value& params, const Caller& caller,
              const Reply& reply);
  graph::Value status() const;
  graph::Value routes() const;
  RpcResult subscribe(const graph::Value& params, const Caller& caller);
  void tell(const std::string& topic, const graph::Value& what);
  void tell(uint64_t id, Subscription& subscription, const std::string& topic,
            const graph::Value& what);
  void tell_states(const engine::Snapshot& snapshot);
  void post(std::function<void()> task);

  session::Session& session_;
  const ControlOptions options_;
  Rpc rpc_;
  std::optional<NameLock> lock_;
  std::shared_ptr<Server> server_;
  std::mutex tasks_mutex_;
  std::deque<std::function<void()>> tasks_;

  std::map<uint64_t, Subscription> subscriptions_;
  uint64_t last_subscription_ = 0;
  std::map<std::string, std::string> states_;  // of nodes, with the reason, as last told
  session::GlitchRecord glitches_;
};

}  // namespace sluice::control
