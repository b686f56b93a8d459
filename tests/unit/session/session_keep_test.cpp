// What outlives a change: the state of a graph for the next start, profiles, edited files, and the
// files themselves when their writer is killed.
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <set>
#include <thread>

#include "host/session/kept_state.hpp"
#include "host/session/merge.hpp"
#include "host/session/profile.hpp"
#include "host/session/save.hpp"
#include "tests/unit/session/session_world.hpp"

namespace sluice::session {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kGraph = R"({"sluice": 1, "nodes": {
  "tone": {"type": "source.tone", "params": {"live": true}},
  "hub": "filter.gain", "here": "sink.null", "there": "sink.null"
}, "edges": ["tone -> hub"],
  "routes": {"here": ["hub -> here"],
    "there": {"edges": ["hub -> there"], "set": {"hub.gain_db": -3}}, "none": [],
    "*": {"edges": ["hub -> there"], "set": {"hub.gain_db": -1}}}})";

ChangeRequest set(const std::string& target, const std::string& value) {
  return operations({R"({"op": "set", "target": ")" + target + R"(", "value": )" + value + "}"});
}

std::string said(const ChangeResult& result) {
  return result.status.ok() ? "" : result.status.error().message;
}

TEST(SessionKeep, State_holds_routes_and_live_parameters_that_differ_from_the_file) {
  SessionWorld world(kGraph);
  ASSERT_TRUE(world.session);
  const graph::Value file = world.session->base();
  const graph::Catalog& types = world.session->types();
  EXPECT_EQ(graph::to_json(state_of(file, file, types)),
            R"({"sluice_state": 1, "routes": {}, "parameters": {}})");
  EXPECT_EQ(said(world.change(set("hub.gain_db", "-7"))), "");
  EXPECT_EQ(said(world.change(set("hub.limiter", "\"on\""))), "");  // not live
  EXPECT_EQ(said(world.change(route("none"))), "");
  const graph::Value state = state_of(file, world.session->base(), types);
  EXPECT_EQ(graph::to_json(state),
            R"({"sluice_state": 1, "routes": {"main": {"now": "none", "file": "here"}}, )"
            R"("parameters": {"hub.gain_db": {"now": -7, "file": 0}}})");
  const KeptSettings kept = settings_of(state, file, types);
  EXPECT_THAT(kept.settings, ElementsAre("hub.gain_db=-7"));
  EXPECT_THAT(kept.routes, ElementsAre("main=none"));
  EXPECT_THAT(kept.notes, IsEmpty());
}

TEST(SessionKeep, File_that_was_edited_since_has_the_last_word) {
  SessionWorld world(kGraph);
  ASSERT_TRUE(world.session);
  const graph::Catalog& types = world.session->types();
  const KeptSettings kept =
      settings_of(json(R"({"sluice_state": 1, "routes": {"main": {"now": "none", "file": "there"}},
        "parameters": {"hub.gain_db": {"now": -7, "file": -2}, "gone.level": {"now": 1, "file": 2},
        "hub.mute": {"now": true, "file": false}}})"),
                  world.session->base(), types);
  EXPECT_THAT(kept.settings, ElementsAre("hub.mute=true"));
  EXPECT_THAT(kept.routes, IsEmpty());
  EXPECT_EQ(kept.notes.size(), 3U);
  for (const char* text : {"{}", "[1]", R"({"sluice_state": 2})", R"({"sluice_state": "1"})",
                           R"({"sluice_state": 1, "routes": 3, "parameters": [4]})",
                           R"({"sluice_state": 1, "parameters": {"hub.gain_db": 5, "x": {}}})"}) {
    const KeptSettings nothing = settings_of(json(text), world.session->base(), types);
    EXPECT_THAT(nothing.settings, IsEmpty()) << text;
    EXPECT_THAT(nothing.routes, IsEmpty()) << text;
  }
}

TEST(SessionKeep, Edits_of_a_file_are_merged_into_what_was_changed_live) {
  const graph::Value before = json(R"({"a": 1, "b": {"c": 2, "d": 3, "e": 4}, "f": [1], "g": 0})");
  const graph::Value after = json(R"({"a": 1, "b": {"c": 9, "e": 4, "h": 5}, "f": [2], "i": 6})");
  const graph::Value now = json(R"({"a": 7, "b": {"c": 2, "d": 3, "e": 8, "k": 1}, "g": 0})");
  EXPECT_EQ(graph::to_json(merged(before, after, now)),
            R"({"a": 7, "b": {"c": 9, "e": 8, "k": 1, "h": 5}, "f": [2], "i": 6})");
}

