// What a sound graph means: variables, defaults, edges, switches, profiles, includes.
#include "host/graph/document.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/graph/loading.hpp"

namespace sluice::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

graph::Document document_of(const std::string& text,
                            const graph::LoadOptions& options = text_options()) {
  graph::LoadResult result = load(text, options);
  EXPECT_THAT(lines(result.diagnostics), IsEmpty());
  return result.document.value_or(graph::Document());
}

template <typename T>
T value_of(const graph::Document& document, const char* node, const char* key) {
  const graph::Node* found = document.find_node(node);
  if (found == nullptr || found->find_parameter(key) == nullptr) {
    ADD_FAILURE() << "no " << node << "." << key;
    return T();
  }
  return std::get<T>(found->find_parameter(key)->value);
}

std::vector<std::string> keys_of(const std::vector<graph::Edge>& edges) {
  std::vector<std::string> keys;
  for (const graph::Edge& edge : edges) keys.push_back(edge.key());
  return keys;
}

constexpr const char* kStreamer = R"({
  "$schema": "../sdk/schema/graph.schema.json",
  "sluice": 1,
  "name": "tcp-streamer",
  "description": "A tone to a server.",
  "vars": {"host": "127.0.0.1", "port": 4953, "address": "${host}"},
  "nodes": {
    "tone": "source.tone",
    "gate": {"type": "filter.gate", "params": {"hold_ms": 2000}, "adapt": "never", "standby": true},
    "server": {"type": "sink.tcp", "description": "Port $${port} is ${port}",
               "params": {"host": "${address}", "port": "${port}", "password": "${env:SECRET}"}}
  },
  "edges": ["tone -> gate -> server"],
  "latency_budget_ms": 250
})";

TEST(Document, defaults_and_variables_are_filled_in) {
  const graph::Document document = document_of(kStreamer);
  EXPECT_EQ(document.name, "tcp-streamer");
  EXPECT_EQ(document.latency_budget_ms, 250.0);
  EXPECT_EQ(document.folder, "/nowhere");
  EXPECT_EQ(document.file, "/nowhere/g.json");
  EXPECT_EQ(value_of<double>(document, "tone", "frequency_hz"), 440);
  EXPECT_EQ(value_of<std::int64_t>(document, "server", "port"), 4953);
  EXPECT_EQ(value_of<std::string>(document, "server", "host"), "127.0.0.1");
  EXPECT_EQ(value_of<std::string>(document, "server", "password"), "xyzzy");
  EXPECT_EQ(document.find_node("server")->description, "Port ${port} is 4953");
  EXPECT_EQ(document.find_node("gate")->adapt, graph::Adapt::kNever);
  EXPECT_TRUE(document.find_node("gate")->standby);
  EXPECT_FALSE(document.find_node("tone")->find_parameter("wave")->given);
  EXPECT_TRUE(document.find_node("gate")->find_parameter("hold_ms")->given);
  EXPECT_EQ(graph::to_text(document.locate("gate", "hold_ms")),
            "g.json:9:59: /nodes/gate/params/hold_ms");
  EXPECT_EQ(graph::to_text(document.locate("gate", "open_db")), "g.json:9:5: /nodes/gate");
  EXPECT_THAT(keys_of(document.edges), ElementsAre("tone.out->gate.in", "gate.out->server.in"));
  EXPECT_EQ(graph::to_text(document.edges[1].at), "g.json:13:22: /edges/0");
}

