// What only real sockets have: options, descriptors, the helper thread of the resolver.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "host/engine/net/sentences.hpp"
#include "tests/unit/engine/net_world.hpp"

namespace sluice::engine {
namespace {

using ::testing::HasSubstr;

constexpr uint32_t kRead = SLUICE_NET_READ;
constexpr uint32_t kWrite = SLUICE_NET_WRITE;

int option(int socket, int level, int name) {
  int value = -1;
  socklen_t size = sizeof(value);
  EXPECT_EQ(::getsockopt(socket, level, name, &value, &size), 0);
  return value;
}

sluice_stream_options all_options() {
  sluice_stream_options options = stream_options();
  options.no_delay = 1;
  options.send_buffer_bytes = 65'536;
  options.keepalive_idle_s = 5;
  options.keepalive_interval_s = 2;
  options.keepalive_count = 4;
  options.user_timeout_ms = 7'000;
  options.dscp = 46;
  return options;
}

void expect_all_options(int socket) {
  EXPECT_EQ(option(socket, IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(option(socket, SOL_SOCKET, SO_SNDBUF), 2 * 65'536);  // Linux doubles it, socket(7)
  EXPECT_EQ(option(socket, SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(option(socket, IPPROTO_TCP, TCP_KEEPIDLE), 5);
  EXPECT_EQ(option(socket, IPPROTO_TCP, TCP_KEEPINTVL), 2);
  EXPECT_EQ(option(socket, IPPROTO_TCP, TCP_KEEPCNT), 4);
  EXPECT_EQ(option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT), 7'000);
  EXPECT_NE(::fcntl(socket, F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_NE(::fcntl(socket, F_GETFL) & O_NONBLOCK, 0);
}

TEST(SocketNetwork, Options_ipv4_are_set_at_both_ends) {
  SocketWorld world;
  sluice_listener* listener = world.listen("127.0.0.1", 0, all_options());
  sluice_stream* client =
      world.connect("127.0.0.1", world.network().listener_port(listener), all_options());
  ASSERT_TRUE(world.wait(client, kWrite));
  sluice_stream* server = world.accept(listener);
  for (sluice_stream* stream : {client, server}) {
    const int socket = SocketNetwork::descriptor(stream);
    expect_all_options(socket);
    EXPECT_EQ(option(socket, IPPROTO_IP, IP_TOS), 46 << 2);
    world.network().close(stream, false);
  }
  world.network().close_listener(listener);
}

TEST(SocketNetwork, Options_ipv6_are_set_at_both_ends) {
  SocketWorld world;
  auto made = world.network().listen("::1", 0, all_options());
  if (!made) GTEST_SKIP() << "no IPv6 here: " << made.error().message;
  sluice_stream* client = world.connect("::1", world.network().listener_port(*made), all_options());
  ASSERT_TRUE(world.wait(client, kWrite));
  sluice_stream* server = world.accept(*made);
  for (sluice_stream* stream : {client, server}) {
    const int socket = SocketNetwork::descriptor(stream);
    expect_all_options(socket);
    EXPECT_EQ(option(socket, IPPROTO_IPV6, IPV6_TCLASS), 46 << 2);
    world.network().close(stream, false);
  }
  world.network().close_listener(*made);
}

TEST(SocketNetwork, Options_ipv4_peer_of_a_dual_stack_listener_is_marked_too) {
  SocketWorld world;
  sluice_listener* listener = world.listen("", 0, all_options());
  sluice_stream* client = world.connect("127.0.0.1", world.network().listener_port(listener));
  ASSERT_TRUE(world.wait(client, kWrite));
  sluice_stream* server = world.accept(listener);
  EXPECT_EQ(option(SocketNetwork::descriptor(server), IPPROTO_IP, IP_TOS), 46 << 2);
  world.network().close(client, false);
  world.network().close(server, false);
  world.network().close_listener(listener);
}

TEST(SocketNetwork, Options_zero_leaves_the_defaults) {
  SocketWorld world;
  sluice_listener* listener = world.listen();
  sluice_stream* client = world.connect("127.0.0.1", world.network().listener_port(listener));
  ASSERT_TRUE(world.wait(client, kWrite));
  const int socket = SocketNetwork::descriptor(client);
  EXPECT_EQ(option(socket, IPPROTO_TCP, TCP_NODELAY), 0);
  EXPECT_EQ(option(socket, SOL_SOCKET, SO_KEEPALIVE), 0);
  EXPECT_EQ(option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
  EXPECT_EQ(option(socket, IPPROTO_IP, IP_TOS), 0);
  world.network().close(client, false);
  world.network().close_listener(listener);
}

// A resolver that hangs until it is let go.
class HangingResolver {
 public:
  Resolver::Function function() {
    return [state = state_](const std::string& name, uint16_t port) -> Resolver::Answer {
      std::unique_lock lock(state->mutex);
      ++state->calls;
      state->changed.wait(lock, [&] { return state->is_free; });
      return look_up(name == "slow.test" ? "127.0.0.1" : name, port);
    };
  }
  int calls() {
    const std::scoped_lock lock(state_->mutex);
    return state_->calls;
  }
  void let_go() {
    const std::scoped_lock lock(state_->mutex);
    state_->is_free = true;
    state_->changed.notify_all();
  }
  ~HangingResolver() { let_go(); }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    bool is_free = false;
    int calls = 0;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

TEST(SocketNetwork, Connect_resolver_hangs_fails_at_the_timeout_and_closes_at_once) {
  HangingResolver resolver;
  SocketWorld world(resolver.function());
  sluice_stream_options options = stream_options();
  options.connect_timeout_ms = 20;
  sluice_stream* stream = world.connect("slow.test", 4953, options);
  EXPECT_EQ(world.info(stream).state, uint32_t{SLUICE_STREAM_CONNECTING});
  ASSERT_TRUE(world.wait(stream, kWrite));
  EXPECT_EQ(world.sentence(stream),
            "Looking up the name \"slow.test\" took longer than 20 ms: look at the name server, or "
            "give `host` as an address.");
  world.network().close(stream, false);
  sluice_stream* again = world.connect("slow.test", 4953, options);
  world.network().close(again, false);
  EXPECT_LE(resolver.calls(), 1);  // the second one waited for the same answer
}

TEST(SocketNetwork, Connect_resolver_answers_late_opens) {
  HangingResolver resolver;
  SocketWorld world(resolver.function());
  sluice_listener* listener = world.listen();
  sluice_stream* stream = world.connect("slow.test", world.network().listener_port(listener));
  EXPECT_EQ(world.network().ready(stream, kWrite), 0u);
  resolver.let_go();
  ASSERT_TRUE(world.wait(stream, kWrite));
  EXPECT_EQ(world.info(stream).state, uint32_t{SLUICE_STREAM_OPEN});
  world.network().close(stream, false);
  world.network().close_listener(listener);
}

TEST(SocketNetwork, Connect_unknown_name_says_so) {
  SocketWorld world([](const std::string& name, uint16_t) -> Resolver::Answer {
    return support::Error{support::ErrorCode::kNotFound, "No " + name + "."};
  });
  sluice_stream* stream = world.connect("nowhere.test", 4953);
  ASSERT_TRUE(world.wait(stream, kWrite));
  EXPECT_EQ(world.sentence(stream), "No nowhere.test.");
  world.network().close(stream, false);
}

TEST(Sentences, Connect_to_one_link_without_its_interface_asks_for_it) {
  EXPECT_EQ(connect_sentence(EINVAL, "[fe80::1]:99"),
            "[fe80::1]:99 is an address of one link: name the interface behind it, as in "
            "fe80::1%eth0.");
  EXPECT_EQ(connect_sentence(EINVAL, "10.0.0.1:99"),
            "No connection to 10.0.0.1:99: Invalid argument.");
}

TEST(SocketNetwork, Connect_name_with_a_refusing_first_address_takes_the_second) {
  SocketWorld world([](const std::string&, uint16_t port) -> Resolver::Answer {
    return std::vector<Address>{*parse_address("127.0.0.2", port),
                                *parse_address("127.0.0.1", port)};
  });
  sluice_listener* listener = world.listen("127.0.0.1");
  sluice_stream* stream = world.connect("two.test", world.network().listener_port(listener));
  ASSERT_TRUE(world.wait(stream, kWrite));
  EXPECT_THAT(world.info(stream).peer, HasSubstr("127.0.0.1:"));
  world.network().close(stream, false);
  world.network().close_listener(listener);
}

TEST(SocketNetwork, Accept_without_descriptors_turns_the_peer_away) {
  SocketWorld world;
  sluice_listener* listener = world.listen();
  sluice_stream* client = world.connect("127.0.0.1", world.network().listener_port(listener));
  ASSERT_TRUE(world.wait(client, kWrite));
  ASSERT_TRUE(world.wait(listener, kRead));
  std::vector<int> all;
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit low{256, limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  for (int fd; (fd = ::dup(0)) >= 0;) all.push_back(fd);
  sluice_stream* server = nullptr;
  EXPECT_EQ(world.network().accept(listener, &server), SLUICE_ERROR_MEMORY);
  EXPECT_EQ(server, nullptr);
  EXPECT_EQ(world.network().ready(listener, kRead), 0u);
  for (int fd : all) ::close(fd);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_TRUE(world.wait(client, kRead));
  world.network().close(client, false);
  world.network().close_listener(listener);
}

TEST(SocketNetwork, Listen_foreign_address_says_what_to_do) {
  SocketWorld world;
  const auto listener = world.network().listen("192.0.2.1", 0, stream_options());
  ASSERT_FALSE(listener);
  EXPECT_EQ(listener.error().message,
            "192.0.2.1 is no address of this machine: mend `host` or leave it empty for all.");
}

TEST(Address, Text_of_both_families_and_of_mapped_ones) {
  EXPECT_EQ(parse_address("192.0.2.1", 4953)->text(), "192.0.2.1:4953");
  EXPECT_EQ(parse_address("[2001:db8::1]", 80)->text(), "[2001:db8::1]:80");
  EXPECT_EQ(parse_address("::ffff:192.0.2.1", 80)->text(), "192.0.2.1:80");
  EXPECT_FALSE(parse_address("localhost", 80));
  EXPECT_FALSE(parse_address("", 80));
}

}  // namespace
}  // namespace sluice::engine
