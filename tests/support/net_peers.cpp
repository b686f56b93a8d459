#include "tests/support/net_peers.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace sluice::tests {

void SendingPeer::connect(const std::string& host, uint16_t port) {
  if (stream_) driver_.network().close(stream_, false);
  sluice_stream_options options{};
  options.struct_size = sizeof(options);
  auto stream = driver_.network().connect(host, port, options);
  if (!stream) std::abort();
  stream_ = *stream;
  was_dropped_ = false;
}

void SendingPeer::push(std::span<const std::byte> bytes) {
  queue_.insert(queue_.end(), bytes.begin(), bytes.end());
}

void SendingPeer::close(bool abort) {
  if (stream_) driver_.network().close(stream_, abort);
  stream_ = nullptr;
  is_finishing_ = false;
  queue_.clear();
}

void SendingPeer::act() {
  if (!stream_) return;
  std::array<std::byte, 16384> chunk;
  while (!queue_.empty()) {
    const size_t size = std::min(chunk.size(), queue_.size());
    std::copy_n(queue_.begin(), size, chunk.begin());
    size_t sent = 0;
    if (driver_.network().send(stream_, chunk.data(), size, sent) != SLUICE_OK) break;
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(sent));
  }
  sluice_stream_info info{};
  driver_.network().info(stream_, info);
  size_t received = 0;
  const sluice_result result = driver_.network().receive(stream_, chunk.data(), 1, received);
  was_dropped_ = info.state == SLUICE_STREAM_FAILED || result == SLUICE_ERROR_NETWORK ||
                 (result == SLUICE_OK && received == 0);
  if (is_finishing_ && queue_.empty()) close();
}

int64_t SendingPeer::wake_ns() {
  int64_t wake_ns = SLUICE_FOREVER;
  std::vector<pollfd> none;
  if (stream_) driver_.network().poll_set(stream_, SLUICE_NET_WRITE, none, wake_ns);
  return wake_ns;
}

void ReceivingPeer::listen(const std::string& address, uint16_t port) {
  sluice_stream_options options{};
  options.struct_size = sizeof(options);
  auto listener = driver_.network().listen(address, port, options);
  if (!listener) std::abort();
  listener_ = *listener;
}

void ReceivingPeer::stop_listening() {
  if (listener_) driver_.network().close_listener(listener_);
  listener_ = nullptr;
}

void ReceivingPeer::connect(const std::string& host, uint16_t port) {
  close();
  sluice_stream_options options{};
  options.struct_size = sizeof(options);
  auto stream = driver_.network().connect(host, port, options);
  if (!stream) std::abort();
  stream_ = *stream;
  sessions_.emplace_back().start_ns = driver_.now_ns();
  total_ = 0;
}

void ReceivingPeer::send(std::string_view bytes) {
  size_t sent = 0;
  driver_.network().send(stream_, bytes.data(), bytes.size(), sent);
}

void ReceivingPeer::close(bool abort) {
  if (!stream_) return;
  driver_.network().close(stream_, abort);
  stream_ = nullptr;
  sessions_.back().end_ns = driver_.now_ns();
}

void ReceivingPeer::end_session(bool politely) {
  sessions_.back().ended_politely = politely;
  close();
}

void ReceivingPeer::act() {
  if (!stream_ && listener_ && driver_.network().accept(listener_, &stream_) == SLUICE_OK) {
    sessions_.emplace_back().start_ns = driver_.now_ns();
    total_ = 0;
  }
  std::array<std::byte, 16384> chunk;
  while (stream_ && reads_) {
    size_t received = 0;
    const sluice_result result =
        driver_.network().receive(stream_, chunk.data(), chunk.size(), received);
    if (result == SLUICE_ERROR_AGAIN) return;
    if (result != SLUICE_OK || received == 0) return end_session(result == SLUICE_OK);
    Session& session = sessions_.back();
    total_ += received;
    if (keeps_bytes_) {
      session.bytes.insert(session.bytes.end(), chunk.begin(),
                           chunk.begin() + static_cast<std::ptrdiff_t>(received));
    }
    session.arrivals.push_back({driver_.now_ns(), total_});
  }
}

int64_t ReceivingPeer::wake_ns() {
  int64_t wake_ns = SLUICE_FOREVER;
  std::vector<pollfd> none;
  if (listener_) driver_.network().poll_set(listener_, SLUICE_NET_READ, none, wake_ns);
  if (stream_) driver_.network().poll_set(stream_, SLUICE_NET_READ, none, wake_ns);
  return wake_ns;
}

}  // namespace sluice::tests
