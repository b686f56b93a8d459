// Changes as transactions: what they do to the document and to what runs, and what a failure
// leaves.
#include <gmock/gmock.h>

#include <filesystem>

#include "tests/unit/session/session_world.hpp"

namespace sluice::session {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kGraph = R"({"sluice": 1, "nodes": {
  "tone": {"type": "source.tone", "params": {"channels": 1, "live": true}},
  "hub": "filter.gain",
  "here": {"type": "sink.wav", "params": {"path": "here.wav"}},
  "there": {"type": "sink.null"},
  "spare": {"type": "sink.null", "standby": true},
  "named": {"type": "sink.wav"}
}, "edges": ["tone -> hub"],
  "routes": {"here": ["hub -> here"], "there": ["hub -> there"], "spare": ["hub -> spare"],
    "none": [],
    "*": {"edges": ["hub -> named"], "set": {"named.path": "${route}.wav", "hub.gain_db": -3}}},
  "route": "there"})";

std::string said(const ChangeResult& result) {
  return result.status.ok() ? "" : result.status.error().message;
}

TEST(Session, Route_taken_makes_what_it_needs_and_closes_what_nobody_hears) {
  SessionWorld world(kGraph);
  ASSERT_TRUE(world.session);
  world.run_for(50 * kMsNs);
  EXPECT_FALSE(world.has_node("here"));
  EXPECT_TRUE(world.has_node("spare"));
  const ChangeResult result = world.change(route("here"));
  EXPECT_EQ(said(result), "");
  EXPECT_EQ(result.version, 2U);
  EXPECT_THAT(result.steps, ElementsAre("take the route here", "connect hub.out->here.in",
                                        "disconnect hub.out->there.in"));
  EXPECT_TRUE(world.has_node("here"));
  world.settle();
  EXPECT_FALSE(world.has_node("there"));
  EXPECT_TRUE(world.has_node("spare"));
  EXPECT_EQ(world.session->document().find_switch("main")->initial.name, "here");
  world.run_for(100 * kMsNs);
  EXPECT_GT(world.node("here").inputs[0]->edges[0]->read_frames, 0U);
  EXPECT_EQ(said(world.change(route("none"))), "");
  world.settle();
  EXPECT_FALSE(world.has_node("here"));
  EXPECT_EQ(said(world.change(route("spare"))), "");
  world.settle();
  world.run_for(100 * kMsNs);
  EXPECT_GT(world.node("spare").inputs[0]->edges[0]->read_frames, 0U);
  world.expect_accounted();
}

TEST(Session, Route_of_any_name_sets_its_parameters_and_takes_them_back) {
  SessionWorld world(kGraph);
  ASSERT_TRUE(world.session);
  world.run_for(50 * kMsNs);
  EXPECT_EQ(said(world.change(route("box"))), "");
  world.settle();
  EXPECT_TRUE(world.has_node("named"));
  EXPECT_EQ(world.node("hub").current_number(0), -3);
  world.run_for(100 * kMsNs);
  EXPECT_EQ(said(world.change(route("there"))), "");
  world.settle();
  EXPECT_EQ(world.node("hub").current_number(0), 0);
  EXPECT_GT(tests::sound_info(world.folder / "box.wav").frames, 1000U);
}

