// What the in-memory network does exactly: times, windows, dead machines; and Happy Eyeballs on it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/engine/net_world.hpp"

namespace sluice::engine {
namespace {

using ::testing::HasSubstr;

constexpr uint32_t kRead = SLUICE_NET_READ;
constexpr uint32_t kWrite = SLUICE_NET_WRITE;
constexpr int64_t kMs = 1'000'000;
constexpr int64_t kS = 1'000'000'000;
constexpr const char* kServer = "192.0.2.1";
constexpr uint16_t kPort = 4953;

class MemoryNetworkTest : public ::testing::Test {
 protected:
  void join(const sluice_stream_options& options = stream_options()) {
    listener_ = world_.listen(kServer, kPort);
    client_ = world_.connect(kServer, kPort, options);
    ASSERT_TRUE(world_.wait(client_, kWrite));
    ASSERT_EQ(world_.info(client_).state, uint32_t{SLUICE_STREAM_OPEN}) << world_.sentence(client_);
    server_ = world_.accept(listener_);
  }
  void black_hole(bool on) {
    MemoryPath path = net().path(kServer);
    path.reach = on ? MemoryPath::Reach::kBlackHole : MemoryPath::Reach::kOpen;
    net().set_path(kServer, path);
  }
  MemoryNetwork& net() { return world_.memory(); }
  void TearDown() override {
    if (client_) net().close(client_, false);
    if (server_) net().close(server_, false);
    if (listener_) net().close_listener(listener_);
  }

