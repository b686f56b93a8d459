// A graph that plays, changed by the program's own commands over its socket.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/folders.hpp"
#include "tests/support/sound_files.hpp"

extern "C" char** environ;

namespace sluice::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using Json = nlohmann::json;

const std::string kFolder = build_folder() / "bin";
constexpr std::chrono::seconds kPatience{60};

constexpr const char* kGraph = R"({"sluice": 1, "name": "live", "nodes": {
    "tone": {"type": "source.tone", "params": {"live": true}},
    "hub": "filter.gain",
    "here": {"type": "sink.null", "params": {"pace": "real-time"}},
    "there": {"type": "sink.wav", "params": {"path": "there.wav"}}},
  "edges": ["tone -> hub"],
  "routes": {"here": ["hub -> here"], "there": ["hub -> there"], "none": []}})";

struct Outcome {
  int exit_code = -1;
  std::string output;
};

// Runs graphs and commands with a folder for sockets of their own.
class Live : public ::testing::Test {
 protected:
  void TearDown() override {
    for (const pid_t pid : hosts_) end(pid);
  }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
  }

  pid_t start(const std::string& graph, const std::string& options = "-q") {
    const std::string out = folder_ / (graph + ".log");
    const std::string command =
        "exec sluice run " + options + " " + graph + " >>" + out + " 2>&1 </dev/null";
    std::string shell = "/bin/sh", c = "-c", text = prefix() + command;
    char* arguments[] = {shell.data(), c.data(), text.data(), nullptr};
    pid_t pid = -1;
    EXPECT_EQ(posix_spawn(&pid, "/bin/sh", nullptr, nullptr, arguments, environ), 0);
    hosts_.push_back(pid);
    return pid;
  }
  void wait_for(const std::string& name) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (sluice("call status --graph " + name).exit_code != 0) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "the graph does not answer";
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  static void end(pid_t pid) {
    if (pid <= 0) return;
    kill(pid, SIGTERM);
    waitpid(pid, nullptr, 0);
  }
  std::string prefix() const {
    return "cd '" + folder_.path().string() + "' && export XDG_RUNTIME_DIR='" +
           folder_.path().string() + "' PATH='" + kFolder + "':\"$PATH\" LC_ALL=C && ";
  }
  Outcome sh(const std::string& command) const {
    Outcome outcome;
    FILE* pipe = ::popen((prefix() + "{ " + command + "\n} 2>&1").c_str(), "r");
    if (!pipe) return outcome;
    std::array<char, 4096> part{};
    for (size_t size = 0; (size = std::fread(part.data(), 1, part.size(), pipe)) != 0;) {
      outcome.output.append(part.data(), size);
    }
    const int status = ::pclose(pipe);
    outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return outcome;
  }
  // Whether `condition` came true.
  static bool comes(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return true;
  }
  std::string content(const std::string& name) const {
    std::ifstream file(folder_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  double gain() const {
    return call("document")["document"]["nodes"]["hub"]["params"]["gain_db"].get<double>();
  }
  Outcome sluice(const std::string& words) const { return sh("sluice " + words); }
  Json call(const std::string& words) const {
    const Outcome outcome = sluice("call " + words);
    EXPECT_EQ(outcome.exit_code, 0) << words << "\n" << outcome.output;
    return Json::parse(outcome.output, nullptr, false);
  }

  // A connection of its own, for what no command sends.
  int connect(const std::string& name) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = folder_ / "sluice" + ("/" + name + ".sock");
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::connect(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return descriptor;
  }
  static std::string exchange(int descriptor, const std::string& text) {
    EXPECT_EQ(::send(descriptor, text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
    std::string answer;
    char c = 0;
    while (::recv(descriptor, &c, 1, 0) == 1 && c != '\n') answer += c;
    return answer;
  }

  TemporaryFolder folder_;
  std::vector<pid_t> hosts_;
};

TEST_F(Live, Commands_change_what_plays) {
  write("live.json", kGraph);
  start("live.json");
  wait_for("live");
  EXPECT_EQ(sluice("route").output, "main: here (of here, there, none)\n");
  EXPECT_EQ(sluice("route there").output,
            "take the route there\nconnect hub.out->there.in\ndisconnect hub.out->here.in\n");
  EXPECT_EQ(call("route")["routes"]["main"]["taken"], "there");
  EXPECT_EQ(sluice("set hub.gain_db -6.5").output, "set hub.gain_db to -6.5\n");
  EXPECT_EQ(call("document")["document"]["nodes"]["hub"]["params"]["gain_db"], -6.5);
  EXPECT_EQ(sluice("add copy filter.gain gain_db=-3 'hub -> copy'").exit_code, 0);
  EXPECT_EQ(sluice("add end sink.null").exit_code, 0);
  EXPECT_EQ(sluice("connect copy end").exit_code, 0);
  EXPECT_EQ(sluice("disconnect hub copy").output, "disconnect hub.out->copy.in\n");
  EXPECT_EQ(sluice("remove copy").exit_code, 0);
  EXPECT_EQ(sluice("undo").exit_code, 0);
  EXPECT_THAT(sluice("diff").output, HasSubstr("set hub.gain_db to -6.5"));
  EXPECT_THAT(sluice("status").output, StartsWith("live (process "));
  EXPECT_EQ(sluice("why hub").exit_code, 0);
  const Outcome wrong = sluice("route their");
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_THAT(wrong.output, HasSubstr("there"));
  EXPECT_EQ(sluice("reload").exit_code, 0);
  EXPECT_EQ(call("document")["document"]["nodes"]["hub"]["params"]["gain_db"], 0);
  EXPECT_EQ(call("route")["routes"]["main"]["taken"], "there");
  EXPECT_EQ(sluice("call nothing").exit_code, 1);
}

TEST_F(Live, Reconnect_skips_the_wait_of_a_node_that_has_lost_its_peer) {
  write("far.json", R"({"sluice": 1, "name": "far", "nodes": {
    "tone": {"type": "source.tone", "params": {"live": true}},
    "far": {"type": "sink.tcp", "params": {"port": 9}}}, "edges": ["tone -> far"]})");
  start("far.json");
  wait_for("far");
  // By itself it would try about eight times in a minute.
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  int attempts = 0;
  while (attempts < 25 && std::chrono::steady_clock::now() < deadline) {
    EXPECT_EQ(sluice("reconnect far").output, "far tries again.\n");
    attempts = call("status")["nodes"]["far"]["statistics"]["failed_connections"];
  }
  EXPECT_GE(attempts, 25);
  const Outcome tone = sluice("reconnect tone");
  EXPECT_EQ(tone.exit_code, 1);
  EXPECT_THAT(tone.output, HasSubstr("tone (source.tone) has nothing that it would try again."));
  const Outcome wrong = sluice("reconnect fat");
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_THAT(wrong.output, HasSubstr("There is no node fat"));
}

TEST_F(Live, Node_that_opens_a_device_is_replaced_beside_the_one_that_has_it) {
  write("cards.json", R"({"sluice": 1, "name": "cards", "nodes": {
    "tone": {"type": "source.tone", "params": {"live": true}},
    "card": {"type": "sink.alsa", "params": {"device": "hw:CARD=none,DEV=0"}}},
    "edges": ["tone -> card"]})");
  start("cards.json");
  wait_for("cards");
  EXPECT_EQ(sluice("set card.buffer_frames 256").output, "replace card (buffer_frames)\n");
  const Outcome second = sluice("add other sink.alsa device=hw:CARD=none,DEV=0 'tone -> other'");
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.output, HasSubstr("take the same playback device"));
}