TEST(Session, Live_parameter_and_gain_change_without_building_anything) {
  SessionWorld world(kGraph);
  ASSERT_TRUE(world.session);
  const engine::Node* hub = &world.node("hub");
  EXPECT_EQ(said(world.change(operations({R"({"op": "set", "target": "hub.gain_db", "value": -6})",
                                          R"({"op": "set", "target": "tone -> hub:gain_db",
                                              "value": "-9"})"}))),
            "");
  EXPECT_EQ(hub, &world.node("hub"));
  EXPECT_EQ(hub->current_number(0), -6);
  EXPECT_NEAR(world.engine().edges()[0]->gain_target, 0.354813F, 1e-5F);
  EXPECT_EQ(world.session->document().edges[0].options.gain_db, -9);
  EXPECT_TRUE(world.session->is_settled());
}

TEST(Session, Other_parameter_replaces_the_node_and_loses_nothing) {
  SessionWorld world(kGraph);
  ASSERT_TRUE(world.session);
  world.run_for(50 * kMsNs);
  const engine::Node* before = &world.node("hub");
  const ChangeResult result =
      world.change(operations({R"({"op": "set", "target": "hub.limiter", "value": "on"})"}));
  EXPECT_EQ(said(result), "");
  EXPECT_THAT(result.steps, ElementsAre("replace hub (limiter)"));
  world.settle();
  EXPECT_NE(before, &world.node("hub"));
  world.run_for(100 * kMsNs);
  world.expect_accounted();
}

TEST(Session, Nodes_and_edges_are_added_connected_disconnected_and_removed) {
  SessionWorld world(kGraph);
  ASSERT_TRUE(world.session);
  world.run_for(50 * kMsNs);
  EXPECT_EQ(
      said(world.change(operations({R"({"op": "add", "id": "copy", "node": {"type": "filter.gain",
                     "params": {"gain_db": "-6"}}, "edges": ["hub -> copy -> tape"]})"}))),
      "there is no node \"tape\"; add it to \"nodes\"");
  EXPECT_EQ(
      said(world.change(operations({R"({"op": "add", "id": "tape", "node": {"type": "sink.wav",
                     "params": {"path": ")" +
                                        (world.folder / "tape.wav") + R"("}}})",
                                    R"({"op": "add", "id": "copy", "node": {"type": "filter.gain",
                     "params": {"gain_db": "-6"}}, "edges": ["hub -> copy -> tape"]})"}))),
      "");
  world.settle();
  world.run_for(200 * kMsNs);
  // Into the middle of a chain, and out again.
  EXPECT_EQ(said(world.change(operations({R"({"op": "disconnect", "edge": "hub -> copy"})",
                                          R"({"op": "add", "id": "mid", "node": "filter.gain",
                     "edges": ["hub -> mid -> copy"]})"}))),
            "");
  world.settle();
  world.run_for(100 * kMsNs);
  EXPECT_EQ(said(world.change(operations({R"({"op": "remove", "id": "mid"})",
                                          R"({"op": "connect", "edge": "hub -> copy"})"}))),
            "");
  world.settle();
  EXPECT_FALSE(world.has_node("mid"));
  world.run_for(100 * kMsNs);
  EXPECT_EQ(said(world.change(operations(
                {R"({"op": "remove", "id": "copy"})", R"({"op": "remove", "id": "tape"})"}))),
            "");
  world.settle();
  EXPECT_FALSE(world.has_node("tape"));
  world.expect_accounted();
  EXPECT_GT(tests::sound_info(world.folder / "tape.wav").frames, 15'000U);
}

TEST(Session, Undo_goes_back_step_by_step) {
  SessionWorld world(kGraph);
  ASSERT_TRUE(world.session);
  ChangeRequest undo;
  undo.is_undo = true;
  EXPECT_EQ(said(world.change(undo)), "There is nothing to undo.");
  const graph::Value first = world.session->base();
  EXPECT_EQ(
      said(world.change(operations({R"({"op": "set", "target": "hub.mute", "value": true})"}))),
      "");
  EXPECT_EQ(said(world.change(route("here"))), "");
  world.settle();
  EXPECT_EQ(said(world.change(undo)), "");
  world.settle();
  EXPECT_TRUE(world.has_node("there"));
  EXPECT_EQ(world.node("hub").current_number(1), 1);
  EXPECT_EQ(said(world.change(undo)), "");
  EXPECT_EQ(world.node("hub").current_number(1), 0);
  EXPECT_EQ(world.session->base(), first);
}

TEST(Session, Dry_run_tells_and_does_nothing) {
  SessionWorld world(kGraph);
  ASSERT_TRUE(world.session);
  ChangeRequest request = route("here");
  request.is_dry_run = true;
  const ChangeResult result = world.change(request);
  EXPECT_EQ(said(result), "");
  EXPECT_EQ(result.version, 1U);
  EXPECT_EQ(graph::to_json(result.plan),
            R"({"stays": ["tone", "hub", "spare"], "built": ["here"], "replaced": [], )"
            R"("closed": ["there"], "set": [], "ramps_in": ["hub.out->here.in"], )"
            R"("ramps_out": ["hub.out->there.in"], "latency": [{"source": "tone", "sink": "here", )"
            R"("declared_ms": 0, "expected_ms": 0, )"
            R"("parts": [{"what": "tone.out->hub.in", "declared_ms": 0, "measured_ms": 0}], )"
            R"("unasked": ["here"]}]})");
  EXPECT_FALSE(world.has_node("here"));
  EXPECT_FALSE(std::filesystem::exists(world.folder / "here.wav"));
  EXPECT_EQ(world.engine().nodes().size(), 4U);
  EXPECT_EQ(world.session->version(), 1U);
}

TEST(Session, Document_may_have_an_input_that_nothing_feeds_as_a_change_may_leave_one) {
  SessionWorld world(kGraph);
  ASSERT_TRUE(world.session);
  ChangeRequest document;
  document.document = json(R"({"sluice": 1, "nodes": {
    "tone": {"type": "source.tone", "params": {"channels": 1, "live": true}},
    "hub": "filter.gain", "loose": "filter.gain", "end": "sink.null", "other": "sink.null"},
    "edges": ["tone -> hub -> end", "loose -> other"]})");
  EXPECT_EQ(said(world.change(document)), "");
  world.settle();
  world.run_for(100 * kMsNs);
  EXPECT_GT(world.node("end").inputs[0]->edges[0]->read_frames, 0U);
}

TEST(Session, Whole_document_and_patch_change_what_differs) {
  SessionWorld world(kGraph);
  ASSERT_TRUE(world.session);
  world.run_for(50 * kMsNs);
  const engine::Node* tone = &world.node("tone");
  ChangeRequest patch;
  patch.patch = json(R"([{"op": "test", "path": "/nodes/hub/type", "value": "filter.gain"},
    {"op": "replace", "path": "/nodes/hub/params/gain_db", "value": -12},
    {"op": "replace", "path": "/switches/main/initial", "value": "none"}])");
  EXPECT_EQ(said(world.change(patch)), "");
  EXPECT_EQ(world.node("hub").current_number(0), -12);
  patch.patch = json(R"([{"op": "replace", "path": "/nodes/hub/params/gain_db", "value": 0},
    {"op": "remove", "path": "/nodes/nobody"}])");
  EXPECT_THAT(said(world.change(patch)), HasSubstr("Operation 2 (remove /nodes/nobody)"));
  EXPECT_EQ(world.node("hub").current_number(0), -12);

  ChangeRequest document;
  document.document = json(R"({"sluice": 1, "nodes": {
    "tone": {"type": "source.tone", "params": {"channels": 1, "live": true}},
    "end": "sink.null"}, "edges": ["tone -> end"]})");
  EXPECT_EQ(said(world.change(document)), "");
  world.settle();
  EXPECT_EQ(tone, &world.node("tone"));
  EXPECT_EQ(world.engine().nodes().size(), 2U);
  world.expect_accounted();
}

