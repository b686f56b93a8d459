#include "host/validate/peers.hpp"

#include <algorithm>
#include <array>

#include "host/engine/net/address.hpp"

namespace sluice::validate {
namespace {

constexpr int64_t kStepNs = 20'000'000;
// Stands for every name that the node looks up (RFC 5737).
constexpr const char* kAddress = "192.0.2.1";

sluice_stream_options no_options() {
  sluice_stream_options options{};
  options.struct_size = sizeof(options);
  return options;
}

}  // namespace

Peers::~Peers() {
  for (sluice_stream* stream : streams_) network_.close(stream, true);
  for (const Listener& each : listeners_) network_.close_listener(each.listener);
}

void Peers::node_connects(const std::string& name, uint16_t port) {
  const auto is_known = [&](const Listener& l) { return l.name == name && l.port == port; };
  if (std::ranges::any_of(listeners_, is_known)) return;
  const bool is_address = engine::parse_address(name, port).has_value();
  const std::string address = is_address ? name : name == "localhost" ? "127.0.0.1" : kAddress;
  if (!is_address && name != "localhost") network_.add_name(name, {address}, 1'000'000);
  engine::MemoryPath path;
  path.delay_ns = 5'000'000;
  if (habit_ == Habit::kDead) path.reach = engine::MemoryPath::Reach::kBlackHole;
  if (habit_ == Habit::kSlow) path.bytes_per_s = 1000, path.window_bytes = 2048;
  network_.set_path(address, path);
  const auto made = network_.listen(address, port, no_options());
  if (made) listeners_.push_back({name, port, *made});
}

void Peers::node_listens(const std::string& address, uint16_t port) {
  const bool is_any = address.empty() || address == "*" || address == "0.0.0.0" || address == "::";
  const bool is_name = !is_any && !engine::parse_address(address, port).has_value();
  targets_.push_back({is_any || is_name ? "127.0.0.1" : address, port});
}

void Peers::talk(sluice_stream*& stream) {
  std::array<std::byte, 4096> chunk;
  size_t count = 0;
  sluice_stream_info info{};
  info.struct_size = sizeof(info);
  network_.info(stream, info);
  bool is_over = info.state == SLUICE_STREAM_FAILED;
  const auto take = [&](size_t most) {
    const sluice_result received = network_.receive(stream, chunk.data(), most, count);
    is_over = received == SLUICE_ERROR_NETWORK || (received == SLUICE_OK && count == 0);
    return received == SLUICE_OK && !is_over;
  };
  if (!is_over && habit_ == Habit::kGood) {
    while (take(chunk.size())) {
    }
  } else if (!is_over && habit_ != Habit::kDead) {
    take(habit_ == Habit::kSlow ? 8 : chunk.size());
    std::ranges::generate(chunk, [&] { return static_cast<std::byte>(random_()); });
    const size_t size = habit_ == Habit::kSlow ? 1 : 1 + random_() % chunk.size();
    if (!is_over) network_.send(stream, chunk.data(), size, count);
    if (habit_ == Habit::kRandom && random_() % 16 == 0) is_over = true;
  }
  if (is_over) {
    network_.close(stream, random_() % 2 == 0);
    stream = nullptr;
  }
}

void Peers::act(int64_t now_ns) {
  if (now_ns < next_ns_) return;
  next_ns_ = now_ns + kStepNs;
  for (const Listener& each : listeners_) {
    sluice_stream* stream = nullptr;
    while (network_.accept(each.listener, &stream) == SLUICE_OK) streams_.push_back(stream);
  }
  for (const Target& target : targets_) {
    if (streams_.size() >= 3) break;
    if (auto made = network_.connect(target.address, target.port, no_options())) {
      streams_.push_back(*made);
    }
  }
  for (sluice_stream*& stream : streams_) talk(stream);
  std::erase(streams_, nullptr);
}

}  // namespace sluice::validate
