// In front of a real Snapserver 0.26 with a real client: what is heard, and what happens when the
// server dies, hangs or is taken.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sndfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/snapserver_fixture.hpp"
#include "tests/support/socket_server.hpp"

namespace sluice::tests {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A client by the binary protocol: takes the PCM that the server hands out, and plays nothing, so
// that a busy machine is no excuse. Messages are a header of 26 bytes (type, id, refers to: 16 bits
// each; sent and received: 2 x 32 bits each; size: 32 bits) and a payload; all little endian.
class StreamListener {
 public:
  explicit StreamListener(uint16_t port) : descriptor_(connect_to(port)) {
    const timeval patience{60, 0};
    setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    const std::string hello =
        R"({"Arch":"x","ClientName":"listener","HostName":"lab","ID":"listener","Instance":1,)"
        R"("MAC":"00:00:00:00:00:01","OS":"x","SnapStreamProtocolVersion":2,"Version":"0.26.0"})";
    std::string message(26, '\0');
    const auto put = [&](size_t at, uint32_t value, size_t bytes) {
      std::memcpy(message.data() + at, &value, bytes);
    };
    const auto length = static_cast<uint32_t>(hello.size());
    put(0, kHello, 2);
    put(22, length + 4, 4);
    message.append(reinterpret_cast<const char*>(&length), 4);
    message += hello;
    is_open_ = ::write(descriptor_, message.data(), message.size()) ==
               static_cast<ssize_t>(message.size());
  }
  ~StreamListener() { close(descriptor_); }
  StreamListener(const StreamListener&) = delete;
  StreamListener& operator=(const StreamListener&) = delete;

  // The next chunk of PCM; empty when the server is silent for a minute or gone.
  std::string chunk() {
    for (;;) {
      const std::string header = take(26);
      if (header.empty()) return {};
      uint16_t type = 0;
      uint32_t size = 0;
      std::memcpy(&type, header.data(), 2);
      std::memcpy(&size, header.data() + 22, 4);
      const std::string payload = take(size);
      // Two times 32 bits of time and 32 bits of size come first.
      if (type == kWireChunk && payload.size() > 12) return payload.substr(12);
      if (payload.size() != size) return {};
    }
  }

 private:
  static constexpr uint16_t kWireChunk = 2;
  static constexpr uint16_t kHello = 5;

  std::string take(size_t bytes) {
    std::string taken(bytes, '\0');
    for (size_t at = 0; at < bytes;) {
      const ssize_t count = is_open_ ? recv(descriptor_, taken.data() + at, bytes - at, 0) : 0;
      if (count <= 0) return {};
      at += static_cast<size_t>(count);
    }
    return taken;
  }

  const int descriptor_;
  bool is_open_ = false;
};

// That the server hands out numbered frames from 1 on, as many as these seconds have. It keeps what
// does not fill its last chunk of 20 ms.
void expect_every_frame(uint32_t seconds, StreamListener& listener, const Daemon& server) {
  uint32_t next = 1;
  while (next + 960 <= seconds * 48'000) {
    const std::string pcm = listener.chunk();
    ASSERT_FALSE(pcm.empty()) << next << server.log();
    for (size_t at = 0; at + 4 <= pcm.size(); at += 4) {
      uint32_t number = 0;
      std::memcpy(&number, pcm.data() + at, 4);
      if (number == 0) continue;
      ASSERT_EQ(number, next) << server.log();
      ++next;
    }
  }
}

class SnapserverPresets : public Snapserver, public ::testing::WithParamInterface<const char*> {};

TEST_P(SnapserverPresets, Every_client_is_sent_what_went_in_frame_for_frame) {
  start_server();
  StreamListener listener(stream_port_);
  Running running(work_, home_, counted(6, GetParam()));
  expect_every_frame(6, listener, *server_);
  const Ended ended = running.finish();
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.err, Not(HasSubstr("does not read")));
}

INSTANTIATE_TEST_SUITE_P(, SnapserverPresets,
                         ::testing::Values("", "chunk_frames=128", "chunk_frames=4096"),
                         [](const auto& param) {
                           std::string name = *param.param ? param.param : "custom";
                           std::replace(name.begin(), name.end(), '=', '_');
                           return name;
                         });

