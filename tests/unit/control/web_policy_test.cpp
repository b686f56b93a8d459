#include "host/control/web_policy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/support/sound_files.hpp"

namespace sluice::control {
namespace {

using ::testing::HasSubstr;

TEST(WebPolicy, Addresses_are_numbers_or_the_loopback) {
  for (const auto& [text, shown, is_loopback] : {std::tuple{"8080", "127.0.0.1:8080", true},
                                                 {"localhost:0", "127.0.0.1:0", true},
                                                 {"127.1.2.3:1", "127.1.2.3:1", true},
                                                 {"[::1]:65535", "[::1]:65535", true},
                                                 {"0.0.0.0:80", "0.0.0.0:80", false},
                                                 {"[::]:80", "[::]:80", false},
                                                 {"192.0.2.1:80", "192.0.2.1:80", false}}) {
    const auto address = parse_web_address(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(text_of(*address), shown);
    EXPECT_EQ(address->is_loopback(), is_loopback) << text;
  }
  for (const char* text : {"", ":", "65536", "-1", "80 ", "example.com:80", "::1:80",
                           "[1.2.3.4]:80", "[::1]", "127.0.0.1:", "1.2.3:80", ":80"}) {
    EXPECT_FALSE(static_cast<bool>(parse_web_address(text))) << text;
  }
}

TEST(WebPolicy, Only_the_whole_token_authorizes) {
  const std::string token = "0123456789abcdef";
  EXPECT_TRUE(authorizes("Bearer 0123456789abcdef", token));
  EXPECT_TRUE(authorizes("bearer   0123456789abcdef ", token));
  for (const char* header :
       {"", "Bearer", "Bearer ", "0123456789abcdef", "Basic 0123456789abcdef",
        "Bearer 0123456789abcde", "Bearer 0123456789abcdeg", "Bearer 0123456789abcdef0",
        "Bearer 0123456789abcdef0123456789abcdef", "Bearer 0123456789ABCDEF"}) {
    EXPECT_FALSE(authorizes(header, token)) << header;
  }
  EXPECT_FALSE(authorizes("Bearer ", ""));
}

TEST(WebPolicy, Token_file_is_its_owners_and_holds_enough) {
  tests::TemporaryFolder folder;
  const auto path = folder / "token";
  EXPECT_FALSE(static_cast<bool>(read_token(path)));
  std::ofstream(path) << "0123456789abcdef\nmore\n";
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  const auto token = read_token(path);
  ASSERT_TRUE(token);
  EXPECT_EQ(*token, "0123456789abcdef");
  ASSERT_EQ(::chmod(path.c_str(), 0604), 0);
  EXPECT_THAT(read_token(path).error().message, HasSubstr("chmod 600"));
  std::ofstream(path) << "short\n";
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  EXPECT_FALSE(static_cast<bool>(read_token(path)));
  EXPECT_FALSE(check_token("0123456789 abcdef").ok());
  EXPECT_FALSE(check_token(std::string(5000, 'x')).ok());
}

TEST(WebPolicy, Host_names_of_others_are_not_the_loopback) {
  for (const char* host : {"localhost", "LOCALHOST:80", "127.0.0.1", "127.0.0.1:8080", "[::1]:1",
                           "[::1]", "127.9.9.9"}) {
    EXPECT_TRUE(names_loopback(host)) << host;
  }
  for (const char* host :
       {"", "example.com", "127.example.com", "127.0.0.1.example.com", "localhost.example.com:80",
        "[::1].example.com", "[::2]:1", "192.0.2.1:80", "127.0.0.1:x", "localhost:80:80"}) {
    EXPECT_FALSE(names_loopback(host)) << host;
  }
}

TEST(WebPolicy, Metrics_are_what_the_Accept_header_prefers) {
  // As Prometheus 2.42 and 3.0 send them.
  EXPECT_TRUE(
      prefers_open_metrics("application/openmetrics-text;version=1.0.0,application/"
                           "openmetrics-text;version=0.0.1;q=0.75,"
                           "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"));
  EXPECT_TRUE(prefers_open_metrics(
      "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
      "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-"
      "utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"));
  EXPECT_TRUE(prefers_open_metrics("Application/OpenMetrics-Text"));
  for (const char* accept :
       {"", "*/*", "text/plain", "text/html,*/*;q=0.8", "application/openmetrics-text;q=0",
        "application/openmetrics-text;q=0.1, text/plain", "application/openmetrics-text;q=x",
        "application/openmetrics-text;version=2.0.0", ",;,=;q=", "application/openmetrics"}) {
    EXPECT_FALSE(prefers_open_metrics(accept)) << accept;
  }
}

}  // namespace
}  // namespace sluice::control
