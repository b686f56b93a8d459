// sink.tcp in front of real sockets that read badly, and over a wire that delays, loses and shows
// every packet.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/cli_fixture.hpp"
#include "tests/support/socket_server.hpp"
#include "tests/support/wire.hpp"

namespace sluice::tests {
namespace {

using ::testing::HasSubstr;
using Clock = std::chrono::steady_clock;

constexpr size_t kFrameBytes = 4;
constexpr uint32_t kFadeFrames = 1440;  // 30 ms
const std::string kLocal = "127.0.0.1";

// The numbers of the frames in these bytes.
std::vector<uint32_t> numbers_in(const std::string& bytes) {
  std::vector<uint32_t> numbers(bytes.size() / kFrameBytes);
  std::memcpy(numbers.data(), bytes.data(), numbers.size() * kFrameBytes);
  return numbers;
}

// Index of the first number that is not one more than the one before it; the size if there is none.
size_t first_gap(const std::vector<uint32_t>& numbers, size_t from = 0) {
  for (size_t i = from + 1; i < numbers.size(); ++i) {
    if (numbers[i] != numbers[i - 1] + 1) return i;
  }
  return numbers.size();
}

// The largest value of a statistic in such a file.
double most_of(const std::string& statistics, const std::string& name) {
  const std::string key = "\"" + name + "\": ";
  double most = -1;
  for (size_t at = 0; (at = statistics.find(key, at)) != std::string::npos; ++at) {
    most = std::max(most, std::strtod(statistics.c_str() + at + key.size(), nullptr));
  }
  return most;
}

class TcpPeers : public Cli {
 protected:
  // Numbered frames from 1 on.
  static Words counted(const std::string& tone, const SocketServer& server,
                       const std::string& sink = "") {
    return {"run", "-e",
            "source.tone wave=counter " + tone + " -> sink.tcp host=" + kLocal +
                " port=" + std::to_string(server.port()) + " " + sink};
  }
};

TEST_F(TcpPeers, Peer_never_reads_it_is_named_and_handed_64_KiB_in_all) {
  SocketServer server(kLocal);
  Running running(work_, home_, counted("live=true", server, "write_timeout_ms=3000"));
  ASSERT_TRUE(server.accept());
  size_t most = 0;
  const auto says = [&](const char* words) {
    return running.wait_until([&] {
      most = std::max(most, server.queued_bytes());
      return running.said().err.find(words) != std::string::npos;
    });
  };
  EXPECT_TRUE(says("accepts audio and does not read it")) << running.said().err;
  EXPECT_TRUE(says("has taken nothing for 3000 ms")) << running.said().err;
  EXPECT_LE(most, 65'536u);
  EXPECT_GE(most, 38'400u);  // the lead
  running.signal(SIGINT);
  EXPECT_EQ(running.finish().exit_code, 0);
}

TEST_F(TcpPeers, Peer_reads_byte_by_byte_from_the_smallest_window_and_stalls_nothing_is_lost) {
  SocketServer server(kLocal, 1);  // the system makes its least of it, about a kilobyte
  Running running(work_, home_, counted("duration_ms=1500", server));
  ASSERT_TRUE(server.accept());
  std::string bytes;
  while (bytes.size() < 3001) bytes += server.read(1);
  std::this_thread::sleep_for(std::chrono::seconds(1));  // longer than the lead
  bytes += server.read_all();
  const auto numbers = numbers_in(bytes);
  ASSERT_EQ(bytes.size(), 72'000 * kFrameBytes);
  EXPECT_EQ(numbers.front(), 1u);
  EXPECT_EQ(first_gap(numbers), numbers.size());
  const Ended ended = running.finish();
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
}

TEST_F(TcpPeers, Peer_resets_in_mid_frame_the_next_connection_begins_with_a_whole_one_faded_in) {
  SocketServer server(kLocal);
  Running running(work_, home_, counted("duration_ms=1500", server));
  ASSERT_TRUE(server.accept());
  std::string bytes;
  while (bytes.size() < 40'001) bytes += server.read(40'001 - bytes.size());
  server.reset();
  ASSERT_TRUE(server.accept());
  const auto numbers = numbers_in(server.read_all());
  ASSERT_GT(numbers.size(), kFadeFrames);
  EXPECT_EQ(numbers.front(), 0u);
  EXPECT_EQ(first_gap(numbers, kFadeFrames), numbers.size());
  EXPECT_EQ(numbers.back(), 72'000u);
  const Ended ended = running.finish();
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("reset the connection"));
}

// One file, one ring, three senders; one server is stuck.
TEST_F(TcpPeers, Shipped_graph_plays_to_several_servers_and_one_that_is_stuck_holds_up_no_other) {
  SocketServer lobby(kLocal), bar(kLocal), garden(kLocal);
  Words words{"run", kGraphs + "/several-servers.json"};
  for (const auto& [name, server] :
       {std::pair{"lobby", &lobby}, std::pair{"bar", &bar}, std::pair{"garden", &garden}}) {
    words.insert(words.end(),
                 {"--var", std::string(name) + "_port=" + std::to_string(server->port())});
  }
  Running running(work_, home_, words);
  const std::string audio = content(kGraphs + "/demo.wav").substr(44);
  ASSERT_TRUE(garden.accept());
  const auto two_seconds = [&](SocketServer& server) {
    EXPECT_TRUE(server.accept());
    std::string heard;
    for (std::string part = " "; heard.size() < 384'000 && !part.empty(); heard += part) {
      part = server.read(65'536);
    }
    heard.resize(384'000);
    return heard;
  };
  std::jthread other([&] { EXPECT_TRUE(two_seconds(bar) == audio.substr(0, 384'000)); });
  EXPECT_TRUE(two_seconds(lobby) == audio.substr(0, 384'000));
  other.join();
  EXPECT_TRUE(running.wait_until([&] {
    return running.said().err.find("garden: 127.0.0.1:" + std::to_string(garden.port()) +
                                   " accepts audio and does not read it") != std::string::npos;
  })) << running.said().err;
  running.signal(SIGINT);
  lobby.close();
  bar.close();
  garden.close();
  EXPECT_EQ(running.finish().exit_code, 0);
}

// ---- Over a wire ----

class TcpWire : public TcpPeers {
 protected:
  void SetUp() override {
    std::string why;
    wire_ = Wire::make(why);
    if (!wire_) GTEST_SKIP() << why;
  }
  // Packets of one connection, by the server's port.
  std::vector<WirePacket> packets(uint16_t port, bool is_from_near) const {
    auto all = wire_->packets();
    std::erase_if(all, [&](const WirePacket& packet) {
      return packet.is_from_near != is_from_near ||
             (packet.is_from_near ? packet.to_port : packet.from_port) != port;
    });
    return all;
  }
  // Whether two packets smaller than a segment were ever on their way at once, which Nagle's
  // algorithm forbids (RFC 896).
  bool are_small_ones_together(uint16_t port) const {
    uint32_t small_end = 0, acknowledged = 0, newest = 0;
    bool has_small = false;
    for (const WirePacket& packet : wire_->packets()) {
      if (!packet.is_from_near && packet.from_port == port) acknowledged = packet.acknowledged;
      if (!packet.is_from_near || packet.to_port != port || packet.payload_bytes == 0) continue;
      const bool is_new = !has_small || static_cast<int32_t>(packet.end() - newest) > 0;
      newest = packet.end();
      if (!is_new || packet.payload_bytes >= 1400) continue;
      if (has_small && static_cast<int32_t>(small_end - acknowledged) > 0) return true;
      has_small = true;
      small_end = packet.end();
    }
    return false;
  }
  // After a quiet while, the byte before the next one is offered again, without content.
  bool has_keepalive(uint16_t port) const {
    uint32_t end = 0;
    for (const WirePacket& packet : packets(port, true)) {
      if (packet.payload_bytes == 0 && !packet.syn && !packet.fin && packet.sequence + 1 == end) {
        return true;
      }
      if (packet.payload_bytes > 0) end = packet.end();
    }
    return false;
  }
  // Both have said that they are done, and the near one has heard it.
  bool is_over(uint16_t port) const {
    const auto sent = packets(port, true);
    for (const WirePacket& packet : packets(port, false)) {
      if (packet.fin) return sent.back().acknowledged == packet.end();
    }
    return false;
  }
  void expect_polite_end(uint16_t port) const {
    const auto sent = packets(port, true);
    const auto answers = packets(port, false);
    uint32_t data_end = 0;
    std::optional<WirePacket> our_end, their_end;
    for (const WirePacket& packet : sent) {
      EXPECT_FALSE(packet.rst) << port;
      if (packet.payload_bytes > 0) data_end = packet.sequence + packet.payload_bytes;
      if (packet.fin) our_end = packet;
    }
    for (const WirePacket& packet : answers) {
      EXPECT_FALSE(packet.rst) << port;
      if (packet.fin) their_end = packet;
    }
    ASSERT_TRUE(our_end && their_end) << port;
    EXPECT_EQ(our_end->sequence + our_end->payload_bytes, data_end) << port;
    EXPECT_EQ(answers.back().acknowledged, our_end->end()) << port;
    EXPECT_EQ(sent.back().acknowledged, their_end->end()) << port;
  }

  std::unique_ptr<Wire> wire_;
};

TEST_F(TcpWire, Packets_are_marked_undelayed_kept_alive_and_end_politely_on_ipv4_and_ipv6) {
  wire_->set_delay_ns(50'000'000);
  std::optional<SocketServer> four, six;
  {
    const auto there = wire_->far();
    four.emplace(Wire::kFar4);
    six.emplace(Wire::kFar6);
  }
  ASSERT_EQ(mkfifo((work_ / "audio").c_str(), 0600), 0);
  write(work_ / "graph.json",
        R"({"sluice": 1, "nodes": {
          "in": {"type": "source.pipe", "params": {"path": "audio", "format": "s16",
                 "rate_hz": 48000, "channels": 2}},
          "four": {"type": "sink.tcp", "params": {"host": ")" +
            std::string(Wire::kFar4) + R"(", "port": )" + std::to_string(four->port()) + R"(}},
          "six": {"type": "sink.tcp", "params": {"host": ")" +
            std::string(Wire::kFar6) + R"(", "port": )" + std::to_string(six->port()) +
            R"(, "dscp": "low-delay", "no_delay": false}}},
          "edges": [{"from": "in", "to": "four", "buffer_ms": 2000},
                    {"from": "in", "to": "six", "buffer_ms": 2000}]})");
  std::optional<Running> running;
  {
    const auto here = wire_->near();
    running.emplace(work_, home_, Words{"run", "graph.json"});
  }
  ASSERT_TRUE(four->accept());
  ASSERT_TRUE(six->accept());
  const int writer = open((work_ / "audio").c_str(), O_WRONLY | O_CLOEXEC);
  std::string audio(192'000, '\0');  // 1 s, most of it sent when the first round trips are over
  for (size_t i = 0; i < audio.size(); ++i) audio[i] = static_cast<char>(i * 7 + i / 256);
  std::jthread feeder([&] {
    EXPECT_EQ(::write(writer, audio.data(), audio.size()), static_cast<ssize_t>(audio.size()));
  });
  // At the same time: both read one ring, and neither may lose anything.
  const auto expect_all = [&](SocketServer& server) {
    std::string heard;
    while (heard.size() < audio.size()) {
      const std::string part = server.read(65'536);
      if (part.empty()) break;
      heard += part;
    }
    EXPECT_TRUE(heard == audio) << heard.size() << "\n" << running->said().err;
  };
  std::jthread other([&] { expect_all(*six); });
  expect_all(*four);
  other.join();
  feeder.join();
  EXPECT_TRUE(running->wait_until([&] {
    return has_keepalive(four->port()) && has_keepalive(six->port());
  })) << running->said().err;
  running->signal(SIGINT);
  EXPECT_EQ(four->read_all(), "");
  EXPECT_EQ(six->read_all(), "");
  four->close();
  six->close();
  EXPECT_EQ(running->finish().exit_code, 0) << running->said().err;
  close(writer);
  // The last acknowledgements may still be on the wire.
  const auto patience = Clock::now() + std::chrono::seconds(60);
  while (!(is_over(four->port()) && is_over(six->port())) && Clock::now() < patience) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  for (const WirePacket& packet : packets(four->port(), true)) {
    EXPECT_EQ(packet.ip_version, 4);
    EXPECT_EQ(packet.dscp, 46);
  }
  for (const WirePacket& packet : packets(six->port(), true)) {
    EXPECT_EQ(packet.ip_version, 6);
    EXPECT_EQ(packet.dscp, 18);
  }
  EXPECT_TRUE(are_small_ones_together(four->port()));
  EXPECT_FALSE(are_small_ones_together(six->port()));
  expect_polite_end(four->port());
  expect_polite_end(six->port());
}

TEST_F(TcpWire, Server_host_vanishes_it_is_noticed_within_ten_seconds_and_met_again) {
  std::optional<SocketServer> server;
  {
    const auto there = wire_->far();
    server.emplace(Wire::kFar4);
  }
  std::optional<Running> running;
  {
    const auto here = wire_->near();
    running.emplace(
        work_, home_,
        Words{"run", "--stats", "s.jsonl", "-e",
              "source.tone wave=counter live=true -> sink.tcp host=" + std::string(Wire::kFar4) +
                  " port=" + std::to_string(server->port())});
  }
  ASSERT_TRUE(server->accept());
  for (size_t heard = 0; heard < 48'000 * kFrameBytes; heard += server->read(4096).size()) {
  }
  wire_->set_black_hole(true);
  const auto vanished = Clock::now();
  const auto says = [&](const char* words) {
    return running->said().err.find(words) != std::string::npos;
  };
  EXPECT_TRUE(running->wait_until([&] {
    return says("no longer answers") || says("has taken nothing for 5000 ms");
  })) << running->said().err;
  EXPECT_LE(Clock::now() - vanished, std::chrono::seconds(10));
  wire_->set_black_hole(false);
  ASSERT_TRUE(server->accept());
  const auto numbers = numbers_in(server->read(65'536));
  EXPECT_FALSE(numbers.empty());
  running->signal(SIGINT);
  server->close();
  EXPECT_EQ(running->finish().exit_code, 0);
  // The kernel's own view of it: what was sent again and again, and not acknowledged.
  EXPECT_GE(most_of(content(work_ / "s.jsonl"), "retransmits"), 1);
  EXPECT_GE(most_of(content(work_ / "s.jsonl"), "unsent_bytes"), 65'536 / 2);
  EXPECT_GT(most_of(content(work_ / "s.jsonl"), "round_trip_us"), 0);
}

}  // namespace
}  // namespace sluice::tests