TEST_F(Live, Second_graph_of_a_name_is_refused_and_two_must_be_told_apart) {
  write("live.json", kGraph);
  std::string other = kGraph;
  other.replace(other.find("\"live\""), 6, "\"more\"");
  other.replace(other.find("there.wav"), 9, "their.wav");
  write("more.json", other);
  EXPECT_THAT(sluice("status").output, HasSubstr("no graph is running"));
  start("live.json");
  wait_for("live");
  const Outcome second = sluice("run -q live.json");
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.output, HasSubstr("A graph named live runs already"));
  start("more.json");
  wait_for("more");
  const Outcome unclear = sluice("status");
  EXPECT_EQ(unclear.exit_code, 2);
  EXPECT_THAT(unclear.output, HasSubstr("  live\n  more\n"));
  EXPECT_EQ(sluice("route none --graph more").exit_code, 0);
  struct stat status {};
  ASSERT_EQ(::stat((folder_ / "sluice/live.sock").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  // The name is free again when its process is gone, however it went.
  kill(hosts_[0], SIGKILL);
  waitpid(hosts_[0], nullptr, 0);
  hosts_[0] = start("live.json");
  hosts_.pop_back();
  wait_for("live");
}

TEST_F(Live, Clients_are_served_together_and_told_of_each_other) {
  write("live.json", kGraph);
  start("live.json");
  wait_for("live");
  const int listener = connect("live");
  const Json first = Json::parse(exchange(
      listener, R"({"jsonrpc":"2.0","id":7,"method":"subscribe","params":{"topics":["changes"]}})"
                "\n"));
  EXPECT_EQ(first["id"], 7);
  EXPECT_EQ(first["result"]["snapshot"]["version"], 1);
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([this, i] {
      for (int k = 0; k < 5; ++k) {
        EXPECT_EQ(sluice("set hub.gain_db -" + std::to_string(i * 5 + k + 1)).exit_code, 0);
      }
    });
  }
  for (std::thread& client : clients) client.join();
  for (int64_t sequence = 1; sequence <= 20; ++sequence) {
    const Json event = Json::parse(exchange(listener, ""));
    EXPECT_EQ(event["params"]["sequence"], sequence);
    EXPECT_EQ(event["params"]["event"]["version"], sequence + 1);
  }
  close(listener);
  EXPECT_EQ(call("status")["version"], 21);
}

