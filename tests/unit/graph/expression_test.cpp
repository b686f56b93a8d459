// Graphs in one line.
#include "host/graph/expression.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/graph/loading.hpp"

namespace sluice::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> expression_complaints(const std::string& text) {
  return lines(graph::load_expression(text, graph_catalog(), text_options()).diagnostics);
}

std::string json_of(const std::string& text) {
  const auto json = graph::expression_to_json(text, graph_catalog(), text_options());
  return json ? *json : json.error().message;
}

TEST(Expression, chain_becomes_a_graph) {
  const auto result =
      graph::load_expression("source.wav path=a.wav -> filter.gain gain_db=-6 -> sink.null",
                             graph_catalog(), text_options());
  ASSERT_THAT(lines(result.diagnostics), IsEmpty());
  const graph::Document& document = *result.document;
  EXPECT_EQ(document.name, "expression");
  ASSERT_EQ(document.nodes.size(), 3u);
  EXPECT_EQ(document.nodes[0].id, "wav");
  EXPECT_EQ(std::get<std::string>(document.nodes[0].find_parameter("path")->value),
            "/nowhere/a.wav");
  EXPECT_EQ(std::get<double>(document.nodes[1].find_parameter("gain_db")->value), -6);
  EXPECT_EQ(document.edges[1].key(), "gain.out->null.in");
  EXPECT_EQ(graph::to_text(document.nodes[1].find_parameter("gain_db")->at),
            "-e:1:46: /nodes/gain/params/gain_db");
}

TEST(Expression, equivalent_json_is_laid_out) {
  EXPECT_EQ(
      json_of("source.wav path=a.wav -> hub:filter.gain gain_db=-6 mute=false isolate=true -> "
              "sink.null; hub -> filter.channels map=1,0 mix='[[1, 0.5]]' -> sink.null"),
      R"({
  "sluice": 1,
  "nodes": {
    "wav": {"type": "source.wav", "params": {"path": "a.wav"}},
    "hub": {"type": "filter.gain", "isolate": true, "params": {"gain_db": -6, "mute": false}},
    "null": "sink.null",
    "channels": {"type": "filter.channels", "params": {"map": [1, 0], "mix": [[1, 0.5]]}},
    "null2": "sink.null"
  },
  "edges": [
    "wav -> hub -> null",
    "hub -> channels -> null2"
  ]
}
)");
}

TEST(Expression, names_and_ports_refer_before_and_after) {
  EXPECT_EQ(
      json_of("s.high -> sink.null\nsource.tone -> s:filter.split\ns.low -> m.side; source.tone "
              "->\n m:filter.mix -> sink.null"),
      R"({
  "sluice": 1,
  "nodes": {
    "null": "sink.null",
    "tone": "source.tone",
    "s": "filter.split",
    "tone2": "source.tone",
    "m": "filter.mix",
    "null2": "sink.null"
  },
  "edges": [
    "s.high -> null",
    "tone -> s",
    "s.low -> m.side",
    "tone2 -> m -> null2"
  ]
}
)");
}

TEST(Expression, quotes_keep_blanks_arrows_and_backslashes) {
  const auto result = graph::load_expression(
      R"(source.tcp mode=connect host='a -> b; "c"' -> sink.wav path="x \"y\" \\z.wav")",
      graph_catalog(), text_options());
  ASSERT_THAT(lines(result.diagnostics), IsEmpty());
  EXPECT_EQ(std::get<std::string>(result.document->nodes[0].find_parameter("host")->value),
            "a -> b; \"c\"");
  EXPECT_EQ(std::get<std::string>(result.document->nodes[1].find_parameter("path")->value),
            "/nowhere/x \"y\" \\z.wav");
}

