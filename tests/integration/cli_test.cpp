// The commands: what they print, their exit code, what they leave.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sndfile.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/integration/cli_fixture.hpp"
#include "tests/support/socket_server.hpp"

namespace sluice::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

const Words kShort{"-e",
                   "source.tone duration_ms=300 frequency_hz=440.5 -> filter.gain gain_db=-6.5"
                   " -> sink.wav path=o.wav"};

Words with(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

TEST_F(Cli, Check_tells_the_plan_and_starts_nothing) {
  const std::string said = output(with({"check"}, kShort));
  for (const char* const part : {"source.tone", "filter.gain", "sink.wav", "Lanes",
                                 "tone.out->gain.in: 48000 Hz", "The graph is sound."}) {
    EXPECT_THAT(said, HasSubstr(part));
  }
  EXPECT_EQ(files(), 0u);
}

TEST_F(Cli, Isolate_says_so_and_renders_the_same) {
  const auto graph = [](const std::string& isolate, const std::string& file) {
    return "source.tone duration_ms=100" + isolate + " -> filter.gain gain_db=-3" + isolate +
           " -> sink.wav path=" + file + isolate;
  };
  const Ended checked = sluice({"check", "-e", graph(" isolate=true", "there.wav")});
  EXPECT_EQ(checked.exit_code, 0) << checked.err;
  EXPECT_THAT(checked.out, HasSubstr("gain (filter.gain), in a process of its own"));
  EXPECT_THAT(checked.out, HasSubstr("mix gain, then gain"));
  output({"render", "-q", "-e", graph(" isolate=true", "there.wav")});
  output({"render", "-q", "-e", graph("", "here.wav")});
  EXPECT_EQ(content(work_ / "there.wav"), content(work_ / "here.wav"));
}

TEST_F(Cli, Isolate_third_party_takes_those_that_did_not_come_with_sluice) {
  fs::create_directory(work_ / "others");
  fs::copy_file(bad_plugin_folder() / "troubled.so", work_ / "others" / "bad.troubled.so");
  const Ended ended = sluice({"check", "--plugin-dir", "others", "--isolate-third-party", "-e",
                              "source.tone -> bad.troubled -> sink.null"});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("troubled (bad.troubled), in a process of its own"));
  EXPECT_THAT(ended.out, HasSubstr("did not come with Sluice"));
  EXPECT_THAT(ended.out, Not(HasSubstr("tone (source.tone), in a process of its own")));
}

TEST_F(Cli, Normal_form_loads_again_to_the_same_normal_form) {
  const auto again = [&](const Words& words) {
    const std::string normal = output(with({"check", "--normal"}, words));
    write(work_ / "n.json", normal);
    EXPECT_EQ(output({"check", "--normal", "n.json"}), normal);
    return normal;
  };
  EXPECT_THAT(again(kShort), AllOf(HasSubstr("440.5"), HasSubstr("-6.5")));
  again({fs::path(kGraphs) / "demo.json"});
}

TEST_F(Cli, Draw_makes_a_picture_in_every_format) {
  const auto draw = [&](const char* format) {
    return output(with({"draw", "--format", format}, kShort));
  };
  const std::string ascii = draw("ascii");
  EXPECT_THAT(ascii, AllOf(HasSubstr("| source.tone |"), HasSubstr("+---"), HasSubstr(">")));
  for (const char character : ascii) EXPECT_EQ(character & 0x80, 0) << ascii;
  EXPECT_THAT(draw("text"), AllOf(HasSubstr("│ source.tone │"), HasSubstr("┌──")));
  EXPECT_THAT(draw("dot"), AllOf(StartsWith("digraph "), HasSubstr("\"tone\" -> \"gain\"")));
  EXPECT_THAT(draw("svg"),
              AllOf(StartsWith("<svg "), HasSubstr(">filter.gain</text>"), HasSubstr("</svg>")));
  // The C locale has no UTF-8.
  EXPECT_EQ(output(with({"draw"}, kShort)), ascii);
  output(with({"draw", "-o", "picture.svg"}, kShort));
  EXPECT_EQ(content(work_ / "picture.svg"), draw("svg"));
  EXPECT_EQ(sluice(with({"draw", "--format", "png"}, kShort)).exit_code, 2);
}

TEST_F(Cli, Plugins_are_listed_and_described) {
  EXPECT_THAT(output({"plugins"}), AllOf(HasSubstr("filter.gate "), HasSubstr("source.tone ")));
  EXPECT_THAT(output({"plugins", "filter.gain"}),
              AllOf(StartsWith("filter.gain: "), HasSubstr("Parameters"),
                    HasSubstr("gain_db: -120 to 20 dB, default 0, live")));
  const auto list = nlohmann::json::parse(output({"plugins", "--json"}), nullptr, false);
  ASSERT_TRUE(list.is_array());
  EXPECT_GE(list.size(), 12u);
  for (const auto& type : list) {
    EXPECT_FALSE(type.at("id").get<std::string>().empty());
    EXPECT_FALSE(type.at("ports").empty()) << type.at("id");
  }
  const Ended ended = sluice({"plugins", "filter.gane"});
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_THAT(ended.err, HasSubstr("filter.gane"));
}

