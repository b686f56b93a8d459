// What is said about graphs that are JSON but wrong: exact place and sentence.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/graph/loading.hpp"

namespace sluice::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Graph, unknown_key_names_the_nearest) {
  EXPECT_THAT(complaints(graph_with("", "\"edgse\": [],\n\"edges\": [\"tone -> null\"]")),
              ElementsAre("g.json:5:1: /edgse: \"edgse\" is no key of a graph; did you mean "
                          "\"edges\"?"));
  EXPECT_THAT(complaints(graph_with("\"x\": {\"type\": \"filter.gain\", \"parms\": {}},",
                                    "\"edges\": [\"tone -> x -> null\"]")),
              ElementsAre("g.json:3:30: /nodes/x/parms: \"parms\" is no key of a node (parameters "
                          "stand in \"params\"); did you mean \"params\"?"));
  EXPECT_THAT(
      complaints(graph_with("",
                            "\"edges\": [{\"from\": \"tone\", \"to\": \"null\", "
                            "\"gian_db\": 1}]")),
      ElementsAre("g.json:5:42: /edges/0/gian_db: \"gian_db\" is no key of an edge; did you "
                  "mean \"gain_db\"?"));
}

TEST(Graph, version_must_be_one) {
  EXPECT_THAT(complaints("{\"nodes\": {\"a\": \"source.tone\", \"b\": \"sink.null\"},\n"
                         "\"edges\": [\"a -> b\"]}"),
              ElementsAre("g.json:1:1: the version of the format is missing; add \"sluice\": 1"));
  EXPECT_THAT(
      complaints("{\"sluice\": 2, \"nodes\": {\"a\": \"source.tone\", \"b\": \"sink.null\"},\n"
                 "\"edges\": [\"a -> b\"]}"),
      ElementsAre("g.json:1:12: /sluice: this graph is of version 2; this Sluice reads "
                  "version 1"));
}

TEST(Graph, unknown_type_names_the_nearest_or_the_reason) {
  EXPECT_THAT(
      complaints(graph_with("\"x\": \"filter.gian\",", "\"edges\": [\"tone -> x -> null\"]")),
      ElementsAre("g.json:3:6: /nodes/x: there is no node type \"filter.gian\"; did you "
                  "mean \"filter.gain\"?"));
  EXPECT_THAT(
      complaints(graph_with("\"x\": {\"type\": \"gain\"},", "\"edges\": [\"tone -> x -> null\"]")),
      ElementsAre("g.json:3:15: /nodes/x/type: there is no node type \"gain\"; did you mean "
                  "\"filter.gain\"?"));
  EXPECT_THAT(complaints(graph_with("\"x\": \"sink.broken\",", "\"edges\": [\"tone -> null\"]")),
              ElementsAre("g.json:3:6: /nodes/x: the type \"sink.broken\" cannot be used: "
                          "/lib/sink.broken.so was built for ABI 2; this is 1"));
}

TEST(Graph, unknown_node_port_and_parameter_name_the_nearest) {
  EXPECT_THAT(
      complaints(graph_with("", "\"edges\": [\"tone -> nul\"]")),
      ElementsAre("g.json:5:20: /edges/0: there is no node \"nul\"; did you mean \"null\"?"));
  EXPECT_THAT(
      complaints(graph_with("\"s\": \"filter.split\", \"n\": \"sink.null\",",
                            "\"edges\": [\"tone -> s\", \"s.lwo -> null\", \"s.high -> n\"]")),
      ElementsAre("g.json:5:27: /edges/1: s (filter.split) has no port \"lwo\"; did you mean "
                  "\"low\"?"));
  EXPECT_THAT(
      complaints(graph_with("\"x\": {\"type\": \"filter.gain\", \"params\": {\"gain\": 1}},",
                            "\"edges\": [\"tone -> x -> null\"]")),
      ElementsAre("g.json:3:41: /nodes/x/params/gain: x (filter.gain) has no parameter "
                  "\"gain\"; did you mean \"gain_db\"?"));
}

