// Types, values, nearest names, schema and skeletons.
#include "host/graph/catalog.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <clocale>
#include <string>

#include "host/graph/json_text.hpp"
#include "host/graph/nearest_name.hpp"
#include "host/graph/new_graph.hpp"
#include "host/graph/schema.hpp"
#include "tests/unit/graph/loading.hpp"

namespace sluice::test {
namespace {

using graph::Parameter;
using graph::ParameterKind;
using graph::Value;

graph::NodeType a_type() {
  graph::NodeType type;
  type.id = "filter.x";
  type.ports = {{"in", graph::PortDirection::kInput, graph::PortKind::kPcm, false, ""},
                {"out", graph::PortDirection::kOutput, graph::PortKind::kPcm, false, ""}};
  Parameter gain;
  gain.key = "gain_db";
  gain.minimum = -10;
  gain.maximum = 10;
  type.parameters = {gain};
  return type;
}

std::string refusal(graph::NodeType type) {
  graph::Catalog catalog;
  const support::Status status = catalog.add(std::move(type));
  return status ? "" : status.error().message;
}

TEST(Catalog, contradictions_are_refused) {
  EXPECT_EQ(refusal(a_type()), "");
  auto type = a_type();
  type.id = "Filter";
  EXPECT_EQ(refusal(type),
            "the node type \"Filter\" has an id that is not of the form \"filter.gate\"");
  type = a_type();
  type.ports.push_back(type.ports[0]);
  EXPECT_EQ(refusal(type), "the node type \"filter.x\" has two ports \"in\"");
  type = a_type();
  type.parameters.push_back(type.parameters[0]);
  EXPECT_EQ(refusal(type), "the node type \"filter.x\" has two parameters \"gain_db\"");
  type = a_type();
  type.parameters[0].default_value = 11.0;
  EXPECT_EQ(refusal(type),
            "the node type \"filter.x\" has a parameter \"gain_db\" whose default is "
            "not one of its values");
  type = a_type();
  type.parameters[0].required = true;
  type.parameters[0].default_value = 1.0;
  EXPECT_EQ(refusal(type),
            "the node type \"filter.x\" has a parameter \"gain_db\" that is required "
            "and has a default");
  type = a_type();
  type.parameters[0].kind = ParameterKind::kChoice;
  EXPECT_EQ(refusal(type),
            "the node type \"filter.x\" has a parameter \"gain_db\" without choices");
  type = a_type();
  type.claims = {{"port", {{"prot", {}, {}}}, "", ""}};
  EXPECT_EQ(refusal(type),
            "the node type \"filter.x\" claims by a parameter \"prot\" that it does not have");
  graph::Catalog catalog;
  type = a_type();
  type.plugin = "/lib/x.so";
  EXPECT_TRUE(catalog.add(type));
  EXPECT_EQ(catalog.add(a_type()).error().message,
            "the node type \"filter.x\" is there already, from /lib/x.so");
}

TEST(Catalog, text_is_typed_by_its_parameter) {
  const auto parsed = [](ParameterKind kind, const std::string& text) {
    Parameter p;
    p.kind = kind;
    p.choices = {"on", "off"};
    const auto value = graph::parse_value(p, text);
    return value ? graph::to_text(*value) : "! " + value.error().message;
  };
  EXPECT_EQ(parsed(ParameterKind::kNumber, "-6.5"), "-6.5");
  EXPECT_EQ(parsed(ParameterKind::kNumber, " 7 "), "7");
  EXPECT_EQ(parsed(ParameterKind::kNumber, "-6,5"), "! must be a number, not the text \"-6,5\"");
  EXPECT_EQ(parsed(ParameterKind::kInteger, "1e3"), "1000");
  EXPECT_EQ(parsed(ParameterKind::kInteger, "1.5"), "! must be a whole number, not 1.5");
  EXPECT_EQ(parsed(ParameterKind::kInteger, "9007199254740993"),
            "! must be between -2^53 and 2^53");
  EXPECT_EQ(parsed(ParameterKind::kBoolean, "true"), "true");
  EXPECT_EQ(parsed(ParameterKind::kBoolean, "1"), "! must be true or false, not 1");
  EXPECT_EQ(parsed(ParameterKind::kText, "1"), "1");
  EXPECT_EQ(parsed(ParameterKind::kChoice, "of"),
            "! must be one of on or off, not the text \"of\"; did you mean \"off\"?");
  EXPECT_EQ(parsed(ParameterKind::kList, "1, 2.5"), "[1, 2.5]");
  EXPECT_EQ(parsed(ParameterKind::kList, "[1]"), "[1]");
  EXPECT_EQ(parsed(ParameterKind::kList, ""), "[]");
  EXPECT_EQ(parsed(ParameterKind::kMatrix, "[[1, 0], [0, 1]]"), "[[1, 0], [0, 1]]");
  EXPECT_EQ(parsed(ParameterKind::kMatrix, "[[1], []]"),
            "! must be a list of rows of numbers; row 2 is not a list of numbers");
}

TEST(Numbers, are_the_same_in_every_locale) {
  // The suite runs under a locale with a decimal comma as well; where there is one, this test asks
  // for it itself.
  const std::string before = std::setlocale(LC_ALL, nullptr);
  std::setlocale(LC_ALL, "de_DE.UTF-8");
  EXPECT_EQ(graph::number_text(-6.5), "-6.5");
  EXPECT_EQ(graph::number_text(1e-9), "1e-09");
  EXPECT_EQ(graph::number_text(100000), "100000");
  EXPECT_EQ(graph::parse_json_value("2.25")->number(), 2.25);
  const std::string said =
      complaints(graph_with("\"x\": {\"type\": \"filter.gain\", \"params\": {\"gain_db\": 20.5}},",
                            "\"edges\": [\"tone -> x -> null\"]"))
          .front();
  EXPECT_THAT(said, testing::HasSubstr("; 20.5 is outside"));
  std::setlocale(LC_ALL, before.c_str());
}

TEST(NearestName, edits_and_swaps_of_neighbours_count_one) {
  EXPECT_EQ(graph::edit_distance("gate", "gate", 3), 0u);
  EXPECT_EQ(graph::edit_distance("gaet", "gate", 3), 1u);
  EXPECT_EQ(graph::edit_distance("GATE", "gate", 3), 0u);
  EXPECT_EQ(graph::edit_distance("gat", "gate", 3), 1u);
  EXPECT_EQ(graph::edit_distance("kitten", "sitting", 3), 3u);
  EXPECT_EQ(graph::edit_distance("ca", "abc", 3), 3u);
  EXPECT_EQ(graph::edit_distance("abcdef", "uvwxyz", 3), 4u);
  EXPECT_EQ(graph::nearest_name("hold", {"open_db", "hold_ms", "closed"}), "hold_ms");
  EXPECT_EQ(graph::nearest_name("hold_s", {"open_db", "hold_ms", "closed"}), "hold_ms");
  EXPECT_EQ(graph::nearest_name("x", {"y"}), "");
  EXPECT_EQ(graph::nearest_name(std::string(1000, 'a'), {std::string(1000, 'a')}), "");
}

TEST(Schema, names_every_type_and_parameter_with_its_range) {
  const Value schema = graph::graph_schema(graph_catalog());
  const Value* definitions = schema.find("definitions");
  ASSERT_NE(definitions, nullptr);
  for (const graph::NodeType& type : graph_catalog().types()) {
    const Value* params = definitions->find("params of " + type.id);
    ASSERT_NE(params, nullptr) << type.id;
    for (const Parameter& parameter : type.parameters) {
      EXPECT_NE(params->find("properties")->find(parameter.key), nullptr) << parameter.key;
    }
  }
  EXPECT_EQ(graph::to_json(
                *definitions->find("params of filter.gain")->find("properties")->find("gain_db")),
            "{\"anyOf\": [{\"type\": \"number\", \"minimum\": -120, \"maximum\": 20}, {\"$ref\": "
            "\"#/definitions/variable\"}], \"description\": \"A number. Range: -120 to 20 dB. May "
            "change while running.\", \"default\": 0}");
  EXPECT_TRUE(graph::parse_json_value(graph::to_pretty_json(schema)));
}

TEST(NewGraph, loads_once_it_is_filled_in) {
  const auto text = graph::new_graph(
      "mine",
      {"source.tone", "filter.split", "filter.mix", "codec.encode", "sink.rtp", "sink.null"},
      graph_catalog(), "graph.schema.json");
  ASSERT_TRUE(text);
  graph::LoadResult result = load(*text);
  EXPECT_THAT(lines(result.diagnostics),
              testing::ElementsAre(testing::HasSubstr("the input \"in\" of null (sink.null) is not "
                                                      "connected")));
  const auto tcp = graph::new_graph("mine", {"source.tone", "sink.tcp"}, graph_catalog());
  graph::LoadOptions options = text_options();
  options.variables = {"host=box", "port=4953"};
  EXPECT_THAT(lines(load(*tcp, options).diagnostics), testing::IsEmpty());
  EXPECT_EQ(graph::new_graph("mine", {"sink.nul"}, graph_catalog()).error().message,
            "there is no node type \"sink.nul\"; did you mean \"sink.null\"?");
}

}  // namespace
}  // namespace sluice::test