  MemoryWorld world_;
  sluice_listener* listener_ = nullptr;
  sluice_stream* client_ = nullptr;
  sluice_stream* server_ = nullptr;
};

TEST_F(MemoryNetworkTest, Delay_connecting_takes_a_round_trip_and_bytes_one_way) {
  net().set_path(kServer, {.delay_ns = 30 * kMs});
  const int64_t start_ns = world_.now_ns();
  join();
  EXPECT_EQ(world_.now_ns() - start_ns, 60 * kMs);
  const int64_t sent_ns = world_.now_ns();
  ASSERT_TRUE(world_.send_all(client_, "x"));
  EXPECT_EQ(net().ready(server_, kRead), 0u);
  ASSERT_TRUE(world_.wait(server_, kRead));
  EXPECT_EQ(world_.now_ns() - sent_ns, 30 * kMs);
  EXPECT_EQ(world_.info(client_).unsent_bytes, 1u);
  world_.pass(30 * kMs);
  EXPECT_EQ(world_.info(client_).unsent_bytes, 0u);
  EXPECT_EQ(world_.info(client_).round_trip_us, 60'000u);
}

TEST_F(MemoryNetworkTest, Rate_bytes_take_their_time) {
  net().set_path(kServer, {.bytes_per_s = 192'000, .window_bytes = 1 << 20});
  join();
  const int64_t start_ns = world_.now_ns();
  ASSERT_TRUE(world_.send_all(client_, std::string(192'000, 'x')));
  EXPECT_EQ(world_.receive(server_, 192'000).size(), 192'000u);
  EXPECT_NEAR(static_cast<double>(world_.now_ns() - start_ns), 1e9, 200);
}

TEST_F(MemoryNetworkTest, Window_of_one_byte_moves_a_byte_a_round_trip) {
  net().set_path(kServer, {.delay_ns = kMs, .window_bytes = 1});
  join();
  const int64_t start_ns = world_.now_ns();
  ASSERT_TRUE(world_.send_all(client_, "0123456789"));
  EXPECT_EQ(world_.info(client_).peer_window_bytes, 1u);
  EXPECT_EQ(world_.receive(server_, 10), "0123456789");
  EXPECT_EQ(world_.now_ns() - start_ns, 19 * kMs);
}

TEST_F(MemoryNetworkTest, Window_peer_does_not_read_takes_window_and_send_buffer) {
  net().set_path(kServer, {.window_bytes = 5'000});
  sluice_stream_options options = stream_options();
  options.send_buffer_bytes = 3'000;
  join(options);
  size_t total = 0;
  const std::string chunk(1'000, 'x');
  size_t sent = 0;
  while (net().send(client_, chunk.data(), chunk.size(), sent) == SLUICE_OK) total += sent;
  EXPECT_EQ(total, 8'000u);
  EXPECT_EQ(world_.info(client_).unsent_bytes, 3'000u);
  EXPECT_EQ(world_.info(client_).peer_window_bytes, 0u);
}

TEST_F(MemoryNetworkTest, Happy_eyeballs_dead_first_address_costs_250_ms) {
  net().add_name("box.test", {"2001:db8::1", "2001:db8::2", kServer});
  net().set_path("2001:db8::1", {.reach = MemoryPath::Reach::kBlackHole});
  net().set_path(kServer, {.delay_ns = 10 * kMs});
  listener_ = world_.listen("", kPort);
  const int64_t start_ns = world_.now_ns();
  client_ = world_.connect("box.test", kPort);
  ASSERT_TRUE(world_.wait(client_, kWrite));
  // The families take turns: IPv4 is second although it came last.
  EXPECT_STREQ(world_.info(client_).peer, "192.0.2.1:4953");
  EXPECT_EQ(world_.now_ns() - start_ns, 270 * kMs);
  EXPECT_EQ(net().connection_count("2001:db8::1"), 0u);
}

TEST_F(MemoryNetworkTest, Happy_eyeballs_refused_first_address_costs_nothing) {
  net().add_name("box.test", {"2001:db8::1", kServer});
  listener_ = world_.listen(kServer, kPort);
  const int64_t start_ns = world_.now_ns();
  client_ = world_.connect("box.test", kPort);
  ASSERT_TRUE(world_.wait(client_, kWrite));
  EXPECT_STREQ(world_.info(client_).peer, "192.0.2.1:4953");
  EXPECT_EQ(world_.now_ns(), start_ns);
}

TEST_F(MemoryNetworkTest, Happy_eyeballs_slow_first_address_may_still_win) {
  net().add_name("box.test", {"2001:db8::1", kServer});
  net().set_path("2001:db8::1", {.delay_ns = 150 * kMs});
  net().set_path(kServer, {.delay_ns = 200 * kMs});
  listener_ = world_.listen("", kPort);
  client_ = world_.connect("box.test", kPort);
  ASSERT_TRUE(world_.wait(client_, kWrite));
  EXPECT_STREQ(world_.info(client_).peer, "[2001:db8::1]:4953");
  EXPECT_EQ(net().connection_count(kServer), 0u);
}

TEST_F(MemoryNetworkTest, Happy_eyeballs_all_fail_the_most_telling_reason_is_given) {
  net().add_name("box.test", {"2001:db8::1", kServer, "192.0.2.2"});
  net().set_path("2001:db8::1", {.reach = MemoryPath::Reach::kUnreachable});
  client_ = world_.connect("box.test", kPort);
  ASSERT_TRUE(world_.wait(client_, kWrite));
  EXPECT_EQ(world_.sentence(client_),
            "Nothing listens on box.test:4953: start the server or mend `port`.");
}

TEST_F(MemoryNetworkTest, Connect_black_hole_fails_at_the_timeout) {
  black_hole(true);
  sluice_stream_options options = stream_options();
  options.connect_timeout_ms = 2'500;
  const int64_t start_ns = world_.now_ns();
  client_ = world_.connect(kServer, kPort, options);
  ASSERT_TRUE(world_.wait(client_, kWrite));
  EXPECT_EQ(world_.now_ns() - start_ns, 2'500 * kMs);
  EXPECT_THAT(world_.sentence(client_), HasSubstr("did not answer within 2500 ms"));
  EXPECT_EQ(net().connection_count(kServer), 0u);
}

TEST_F(MemoryNetworkTest, Connect_black_hole_opens_meanwhile_the_third_request_gets_through) {
  black_hole(true);
  listener_ = world_.listen(kServer, kPort);
  const int64_t start_ns = world_.now_ns();
  client_ = world_.connect(kServer, kPort);
  EXPECT_FALSE(world_.wait(client_, kWrite, 1'500 * kMs));
  black_hole(false);
  ASSERT_TRUE(world_.wait(client_, kWrite));
  EXPECT_EQ(world_.now_ns() - start_ns, 3 * kS);
}

TEST_F(MemoryNetworkTest, Connect_resolver_hangs_fails_at_the_timeout) {
  net().add_name("slow.test", {kServer}, SLUICE_FOREVER);
  client_ = world_.connect("slow.test", kPort);
  const int64_t start_ns = world_.now_ns();
  ASSERT_TRUE(world_.wait(client_, kWrite, 60 * kS));
  EXPECT_EQ(world_.now_ns() - start_ns, 10 * kS);
  EXPECT_THAT(world_.sentence(client_), HasSubstr("Looking up the name \"slow.test\" took longer"));
}

TEST_F(MemoryNetworkTest, Connect_look_up_takes_its_time) {
  net().add_name("slow.test", {kServer}, 400 * kMs);
  listener_ = world_.listen(kServer, kPort);
  const int64_t start_ns = world_.now_ns();
  client_ = world_.connect("slow.test", kPort);
  ASSERT_TRUE(world_.wait(client_, kWrite));
  EXPECT_EQ(world_.now_ns() - start_ns, 400 * kMs);
}

TEST_F(MemoryNetworkTest, Connect_unknown_name_says_what_to_do) {
  client_ = world_.connect("nowhere.test", kPort);
  ASSERT_TRUE(world_.wait(client_, kWrite));
  EXPECT_EQ(world_.sentence(client_),
            "No machine is called \"nowhere.test\": mend `host` or give an address.");
}

TEST_F(MemoryNetworkTest, User_timeout_unacknowledged_bytes_break_the_stream_exactly_then) {
  sluice_stream_options options = stream_options();
  options.user_timeout_ms = 5'000;
  join(options);
  black_hole(true);
  world_.pass(3 * kS);
  const int64_t start_ns = world_.now_ns();
  ASSERT_TRUE(world_.send_all(client_, "into the void"));
  ASSERT_TRUE(world_.wait(client_, kRead, 60 * kS));
  EXPECT_EQ(world_.now_ns() - start_ns, 5 * kS);
  size_t sent = 0;
  EXPECT_EQ(net().send(client_, "x", 1, sent), SLUICE_ERROR_NETWORK);
  EXPECT_THAT(world_.sentence(client_), HasSubstr("no longer answers"));
}

TEST_F(MemoryNetworkTest, Keepalive_idle_stream_to_a_dead_machine_breaks) {
  sluice_stream_options options = stream_options();
  options.keepalive_idle_s = 5;
  options.keepalive_interval_s = 2;
  options.keepalive_count = 2;
  join(options);
  EXPECT_FALSE(world_.wait(client_, kRead, 3'600 * kS));
  black_hole(true);
  const int64_t start_ns = world_.now_ns();
  ASSERT_TRUE(world_.wait(client_, kRead, 60 * kS));
  EXPECT_EQ(world_.now_ns() - start_ns, 9 * kS);
}

TEST_F(MemoryNetworkTest, Black_hole_opens_again_what_was_sent_arrives) {
  net().set_path(kServer, {.delay_ns = 20 * kMs});
  join();
  black_hole(true);
  ASSERT_TRUE(world_.send_all(client_, "patience"));
  EXPECT_FALSE(world_.wait(server_, kRead, 30 * kS));
  black_hole(false);
  const int64_t start_ns = world_.now_ns();
  EXPECT_EQ(world_.receive(server_, 8), "patience");
  EXPECT_EQ(world_.now_ns() - start_ns, 20 * kMs);
}

TEST_F(MemoryNetworkTest, Reset_breaks_both_ends) {
  join();
  net().reset_connections(kServer);
  for (sluice_stream* stream : {client_, server_}) {
    char byte = 0;
    size_t received = 0;
    EXPECT_EQ(net().receive(stream, &byte, 1, received), SLUICE_ERROR_NETWORK);
    EXPECT_THAT(world_.sentence(stream), HasSubstr("reset the connection"));
  }
}

TEST_F(MemoryNetworkTest, Close_while_connecting_leaves_nothing_behind) {
  net().set_path(kServer, {.delay_ns = 50 * kMs});
  listener_ = world_.listen(kServer, kPort);
  client_ = world_.connect(kServer, kPort);
  net().close(client_, false);
  client_ = nullptr;
  world_.pass(kS);
  EXPECT_EQ(net().ready(listener_, kRead), 0u);
  EXPECT_EQ(net().connection_count(kServer), 0u);
}

TEST_F(MemoryNetworkTest, Listener_opened_too_late_the_request_was_refused) {
  net().set_path(kServer, {.delay_ns = 50 * kMs});
  client_ = world_.connect(kServer, kPort);
  world_.pass(60 * kMs);
  listener_ = world_.listen(kServer, kPort);
  ASSERT_TRUE(world_.wait(client_, kWrite));
  EXPECT_EQ(world_.info(client_).state, uint32_t{SLUICE_STREAM_FAILED});
}

TEST_F(MemoryNetworkTest, Asking_seldom_or_often_gives_the_same_times) {
  net().set_path(kServer, {.delay_ns = 7 * kMs, .bytes_per_s = 10'000, .window_bytes = 500});
  join();
  ASSERT_TRUE(world_.send_all(client_, std::string(2'000, 'x')));
  const int64_t start_ns = world_.now_ns();
  // 500 bytes in 50 ms, then the window is closed: nothing more, however long nobody looks.
  world_.pass(10 * kS);
  char buffer[4096];
  size_t received = 0;
  ASSERT_EQ(net().receive(server_, buffer, sizeof(buffer), received), SLUICE_OK);
  EXPECT_EQ(received, 500u);
  ASSERT_TRUE(world_.wait(server_, kRead));
  EXPECT_EQ(world_.now_ns() - start_ns, 10 * kS + 2 * 7 * kMs + 50 * kMs);
}

}  // namespace
}  // namespace sluice::engine
