// Graphs, arguments and plugins that are wrong: what the program says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "host/support/sanitizers.hpp"
#include "tests/integration/cli_fixture.hpp"
#include "tests/support/folders.hpp"

namespace sluice::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// A graph of these nodes and edges, on one line, that would write o.wav at once.
std::string graph_of(const std::string& nodes, const std::string& edges) {
  return R"({"sluice": 1, "nodes": {)" + nodes +
         R"(, "o": {"type": "sink.wav", "params": {"path": "o.wav"}}}, "edges": [)" + edges + "]}";
}

class CliBadInput : public Cli {};

TEST_F(CliBadInput, Malformed_json_says_where_it_breaks_off) {
  EXPECT_THAT(
      refusal(R"({"sluice": 1,
 "nodes": {"a":)"),
      AllOf(StartsWith("g.json:2:"), HasSubstr("the file ends"), HasSubstr("line 2, column 11")));
}

TEST_F(CliBadInput, Duplicate_key_names_the_first_one) {
  EXPECT_THAT(refusal(graph_of(R"("a": "source.tone",
 "a": "source.tone")",
                               R"("a -> o")")),
              AllOf(StartsWith("g.json:2:2: /nodes/a: "), HasSubstr("is there already"),
                    HasSubstr("line 1")));
}

TEST_F(CliBadInput, Unknown_key_names_the_nearest) {
  EXPECT_THAT(refusal(R"({"sluice": 1, "nods": {}, "nodes": {"a": "source.tone",)"
                      R"( "z": "sink.null"}, "edges": ["a -> z"]})"),
              AllOf(StartsWith("g.json:1:15: /nods: "), HasSubstr("did you mean \"nodes\"?")));
}

TEST_F(CliBadInput, Unknown_type_names_the_nearest) {
  EXPECT_THAT(refusal(graph_of(R"("a": "source.tune")", R"("a -> o")")),
              AllOf(HasSubstr("/nodes/a: there is no node type \"source.tune\""),
                    HasSubstr("did you mean \"source.tone\"?")));
}

TEST_F(CliBadInput, Unknown_port_lists_those_there_are) {
  EXPECT_THAT(refusal(graph_of(R"("a": "source.tone")", R"("a.left -> o")")),
              AllOf(HasSubstr("/edges/0: a (source.tone) has no port \"left\""),
                    HasSubstr("there is only out")));
}

TEST_F(CliBadInput, Unknown_parameter_names_the_nearest) {
  EXPECT_THAT(refusal(graph_of(R"("a": {"type": "source.tone", "params": {"frequenzy_hz": 3}})",
                               R"("a -> o")")),
              AllOf(HasSubstr("/nodes/a/params/frequenzy_hz: "), HasSubstr("no parameter"),
                    HasSubstr("did you mean \"frequency_hz\"?")));
}

TEST_F(CliBadInput, Value_out_of_range_names_the_range) {
  EXPECT_THAT(refusal(graph_of(R"("a": {"type": "source.tone", "params": {"level_db": 300}})",
                               R"("a -> o")")),
              AllOf(HasSubstr("/nodes/a/params/level_db: "),
                    HasSubstr("must be -144 to 0 dB; 300 is outside")));
}

TEST_F(CliBadInput, Setting_out_of_range_names_the_argument) {
  const std::string said =
      refusal_of({"-e", "source.tone -> sink.wav path=o.wav", "--set", "tone.level_db=300"});
  EXPECT_THAT(said, AllOf(StartsWith("--set"), HasSubstr("-144 to 0 dB")));
}

TEST_F(CliBadInput, Cycle_is_walked_through) {
  EXPECT_THAT(refusal(R"({"sluice": 1, "nodes": {"a": "filter.gain", "b": "filter.gain"},)"
                      R"( "edges": ["a -> b", "b -> a"]})"),
              AllOf(HasSubstr("/edges/1: "), HasSubstr("a -> b -> a")));
}

TEST_F(CliBadInput, Unconnected_input_is_named) {
  EXPECT_THAT(refusal(graph_of(R"("a": "filter.gain")", R"("a -> o")")),
              AllOf(HasSubstr("/nodes/a: "), HasSubstr("\"in\""), HasSubstr("not connected")));
}

