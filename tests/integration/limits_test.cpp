// Clients that ask for more than they may: they are read more slowly, and nobody else is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>

#include "host/control/web_client.hpp"
#include "tests/integration/cli_fixture.hpp"

namespace sluice::tests {
namespace {

using ::testing::HasSubstr;

// Of docs/control-api.md: so many at once, and so many a second.
constexpr int kAtOnce = 400, kPerSecond = 200;
constexpr int kSent = 700;
constexpr const char* kRequest = R"({"jsonrpc":"2.0","id":1,"method":"methods"})";

class Limits : public Cli {
 protected:
  void SetUp() override {
    write(work_ / "limits.json", R"({"sluice": 1, "name": "limits", "nodes": {
      "tone": {"type": "source.tone", "params": {"live": true}}, "end": "sink.null"},
      "edges": ["tone -> end"]})");
    host_ = std::make_unique<Running>(work_, home_, Words{"run", "limits.json", "--http", "0"});
    constexpr std::string_view kBefore = "at http://127.0.0.1:";
    ASSERT_TRUE(host_->wait_until([&] {
      const std::string& said = host_->said().err;
      const size_t at = said.find(kBefore);
      if (at == std::string::npos || said.find(".\n", at) == std::string::npos) return false;
      std::from_chars(said.data() + at + kBefore.size(), said.data() + said.size(), port_);
      return true;
    })) << host_->said().err;
  }
  // A greedy client: `send` puts a request on its way, `receive` waits for one answer. The last
  // request goes when all others have been answered.
  template <typename Send, typename Receive>
  void expect_slowed(Send send, Receive receive) {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < kSent; ++i) ASSERT_TRUE(send());
    // Another client has its answer while that one waits.
    EXPECT_EQ(sluice({"call", "route"}).exit_code, 0);
    for (int i = 0; i < kSent; ++i) ASSERT_TRUE(receive()) << i;
    ASSERT_TRUE(send());
    ASSERT_TRUE(receive());
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    EXPECT_GE(took.count(), 0.9 * (kSent - kAtOnce) / kPerSecond);
  }

  std::unique_ptr<Running> host_;
  uint16_t port_ = 0;
};

TEST_F(Limits, Greedy_client_of_the_Unix_socket_is_read_more_slowly) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = home_ / "sluice/limits.sock";
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(::connect(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  const std::string line = std::string(kRequest) + "\n";
  std::string buffer;
  expect_slowed(
      [&] {
        return ::send(descriptor, line.data(), line.size(), MSG_NOSIGNAL) ==
               static_cast<ssize_t>(line.size());
      },
      [&] {
        size_t end = 0;
        while ((end = buffer.find('\n')) == std::string::npos) {
          char part[65536];
          const ssize_t size = ::recv(descriptor, part, sizeof(part), 0);
          if (size <= 0) return false;
          buffer.append(part, static_cast<size_t>(size));
        }
        const bool is_answer = buffer.find("\"result\"") < end;
        buffer.erase(0, end + 1);
        return is_answer;
      });
  ::close(descriptor);
}

TEST_F(Limits, Greedy_WebSocket_is_read_more_slowly) {
  auto client = control::WebClient::connect("http://127.0.0.1:" + std::to_string(port_), "");
  ASSERT_TRUE(client) << client.error().message;
  expect_slowed(
      [&] { return client->send(kRequest).ok(); },
      [&] { return client->receive().value_or("").find("\"result\"") != std::string::npos; });
}

}  // namespace
}  // namespace sluice::tests
