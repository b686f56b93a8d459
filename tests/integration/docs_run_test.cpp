// Every graph and every command printed in the documentation is run, and every shipped graph, as a
// reader would who copies them: a new block is found by itself. Hosts, ports, FIFOs and devices are
// put to what the test has.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <regex>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "host/control/client.hpp"
#include "host/control/runtime_folder.hpp"
#include "host/graph/json_text.hpp"
#include "host/support/sanitizers.hpp"
#include "tests/integration/cli_fixture.hpp"
#include "tests/integration/doc_blocks.hpp"
#include "tests/integration/sound_lab.hpp"
#include "tests/support/tone_peer.hpp"

namespace sluice::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::ContainsRegex;
using ::testing::Ge;
using Json = nlohmann::json;

struct Elsewhere {
  const char* what;
  const char* why;
};

// Pages whose blocks other tests run.
constexpr Elsewhere kPages[] = {
    {"docs/control-api.md", "Live.Every_call_... and Web.Every_curl_... run all of it"},
    {"docs/writing-a-plugin.md", "sdk.page runs all of it against an installation"},
};

// Commands that are not run here, by how they begin.
constexpr Elsewhere kCommands[] = {
    {"./dev test", "runs this test"},
    {"./dev install", "sdk.install does the same"},
    {"./dev package", "takes minutes; CI does it"},
    {"git clone", "there is no network"},
    {"apt install", "needs the packages, and root"},
    {"cd ", "all is run where the page's files are"},
    {"cmake ", "needs the installed SDK: sdk.page has the same lines"},
    {"sluice validate build/my-echo.so", "needs what cmake built"},
    {"sluice run graphs/my-echo.json", "needs what cmake built"},
    {"sluice run graphs/aloop-hub.json", "needs the kernel's loopback card: lab.vm plays it"},
    {"sluice route box", "changes the graph on the line before"},
    {"systemctl ", "needs systemd: the tests of the service run the units' commands"},
    {"loginctl ", "needs systemd"},
    {"systemd-sysusers", "needs root"},
    {"some-program-that-writes-raw-samples", "stands for any; what it writes is the test's"},
};

// In place of a page: the shipped graphs.
constexpr const char* kShipped = "graphs";

std::string joined(const Words& words) {
  std::string line;
  for (const std::string& word : words) line += (line.empty() ? "" : " ") + word;
  return line;
}

// The one of the table that names it, if any.
const Elsewhere* elsewhere(std::span<const Elsewhere> table, const std::string& what) {
  const auto found = std::find_if(table.begin(), table.end(), [&](const Elsewhere& one) {
    return (what + " ").starts_with(one.what);
  });
  return found == table.end() ? nullptr : &*found;
}

const std::string& type_of(const Json& node) { return node["type"].get_ref<const std::string&>(); }

bool is_sink(const Json& node) { return type_of(node).starts_with("sink."); }

// Of "hub.out->box.in": box.
std::string end_of(const std::string& edge) {
  const size_t at = edge.rfind("->") + 2;
  return edge.substr(at, edge.find('.', at) - at);
}

// Does what a page says.
class Reader : public SoundLab {
 protected:
  Reader() {
    setenv("XDG_RUNTIME_DIR", home_.c_str(), 1);
    setenv("LV2_PATH", (source_folder() / "build/lab/hosted/root/usr/lib/lv2").c_str(), 1);
    write(input_, TonePeer::tone(4));
  }