TEST_F(CliBadInput, File_opened_by_two_writers_names_both) {
  EXPECT_THAT(refusal(graph_of(R"("a": "source.tone",)"
                               R"( "x": {"type": "sink.wav", "params": {"path": "./o.wav"}})",
                               R"("a -> o", "a -> x")")),
              AllOf(HasSubstr("/params/path: "), HasSubstr("both"), HasSubstr("o.wav")));
}

TEST_F(CliBadInput, Port_taken_by_two_nodes_names_both) {
  EXPECT_THAT(refusal(graph_of(R"("a": {"type": "source.tcp", "params": {"port": 4953}},)"
                               R"( "b": {"type": "source.tcp", "params": {"port": 4953}},)"
                               R"( "z": "sink.null")",
                               R"("a -> z", "b -> o")")),
              AllOf(HasSubstr("/nodes/b/params/port: both a and b"), HasSubstr("4953")));
}

TEST_F(CliBadInput, Port_on_two_addresses_is_no_conflict_but_a_wildcard_takes_all_of_them) {
  const auto listeners = [](const char* host_a, const char* host_b) {
    const std::string start = R"({"type": "source.tcp", "params": {"port": 4953, "host": ")";
    return graph_of(
        "\"a\": " + start + host_a + "\"}}, \"b\": " + start + host_b + R"("}}, "z": "sink.null")",
        R"("a -> z", "b -> o")");
  };
  write(work_ / "g.json", listeners("127.0.0.1", "127.0.0.2"));
  const Ended ended = sluice({"check", "g.json"});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  for (const char* const all : {"", "*", "0.0.0.0", "::", "127.0.0.1"}) {
    EXPECT_THAT(refusal(listeners("127.0.0.1", all)), HasSubstr("both a and b")) << all;
    EXPECT_THAT(refusal(listeners(all, "127.0.0.1")), HasSubstr("both a and b")) << all;
  }
}

TEST_F(CliBadInput, Device_opened_by_two_nodes_names_both) {
  const auto twice = [](const std::string& type, const std::string& a, const std::string& b) {
    const std::string start = "{\"type\": \"" + type + "\", \"params\": {";
    const bool is_source = type.starts_with("source");
    return graph_of("\"a\": " + start + a + "}}, \"b\": " + start + b + "}}, " +
                        (is_source ? R"("z": "sink.null")" : R"("z": "source.tone")"),
                    is_source ? R"("a -> z", "b -> o")" : R"("z -> a", "z -> b", "z -> o")");
  };
  const std::string card = R"("device": "hw:CARD=none,DEV=0")";
  EXPECT_THAT(refusal(twice("source.alsa", card, card)),
              AllOf(HasSubstr("/nodes/b/params/device: both a and b take the same capture device"),
                    HasSubstr("hw:CARD=none,DEV=0")));
  EXPECT_THAT(refusal(twice("sink.alsa", card, card)), HasSubstr("the same playback device"));
  for (const char* const type : {"source.device", "sink.speakers"}) {
    EXPECT_THAT(refusal(twice(type, R"("device": "JACK:none")", R"("device": "JACK:none")")),
                HasSubstr("/nodes/b/params/device: both a and b take the same"))
        << type;
  }
  EXPECT_THAT(refusal(twice("source.aloop", R"("card": "None")", R"("card": "None")")),
              HasSubstr("/nodes/b/params/card: both a and b take the same loopback cable"));
  for (const std::string& sound :
       {twice("source.alsa", card, R"("device": "hw:CARD=none,DEV=1")"),
        twice("source.aloop", R"("card": "None")", R"("card": "None", "subdevice": 1)"),
        graph_of("\"a\": {\"type\": \"source.alsa\", \"params\": {" + card +
                     "}}, \"b\": {\"type\": \"sink.alsa\", \"params\": {" + card + "}}",
                 R"("a -> b", "a -> o")")}) {
    write(work_ / "g.json", sound);
    const Ended ended = sluice({"check", "g.json"});
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
  }
}

TEST_F(CliBadInput, Missing_configuration_of_alsa_is_said) {
  setenv("ALSA_CONFIG_PATH", (work_ / "none.conf").c_str(), 1);
  const Ended list = sluice({"devices", "sink.speakers"});
  const Ended played =
      sluice({"run", "--for", "0.1", "-e", "source.tone live=true -> sink.speakers"});
  unsetenv("ALSA_CONFIG_PATH");
  for (const Ended& ended : {list, played}) {
    EXPECT_EQ(ended.exit_code, 0);
    EXPECT_THAT(ended.err, HasSubstr("ALSA has no configuration that can be read"));
  }
}