TEST(Document, normal_form_is_complete_and_hides_secrets) {
  const graph::Document document = document_of(kStreamer);
  EXPECT_EQ(graph::to_pretty_json(graph::to_normal_json(document)), R"({
  "sluice": 1,
  "name": "tcp-streamer",
  "description": "A tone to a server.",
  "latency_budget_ms": 250,
  "nodes": {
    "tone": {
      "type": "source.tone",
      "params": {"wave": "sine", "frequency_hz": 440, "level_db": -20, "channels": 2}
    },
    "gate": {
      "type": "filter.gate",
      "params": {"open_db": -50, "hold_ms": 2000, "closed": "nothing"},
      "standby": true,
      "adapt": "never"
    },
    "server": {
      "type": "sink.tcp",
      "description": "Port $${port} is 4953",
      "params": {"host": "127.0.0.1", "port": 4953, "password": "${env:SECRET}"}
    }
  },
  "edges": {"tone.out->gate.in": {}, "gate.out->server.in": {}}
})");
}

TEST(Document, secret_in_clear_is_starred_unless_revealed) {
  const graph::Document document = document_of(
      graph_with("\"t\": {\"type\": \"source.tcp\", \"params\": {\"password\": \"pw\"}}, "
                 "\"n\": \"sink.null\",",
                 "\"edges\": [\"tone -> null\", \"t -> n\"]"));
  EXPECT_THAT(graph::to_json(graph::to_normal_json(document)), HasSubstr("\"password\": \"***\""));
  EXPECT_THAT(graph::to_json(graph::to_normal_json(document, graph::Secrets::kReveal)),
              HasSubstr("\"password\": \"pw\""));
}

TEST(Document, edges_have_one_normal_form) {
  const std::string nodes = "\"m\": \"filter.mix\", \"s\": \"filter.split\",";
  const graph::Document a = document_of(
      graph_with(nodes,
                 "\"edges\": [\"tone -> s\", {\"from\": \"s.low\", \"to\": \"m\", \"gain_db\": -6, "
                 "\"buffer_ms\": 500, \"when_full\": \"skip\", \"delay_ms\": 40, \"pace\": true}, "
                 "\"s.high -> m.side\", \"m -> null\"]"));
  const graph::Document b = document_of(graph_with(
      nodes,
      "\"edges\": {\"tone->s\": {}, \"s.low->m.main\": {\"pace\": true, \"gain_db\": -6, "
      "\"buffer_ms\": 500, \"when_full\": \"skip\", \"delay_ms\": 40}, "
      "\"s.high->m.side\": {}, \"m.out->null\": {}}"));
  EXPECT_TRUE(graph::same_graph(a, b));
  EXPECT_EQ(graph::to_json(graph::to_normal_json(a.edges[1].options)),
            "{\"buffer_ms\": 500, \"when_full\": \"skip\", \"gain_db\": -6, \"delay_ms\": 40, "
            "\"pace\": true}");
}

TEST(Document, port_in_the_middle_of_a_chain_is_the_one_of_its_direction) {
  const graph::Document document =
      document_of(graph_with("\"s\": \"filter.split\", \"m\": \"filter.mix\",",
                             "\"edges\": [\"tone -> s.low -> m.side -> null\", \"s.high -> m\"]"));
  EXPECT_THAT(keys_of(document.edges),
              ElementsAre("tone.out->s.in", "s.low->m.side", "m.out->null.in", "s.high->m.main"));
}

TEST(Variables, undefined_unused_and_circular_ones_are_reported) {
  EXPECT_THAT(
      complaints(graph_with("\"t\": {\"type\": \"sink.tcp\", \"params\": {\"host\": \"a${hots}b\", "
                            "\"port\": \"${x}\"}},",
                            "\"edges\": [\"tone -> null\", \"tone -> t\"],\n\"vars\": {\"host\": "
                            "\"h\", \"x\": \"${y}\", \"y\": \"${x}\"}")),
      ElementsAre("g.json:3:48: /nodes/t/params/host: there is no variable \"hots\"; did you "
                  "mean \"host\"?",
                  "g.json:6:10: /vars/host: warning: the variable \"host\" is not used; write "
                  "${host} where it belongs, or remove it",
                  "g.json:6:42: /vars/y: the variable \"x\" is made of itself: x -> y -> x"));
}