TEST(Graph, value_out_of_range_names_the_range) {
  EXPECT_THAT(
      complaints(graph_with("\"x\": {\"type\": \"filter.gain\", \"params\": {\"gain_db\": 20.5}},",
                            "\"edges\": [\"tone -> x -> null\"]")),
      ElementsAre(
          "g.json:3:52: /nodes/x/params/gain_db: \"gain_db\" must be -120 to 20 dB; 20.5 is "
          "outside"));
  EXPECT_THAT(
      complaints(graph_with("",
                            "\"edges\": [{\"from\": \"tone\", \"to\": \"null\", "
                            "\"delay_ms\": -1}]")),
      ElementsAre("g.json:5:54: /edges/0/delay_ms: \"delay_ms\" must be 0 to 60000 ms; -1 is "
                  "outside"));
}

TEST(Graph, wrong_kind_names_the_right_one) {
  EXPECT_THAT(
      complaints(graph_with("\"x\": {\"type\": \"filter.gain\", \"params\": {\"gain_db\": "
                            "\"-6\",\n\"mute\": 1, \"limiter\": \"an\"}},",
                            "\"edges\": [\"tone -> x -> null\"]")),
      ElementsAre("g.json:3:52: /nodes/x/params/gain_db: \"gain_db\" must be a number (-120 to "
                  "20 dB), not the text \"-6\"; remove the quotes",
                  "g.json:4:9: /nodes/x/params/mute: \"mute\" must be true or false, not 1",
                  "g.json:4:23: /nodes/x/params/limiter: \"limiter\" must be one of off or "
                  "on, not the text \"an\""));
  EXPECT_THAT(
      complaints(graph_with("\"x\": {\"type\": \"filter.channels\", \"params\": {\"map\": [0, "
                            "true],\n\"mix\": [[1, 0], [1]]}},",
                            "\"edges\": [\"tone -> x -> null\"]")),
      ElementsAre("g.json:3:52: /nodes/x/params/map: \"map\" must be a list of numbers only, "
                  "not true",
                  "g.json:4:8: /nodes/x/params/mix: \"mix\" must have rows of equal length; "
                  "row 2 has 1 numbers, the first has 2"));
  EXPECT_THAT(complaints("{\"sluice\": 1, \"nodes\": []}"),
              ElementsAre("g.json:1:24: /nodes: \"nodes\" must be an object, not a list"));
}

TEST(Graph, missing_parameter_is_named_at_its_node) {
  EXPECT_THAT(
      complaints(graph_with("\"t\": {\"type\": \"sink.tcp\", \"params\": {\"host\": \"a\"}},",
                            "\"edges\": [\"tone -> null\", \"tone -> t\"]")),
      ElementsAre("g.json:3:1: /nodes/t: t (sink.tcp) needs \"port\" (its port); add it to its "
                  "\"params\""));
}

TEST(Graph, circle_is_named_step_by_step) {
  EXPECT_THAT(
      complaints(graph_with("\"m\": \"filter.mix\", \"a\": \"filter.gain\", \"b\": "
                            "\"filter.gain\",",
                            "\"edges\": [\"tone -> m -> a -> b -> null\",\n\"b -> m.side\"]")),
      ElementsAre("g.json:6:2: /edges/1: edges go round in a circle: m -> a -> b -> m; remove "
                  "one of them"));
  EXPECT_THAT(complaints(graph_with("\"m\": \"filter.mix\",",
                                    "\"edges\": [\"tone -> m -> null\",\n\"m -> m.side\"]")),
              ElementsAre("g.json:6:2: /edges/1: edges go round in a circle: m -> m; remove one of "
                          "them"));
}