TEST_F(CliBadInput, Missing_sound_file_is_named) {
  EXPECT_THAT(refusal(graph_of(R"("a": {"type": "source.wav", "params": {"path": "none.wav"}})",
                               R"("a -> o")")),
              AllOf(HasSubstr("/nodes/a/params/path: there is no file"), HasSubstr("none.wav")));
}

TEST_F(CliBadInput, File_that_is_no_sound_file_is_named) {
  write(work_ / "text.wav", "not a sound file, only text");
  EXPECT_THAT(refusal(graph_of(R"("a": {"type": "source.wav", "params": {"path": "text.wav"}})",
                               R"("a -> o")")),
              AllOf(StartsWith("g.json:1:"), HasSubstr("text.wav' is no sound file")));
}

TEST_F(CliBadInput, Empty_expression_missing_folder_and_options_are_told_plainly) {
  EXPECT_THAT(refusal_of({"-e", ""}), StartsWith("-e:1:1: there is nothing here; write a graph"));
  EXPECT_THAT(refusal_of({"-e", "graphs/demo.json"}),
              HasSubstr("\"graphs/demo.json\" looks like a graph file; name it without -e"));
  Ended ended = sluice({"check", "-x"});
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err, HasSubstr("See 'sluice check --help'."));
  ended = sluice({"check", "-e", "source.tone -> sink.null", "--plugin-dir", "nowhere"});
  EXPECT_EQ(ended.exit_code, 0);
  EXPECT_THAT(ended.err, HasSubstr("The plugin folder nowhere does not exist."));
}

TEST_F(CliBadInput, Missing_graph_file_is_named) {
  EXPECT_THAT(refusal_of({"nowhere.json"}),
              AllOf(StartsWith("nowhere.json:"), HasSubstr("there is no file")));
}

TEST_F(CliBadInput, Missing_plugin_leads_to_the_list) {
  EXPECT_THAT(refusal(graph_of(R"("a": "source.tone", "x": "acme.wibble")", R"("a -> x")")),
              AllOf(HasSubstr("/nodes/x: there is no node type \"acme.wibble\""),
                    HasSubstr("\"sluice plugins\" lists those")));
}

TEST_F(CliBadInput, All_errors_of_a_file_come_at_once_and_in_order) {
  const std::string said = refusal(R"({"sluice": 1,
"nodes": {"a": {"type": "source.tone", "params": {"level_db": 300, "frequenzy_hz": 3}},
"o": {"type": "sink.wav", "params": {"path": "o.wav"}},
"b": "source.tune"},
"edges": ["a -> o.left"], "nods": 1})",
                                   {"run", "render", "check"});
  EXPECT_EQ(lines(said), 5u) << said;
  size_t at = 0;
  for (const char* const start :
       {"g.json:2:", "g.json:2:", "g.json:4:", "g.json:5:", "g.json:5:"}) {
    EXPECT_THAT(said.substr(at), StartsWith(start));
    at = said.find('\n', at) + 1;
  }
}

TEST_F(CliBadInput, File_beyond_16_MiB_is_refused_by_its_limit) {
  std::string text = R"({"sluice": 1})";
  text.resize((size_t{16} << 20) + 1, ' ');
  EXPECT_THAT(refusal(text), AllOf(StartsWith("g.json:1:1: "), HasSubstr("16 MiB")));
}

TEST_F(CliBadInput, Nesting_beyond_64_levels_is_refused_by_its_limit) {
  const std::string text =
      R"({"sluice": 1, "nodes": )" + std::string(100'000, '[') + std::string(100'000, ']') + "}";
  EXPECT_THAT(refusal(text), AllOf(StartsWith("g.json:1:"), HasSubstr("64 levels")));
}

TEST_F(CliBadInput, Neither_file_nor_expression_says_what_to_name) {
  EXPECT_THAT(refusal_of({}), HasSubstr("name one graph"));
}

TEST_F(CliBadInput, Unknown_command_and_option_are_named) {
  Ended ended = sluice({"rum"});
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err, HasSubstr("no command 'rum'"));
  ended = sluice({"run", "--stats", "x", "--no-such"});
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err, HasSubstr("--no-such"));
}

