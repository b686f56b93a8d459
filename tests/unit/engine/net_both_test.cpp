// What holds for real sockets and for the in-memory network alike.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>

#include "tests/unit/engine/net_world.hpp"

namespace sluice::engine {
namespace {

using ::testing::HasSubstr;

constexpr uint32_t kRead = SLUICE_NET_READ;
constexpr uint32_t kWrite = SLUICE_NET_WRITE;

std::string numbered_bytes(size_t count) {
  std::string bytes(count, '\0');
  uint32_t state = 1;
  for (char& byte : bytes) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

class NetBoth : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (std::string_view(GetParam()) == "sockets") {
      world_ = std::make_unique<SocketWorld>();
    } else {
      world_ = std::make_unique<MemoryWorld>();
    }
  }
  NetWorld& world() { return *world_; }
  Network& net() { return world_->network(); }

  // A client and a server that are connected.
  void join(const sluice_stream_options& options = stream_options()) {
    listener_ = world().listen("127.0.0.1");
    client_ = world().connect("127.0.0.1", net().listener_port(listener_), options);
    ASSERT_TRUE(world().wait(client_, kWrite));
    server_ = world().accept(listener_);
  }
  void TearDown() override {
    if (client_) net().close(client_, false);
    if (server_) net().close(server_, false);
    if (listener_) net().close_listener(listener_);
  }