TEST(Graph, unconnected_input_is_an_error_unless_optional) {
  EXPECT_THAT(complaints(graph_with("\"m\": \"filter.mix\", \"g\": \"filter.gain\",",
                                    "\"edges\": [\"m -> null\", \"tone -> m.side\"]")),
              ElementsAre("g.json:3:1: /nodes/m: the input \"main\" of m (filter.mix) is not "
                          "connected; add an edge that ends at m",
                          "g.json:3:20: /nodes/g: the input \"in\" of g (filter.gain) is not "
                          "connected; add an edge that ends at g"));
  EXPECT_THAT(
      complaints(graph_with("\"m\": \"filter.mix\",", "\"edges\": [\"tone -> m -> null\"]")),
      IsEmpty());
}

TEST(Graph, edge_between_wrong_ends_is_refused) {
  EXPECT_THAT(
      complaints(graph_with("\"g\": \"filter.gain\",",
                            "\"edges\": [\"tone -> g -> null\", \"tone.out -> g.out\"]")),
      ElementsAre("g.json:5:47: /edges/1: g.out is an output; an edge ends at an input: in"));
  EXPECT_THAT(
      complaints(graph_with("", "\"edges\": [\"tone -> null\", \"null -> tone\"]")),
      ElementsAre("g.json:5:28: /edges/1: null (sink.null) has no output; no edge can begin at "
                  "it",
                  "g.json:5:36: /edges/1: tone (source.tone) has no input; no edge can end at "
                  "it"));
  EXPECT_THAT(
      complaints(graph_with("\"s\": \"filter.split\",", "\"edges\": [\"tone -> s -> null\"]")),
      ElementsAre("g.json:5:20: /edges/0: s (filter.split) has several outputs; say which, "
                  "such as s.low (low or high)"));
  EXPECT_THAT(
      complaints(graph_with("\"r\": \"sink.rtp\",",
                            "\"edges\": [\"tone -> null\", \"tone -> "
                            "r\"]")),
      ElementsAre("g.json:5:28: /edges/1: tone.out carries PCM, but r.packets takes packets; "
                  "put an encoder between them"));
}

TEST(Graph, edge_that_is_there_twice_is_refused) {
  EXPECT_THAT(
      complaints(graph_with("",
                            "\"edges\": [\"tone -> null\",\n{\"from\": \"tone.out\", \"to\": "
                            "\"null.in\"}]")),
      ElementsAre(
          "g.json:6:11: /edges/1/from: the edge tone.out->null.in is there already, at line "
          "5, column 12; remove one of them"));
}

TEST(Graph, malformed_edges_are_refused) {
  EXPECT_THAT(
      complaints(graph_with("",
                            "\"edges\": [\"tone -> null\", \"tone -> -> null\", \"tone\", "
                            "{\"from\": \"tone\"}, 5]")),
      ElementsAre("g.json:5:35: /edges/1: the name of a node is missing here",
                  "g.json:5:46: /edges/2: an edge needs two ends: \"a -> b\"",
                  "g.json:5:54: /edges/3: this edge has no \"to\"; an edge is {\"from\": \"a\", "
                  "\"to\": \"b\"}",
                  "g.json:5:72: /edges/4: an edge must be text like \"a -> b\", or an object "
                  "with \"from\" and \"to\"; this is a number"));
}