TEST(Variables, text_with_one_inside_is_read_as_what_the_parameter_is) {
  const graph::Document document = document_of(
      graph_with("\"t\": {\"type\": \"sink.tcp\", \"params\": {\"host\": \"h${x}\", "
                 "\"port\": \"49${x}\"}},",
                 "\"edges\": [\"tone -> null\", \"tone -> t\"],\n\"vars\": {\"x\": 53}"));
  const graph::Value normal = graph::to_normal_json(document);
  EXPECT_THAT(graph::to_json(normal), HasSubstr("\"host\": \"h53\", \"port\": 4953"));
}

TEST(Variables, environment_and_files_are_read) {
  const Folder folder;
  folder.write("pw", "s3cret\n");
  graph::LoadOptions options = text_options();
  options.folder = folder.path();
  const graph::Document document = document_of(
      graph_with("\"t\": {\"type\": \"sink.tcp\", \"params\": {\"host\": \"a\", \"port\": "
                 "\"${env:PORT}\", \"password\": \"${file:pw}\"}},",
                 "\"edges\": [\"tone -> null\", \"tone -> t\"]"),
      options);
  EXPECT_EQ(value_of<std::int64_t>(document, "t", "port"), 4953);
  EXPECT_EQ(value_of<std::string>(document, "t", "password"), "s3cret");
  EXPECT_THAT(
      complaints(graph_with("\"t\": {\"type\": \"sink.tcp\", \"params\": {\"host\": "
                            "\"${env:NOPE}\", \"port\": 1, \"password\": \"${file:wp}\"}},",
                            "\"edges\": [\"tone -> null\", \"tone -> ${x:y}\"]"),
                 options),
      ElementsAre("g.json:3:47: /nodes/t/params/host: the environment variable \"NOPE\" is not "
                  "set",
                  "g.json:3:85: /nodes/t/params/password: there is no file \"wp\"",
                  "g.json:5:36: /edges/1: \"x:\" is no source of values; there are ${env:NAME} "
                  "and ${file:PATH}"));
}

TEST(Variables, lists_and_numbers_keep_their_kind_and_splice) {
  const graph::Document document = document_of(graph_with(
      "\"c\": {\"type\": \"filter.channels\", \"params\": {\"map\": \"${map}\", \"mix\": [[1, "
      "\"${half}\"], \"${map}\"]}},",
      "\"edges\": [\"tone -> ${node} -> null\"], \"description\": \"${half} of ${on}\",\n"
      "\"vars\": {\"map\": [1, 0], \"half\": 0.5, \"node\": \"c\", \"on\": true}"));
  EXPECT_EQ(value_of<std::vector<double>>(document, "c", "map"), (std::vector<double>{1, 0}));
  EXPECT_EQ(value_of<graph::Matrix>(document, "c", "mix"), (graph::Matrix{2, {1, 0.5, 1, 0}}));
  EXPECT_EQ(document.description, "0.5 of true");
  EXPECT_THAT(
      complaints(graph_with("",
                            "\"edges\": [\"tone -> null\"], \"description\": \"a ${map}\", "
                            "\"vars\": {\"map\": [1]}")),
      ElementsAre("g.json:5:46: /description: ${map} is a list and cannot stand inside text"));
}

TEST(Variables, doubling_ones_end_in_an_error_not_in_memory) {
  std::string vars = "\"v0\": [\"xxxxxxxxxxxxxxxx\"]";
  for (int i = 1; i < 60; ++i) {
    const std::string before = "\"${v" + std::to_string(i - 1) + "}\"";
    vars += ", \"v" + std::to_string(i) + "\": [" + before + ", " + before + "]";
  }
  const auto said = complaints(graph_with(
      "", "\"edges\": [\"tone -> null\"], \"description\": \"${v59}\", \"vars\": {" + vars + "}"));
  ASSERT_FALSE(said.empty());
  EXPECT_THAT(said.front(), HasSubstr("make the graph larger than 16 MiB"));
}