TEST(Expression, lists_may_hold_blanks) {
  const auto result = graph::load_expression(
      "source.tone -> filter.channels map=[1, 0] mix=[[1, 0], [0, 1]] -> sink.null",
      graph_catalog(), text_options());
  ASSERT_THAT(lines(result.diagnostics), IsEmpty());
  EXPECT_EQ(std::get<graph::Matrix>(result.document->nodes[1].find_parameter("mix")->value),
            (graph::Matrix{2, {1, 0, 0, 1}}));
}

TEST(Expression, variables_work_as_in_files) {
  graph::LoadOptions options = text_options();
  options.variables = {"gain=-3"};
  options.settings = {"tone.channels=1"};
  const auto result = graph::load_expression(
      "source.tone -> filter.gain gain_db=${gain} -> sink.tcp host='$${x}' port=${env:PORT}",
      graph_catalog(), options);
  ASSERT_THAT(lines(result.diagnostics), IsEmpty());
  const graph::Document& document = *result.document;
  EXPECT_EQ(std::get<double>(document.nodes[1].find_parameter("gain_db")->value), -3);
  EXPECT_EQ(std::get<std::string>(document.nodes[2].find_parameter("host")->value), "${x}");
  EXPECT_EQ(std::get<std::int64_t>(document.nodes[2].find_parameter("port")->value), 4953);
  EXPECT_EQ(std::get<std::int64_t>(document.nodes[0].find_parameter("channels")->value), 1);
}

TEST(Expression, errors_point_at_their_column) {
  EXPECT_THAT(
      expression_complaints("source.tone wave=pnk -> sink.nul gain=1"),
      ElementsAre("-e:1:18: /nodes/tone/params/wave: \"wave\" must be one of sine, white or "
                  "pink, not the text \"pnk\"; did you mean \"pink\"?",
                  "-e:1:25: /nodes/nul/type: there is no node type \"sink.nul\"; did you mean "
                  "\"sink.null\"?"));
  EXPECT_THAT(
      expression_complaints("source.tone -> filter.gain gian_db=1 gain_db=\"99\" -> sink.null"),
      ElementsAre("-e:1:28: /nodes/gain/params/gian_db: gain (filter.gain) has no parameter "
                  "\"gian_db\"; did you mean \"gain_db\"?",
                  "-e:1:47: /nodes/gain/params/gain_db: \"gain_db\" must be -120 to 20 dB; 99 "
                  "is outside"));
  EXPECT_THAT(
      expression_complaints("source.tone -> x -> sink.null"),
      ElementsAre("-e:1:16: \"x\" is neither a type nor a node of this expression; \"sluice "
                  "plugins\" lists the types"));
  EXPECT_THAT(expression_complaints("a:source.tone -> s:filter.split; s.lwo -> sink.null"),
              ElementsAre("-e:1:36: /edges/1: s (filter.split) has no port \"lwo\"; did you mean "
                          "\"low\"?"));
  EXPECT_THAT(
      expression_complaints("source.tone -> a:filter.gain -> sink.null; a:sink.null"),
      ElementsAre("-e:1:44: /nodes/a: there are two nodes called \"a\"; rename one of them"));
  EXPECT_THAT(
      expression_complaints("source.tone -> a:filter.gain ->\n sink.null; a mute=true"),
      ElementsAre("-e:2:15: /nodes/a: parameters stand where the type of a does, not where it "
                  "is used again"));
}

