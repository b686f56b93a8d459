// source.tcp on bytes nobody meant: header parser, chunking, changes of sender.
//
// The first bytes choose parameters and how the rest is cut; each piece arrives 1 ms after the one
// before, and some pieces begin a new connection.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "tests/support/net_peers.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using sluice::tests::SendingPeer;
  using sluice::tests::WorkerDriver;
  constexpr size_t kChoices = 4;
  constexpr size_t kMostBytes = 1 << 16;
  constexpr int64_t kMs = 1'000'000;
  if (size < kChoices || size > kMostBytes) return 0;
  constexpr const char* kHeaders[] = {"none", "wav", "auto"};
  constexpr const char* kFormats[] = {"f32", "s16", "s24", "s32"};
  const uint8_t options = data[0];
  const uint32_t channels = 1u + data[1] % SLUICE_MAX_CHANNELS;
  const size_t largest_piece = 1u + data[2];
  uint32_t random = data[3];
  const auto bytes = std::as_bytes(std::span(data + kChoices, size - kChoices));

  WorkerDriver node("source.tcp");
  SendingPeer first(node), second(node);
  node.set("header", kHeaders[options % 3]);
  node.set("format", kFormats[(options / 3) % 4]);
  node.set("channels", channels);
  if (options & 0x40) node.set_capacity(1000);
  node.on_write([&](const WorkerDriver::Write& write) {
    node.at(node.now_ns() + kMs, [&node, frames = write.frames] { node.take(frames); });
  });
  const auto format = node.describe();
  if (!format) std::abort();
  const sluice_format negotiated{sizeof(sluice_format), format->offers[0].preferred, channels,
                                 format->offers[0].rate_hz_minimum};
  if (!node.prepare(negotiated)) std::abort();
  node.at(0, [&] { first.connect(); });
  int64_t time_ns = 0;
  bool is_second = false;
  for (size_t at = 0; at < bytes.size();) {
    random = random * 1664525u + 1013904223u;
    const size_t piece = std::min<size_t>(1 + (random >> 8) % largest_piece, bytes.size() - at);
    if ((options & 0x80) && random >> 28 == 0) {
      is_second = !is_second;
      SendingPeer& newcomer = is_second ? second : first;
      node.at(time_ns += kMs, [&newcomer] { newcomer.connect(); });
    }
    SendingPeer& sender = is_second ? second : first;
    node.at(time_ns += kMs, [&sender, part = bytes.subspan(at, piece)] { sender.push(part); });
    at += piece;
  }
  node.stop_at(time_ns + 10 * kMs);
  if (!node.run() || !node.violations().empty()) std::abort();
  if (node.counter("frames") != node.frames_written()) std::abort();
  return 0;
}