TEST(Overrides, command_line_comes_before_profile_before_file) {
  const std::string text = graph_with(
      "\"g\": {\"type\": \"filter.gain\", \"params\": {\"gain_db\": \"${gain}\"}},",
      "\"edges\": [\"tone -> g -> null\"], \"vars\": {\"gain\": -1},\n\"profiles\": {\"loud\": "
      "{\"vars\": {\"gain\": 2}, \"set\": {\"g.limiter\": \"on\", \"tone->g:gain_db\": -2}}}");
  graph::LoadOptions options = text_options();
  EXPECT_EQ(value_of<double>(document_of(text, options), "g", "gain_db"), -1);
  options.profile = "loud";
  EXPECT_EQ(value_of<double>(document_of(text, options), "g", "gain_db"), 2);
  EXPECT_EQ(value_of<std::string>(document_of(text, options), "g", "limiter"), "on");
  EXPECT_EQ(document_of(text, options).edges[0].options.gain_db, -2);
  options.variables = {"gain=3"};
  EXPECT_EQ(value_of<double>(document_of(text, options), "g", "gain_db"), 3);
  options.settings = {"g.gain_db=-4.5", "g.limiter=off", "tone.out->g.in:gain_db=-7",
                      "g.mute=true"};
  EXPECT_EQ(value_of<double>(document_of(text, options), "g", "gain_db"), -4.5);
  EXPECT_EQ(value_of<std::string>(document_of(text, options), "g", "limiter"), "off");
  EXPECT_EQ(value_of<bool>(document_of(text, options), "g", "mute"), true);
  EXPECT_EQ(document_of(text, options).edges[0].options.gain_db, -7);
  EXPECT_EQ(graph::to_text(document_of(text, options).locate("g", "gain_db")),
            "--set g.gain_db:1:11: /nodes/g/params/gain_db");
}

TEST(Overrides, wrong_arguments_point_into_the_argument) {
  graph::LoadOptions options = text_options();
  options.settings = {"nul.pace=free",        "tone.wav=sine", "tone.channels=33",
                      "tone.channels",        "tone=1",        "tone->null:gain=1",
                      "null->tone:gain_db=1", "tone.wave=\xFF"};
  options.variables = {"hots=x", "y"};
  options.profile = "p";
  options.routes = {"local"};
  EXPECT_THAT(
      complaints(graph_with("", "\"edges\": [\"tone -> null\"]"), options),
      testing::UnorderedElementsAre(
          "--set nul.pace:1:1: /nodes/nul/params/pace: there is no node \"nul\"; did you mean "
          "\"null\"?",
          "--set tone.wav:1:6: /nodes/tone/params/wav: tone (source.tone) has no parameter "
          "\"wav\"; did "
          "you mean \"wave\"?",
          "--set tone.channels:1:15: /nodes/tone/params/channels: \"channels\" must be 1 to 32; 33 "
          "is "
          "outside",
          "--set tone.channels:1:1: an equals sign is missing; write --set NODE.PARAMETER=VALUE",
          "--set tone:1:1: a setting names a node and one of its parameters: \"tone.PARAMETER\"",
          "--set tone->null:gain:1:12: /edges/tone->null/gain: an edge has no \"gain\"; did you "
          "mean \"gain_db\"?",
          "--set null->tone:gain_db:1:1: /edges/null->tone/gain_db: null (sink.null) has no "
          "output; no "
          "edge can begin at it",
          "--set null->tone:gain_db:1:1: /edges/null->tone/gain_db: tone (source.tone) has no "
          "input; no "
          "edge can end at it",
          "--set:1:1: this argument holds bytes that are not text",
          "--var hots:1:1: the graph has no variable \"hots\"",
          "--var y:1:1: an equals sign is missing; write --var NAME=VALUE",
          "--profile:1:1: there is no profile \"p\"; the graph has none",
          "--route \"local\":1:1: say which switch: \"SWITCH=ROUTE\"; the graph has none"));
}

