// Switches, routes, profiles that choose them, and includes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "host/graph/document.hpp"
#include "tests/unit/graph/loading.hpp"

namespace sluice::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> keys_of(const std::vector<graph::Edge>& edges) {
  std::vector<std::string> keys;
  for (const graph::Edge& edge : edges) keys.push_back(edge.key());
  return keys;
}

// A hub that goes to a file, a server of any name, or nowhere.
std::string hub(const std::string& initial) {
  return "{\"sluice\": 1, \"nodes\": {\"tone\": \"source.tone\", \"hub\": \"filter.gain\",\n"
         "\"local\": \"sink.null\", \"remote\": {\"type\": \"sink.tcp\", \"params\": {\"port\": "
         "1}}},\n"
         "\"edges\": [\"tone -> hub\"],\n"
         "\"routes\": {\"local\": [\"hub -> local\"], \"none\": [],\n"
         "\"*\": {\"edges\": [{\"from\": \"hub\", \"to\": \"remote\", \"gain_db\": -3}], \"set\": "
         "{\"remote.host\": \"${route}\", \"hub.mute\": true}}},\n" +
         (initial.empty() ? std::string() : "\"route\": \"" + initial + "\",\n") +
         "\"profiles\": {\"hotel\": {\"route\": \"none\"}}}";
}

TEST(Routes, the_initial_one_runs) {
  const graph::LoadResult result = load(hub("local"));
  ASSERT_THAT(lines(result.diagnostics), IsEmpty());
  const graph::Document& document = *result.document;
  EXPECT_THAT(keys_of(document.edges), ElementsAre("tone.out->hub.in"));
  EXPECT_THAT(keys_of(document.active_edges()),
              ElementsAre("tone.out->hub.in", "hub.out->local.in"));
  EXPECT_EQ(document.switches[0].id, "main");
  EXPECT_TRUE(document.find_node("remote")->dormant);
  EXPECT_EQ(document.find_node("remote")->find_parameter("host"), nullptr);
  EXPECT_FALSE(document.find_node("local")->dormant);
}

TEST(Routes, without_initial_the_first_named_one_runs) {
  EXPECT_EQ(load(hub("")).document->switches[0].initial.name, "local");
}

TEST(Routes, star_takes_any_name_and_sets_parameters) {
  const graph::LoadResult result = load(hub("box"));
  ASSERT_THAT(lines(result.diagnostics), IsEmpty());
  const graph::Document& document = *result.document;
  EXPECT_THAT(keys_of(document.active_edges()),
              ElementsAre("tone.out->hub.in", "hub.out->remote.in"));
  EXPECT_FALSE(document.find_node("remote")->dormant);
  EXPECT_EQ(std::get<std::string>(document.find_node("remote")->find_parameter("host")->value),
            "box");
  EXPECT_EQ(std::get<bool>(document.find_node("hub")->find_parameter("mute")->value), true);
}

TEST(Routes, command_line_and_profile_choose) {
  graph::LoadOptions options = text_options();
  options.profile = "hotel";
  EXPECT_EQ(load(hub("local"), options).document->switches[0].initial.name, "none");
  options.routes = {"box"};
  EXPECT_EQ(load(hub("local"), options).document->switches[0].initial.name, "box");
  options.routes = {"main=local"};
  EXPECT_EQ(load(hub("none"), options).document->switches[0].initial.name, "local");
  options.routes = {"mian=local"};
  EXPECT_THAT(lines(load(hub("none"), options).diagnostics),
              ElementsAre("--route \"mian=local\":1:1: there is no switch \"mian\"; did you mean "
                          "\"main\"?"));
}

TEST(Routes, node_in_use_must_have_what_only_other_routes_set) {
  std::string text = hub("local");
  text.replace(text.find("\"tone -> hub\""), 13, "\"tone -> hub\", \"tone -> remote\"");
  EXPECT_THAT(
      complaints(text),
      ElementsAre("g.json:2:23: /nodes/remote: remote (sink.tcp) needs \"host\" (the machine "
                  "to connect to); no route that is taken at the start sets it"));
}