TEST(Expression, syntax_errors_point_at_their_column) {
  EXPECT_THAT(expression_complaints(""), ElementsAre("-e:1:1: there is nothing here; write a graph "
                                                     "like \"source.tone -> sink.null\""));
  EXPECT_THAT(expression_complaints("source.tone -> ; -> sink.null"),
              ElementsAre("-e:1:16: a node is missing after ->",
                          "-e:1:18: a node is missing before "
                          "->"));
  EXPECT_THAT(expression_complaints("source.tone ->"),
              ElementsAre("-e:1:15: a node is missing after ->"));
  EXPECT_THAT(expression_complaints("source.wav path='a.wav -> sink.null"),
              ElementsAre("-e:1:17: this quote is not closed; end it with '"));
  EXPECT_THAT(expression_complaints("filter.channels map=[1, 0 -> sink.null"),
              ElementsAre("-e:1:17: this list is not closed; end it with ]"));
  EXPECT_THAT(expression_complaints("source.tone sine -> sink.null"),
              ElementsAre("-e:1:13: /nodes/tone: \"sine\" is no parameter; write KEY=VALUE, or -> "
                          "before a node"));
  for (const char* const arrow : {"=>", "→", ">", "|", "- >"}) {
    EXPECT_THAT(expression_complaints(std::string("source.tone ") + arrow + " sink.null"),
                ElementsAre("-e:1:13: /nodes/tone: \"" +
                            std::string(arrow).substr(0, std::string(arrow).find(' ')) +
                            "\" joins nothing; write -> between two nodes"));
  }
  EXPECT_THAT(expression_complaints("source.tone sink.null"),
              ElementsAre("-e:1:13: /nodes/tone: \"sink.null\" is a type of node and stands behind "
                          "tone without an arrow; write -> sink.null"));
  EXPECT_THAT(
      expression_complaints("source.tone level_db = -20 -> sink.null"),
      ElementsAre("-e:1:13: /nodes/tone: \"level_db\" is no parameter; write level_db=VALUE "
                  "without blanks around the equals sign"));
  EXPECT_THAT(
      expression_complaints("source.tone level_db= -> sink.null"),
      ElementsAre("-e:1:22: /nodes/tone/params/level_db: \"level_db\" must be a number (-120 "
                  "to 0 dB), not empty"));
  EXPECT_THAT(expression_complaints("source.tone level=-20 -> sink.null"),
              ElementsAre("-e:1:13: /nodes/tone/params/level: tone (source.tone) has no parameter "
                          "\"level\"; did you mean \"level_db\"?"));
  EXPECT_THAT(expression_complaints("source.wav -> sink.null"),
              ElementsAre("-e:1:1: /nodes/wav: wav (source.wav) needs \"path\" (the file); write "
                          "path=VALUE behind its type"));
  EXPECT_THAT(expression_complaints("{\"sluice\": 1}"),
              ElementsAre("-e:1:1: this is JSON, and -e takes a line like \"source.tone -> "
                          "sink.null\"; write it to a file and name that without -e"));
  EXPECT_THAT(expression_complaints("source.tone -> x: acme.wibble"),
              ElementsAre("-e:1:18: a type is missing right behind \"x:\"; write x:acme.wibble"));
  EXPECT_THAT(expression_complaints("source.tone -> x:"),
              ElementsAre("-e:1:18: a type is missing right behind \"x:\"; write x:TYPE"));
  EXPECT_THAT(expression_complaints("source.tone -> filter.gain: -> sink.null"),
              ElementsAre("-e:1:28: a type is missing right behind \"filter.gain:\"; write "
                          "filter.gain:TYPE"));
  EXPECT_THAT(expression_complaints(":source.tone -> sink.null"),
              ElementsAre("-e:1:1: a name is missing in front of the colon; write "
                          "NAME:source.tone, or leave the colon out"));
  EXPECT_THAT(
      expression_complaints("source.tone wave=sine wave=pink -> sink.null"),
      ElementsAre("-e:1:23: /nodes/tone/params/wave: \"wave\" is there twice; remove one of "
                  "them"));
  EXPECT_THAT(expression_complaints("source.tone -> sink.null \xFF"),
              ElementsAre("-e:1:26: this byte is not UTF-8"));
  EXPECT_THAT(expression_complaints("A:source.tone -> sink.null"),
              ElementsAre("-e:1:1: \"A\" cannot be the name of a node; use a-z, then a-z, 0-9, _ "
                          "and -"));
}

}  // namespace
}  // namespace sluice::test