TEST(Graph, fault_that_hides_edges_or_nodes_is_told_alone) {
  const std::string nodes =
      "{\"sluice\": 1, \"nodes\": {\"a\": \"source.tone\", \"b\": \"sink.null\"}";
  EXPECT_THAT(complaints(nodes + ", \"edges\": \"a -> b\"}"),
              ElementsAre("g.json:1:73: /edges: edges must be a list, or an object keyed by "
                          "\"a.out->b.in\"; this is text"));
  EXPECT_THAT(
      complaints(nodes + ", \"edges\": [[\"a\", \"b\"]]}"),
      ElementsAre("g.json:1:74: /edges/0: an edge must be text like \"a -> b\", or an object "
                  "with \"from\" and \"to\"; this is a list"));
  EXPECT_THAT(complaints(nodes + ", \"edges\": [\"a => b\"]}"),
              ElementsAre("g.json:1:75: /edges/0: there is no node \"a => b\"; an edge is written "
                          "\"a -> b\""));
  EXPECT_THAT(complaints(nodes + ", \"edges\": [\"a -> \"]}"),
              ElementsAre("g.json:1:79: /edges/0: the name of a node is missing here"));
  EXPECT_THAT(complaints("{\"sluice\": 1, \"nodes\": [\"source.tone\"]}"),
              ElementsAre("g.json:1:24: /nodes: \"nodes\" must be an object, not a list"));
  EXPECT_THAT(complaints("{\"sluice\": 1 \"nodes\": {}}"),
              ElementsAre("g.json:1:13: a comma is missing here"));
  EXPECT_THAT(
      complaints("{\"sluice\": \"1\", \"nodes\": {\"a\": \"\"}}"),
      ElementsAre("g.json:1:12: /sluice: \"sluice\" is the version of the format and must be "
                  "the number 1",
                  "g.json:1:32: /nodes/a: the type of a is empty; \"sluice plugins\" lists "
                  "those there are"));
}

TEST(Graph, same_listening_port_is_refused) {
  const auto listeners = [](const std::string& a, const std::string& b) {
    return graph_with("\"a\": {\"type\": \"source.tcp\", \"params\": {" + a + "}},\n" +
                          "\"b\": {\"type\": \"source.tcp\", \"params\": {" + b +
                          "}}, \"n2\": \"sink.null\", \"n3\": \"sink.null\",",
                      "\"edges\": [\"tone -> null\", \"a -> n2\", \"b -> n3\"]");
  };
  EXPECT_THAT(complaints(listeners("\"port\": 5000", "\"port\": 5000, \"host\": \"127.0.0.1\"")),
              ElementsAre("g.json:4:48: /nodes/b/params/port: both a and b take the same TCP port "
                          "(host \"127.0.0.1\", port \"5000\"); change one of them"));
  EXPECT_THAT(complaints(listeners("\"port\": 5000", "\"port\": 5001")), IsEmpty());
  EXPECT_THAT(complaints(listeners("\"port\": 0", "\"port\": 0")), IsEmpty());
  EXPECT_THAT(complaints(listeners("\"port\": 5000", "\"port\": 5000, \"mode\": \"connect\"")),
              IsEmpty());
}

TEST(Graph, same_file_is_refused_for_writers) {
  const auto files = [](const std::string& a, const std::string& b) {
    return graph_with("\"a\": {\"type\": \"sink.wav\", \"params\": {\"path\": \"" + a + "\"}},\n" +
                          "\"b\": {\"type\": \"sink.wav\", \"params\": {\"path\": \"" + b + "\"}},",
                      "\"edges\": [\"tone -> null\", \"tone -> a\", \"tone -> b\"]");
  };
  EXPECT_THAT(complaints(files("x.wav", "./y/../x.wav")),
              ElementsAre("g.json:4:46: /nodes/b/params/path: both a and b write "
                          "\"/nowhere/x.wav\"; give one of them another file"));
  EXPECT_THAT(complaints(files("x.wav", "y.wav")), IsEmpty());
  EXPECT_THAT(complaints(files("/dev/null", "/dev/null")), IsEmpty());
  EXPECT_THAT(complaints("{\"sluice\": 1, \"nodes\": {\n"
                         "\"r\": {\"type\": \"source.wav\", \"params\": {\"path\": \"x.wav\"}},\n"
                         "\"w\": {\"type\": \"sink.wav\", \"params\": {\"path\": \"x.wav\"}}},\n"
                         "\"edges\": [\"r -> w\"]}"),
              ElementsAre("g.json:3:46: /nodes/w/params/path: w writes \"/nowhere/x.wav\", which r "
                          "reads; give one of them another file"));
}

