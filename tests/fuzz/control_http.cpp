// What is read of HTTP requests by code of ours, on its own: headers as a client sends them.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "host/control/web_policy.hpp"

namespace {

void expect(bool is_true, const char* what) {
  if (is_true) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice::control;  // NOLINT(google-build-using-namespace)
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static const std::string token = "0123456789abcdef0123456789abcdef";
  prefers_open_metrics(text);
  expect(!authorizes(text, token) || text.find(token) != std::string_view::npos,
         "let in without the token");
  expect(!names_loopback(text) || text.size() <= 21, "a long name is the loopback's");
  if (const auto address = parse_web_address(text)) {
    const auto again = parse_web_address(text_of(*address));
    expect(again && again->host == address->host && again->port == address->port,
           "an address does not read back");
  }
  if (check_token(text)) {
    expect(authorizes("Bearer " + std::string(text), text), "a token does not let in");
  }
  return 0;
}