TEST_F(Live, Hostile_messages_are_answered_and_harm_nobody) {
  write("live.json", kGraph);
  start("live.json");
  wait_for("live");
  const int client = connect("live");
  const auto code = [&](const std::string& text) {
    const Json answer = Json::parse(exchange(client, text + "\n"), nullptr, false);
    return answer.is_object() && answer.contains("error") ? answer["error"]["code"].get<int>() : 0;
  };
  EXPECT_EQ(code("{"), -32700);
  EXPECT_EQ(code(std::string(200, '[') + std::string(200, ']')), -32700);
  EXPECT_EQ(code("[]"), -32600);
  EXPECT_EQ(code("1"), -32600);
  EXPECT_EQ(code(R"({"jsonrpc":"2.0","id":1,"method":"nobody"})"), -32601);
  EXPECT_EQ(code(R"({"jsonrpc":"2.0","id":1,"method":"set","params":[1]})"), -32602);
  EXPECT_EQ(code(R"({"jsonrpc":"2.0","id":1,"method":"set","params":{"target":"x.y","value":1}})"),
            -32002);
  const Json batch = Json::parse(exchange(
      client,
      R"([{"jsonrpc":"2.0","id":1,"method":"methods"},{"jsonrpc":"2.0","method":"methods"},)"
      R"({"jsonrpc":"2.0","id":"b","method":"route"}])"
      "\n"));
  ASSERT_EQ(batch.size(), 2u);
  EXPECT_EQ(batch[0]["id"], 1);
  EXPECT_EQ(batch[1]["id"], "b");
  // Longer than a message may be: told so, and closed.
  const std::string flood(size_t{2} << 20, 'x');
  size_t sent = 0;
  while (sent < flood.size()) {
    const ssize_t size = ::send(client, flood.data() + sent, flood.size() - sent, MSG_NOSIGNAL);
    if (size <= 0) break;
    sent += static_cast<size_t>(size);
  }
  close(client);
  // Connections that say nothing, up to the last one and beyond.
  std::vector<int> silent;
  for (int i = 0; i < 70; ++i) silent.push_back(connect("live"));
  for (const int descriptor : silent) close(descriptor);
  wait_for("live");
  EXPECT_EQ(sluice("route none").exit_code, 0);
}

TEST_F(Live, Edited_file_changes_what_plays_and_an_error_in_it_leaves_the_sound) {
  write("live.json", kGraph);
  start("live.json", "--watch");
  wait_for("live");
  const auto with_gain = [](const std::string& gain) {
    std::string text = kGraph;
    const std::string plain = R"("hub": "filter.gain")";
    text.replace(text.find(plain), plain.size(),
                 R"("hub": {"type": "filter.gain", "params": {"gain_db": )" + gain + "}}");
    return text;
  };
  // Written in place, and after that something else was changed live.
  write("live.json", with_gain("-3"));
  EXPECT_TRUE(comes([&] { return gain() == -3; })) << content("live.json.log");
  EXPECT_EQ(sluice("set tone.level_db -33").exit_code, 0);
  EXPECT_EQ(sluice("route none").exit_code, 0);
  // As editors do: a new file that takes the old one's place.
  write("live.json~", with_gain("-4"));
  fs::rename(folder_ / "live.json~", folder_ / "live.json");
  EXPECT_TRUE(comes([&] { return gain() == -4; })) << content("live.json.log");
  const Json document = call("document")["document"];
  EXPECT_EQ(document["nodes"]["tone"]["params"]["level_db"], -33);
  EXPECT_EQ(document["switches"]["main"]["initial"], "none");
  // An error is one sentence.
  write("live.json", with_gain("\"loud\""));
  EXPECT_TRUE(comes([&] {
    return content("live.json.log").find("The graph plays on as it was.") != std::string::npos;
  })) << content("live.json.log");
  EXPECT_EQ(gain(), -4);
  write("live.json", with_gain("-5"));
  EXPECT_TRUE(comes([&] { return gain() == -5; })) << content("live.json.log");
  // What the program itself saves is no news.
  const int64_t version = call("status")["version"].get<int64_t>();
  EXPECT_EQ(sluice("set hub.gain_db -6").exit_code, 0);
  EXPECT_EQ(sluice("save").exit_code, 0);
  EXPECT_THAT(content("live.json"), HasSubstr("-6"));
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  EXPECT_EQ(call("status")["version"], version + 1);
}

