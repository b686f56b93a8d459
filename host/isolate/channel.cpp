#include "host/isolate/channel.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "host/isolate/packer.hpp"

namespace sluice::isolate {
namespace {

constexpr int kSendTimeoutMs = 2000;
constexpr size_t kMostDescriptors = kMostWaits;
constexpr size_t kMostBytes = size_t{64} << 20U;

struct Head {
  uint32_t kind;
  uint32_t bytes;
};

int64_t now_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

ssize_t send_some(int socket, std::span<const std::byte> bytes, std::span<const int> descriptors) {
  iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::byte control[CMSG_SPACE(kMostDescriptors * sizeof(int))] = {};
  if (!descriptors.empty()) {
    const size_t size = descriptors.size() * sizeof(int);
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(size);
    cmsghdr* const head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(head), descriptors.data(), size);
  }
  return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

ssize_t receive_some(int socket, std::span<std::byte> bytes, std::vector<int>& descriptors) {
  iovec part{bytes.data(), bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) std::byte control[CMSG_SPACE(kMostDescriptors * sizeof(int))] = {};
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  const ssize_t count = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (count < 0) return count;
  for (cmsghdr* head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head)) {
    if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
    const size_t number = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    const size_t before = descriptors.size();
    descriptors.resize(before + number);
    std::memcpy(descriptors.data() + before, CMSG_DATA(head), number * sizeof(int));
  }
  return count;
}

}  // namespace

Channel::~Channel() { close(); }

void Channel::open(int descriptor) {
  close();
  descriptor_ = descriptor;
}

void Channel::close() {
  for (const int descriptor : std::exchange(pending_descriptors_, {})) ::close(descriptor);
  pending_.clear();
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

void Channel::make_pair(int (&ends)[2]) {
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) ends[0] = ends[1] = -1;
}

bool Channel::send(Note kind, std::span<const std::byte> bytes, std::span<const int> descriptors) {
  Packer whole;
  whole.add(Head{static_cast<uint32_t>(kind), static_cast<uint32_t>(bytes.size())}).bytes(bytes);
  const std::vector<std::byte>& all = whole.bytes();
  for (size_t done = 0; done < all.size();) {
    const ssize_t count = send_some(descriptor_, std::span(all).subspan(done),
                                    done == 0 ? descriptors : std::span<const int>{});
    if (count > 0) {
      done += static_cast<size_t>(count);
    } else if (errno == EAGAIN) {
      pollfd item{descriptor_, POLLOUT, 0};
      if (poll(&item, 1, kSendTimeoutMs) == 0) return false;
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

bool Channel::has_whole() const {
  if (pending_.size() < sizeof(Head)) return false;
  Head head{};
  std::memcpy(&head, pending_.data(), sizeof(head));
  return pending_.size() - sizeof(head) >= head.bytes;
}

Channel::Outcome Channel::receive(Received& received, int timeout_ms) {
  const int64_t end_ms = now_ms() + timeout_ms;
  while (!has_whole()) {
    std::byte buffer[65536];
    const ssize_t count = receive_some(descriptor_, buffer, pending_descriptors_);
    if (count > 0) {
      pending_.insert(pending_.end(), buffer, buffer + count);
      if (pending_.size() > kMostBytes) return Outcome::kClosed;
      continue;
    }
    if (count == 0 || (errno != EAGAIN && errno != EINTR)) return Outcome::kClosed;
    const int64_t left_ms = timeout_ms < 0 ? -1 : std::max<int64_t>(end_ms - now_ms(), 0);
    pollfd item{descriptor_, POLLIN, 0};
    if (left_ms == 0 || poll(&item, 1, static_cast<int>(left_ms)) == 0) return Outcome::kNothing;
  }
  Head head{};
  std::memcpy(&head, pending_.data(), sizeof(head));
  const auto begin = pending_.begin() + sizeof(head);
  received.kind = static_cast<Note>(head.kind);
  received.bytes.assign(begin, begin + head.bytes);
  received.descriptors = std::exchange(pending_descriptors_, {});
  pending_.erase(pending_.begin(), begin + head.bytes);
  return Outcome::kDone;
}

bool send_descriptors(int socket, std::span<const int> descriptors) {
  const std::byte one[1] = {};
  return send_some(socket, one, descriptors) == 1;
}

bool receive_descriptors(int socket, std::span<int> descriptors) {
  std::vector<int> taken;
  std::byte one[1];
  const bool has_come = receive_some(socket, one, taken) == 1 && taken.size() == descriptors.size();
  if (has_come) {
    std::copy(taken.begin(), taken.end(), descriptors.begin());
  } else {
    for (const int descriptor : taken) ::close(descriptor);
  }
  return has_come;
}

}  // namespace sluice::isolate