TEST(Routes, later_ones_are_resolved_by_name) {
  const graph::Document document = *load(hub("local")).document;
  const graph::RouteResult box =
      graph::resolve_route(document, graph_catalog(), "main", "box:4953");
  ASSERT_THAT(lines(box.diagnostics), IsEmpty());
  EXPECT_THAT(keys_of(box.route->edges), ElementsAre("hub.out->remote.in"));
  EXPECT_EQ(box.route->edges[0].options.gain_db, -3);
  ASSERT_EQ(box.route->settings.size(), 2u);
  EXPECT_EQ(box.route->settings[0].node, "remote");
  EXPECT_EQ(box.route->settings[0].parameter, "host");
  EXPECT_EQ(std::get<std::string>(box.route->settings[0].value), "box:4953");
  EXPECT_THAT(graph::resolve_route(document, graph_catalog(), "main", "none").route->edges,
              IsEmpty());
  EXPECT_THAT(lines(graph::resolve_route(document, graph_catalog(), "kitchen", "x").diagnostics),
              ElementsAre(HasSubstr("there is no switch \"kitchen\"; there is only main")));
  EXPECT_FALSE(graph::resolve_route(document, graph_catalog(), "main", "*").route);
}

TEST(Routes, later_one_that_would_break_the_graph_is_refused) {
  const graph::LoadResult result = load(
      "{\"sluice\": 1, \"nodes\": {\"t\": \"source.tone\", \"n\": \"sink.null\",\n"
      "\"m\": \"filter.mix\", \"g\": \"filter.gain\"},\n"
      "\"edges\": [\"t -> m -> g -> n\"],\n"
      "\"routes\": {\"none\": [], \"*\": [\"g -> ${route}\"]}}");
  ASSERT_THAT(lines(result.diagnostics), IsEmpty());
  const auto said = [&](const char* route) {
    return lines(
        graph::resolve_route(*result.document, graph_catalog(), "main", route).diagnostics);
  };
  EXPECT_THAT(said("n"),
              ElementsAre("g.json:4:30: /routes/*/0: the edge g.out->n.in is there already, "
                          "at line 3, column 22; remove one of them"));
  EXPECT_THAT(said("m.side"),
              ElementsAre("g.json:4:30: /routes/*/0: edges go round in a circle: m -> "
                          "g -> m; remove one of them"));
  EXPECT_THAT(said("x"), ElementsAre("g.json:4:30: /routes/*/0: there is no node \"x\"; add it to "
                                     "\"nodes\""));
}

TEST(Routes, star_keeps_folders_and_hides_secrets) {
  const graph::LoadResult result = load(
      "{\"sluice\": 1, \"nodes\": {\"t\": {\"type\": \"source.tcp\"}, \"w\": {\"type\": "
      "\"sink.wav\"}},\n\"routes\": {\"none\": [], \"*\": {\"edges\": [\"t -> w\"], \"set\": "
      "{\"w.path\": \"x/${route}.wav\", \"t.password\": \"pw\"}}}}");
  ASSERT_THAT(lines(result.diagnostics), IsEmpty());
  const graph::Document& document = *result.document;
  EXPECT_THAT(graph::to_json(graph::to_normal_json(document)),
              HasSubstr("{\"w.path\": \"/nowhere/x/${route}.wav\", \"t.password\": \"***\"}"));
  EXPECT_THAT(graph::to_json(graph::to_normal_json(document, graph::Secrets::kReveal)),
              HasSubstr("\"t.password\": \"pw\""));
}

TEST(Routes, normal_form_keeps_them_all) {
  const std::string normal = graph::to_json(graph::to_normal_json(*load(hub("local")).document));
  EXPECT_THAT(
      normal,
      HasSubstr("\"switches\": {\"main\": {\"routes\": {\"local\": {\"edges\": "
                "{\"hub.out->local.in\": {}}}, \"none\": {\"edges\": {}}, \"*\": {\"edges\": "
                "[{\"gain_db\": -3, \"from\": \"hub\", \"to\": \"remote\"}], \"set\": "
                "{\"remote.host\": \"${route}\", \"hub.mute\": true}}}, \"initial\": "
                "\"local\"}}"));
}