  // What a shell would run of the text, with what it expands: programs and their arguments.
  std::vector<Words> commands(const std::string& text) const {
    static const std::string recorder = R"(
        PATH=/nonexistent
        record() {
          local line
          printf -v line '%s\x1f' "$@"
          printf '%s\x1e' "$line" >>"$CALLS"  # at once: both sides of a pipe do so
        }
        command_not_found_handle() { record "$@"; }
        cd() { record cd "$@"; }
        function ./dev { record ./dev "$@"; }
        set -ef
        )";
    const fs::path script = folder_ / "script", calls = folder_ / "calls", said = folder_ / "said";
    write(script, recorder + text);
    write(calls, "");
    const std::string shell = "cd '" + at_.string() + "' && HOME='" + home_.string() + "' CALLS='" +
                              calls.string() + "' bash '" + script.string() + "' >'" +
                              said.string() + "' 2>&1";
    EXPECT_EQ(std::system(shell.c_str()), 0) << content(said) << text;
    std::vector<Words> found;
    std::istringstream lines(content(calls));
    for (std::string line; std::getline(lines, line, '\x1e');) {
      std::istringstream parts(line);
      Words& words = found.emplace_back();
      for (std::string part; std::getline(parts, part, '\x1f');) words.push_back(part);
      // What is built here in place of what ./dev builds.
      if (joined(words) == "./dev run") words.emplace_back("graphs/demo.json");
      if (joined(words).starts_with("./dev run ")) words[0] = "sluice";
    }
    return found;
  }

  // Runs what is on the page, or the shipped graphs (kShipped), and can be run with or without a
  // sound server.
  void run_page(const std::string& page, bool has_server) {
    enter(page);
    for (const auto& entry : fs::directory_iterator(kGraphs)) {
      if (page != kShipped || entry.path().extension() != ".json") continue;
      run_these({{"sluice", "run", "graphs/" + entry.path().filename().string()}}, has_server);
    }
    for (const DocBlock& block : doc_blocks()) {
      if (block.page != page) continue;
      SCOPED_TRACE(block.place);
      if (block.language == "json") {
        const Json graph = Json::parse(block.text, nullptr, false, true);
        const std::string file = graph.value("name", "graph") + ".json";
        write(at_ / file, block.text);
        run_these({{"sluice", "run", file}}, has_server);
      } else if (block.language == "sh") {
        make_sounds(block.text);
        run_these(commands(block.text), has_server);
      }
    }
  }

  // Each page is read in a copy of the repository.
  void enter(const std::string& page) {
    at_ = work_ / fs::path(page).stem();
    fs::create_directory(at_);
    fs::copy(kGraphs, at_ / "graphs");
  }

  size_t played() const { return played_; }

 private:
  // The files that a text speaks of.
  void make_sounds(const std::string& text) const {
    static const std::regex name_of_sound(R"([\w-]+\.(wav|flac))");
    for (std::sregex_iterator name(text.begin(), text.end(), name_of_sound), end; name != end;
         ++name) {
      if (!fs::exists(at_ / name->str())) fs::copy(kGraphs + "/demo.wav", at_ / name->str());
    }
  }

  // The commands of one block, if it is for such a test.
  void run_these(std::vector<Words> commands, bool has_server) {
    std::erase_if(commands, [](const Words& words) { return elsewhere(kCommands, joined(words)); });
    bool needs_server = std::any_of(commands.begin(), commands.end(), [](const Words& words) {
      const std::string line = joined(words);
      return line.starts_with("pactl ") || line.starts_with("sluice devices") ||
             line.find("filter.lv2/") != std::string::npos;
    });
    if (needs_server && !has_server) return;
    std::map<const Words*, Json> graphs;
    for (const Words& words : commands) {
      const std::string line = joined(words);
      if (!line.starts_with("sluice run ") && !line.starts_with("sluice render ")) continue;
      const Json& graph = graphs[&words] = normal_form(words);
      needs_server = needs_server || has_device(graph);
    }
    if (needs_server != has_server) return;
    for (const Words& words : commands) {
      SCOPED_TRACE(joined(words));
      const Words arguments(words.begin() + 1, words.end());
      if (words[0] == "pactl") {
        server_->tell("pactl", arguments);
      } else if (words[0] != "sluice") {
        ADD_FAILURE() << "this test cannot run it; kCommands may say why";
      } else if (!graphs.contains(&words)) {
        const Ended ended = Running(at_, home_, arguments).finish();
        EXPECT_EQ(ended.exit_code, 0) << ended.out << ended.err;
      } else {
        play(arguments, graphs[&words]);
      }
    }
  }

  // The graph that such a command would play.
  Json normal_form(const Words& command) const {
    const std::set<std::string> of_graph{"-e", "--set", "--var", "--profile", "--route"};
    const std::set<std::string> flags{"-q", "--watch"};
    Words words{"check", "--normal"};
    for (auto word = command.begin() + 2; word != command.end(); ++word) {
      if (of_graph.contains(*word)) {
        words.push_back(*word++);
        words.push_back(*word);
      } else if (!word->starts_with("-")) {
        words.push_back(*word);
      } else if (!flags.contains(*word)) {
        ++word;
      }
    }
    const Ended ended = Running(at_, home_, words).finish();
    EXPECT_EQ(ended.exit_code, 0) << joined(words) << "\n" << ended.err;
    const Json graph = Json::parse(ended.out, nullptr, false);
    return graph.is_object() ? graph : Json::parse(R"({"nodes": {}})");
  }

  static bool has_device(const Json& graph) {
    return std::any_of(graph["nodes"].begin(), graph["nodes"].end(), [](const Json& node) {
      const std::string& type = type_of(node);
      return type == "source.loopback" || type == "source.device" || type == "sink.speakers" ||
             type == "sink.alsa";
    });
  }

  using Habit = TonePeer::Habit;

  // Puts what a graph reaches outside to what is here; `words` get the settings for that.
  void surround(const Json& graph, Words& words) {
    const auto set = [&words](const std::string& target, const std::string& value) {
      words.insert(words.end(), {"--set", target + "=" + value});
    };
    const auto is_listener = [](const Json& node) {
      return type_of(node).ends_with(".tcp") && node["params"]["mode"] == "listen";
    };
    std::map<Json, uint16_t> listeners;  // by the port that is printed
    for (const Json& node : graph["nodes"]) {
      if (is_listener(node)) listeners[node["params"]["port"]] = free_port();
    }
    std::set<uint16_t> met_inside;
    for (const auto& [id, node] : graph["nodes"].items()) {
      const Json& params = node["params"];
      const std::string& type = type_of(node);
      const Habit habit = is_sink(node) ? Habit::kReceives : Habit::kSends;
      if (type.ends_with(".tcp") && !is_listener(node)) {
        const auto inside = listeners.find(params["port"]);
        uint16_t port = 0;
        if (params["host"] == "127.0.0.1" && inside != listeners.end()) {
          met_inside.insert(port = inside->second);
        } else {
          port = peers_.emplace_back(habit).port();
          if (is_sink(node)) receivers_[id] = &peers_.back();
        }
        set(id + ".port", std::to_string(port));
        set(id + ".host", "127.0.0.1");
      } else if (type == "sink.pipe") {
        const fs::path fifo = at_ / (id + ".fifo");
        fs::remove(fifo);
        receivers_[id] = &peers_.emplace_back(fifo);
        set(id + ".path", fifo);
      } else if (type == "sink.wav") {
        fs::remove(params["path"].get<std::string>());
      } else if (type == "sink.speakers" && !params["device"].get<std::string>().empty()) {
        set(id + ".device", "ALSA:other");
      } else if (type == "sink.alsa" && params["device"] != "default") {
        set(id + ".device", "other");
      }
    }
    for (const auto& [id, node] : graph["nodes"].items()) {
      if (!is_listener(node)) continue;
      const uint16_t port = listeners[node["params"]["port"]];
      set(id + ".port", std::to_string(port));
      if (met_inside.contains(port)) continue;
      peers_.emplace_back(is_sink(node) ? Habit::kReceives : Habit::kSends, port);
      if (is_sink(node)) receivers_[id] = &peers_.back();
    }
  }

  // Runs it until each of its sinks has got something, by each of its routes.
  void play(Words words, const Json& graph) {
    ++played_;
    peers_.clear();
    receivers_.clear();
    heard_.clear();
    surround(graph, words);
    if (words[0] == "render") words.insert(words.end(), {"--for", "2"});
    Running run(at_, home_, words, input_);
    if (words[0] == "run") {
      go_through_routes(run, graph);
      run.signal(SIGINT);
    }
    const Ended ended = run.finish();
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    for (const auto& [id, node] : graph["nodes"].items()) {
      if (!is_sink(node)) continue;
      if (!heard_.contains(id)) {
        EXPECT_THAT(ended.err, ContainsRegex("\n  " + id + " \\([a-z.]*\\): [1-9]"));
      }
      if (type_of(node) == "sink.wav") {
        const std::vector<float> samples = read_sound_float(node["params"]["path"]);
        EXPECT_TRUE(std::any_of(samples.begin(), samples.end(), [](float s) { return s > 0.001F; }))
            << node["params"]["path"];
      }
    }
  }

  void go_through_routes(Running& run, const Json& graph) {
    std::optional<control::Client> client;
    const bool is_there = run.wait_until([&] {
      const std::vector<std::string> names = control::running_graphs();
      if (names.empty()) return false;
      auto made = control::Client::connect(names[0]);
      if (made) client.emplace(std::move(*made));
      return client.has_value();
    });
    if (!is_there) return;
    EXPECT_TRUE(hear(run, *client)) << run.said().err;
    if (!graph.contains("switches")) return;
    for (const auto& [id, one] : graph["switches"].items()) {
      for (const auto& [name, edges] : one["routes"].items()) {
        graph::Value route = graph::Value::object();
        route.set("switch", id);
        route.set("route", name == "*" ? "127.0.0.1" : name);
        // On a busy machine a host may not be reached in time.
        EXPECT_TRUE(run.wait_until([&] { return client->call("route", route).has_value(); }));
        EXPECT_TRUE(hear(run, *client)) << name << "\n" << run.said().err;
      }
    }
  }

  // Waits until each sink that is fed now has got something, or the graph has ended.
  bool hear(Running& run, control::Client& client) {
    bool has_ended = false;
    const bool is_heard = run.wait_until([&] {
      if (server_ && !(player_ && player_->is_running())) {
        player_ = server_->play(input_, "@DEFAULT_SINK@");
      }
      const auto status = client.call("status", graph::Value::object());
      has_ended = !status;
      if (has_ended) return true;
      bool is_all = true;
      const Json now = Json::parse(graph::to_json(*status), nullptr, false);
      for (const auto& [key, edge] : now["edges"].items()) {
        const std::string id = end_of(key);
        if (!now["nodes"].contains(id) || !is_sink(now["nodes"][id])) continue;
        const bool is_one =
            edge["read_frames"] > 0 && (!receivers_.contains(id) || receivers_[id]->heard() > 1000);
        if (is_one) heard_.insert(id);
        is_all = is_all && is_one;
      }
      return is_all;
    });
    return is_heard || has_ended;
  }

  const fs::path input_ = folder_.path() / "input.raw";
  fs::path at_;
  size_t played_ = 0;
  std::unique_ptr<Daemon> player_;  // into the default output
  // Of what plays now.
  std::deque<TonePeer> peers_;
  std::map<std::string, TonePeer*> receivers_;  // by their sinks
  std::set<std::string> heard_;
};