// With the preset ethernet, and through every filter of the graph.
TEST_F(Snapserver, Shipped_graph_plays_a_file_to_it_frame_for_frame) {
  constexpr uint32_t kSeconds = 5;
  std::vector<int> numbers;
  for (uint32_t frame = 1; frame <= kSeconds * 48'000; ++frame) {
    numbers.push_back(static_cast<int>(frame << 16));
    numbers.push_back(static_cast<int>(frame & 0xffff0000u));
  }
  write_sound(work_ / "numbers.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 2, 48'000, numbers);
  start_server();
  StreamListener listener(stream_port_);
  Running running(
      work_, home_,
      {"run", kGraphs + "/wav-to-snapserver.json", "--var",
       "file=" + (work_ / "numbers.flac").string(), "--var", "port=" + std::to_string(port_)});
  expect_every_frame(kSeconds, listener, *server_);
  EXPECT_EQ(status(), "playing");
  const Ended ended = running.finish();
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr(" at server; none lost"));
}

TEST_F(Snapserver, Server_that_connects_is_sent_what_went_in_frame_for_frame) {
  start_server("client");
  StreamListener listener(stream_port_);
  // Not live: it waits until the server has tried again, a second after the last time.
  Running running(work_, home_,
                  {"run", "-e",
                   "source.tone wave=counter duration_ms=6000 -> sink.tcp mode=listen lead_ms=500 "
                   "port=" +
                       std::to_string(port_)});
  expect_every_frame(6, listener, *server_);
  const Ended ended = running.finish();
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("Connected to 127.0.0.1."));
  EXPECT_THAT(ended.err, Not(HasSubstr("does not read")));
}

TEST_F(Snapserver, Server_that_connects_is_killed_and_restarted_and_plays_again) {
  start_server("client");
  Running running(work_, home_, counted(3600, "mode=listen"));
  ASSERT_TRUE(running.wait_until([&] { return status() == "playing"; })) << running.said().err;
  server_->stop(SIGKILL);
  ASSERT_TRUE(running.wait_until([&] {
    return running.said().err.find("reset") != std::string::npos ||
           running.said().err.find("closed") != std::string::npos;
  })) << running.said().err;
  start_server("client");
  EXPECT_TRUE(running.wait_until([&] { return status() == "playing"; })) << running.said().err;
  running.signal(SIGINT);
  EXPECT_EQ(running.finish().exit_code, 0);
}

TEST_F(Snapserver, Real_client_plays_it_from_the_first_frame_in_order) {
  start_server();
  start_client();
  Running running(work_, home_, counted(6));
  EXPECT_TRUE(running.wait_until([&] { return status() == "playing"; })) << status();
  const Ended ended = running.finish();
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  // A client that is late on a busy machine leaves out frames to catch up.
  ASSERT_TRUE(wait_for([&] {
    const auto numbers = played();
    return !numbers.empty() && numbers.back() + 4'800 >= 6 * 48'000;
  })) << server_->log()
      << client_->log();
  client_->stop(SIGTERM);
  const auto numbers = played();
  EXPECT_EQ(numbers.front(), 1u);
  size_t lost_or_repeated = 0;
  for (size_t i = 1; i < numbers.size(); ++i) {
    ASSERT_LE(numbers[i - 1], numbers[i] + 1) << i << client_->log();
    lost_or_repeated += numbers[i] != numbers[i - 1] + 1 ? 1 : 0;
  }
  RecordProperty("places_where_the_client_slid", static_cast<int>(lost_or_repeated));
  std::printf("The client slid into step at %zu places.\n", lost_or_repeated);
}

