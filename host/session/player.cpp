#include "host/session/player.hpp"

#include <algorithm>
#include <sluice/frames.hpp>

#include "host/engine/net/memory_network.hpp"
#include "host/engine/net/socket_network.hpp"
#include "host/session/statistics.hpp"
#include "host/support/log.hpp"

namespace sluice::session {
namespace {

constexpr uint32_t kRealTimeBlockFrames = 1024;
constexpr uint32_t kOfflineBlockFrames = 32768;
// The longest that a fade is waited for, and then the flushing of the sinks.
constexpr int64_t kFadeNs = 60'000'000;
constexpr int64_t kLongestFadeNs = 1'000'000'000;
constexpr int64_t kFlushNs = 300'000'000;

}  // namespace

class Player::Log final : public engine::NodeLog {
 public:
  void write(const std::string& node, uint32_t level, const std::string& sentence) override {
    support::log(static_cast<support::LogLevel>(level), node, sentence);
  }
};

Player::Player(engine::TimeMode time) : log_(std::make_unique<Log>()) {
  const auto now_ns = [this] { return build_.engine->clock().now_ns(); };
  if (time == engine::TimeMode::kVirtual) {
    network_ = std::make_unique<engine::MemoryNetwork>(now_ns);
  } else {
    network_ = std::make_unique<engine::SocketNetwork>(now_ns);
  }
}

Player::~Player() {
  if (build_.engine) build_.engine->stop();
}

std::unique_ptr<Player> Player::make(const graph::Document& document, loader::Registry& registry,
                                     const PlayerOptions& options,
                                     std::vector<graph::Diagnostic>& diagnostics) {
  std::unique_ptr<Player> player(new Player(options.time));
  BuildOptions build_options{engine::EngineOptions{}};
  build_options.time = options.time;
  build_options.is_offline = options.is_offline;
  build_options.block_frames = options.block_frames != 0 ? options.block_frames
                               : options.is_offline      ? kOfflineBlockFrames
                                                         : kRealTimeBlockFrames;
  build_options.priority = options.priority;
  build_options.network = options.network ? options.network : player->network_.get();
  build_options.log = player->log_.get();
  build_options.isolates_third_party = options.isolates_third_party;
  player->build_options_ = build_options;
  player->is_metered_ = options.is_metered;
  player->build_ = build(document, registry, player->build_options_);
  diagnostics = player->build_.diagnostics;
  if (!player->build_.engine) return nullptr;
  engine::Engine& engine = player->engine();
  if (options.is_dry_run) return player;
  if (auto status = engine.prepare(); !status) {
    // The error begins with the id of the node it is about.
    const std::string& message = status.error().message;
    diagnostics.push_back(
        {graph::Severity::kError, document.locate(message.substr(0, message.find(':'))), message});
    return nullptr;
  }
  engine.set_metered(options.is_metered);
  return player;
}

support::Status Player::start() {
  start_ns_ = engine().clock().now_ns();
  auto status = engine().start();
  warn_of_scheduling();
  return status;
}

void Player::warn_of_scheduling() {
  if (build_options_.priority == 0 || has_warned_of_scheduling_) return;
  for (const auto& lane : engine().lanes()) {
    const auto scheduling = lane->scheduling();
    if (scheduling.why_not.empty()) continue;
    support::log_warning(scheduling.why_not);
    has_warned_of_scheduling_ = true;
    return;
  }
}

Player::Outcome Player::play(const std::function<int64_t()>& next_tick_ns,
                             const std::function<void()>& tick,
                             const std::function<bool()>& go_on) {
  for (;;) {
    const auto outcome = engine().run(next_tick_ns(), go_on);
    if (outcome == engine::Engine::Outcome::kFinished) return Outcome::kFinished;
    if (outcome == engine::Engine::Outcome::kStalled) return Outcome::kStalled;
    if (!go_on()) return Outcome::kInterrupted;
    warn_of_scheduling();
    tick();
  }
}

void Player::end_gracefully(const std::function<bool()>& go_on) {
  engine::Engine& e = engine();
  e.fade_out();
  int64_t behind_ns = 0;
  for (const auto& edge : e.snapshot().edges) {
    const auto& format = edge.edge->from.format;
    if (format.sample_format == SLUICE_SAMPLE_F32 || format.rate_hz == 0) continue;
    behind_ns = std::max(behind_ns, ns_of_frames(edge.fill_frames, format.rate_hz));
  }
  e.run(e.clock().now_ns() + std::min(kFadeNs + behind_ns, kLongestFadeNs), go_on);
  e.stop_sources();
  e.run(e.clock().now_ns() + kFlushNs, go_on);
  e.stop();
}

std::vector<std::string> Player::failures() {
  std::vector<std::string> sentences;
  for (const engine::Node* node : engine().nodes()) {
    if (node->state() != engine::NodeState::kFailed) continue;
    const std::string why = node->sentence();
    sentences.push_back(node->id() + " failed" + (why.empty() ? "." : ": " + why));
  }
  return sentences;
}

}  // namespace sluice::session
