// What is decided about an HTTP request before anybody acts on it: where to listen, who may ask,
// and which text of the metrics is meant. Pure functions of texts. [any]
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "host/support/result.hpp"

namespace sluice::control {

struct WebAddress {
  std::string host = "127.0.0.1";  // numeric, IPv6 without brackets
  uint16_t port = 0;               // 0: the system chooses
  bool is_loopback() const;
};

// "8080", "127.0.0.1:8080", "localhost:8080", "[::1]:8080", "0.0.0.0:8080". Names other than
// localhost are refused: what one resolves to may change.
support::Result<WebAddress> parse_web_address(std::string_view text);

// "[::1]:8080", "127.0.0.1:8080".
std::string text_of(const WebAddress& address);

// The first line of a file that others may not read, at least 16 characters of printable ASCII.
support::Result<std::string> read_token(const std::filesystem::path& file);
support::Status check_token(std::string_view token);

// Whether an Authorization header is "Bearer TOKEN". Takes as long for every wrong token of a
// length.
bool authorizes(std::string_view header, std::string_view token);

// Whether a Host header names this machine's loopback: a web page that has made its own name point
// here (DNS rebinding) sends that name.
bool names_loopback(std::string_view host);

// Whether an Accept header (RFC 9110, 12.5.1) prefers OpenMetrics to the text of Prometheus.
bool prefers_open_metrics(std::string_view accept);

}  // namespace sluice::control
