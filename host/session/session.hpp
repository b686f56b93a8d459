// A document that plays and changes: takes changes one after the other, carries out each as a whole
// or not at all, and closes what they leave behind.
//
// A change makes a new base (see edits.hpp), which is loaded and compared with what runs. What is
// new is built and started beside it and warms up unheard. Then everything that enters and leaves
// ramps, at each input from the same frame on; what has ramped out is closed. Until that moment the
// sound is untouched, and a failure leaves it so. docs/live-changes.md tells more.
//
// All functions are [control], for the thread that lets the engine run.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "host/graph/load.hpp"
#include "host/graph/value.hpp"
#include "host/loader/registry.hpp"
#include "host/session/change_plan.hpp"
#include "host/session/player.hpp"

namespace sluice::session {

// What is asked for. Exactly one of the first three is there.
struct ChangeRequest {
  std::vector<graph::Value> operations;  // of edits.hpp, in this order
  std::optional<graph::Value> patch;     // RFC 6902, on the normal form
  std::optional<graph::Value> document;  // a whole graph
  std::set<std::string> anew;            // ids of nodes to be replaced, whatever else changes
  bool is_undo = false;                  // back to before the last change
  bool keeps_routes = false;             // document: routes that are taken stay so where they exist
  bool is_dry_run = false;               // say what would happen, and do nothing
  std::optional<uint64_t> if_version;    // refuse if the document has changed since
  std::string origin;                    // who asks, for the others to be told
  std::function<void()> carried_out;     // called once it was, before its Done; may be empty
};

struct ChangeResult {
  support::Status status;
  uint64_t version = 0;            // of the document after it
  std::vector<std::string> steps;  // sentences: what was done, or would be
  graph::Value plan;               // to_json of the ChangePlan; of a dry run with "latency"
};

// Sentences on what differs: "take the route box", "set gate.hold_ms to 200".
std::vector<std::string> steps_between(const graph::Document& before, const graph::Document& after,
                                       const graph::Catalog& types);

class Session {
 public:
  using Done = std::function<void(const ChangeResult&)>;
  // Told of every change that was carried out, after its own Done.
  using Listener = std::function<void(const ChangeRequest&, const ChangeResult&)>;

  // `base`: the normal form of `document` with secrets in clear, loaded without applies_routes.
  // None: `diagnostics` says why. `registry` outlives the session.
  static std::unique_ptr<Session> make(graph::Document document, graph::Value base,
                                       loader::Registry& registry, const PlayerOptions& options,
                                       std::vector<graph::Diagnostic>& diagnostics);
  ~Session();

  Player& player() { return *player_; }
  const graph::Document& document() const { return document_; }
  // As the graph's file says: as they were when the session began, at the last note_saved, or what
  // note_file was given.
  const graph::Document& first_document() const { return first_document_; }
  const graph::Value& first_base() const { return first_base_; }
  // Counts how often that was.
  uint64_t file_version() const { return file_version_; }
  void note_saved();
  void note_file(graph::Document document, graph::Value base);
  const graph::Value& base() const { return base_; }
  uint64_t version() const { return version_; }
  // Types that the document names, and others as they were needed.
  const graph::Catalog& types() const { return *types_; }

  // What `status` and `run --stats` show: the snapshot, its clocks and its latency.
  graph::Value describe(const engine::Snapshot& snapshot) const;

  // Queues a change; `done` is called once, from tend, or from here if nothing is in front of it.
  void change(ChangeRequest request, Done done);
  void listen(Listener listener) { listeners_.push_back(std::move(listener)); }

  // Goes on with changes that are under way. To be called often while the engine runs: as
  // `keep_going` of Player::play.
  void tend();
  // No change is under way, and what earlier ones left behind is closed.
  bool is_settled() const;

 private:
  using Types = std::shared_ptr<const graph::Catalog>;
  struct Pending {
    ChangeRequest request;
    Done done;
    int64_t since_ns;
  };
  // What has left the document and ramps out, or waits for that.
  struct Retired {
    PlannedEdge edge;
    std::vector<uint64_t> serials;  // of the hops
    bool is_ramping = false;
  };
  struct Next {  // a loaded change
    graph::Value base;
    graph::Document document;
    Types types;
    std::vector<std::string> steps;
    bool needs_connection = false;
  };
  struct Warming {
    Pending pending;
    Next next;
    ChangePlan plan;
    BuildResult built;
    std::vector<engine::Edge*> entering;     // unheard hops
    std::vector<engine::Edge*> yielding;     // hops that another reader's pace goes before
    std::vector<PlannedEdge> revived;        // ramping out now, and called back
    std::vector<PlannedEdge> displaced;      // by these, of the same key: they leave
    std::vector<const engine::Node*> fresh;  // made for this change
    int64_t deadline_ns = 0;
  };

  explicit Session(loader::Registry& registry) : registry_(registry) {}

  support::Result<graph::Value> changed_base(const ChangeRequest& request);
  support::Result<Next> load(graph::Value base, const ChangeRequest& request);
  bool rewire(const graph::Value& base, const ChangeRequest& request, Next& next) const;
  graph::LoadResult load_document(const graph::Value& base, Types& types) const;
  void keep_secrets(graph::Value& base) const;
  bool begin(Pending& pending);
  bool carry_out(Pending& pending, Next wanted, const std::set<std::string>& anew);
  bool carry_out_otherwise(Pending& pending, Next& wanted, const std::set<std::string>& anew,
                           std::set<std::string> more, const support::Error& error);
  std::optional<Warming> call_back(const Next& next) const;
  support::Status announce(Warming& warming);
  support::Result<graph::Value> foresee(Warming& warming, std::set<std::string>& anew);
  support::Status build_beside(Warming& warming);
  std::set<std::string> to_make_anew(const Warming& warming) const;
  void mark_entering(Warming& warming);
  void hand_over_state(const Warming& warming);
  void carry_statistics(const Warming& warming);
  std::optional<support::Error> warm_up(bool& is_ready);
  void set_pace_where_nobody_does(Warming& warming);
  void commit();
  bool engine_has(const Retired& retired) const;
  void take_nodes(Warming& warming);
  void retire(const PlannedEdge& edge, bool is_ramping);
  void roll_back();
  void set_live(const ChangePlan& plan);
  void finish(Pending& pending, Next next, const ChangePlan& plan);
  void fail(Pending& pending, support::Error error);
  void tend_retired();
  void close_unwanted();
  bool is_closing(const std::string& id) const;
  std::string name_routes(const Next& next) const;
  std::string name_step(const Next& next, const std::string& message) const;

  loader::Registry& registry_;
  std::unique_ptr<Player> player_;
  graph::Value base_, first_base_;
  graph::Document document_, first_document_;
  Types types_;
  uint64_t version_ = 1;
  uint64_t file_version_ = 1;
  std::vector<graph::Value> history_;  // bases before each change, for undo

  std::vector<RunningNode> nodes_;     // that the document wants
  std::vector<RunningNode> unwanted_;  // to be closed when nothing of them is heard any more
  std::vector<std::pair<const engine::Node*, std::string>> closing_;
  std::vector<PlannedEdge> edges_;
  std::vector<Landing> landings_;
  std::vector<Retired> retired_;

  std::deque<Pending> queue_;
  std::optional<Warming> warming_;
  std::vector<Listener> listeners_;
};

}  // namespace sluice::session