TEST_F(Cli, Schema_is_json_and_names_every_type) {
  const std::string text = output({"schema"});
  const auto schema = nlohmann::json::parse(text, nullptr, false);
  ASSERT_TRUE(schema.is_object());
  EXPECT_EQ(schema.at("properties").at("sluice").at("const"), 1);
  for (const auto& type : nlohmann::json::parse(output({"plugins", "--json"}))) {
    EXPECT_THAT(text, HasSubstr(type.at("id").dump()));
  }
}

TEST_F(Cli, Fmt_lays_out_once_and_keeps_comments) {
  const fs::path path = work_ / "g.json";
  write(path,
        "{\"sluice\":1, \"nodes\":{\"a\":\"source.tone\",\"z\":\"sink.null\"},\n\n\n"
        " // a comment\n\"edges\":[\"a->z\"]}");
  const std::string before = content(path);
  const Ended check = sluice({"fmt", "--check", "g.json"});
  EXPECT_EQ(check.exit_code, 1);
  EXPECT_THAT(check.out, HasSubstr("g.json"));
  EXPECT_EQ(content(path), before);
  const std::string printed = output({"fmt", "--stdout", "g.json"});
  EXPECT_EQ(content(path), before);
  output({"fmt", "g.json"});
  const std::string after = content(path);
  EXPECT_EQ(after, printed);
  EXPECT_THAT(after, AllOf(HasSubstr("// a comment"), HasSubstr("  \"sluice\": 1,\n")));
  output({"fmt", "g.json"});
  EXPECT_EQ(content(path), after);
  EXPECT_EQ(sluice({"fmt", "--check", "g.json"}).exit_code, 0);
}

TEST_F(Cli, Fmt_has_nothing_to_do_in_the_graphs_that_come_along) {
  Words words{"fmt", "--check"};
  for (const auto& entry : fs::directory_iterator(kGraphs)) {
    if (entry.path().extension() == ".json") words.push_back(entry.path());
  }
  ASSERT_GT(words.size(), 2u);
  EXPECT_THAT(output(words), IsEmpty());
}

TEST_F(Cli, New_graph_passes_check_and_fmt_and_replaces_nothing) {
  output({"new-graph", "source.tone", "filter.gate", "filter.gain", "sink.null", "-o", "n.json"});
  EXPECT_THAT(output({"check", "n.json"}), HasSubstr("The graph is sound."));
  output({"fmt", "--check", "n.json"});
  EXPECT_THAT(output({"check", "--normal", "n.json"}), HasSubstr("\"name\": \"n\""));
  const std::string before = content(work_ / "n.json");
  const Ended again = sluice({"new-graph", "-o", "n.json"});
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_THAT(again.err, HasSubstr("n.json"));
  EXPECT_EQ(content(work_ / "n.json"), before);
  EXPECT_EQ(sluice({"new-graph", "source.tune"}).exit_code, 1);
}

TEST_F(Cli, Run_writes_statistics_as_json_lines_and_a_summary) {
  const Ended ended = sluice({"run", "--stats", "s.jsonl", "-e",
                              "source.tone duration_ms=1300 -> sink.null pace=real-time"});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.err, AllOf(HasSubstr("Played "),
                               HasSubstr("null (sink.null): 62400 frames (1.30 s), none lost"),
                               HasSubstr("\nArrived: 62400 frames (1.30 s) at null; none lost")));
  std::ifstream file(work_ / "s.jsonl");
  size_t count = 0;
  double time_s = -1;
  nlohmann::json last;
  for (std::string line; std::getline(file, line); ++count) {
    last = nlohmann::json::parse(line, nullptr, false);
    ASSERT_TRUE(last.is_object()) << line;
    EXPECT_GT(last.at("time_s").get<double>(), time_s);
    time_s = last.at("time_s").get<double>();
  }
  EXPECT_GE(count, 1u);
  EXPECT_EQ(last.at("nodes").at("null").at("statistics").at("frames"), 62400);
  EXPECT_EQ(last.at("edges").at("tone.out->null.in").at("lost_frames"), 0);
}

TEST_F(Cli, Run_whose_statistics_cannot_be_written_starts_nothing) {
  const Ended ended = sluice(with({"run", "--stats", "nowhere/s.jsonl"}, kShort));
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_THAT(ended.err, HasSubstr("cannot write nowhere/s.jsonl"));
  EXPECT_EQ(files(), 0u);
}