TEST(Session, What_fails_leaves_everything_as_it_was) {
  SessionWorld world(kGraph);
  ASSERT_TRUE(world.session);
  world.run_for(50 * kMsNs);
  const graph::Value base = world.session->base();
  const size_t nodes = world.engine().nodes().size();
  const size_t lanes = world.engine().lanes().size();
  const auto refuse = [&](const std::vector<std::string>& steps) {
    const ChangeResult result = world.change(operations(steps));
    EXPECT_FALSE(result.status.ok());
    world.settle();
    EXPECT_EQ(world.session->base(), base);
    EXPECT_EQ(world.session->version(), 1U);
    EXPECT_EQ(world.engine().nodes().size(), nodes);
    EXPECT_EQ(world.engine().lanes().size(), lanes);
    EXPECT_EQ(world.engine().edges().size(), 2U);
    return said(result);
  };
  // The operation itself.
  EXPECT_EQ(refuse({R"({"op": "set", "target": "hab.mute", "value": true})"}),
            "There is no node hab; did you mean \"hub\"?");
  EXPECT_EQ(refuse({R"({"op": "jump"})"}),
            "There is no operation \"jump\"; there are set, route, connect, disconnect, add and "
            "remove.");
  // The graph that comes of it.
  EXPECT_THAT(refuse({R"({"op": "set", "target": "hub.gain_db", "value": 1000})"}),
              HasSubstr("set hub.gain_db: /nodes/hub/params/gain_db"));
  EXPECT_THAT(refuse({R"({"op": "set", "target": "hub.mute", "value": true})",
                      R"({"op": "route", "route": "*"})"}),
              HasSubstr("has no route"));
  // Creating and describing.
  EXPECT_THAT(refuse({R"({"op": "add", "id": "bad", "node": {"type": "source.tone",
                          "params": {"rate_hz": 8000, "frequency_hz": 20000}},
                          "edges": ["bad -> end"]})",
                      R"({"op": "add", "id": "end", "node": "sink.null"})"}),
              HasSubstr("Operation 1 (add bad): there is no node \"end\""));
  EXPECT_THAT(refuse({R"({"op": "add", "id": "end", "node": "sink.null"})",
                      R"({"op": "add", "id": "bad", "node": {"type": "source.tone",
                          "params": {"rate_hz": 8000, "frequency_hz": 20000}},
                          "edges": ["bad -> end"]})"}),
              HasSubstr("add bad: bad: frequency_hz must be at most half"));
  // Preparing: a folder that is not there is seen when the file is made.
  EXPECT_THAT(refuse({R"({"op": "route", "route": "no/where"})"}), HasSubstr("no/where"));
  // What the document may not say.
  EXPECT_THAT(refuse({R"({"op": "connect", "edge": "hub -> there", "options": {"pace": true}})"}),
              HasSubstr("hub.out->there.in"));
  world.run_for(100 * kMsNs);
  world.expect_accounted();
  EXPECT_EQ(world.engine().edges()[1]->lost_frames, 0U);
}

TEST(Session, Two_who_change_at_once_are_served_one_after_the_other) {
  SessionWorld world(kGraph);
  ASSERT_TRUE(world.session);
  world.run_for(50 * kMsNs);
  std::vector<std::string> heard;
  world.session->listen([&](const ChangeRequest& request, const ChangeResult& result) {
    heard.push_back(request.origin + " made " + std::to_string(result.version));
  });
  std::vector<std::string> answers;
  const auto ask = [&](ChangeRequest request, const std::string& who, uint64_t version) {
    request.origin = who;
    request.if_version = version;
    world.session->change(std::move(request), [&answers, who](const ChangeResult& result) {
      answers.push_back(who + ": " + said(result));
    });
  };
  ask(route("here"), "one", 1);
  ask(route("none"), "two", 1);
  ask(route("none"), "three", 2);
  world.run_for(500 * kMsNs);
  EXPECT_THAT(
      answers,
      ElementsAre("one: ", "two: The graph has changed meanwhile: it is at version 2, not 1.",
                  "three: "));
  EXPECT_THAT(heard, ElementsAre("one made 2", "three made 3"));
}

}  // namespace
}  // namespace sluice::session
