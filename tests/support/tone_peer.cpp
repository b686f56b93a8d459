#include "tests/support/tone_peer.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "tests/support/signal.hpp"

namespace sluice::tests {
namespace {

constexpr uint64_t kRateHz = 48000, kChannels = 2;
constexpr uint64_t kFrameBytes = kChannels * sizeof(int16_t);
constexpr size_t kWindowBytes = kRateHz / 20 * kFrameBytes;
constexpr std::chrono::milliseconds kNap{5};

sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

}  // namespace

TonePeer::TonePeer(Habit habit) : habit_(habit) {
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof(address);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (::bind(listener_, any, size) != 0 || ::listen(listener_, 8) != 0) std::abort();
  ::getsockname(listener_, any, &size);
  port_ = ntohs(address.sin_port);
  start();
}

TonePeer::TonePeer(Habit habit, uint16_t port) : habit_(habit), port_(port) { start(); }

TonePeer::TonePeer(const std::filesystem::path& fifo) : habit_(Habit::kReceives), is_fifo_(true) {
  if (::mkfifo(fifo.c_str(), 0600) != 0) std::abort();
  end_ = ::open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  start();
}

TonePeer::~TonePeer() {
  is_over_ = true;
  thread_.join();
  leave();
  if (listener_ >= 0) ::close(listener_);
}

void TonePeer::leave() {
  if (end_ >= 0) ::close(std::exchange(end_, -1));
  // The next one begins with a whole frame.
  const std::scoped_lock lock(mutex_);
  received_.resize(received_.size() / kFrameBytes * kFrameBytes);
}

void TonePeer::start() {
  thread_ = std::thread([this] {
    while (!is_over_) {
      turn();
      std::this_thread::sleep_for(kNap);
    }
  });
}

void TonePeer::turn() {
  if (end_ < 0) meet();
  if (end_ < 0) return;
  if (habit_ == Habit::kSends) {
    send_some();
  } else {
    receive_some();
  }
}

void TonePeer::meet() {
  if (listener_ >= 0) {
    end_ = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  } else {
    // On the loopback this does not wait.
    end_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(port_);
    if (::connect(end_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) leave();
    if (end_ >= 0) ::fcntl(end_, F_SETFL, O_NONBLOCK);
  }
  since_ = std::chrono::steady_clock::now();
  sent_bytes_ = 0;
}

void TonePeer::send_some() {
  static const std::string second = tone(1);
  using Microseconds = std::chrono::duration<uint64_t, std::micro>;
  const auto since =
      std::chrono::duration_cast<Microseconds>(std::chrono::steady_clock::now() - since_);
  const uint64_t due_bytes = since.count() * kRateHz / 1'000'000 * kFrameBytes;
  while (sent_bytes_ < due_bytes) {
    const size_t at = sent_bytes_ % second.size();
    const ssize_t count =
        ::send(end_, second.data() + at, std::min(due_bytes - sent_bytes_, second.size() - at),
               MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0 && errno != EAGAIN) leave();
    if (count <= 0) return;
    sent_bytes_ += static_cast<uint64_t>(count);
  }
}

void TonePeer::receive_some() {
  std::array<char, 65'536> part;
  for (;;) {
    const ssize_t count = ::read(end_, part.data(), part.size());
    // Of a FIFO: nobody writes now.
    if (count == 0 && !is_fifo_) leave();
    if (count < 0 && errno != EAGAIN) leave();
    if (count <= 0) return;
    const std::scoped_lock lock(mutex_);
    received_.append(part.data(), static_cast<size_t>(count));
    heard_ += static_cast<size_t>(count - std::count(part.data(), part.data() + count, '\0'));
  }
}

std::string TonePeer::tone(double seconds) {
  const auto frames = static_cast<size_t>(seconds * static_cast<double>(kRateHz));
  std::string bytes;
  for (const float sample : sine(kFrequencyHz, kPeakDb, frames, kChannels)) {
    const auto integer = static_cast<int16_t>(std::lround(sample * 32767));
    bytes.append(reinterpret_cast<const char*>(&integer), sizeof(integer));
  }
  return bytes;
}

void TonePeer::forget() {
  const std::scoped_lock lock(mutex_);
  received_.erase(0, received_.size() / kFrameBytes * kFrameBytes);
}

bool TonePeer::has_tone() {
  const std::scoped_lock lock(mutex_);
  while (received_.size() >= kWindowBytes) {
    std::vector<float> left;
    for (size_t at = 0; at < kWindowBytes; at += kFrameBytes) {
      int16_t sample = 0;
      std::memcpy(&sample, received_.data() + at, sizeof(sample));
      left.push_back(static_cast<float>(sample) / 32767);
    }
    received_.erase(0, kWindowBytes);
    const Tone found = measure_tone(left, kFrequencyHz);
    if (std::abs(found.peak_db - kPeakDb) < 0.5 && found.thd_n_db < -40) return true;
  }
  return false;
}

}  // namespace sluice::tests