TEST(Routes, faults_in_routes_not_taken_are_found) {
  EXPECT_THAT(
      complaints(
          "{\"sluice\": 1, \"nodes\": {\"t\": \"source.tone\", \"n\": \"sink.null\",\n"
          "\"w\": {\"type\": \"sink.wav\"}, \"g\": \"filter.gain\"},\n"
          "\"switches\": {\"a\": {\"routes\": {\"on\": [\"t -> g -> n\"],\n"
          "\"off\": {\"edges\": [\"t -> m\"], \"set\": {\"g.gian_db\": 1, \"g.gain_db\": 50}}}, "
          "\"initial\": \"no\"},\n"
          "\"b\": {\"routes\": {\"x\": [\"g -> n\"], \"*\": [\"g.ot -> w\"]}}}}"),
      ElementsAre(
          "g.json:2:1: /nodes/w: w (sink.wav) needs \"path\" (the file); add it to its "
          "\"params\"",
          "g.json:4:25: /switches/a/routes/off/edges/0: there is no node \"m\"; add it to "
          "\"nodes\"",
          "g.json:4:38: /switches/a/routes/off/set/g.gian_db: g (filter.gain) has no parameter "
          "\"gian_db\"; did you mean \"gain_db\"?",
          "g.json:4:67: /switches/a/routes/off/set/g.gain_db: \"gain_db\" must be -120 to 20 "
          "dB; 50 is outside",
          "g.json:4:85: /switches/a/initial: the switch \"a\" has no route \"no\"; there are on "
          "and off",
          "g.json:5:25: /switches/b/routes/x/0: the edge g.out->n.in is there already, at line "
          "3, column 44; remove one of them",
          "g.json:5:41: /switches/b/routes/*/0: g (filter.gain) has no port \"ot\"; did you "
          "mean \"out\"?"));
}

TEST(Routes, circle_that_only_one_route_closes_names_it) {
  EXPECT_THAT(
      complaints("{\"sluice\": 1, \"nodes\": {\"t\": \"source.tone\", \"n\": \"sink.null\",\n"
                 "\"m\": \"filter.mix\", \"g\": \"filter.gain\"},\n"
                 "\"edges\": [\"t -> m -> g -> n\"],\n"
                 "\"routes\": {\"dry\": [], \"feedback\": [\"g -> m.side\"]}}"),
      ElementsAre("g.json:4:37: /routes/feedback/0: edges go round in a circle: m -> g -> m; "
                  "remove one of them (when the switch \"main\" is at \"feedback\")"));
}

TEST(Routes, edges_of_two_routes_of_one_switch_never_make_a_circle) {
  EXPECT_THAT(
      complaints("{\"sluice\": 1, \"nodes\": {\"t\": \"source.tone\", \"n\": \"sink.null\",\n"
                 "\"a\": \"filter.gain\", \"b\": \"filter.gain\"},\n"
                 "\"routes\": {\"x\": [\"t -> a -> b -> n\"], \"y\": [\"t -> b -> a -> n\"]}}"),
      IsEmpty());
}

TEST(Routes, route_variable_elsewhere_is_an_error) {
  EXPECT_THAT(
      complaints(graph_with("", "\"description\": \"${route}\", \"edges\": [\"tone -> null\"]")),
      ElementsAre("g.json:5:17: /description: ${route} has a meaning only in the edges and "
                  "settings of a route"));
}

class Includes : public testing::Test {
 protected:
  std::vector<std::string> complaints_of(const std::string& file) {
    graph::LoadOptions options = text_options();
    options.folder = folder_.path();
    return lines(graph::load_file(file, graph_catalog(), options).diagnostics);
  }

  Folder folder_;
};

