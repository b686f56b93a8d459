#include "host/engine/net/socket_options.hpp"

// <netinet/tcp.h> of glibc ends struct tcp_info before tcpi_snd_wnd and excludes <linux/tcp.h>.
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>

namespace sluice::engine {
namespace {

void set_option(int socket, int level, int name, uint32_t value) {
  const int number = static_cast<int>(value);
  (void)::setsockopt(socket, level, name, &number, sizeof(number));
}

}  // namespace

void apply_stream_options(int socket, int family, const sluice_stream_options& options) {
  if (options.no_delay) set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  if (options.send_buffer_bytes) {
    set_option(socket, SOL_SOCKET, SO_SNDBUF, options.send_buffer_bytes);
  }
  if (options.keepalive_idle_s || options.keepalive_interval_s || options.keepalive_count) {
    set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
    if (options.keepalive_idle_s) {
      set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, options.keepalive_idle_s);
    }
    if (options.keepalive_interval_s) {
      set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, options.keepalive_interval_s);
    }
    if (options.keepalive_count) {
      set_option(socket, IPPROTO_TCP, TCP_KEEPCNT, options.keepalive_count);
    }
  }
  if (options.user_timeout_ms) {
    set_option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, options.user_timeout_ms);
  }
  if (options.dscp) {
    // The lower two bits belong to ECN. A socket of family AF_INET6 may carry IPv4 (mapped): both.
    const uint32_t traffic_class = (options.dscp & 63u) << 2;
    set_option(socket, IPPROTO_IP, IP_TOS, traffic_class);
    if (family == AF_INET6) set_option(socket, IPPROTO_IPV6, IPV6_TCLASS, traffic_class);
  }
}

void read_stream_info(int socket, sluice_stream_info& info) {
  int unsent = 0;
  if (::ioctl(socket, SIOCOUTQ, &unsent) == 0 && unsent > 0) {
    info.unsent_bytes = static_cast<uint64_t>(unsent);
  }
  tcp_info tcp{};
  socklen_t size = sizeof(tcp);
  if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &tcp, &size) != 0) return;
  info.round_trip_us = tcp.tcpi_rtt;
  info.retransmits = tcp.tcpi_total_retrans;
  info.acknowledged_bytes = tcp.tcpi_bytes_acked;
  // Older kernels fill in less; the rest is zero then.
  info.peer_window_bytes = tcp.tcpi_snd_wnd;
}

int take_socket_error(int socket) {
  int error = 0;
  socklen_t size = sizeof(error);
  (void)::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

void close_with_reset(int socket) {
  const linger reset{1, 0};
  (void)::setsockopt(socket, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  ::close(socket);
}

void close_politely(int socket) {
  constexpr size_t kAtOnceBytes = size_t{1} << 20;
  constexpr int kTimes = 64;
  // With MSG_TRUNC TCP throws bytes away instead of copying them (tcp(7)).
  for (int i = 0; i < kTimes; ++i) {
    if (::recv(socket, nullptr, kAtOnceBytes, MSG_TRUNC | MSG_DONTWAIT) <= 0) break;
  }
  ::close(socket);
}

}  // namespace sluice::engine
