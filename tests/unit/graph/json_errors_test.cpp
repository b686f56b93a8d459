// What is said about text that is no JSON, and where.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "host/graph/json_text.hpp"
#include "host/graph/report.hpp"
#include "host/graph/source_text.hpp"
#include "tests/unit/graph/loading.hpp"

namespace sluice::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> json_errors(std::string text) {
  graph::Report report;
  const graph::SourceText source("t", {}, std::move(text));
  const graph::JsonText json(source, report);
  return lines(report.take());
}

struct Case {
  std::string text;
  std::string error;
};

class JsonError : public testing::TestWithParam<Case> {};

TEST_P(JsonError, text_is_refused_at_its_place) {
  EXPECT_THAT(json_errors(GetParam().text), ElementsAre(GetParam().error));
}

INSTANTIATE_TEST_SUITE_P(
    all, JsonError,
    testing::Values(
        Case{"", "t:1:1: there is nothing here; a graph is one JSON object: {...}"},
        Case{" \n // only this\n",
             "t:3:1: there is nothing here; a graph is one JSON object: {...}"},
        Case{"{\"a\": 1,}", "t:1:8: this is a trailing comma; remove it, nothing follows before }"},
        Case{"{\"a\": [1, 2,\n]}",
             "t:1:12: /a: this is a trailing comma; remove it, nothing follows before ]"},
        Case{"{\"a\": 1 \"b\": 2}", "t:1:8: a comma is missing here"},
        Case{"[1 2]", "t:1:3: a comma is missing here"},
        Case{"{\"a\": 1,\n \"a\": 2}",
             "t:2:2: /a: the key \"a\" is there already, at line 1, column 2; remove one of them"},
        Case{"{\"x\": {\"a\": 1, \"\\u0061\": 2}}",
             "t:1:16: /x/a: the key \"a\" is there already, at line 1, column 8; remove one of "
             "them"},
        Case{"{\"a\": 01}",
             "t:1:7: /a: \"01\" is not a number; write numbers like 48000, -6.5 or 1e-3"},
        Case{"{\"a\": 1.}",
             "t:1:7: /a: \"1.\" is not a number; write numbers like 48000, -6.5 or 1e-3"},
        Case{"{\"a\": .5}",
             "t:1:7: /a: \".5\" is not a number; write numbers like 48000, -6.5 or 1e-3"},
        Case{"{\"a\": +5}",
             "t:1:7: /a: \"+5\" is not a number; write numbers like 48000, -6.5 or 1e-3"},
        Case{"{\"a\": 0x10}",
             "t:1:7: /a: \"0x10\" is not a number; write numbers like 48000, -6.5 or 1e-3"},
        Case{"{\"a\": 1e400}",
             "t:1:7: /a: \"1e400\" is out of range; numbers go from 2.3e-308 to 1.7e308 and the "
             "same "
             "below zero"},
        Case{"{\"a\": 9223372036854775808}",
             "t:1:7: /a: \"9223372036854775808\" is out of range; whole numbers go from "
             "-9223372036854775808 to 9223372036854775807"},
        Case{"[NaN]", "t:1:2: /0: JSON has no NaN; write a finite number"},
        Case{"[-Infinity]", "t:1:2: /0: JSON has no infinity; write a finite number"},
        Case{"[True]", "t:1:2: /0: True is written true in JSON"},
        Case{"[abc]", "t:1:2: /0: texts stand in double quotes: \"abc\""},
        Case{"['a']", "t:1:2: /0: texts stand in double quotes, not single ones"},
        Case{"{a: 1}", "t:1:2: keys stand in double quotes: \"a\""},
        Case{"{\"a\" 1}", "t:1:6: a colon must stand between \"a\" and its value"},
        Case{"{\"a\": }", "t:1:7: the value of \"a\" is missing"},
        Case{"[,1]", "t:1:2: a value is missing before this comma"},
        Case{"[1,,2]", "t:1:4: a value is missing before this comma"},
        Case{"{\"a\": [1, 2}", "t:1:12: /a: a comma or ] must stand here, not '}'"},
        Case{
            "{\"a\": {\"b\": 1",
            "t:1:14: /a: the file ends inside the object that begins at line 1, column 7; close it "
            "with }"},
        Case{"[1,",
             "t:1:4: the file ends inside the list that begins at line 1, column 1; close it "
             "with ]"},
        Case{"[1] x",
             "t:1:5: 'x' follows the end of the document; remove it, or what closes the "
             "document too early"},
        Case{"[\"a", "t:1:2: /0: this text is not closed; end it with a double quote"},
        Case{"[\"a\n\"]",
             "t:1:2: /0: this text is not closed on its line; end it with a double "
             "quote"},
        Case{"[\"a\tb\"]",
             "t:1:4: /0: the control character 0x09 must not stand in a text as it "
             "is; write \\t"},
        Case{"[\"\\x\"]",
             "t:1:3: /0: a backslash must be written twice; alone it begins one of "
             "\\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u0000"},
        Case{"[\"\\u12g4\"]", "t:1:3: /0: \\u must be followed by four hex digits"},
        Case{"[\"\\u0000\"]", "t:1:3: /0: \\u0000 (NUL) must not stand in a text"},
        Case{"[\"\\ud83d\"]",
             "t:1:3: /0: this is half of a surrogate pair; write the character "
             "itself or both halves"},
        Case{"[1] /* x", "t:1:5: this comment is not closed; end it with */"},
        Case{"[1, /", "t:1:5: /1: a value must stand here, not '/'"},
        Case{std::string("[\x01]"),
             "t:1:2: /0: a value must stand here, not the control character "
             "0x01"},
        Case{"[\"a\xFF\"]", "t:1:4: this byte is not UTF-8; save the file as UTF-8"},
        Case{"[\"\xC0\xAF\"]", "t:1:3: this byte is not UTF-8; save the file as UTF-8"},
        Case{"[\"\xED\xA0\x80\"]", "t:1:3: this byte is not UTF-8; save the file as UTF-8"},
        Case{"\xFF\xFE{", "t:1:1: this is UTF-16; save it as UTF-8"}));