// In the host and in a process of its own.
TEST_F(Live, Plugin_built_anew_takes_over_behind_a_cross_fade) {
  const fs::path plugin = fs::path(folder_ / "plugins") / "bad.troubled.so";
  fs::create_directory(plugin.parent_path());
  for (const std::string isolate : {"false", "true"}) {
    SCOPED_TRACE("isolate: " + isolate);
    fs::copy_file(bad_plugin_folder() / "troubled.so", plugin,
                  fs::copy_options::overwrite_existing);
    const std::string name = "anew-" + isolate;
    write(name + ".json", R"({"sluice": 1, "name": ")" + name + R"(", "nodes": {
        "tone": {"type": "source.tone", "params": {"live": true, "frequency_hz": 100}},
        "new": {"type": "bad.troubled", "isolate": )" +
                              isolate + R"(},
        "heard": {"type": "sink.wav", "params": {"path": ")" +
                              name + R"(.wav"}}},
      "edges": ["tone -> new -> heard"]})");
    const pid_t host = start(name + ".json", "--watch --plugin-dir plugins");
    wait_for(name);
    const auto frames = [&] {
      return call("status --graph " + name)["nodes"]["tone"]["statistics"]["frames"].get<double>();
    };
    ASSERT_TRUE(comes([&] { return frames() > 12000; }));
    // As a build does: another file of the same name.
    fs::copy_file(bad_plugin_folder() / "troubled_anew.so", folder_ / "plugins/new");
    fs::rename(folder_ / "plugins/new", plugin);
    ASSERT_TRUE(comes([&] {
      return content(name + ".json.log").find("was built anew: new now runs it.") !=
             std::string::npos;
    })) << content(name + ".json.log");
    const double then = frames();
    ASSERT_TRUE(comes([&] { return frames() > then + 24000; }));
    end(host);
    hosts_.pop_back();
    // -20 dB, then twice as much, and no step beyond that of the tone.
    const std::vector<float> heard = read_sound_float(folder_ / (name + ".wav"));
    ASSERT_GT(heard.size(), 48000U);
    float before = 0, after = 0, step = 0;
    for (size_t i = 2; i < heard.size(); ++i) {
      float& peak = i < 10000 ? before : after;
      peak = std::max(peak, std::fabs(heard[i]));
      step = std::max(step, std::fabs(heard[i] - heard[i - 2]));
    }
    EXPECT_NEAR(before, 0.1, 0.001);
    EXPECT_NEAR(after, 0.2, 0.002);
    EXPECT_LT(step, 0.2 * 2 * 3.15 * 100 / 48000 * 1.2);
  }
}

TEST_F(Live, Routes_and_live_parameters_survive_a_kill) {
  write("live.json", kGraph);
  pid_t host = start("live.json", "-q --state live.state");
  wait_for("live");
  EXPECT_EQ(sluice("route none").exit_code, 0);
  EXPECT_EQ(sluice("set hub.gain_db -7").exit_code, 0);
  EXPECT_EQ(sluice("set tone.level_db -40").exit_code, 0);
  EXPECT_TRUE(comes([&] { return content("live.state").find("-40") != std::string::npos; }));
  kill(host, SIGKILL);
  waitpid(host, nullptr, 0);
  hosts_.clear();
  // Meanwhile somebody wrote another level into the file: that counts.
  std::string text = kGraph;
  const std::string plain = R"("params": {"live": true})";
  text.replace(text.find(plain), plain.size(), R"("params": {"live": true, "level_db": -50})");
  write("live.json", text);
  start("live.json", "-q --state live.state");
  wait_for("live");
  EXPECT_EQ(gain(), -7);
  EXPECT_EQ(call("route")["routes"]["main"]["taken"], "none");
  EXPECT_EQ(call("document")["document"]["nodes"]["tone"]["params"]["level_db"], -50);
  EXPECT_THAT(sluice("diff").output, HasSubstr("set hub.gain_db to -7"));
  // Back to what the file says: nothing is left to be kept.
  EXPECT_EQ(sluice("reload").exit_code, 0);
  EXPECT_EQ(gain(), 0);
  EXPECT_TRUE(comes([&] { return content("live.state").find("-7") == std::string::npos; }));
}

