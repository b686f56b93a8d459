// The program itself, as people and scripts call it: what it prints, its exit code, what it leaves.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/sound_files.hpp"

extern "C" char** environ;

namespace sluice {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using Words = std::vector<std::string>;

constexpr const char* kProgram = SLUICE_TEST_BUILD_DIR "/bin/sluice";
constexpr const char* kGraphs = SLUICE_TEST_SOURCE_DIR "/graphs";
constexpr std::chrono::seconds kPatience{60};

struct Ended {
  int exit_code = -1;  // 128 and the signal's number if one ended it
  std::string out, err;
};

std::string content(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write(const fs::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

// A command while it runs: nothing to read, the C locale, a home and a current folder that are
// temporary. Killed if it is still there at the end.
class Running {
 public:
  Running(const fs::path& folder, const fs::path& home, const Words& words) {
    std::vector<char*> arguments{const_cast<char*>(kProgram)};
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    std::vector<std::string> variables{"LC_ALL=C", "HOME=" + home.string(),
                                       "XDG_CACHE_HOME=" + (home / "cache").string()};
    for (char** variable = environ; *variable; ++variable) {
      const std::string_view text = *variable;
      if (text.starts_with("LC_") || text.starts_with("HOME=") ||
          text.starts_with("XDG_CACHE_HOME=") || text.starts_with("SLUICE_")) {
        continue;
      }
      variables.emplace_back(text);
    }
    std::vector<char*> environment;
    for (std::string& variable : variables) environment.push_back(variable.data());
    environment.push_back(nullptr);

    int out[2];
    int err[2];
    if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) std::abort();
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
    posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
    const int failed =
        posix_spawn(&pid_, kProgram, &actions, nullptr, arguments.data(), environment.data());
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    close(err[1]);
    pipes_[0] = {out[0], POLLIN, 0};
    pipes_[1] = {err[0], POLLIN, 0};
    if (failed) {
      ADD_FAILURE() << kProgram << " cannot be started";
      pid_ = -1;
    }
  }
  ~Running() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    for (const pollfd& pipe : pipes_) {
      if (pipe.fd >= 0) close(pipe.fd);
    }
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  void signal(int number) const {
    if (pid_ > 0) kill(pid_, number);
  }
  void read_some(int timeout_ms) {
    if (poll(pipes_, 2, timeout_ms) <= 0) return;
    for (size_t i = 0; i < 2; ++i) {
      if (pipes_[i].fd < 0 || pipes_[i].revents == 0) continue;
      char buffer[65536];
      const ssize_t count = read(pipes_[i].fd, buffer, sizeof(buffer));
      if (count > 0) {
        (i == 0 ? ended_.out : ended_.err).append(buffer, static_cast<size_t>(count));
      } else {
        close(pipes_[i].fd);
        pipes_[i].fd = -1;
      }
    }
  }
  // Whether `condition` came true while the program ran.
  template <typename Condition>
  bool wait_until(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < end) {
      if (condition()) return true;
      if (!is_talking()) return condition();
      read_some(5);
    }
    return false;
  }
  Ended finish() {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (is_talking() && std::chrono::steady_clock::now() < end) read_some(100);
    if (is_talking()) {
      ADD_FAILURE() << "still running:\n" << ended_.out << ended_.err;
      kill(pid_, SIGKILL);
    }
    int status = 0;
    if (pid_ > 0 && waitpid(pid_, &status, 0) == pid_) {
      ended_.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    pid_ = -1;
    return ended_;
  }

 private:
  bool is_talking() const { return pipes_[0].fd >= 0 || pipes_[1].fd >= 0; }

  pid_t pid_ = -1;
  pollfd pipes_[2] = {};
  Ended ended_;
};

uint16_t free_port() {
  const int probe = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  const bool is_found = bind(probe, any, size) == 0 && getsockname(probe, any, &size) == 0;
  EXPECT_TRUE(is_found);
  close(probe);
  return ntohs(address.sin_port);
}

class Cli : public ::testing::Test {
 protected:
  Cli() {
    fs::create_directory(work_);
    fs::create_directory(home_);
  }

  Ended sluice(const Words& words) const { return Running(work_, home_, words).finish(); }
  // What `sluice` prints; it must not fail.
  std::string output(const Words& words) const {
    const Ended ended = sluice(words);
    EXPECT_EQ(ended.exit_code, 0) << ::testing::PrintToString(words) << "\n" << ended.err;
    return ended.out;
  }
  // What the commands say against the graph `text`: each the same, with exit code 1 and no new
  // file.
  std::string refusal(std::string_view text, const Words& commands = {"run"}) const {
    write(work_ / "g.json", text);
    return refusal_of({"g.json"}, commands);
  }
  std::string refusal_of(const Words& graph, const Words& commands = {"run"}) const {
    const size_t files_before = files();
    std::string first;
    for (const std::string& command : commands) {
      Words words{command, "-q"};
      words.insert(words.end(), graph.begin(), graph.end());
      const Ended ended = sluice(words);
      EXPECT_EQ(ended.exit_code, 1) << command << "\n" << ended.err;
      EXPECT_THAT(ended.out, IsEmpty()) << command;
      if (first.empty()) first = ended.err;
      EXPECT_EQ(ended.err, first) << command;
    }
    EXPECT_EQ(files(), files_before) << "something was started";
    return first;
  }
  size_t files() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(work_), {}));
  }
  static size_t lines(const std::string& text) {
    return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
  }

  const tests::TemporaryFolder folder_;
  const fs::path work_ = folder_.path() / "work";
  const fs::path home_ = folder_.path() / "home";
};

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
                    HasSubstr("there are out")));
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
  ended = sluice({"run", "--stat", "x", "--no-such"});
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err, HasSubstr("--no-such"));
}

