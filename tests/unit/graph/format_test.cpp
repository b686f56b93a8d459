// The canonical layout, and edits that leave the rest of a text alone.
#include "host/graph/format.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "host/graph/edit.hpp"
#include "tests/support/graph_properties.hpp"
#include "tests/unit/graph/loading.hpp"

namespace sluice::test {
namespace {

std::string formatted(std::string_view text) { return graph::format(text, "t").text; }

constexpr std::string_view kFormatted = R"(// A graph.

{
  "$schema": "../sdk/schema/graph.schema.json",
  "sluice": 1,
  // Where to.
  "vars": {"host": "127.0.0.1", "port": 4953},

  "nodes": {
    "tone": "source.tone", // heard
    /* Closed
         when quiet. */
    "gate": {"type": "filter.gate", "params": {"open_db": -5.0e1, "hold_ms": 2000}},
    "server": {
      "type": "sink.tcp",
      "params": {
        "host": "${host}",
        "port": "${port}" // as
                          // text
      }
    },
    "long": {
      "type": "source.tcp",
      "params": {"mode": "listen", "host": "0.0.0.0", "port": 4953, "password": "${env:PASSWORD}"}
    }
  },
  "edges": [
    "tone -> gate",
    "gate -> server"
  ] /* all */
}
// The end.
)";

TEST(Format, canonical_text_stays) {
  // But for comments, which stand on lines of their own.
  std::string text(kFormatted);
  text.replace(text.find("\n                          // text"), 33, "\n        // text");
  EXPECT_EQ(formatted(text), text);
}

TEST(Format, layout_is_made_canonical) {
  EXPECT_EQ(
      formatted(
          "\xEF\xBB\xBF{\"sluice\":1,\r\n\"nodes\":{\"a\":\"source.tone\"\r\n,\r\n\r\n\r\n\r\n"
          "\"b\":{ \"type\" :\"sink.null\",\t\"params\":{}} } , // n\r\n"
          "\"edges\":[ \"a->b\" ],\"vars\": {}}"),
      R"({
  "sluice": 1,
  "nodes": {
    "a": "source.tone",

    "b": {"type": "sink.null", "params": {}}
  }, // n
  "edges": ["a->b"],
  "vars": {}
}
)");
}

TEST(Format, comments_in_odd_places_survive) {
  const std::string text =
      "{ // first\n \"a\" /* k */ : /* v */ [ /* in */ ], /* t */ // u\n \"b\": [1, // one\n 2 /* "
      "two "
      "*/\n // last\n ], /* c */ \"d\": {\n // only\n }\n /* z */ }";
  EXPECT_EQ(broken_format(text), "");
  EXPECT_EQ(formatted(text), R"({
  // first
  /* k */
  /* v */
  "a": [
    /* in */
  ], /* t */ // u
  "b": [
    1, // one
    2 /* two */
    // last
  ], /* c */
  "d": {
    // only
  }
  /* z */
}
)");
}

TEST(Format, text_that_is_no_json_is_refused) {
  const graph::FormatResult result = graph::format("{\"a\": 1,}", "t");
  EXPECT_EQ(result.text, "");
  EXPECT_THAT(
      lines(result.diagnostics),
      testing::ElementsAre("t:1:8: this is a trailing comma; remove it, nothing follows before "
                           "}"));
}

constexpr std::string_view kText = R"({
  // head
  "vars": {"host": "a", "port": 1},
  "nodes": {
    "a": "source.tone", // the source
    // the sink
    "b": {"type": "sink.null", "params": {"pace": "free"}}  // slow
  },
  "edges": ["a -> b"]
}
)";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(Edit, replace_touches_nothing_else) {
  EXPECT_EQ(*graph::replace_value(kText, "/nodes/b/params/pace", "\"real-time\""),
            replaced(std::string(kText), "\"free\"", "\"real-time\""));
  EXPECT_EQ(*graph::set_value(kText, "/vars/port", "2"),
            replaced(std::string(kText), "\"port\": 1", "\"port\": 2"));
}

