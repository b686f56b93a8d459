// Random changes to a graph that plays, by seed. After each the same must hold: every frame is
// accounted for, what runs is what the document says, and nothing is left over.
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <ostream>
#include <random>
#include <set>

#include "tests/unit/session/session_world.hpp"

namespace sluice::session {
namespace {

constexpr const char* kGraph = R"({"sluice": 1, "nodes": {
  "live": {"type": "source.tone", "params": {"channels": 1, "live": true}},
  "free": {"type": "source.tone", "params": {"channels": 1}},
  "stereo": {"type": "source.tone", "params": {"live": true}},
  "first": "filter.gain", "second": "filter.gain", "third": "filter.gain",
  "paced": {"type": "sink.null", "params": {"pace": "real-time"}},
  "other": {"type": "sink.null", "params": {"pace": "real-time"}},
  "spare": {"type": "sink.null", "params": {"pace": "real-time"}, "standby": true}
}, "edges": ["live -> first -> paced"],
  "routes": {"a": ["first -> other"], "b": ["stereo -> other"], "c": ["first -> spare"],
    "d": ["live -> second -> spare"], "none": [],
    "*": {"edges": ["first -> other"], "set": {"first.mute": true}}},
  "route": "none"})";

constexpr const char* kOther = R"({"sluice": 1, "nodes": {
  "tone": {"type": "source.tone", "params": {"live": true}}, "end": "sink.null"
}, "edges": {"tone.out->end.in": {}}})";

using Random = std::mt19937_64;

template <typename T>
const T& pick(Random& random, const std::vector<T>& all) {
  return all[random() % all.size()];
}

ChangeRequest random_change(Random& random) {
  const std::vector<std::string> writers{"live", "free", "stereo", "first", "second", "third"};
  const std::vector<std::string> filters{"first", "second", "third"};
  const std::vector<std::string> readers{"first", "second", "third", "paced", "other", "spare"};
  const std::vector<std::string> routes{"a", "b", "c", "d", "none", "any"};
  const auto operation = [&]() -> std::string {
    // One after the other: compilers differ in which operand of + they look at first.
    const std::string& writer = pick(random, writers);
    const std::string& reader = pick(random, readers);
    const std::string& filter = pick(random, filters);
    const uint64_t number = random();
    const std::string edge = writer + " -> " + reader;
    switch (random() % 9) {
      case 0:
      case 1:
      case 2:
        return R"({"op": "route", "route": ")" + pick(random, routes) + "\"}";
      case 3:
        return R"({"op": "connect", "edge": ")" + edge + "\"}";
      case 4:
        return R"({"op": "disconnect", "edge": ")" + edge + "\"}";
      case 5:
        return R"({"op": "set", "target": ")" + filter + R"(.gain_db", "value": -)" +
               std::to_string(number % 20) + "}";
      case 6:
        return R"({"op": "set", "target": ")" + filter + R"(.limiter", "value": ")" +
               (number % 2 ? "on" : "off") + "\"}";
      case 7:
        return R"({"op": "set", "target": ")" + edge + R"(:gain_db", "value": -)" +
               std::to_string(number % 12) + "}";
      default:
        return number % 2 ? R"({"op": "remove", "id": "extra"})"
                          : R"({"op": "add", "id": "extra", "node": "filter.gain", "edges": [")" +
                                writer + " -> extra -> " + reader + "\"]}";
    }
  };
  if (random() % 8 == 0) {
    ChangeRequest undo;
    undo.is_undo = true;
    return undo;
  }
  std::vector<std::string> texts;
  for (uint64_t i = random() % 10 == 0 ? 3 : 1; i > 0; --i) texts.push_back(operation());
  return operations(texts);
}

void expect_agreement(SessionWorld& world) {
  std::multiset<std::string> wanted;
  for (const graph::Node* node : used_nodes(world.session->document())) wanted.insert(node->id);
  std::multiset<std::string> there;
  size_t adapters = 0;
  for (const engine::Node* node : world.engine().nodes()) {
    if (node->id().find('.') == std::string::npos) {
      there.insert(node->id());
    } else {
      ++adapters;
    }
  }
  EXPECT_EQ(there, wanted);
  std::multiset<std::string> edges;
  for (const graph::Edge& edge : world.session->document().active_edges()) {
    edges.insert(edge.from_node + ">" + edge.to_node);
  }
  // An adapter splits its edge in two, or stands behind a sum.
  EXPECT_EQ(world.engine().edges().size(), edges.size() + adapters);
}