TEST(Overrides, secrets_of_the_command_line_are_not_repeated) {
  graph::LoadOptions options = text_options();
  options.settings = {"null.password=hunter2", "tone.channels=hunter2x"};
  for (const std::string& said :
       complaints(graph_with("", "\"edges\": [\"tone -> null\"]"), options)) {
    EXPECT_THAT(said, testing::Not(HasSubstr("null.password=")));
  }
}

TEST(Overrides, byte_order_mark_is_no_part_of_an_argument) {
  graph::LoadOptions options = text_options();
  options.settings = {"\xEF\xBB\xBFtone.channels=1"};
  const graph::Document document =
      document_of(graph_with("", "\"edges\": [\"tone -> null\"]"), options);
  EXPECT_EQ(value_of<std::int64_t>(document, "tone", "channels"), 1);
}

TEST(Overrides, a_file_that_is_overridden_need_not_exist) {
  const Folder folder;
  folder.write("b.wav", "");
  graph::LoadOptions options = text_options();
  options.folder = folder.path();
  options.check_files = true;
  options.settings = {"w.path=b.wav"};
  const graph::Document document = document_of(
      "{\"sluice\": 1, \"nodes\": {\"w\": {\"type\": \"source.wav\", \"params\": {\"path\": "
      "\"a.wav\"}}, "
      "\"n\": \"sink.null\"}, \"edges\": [\"w -> n\"]}",
      options);
  EXPECT_EQ(value_of<std::string>(document, "w", "path"), (folder.path() / "b.wav").string());
}

TEST(Paths, start_at_the_file_that_holds_them_or_at_the_command_line) {
  const Folder folder;
  folder.write("graphs/main.json",
               "{\"sluice\": 1, \"include\": [\"parts/in.json\"], \"nodes\": {\n"
               "\"a\": {\"type\": \"sink.wav\", \"params\": {\"path\": \"a.wav\"}},\n"
               "\"b\": {\"type\": \"sink.wav\", \"params\": {\"path\": \"${file}\"}},\n"
               "\"c\": {\"type\": \"sink.wav\", \"params\": {\"path\": \"c/${x}.wav\"}},\n"
               "\"d\": {\"type\": \"sink.wav\", \"params\": {\"path\": \"${x}/d.wav\"}}},\n"
               "\"vars\": {\"file\": \"v.wav\", \"x\": \"1\"},\n"
               "\"edges\": [\"in -> a\", \"in -> b\", \"in -> c\", \"in -> d\"]}");
  folder.write(
      "graphs/parts/in.json",
      "{\"sluice\": 1, \"nodes\": {\"in\": {\"type\": \"source.wav\", \"params\": {\"path\": "
      "\"in.wav\"}}}}");
  graph::LoadOptions options = text_options();
  options.folder = folder.path();
  options.variables = {"file=w.wav", "x=2"};
  const graph::LoadResult result = graph::load_file("graphs/main.json", graph_catalog(), options);
  ASSERT_THAT(lines(result.diagnostics), IsEmpty());
  const std::string in = folder.path().string();
  EXPECT_EQ(value_of<std::string>(*result.document, "in", "path"), in + "/graphs/parts/in.wav");
  EXPECT_EQ(value_of<std::string>(*result.document, "a", "path"), in + "/graphs/a.wav");
  EXPECT_EQ(value_of<std::string>(*result.document, "b", "path"), in + "/w.wav");
  EXPECT_EQ(value_of<std::string>(*result.document, "c", "path"), in + "/graphs/c/2.wav");
  EXPECT_EQ(value_of<std::string>(*result.document, "d", "path"), in + "/2/d.wav");
  EXPECT_THAT(result.document->included, ElementsAre(folder.path() / "graphs/parts/in.json"));
}

}  // namespace
}  // namespace sluice::test
