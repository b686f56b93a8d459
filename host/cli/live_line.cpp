#include "host/cli/live_line.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "host/cli/terminal.hpp"
#include "host/session/clock_map.hpp"
#include "host/session/ledger.hpp"
#include "host/session/statistics.hpp"

namespace sluice::cli {
namespace {

constexpr int64_t kPlainIntervalS = 2;  // between lines where they cannot be redrawn

// Characters, not bytes, of valid UTF-8.
size_t length_of(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string bar(double part, bool is_unicode) {
  static constexpr const char* kBlocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  static constexpr const char* kDigits[] = {"_", ".", ":", "-", "=", "+", "*", "#"};
  const auto step = static_cast<size_t>(std::lround(std::clamp(part, 0.0, 1.0) * 7.0));
  return is_unicode ? kBlocks[step] : kDigits[step];
}

// -60..0 dB as 0..1.
double meter_part(double db) { return (db + 60.0) / 60.0; }

bool is_outer(const engine::OutputSnapshot& output) { return output.port->node.inputs.empty(); }

// "wav ▆ -12 dB"; a file may have been read to its end long before its last frame is heard.
std::string level_of(const engine::OutputSnapshot& output, bool is_unicode) {
  const engine::Node& node = output.port->node;
  if (output.levels.samples == 0) {
    const bool is_over = node.state() == engine::NodeState::kFinished;
    return fmt::format("  {} {}", node.id(), is_over ? "ended" : "waits");
  }
  const double peak_db = session::level_db(output.levels.peak);
  return fmt::format("  {} {} {} dB", node.id(), bar(meter_part(peak_db), is_unicode),
                     std::lround(peak_db));
}

// A gauge that is measured against a parameter: "gate -31 of -50 dB".
std::string thresholds(const engine::NodeSnapshot& node) {
  const sluice_type& type = node.node->type();
  std::string text;
  for (uint32_t i = 0; i < type.statistic_count; ++i) {
    const sluice_statistic& statistic = type.statistics[i];
    if (!statistic.against) continue;
    for (uint32_t p = 0; p < type.parameter_count; ++p) {
      if (std::strcmp(type.parameters[p].key, statistic.against) != 0) continue;
      const double value = session::statistic_of(node, i);
      text += fmt::format("  {} {} of {:.0f} {}", node.node->id(),
                          std::isfinite(value) ? fmt::format("{:.0f}", value) : "-inf",
                          node.node->current_number(p), statistic.unit ? statistic.unit : "");
    }
  }
  return text;
}

// What bridges between clocks make up for: "null.in.bridge1 +12 ppm".
std::string bridged(const engine::NodeSnapshot& node) {
  if (!session::is_bridge(*node.node)) return {};
  const sluice_type& type = node.node->type();
  for (uint32_t i = 0; i < type.statistic_count; ++i) {
    if (std::string_view(type.statistics[i].key) != "ppm") continue;
    return fmt::format("  {} {:+.0f} ppm", node.node->id(), session::statistic_of(node, i));
  }
  return {};
}

}  // namespace

std::string status_line(const engine::Snapshot& snapshot, int64_t start_ns, size_t columns,
                        bool is_unicode) {
  const double seconds = static_cast<double>(snapshot.time_ns - start_ns) / 1e9;
  std::string line =
      fmt::format("{}:{:04.1f}", static_cast<int64_t>(seconds) / 60, std::fmod(seconds, 60.0));
  const auto add = [&](const std::string& part) {
    if (length_of(line) + length_of(part) <= columns) line += part;
  };
  for (const auto& output : snapshot.outputs) {
    if (is_outer(output)) add(level_of(output, is_unicode));
  }
  for (const auto& node : snapshot.nodes) {
    if (const std::string text = thresholds(node); !text.empty()) add(text);
    if (const std::string text = bridged(node); !text.empty()) add(text);
  }
  const auto ledgers = session::latency_ledgers(snapshot);
  if (const auto* slowest = session::slowest(ledgers)) {
    add(fmt::format("  latency {:.0f} ms", slowest->ms()));
  }
  add("  ");
  for (const auto& edge : snapshot.edges) {
    const double part = edge.capacity_frames == 0 ? 0.0
                                                  : static_cast<double>(edge.fill_frames) /
                                                        static_cast<double>(edge.capacity_frames);
    add(fmt::format(" {}>{}{}{}", edge.edge->from.node.id(), edge.edge->to.node.id(),
                    bar(part, is_unicode),
                    edge.lost_frames != 0 ? fmt::format(" lost {}", edge.lost_frames) : ""));
  }
  return line;
}

LiveLine::LiveLine()
    : is_terminal_(isatty(STDERR_FILENO) != 0), is_unicode_(has_unicode()), redirect_(*this) {}

LiveLine::~LiveLine() { clear(); }

void LiveLine::show(const engine::Snapshot& snapshot, int64_t start_ns) {
  const std::lock_guard lock(mutex_);
  if (is_terminal_) {
    erase();
    line_ = status_line(snapshot, start_ns, terminal_columns() - 1, is_unicode_);
    draw();
    return;
  }
  const int64_t now_s = (snapshot.time_ns - start_ns) / 1'000'000'000;
  if (now_s < printed_at_s_ + kPlainIntervalS) return;
  printed_at_s_ = now_s;
  std::fprintf(stderr, "%s\n", status_line(snapshot, start_ns, 160, is_unicode_).c_str());
}

void LiveLine::clear() {
  const std::lock_guard lock(mutex_);
  erase();
  line_.clear();
}

void LiveLine::draw() {
  if (line_.empty()) return;
  std::fputs(line_.c_str(), stderr);
  std::fflush(stderr);
}

void LiveLine::erase() {
  if (line_.empty()) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
}

void LiveLine::write(const support::LogLine& line) {
  const std::lock_guard lock(mutex_);
  erase();
  support::write_to_stderr(line);
  draw();
}

void LiveLine::flush() { std::fflush(stderr); }

}  // namespace sluice::cli
