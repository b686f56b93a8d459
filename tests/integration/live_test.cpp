// A graph that plays, changed by the program's own commands over its socket.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
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

  pid_t start(const std::string& graph, const std::string& options = "") {
    const std::string out = folder_ / (graph + ".log");
    const std::string command =
        "exec sluice run -q " + graph + " " + options + " >" + out + " 2>&1";
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
  start("api.json", "--http 0");
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