TEST_F(Snapserver, Hundred_switches_go_by_on_one_connection_and_without_a_resync) {
  start_server();
  write(work_ / "switch.json",
        R"({"sluice": 1, "name": "switch", "nodes": {
          "tone": {"type": "source.tone", "params": {"live": true}},
          "more": {"type": "source.tone", "params": {"live": true, "frequency_hz": 300}},
          "bed": {"type": "source.tone", "params": {"live": true, "wave": "silence"}},
          "mix": "filter.gain", "here": "sink.null",
          "lead": {"type": "filter.prefill", "params": {"duration_ms": 1000}},
          "s16": {"type": "filter.convert", "params": {"format": "s16"}},
          "box": {"type": "sink.tcp", "params": {"lead_ms": 900, "port": )" +
            std::to_string(port_) + R"(}}},
        "edges": ["bed -> mix", "mix -> lead", "lead -> s16"],
        "switches": {
          "in": {"routes": {"tone": ["tone -> mix"], "more": ["more -> mix"],
                            "low": [{"from": "tone", "to": "mix", "gain_db": -6}], "none": []}},
          "out": {"routes": {"box": ["s16 -> box"], "both": ["s16 -> box", "mix -> here"]}}}})");
  Running running(work_, home_, {"run", "switch.json"});
  ASSERT_TRUE(running.wait_until([&] { return status() == "playing"; })) << running.said().err;
  const std::vector<std::string> routes{"in=more", "out=both", "in=none",
                                        "in=low",  "out=box",  "in=tone"};
  for (size_t i = 0; i < 100; ++i) {
    const Ended switched = sluice({"route", routes[i % routes.size()]});
    ASSERT_EQ(switched.exit_code, 0) << switched.err;
  }
  EXPECT_EQ(status(), "playing");
  EXPECT_EQ(count_of(server_->log(), "onResync"), 0u) << server_->log();
  running.signal(SIGINT);
  const Ended ended = running.finish();
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_EQ(count_of(ended.err, "Connected to"), 1u) << ended.err;
}

TEST_F(Snapserver, Zeros_of_a_closed_gate_count_as_playing) {
  start_server();
  Running running(work_, home_,
                  {"run", "-e",
                   "source.tone wave=silence live=true -> filter.gate hold_ms=100 closed=zeros -> "
                   "filter.convert format=s16 -> sink.tcp port=" +
                       std::to_string(port_)});
  EXPECT_TRUE(running.wait_until([&] { return status() == "playing"; })) << status();
  // Closed for longer than Snapserver's patience of half a second and a chunk.
  std::this_thread::sleep_for(std::chrono::seconds(2));
  EXPECT_EQ(status(), "playing");
  running.signal(SIGINT);
  EXPECT_EQ(running.finish().exit_code, 0);
}

// Writes 10 ms of stereo s16 to a FIFO every 10 ms: full-scale square wave, or zeros.
class Feeder {
 public:
  // What finds no room is not played; nobody may read any more.
  explicit Feeder(const fs::path& path)
      : descriptor_(open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC)) {
    thread_ = std::jthread([this](const std::stop_token& stop) {
      auto next = std::chrono::steady_clock::now();
      while (!stop.stop_requested()) {
        int16_t block[480 * 2];
        for (int i = 0; i < 960; ++i) {
          block[i] = static_cast<int16_t>(is_loud ? (i / 96 % 2 == 0 ? 16'000 : -16'000) : 0);
        }
        if (::write(descriptor_, block, sizeof(block)) < 0 && errno != EAGAIN) return;
        next += std::chrono::milliseconds(10);
        std::this_thread::sleep_until(next);
      }
    });
  }
  ~Feeder() {
    thread_.request_stop();
    thread_.join();
    close(descriptor_);
  }
  Feeder(const Feeder&) = delete;
  Feeder& operator=(const Feeder&) = delete;

  std::atomic<bool> is_loud{true};

 private:
  const int descriptor_;
  std::jthread thread_;
};

TEST_F(Snapserver, Deep_sleep_lets_it_go_idle_and_sound_wakes_it) {
  start_server();
  ASSERT_EQ(mkfifo((work_ / "audio").c_str(), 0600), 0);
  Running running(work_, home_,
                  {"run", "-e",
                   "source.pipe path=audio format=s16 rate_hz=48000 channels=2 -> "
                   "filter.gate hold_ms=100 lookback_ms=200 closed=nothing -> filter.convert "
                   "format=s16 -> sink.tcp deep_sleep_ms=500 port=" +
                       std::to_string(port_)});
  Feeder feeder(work_ / "audio");
  EXPECT_TRUE(running.wait_until([&] { return status() == "playing"; })) << running.said().err;
  feeder.is_loud = false;
  EXPECT_TRUE(running.wait_until([&] { return status() == "idle"; })) << running.said().err;
  EXPECT_TRUE(running.wait_until([&] {
    return running.said().err.find("sleep") != std::string::npos;
  })) << running.said().err;
  feeder.is_loud = true;
  EXPECT_TRUE(running.wait_until([&] { return status() == "playing"; })) << running.said().err;
  running.signal(SIGINT);
  const Ended ended = running.finish();
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
}