TEST(Edit, insert_takes_the_layout_of_its_neighbours) {
  EXPECT_EQ(*graph::insert_member(kText, "/nodes", "c", "\"sink.wav\""),
            replaced(std::string(kText), "\"free\"}}  // slow\n",
                     "\"free\"}},  // slow\n    \"c\": \"sink.wav\"\n"));
  EXPECT_EQ(*graph::insert_member(kText, "/vars", "x", "true"),
            replaced(std::string(kText), "\"port\": 1", "\"port\": 1, \"x\": true"));
  EXPECT_EQ(*graph::insert_element(kText, "/edges", "\"x -> y\"", 0),
            replaced(std::string(kText), "[\"a", "[\"x -> y\", \"a"));
  EXPECT_EQ(*graph::insert_element("[\n  1,\n  2\n]", "", "3", 1), "[\n  1,\n  3,\n  2\n]");
  EXPECT_EQ(*graph::insert_element("[\n  1 // one\n  // end\n]", "", "2"),
            "[\n  1, // one\n  2\n  // end\n]");
  EXPECT_EQ(*graph::insert_member("{\n}", "", "a", "1"), "{\n  \"a\": 1\n}");
  EXPECT_EQ(*graph::insert_member("{}", "", "a", "1"), "{\"a\": 1}");
}

TEST(Edit, set_makes_what_is_missing) {
  EXPECT_EQ(*graph::set_value("{\"nodes\": {\"g\": {\"type\": \"filter.gain\"}}}",
                              "/nodes/g/params/gain_db", "-6"),
            "{\"nodes\": {\"g\": {\"type\": \"filter.gain\", \"params\": {\"gain_db\": -6}}}}");
}

TEST(Edit, remove_takes_the_line_and_its_comma) {
  EXPECT_EQ(*graph::remove_value(kText, "/nodes/a"),
            replaced(std::string(kText), "    \"a\": \"source.tone\", // the source\n", ""));
  EXPECT_EQ(
      *graph::remove_value(kText, "/nodes/b"),
      replaced(replaced(std::string(kText),
                        "    \"b\": {\"type\": \"sink.null\", \"params\": {\"pace\": \"free\"}}  "
                        "// slow\n",
                        ""),
               "\"source.tone\", //", "\"source.tone\" //"));
  EXPECT_EQ(*graph::remove_value(kText, "/vars/port"),
            replaced(std::string(kText), "\"a\", \"port\": 1", "\"a\""));
  EXPECT_EQ(*graph::remove_value(kText, "/vars/host"),
            replaced(std::string(kText), "\"host\": \"a\", ", ""));
  EXPECT_EQ(*graph::remove_value("[\n  1,\n  // two\n  2\n]", "/0"), "[\n  // two\n  2\n]");
  EXPECT_EQ(*graph::remove_value("[\n  1,\n  2\n  // end\n]", "/1"), "[\n  1\n  // end\n]");
  EXPECT_EQ(*graph::remove_value(kText, "/edges/0"),
            replaced(std::string(kText), "[\"a -> b\"]", "[]"));
}

TEST(Edit, rename_changes_only_the_key) {
  EXPECT_EQ(*graph::rename_member(kText, "/nodes/b", "sink"),
            replaced(std::string(kText), "\"b\": {", "\"sink\": {"));
}

TEST(Edit, wrong_requests_are_refused) {
  EXPECT_EQ(graph::replace_value(kText, "/x", "1").error().message, "there is nothing at \"/x\"");
  EXPECT_EQ(graph::replace_value(kText, "/vars", "1,").error().message, "\"1,\" is no JSON value");
  EXPECT_EQ(graph::replace_value("{", "", "1").error().code, support::ErrorCode::kInvalid);
  EXPECT_FALSE(graph::insert_member(kText, "/vars", "host", "1"));
  EXPECT_FALSE(graph::insert_member(kText, "/edges", "host", "1"));
  EXPECT_FALSE(graph::insert_element(kText, "/vars", "1"));
  EXPECT_FALSE(graph::insert_element(kText, "/edges", "1", 2));
  EXPECT_FALSE(graph::rename_member(kText, "/nodes/b", "a"));
  EXPECT_FALSE(graph::remove_value(kText, ""));
}

TEST(Edit, every_place_can_be_edited_and_restored) {
  EXPECT_EQ(broken_edits(kText), "");
  EXPECT_EQ(broken_edits(kFormatted), "");
  EXPECT_EQ(
      broken_edits("{\"a\": [1, [], {}, [[2]]], // x\r\n\t\"b\": {\"c\": null /* y */, \"d\": 1}}"),
      "");
  EXPECT_EQ(broken_edits("[ /* a\n b */ ]"), "");
  EXPECT_EQ(broken_edits("[ // a\n ]"), "");
  EXPECT_EQ(broken_edits("[1 // a\n , // b\n 2 // c\n ]"), "");
}

}  // namespace
}  // namespace sluice::test