// Killed while it writes its state as fast as changes come: it can be read after each.
TEST_F(Live, Killed_at_any_moment_the_state_can_be_read) {
  write("live.json", kGraph);
  for (int round = 0; round < 5; ++round) {
    const pid_t host = start("live.json", "-q --state live.state");
    wait_for("live");
    const int client = connect("live");
    for (int i = 1; i <= 40; ++i) {
      exchange(client, R"({"jsonrpc":"2.0","id":1,"method":"set","params":{"target":)"
                       R"("hub.gain_db","value":-)" +
                           std::to_string(round + i) + "}}\n");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(37 * round));
    kill(host, SIGKILL);
    waitpid(host, nullptr, 0);
    hosts_.clear();
    close(client);
    const Json state = Json::parse(content("live.state"), nullptr, false);
    ASSERT_TRUE(state.is_object()) << content("live.state");
    EXPECT_EQ(state["sluice_state"], 1);
  }
}

TEST_F(Live, Profiles_are_saved_taken_and_deleted) {
  std::string text = kGraph;
  text.insert(text.rfind('}'), R"(,
  // kept
  "profiles": {"away": {"route": "none", "set": {"hub.mute": true}}})");
  write("live.json", text);
  start("live.json");
  wait_for("live");
  EXPECT_EQ(sluice("profile").output, "  away\n");
  EXPECT_EQ(sluice("set hub.gain_db -9").exit_code, 0);
  EXPECT_EQ(sluice("profile save night").exit_code, 0);
  EXPECT_EQ(sluice("profile list").output, "  away\n* night\n");
  EXPECT_THAT(content("live.json"), HasSubstr("// kept"));
  EXPECT_THAT(content("live.json"), HasSubstr("-9"));
  const Outcome away = sluice("profile away");
  EXPECT_EQ(away.exit_code, 0);
  EXPECT_THAT(away.output, HasSubstr("take the route none"));
  Json document = call("document")["document"];
  EXPECT_EQ(document["nodes"]["hub"]["params"]["mute"], true);
  EXPECT_EQ(document["nodes"]["hub"]["params"]["gain_db"], 0);
  EXPECT_EQ(document["switches"]["main"]["initial"], "none");
  // One transaction: one step back.
  EXPECT_EQ(sluice("undo").exit_code, 0);
  document = call("document")["document"];
  EXPECT_EQ(document["nodes"]["hub"]["params"]["gain_db"], -9);
  EXPECT_EQ(document["switches"]["main"]["initial"], "here");
  EXPECT_EQ(sluice("profile night").exit_code, 0);
  EXPECT_EQ(gain(), -9);
  // Taken again it holds again.
  EXPECT_EQ(sluice("set hub.gain_db -1").exit_code, 0);
  EXPECT_EQ(sluice("profile night").exit_code, 0);
  EXPECT_EQ(gain(), -9);
  const Outcome wrong = sluice("profile nigth");
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_THAT(wrong.output, HasSubstr("did you mean \"night\"?"));
  EXPECT_EQ(sluice("profile delete away").exit_code, 0);
  EXPECT_EQ(sluice("profile").output, "* night\n");
  EXPECT_THAT(content("live.json"), Not(HasSubstr("away")));
}

// The graph that `scc` starts by itself; "box" is where a listener of the test is.
constexpr const char* kSccGraph = R"({"sluice": 1, "name": "scc", "nodes": {
    "tone": {"type": "source.tone", "params": {"live": true}}, "volume": "filter.gain",
    "local": {"type": "sink.null", "params": {"pace": "real-time"}},
    "kitchen": {"type": "sink.null", "params": {"pace": "real-time"}},
    "remote": {"type": "sink.tcp", "params": {"port": PORT}}},
  "edges": ["tone -> volume"],
  "switches": {
    "main": {"routes": {"local": ["volume -> local"], "none": [],
      "*": {"edges": ["volume -> remote"], "set": {"remote.host": "${route}"}}},
      "initial": "none"},
    "kitchen": {"routes": {"box": ["volume -> kitchen"], "off": []}, "initial": "off"}}})";