TEST_F(Cli, Render_twice_is_bit_identical) {
  const Words noise{"-e",
                    "source.tone wave=pink duration_ms=5000 -> filter.gate"
                    " -> filter.gain gain_db=3.5 limiter=on -> filter.convert format=s16"
                    " dither=tpdf -> sink.wav path=o.wav"};
  std::string first;
  for (const char* const block : {"32768", "32768", "480"}) {
    output(with({"render", "--block", block}, noise));
    const std::string bytes = content(work_ / "o.wav");
    EXPECT_EQ(sound_info(work_ / "o.wav").frames, 240'240u);  // with the limiter's 5 ms
    if (first.empty()) first = bytes;
    EXPECT_TRUE(bytes == first) << "blocks of " << block;
  }
}

TEST_F(Cli, Render_for_some_seconds_ends_at_the_frame_with_and_without_a_clock) {
  for (const char* const source :
       {"source.tone", "source.tone live=true", "source.wav loop=true"}) {
    const std::string file = std::string(source) == "source.wav loop=true"
                                 ? " path=" + (fs::path(kGraphs) / "demo.wav").string()
                                 : std::string();
    const Ended ended =
        sluice({"render", "--for", "6.5", "-e",
                source + file + " -> filter.gain limiter=on -> sink.wav path=o.wav"});
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    EXPECT_THAT(ended.err, HasSubstr("none lost"));
    EXPECT_EQ(sound_info(work_ / "o.wav").frames, 312'000u + 240u) << source;
  }
  // What waits for ever ends too.
  const Ended ended = sluice({"render", "--for", "2", "-e", "source.tone -> sink.tcp port=9"});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
}

TEST_F(Cli, Render_reaches_nobody_outside_of_the_graph_over_the_network) {
  const std::string port = std::to_string(free_port());
  write_sound(work_ / "a.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 2, 48000, int_noise(960, 16));
  const std::string sender = "source.wav path=a.wav -> send:sink.tcp port=" + port;
  const std::string receiver = "receive:source.tcp until=first-sender port=" + port;
  for (const std::string& alone : {sender, receiver + " -> sink.null"}) {
    const Ended ended = sluice({"render", "-e", alone});
    EXPECT_EQ(ended.exit_code, 1) << alone;
    EXPECT_THAT(ended.err,
                ContainsRegex("\nsluice: (send|receive) waits for somebody who is not in "
                              "the graph, and 'sluice render' reaches nobody else: use "
                              "'sluice run'\\.\n$"));
  }
  // A server that is there is none either.
  const SocketServer server("127.0.0.1");
  EXPECT_EQ(sluice({"render", "-q", "-e",
                    "source.wav path=a.wav -> sink.tcp port=" + std::to_string(server.port())})
                .exit_code,
            1);
  // What it reaches is itself, from processes of their own too.
  for (const char* const isolate : {"", " isolate=true"}) {
    output(
        {"render", "-e", sender + isolate + "; " + receiver + isolate + " -> sink.wav path=b.wav"});
    EXPECT_EQ(read_sound_int(work_ / "b.wav"), read_sound_int(work_ / "a.wav")) << isolate;
  }
}

TEST_F(Cli, Demo_runs_to_its_end_and_is_bit_exact) {
  const std::string port = std::to_string(free_port());
  const Ended ended = sluice({"run", fs::path(kGraphs) / "demo.json", "--var", "port=" + port,
                              "--var", "received=" + (work_ / "r.wav").string()});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.err,
              AllOf(HasSubstr("bit-exact"), HasSubstr("none lost"), HasSubstr("exact yes")));
  EXPECT_GE(sound_info(work_ / "r.wav").frames, 192'000u);
  // The last line says what arrived, at both ends of the socket.
  EXPECT_THAT(ended.err, ContainsRegex("\nArrived: ([0-9]+) frames \\([0-9.]+ s\\) at send, file, "
                                       "compare.reference and compare.received; none lost; "
                                       "bit-exact; 99 % left at most [0-9.]+ ms late; latency "
                                       "[0-9.]+ ms, waiting in buffers included\\.\n$"));
  EXPECT_THAT(ended.err, AllOf(HasSubstr(", port " + port + ","), HasSubstr("sent 194400 frames"),
                               Not(ContainsRegex("e\\+[0-9]")), Not(ContainsRegex(" \n"))));
  // While it played: time, levels, the gate against its threshold, latency, fill of each edge.
  EXPECT_THAT(
      ended.err,
      ContainsRegex("\n0:[0-9.]+  wav (. -?[0-9]+ dB|ended)  receive (. -?[0-9]+ dB|waits)  "
                    "gate -[0-9a-z]+ of -50 dB  latency [0-9]+ ms  .* gate>prefill. "
                    "prefill>s16. s16>send."));
}

}  // namespace
}  // namespace sluice::tests
