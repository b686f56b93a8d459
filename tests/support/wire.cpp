#include "tests/support/wire.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>

#include "tests/support/netlink.hpp"

namespace sluice::tests {
namespace {

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

int open_space() { return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC); }

void enter(int space) {
  if (setns(space, CLONE_NEWNET) != 0) std::abort();
}

// A veth pair: `name` here, `peer_name` in the other name space.
int add_pair(const std::string& name, const std::string& peer_name, int peer_space) {
  Netlink message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  message.body(ifinfomsg{});
  message.attribute(IFLA_IFNAME, name);
  const size_t info = message.begin(IFLA_LINKINFO);
  message.attribute(IFLA_INFO_KIND, std::string("veth"));
  const size_t data = message.begin(IFLA_INFO_DATA);
  const size_t peer = message.begin(VETH_INFO_PEER);
  message.body(ifinfomsg{});
  message.attribute(IFLA_IFNAME, peer_name);
  message.attribute(IFLA_NET_NS_FD, &peer_space, sizeof(peer_space));
  message.end(peer);
  message.end(data);
  message.end(info);
  return message.send();
}

int add_address(const std::string& name, int family, const char* address, uint8_t prefix) {
  Netlink message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
  ifaddrmsg body{};
  body.ifa_family = static_cast<uint8_t>(family);
  body.ifa_prefixlen = prefix;
  body.ifa_flags = family == AF_INET6 ? IFA_F_NODAD : 0;
  body.ifa_index = if_nametoindex(name.c_str());
  message.body(body);
  std::array<uint8_t, 16> bytes{};
  inet_pton(family, address, bytes.data());
  const size_t size = family == AF_INET6 ? 16 : 4;
  message.attribute(IFA_LOCAL, bytes.data(), size);
  message.attribute(IFA_ADDRESS, bytes.data(), size);
  return message.send();
}

// Up, with packets as they are on a cable: no checksums or segments left to a network card.
bool bring_up(const std::string& name) {
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  for (const uint32_t command :
       {uint32_t{ETHTOOL_STXCSUM}, uint32_t{ETHTOOL_SGSO}, uint32_t{ETHTOOL_SGRO}}) {
    ethtool_value value{command, 0};
    request.ifr_data = reinterpret_cast<char*>(&value);
    (void)ioctl(socket, SIOCETHTOOL, &request);
  }
  request.ifr_data = nullptr;
  bool is_done = ioctl(socket, SIOCGIFFLAGS, &request) == 0;
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP | IFF_RUNNING);
  is_done = is_done && ioctl(socket, SIOCSIFFLAGS, &request) == 0;
  close(socket);
  return is_done;
}

// All frames that come out of that interface.
int open_tap(const std::string& name) {
  const int socket = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
  if (socket < 0) return -1;
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(if_nametoindex(name.c_str()));
  const int on = 1;
  // Not what this socket itself puts in.
  setsockopt(socket, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on));
  if (bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) return socket;
  close(socket);
  return -1;
}

uint16_t big16(const std::byte* bytes) {
  return static_cast<uint16_t>(std::to_integer<unsigned>(bytes[0]) << 8 |
                               std::to_integer<unsigned>(bytes[1]));
}
uint32_t big32(const std::byte* bytes) { return uint32_t{big16(bytes)} << 16 | big16(bytes + 2); }

}  // namespace

Wire::At::At(int space) : home_(open_space()) { enter(space); }

Wire::At::~At() {
  enter(home_);
  close(home_);
}

std::unique_ptr<Wire> Wire::make(std::string& why) {
  std::unique_ptr<Wire> wire(new Wire);
  const int home = open_space();
  why = wire->build();
  enter(home);
  close(home);
  if (!why.empty()) return nullptr;
  wire->thread_ = std::jthread([&self = *wire](const std::stop_token& stop) { self.carry(stop); });
  return wire;
}