TEST_F(Includes, parts_become_one_graph) {
  folder_.write("main.json",
                "{\"sluice\": 1, \"include\": [\"p/a.json\", \"p/b.json\"], \"edges\": "
                "[\"t -> n\"], \"route\": \"x\"}");
  folder_.write("p/a.json",
                "{\"sluice\": 1, \"include\": [\"c.json\"], \"vars\": {\"f\": 220}, "
                "\"routes\": {\"x\": [\"t -> n2\"], \"y\": []}}");
  folder_.write("p/b.json",
                "{\"sluice\": 1, \"include\": [\"c.json\"], \"name\": \"b\", \"nodes\": {\"n\": "
                "\"sink.null\", \"n2\": \"sink.null\"}}");
  folder_.write("p/c.json",
                "{\"sluice\": 1, \"nodes\": {\"t\": {\"type\": \"source.tone\", \"params\": "
                "{\"frequency_hz\": \"${f}\"}}}}");
  graph::LoadOptions options = text_options();
  options.folder = folder_.path();
  const graph::LoadResult result = graph::load_file("main.json", graph_catalog(), options);
  ASSERT_THAT(lines(result.diagnostics), IsEmpty());
  EXPECT_EQ(result.document->name, "main");
  EXPECT_EQ(result.document->nodes.size(), 3u);
  EXPECT_THAT(keys_of(result.document->active_edges()), ElementsAre("t.out->n.in", "t.out->n2.in"));
  EXPECT_EQ(result.document->included.size(), 3u);
}

TEST_F(Includes, clash_names_both_places) {
  folder_.write("main.json",
                "{\"sluice\": 1, \"include\": [\"p/a.json\"],\n \"nodes\": {\"t\": "
                "\"source.tone\", \"n\": \"sink.null\"}, \"vars\": {\"v\": 1},\n"
                "\"edges\": [\"t -> n\"], \"description\": \"v ${v}\", "
                "\"latency_budget_ms\": 1}");
  folder_.write("p/a.json",
                "{\"sluice\": 1, \"nodes\": {\"t\": \"source.tone\"},\n\"vars\": {\"v\": 2}, "
                "\"edges\": [\"t -> n\"], \"latency_budget_ms\": 2}");
  EXPECT_THAT(
      complaints_of("main.json"),
      ElementsAre("p/a.json:1:25: /nodes/t: the node \"t\" is there already, at main.json:2:12; "
                  "rename or remove one of them",
                  "p/a.json:2:10: /vars/v: the variable \"v\" is there already, at "
                  "main.json:2:60; rename or remove one of them",
                  "p/a.json:2:30: /edges/0: the edge t.out->n.in is there already, at "
                  "main.json, line 3, column 12; remove one of them",
                  "p/a.json:2:40: /latency_budget_ms: \"latency_budget_ms\" is there already, at "
                  "main.json:3:68; remove one of them"));
}

TEST_F(Includes, circle_missing_file_and_bad_json_are_reported) {
  folder_.write("main.json",
                "{\"sluice\": 1, \"include\": [\"a.json\", \"b.jsn\", \"c.json\", 5, \"${x}\"]}");
  folder_.write("a.json", "{\"sluice\": 1, \"include\": [\"main.json\"]}");
  folder_.write("c.json", "{\"sluice\": 1");
  EXPECT_THAT(
      complaints_of("main.json"),
      ElementsAre("main.json:1:37: /include/1: there is no file \"b.jsn\"; did you mean "
                  "\"a.json\"?",
                  "main.json:1:56: /include/3: the name of a file to include must be text, not "
                  "a number",
                  "main.json:1:59: /include/4: the name of a file to include cannot hold "
                  "variables",
                  "a.json:1:27: /include/0: this file includes itself: main.json -> a.json -> "
                  "main.json",
                  "c.json:1:13: the file ends inside the object that begins at line 1, column "
                  "1; close it with }"));
}

TEST_F(Includes, faults_of_the_whole_graph_stand_at_the_outermost_file) {
  folder_.write("main.json", "{\"sluice\": 1, \"include\": [\"a.json\"]}");
  folder_.write("a.json", "{\"sluice\": 1}");
  EXPECT_THAT(complaints_of("main.json"),
              ElementsAre("main.json:1:1: the graph has no nodes; add \"nodes\": {\"a\": "
                          "\"TYPE\"}"));
}

TEST_F(Includes, depth_is_limited) {
  for (int i = 0; i < 20; ++i) {
    folder_.write("g" + std::to_string(i) + ".json",
                  "{\"sluice\": 1, \"include\": [\"g" + std::to_string(i + 1) + ".json\"]}");
  }
  EXPECT_THAT(
      complaints_of("g0.json"),
      testing::Contains("g16.json:1:27: /include/0: files include each other more than 16 deep "
                        "here"));
}

}  // namespace
}  // namespace sluice::test
