// What tests tell the kernel of networks: interfaces, addresses, and links that are bad on purpose.
#pragma once

#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

namespace sluice::tests {

// One message of rtnetlink(7), its attributes appended one by one. Not thread safe.
class Netlink {
 public:
  Netlink(uint16_t type, uint16_t flags) {
    header().nlmsg_type = type;
    header().nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
    size_ = NLMSG_LENGTH(0);
  }
  template <typename T>
  void body(const T& value) {
    append(&value, sizeof(value));
  }
  void attribute(uint16_t type, const void* data, size_t size_bytes) {
    const size_t at = begin(type);
    append(data, size_bytes);
    end(at);
  }
  void attribute(uint16_t type, const std::string& text) {
    attribute(type, text.c_str(), text.size() + 1);
  }
  // What follows until `end` lies inside.
  size_t begin(uint16_t type) {
    const size_t at = size_;
    const rtattr attribute{0, type};
    append(&attribute, sizeof(attribute));
    return at;
  }
  void end(size_t at) {
    reinterpret_cast<rtattr*>(bytes_.data() + at)->rta_len =
        static_cast<unsigned short>(size_ - at);
  }
  // Sent to the kernel of this thread's name space; 0 or an errno value.
  int send() {
    header().nlmsg_len = static_cast<uint32_t>(size_);
    const int socket = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    int error = errno;
    if (socket >= 0) {
      alignas(nlmsghdr) std::array<char, 1024> answer{};
      const bool is_done = ::send(socket, bytes_.data(), size_, 0) == static_cast<ssize_t>(size_) &&
                           recv(socket, answer.data(), answer.size(), 0) >=
                               static_cast<ssize_t>(NLMSG_LENGTH(sizeof(nlmsgerr)));
      error =
          is_done ? -reinterpret_cast<nlmsgerr*>(answer.data() + NLMSG_LENGTH(0))->error : errno;
      close(socket);
    }
    return error;
  }

 private:
  nlmsghdr& header() { return *reinterpret_cast<nlmsghdr*>(bytes_.data()); }
  void append(const void* data, size_t size_bytes) {
    std::memcpy(bytes_.data() + size_, data, size_bytes);
    size_ += NLMSG_ALIGN(size_bytes);
  }

  alignas(nlmsghdr) std::array<char, 1024> bytes_{};
  size_t size_ = 0;
};

// A link as it is between two houses: what leaves through `interface` is so late, more or less by
// `jitter_ns` (and so out of order), and that share of its packets is lost (tc-netem(8)). 0, or an
// errno value: ENOENT where the kernel has no netem.
inline int make_bad(const std::string& interface, int64_t delay_ns, int64_t jitter_ns,
                    double loss) {
  Netlink message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE);
  tcmsg body{};
  body.tcm_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
  body.tcm_parent = TC_H_ROOT;
  message.body(body);
  message.attribute(TCA_KIND, std::string("netem"));
  const size_t options = message.begin(TCA_OPTIONS);
  tc_netem_qopt netem{};
  netem.limit = 1000;
  netem.loss = static_cast<uint32_t>(loss * UINT32_MAX);
  message.body(netem);
  message.attribute(TCA_NETEM_LATENCY64, &delay_ns, sizeof(delay_ns));
  message.attribute(TCA_NETEM_JITTER64, &jitter_ns, sizeof(jitter_ns));
  message.end(options);
  return message.send();
}

}  // namespace sluice::tests