std::string Wire::build() {
  for (int* space : {&near_, &far_, &middle_}) {
    if (unshare(CLONE_NEWNET) != 0) {
      return "Network name spaces are refused here: " + std::string(std::strerror(errno)) + ".";
    }
    *space = open_space();
  }
  // The thread is in the middle now.
  for (const bool is_near : {true, false}) {
    const std::string name = is_near ? "near" : "far";
    if (const int error = add_pair(name, "wire", is_near ? near_ : far_)) {
      return "A veth pair is refused here: " + std::string(std::strerror(error)) + ".";
    }
    if (!bring_up(name)) return "The wire's end does not come up.";
    sides_[is_near ? 0 : 1].socket = open_tap(name);
    if (sides_[is_near ? 0 : 1].socket < 0) {
      return "Packet sockets are refused here: " + std::string(std::strerror(errno)) + ".";
    }
    enter(is_near ? near_ : far_);
    (void)bring_up("lo");
    if (!bring_up("wire") || add_address("wire", AF_INET, is_near ? kNear4 : kFar4, 24) != 0) {
      return "The end of the wire gets no address.";
    }
    if (add_address("wire", AF_INET6, is_near ? kNear6 : kFar6, 64) != 0) {
      return "The end of the wire gets no IPv6 address.";
    }
    enter(middle_);
  }
  return {};
}

Wire::~Wire() {
  if (thread_.joinable()) {
    thread_.request_stop();
    thread_.join();
  }
  for (const int descriptor : {near_, far_, middle_, sides_[0].socket, sides_[1].socket}) {
    if (descriptor >= 0) close(descriptor);
  }
}

void Wire::carry(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    int64_t next_ns = now_ns() + 10'000'000;
    for (size_t i = 0; i < 2; ++i) {
      auto& leaving = sides_[i].leaving;
      while (!leaving.empty() && leaving.front().leaves_ns <= now_ns()) {
        const auto& bytes = leaving.front().bytes;
        (void)send(sides_[1 - i].socket, bytes.data(), bytes.size(), 0);
        leaving.pop_front();
      }
      if (!leaving.empty()) next_ns = std::min(next_ns, leaving.front().leaves_ns);
    }
    pollfd entries[2] = {{sides_[0].socket, POLLIN, 0}, {sides_[1].socket, POLLIN, 0}};
    const int64_t wait_ns = std::max<int64_t>(0, next_ns - now_ns());
    const timespec wait{0, static_cast<long>(wait_ns)};
    if (ppoll(entries, 2, &wait, nullptr) <= 0) continue;
    for (size_t i = 0; i < 2; ++i) {
      if (entries[i].revents & POLLIN) take(i);
    }
  }
}

void Wire::take(size_t from) {
  std::array<std::byte, 65'536> frame;
  for (;;) {
    const ssize_t count = recv(sides_[from].socket, frame.data(), frame.size(), 0);
    if (count <= 0) return;
    const auto size = static_cast<size_t>(count);
    record(from == 0, frame.data(), size);
    if (is_black_hole_) continue;
    sides_[from].leaving.push_back({now_ns() + delay_ns_, {frame.data(), frame.data() + size}});
  }
}

void Wire::record(bool is_from_near, const std::byte* frame, size_t size_bytes) {
  if (size_bytes < 14) return;
  WirePacket packet;
  packet.is_from_near = is_from_near;
  packet.time_ns = now_ns();
  const uint16_t kind = big16(frame + 12);
  const std::byte* ip = frame + 14;
  const std::byte* tcp = nullptr;
  size_t left = 0;  // from the TCP header on
  if (kind == ETHERTYPE_IP && size_bytes >= 34 && ip[9] == std::byte{IPPROTO_TCP}) {
    packet.ip_version = 4;
    packet.dscp = static_cast<uint8_t>(std::to_integer<unsigned>(ip[1]) >> 2);
    const size_t header = (std::to_integer<size_t>(ip[0]) & 15) * 4;
    tcp = ip + header;
    left = big16(ip + 2) - header;
  } else if (kind == ETHERTYPE_IPV6 && size_bytes >= 54 && ip[6] == std::byte{IPPROTO_TCP}) {
    packet.ip_version = 6;
    packet.dscp = static_cast<uint8_t>((big16(ip) >> 6) & 63);
    tcp = ip + 40;
    left = big16(ip + 4);
  }
  if (!tcp || left < 20) return;
  packet.from_port = big16(tcp);
  packet.to_port = big16(tcp + 2);
  packet.sequence = big32(tcp + 4);
  packet.acknowledged = big32(tcp + 8);
  const unsigned flags = std::to_integer<unsigned>(tcp[13]);
  packet.fin = flags & 1;
  packet.syn = flags & 2;
  packet.rst = flags & 4;
  packet.ack = flags & 16;
  packet.payload_bytes = static_cast<uint32_t>(left - (std::to_integer<size_t>(tcp[12]) >> 4) * 4);
  const std::lock_guard lock(mutex_);
  packets_.push_back(packet);
}

std::vector<WirePacket> Wire::packets() const {
  const std::lock_guard lock(mutex_);
  return packets_;
}

}  // namespace sluice::tests