class CliBadPlugin : public Cli {
 protected:
  // What is said when a graph needs acme.wibble and the file named so is that of `name`.
  std::string refusal_with(const std::string& name) const {
    fs::copy_file(fs::path(SLUICE_TEST_BAD_PLUGIN_DIR) / (name + ".so"), plugin_,
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
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "under a sanitizer these can be used";
#else
  EXPECT_THAT(refusal_with("sanitized"), HasSubstr("-fsanitize=address"));
  EXPECT_THAT(refusal_with("says_sanitized"), HasSubstr("-fsanitize=thread"));
#endif
}

TEST_F(CliBadPlugin, Unused_beside_good_ones_disturbs_no_graph) {
  const Ended ended = sluice({"check", "-q", "-e", "source.tone -> sink.null", "--plugin-dir",
                              SLUICE_TEST_BAD_PLUGIN_DIR});
  EXPECT_EQ(ended.exit_code, 0);
  EXPECT_THAT(ended.err, IsEmpty());
}

TEST_F(CliBadPlugin, List_of_plugins_names_every_bad_file) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "what says that it has ThreadSanitizer is loaded here, and ends its host";
#endif
  const Ended ended = sluice({"plugins", "--plugin-dir", SLUICE_TEST_BAD_PLUGIN_DIR});
  EXPECT_EQ(ended.exit_code, 0);
  EXPECT_THAT(ended.out, HasSubstr("source.tone"));
  for (const char* const name : {"no_entry.so", "entry_is_function.so", "other_abi.so",
                                 "missing_symbol.so", "missing_library.so", "null_types.so"}) {
    EXPECT_THAT(ended.err, HasSubstr(name));
  }
}

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
  EXPECT_THAT(ended.err,
              AllOf(HasSubstr("Played "), HasSubstr("62400 frames"), HasSubstr("0 lost")));
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
    EXPECT_EQ(tests::sound_info(work_ / "o.wav").frames, 240'240u);  // with the limiter's 5 ms
    if (first.empty()) first = bytes;
    EXPECT_TRUE(bytes == first) << "blocks of " << block;
  }
}

TEST_F(Cli, Demo_runs_to_its_end_and_is_bit_exact) {
  const std::string port = std::to_string(free_port());
  const Ended ended = sluice({"run", fs::path(kGraphs) / "demo.json", "--var", "port=" + port,
                              "--var", "received=" + (work_ / "r.wav").string()});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.err,
              AllOf(HasSubstr("bit-exact"), HasSubstr("none lost"), HasSubstr("is_exact 1")));
  EXPECT_GE(tests::sound_info(work_ / "r.wav").frames, 192'000u);
}

class CliSignals : public Cli {
 protected:
  bool has_sound() const {
    std::error_code missing;
    const auto size = fs::file_size(work_ / "o.wav", missing);
    return !missing && size > 4096;
  }
};

TEST_F(CliSignals, First_interrupt_ends_gracefully_with_a_readable_file) {
  for (const int signal : {SIGINT, SIGTERM}) {
    Running running(work_, home_, {"run", "-e", "source.tone live=true -> sink.wav path=o.wav"});
    ASSERT_TRUE(running.wait_until([&] { return has_sound(); }));
    running.signal(signal);
    const Ended ended = running.finish();
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    EXPECT_THAT(ended.err, HasSubstr("Played "));
    const auto sound = tests::read_sound_float(work_ / "o.wav");
    ASSERT_GT(sound.size(), 100u);
    // Faded out: the tone itself has a level of -20 dB.
    EXPECT_LT(std::abs(sound.back()), 0.001f);
    // All of the file is sound: its header was brought up to date.
    EXPECT_GE(sound.size() * sizeof(float) + 4096, fs::file_size(work_ / "o.wav"));
    fs::remove(work_ / "o.wav");
  }
}

TEST_F(CliSignals, Second_interrupt_ends_at_once) {
  Running running(work_, home_, {"run", "-e", "source.tone live=true -> sink.wav path=o.wav"});
  ASSERT_TRUE(running.wait_until([&] { return has_sound(); }));
  // Two different signals, as two of one kind may arrive as one.
  running.signal(SIGINT);
  running.signal(SIGTERM);
  const Ended ended = running.finish();
  EXPECT_THAT(ended.exit_code, AnyOf(128 + SIGINT, 128 + SIGTERM)) << ended.err;
  EXPECT_THAT(ended.err, Not(HasSubstr("Played ")));
  EXPECT_EQ(tests::sound_info(work_ / "o.wav").channels, 2u) << "the file cannot be read";
}

}  // namespace
}  // namespace sluice
