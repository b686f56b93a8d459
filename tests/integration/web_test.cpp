// Control over HTTP and WebSocket, against the program: clients that behave, and clients that are
// slow, dead, huge or hostile, on real sockets.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "host/control/web_client.hpp"
#include "tests/integration/cli_fixture.hpp"
#include "tests/support/folders.hpp"
#include "tests/support/metrics_lint.hpp"

namespace sluice::tests {
namespace {

using control::WebClient;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

constexpr const char* kGraph = R"({"sluice": 1, "name": "web", "nodes": {
    "tone": {"type": "source.tone", "params": {"live": true}},
    "hub": "filter.gain",
    "here": {"type": "sink.null", "params": {"pace": "real-time"}},
    "there": "sink.null"},
  "edges": ["tone -> hub"],
  "routes": {"here": ["hub -> here"], "there": ["hub -> there"], "none": []}})";
constexpr const char* kToken = "0123456789abcdef0123";

// Of RFC 6455, 1.3: the key, and what a server makes of it.
constexpr const char* kKey = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr const char* kAccepted = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

struct HttpAnswer {
  int status = 0;  // 0: none came
  std::string head, body;
};

// A connection that sends whatever it is told.
class RawPeer {
 public:
  explicit RawPeer(uint16_t port) : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    timeval patience{60, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    is_connected_ =
        ::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  RawPeer(const RawPeer&) = delete;
  RawPeer& operator=(const RawPeer&) = delete;
  ~RawPeer() { ::close(descriptor_); }

  bool is_connected() const { return is_connected_; }

  // False if the other side has closed.
  bool send(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t size = ::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL);
      if (size <= 0) return false;
      text.remove_prefix(static_cast<size_t>(size));
    }
    return true;
  }
  std::optional<std::string> read(size_t size) {
    while (buffer_.size() < size) {
      char part[65536];
      const ssize_t count = ::recv(descriptor_, part, sizeof(part), 0);
      if (count <= 0) return std::nullopt;
      buffer_.append(part, static_cast<size_t>(count));
    }
    std::string text = buffer_.substr(0, size);
    buffer_.erase(0, size);
    return text;
  }
  // Whether the other side closes, however much it says before.
  bool is_closed_on() {
    while (read(1)) buffer_.clear();
    return errno != EAGAIN;
  }

  HttpAnswer answer() {
    HttpAnswer answer;
    while (!answer.head.ends_with("\r\n\r\n")) {
      const auto c = read(1);
      if (!c) return {};
      answer.head += *c;
    }
    const std::string_view status = std::string_view(answer.head).substr(9, 3);
    std::from_chars(status.data(), status.data() + 3, answer.status);
    if (const size_t at = answer.head.find("Content-Length: "); at != std::string::npos) {
      size_t size = 0;
      const char* const from = answer.head.data() + at + 16;
      std::from_chars(from, answer.head.data() + answer.head.size(), size);
      answer.body = read(size).value_or("");
    }
    return answer;
  }
  HttpAnswer ask(std::string_view request) { return send(request) ? answer() : HttpAnswer{}; }

  HttpAnswer upgrade(const std::string& more_headers = "") {
    return ask(
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " +
        std::string(kKey) + "\r\n" + more_headers + "\r\n");
  }
  // A frame of a client: RFC 6455, 5.2, with a mask of zeros.
  static std::string frame(uint8_t first, std::string_view payload) {
    std::string all(1, static_cast<char>(first));
    const auto add = [&](size_t value, int bytes) {
      while (--bytes >= 0) all += static_cast<char>((value >> (8 * bytes)) & 0xFFU);
    };
    if (payload.size() < 126) {
      add(0x80U | payload.size(), 1);
    } else if (payload.size() < 65536) {
      add(0x80U | 126U, 1);
      add(payload.size(), 2);
    } else {
      add(0x80U | 127U, 1);
      add(payload.size(), 8);
    }
    all += std::string(4, '\0');
    return all.append(payload);
  }
  // The payload of the server's next frame, and its first byte before it.
  std::optional<std::string> message() {
    const auto head = read(2);
    if (!head) return std::nullopt;
    size_t size = static_cast<unsigned char>((*head)[1]);
    if (size >= 126) {
      const auto more = read(size == 126 ? 2 : 8);
      if (!more) return std::nullopt;
      size = 0;
      for (const char c : *more) size = size << 8 | static_cast<unsigned char>(c);
    }
    const auto payload = read(size);
    return payload ? std::optional<std::string>((*head)[0] + *payload) : std::nullopt;
  }

 private:
  int descriptor_;
  bool is_connected_ = false;
  std::string buffer_;
};