  std::unique_ptr<NetWorld> world_;
  sluice_listener* listener_ = nullptr;
  sluice_stream* client_ = nullptr;
  sluice_stream* server_ = nullptr;
};

INSTANTIATE_TEST_SUITE_P(Network, NetBoth, ::testing::Values("sockets", "memory"),
                         [](const auto& test) { return std::string(test.param); });

TEST_P(NetBoth, Connect_listener_there_opens_both_ends) {
  join();
  EXPECT_EQ(world().info(client_).state, uint32_t{SLUICE_STREAM_OPEN});
  EXPECT_EQ(world().info(server_).state, uint32_t{SLUICE_STREAM_OPEN});
  EXPECT_EQ(world().info(client_).peer,
            "127.0.0.1:" + std::to_string(net().listener_port(listener_)));
  EXPECT_THAT(world().info(server_).peer, HasSubstr("127.0.0.1:"));
}

TEST_P(NetBoth, Connect_by_name_opens) {
  listener_ = world().listen("");
  client_ = world().connect("localhost", net().listener_port(listener_));
  EXPECT_TRUE(world().wait(client_, kWrite));
  EXPECT_EQ(world().info(client_).state, uint32_t{SLUICE_STREAM_OPEN});
}

TEST_P(NetBoth, Connect_ipv6_opens) {
  auto listener = net().listen("::1", 0, stream_options());
  if (!listener) GTEST_SKIP() << "no IPv6 here: " << listener.error().message;
  listener_ = *listener;
  const uint16_t port = net().listener_port(listener_);
  client_ = world().connect("::1", port);
  ASSERT_TRUE(world().wait(client_, kWrite));
  EXPECT_EQ(world().info(client_).peer, "[::1]:" + std::to_string(port));
}

TEST_P(NetBoth, Listen_everywhere_takes_both_families) {
  listener_ = world().listen("*");
  const uint16_t port = net().listener_port(listener_);
  client_ = world().connect("127.0.0.1", port);
  ASSERT_TRUE(world().wait(client_, kWrite));
  ASSERT_EQ(world().info(client_).state, uint32_t{SLUICE_STREAM_OPEN});
  server_ = world().accept(listener_);
  EXPECT_THAT(world().info(server_).peer, ::testing::StartsWith("127.0.0.1:"));
  sluice_stream* six = world().connect("::1", port);
  ASSERT_TRUE(world().wait(six, kWrite));
  if (world().info(six).state == SLUICE_STREAM_OPEN) {
    net().close(world().accept(listener_), false);
  } else {
    EXPECT_THAT(world().sentence(six), HasSubstr("no route"));
  }
  net().close(six, false);
}

TEST_P(NetBoth, Connect_nothing_listens_says_what_to_do) {
  listener_ = world().listen();
  const uint16_t port = net().listener_port(listener_);
  net().close_listener(listener_);
  listener_ = nullptr;
  client_ = world().connect("127.0.0.1", port);
  EXPECT_EQ(world().wait(client_, kRead | kWrite), kRead | kWrite);
  EXPECT_EQ(world().info(client_).state, uint32_t{SLUICE_STREAM_FAILED});
  EXPECT_EQ(world().sentence(client_), "Nothing listens on 127.0.0.1:" + std::to_string(port) +
                                           ": start the server or mend `port`.");
  size_t count = 0;
  EXPECT_EQ(net().send(client_, "x", 1, count), SLUICE_ERROR_NETWORK);
  EXPECT_EQ(net().receive(client_, &count, 1, count), SLUICE_ERROR_NETWORK);
}

TEST_P(NetBoth, Connect_without_a_name_is_refused_at_once) {
  EXPECT_FALSE(net().connect("", 4953, stream_options()));
}

TEST_P(NetBoth, Bytes_both_ways_arrive_whole_and_in_order) {
  join();
  const std::string there = numbered_bytes(1'000'003);
  std::string got;
  std::string_view left = there;
  std::vector<char> buffer(7777);
  while (got.size() < there.size()) {
    size_t count = 0;
    if (!left.empty() && net().send(client_, left.data(), left.size(), count) == SLUICE_OK) {
      left.remove_prefix(count);
    }
    if (net().receive(server_, buffer.data(), buffer.size(), count) == SLUICE_OK) {
      got.append(buffer.data(), count);
    } else {
      ASSERT_TRUE(world().wait(server_, kRead));
    }
  }
  EXPECT_EQ(got, there);
  ASSERT_TRUE(world().send_all(server_, "and back"));
  EXPECT_EQ(world().receive(client_, 8), "and back");
}

TEST_P(NetBoth, Send_peer_does_not_read_fills_up_then_goes_on) {
  sluice_stream_options options = stream_options();
  options.send_buffer_bytes = 16'384;
  join(options);
  const std::string chunk(4096, 'x');
  uint64_t total = 0;
  for (;;) {
    size_t sent = 0;
    const sluice_result result = net().send(client_, chunk.data(), chunk.size(), sent);
    if (result == SLUICE_ERROR_AGAIN) {
      // Loopback takes more as long as the peer's window is open.
      if (!world().wait(client_, kWrite, 20'000'000)) break;
      continue;
    }
    ASSERT_EQ(result, SLUICE_OK);
    total += sent;
    ASSERT_LT(total, 50'000'000u);
  }
  const sluice_stream_info full = world().info(client_);
  EXPECT_GT(full.unsent_bytes, 0u);
  EXPECT_LT(full.acknowledged_bytes, total);
  EXPECT_EQ(full.unsent_bytes + full.acknowledged_bytes, total);
  EXPECT_EQ(world().receive(server_, total).size(), total);
  EXPECT_TRUE(world().wait(client_, kWrite));
  const sluice_stream_info empty = world().info(client_);
  EXPECT_EQ(empty.unsent_bytes, 0u);
  EXPECT_EQ(empty.acknowledged_bytes, total);
}

TEST_P(NetBoth, Receive_nothing_there_says_again) {
  join();
  char byte = 0;
  size_t received = 9;
  EXPECT_EQ(net().ready(client_, kRead | kWrite), kWrite);
  EXPECT_EQ(net().receive(client_, &byte, 1, received), SLUICE_ERROR_AGAIN);
  EXPECT_EQ(received, 0u);
  sluice_stream* nobody = nullptr;
  EXPECT_EQ(net().accept(listener_, &nobody), SLUICE_ERROR_AGAIN);
  EXPECT_EQ(net().ready(listener_, kRead), 0u);
}

TEST_P(NetBoth, Receive_after_a_send_that_broke_gives_what_had_arrived) {
  join();
  ASSERT_TRUE(world().send_all(client_, "one"));
  ASSERT_TRUE(world().send_all(server_, "last words"));
  ASSERT_TRUE(world().wait(client_, kRead));
  net().close(server_, true);
  server_ = nullptr;
  sluice_result result = SLUICE_OK;
  for (int i = 0; i < 100 && result != SLUICE_ERROR_NETWORK; ++i) {
    size_t sent = 0;
    result = net().send(client_, "two", 3, sent);
    world().wait(client_, kWrite, 20'000'000);
  }
  ASSERT_EQ(result, SLUICE_ERROR_NETWORK);
  std::string words(100, '\0');
  size_t received = 0;
  EXPECT_EQ(net().receive(client_, words.data(), words.size(), received), SLUICE_OK);
  EXPECT_EQ(words.substr(0, received), "last words");
  EXPECT_EQ(net().receive(client_, words.data(), words.size(), received), SLUICE_ERROR_NETWORK);
}

TEST_P(NetBoth, Finish_peer_reads_all_then_the_end_and_can_still_answer) {
  join();
  ASSERT_TRUE(world().send_all(client_, "last words"));
  net().finish(client_);
  EXPECT_EQ(world().receive(server_), "last words");
  char byte = 0;
  size_t received = 9;
  EXPECT_EQ(net().receive(server_, &byte, 1, received), SLUICE_OK);
  EXPECT_EQ(received, 0u);
  ASSERT_TRUE(world().send_all(server_, "heard"));
  EXPECT_EQ(world().receive(client_, 5), "heard");
  size_t sent = 0;
  EXPECT_EQ(net().send(client_, "x", 1, sent), SLUICE_ERROR_STATE);
  EXPECT_EQ(world().info(client_).acknowledged_bytes, 10u);
}

TEST_P(NetBoth, Close_what_was_sent_still_arrives) {
  join();
  const std::string bytes = numbered_bytes(30'000);
  ASSERT_TRUE(world().send_all(server_, "unread"));
  ASSERT_TRUE(world().wait(client_, kRead));
  ASSERT_TRUE(world().send_all(client_, bytes));
  net().close(client_, false);
  client_ = nullptr;
  EXPECT_EQ(world().receive(server_), bytes);
}

TEST_P(NetBoth, Close_with_abort_peer_sees_a_reset) {
  join();
  net().close(client_, true);
  client_ = nullptr;
  ASSERT_TRUE(world().wait(server_, kRead));
  char byte = 0;
  size_t received = 0;
  EXPECT_EQ(net().receive(server_, &byte, 1, received), SLUICE_ERROR_NETWORK);
  EXPECT_EQ(world().info(server_).state, uint32_t{SLUICE_STREAM_FAILED});
  EXPECT_THAT(world().sentence(server_), HasSubstr("reset the connection"));
  EXPECT_EQ(net().ready(server_, kRead | kWrite), kRead | kWrite);
}

TEST_P(NetBoth, Send_peer_has_gone_breaks_without_a_signal) {
  join();
  net().close(server_, false);
  server_ = nullptr;
  ASSERT_TRUE(world().wait(client_, kRead));
  sluice_result result = SLUICE_OK;
  for (int i = 0; i < 100 && result == SLUICE_OK; ++i) {
    size_t sent = 0;
    result = net().send(client_, "x", 1, sent);
    world().wait(client_, kWrite);
  }
  EXPECT_EQ(result, SLUICE_ERROR_NETWORK);
  EXPECT_NE(world().sentence(client_), "");
}

TEST_P(NetBoth, Accept_several_peers_come_in_order) {
  listener_ = world().listen();
  const uint16_t port = net().listener_port(listener_);
  std::vector<sluice_stream*> clients;
  for (char c : {'a', 'b', 'c'}) {
    clients.push_back(world().connect("127.0.0.1", port));
    ASSERT_TRUE(world().wait(clients.back(), kWrite));
    ASSERT_TRUE(world().send_all(clients.back(), std::string(1, c)));
  }
  std::string order;
  for (int i = 0; i < 3; ++i) {
    sluice_stream* server = world().accept(listener_);
    order += world().receive(server, 1);
    net().close(server, false);
  }
  EXPECT_EQ(order, "abc");
  for (sluice_stream* stream : clients) net().close(stream, false);
}

TEST_P(NetBoth, Close_listener_peers_in_the_queue_are_turned_away) {
  listener_ = world().listen();
  client_ = world().connect("127.0.0.1", net().listener_port(listener_));
  ASSERT_TRUE(world().wait(client_, kWrite));
  net().close_listener(listener_);
  listener_ = nullptr;
  EXPECT_TRUE(world().wait(client_, kRead));
}

TEST_P(NetBoth, Listen_port_in_use_says_what_to_do) {
  listener_ = world().listen("");
  const uint16_t port = net().listener_port(listener_);
  const auto second = net().listen("", port, stream_options());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message,
            "Port " + std::to_string(port) +
                " is in use by another program: end that one or choose another `port`.");
}

TEST_P(NetBoth, Listen_name_is_refused) {
  const auto listener = net().listen("example.test", 0, stream_options());
  ASSERT_FALSE(listener);
  EXPECT_THAT(listener.error().message, HasSubstr("give an address of this machine"));
}

TEST_P(NetBoth, Listen_port_reusable_at_once) {
  join();
  const uint16_t port = net().listener_port(listener_);
  net().close(server_, false);
  net().close_listener(listener_);
  net().close(client_, false);
  client_ = server_ = nullptr;
  listener_ = world().listen("127.0.0.1", port);
  EXPECT_EQ(net().listener_port(listener_), port);
}

}  // namespace
}  // namespace sluice::engine