TEST(Graph, missing_file_and_folder_are_refused) {
  const Folder folder;
  folder.write("drums.wav", "");
  graph::LoadOptions options = text_options();
  options.folder = folder.path();
  options.check_files = true;
  const std::string in = folder.path().string();
  EXPECT_THAT(
      complaints("{\"sluice\": 1, \"nodes\": {\n"
                 "\"r\": {\"type\": \"source.wav\", \"params\": {\"path\": \"drum.wav\"}},\n"
                 "\"s\": {\"type\": \"source.wav\", \"params\": {\"path\": \".\"}},\n"
                 "\"w\": {\"type\": \"sink.wav\", \"params\": {\"path\": \"out/x.wav\"}}},\n"
                 "\"edges\": [\"r -> w\", \"s -> w\"]}",
                 options),
      ElementsAre(
          "g.json:2:48: /nodes/r/params/path: there is no file \"" + in +
              "/drum.wav\"; did you mean \"drums.wav\"?",
          "g.json:3:48: /nodes/s/params/path: \"" + in + "/\" is a folder; name a file in it",
          "g.json:4:46: /nodes/w/params/path: there is no folder \"" + in +
              "/out\"; create it first"));
}

TEST(Graph, missing_graph_file_names_the_nearest) {
  const Folder folder;
  folder.write("radio.json", "{}");
  const auto result = graph::load_file(folder.path() / "raido.json", graph_catalog());
  EXPECT_THAT(
      lines(result.diagnostics),
      ElementsAre((folder.path() / "raido.json").string() + ":1:1: there is no file \"" +
                  (folder.path() / "raido.json").string() + "\"; did you mean \"radio.json\"?"));
}

TEST(Graph, bad_ids_and_names_are_refused) {
  EXPECT_THAT(
      complaints(graph_with("", "\"name\": \"a/b\", \"edges\": [\"tone -> null\"]")),
      ElementsAre("g.json:5:9: /name: \"a/b\" cannot be the name of a graph; use at most 64 "
                  "letters, digits, ., _ and -"));
  EXPECT_THAT(
      complaints("{\"sluice\": 1, \"nodes\": {\"A\": \"source.tone\"}}"),
      ElementsAre("g.json:1:25: /nodes/A: \"A\" cannot be the id of a node; use a-z, then a-z, "
                  "0-9, _ and -"));
}

TEST(Graph, all_errors_come_at_once) {
  EXPECT_EQ(complaints(
                graph_with("\"x\": {\"type\": \"filter.gian\"}, \"y\": {\"type\": \"filter.gain\", "
                           "\"params\": {\"gain_db\": 99, \"mtue\": true,}},",
                           "\"edges\": [\"tone -> x -> y -> null\", \"nul -> y\"], \"foo\": 1"))
                .size(),
            6u);
}

TEST(Graph, secrets_are_not_repeated_in_messages) {
  const auto said = complaints(
      graph_with("\"t\": {\"type\": \"sink.tcp\", \"params\": {\"host\": \"a\", \"port\": 1, "
                 "\"password\": 12345}},",
                 "\"edges\": [\"tone -> null\", \"tone -> t\"]"));
  EXPECT_THAT(said,
              ElementsAre("g.json:3:74: /nodes/t/params/password: \"password\" must be text"));
}

TEST(Graph, messages_end_after_a_thousand) {
  std::string edges;
  for (int i = 0; i < 1500; ++i) edges += "\"x" + std::to_string(i) + " -> null\",\n";
  const auto said = complaints(graph_with("", "\"edges\": [" + edges + "\"tone -> null\"]"));
  ASSERT_EQ(said.size(), graph::kMaximumDiagnostics + 1);
  EXPECT_THAT(said.back(), testing::HasSubstr("there is more: 500 further messages are not shown"));
}

}  // namespace
}  // namespace sluice::test