class Web : public Cli {
 protected:
  void start(Words words = {}, const std::string& graph = kGraph) {
    write(work_ / "web.json", graph);
    words.insert(words.begin(), {"run", "web.json", "--http", "0"});
    host_ = std::make_unique<Running>(work_, home_, words);
    constexpr std::string_view kBefore = "at http://127.0.0.1:";
    ASSERT_TRUE(host_->wait_until([&] {
      const std::string& said = host_->said().err;
      const size_t at = said.find(kBefore);
      if (at == std::string::npos || said.find(".\n", at) == std::string::npos) return false;
      std::from_chars(said.data() + at + kBefore.size(), said.data() + said.size(), port_);
      return true;
    })) << host_->said().err;
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  WebClient client(const std::string& token = "") const {
    auto made = WebClient::connect(url(), token);
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }
  HttpAnswer ask(const std::string& request) const { return RawPeer(port_).ask(request); }
  HttpAnswer get(const std::string& path, const std::string& headers = "") const {
    return ask("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n");
  }
  HttpAnswer post(const std::string& body, const std::string& headers = "") const {
    return ask("POST /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
               std::to_string(body.size()) + "\r\n" + headers + "\r\n" + body);
  }
  // The host still does what it is for.
  void expect_well() const {
    EXPECT_EQ(get("/healthz").body, "ok\n");
    EXPECT_EQ(Json::parse(post(R"({"jsonrpc":"2.0","id":1,"method":"status"})").body, nullptr,
                          false)["result"]["graph"],
              "web");
  }
  static Json call(WebClient& client, const std::string& method, const Json& params) {
    const Json request{{"jsonrpc", "2.0"}, {"id", 1}, {"method", method}, {"params", params}};
    EXPECT_TRUE(client.send(request.dump()));
    return Json::parse(client.receive().value_or("null"), nullptr, false);
  }

  std::unique_ptr<Running> host_;
  uint16_t port_ = 0;
};

TEST_F(Web, Http_answers_calls_batches_health_and_metrics) {
  start();
  const Json answer = Json::parse(
      post(
          R"({"jsonrpc":"2.0","id":"a","method":"set","params":{"target":"hub.gain_db","value":-6}})")
          .body);
  EXPECT_EQ(answer["id"], "a");
  EXPECT_EQ(answer["result"]["version"], 2);
  const Json batch = Json::parse(
      post(R"([{"jsonrpc":"2.0","id":1,"method":"route"},{"jsonrpc":"2.0","method":"route"},)"
           R"({"jsonrpc":"2.0","id":2,"method":"nothing"}])")
          .body);
  ASSERT_EQ(batch.size(), 2u);
  EXPECT_EQ(batch[0]["result"]["routes"]["main"]["taken"], "here");
  EXPECT_EQ(batch[1]["error"]["code"], -32601);
  EXPECT_EQ(post(R"({"jsonrpc":"2.0","method":"route"})").status, 204);
  EXPECT_EQ(Json::parse(post("{").body)["error"]["code"], -32700);
  EXPECT_EQ(
      Json::parse(post(R"({"jsonrpc":"2.0","id":1,"method":"subscribe"})").body)["error"]["code"],
      -32003);
  EXPECT_EQ(get("/healthz").body, "ok\n");
  EXPECT_EQ(get("/nowhere").status, 404);
  EXPECT_EQ(get("/ws").status, 426);
  EXPECT_THAT(get("/rpc").head, HasSubstr("Allow: POST\r\n"));
  EXPECT_EQ(ask("DELETE /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 405);

  const HttpAnswer text = get("/metrics");
  EXPECT_THAT(text.head, HasSubstr("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  EXPECT_THAT(lint_metrics(text.body, false), IsEmpty()) << text.body;
  EXPECT_THAT(text.body,
              HasSubstr("sluice_edge_read_frames_total{graph=\"web\",edge=\"tone.out->"));
  const HttpAnswer open =
      get("/metrics", "Accept: application/openmetrics-text; version=1.0.0\r\n");
  EXPECT_THAT(open.head, HasSubstr("Content-Type: application/openmetrics-text; version=1.0.0; "
                                   "charset=utf-8\r\n"));
  EXPECT_THAT(lint_metrics(open.body, true), IsEmpty()) << open.body;

  // Several requests over one connection, sent together.
  RawPeer peer(port_);
  const std::string health = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n";
  ASSERT_TRUE(peer.send(health + health + "GET /healthz HTTP/1.0\r\nHost: [::1]\r\n\r\n"));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(peer.answer().body, "ok\n");
  EXPECT_TRUE(peer.is_closed_on());
}

// What reads metrics elsewhere: prometheus_client, which knows both formats.
TEST_F(Web, Metrics_are_the_same_to_the_parsers_of_another_program) {
  const std::filesystem::path lab = source_folder() / "build/lab/metrics";
  if (!std::filesystem::exists(lab / "run")) {
    GTEST_SKIP() << "prometheus_client is not below build/lab/metrics; ./dev test puts it there.";
  }
  const std::string graph = R"({"sluice": 1, "name": "web", "nodes": {
    "tone": {"type": "source.tone", "params": {"live": true}}, "gate": "filter.gate",
    "far": {"type": "sink.tcp", "params": {"host": "127.0.0.1", "port": 9}}, "end": "sink.null"},
  "edges": ["tone -> gate -> end", "gate -> far"]})";
  start({}, graph);
  // What there is to tell grows, and states are labels: taken when nothing of it changed between.
  const auto names = [](const std::string& body) {
    std::istringstream lines(body);
    std::set<std::string> all;
    for (std::string line; std::getline(lines, line);) all.insert(line.substr(0, line.rfind(' ')));
    return all;
  };
  std::string text, open;
  ASSERT_TRUE(host_->wait_until([&] {
    text = get("/metrics").body;
    open = get("/metrics", "Accept: application/openmetrics-text\r\n").body;
    return names(text) == names(get("/metrics").body);
  }));
  write(work_ / "text", text);
  write(work_ / "open", open);
  write(work_ / "read.py", R"(
import sys
from prometheus_client.parser import text_string_to_metric_families as read_text
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open
def samples(read, path):
    families = list(read(open(path, encoding='utf-8').read()))
    assert all(f.documentation and f.type != 'unknown' for f in families), path
    return {(s.name, tuple(sorted(s.labels.items()))) for f in families for s in f.samples}
text, strict = samples(read_text, 'text'), samples(read_open, 'open')
assert len(strict) > 40 and text == strict, text ^ strict
)");
  const std::string command = "cd '" + work_.string() + "' && PYTHONPATH='" +
                              (lab / "root/usr/lib/python3/dist-packages").string() + "' '" +
                              (lab / "run").string() + "' python3 read.py >said 2>&1";
  EXPECT_EQ(std::system(command.c_str()), 0) << content(work_ / "said");
}

TEST_F(Web, Two_clients_changing_at_once_are_serialised_and_told_of_each_other) {
  start();
  constexpr int kClients = 2, kChanges = 20;
  std::vector<WebClient> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.push_back(client());
    const Json first = call(clients.back(), "subscribe", {{"topics", {"changes"}}});
    EXPECT_EQ(first["result"]["snapshot"]["version"], 1);
    EXPECT_TRUE(first["result"]["snapshot"]["document"].contains("nodes"));
    EXPECT_TRUE(first["result"]["snapshot"]["status"].contains("edges"));
  }
  std::vector<std::vector<Json>> heard(kClients);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kClients; ++i) {
    threads.emplace_back([&, i] {
      for (int k = 0; k < kChanges; ++k) {
        const Json request{{"jsonrpc", "2.0"},
                           {"id", k},
                           {"method", "set"},
                           {"params", {{"target", "hub.gain_db"}, {"value", -k - 1}}}};
        EXPECT_TRUE(clients[i].send(request.dump()));
      }
      // An answer to each of its own, and an event for each of everybody's.
      for (int k = 0; k < kChanges * (kClients + 1); ++k) {
        heard[i].push_back(Json::parse(clients[i].receive().value_or("null"), nullptr, false));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& messages : heard) {
    int64_t sequence = 0, answers = 0;
    for (const Json& message : messages) {
      if (message.contains("id")) {
        EXPECT_TRUE(message.contains("result")) << message;
        ++answers;
        continue;
      }
      EXPECT_EQ(message["params"]["sequence"], ++sequence);
      EXPECT_EQ(message["params"]["event"]["version"], sequence + 1);
    }
    EXPECT_EQ(answers, kChanges);
    EXPECT_EQ(sequence, kChanges * kClients);
  }
}

TEST_F(Web, Statistics_come_at_the_rate_that_was_chosen) {
  start();
  WebClient fast = client();
  WebClient slow = client();
  ASSERT_TRUE(
      call(fast, "subscribe", {{"topics", {"statistics"}}, {"rate_hz", 20}}).contains("result"));
  ASSERT_TRUE(
      call(slow, "subscribe", {{"topics", {"statistics"}}, {"rate_hz", 2}}).contains("result"));
  const auto time_between = [](WebClient& one, int count) {
    double first_s = 0.0, last_s = 0.0;
    for (int i = 0; i < count; ++i) {
      const Json event = Json::parse(one.receive().value_or("null"), nullptr, false)["params"];
      EXPECT_EQ(event["topic"], "statistics");
      last_s = event["statistics"]["time_s"];
      if (i == 0) first_s = last_s;
      EXPECT_TRUE(event["statistics"]["nodes"].contains("hub"));
    }
    return (last_s - first_s) / (count - 1);
  };
  // By the graph's own clock; never faster than asked for.
  EXPECT_GT(time_between(fast, 6), 0.9 / 20);
  EXPECT_GT(time_between(slow, 4), 0.9 / 2);
  WebClient greedy = client();
  EXPECT_EQ(call(greedy, "subscribe", {{"rate_hz", 21}})["error"]["code"], -32602);
}

TEST_F(Web, Statistics_come_as_rows_behind_a_layout) {
  start();
  WebClient watcher = client();
  const Json wish{{"topics", {"statistics"}}, {"rate_hz", 20}, {"form", "rows"}};
  ASSERT_TRUE(call(watcher, "subscribe", wish).contains("result"));
  const auto next = [&] {
    return OrderedJson::parse(watcher.receive().value_or("null"), nullptr, false)["params"];
  };
  const auto has_place_of = [](const OrderedJson& layout, const OrderedJson& statistics,
                               const char* table) {
    size_t row = 0;
    for (const auto& [name, columns] : layout[table].items()) {
      EXPECT_EQ(statistics[table][row++].size(), columns.size()) << name;
    }
    EXPECT_EQ(statistics[table].size(), row);
  };
  OrderedJson first = next();
  ASSERT_TRUE(first.contains("layout"));
  for (const char* table : {"nodes", "outputs", "edges"}) {
    has_place_of(first["layout"], first["statistics"], table);
  }
  // Those of the route that is not taken are not there.
  EXPECT_EQ(first["layout"]["nodes"].size(), 3u);
  EXPECT_FALSE(next().contains("layout"));
  // Another one when a node has come.
  const Json added = Json::parse(
      post(
          R"({"jsonrpc":"2.0","id":1,"method":"add","params":{"id":"new","node":"sink.null","edges":["hub -> new"]}})")
          .body);
  ASSERT_TRUE(added.contains("result")) << added;
  OrderedJson event = OrderedJson::object();
  for (int i = 0; i < 200 && !event.contains("layout"); ++i) event = next();
  EXPECT_TRUE(event["layout"]["nodes"].contains("new"));
  WebClient other = client();
  EXPECT_EQ(call(other, "subscribe", {{"form", "columns"}})["error"]["code"], -32602);
}

TEST_F(Web, Command_calls_over_a_WebSocket) {
  write(work_ / "token", std::string(kToken) + "\n");
  ASSERT_EQ(::chmod((work_ / "token").c_str(), 0600), 0);
  start({"--http-token-file", "token"});
  const Ended with = sluice({"call", "route", "route=there", "--ws", "--token-file", "token"});
  EXPECT_EQ(with.exit_code, 0) << with.err;
  EXPECT_EQ(Json::parse(with.out)["version"], 2);
  EXPECT_EQ(sluice({"call", "route", "--ws=" + url() + "/", "--token-file", "token"}).exit_code, 0);
  const Ended without = sluice({"call", "route", "--ws"});
  EXPECT_EQ(without.exit_code, 1);
  EXPECT_THAT(without.err, HasSubstr("wants a token"));
  EXPECT_THAT(sluice({"call", "nothing", "--ws", "--token-file", "token"}).err,
              HasSubstr("There is no method"));
  EXPECT_EQ(sluice({"call", "route", "--ws=ftp"}).exit_code, 1);
}

TEST_F(Web, Beyond_the_loopback_a_token_is_demanded) {
  write(work_ / "web.json", kGraph);
  const Ended refused = sluice({"run", "-q", "web.json", "--http", "0.0.0.0:0"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("needs a token"));
  EXPECT_EQ(sluice({"run", "-q", "web.json", "--http", "nowhere:80"}).exit_code, 1);
  write(work_ / "token", std::string(kToken) + "\n");
  ASSERT_EQ(::chmod((work_ / "token").c_str(), 0644), 0);
  EXPECT_THAT(sluice({"run", "-q", "web.json", "--http", "0", "--http-token-file", "token"}).err,
              HasSubstr("chmod 600"));
}

TEST_F(Web, Without_the_token_nothing_is_told) {
  write(work_ / "token", std::string(kToken) + "\n");
  ASSERT_EQ(::chmod((work_ / "token").c_str(), 0600), 0);
  start({"--http-token-file", "token"});
  const std::string wrong = "Authorization: Bearer 0123456789abcdef0124\r\n";
  const std::string right = "Authorization: Bearer " + std::string(kToken) + "\r\n";
  for (const std::string& headers : {std::string(), wrong}) {
    EXPECT_EQ(get("/metrics", headers).status, 401);
    EXPECT_EQ(post(R"({"jsonrpc":"2.0","id":1,"method":"status"})", headers).status, 401);
    EXPECT_EQ(RawPeer(port_).upgrade(headers).status, 401);
  }
  EXPECT_EQ(get("/healthz").status, 200);
  EXPECT_EQ(get("/metrics", right).status, 200);
  EXPECT_EQ(RawPeer(port_).upgrade(right).status, 101);
}

TEST_F(Web, Pages_of_strangers_are_refused) {
  start({"--http-origin", "https://desk.example"});
  EXPECT_EQ(get("/metrics", "Origin: https://evil.example\r\n").status, 403);
  EXPECT_EQ(post("{}", "Origin: null\r\n").status, 403);
  EXPECT_EQ(RawPeer(port_).upgrade("Origin: http://localhost:1\r\n").status, 403);
  const std::string friendly = "Origin: https://desk.example\r\n";
  EXPECT_THAT(get("/metrics", friendly).head,
              HasSubstr("Access-Control-Allow-Origin: https://desk.example\r\n"));
  EXPECT_EQ(ask("OPTIONS /rpc HTTP/1.1\r\nHost: localhost\r\n" + friendly + "\r\n").status, 204);
  const HttpAnswer accepted = RawPeer(port_).upgrade(friendly);
  EXPECT_EQ(accepted.status, 101);
  EXPECT_THAT(accepted.head, HasSubstr(kAccepted));
  // A page whose name was made to point here sends that name.
  EXPECT_EQ(ask("GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n").status, 403);
  EXPECT_EQ(ask("GET /metrics HTTP/1.0\r\n\r\n").status, 403);
}

TEST_F(Web, Huge_and_malformed_requests_are_refused) {
  start();
  EXPECT_EQ(ask("POST /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000000\r\n\r\n").status,
            413);
  EXPECT_EQ(get("/healthz", "X: " + std::string(20000, 'x') + "\r\n").status, 431);
  EXPECT_EQ(ask("\x16\x03\x01\x02 hello\r\n\r\n").status, 400);
  EXPECT_EQ(ask("GET /healthz HTTP/9.9\r\n\r\n").status, 400);
  EXPECT_EQ(Json::parse(post(std::string(100000, '[')).body)["error"]["code"], -32700);
  const std::string chunked =
      "POST /rpc HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(ask(chunked + "2\r\n[]\r\n0\r\n\r\n").status, 200);
  EXPECT_EQ(ask(chunked + "FFFFFFFFFFFFFFFFF\r\n").status, 400);

  // WebSockets: binary, unmasked, longer than allowed, in fragments without end.
  const auto upgraded = [&] {
    auto peer = std::make_unique<RawPeer>(port_);
    EXPECT_EQ(peer->upgrade().status, 101);
    return peer;
  };
  auto peer = upgraded();
  ASSERT_TRUE(peer->send(RawPeer::frame(0x82, "binary")));
  EXPECT_EQ(peer->message().value_or("").substr(0, 3), "\x88\x03\xEB");  // 1003
  ASSERT_TRUE(peer->send(RawPeer::frame(0x88, "\x03\xEB")));
  EXPECT_TRUE(peer->is_closed_on());
  peer = upgraded();
  ASSERT_TRUE(peer->send("\x81\x02{}"));
  EXPECT_TRUE(peer->is_closed_on());
  peer = upgraded();
  peer->send(RawPeer::frame(0x81, std::string(2000000, 'x')));
  EXPECT_TRUE(peer->is_closed_on());
  peer = upgraded();
  ASSERT_TRUE(peer->send(RawPeer::frame(0x01, "x")));
  for (int i = 0; i < 100 && peer->send(RawPeer::frame(0x00, std::string(60000, 'x'))); ++i) {
  }
  EXPECT_TRUE(peer->is_closed_on());
  peer = upgraded();
  ASSERT_TRUE(peer->send(RawPeer::frame(0x89, "ping")));
  EXPECT_EQ(peer->message().value_or(""), "\x8Aping");
  ASSERT_TRUE(peer->send(RawPeer::frame(0x81, "\xFF\xFE")));  // no UTF-8
  EXPECT_TRUE(peer->is_closed_on());
  expect_well();
}

TEST_F(Web, Silent_and_dead_clients_harm_nobody) {
  start();
  // More than may be connected, none of which says anything; the last are told so.
  std::vector<std::unique_ptr<RawPeer>> silent;
  for (int i = 0; i < 257; ++i) silent.push_back(std::make_unique<RawPeer>(port_));
  EXPECT_EQ(silent.back()->answer().status, 503);
  silent.erase(silent.begin(), silent.begin() + 128);
  // Requests that never end, a message that never ends, a client that never reads.
  silent[0]->send("GET /healthz HTTP/1.1\r\nHost: loc");
  silent[1]->send("POST /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{");
  EXPECT_EQ(silent[2]->upgrade().status, 101);
  silent[2]->send(RawPeer::frame(0x81, std::string(1000, 'x')).substr(0, 500));
  RawPeer deaf(port_);
  EXPECT_EQ(deaf.upgrade().status, 101);
  deaf.send(RawPeer::frame(0x81, R"({"jsonrpc":"2.0","id":1,"method":"subscribe"})"));
  ASSERT_TRUE(deaf.message());
  EXPECT_THAT(get("/metrics").body, HasSubstr("sluice_subscriptions{graph=\"web\"} 1\n"));
  std::string batch = "[";
  for (int i = 0; i < 100; ++i) {
    batch += i == 0 ? "" : ",";
    batch += R"({"jsonrpc":"2.0","id":1,"method":"status"})";
  }
  // Far more than may wait for a client, which is dropped then.
  for (int i = 0; i < 150; ++i) deaf.send(RawPeer::frame(0x81, batch + "]"));
  bool is_dropped = false;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!is_dropped && std::chrono::steady_clock::now() < end) {
    is_dropped =
        get("/metrics").body.find("sluice_subscriptions{graph=\"web\"} 0\n") != std::string::npos;
  }
  EXPECT_TRUE(is_dropped);
  expect_well();
  // The music has not stopped: all frames that were written have arrived.
  const Json status =
      Json::parse(post(R"({"jsonrpc":"2.0","id":1,"method":"status"})").body)["result"];
  EXPECT_EQ(status["edges"]["tone.out->hub.in"]["lost_frames"], 0);
}

// The lines of the page that call curl, sent as curl sends them.
TEST_F(Web, Every_curl_of_the_documentation_works) {
  write(work_ / "web.json", kGraph);
  start();
  const std::string page = content(source_folder() / "docs/control-api.md");
  int count = 0;
  for (size_t at = page.find("\ncurl "); at != std::string::npos;
       at = page.find("\ncurl ", at + 1)) {
    const std::string line = page.substr(at + 1, page.find('\n', at + 1) - at - 1);
    const auto quoted = [&](const std::string& option) {
      const size_t from = line.find(option + " '");
      if (from == std::string::npos) return std::string();
      const size_t begin = from + option.size() + 2;
      return line.substr(begin, line.find('\'', begin) - begin);
    };
    const size_t path_at = line.find(":8080/") + 5;
    const std::string path = line.substr(path_at, line.find(' ', path_at) - path_at);
    const std::string header = quoted("-H"), body = quoted("-d");
    const HttpAnswer answer =
        body.empty() ? get(path, header.empty() ? "" : header + "\r\n") : post(body);
    EXPECT_EQ(answer.status, 200) << line;
    EXPECT_THAT(answer.body, ::testing::Not(HasSubstr("\"code\": -326"))) << line;
    ++count;
  }
  EXPECT_GE(count, 5);
}

TEST_F(Web, Host_ends_while_clients_are_connected) {
  start();
  std::vector<WebClient> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(client());
    call(clients.back(), "subscribe", {{"topics", {"statistics"}}, {"rate_hz", 20}});
  }
  RawPeer half(port_);
  half.send("GET /healthz HTTP/1.1\r\n");
  host_->signal(SIGTERM);
  EXPECT_EQ(host_->finish().exit_code, 0);
  while (clients[0].receive()) {
  }
  EXPECT_TRUE(half.is_closed_on());
}

}  // namespace
}  // namespace sluice::tests