TEST(JsonText, several_faults_are_reported_together) {
  EXPECT_THAT(
      json_errors("{\"a\": 1,\n \"a\": [1,],\n \"b\": 2\n \"c\": 3,}"),
      ElementsAre("t:2:2: /a: the key \"a\" is there already, at line 1, column 2; remove one "
                  "of them",
                  "t:2:9: /a: this is a trailing comma; remove it, nothing follows before ]",
                  "t:3:8: a comma is missing here",
                  "t:4:8: this is a trailing comma; remove it, nothing follows before }"));
}

TEST(JsonText, comments_and_byte_order_mark_are_allowed) {
  EXPECT_THAT(json_errors("\xEF\xBB\xBF// a\n{/* b */ \"a\" /**/ : // c\n 1 /* d */}\n// end"),
              IsEmpty());
}

TEST(JsonText, columns_count_characters_with_tabs_crlf_and_umlauts) {
  // Each fault is a value that is no word; the text before it varies.
  EXPECT_THAT(json_errors("{\t\"a\":\tx}"),
              ElementsAre("t:1:8: /a: texts stand in double quotes: \"x\""));
  EXPECT_THAT(json_errors("{\r\n\"a\": 1,\r\n  \"b\": x}"),
              ElementsAre("t:3:8: /b: texts stand in double quotes: \"x\""));
  EXPECT_THAT(json_errors("{\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\": x}"),
              ElementsAre("t:1:9: /\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80: texts stand in double "
                          "quotes: \"x\""));
  EXPECT_THAT(json_errors("\xEF\xBB\xBF[x]"),
              ElementsAre("t:1:2: /0: texts stand in double quotes: \"x\""));
}

TEST(JsonText, places_are_exact_far_into_a_long_line) {
  std::string text = "[";
  for (int i = 0; i < 3000; ++i) text += "\"\xC3\xA4\",";
  text += "x]";
  EXPECT_THAT(json_errors(text),
              ElementsAre("t:1:12002: /3000: texts stand in double quotes: \"x\""));
}

TEST(JsonText, places_are_exact_behind_many_lines) {
  std::string text = "[";
  for (int i = 0; i < 5000; ++i) text += "1,\r\n\n";
  text += "  x]";
  EXPECT_THAT(json_errors(text),
              ElementsAre("t:10001:3: /5000: texts stand in double quotes: \"x\""));
}

TEST(JsonText, values_keep_their_kind_order_and_place) {
  graph::Report report;
  const graph::SourceText source("t", {},
                                 "{\"z\": null, \"a~/b\": [true, -1, 2.5e1, "
                                 "\"\\u00e9\\ud83d\\ude00\\n\"], \"e\": {}, \"l\": []}");
  const graph::JsonText json(source, report);
  ASSERT_FALSE(report.has_errors());
  EXPECT_EQ(graph::to_json(json.root()->value()),
            "{\"z\": null, \"a~/b\": [true, -1, 25, \"\xC3\xA9\xF0\x9F\x98\x80\\n\"], \"e\": {}, "
            "\"l\": []}");
  const auto place = json.find("/a~0~1b/3");
  ASSERT_TRUE(place);
  EXPECT_EQ(graph::to_text(place->at()), "t:1:39: /a~0~1b/3");
  EXPECT_FALSE(json.find("/a~0~1b/4"));
  EXPECT_FALSE(json.find("/a~0~1b/03"));
  EXPECT_FALSE(json.find("x"));
  EXPECT_TRUE(json.find(""));
}

TEST(JsonText, numbers_at_the_ends_of_their_range_are_exact) {
  const auto value = graph::parse_json_value(
      "[9223372036854775807, -9223372036854775808, 1.7976931348623157e308, 0.1, 1e-3, -0]");
  ASSERT_TRUE(value);
  EXPECT_EQ(value->elements()[0].integer(), 9223372036854775807);
  EXPECT_EQ(value->elements()[1].integer(), std::int64_t{-9223372036854775807} - 1);
  EXPECT_EQ(value->elements()[2].number(), 1.7976931348623157e308);
  EXPECT_EQ(graph::to_json(value->elements()[3]), "0.1");
  EXPECT_EQ(graph::to_json(value->elements()[4]), "0.001");
}

}  // namespace
}  // namespace sluice::test