class CliBadPlugin : public Cli {
 protected:
  // What is said when a graph needs acme.wibble and the file named so is that of `name`.
  std::string refusal_with(const std::string& name) const {
    fs::copy_file(bad_plugin_folder() / (name + ".so"), plugin_,
                  fs::copy_options::overwrite_existing);
    return refusal_with_plugin();
  }
  std::string refusal_with_plugin() const {
    write(work_ / "g.json",
          graph_of(R"("a": "source.tone", "x": "acme.wibble")", R"("a -> x", "a -> o")"));
    return refusal_of({"g.json", "--plugin-dir", plugin_.parent_path()});
  }
  CliBadPlugin() { fs::create_directory(plugin_.parent_path()); }

  const fs::path plugin_ = folder_.path() / "plugins" / "acme.wibble.so";
};

TEST_F(CliBadPlugin, Text_instead_of_a_shared_object_is_named) {
  write(plugin_, "not a shared object");
  EXPECT_THAT(refusal_with_plugin(), AllOf(HasSubstr("/nodes/x: "), HasSubstr("acme.wibble.so")));
}

TEST_F(CliBadPlugin, Shared_object_that_is_no_plugin_lacks_the_entry) {
  EXPECT_THAT(refusal_with("no_entry"),
              AllOf(HasSubstr("acme.wibble.so"), HasSubstr("does not export sluice_entry")));
}

TEST_F(CliBadPlugin, Other_abi_gives_both_versions) {
  EXPECT_THAT(refusal_with("other_abi"), AllOf(HasSubstr("ABI 2.3"), HasSubstr("ABI 1.")));
}

TEST_F(CliBadPlugin, Missing_symbol_is_named_readably) {
  EXPECT_THAT(refusal_with("missing_symbol"), HasSubstr("acme::tune(int, char const*)"));
}

TEST_F(CliBadPlugin, Missing_library_is_named) {
  EXPECT_THAT(refusal_with("missing_library"), HasSubstr("libacme.so"));
}

TEST_F(CliBadPlugin, Sanitizer_build_names_the_flag) {
#if SLUICE_ADDRESS_SANITIZER || SLUICE_THREAD_SANITIZER
  GTEST_SKIP() << "under a sanitizer these can be used";
#else
  EXPECT_THAT(refusal_with("sanitized"), HasSubstr("-fsanitize=address"));
  EXPECT_THAT(refusal_with("says_sanitized"), HasSubstr("-fsanitize=thread"));
#endif
}

TEST_F(CliBadPlugin, Crash_while_it_is_loaded_is_told_with_its_path) {
  const std::string said = refusal_with("deadly/acme.crashes");
  EXPECT_THAT(said, AllOf(HasSubstr("/nodes/x: "), HasSubstr(plugin_.string()),
                          HasSubstr("loading it ends the process with SIGABRT")));
  const Ended ended = sluice({"plugins", "--plugin-dir", plugin_.parent_path()});
  EXPECT_EQ(ended.exit_code, 0);
  EXPECT_THAT(ended.out, HasSubstr("source.tone"));
  EXPECT_THAT(ended.err, HasSubstr(plugin_.string()));
}

TEST_F(CliBadPlugin, Unused_beside_good_ones_disturbs_no_graph) {
  const Ended ended = sluice(
      {"check", "-q", "-e", "source.tone -> sink.null", "--plugin-dir", bad_plugin_folder()});
  EXPECT_EQ(ended.exit_code, 0);
  EXPECT_THAT(ended.err, IsEmpty());
}

TEST_F(CliBadPlugin, List_of_plugins_names_every_bad_file) {
#if SLUICE_THREAD_SANITIZER
  GTEST_SKIP() << "what says that it has ThreadSanitizer is loaded here, and ends its host";
#endif
  const Ended ended = sluice({"plugins", "--plugin-dir", bad_plugin_folder()});
  EXPECT_EQ(ended.exit_code, 0);
  EXPECT_THAT(ended.out, HasSubstr("source.tone"));
  for (const char* const name : {"no_entry.so", "entry_is_function.so", "other_abi.so",
                                 "missing_symbol.so", "missing_library.so", "null_types.so"}) {
    EXPECT_THAT(ended.err, HasSubstr(name));
  }
}

}  // namespace
}  // namespace sluice::tests