TEST(SessionKeep, Profile_says_parameters_edges_and_routes_and_refuses_the_rest) {
  SessionWorld world(kGraph);
  ASSERT_TRUE(world.session);
  const graph::Value file = world.session->base();
  EXPECT_EQ(said(world.change(set("hub.gain_db", "-7"))), "");
  EXPECT_EQ(said(world.change(set("tone -> hub:gain_db", "-2"))), "");
  const auto profile = profile_of(file, world.session->base(), world.session->types());
  ASSERT_TRUE(profile);
  EXPECT_EQ(graph::to_json(*profile),
            R"({"set": {"hub.gain_db": -7, "tone.out->hub.in:gain_db": -2}, )"
            R"("route": {"main": "here"}})");
  EXPECT_EQ(
      said(world.change(operations(
          {R"({"op": "add", "id": "more", "node": "sink.null", "edges": ["hub -> more"]})"}))),
      "");
  const auto refused = profile_of(file, world.session->base(), world.session->types());
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("The node more was changed, and a profile holds"));
}

TEST(SessionKeep, Parameter_that_the_taken_route_sets_changes_or_the_reason_is_told) {
  SessionWorld world(kGraph);
  ASSERT_TRUE(world.session);
  EXPECT_EQ(said(world.change(route("there"))), "");
  EXPECT_EQ(said(world.change(set("hub.gain_db", "-20"))), "");
  EXPECT_EQ(world.node("hub").current_number(0), -20);
  EXPECT_EQ(said(world.change(route("any"))), "");
  EXPECT_EQ(world.node("hub").current_number(0), -1);
  EXPECT_EQ(said(world.change(set("hub.gain_db", "-20"))),
            "The route any (\"*\" of main) sets hub.gain_db; take another route first, or change "
            "its \"set\" in the graph's file.");
}

// A setting of the command line holds although the route at the start sets the same.
TEST(SessionKeep, Setting_of_the_command_line_survives_the_first_change) {
  loader::Registry registry(SessionWorld::registry_options());
  const graph::Catalog types = full_catalog(registry);
  graph::LoadOptions load;
  load.settings = {"hub.gain_db=-12"};
  load.routes = {"there"};
  load.applies_routes = false;
  const auto plain = graph::load_text(kGraph, "test.json", types, load).document;
  ASSERT_TRUE(plain);
  const graph::Value base = graph::to_normal_json(*plain, graph::Secrets::kReveal);
  const auto again = graph::load_text(graph::to_json(base), "test.json", types, {}).document;
  ASSERT_TRUE(again);
  EXPECT_EQ(std::get<double>(again->find_node("hub")->find_parameter("gain_db")->value), -12);
  // A "*" route makes its settings anew: that is said.
  load.routes = {"any"};
  const auto warned = graph::load_text(kGraph, "test.json", types, load);
  ASSERT_TRUE(warned.document);
  ASSERT_EQ(warned.diagnostics.size(), 1U);
  EXPECT_THAT(warned.diagnostics[0].message, HasSubstr("sets hub.gain_db too"));
}

// Every file that is saved (a graph, a state, a profile) is written so.
TEST(SessionKeep, File_whose_writer_is_killed_at_any_moment_is_the_old_or_the_new_one) {
  const tests::TemporaryFolder folder;
  const std::string path = folder / "file.json";
  const std::string contents[] = {std::string(300'000, 'a'), std::string(200'000, 'b')};
  ASSERT_TRUE(replace_file(path, contents[0]).ok());
  std::set<char> seen;
  for (int round = 0; round < 60; ++round) {
    const pid_t writer = fork();
    if (writer == 0) {
      for (size_t i = 1;; ++i) {
        if (!replace_file(path, contents[i % 2]).ok()) _exit(1);
      }
    }
    ASSERT_GT(writer, 0);
    std::this_thread::sleep_for(std::chrono::microseconds(200 + round * 137));
    kill(writer, SIGKILL);
    waitpid(writer, nullptr, 0);
    std::ifstream file(path, std::ios::binary);
    const std::string now{std::istreambuf_iterator<char>(file), {}};
    ASSERT_TRUE(now == contents[0] || now == contents[1]) << now.size();
    seen.insert(now[0]);
  }
  EXPECT_EQ(seen.size(), 2U);
}

}  // namespace
}  // namespace sluice::session