// What a graph holds of the process while it plays.
struct Held {
  size_t nodes, edges, lanes, descriptors, threads;
  friend bool operator==(const Held&, const Held&) = default;
};

size_t entries_of(const char* folder) {
  const std::filesystem::directory_iterator entries(folder);
  return static_cast<size_t>(std::distance(begin(entries), end(entries)));
}

Held held_by(SessionWorld& world) {
  return {world.engine().nodes().size(), world.engine().edges().size(),
          world.engine().lanes().size(), entries_of("/proc/self/fd"),
          entries_of("/proc/self/task")};
}

std::ostream& operator<<(std::ostream& out, const Held& held) {
  return out << held.nodes << " nodes, " << held.edges << " edges, " << held.lanes << " lanes, "
             << held.descriptors << " descriptors, " << held.threads << " threads";
}

// Changes for each seed: SLUICE_TEST_CHANGES, which soaking sets, or so many.
int changes_wanted(int usual) {
  const char* wanted = std::getenv("SLUICE_TEST_CHANGES");
  return wanted ? static_cast<int>(std::strtol(wanted, nullptr, 10)) : usual;
}

// Carries out so many random changes, looks after each, and comes back to where it began.
void change_at_random(SessionWorld& world, Random random, int changes, bool is_exact) {
  world.run_for(100 * kMsNs);
  const Held first = held_by(world);
  const graph::Value base = world.session->base();
  int carried_out = 0;
  for (int step = 0; step < changes; ++step) {
    const uint64_t version = world.session->version();
    const graph::Value before = world.session->base();
    const ChangeRequest request = random_change(random);
    const ChangeResult result = world.change(request);
    SCOPED_TRACE(
        "step " + std::to_string(step) + ": " +
        (request.operations.empty() ? std::string("undo") : graph::to_json(request.operations[0])) +
        (result.status.ok() ? "" : " refused: " + result.status.error().message));
    if (result.status.ok()) {
      ++carried_out;
      EXPECT_EQ(world.session->version(), version + 1);
    } else {
      EXPECT_EQ(world.session->version(), version);
      EXPECT_EQ(world.session->base(), before);
    }
    world.run_for(static_cast<int64_t>(random() % 60) * kMsNs);
    if (is_exact) world.expect_accounted();
    if (random() % 4 == 0) {
      world.settle();
      expect_agreement(world);
      if (is_exact) world.expect_accounted();
    }
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(carried_out, changes / 6);
  // By way of something else, so that nothing of what there was is left, nor its formats.
  for (const std::string& document : {std::string(kOther), graph::to_json(base)}) {
    ChangeRequest whole;
    whole.patch = json(R"([{"op": "replace", "path": "", "value": )" + document + "}]");
    const ChangeResult result = world.change(whole);
    EXPECT_TRUE(result.status.ok()) << result.status.error().message;
    world.settle();
    expect_agreement(world);
  }
  EXPECT_EQ(held_by(world), first);
}

class SessionRandom : public ::testing::TestWithParam<int> {};

TEST_P(SessionRandom, Changes_keep_every_frame_accounted_for_and_leave_nothing_behind) {
  SessionWorld world(kGraph);
  ASSERT_TRUE(world.session);
  // One goes on until lanes have come to feed each other.
  const int changes = changes_wanted(GetParam() == 1 ? 500 : 150);
  change_at_random(world, Random(static_cast<uint64_t>(GetParam())), changes, true);
}

INSTANTIATE_TEST_SUITE_P(Seeds, SessionRandom, ::testing::Range(1, 9));

// With a thread for each lane, and this one, as it is when people listen.
TEST(SessionRandomThreads, Changes_leave_no_node_thread_or_descriptor_behind) {
  SessionWorld world(kGraph, nullptr, engine::TimeMode::kReal);
  ASSERT_TRUE(world.session);
  change_at_random(world, Random(99), changes_wanted(25), false);
}

}  // namespace
}  // namespace sluice::session
