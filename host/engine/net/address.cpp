#include "host/engine/net/address.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace sluice::engine {
namespace {

const sockaddr_in& as_ipv4(const Address& address) {
  return reinterpret_cast<const sockaddr_in&>(address.storage);
}
const sockaddr_in6& as_ipv6(const Address& address) {
  return reinterpret_cast<const sockaddr_in6&>(address.storage);
}

bool same(const Address& a, const Address& b) {
  return a.size_bytes == b.size_bytes && std::memcmp(&a.storage, &b.storage, a.size_bytes) == 0;
}

}  // namespace

uint16_t Address::port() const {
  return ntohs(family() == AF_INET6 ? as_ipv6(*this).sin6_port : as_ipv4(*this).sin_port);
}

std::string Address::host() const {
  std::array<char, NI_MAXHOST> text{};
  if (::getnameinfo(get(), size_bytes, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) != 0) {
    return "?";
  }
  std::string host = text.data();
  constexpr std::string_view kMapped = "::ffff:";
  if (host.starts_with(kMapped) && host.find('.') != std::string::npos) {
    host.erase(0, kMapped.size());
  }
  return host;
}

std::string Address::text() const { return join_host_port(host(), port()); }

std::optional<Address> parse_address(const std::string& text, uint16_t port) {
  std::string bare = text;
  if (bare.size() >= 2 && bare.front() == '[' && bare.back() == ']') {
    bare = bare.substr(1, bare.size() - 2);
  }
  if (bare.empty()) return std::nullopt;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string service = std::to_string(port);
  if (::getaddrinfo(bare.c_str(), service.c_str(), &hints, &found) != 0) return std::nullopt;
  Address address;
  std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
  address.size_bytes = found->ai_addrlen;
  ::freeaddrinfo(found);
  return address;
}

std::string join_host_port(const std::string& host, uint16_t port) {
  const bool needs_brackets = host.find(':') != std::string::npos && host.front() != '[';
  return (needs_brackets ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::vector<Address> interleave_families(const std::vector<Address>& sorted) {
  std::vector<Address> preferred, other;
  for (const Address& address : sorted) {
    auto& family = address.family() == sorted.front().family() ? preferred : other;
    if (std::none_of(family.begin(), family.end(),
                     [&](const Address& known) { return same(known, address); })) {
      family.push_back(address);
    }
  }
  std::vector<Address> order;
  for (size_t i = 0; i < std::max(preferred.size(), other.size()); ++i) {
    if (i < preferred.size()) order.push_back(preferred[i]);
    if (i < other.size()) order.push_back(other[i]);
  }
  return order;
}

}  // namespace sluice::engine
