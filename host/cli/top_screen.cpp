#include "host/cli/top_screen.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "host/cli/answer.hpp"
#include "host/support/printable.hpp"

namespace sluice::cli {
namespace {

using graph::Value;

constexpr double kLeastDb = -60.0;  // where the level's bar begins
constexpr double kLoudDb = -6.0;
constexpr double kNothingDb = -144.0;  // what the host says of silence
constexpr double kClippingDb = -0.1;
// Lines that are no rows of a table: two of title, two headings, a blank between, the foot.
constexpr size_t kFixedLines = 6;
constexpr size_t kLeastColumns = 40;
constexpr double kNsPerS = 1e9;
constexpr size_t kLatencyWidth = 11;
constexpr size_t kClockWidth = 12;
constexpr size_t kBehindLevel = kLatencyWidth + kClockWidth;

enum class Colour : uint8_t { kNone, kDim, kBold, kGreen, kYellow, kRed };

std::string_view sequence(Colour colour) {
  static constexpr std::string_view kSequences[] = {"",         "\x1b[2m",  "\x1b[1m",
                                                    "\x1b[32m", "\x1b[33m", "\x1b[31m"};
  return kSequences[static_cast<size_t>(colour)];
}

size_t width_of(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

// Text of at most `width` characters; what is left out is marked at the end.
std::string shortened(std::string_view text, size_t width, bool is_unicode) {
  if (width_of(text) <= width) return std::string(text);
  size_t bytes = 0;
  const size_t kept = width == 0 ? 0 : width - 1;
  for (size_t count = 0; count < kept; ++count) {
    bytes += std::max<size_t>(1, support::utf8_length(text.substr(bytes)));
  }
  return std::string(text.substr(0, bytes)) + (width == 0 ? "" : is_unicode ? "…" : "~");
}

// A line that never grows beyond the screen.
class Line {
 public:
  explicit Line(const TopView& view) : view_(view) {}

  void add(std::string_view text, size_t width, Colour colour = Colour::kNone,
           bool is_right = false) {
    const size_t room = std::min(width, view_.columns - std::min(view_.columns, used_));
    // Names come from elsewhere, too: from devices and from who typed them.
    const std::string part = shortened(support::printable(text), room, view_.is_unicode);
    const std::string gap(room - width_of(part), ' ');
    if (is_right) text_ += gap;
    if (view_.is_coloured && colour != Colour::kNone && !part.empty()) {
      text_.append(sequence(colour)).append(part).append("\x1b[0m");
    } else {
      text_ += part;
    }
    if (!is_right) text_ += gap;
    used_ += room;
  }
  void add(std::string_view text) { add(text, width_of(text)); }
  void add_right(std::string_view text, size_t width, Colour colour = Colour::kNone) {
    add(text, width, colour, true);
  }
  size_t left() const { return view_.columns - used_; }
  std::string finish() && {
    while (text_.ends_with(' ')) text_.pop_back();
    return std::move(text_);
  }

 private:
  const TopView& view_;
  std::string text_;
  size_t used_ = 0;
};

// A bar `width` cells wide: as much of it as `part` in colour, the rest dim.
void add_bar(Line& line, double part, size_t width, Colour colour, bool is_unicode) {
  static constexpr const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  part = std::isfinite(part) ? std::clamp(part, 0.0, 1.0) : 0.0;
  const double cells = part * static_cast<double>(width);
  auto full = static_cast<size_t>(cells);
  std::string filled;
  size_t drawn = full;
  if (is_unicode) {
    for (size_t i = 0; i < full; ++i) filled += "█";
    auto eighth = static_cast<size_t>((cells - static_cast<double>(full)) * 8.0);
    // Anything is more than nothing.
    if (full == 0 && part > 0.0) eighth = std::max<size_t>(eighth, 1);
    if (eighth != 0 && full < width) {
      filled += kEighths[eighth];
      ++drawn;
    }
  } else {
    if (part > 0.0) drawn = full = std::max<size_t>(full, 1);
    filled = std::string(full, '#');
  }
  line.add(filled, drawn, colour);
  std::string rest;
  for (size_t i = drawn; i < width; ++i) rest += is_unicode ? "·" : ".";
  line.add(rest, width - drawn, Colour::kDim);
}

// "950", "48.0k", "1.2M".
std::string short_count(double count) {
  static constexpr const char* kUnits[] = {"", "k", "M", "G", "T"};
  size_t unit = 0;
  while (count >= 999.5 && unit + 1 < std::size(kUnits)) {
    count /= 1000.0;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f}", count) : fmt::format("{:.1f}{}", count, kUnits[unit]);
}

std::string duration(double seconds) {
  const auto s = static_cast<int64_t>(std::max(0.0, seconds));
  if (s >= 86400) return fmt::format("{}d {:02}:{:02}", s / 86400, s / 3600 % 24, s / 60 % 60);
  if (s >= 3600) return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
  return fmt::format("{}:{:02}", s / 60, s % 60);
}

Colour colour_of_state(const std::string& state) {
  if (state == "running") return Colour::kGreen;
  if (state == "failed" || state == "lost") return Colour::kRed;
  if (state == "degraded") return Colour::kYellow;
  return Colour::kDim;
}

Colour colour_of_level(double db) {
  return db >= kClippingDb ? Colour::kRed : db >= kLoudDb ? Colour::kYellow : Colour::kGreen;
}

// What its clock does, of a node that measures one: "+12.3 ppm".
std::string clock_of(const Value& node) {
  for (const graph::Member& statistic : members(at(node, "statistics"))) {
    if (statistic.key.ends_with("_ppm") && statistic.value.is_number()) {
      return fmt::format("{:+.1f} ppm", statistic.value.number());
    }
  }
  return "";
}

// What is known of clocks and of whole ways, where a host tells it: "card +12.3 ppm · music →
// speakers 42.0 ms".
std::string clocks_and_ways(const Value& now, bool is_unicode) {
  std::string all;
  const auto add = [&](const std::string& part) {
    all += (all.empty() ? "" : is_unicode ? " · " : " | ") + part;
  };
  for (const graph::Member& clock : members(at(now, "clocks"))) {
    const Value& ppm = at(clock.value, "ppm");
    if (ppm.is_number()) add(fmt::format("{} {:+.1f} ppm", clock.key, ppm.number()));
  }
  const Value& ways = at(now, "latency");
  for (const Value& way : ways.is_array() ? ways.elements() : Value::Array{}) {
    const Value& measured = at(way, "measured_ms");
    const double latency_ms = number(measured.is_number() ? measured : at(way, "declared_ms"));
    add(fmt::format("{} {} {} {:.1f} ms", text(at(way, "source")), is_unicode ? "→" : ">",
                    text(at(way, "sink")), latency_ms));
  }
  return all;
}

// "hub.out->here.in" as "hub → here"; ports are named where they are not the usual ones.
std::string edge_name(const std::string& key, bool is_unicode) {
  const size_t arrow = key.find("->");
  if (arrow == std::string::npos) return key;
  std::string from = key.substr(0, arrow), to = key.substr(arrow + 2);
  if (from.ends_with(".out")) from.resize(from.size() - 4);
  if (to.ends_with(".in")) to.resize(to.size() - 3);
  return from + (is_unicode ? " → " : " > ") + to;
}

size_t longest(const std::vector<std::string>& texts, size_t least, size_t most) {
  size_t width = least;
  for (const std::string& one : texts) width = std::max(width, width_of(one));
  return std::min(width, most);
}

}  // namespace

struct TopScreen::Heights {
  size_t nodes = 0, edges = 0;
};

void TopScreen::take_status(Value status) {
  if (now_.is_null()) now_ = status;
  status_ = std::move(status);
}

void TopScreen::take_statistics(Value statistics) {
  before_ = std::move(now_);
  now_ = std::move(statistics);
}

double TopScreen::passed_s() const {
  return number(at(now_, "time_s")) - number(at(before_, "time_s"));
}

double TopScreen::per_second(const char* table, const std::string& name, const char* key) const {
  const Value& then = at(at(at(before_, table), name), key);
  const double seconds = passed_s();
  if (!then.is_number() || !(seconds > 0.0)) return 0.0;
  const double grown = number(at(at(at(now_, table), name), key)) - then.number();
  return std::max(0.0, grown) / seconds;
}

std::vector<std::string> TopScreen::node_rows(const TopView& view) const {
  const auto& nodes = members(at(now_, "nodes"));
  const auto& outputs = members(at(now_, "outputs"));
  std::vector<std::string> ids, types;
  for (const graph::Member& node : nodes) {
    ids.push_back(node.key);
    types.push_back(text(at(node.value, "type")));
  }
  const size_t id_width = longest(ids, 4, view.columns / 4);
  const size_t type_width = longest(types, 4, 16);
  std::vector<std::string> rows;
  {
    Line head(view);
    head.add("NODE", id_width + 1, Colour::kDim);
    head.add("TYPE", type_width + 1, Colour::kDim);
    head.add("STATE", 9, Colour::kDim);
    head.add_right("BUSY", 6, Colour::kDim);
    head.add("  ");
    const size_t rest = head.left() > kBehindLevel ? head.left() - kBehindLevel : 0;
    head.add("LEVEL", rest, Colour::kDim);
    head.add_right("LATENCY", kLatencyWidth, Colour::kDim);
    head.add_right("CLOCK", kClockWidth, Colour::kDim);
    rows.push_back(std::move(head).finish());
  }
  for (size_t i = 0; i < nodes.size(); ++i) {
    const graph::Member& node = nodes[i];
    double peak_db = kNothingDb, latency_ms = 0.0;
    bool is_fed = false;
    const auto take_output = [&](const Value& output) {
      is_fed = true;
      peak_db = std::max(peak_db, number(at(output, "peak_db")));
      latency_ms = std::max(latency_ms, number(at(output, "latency_ms")));
    };
    for (const graph::Member& output : outputs) {
      if (output.key.starts_with(node.key + ".")) take_output(output.value);
    }
    if (!is_fed) {
      // Of a sink, what it is given.
      for (const graph::Member& edge : members(at(now_, "edges"))) {
        const size_t arrow = edge.key.find("->" + node.key + ".");
        if (arrow == std::string::npos) continue;
        take_output(at(at(now_, "outputs"), edge.key.substr(0, arrow)));
      }
    }
    const std::string state = text(at(node.value, "state"));
    const std::string sentence = text(at(node.value, "sentence"));
    Line line(view);
    line.add(shortened(node.key, id_width, view.is_unicode), id_width + 1, Colour::kBold);
    line.add(shortened(types[i], type_width, view.is_unicode), type_width + 1);
    line.add(state, 9, colour_of_state(state));
    const double busy = per_second("nodes", node.key, "busy_ns") / kNsPerS * 100.0;
    line.add_right(fmt::format("{:.1f}%", busy), 6, busy >= 50.0 ? Colour::kRed : Colour::kNone);
    line.add("  ");
    const size_t rest = line.left() > kBehindLevel ? line.left() - kBehindLevel : 0;
    if (state != "running" && !sentence.empty()) {
      line.add(sentence, line.left(), colour_of_state(state));
    } else {
      if (is_fed && rest > 8) {
        const double part = (peak_db - kLeastDb) / -kLeastDb;
        add_bar(line, part, rest - 8, colour_of_level(peak_db), view.is_unicode);
        line.add_right(
            peak_db <= kNothingDb ? "-inf dB" : fmt::format("{} dB", std::lround(peak_db)), 8);
      } else {
        line.add("", rest);
      }
      line.add_right(is_fed ? fmt::format("{:.1f} ms", latency_ms) : "", kLatencyWidth);
      line.add_right(clock_of(node.value), kClockWidth);
    }
    rows.push_back(std::move(line).finish());
  }
  return rows;
}

std::vector<std::string> TopScreen::edge_rows(const TopView& view) const {
  const auto& edges = members(at(now_, "edges"));
  std::vector<std::string> names;
  for (const graph::Member& edge : edges) names.push_back(edge_name(edge.key, view.is_unicode));
  const size_t name_width = longest(names, 4, view.columns * 2 / 5);
  constexpr size_t kNumbers = 10 + 8 + 8 + 8;
  std::vector<std::string> rows;
  {
    Line head(view);
    head.add("EDGE", name_width + 1, Colour::kDim);
    head.add("FILL", head.left() > kNumbers ? head.left() - kNumbers : 0, Colour::kDim);
    head.add_right("", 10);
    head.add_right("READ/s", 8, Colour::kDim);
    head.add_right("LOST", 8, Colour::kDim);
    head.add_right("FILLED", 8, Colour::kDim);
    rows.push_back(std::move(head).finish());
  }
  for (size_t i = 0; i < edges.size(); ++i) {
    const graph::Member& edge = edges[i];
    const double capacity = number(at(edge.value, "capacity_frames"));
    const double fill = number(at(edge.value, "fill_frames"));
    Line line(view);
    line.add(shortened(names[i], name_width, view.is_unicode), name_width + 1, Colour::kBold);
    const size_t width = line.left() > kNumbers ? line.left() - kNumbers : 0;
    const double part = capacity > 0.0 ? fill / capacity : 0.0;
    add_bar(line, part, width, part >= 0.95 ? Colour::kYellow : Colour::kGreen, view.is_unicode);
    line.add_right(fmt::format("{:.1f} ms", number(at(edge.value, "fill_ms"))), 10);
    line.add_right(short_count(per_second("edges", edge.key, "read_frames")), 8);
    for (const char* key : {"lost_frames", "filled_frames"}) {
      const double count = number(at(edge.value, key));
      // Red while it grows.
      const bool is_growing = per_second("edges", edge.key, key) > 0.0;
      line.add_right(short_count(count), 8,
                     is_growing    ? Colour::kRed
                     : count > 0.0 ? Colour::kYellow
                                   : Colour::kDim);
    }
    rows.push_back(std::move(line).finish());
  }
  return rows;
}

TopScreen::Heights TopScreen::heights(const TopView& view) const {
  const size_t room = view.rows > kFixedLines ? view.rows - kFixedLines : 0;
  const size_t nodes = members(at(now_, "nodes")).size();
  const size_t edges = members(at(now_, "edges")).size();
  if (nodes + edges <= room) return {nodes, edges};
  // Each gets half, and what the other leaves.
  const size_t for_nodes = std::min(nodes, std::max(room / 2, room - std::min(room, edges)));
  return {for_nodes, std::min(edges, room - for_nodes)};
}

size_t TopScreen::most_scrolled(const TopView& view) const {
  const Heights shown = heights(view);
  const size_t nodes = members(at(now_, "nodes")).size();
  const size_t edges = members(at(now_, "edges")).size();
  return std::max(nodes - shown.nodes, edges - shown.edges);
}

std::vector<std::string> TopScreen::draw(const TopView& view) const {
  if (view.columns < kLeastColumns || view.rows < kFixedLines + 2) {
    return {shortened("The terminal is too small.", view.columns, view.is_unicode)};
  }
  std::vector<std::string> lines;
  Line title(view);
  const char* const dot = view.is_unicode ? " · " : " | ";
  title.add(text(at(status_, "graph")), width_of(text(at(status_, "graph"))), Colour::kBold);
  title.add(dot + duration(number(at(now_, "time_s"))));
  for (const graph::Member& one : members(at(status_, "routes"))) {
    title.add(dot);
    const std::string taken =
        one.key + (view.is_unicode ? " → " : " > ") + text(at(one.value, "taken"));
    title.add(taken, width_of(taken), Colour::kBold);
  }
  title.add(dot + fmt::format("version {}", whole(at(status_, "version"))));
  title.add(dot + fmt::format("process {}", whole(at(status_, "pid"))));
  lines.push_back(std::move(title).finish());
  Line second(view);
  const std::string measured = clocks_and_ways(now_, view.is_unicode);
  second.add(measured, view.columns, Colour::kDim);
  lines.push_back(std::move(second).finish());

  const Heights shown = heights(view);
  const auto add_table = [&](const std::vector<std::string>& rows, size_t height) {
    lines.push_back(rows.front());
    const size_t count = rows.size() - 1;
    const size_t first = std::min(view.scrolled, count - std::min(count, height));
    for (size_t i = 0; i < height; ++i) lines.push_back(rows[1 + first + i]);
  };
  add_table(node_rows(view), shown.nodes);
  lines.emplace_back();
  add_table(edge_rows(view), shown.edges);

  if (!view.is_interactive) return lines;
  Line foot(view);
  std::string hint = "q quit";
  if (most_scrolled(view) != 0) {
    hint += fmt::format("{}{} scroll {} nodes, {} edges", dot, view.is_unicode ? "↑↓" : "j k",
                        members(at(now_, "nodes")).size(), members(at(now_, "edges")).size());
  }
  foot.add(hint, view.columns, Colour::kDim);
  while (lines.size() + 1 < view.rows) lines.emplace_back();
  lines.push_back(std::move(foot).finish());
  return lines;
}

}  // namespace sluice::cli