TEST_F(Live, Short_habit_starts_the_graph_and_knows_all_its_words) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(listener, 5), 0);
  socklen_t size = sizeof(address);
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  std::string text = kSccGraph;
  text.replace(text.find("PORT"), 4, std::to_string(ntohs(address.sin_port)));
  fs::create_directories(folder_.path() / "config/sluice");
  write("config/sluice/scc.json", text);
  const std::string homes = "export XDG_CONFIG_HOME=$PWD/config XDG_STATE_HOME=$PWD/state; ";
  const auto scc = [&](const std::string& words) { return sh(homes + "scc " + words); };

  const Outcome first = scc("main=local");
  EXPECT_EQ(first.exit_code, 0) << first.output;
  EXPECT_THAT(first.output, HasSubstr("in the background; it logs to "));
  EXPECT_TRUE(fs::exists(folder_.path() / "state/sluice/scc.log"));
  const auto pid = call("status")["pid"].get<pid_t>();
  EXPECT_EQ(scc("").output, "main=local\nkitchen=off\n");
  EXPECT_EQ(scc("kitchen=box").output, "kitchen=box\n");
  EXPECT_EQ(scc("").output, "main=local\nkitchen=box\n");
  EXPECT_EQ(scc("toggle").exit_code, 0);
  EXPECT_EQ(scc("").output, "main=none\nkitchen=box\n");
  EXPECT_EQ(scc("vol -6").exit_code, 0);
  EXPECT_EQ(scc("mute").output, "set volume.mute to true\n");
  EXPECT_EQ(scc("mute").output, "set volume.mute to false\n");
  // Any name that can be reached.
  const Outcome any = scc("main=127.0.0.1");
  EXPECT_EQ(any.exit_code, 0) << any.output;
  EXPECT_EQ(scc("").output, "main=127.0.0.1\nkitchen=box\n");
  // One that cannot leaves the route.
  const Outcome wrong = scc("main=locall.invalid");
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_THAT(wrong.output, HasSubstr("locall.invalid"));
  EXPECT_THAT(wrong.output, HasSubstr("There are the routes local and none."));
  EXPECT_THAT(scc("main=locall").output, HasSubstr("Did you mean the route local?"));
  EXPECT_EQ(scc("").output, "main=127.0.0.1\nkitchen=box\n");
  // Started anew it is where it was.
  EXPECT_TRUE(comes(
      [&] { return content("state/sluice/scc.state").find("127.0.0.1") != std::string::npos; }));
  kill(pid, SIGKILL);
  EXPECT_TRUE(comes([&] { return kill(pid, 0) != 0 || sluice("status").exit_code != 0; }));
  const Outcome again = scc("");
  EXPECT_EQ(again.exit_code, 0) << again.output;
  EXPECT_THAT(again.output, HasSubstr("main=127.0.0.1\nkitchen=box\n"));
  const Json document = call("document")["document"];
  EXPECT_EQ(document["nodes"]["volume"]["params"]["gain_db"], -6);
  kill(call("status")["pid"].get<pid_t>(), SIGTERM);
  EXPECT_TRUE(comes([&] { return sluice("status").exit_code != 0; }));
  close(listener);
}

// Each line of the page that a reader may copy.
TEST_F(Live, Every_call_of_the_documentation_works) {
  std::ifstream file(source_folder() / "docs/control-api.md");
  std::string graph;
  std::vector<std::string> calls;
  std::string fence;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("```")) {
      fence = fence.empty() ? line : "";
    } else if (fence == "```json") {
      graph += line + "\n";
    } else if (fence == "```sh") {
      calls.push_back(line);
    }
  }
  write("api.json", graph);
  start("api.json", "-q --http 0");
  wait_for("api");
  ASSERT_GT(calls.size(), 20u);
  std::string used;
  for (const std::string& line : calls) {
    const Outcome outcome = sh(line);
    EXPECT_EQ(outcome.exit_code, 0) << line << "\n" << outcome.output;
    used += line + "\n";
  }
  const auto answer = call("methods");
  for (const auto& method : answer["methods"]) {
    EXPECT_THAT(used, HasSubstr("sluice call " + method.get<std::string>()));
  }
}

}  // namespace
}  // namespace sluice::tests