// What needs no sound server.
class Printed : public Reader {
 protected:
  void SetUp() override {}
};

TEST_F(Printed, Shipped_scc_graph_sends_a_tone_where_scc_says) {
  TonePeer desktop(TonePeer::Habit::kSends, free_port()), box(TonePeer::Habit::kReceives),
      other(TonePeer::Habit::kReceives), local(work_ / "local.fifo");
  Running graph(work_, home_,
                {"run", "-q", kGraphs + "/scc.json", "--var",
                 "listen=" + std::to_string(desktop.port()), "--var", "local=local.fifo", "--var",
                 "box=127.0.0.1", "--set", "box.port=" + std::to_string(box.port()), "--set",
                 "remote.port=" + std::to_string(other.port())});
  ASSERT_TRUE(graph.wait_until([] { return !control::running_graphs().empty(); }));
  const auto expect_tone_at = [&](TonePeer& there, const std::string& where) {
    // On a busy machine a host may not be reached in time.
    EXPECT_TRUE(graph.wait_until([&] { return sluice({"scc", where}).out == where + "\n"; }));
    there.forget();
    EXPECT_TRUE(graph.wait_until([&] { return there.has_tone(); })) << where << graph.said().err;
  };
  expect_tone_at(local, "local");
  expect_tone_at(box, "box");
  expect_tone_at(other, "127.0.0.1");
  expect_tone_at(local, "local");
  EXPECT_EQ(output({"scc", "none"}), "none\n");
  EXPECT_TRUE(graph.wait_until([&] {
    return output({"status"}).find("volume.out->") == std::string::npos;
  })) << "somebody still gets it";
  graph.signal(SIGINT);
  EXPECT_EQ(graph.finish().exit_code, 0);
}

