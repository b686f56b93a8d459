#include "host/control/web_policy.hpp"

#include <arpa/inet.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>

namespace sluice::control {
namespace {

using support::Error;
using support::ErrorCode;

constexpr size_t kLeastToken = 16;
constexpr size_t kMostToken = 4096;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// What stands before `separator`, which is taken off `rest` with it.
std::string_view take_until(std::string_view& rest, char separator) {
  const size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return trimmed(part);
}

// inet_pton reads up to a NUL.
bool is_ipv4(const std::string& text) {
  in_addr address{};
  return text.find('\0') == std::string::npos && inet_pton(AF_INET, text.c_str(), &address) == 1;
}
bool is_ipv6(const std::string& text) {
  in6_addr address{};
  return text.find('\0') == std::string::npos && inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

std::optional<uint16_t> parse_port(std::string_view text) {
  constexpr size_t kMostDigits = 5;
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool is_whole = error == std::errc() && end == text.data() + text.size();
  return is_whole && text.size() <= kMostDigits ? std::optional(port) : std::nullopt;
}

// The weight of one entry of an Accept header; 0 for what cannot be read.
double weight(std::string_view parameters) {
  double q = 1.0;
  while (!parameters.empty()) {
    std::string_view parameter = take_until(parameters, ';');
    if (!same_ignoring_case(take_until(parameter, '='), "q")) continue;
    parameter = trimmed(parameter);
    const auto [end, error] =
        std::from_chars(parameter.data(), parameter.data() + parameter.size(), q);
    if (error != std::errc() || end != parameter.data() + parameter.size() ||
        !(q >= 0.0 && q <= 1.0)) {
      return 0.0;
    }
  }
  return q;
}

bool has_other_version(std::string_view parameters) {
  while (!parameters.empty()) {
    std::string_view parameter = take_until(parameters, ';');
    if (!same_ignoring_case(take_until(parameter, '='), "version")) continue;
    if (trimmed(parameter) != "1.0.0") return true;
  }
  return false;
}

}  // namespace

bool WebAddress::is_loopback() const { return host.starts_with("127.") || host == "::1"; }

support::Result<WebAddress> parse_web_address(std::string_view text) {
  WebAddress address;
  std::string_view port = text;
  if (const size_t colon = text.rfind(':'); colon != std::string_view::npos) {
    std::string_view host = text.substr(0, colon);
    port = text.substr(colon + 1);
    const bool is_bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (is_bracketed) host = host.substr(1, host.size() - 2);
    address.host = host == "localhost" ? "127.0.0.1" : std::string(host);
    if (is_bracketed ? !is_ipv6(address.host) : !is_ipv4(address.host)) {
      return Error{ErrorCode::kInvalid, "\"" + std::string(text) +
                                            "\" is no address to listen at; write PORT, "
                                            "127.0.0.1:PORT, [::1]:PORT or 0.0.0.0:PORT."};
    }
  }
  const auto number = parse_port(port);
  if (!number) {
    return Error{ErrorCode::kInvalid,
                 "\"" + std::string(port) + "\" is no port; write a number from 0 to 65535."};
  }
  address.port = *number;
  return address;
}

std::string text_of(const WebAddress& address) {
  const bool is_v6 = address.host.find(':') != std::string::npos;
  return (is_v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

support::Status check_token(std::string_view token) {
  const bool is_printable =
      std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (is_printable && token.size() >= kLeastToken && token.size() <= kMostToken) return {};
  return Error{ErrorCode::kInvalid,
               "The token for HTTP must have 16 to 4096 letters, digits or signs, and no blanks; "
               "'openssl rand -hex 24' makes one."};
}

support::Result<std::string> read_token(const std::filesystem::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) == 0 && (status.st_mode & S_IROTH) != 0) {
    return Error{ErrorCode::kPermission, "Everybody may read the token in " + file.string() +
                                             "; 'chmod 600' keeps it to its owner."};
  }
  std::ifstream stream(file);
  std::string token;
  if (!std::getline(stream, token)) {
    return Error{ErrorCode::kIo, "There is no token to be read in " + file.string() + "."};
  }
  if (auto checked = check_token(token); !checked) return std::move(checked).error();
  return token;
}

bool authorizes(std::string_view header, std::string_view token) {
  std::string_view given = header;
  if (!same_ignoring_case(given.substr(0, 7), "Bearer ") || token.empty()) return false;
  given = trimmed(given.substr(7));
  // Volatile, so that no compiler ends the loop early.
  volatile unsigned difference = given.size() == token.size() ? 0U : 1U;
  for (size_t i = 0; i < given.size(); ++i) {
    const auto a = static_cast<unsigned char>(given[i]);
    const auto b = static_cast<unsigned char>(token[i % token.size()]);
    difference = difference | static_cast<unsigned>(a ^ b);
  }
  return difference == 0U;
}

bool names_loopback(std::string_view host) {
  if (host.starts_with('[')) {
    const size_t end = host.find(']');
    if (end == std::string_view::npos || host.substr(1, end - 1) != "::1") return false;
    const std::string_view rest = host.substr(end + 1);
    return rest.empty() || (rest.front() == ':' && parse_port(rest.substr(1)).has_value());
  }
  if (const size_t colon = host.find(':'); colon != std::string_view::npos) {
    if (!parse_port(host.substr(colon + 1))) return false;
    host = host.substr(0, colon);
  }
  if (same_ignoring_case(host, "localhost")) return true;
  return host.starts_with("127.") && is_ipv4(std::string(host));
}

bool prefers_open_metrics(std::string_view accept) {
  double open_metrics = 0.0, text = 0.0;
  while (!accept.empty()) {
    std::string_view parameters = take_until(accept, ',');
    const std::string_view kind = take_until(parameters, ';');
    if (same_ignoring_case(kind, "application/openmetrics-text")) {
      if (!has_other_version(parameters)) open_metrics = std::max(open_metrics, weight(parameters));
    } else if (same_ignoring_case(kind, "text/plain") || same_ignoring_case(kind, "text/*") ||
               kind == "*/*") {
      text = std::max(text, weight(parameters));
    }
  }
  return open_metrics > 0.0 && open_metrics >= text;
}

}  // namespace sluice::control
