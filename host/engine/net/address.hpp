// An internet address with its port, IPv4 or IPv6.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sluice::engine {

struct Address {
  sockaddr_storage storage{};
  socklen_t size_bytes = 0;

  int family() const { return storage.ss_family; }
  uint16_t port() const;
  // "192.0.2.1" or "2001:db8::1"; an IPv4 address mapped into IPv6 is shown as IPv4.
  std::string host() const;
  // "192.0.2.1:4953" or "[2001:db8::1]:4953".
  std::string text() const;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

// `text` as a numeric address ("192.0.2.1", "2001:db8::1", "[2001:db8::1]", "fe80::1%eth0"), or
// nothing if it is a name. Asks no name server. [any]
std::optional<Address> parse_address(const std::string& text, uint16_t port);

// "NAME:PORT", or "[NAME]:PORT" where the name is an IPv6 address.
std::string join_host_port(const std::string& host, uint16_t port);

// The order in which to try addresses that come sorted by preference (RFC 6724, as getaddrinfo
// gives them): families take turns, beginning with the preferred one (RFC 8305, section 4, with a
// First Address Family Count of 1). Doubles are dropped.
std::vector<Address> interleave_families(const std::vector<Address>& sorted);

}  // namespace sluice::engine