TEST_F(Printed, Exceptions_are_printed_somewhere) {
  enter("README.md");
  std::set<const Elsewhere*> met;
  for (const DocBlock& block : doc_blocks()) {
    met.insert(elsewhere(kPages, block.page));
    if (block.language != "sh" || elsewhere(kPages, block.page)) continue;
    for (const Words& words : commands(block.text)) met.insert(elsewhere(kCommands, joined(words)));
  }
  for (const Elsewhere& one : kPages) EXPECT_TRUE(met.contains(&one)) << one.what;
  for (const Elsewhere& one : kCommands) EXPECT_TRUE(met.contains(&one)) << one.what;
}

// Pages with something to run.
std::set<std::string> pages_with_commands() {
  std::set<std::string> pages{kShipped};
  for (const DocBlock& block : doc_blocks()) {
    const bool is_run = block.language == "sh" || block.language == "json";
    if (is_run && !elsewhere(kPages, block.page)) pages.insert(block.page);
  }
  return pages;
}

class PrintedPage : public Printed, public ::testing::WithParamInterface<std::string> {};

INSTANTIATE_TEST_SUITE_P(Docs, PrintedPage, ::testing::ValuesIn(pages_with_commands()),
                         [](const auto& page) {
                           std::string name = fs::path(page.param).stem();
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST_P(PrintedPage, Graphs_and_commands_run) { run_page(GetParam(), false); }

class PrintedSpeakers : public Reader {
 protected:
  void SetUp() override {
#if SLUICE_THREAD_SANITIZER
    GTEST_SKIP() << "ThreadSanitizer does not see how libpulse and PortAudio synchronise.";
#endif
    SoundLab::SetUp();
    if (IsSkipped()) return;
    prepare_server("pulse");
    server_->start();
  }
};

TEST_F(PrintedSpeakers, Graphs_and_commands_run) {
  for (const std::string& page : pages_with_commands()) run_page(page, true);
  EXPECT_THAT(played(), Ge(5U));
}

}  // namespace
}  // namespace sluice::tests