TEST_F(Snapserver, Killed_and_restarted_server_plays_again) {
  start_server();
  Running running(work_, home_, counted(3600));
  ASSERT_TRUE(running.wait_until([&] { return status() == "playing"; }));
  server_->stop(SIGKILL);
  ASSERT_TRUE(running.wait_until([&] {
    return running.said().err.find("lost") != std::string::npos ||
           running.said().err.find("reset") != std::string::npos ||
           running.said().err.find("closed") != std::string::npos;
  })) << running.said().err;
  start_server();
  EXPECT_TRUE(running.wait_until([&] { return status() == "playing"; })) << running.said().err;
  // Said when the new connection has lasted.
  EXPECT_TRUE(running.wait_until([&] { return count_of(running.said().err, "Connected to") >= 2; }))
      << running.said().err;
  running.signal(SIGINT);
  EXPECT_EQ(running.finish().exit_code, 0);
}

// Takes numbered frames as they come, and remembers the newest number.
class LiveCounter {
 public:
  uint16_t port() const { return server_.port(); }
  void start() {
    thread_ = std::jthread([this] {
      std::string rest;
      if (!server_.accept()) return;
      for (std::string part = server_.read(4096); !part.empty(); part = server_.read(4096)) {
        rest += part;
        const size_t whole = rest.size() / 4 * 4;
        if (whole == 0) continue;
        uint32_t number = 0;
        std::memcpy(&number, rest.data() + whole - 4, 4);
        rest.erase(0, whole);
        newest = number;
      }
    });
  }

  std::atomic<uint32_t> newest{0};

 private:
  SocketServer server_{"127.0.0.1"};
  std::jthread thread_;
};

TEST_F(Snapserver, Stopped_for_10_s_it_is_named_given_up_and_then_plays_what_is_live) {
  constexpr uint32_t kLeadMs = 200;
  start_server();
  LiveCounter live;
  live.start();
  write(work_ / "graph.json",
        R"({"sluice": 1, "nodes": {
          "tone": {"type": "source.tone", "params": {"wave": "counter", "live": true}},
          "server": {"type": "sink.tcp", "params": {"lead_ms": )" +
            std::to_string(kLeadMs) + R"(, "port": )" + std::to_string(port_) +
            R"(}}, "live": {"type": "sink.tcp", "params": {"lead_ms": 0, "port": )" +
            std::to_string(live.port()) + R"(}}}, "edges": ["tone -> server", "tone -> live"]})");
  Running running(work_, home_, {"run", "graph.json"});
  ASSERT_TRUE(running.wait_until([&] { return status() == "playing"; })) << running.said().err;
  const auto stopped = std::chrono::steady_clock::now();
  server_->signal(SIGSTOP);
  const auto says = [&](const char* word) {
    return running.wait_until([&] { return running.said().err.find(word) != std::string::npos; });
  };
  EXPECT_TRUE(says("does not read")) << running.said().err;
  EXPECT_TRUE(says("has taken nothing for 5000 ms")) << running.said().err;
  std::this_thread::sleep_until(stopped + std::chrono::seconds(10));
  server_->signal(SIGCONT);
  EXPECT_TRUE(running.wait_until([&] { return status() == "playing"; })) << running.said().err;
  // What its kernel had taken before comes first; the third second is of the new connection.
  StreamListener listener(stream_port_);
  uint32_t least_age = UINT32_MAX;
  for (int i = 0; i < 150; ++i) {
    const std::string pcm = listener.chunk();
    ASSERT_GE(pcm.size(), 4u) << server_->log();
    uint32_t number = 0;
    std::memcpy(&number, pcm.data() + pcm.size() - 4, 4);
    if (i >= 100 && number != 0) least_age = std::min(least_age, live.newest - number);
  }
  EXPECT_LE(least_age, (kLeadMs + 300) * 48);
  std::printf("Heard %u ms behind live.\n", least_age / 48);
  running.signal(SIGINT);
  EXPECT_EQ(running.finish().exit_code, 0);
}

TEST_F(Snapserver, Server_held_by_another_producer_is_named) {
  start_server();
  const int holder = connect_to(port_);
  ASSERT_GE(holder, 0);
  ASSERT_TRUE(write_all(holder, std::string(3840, '\1')));
  Running running(work_, home_, counted(3600));
  EXPECT_TRUE(running.wait_until([&] {
    return running.said().err.find("does not read") != std::string::npos;
  })) << running.said().err;
  close(holder);
  running.signal(SIGINT);
  EXPECT_EQ(running.finish().exit_code, 0);
}

}  // namespace
}  // namespace sluice::tests
