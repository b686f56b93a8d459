#include "host/graph/edge_reader.hpp"

#include <algorithm>
#include <utility>

#include "host/graph/nearest_name.hpp"
#include "host/graph/shown.hpp"
#include "host/graph/typed_value.hpp"

namespace sluice::graph {
namespace {

constexpr std::string_view kArrow = "->";
constexpr std::string_view kBlanks = " \t\r\n";

std::string_view direction_name(PortDirection direction) {
  return direction == PortDirection::kInput ? "input" : "output";
}

std::vector<std::string_view> port_keys(const NodeType& type, PortDirection direction) {
  std::vector<std::string_view> keys;
  for (const Port& port : type.ports) {
    if (port.direction == direction) keys.push_back(port.key);
  }
  return keys;
}

std::string with_type(std::string_view node, const NodeType& type) {
  return std::string(node) + " (" + type.id + ")";
}

}  // namespace

void NodeIndex::add(std::string_view id, const NodeType* type) {
  if (types_.emplace(id, type).second) ids_.push_back(id);
}

const NodeType* NodeIndex::type(std::string_view id) const {
  const auto found = types_.find(id);
  return found == types_.end() ? nullptr : found->second;
}

std::vector<Edge> EdgeReader::read(const RawEdge& raw) {
  std::deque<std::string> texts;
  std::vector<Stop> stops;
  const std::size_t errors = report_.error_count();
  std::vector<Edge> edges = read_chain(raw, texts, stops);
  const bool whole = report_.error_count() == errors && edges.size() + 1 == stops.size();
  if (doubts_ != nullptr && !whole) {
    if (stops.size() < 2) doubts_->all = true;
    for (const Stop& stop : stops) doubts_->nodes.emplace(stop.node);
  }
  return edges;
}

std::vector<Edge> EdgeReader::read_chain(const RawEdge& raw, std::deque<std::string>& texts,
                                         std::vector<Stop>& stops) {
  bool good = true;
  for (const RawValue& part : raw.texts) {
    const auto expanded = expander_.expand(part);
    if (!expanded) {
      if (doubts_ != nullptr) doubts_->all = true;
      good = false;
      continue;
    }
    if (!expanded->value.is_text()) {
      report_.error(part.at, "the end of an edge must be text, the name of a node, not " +
                                 std::string(expanded->value.kind_name()));
      good = false;
      continue;
    }
    const std::string& text = texts.emplace_back(expanded->value.text());
    const bool whole = raw.form == RawEdge::Form::kChain || raw.form == RawEdge::Form::kKeyed;
    good = (whole ? split(part, text, *expanded, stops) : stop(part, text, 0, *expanded, stops)) &&
           good;
  }
  const EdgeOptions options = edge_options(raw.options, expander_, report_);
  if (!good) return {};
  if (raw.form == RawEdge::Form::kKeyed && stops.size() != 2) {
    report_.error(raw.at, "the key of an edge names its two ends: \"a.out->b.in\"");
    return {};
  }
  if (stops.size() < 2) {
    report_.error(raw.at, "an edge needs two ends: \"a -> b\"");
    return {};
  }
  for (std::size_t i = 0; i < stops.size(); ++i) {
    find_ports(stops[i], i > 0, i + 1 < stops.size());
  }
  std::vector<Edge> edges;
  for (std::size_t i = 0; i + 1 < stops.size(); ++i) {
    const Stop& from = stops[i];
    const Stop& to = stops[i + 1];
    if (from.out.empty() || to.in.empty()) continue;
    Edge edge{std::string(from.node), from.out, std::string(to.node), to.in, options, from.at};
    check_kinds(edge, *from.type, *to.type);
    edges.push_back(std::move(edge));
  }
  return edges;
}

bool EdgeReader::split(const RawValue& raw, const std::string& text, const Expanded& expanded,
                       std::vector<Stop>& stops) {
  bool good = true;
  std::size_t begin = 0;
  while (true) {
    const std::size_t arrow = text.find(kArrow, begin);
    const std::size_t end = std::min(arrow, text.size());
    good = stop(raw, std::string_view(text).substr(begin, end - begin), begin, expanded, stops) &&
           good;
    if (arrow == std::string::npos) return good;
    begin = arrow + kArrow.size();
  }
}

bool EdgeReader::stop(const RawValue& raw, std::string_view text, std::size_t begin,
                      const Expanded& expanded, std::vector<Stop>& stops) {
  const auto at = [&](std::size_t index) { return raw.at_index(expanded.raw_index(index)); };
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) {
    report_.error(at(begin), "the name of a node is missing here");
    return false;
  }
  text = text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
  begin += first;
  Stop stop;
  const std::size_t dot = text.find('.');
  stop.node = text.substr(0, dot);
  stop.at = at(begin);
  stop.port_at = stop.at;
  if (dot != std::string_view::npos) {
    stop.port = text.substr(dot + 1);
    stop.port_at = at(begin + dot + 1);
    if (stop.port.empty()) {
      report_.error(stop.port_at, "the name of a port is missing after the dot");
      return false;
    }
  }
  if (!nodes_.contains(stop.node)) {
    std::string help;
    if (report_.wants_suggestions()) help = did_you_mean(stop.node, nodes_.ids());
    if (help.empty()) {
      help = text.find_first_of(" \t=>") == std::string_view::npos
                 ? "; add it to \"nodes\""
                 : "; an edge is written \"a -> b\"";
    }
    if (doubts_ != nullptr) doubts_->all = true;
    report_.error(stop.at, "there is no node " + shown(stop.node) + help);
    return false;
  }
  stop.type = nodes_.type(stop.node);
  stops.push_back(std::move(stop));
  return true;
}

void EdgeReader::find_ports(Stop& stop, bool ends_here, bool begins_here) {
  if (stop.type == nullptr) return;
  const NodeType& type = *stop.type;
  const bool is_in = type.find_port(PortDirection::kInput, stop.port) != nullptr;
  const bool is_out = type.find_port(PortDirection::kOutput, stop.port) != nullptr;
  if (!stop.port.empty() && !is_in && !is_out) {
    std::vector<std::string_view> keys;
    for (const Port& port : type.ports) keys.push_back(port.key);
    std::string help = did_you_mean(stop.port, keys);
    if (help.empty() && !keys.empty()) help = listed(keys);
    report_.error(stop.port_at,
                  with_type(stop.node, type) + " has no port " + shown(stop.port) + help);
    return;
  }
  // In the middle of a chain a named port is the one of its direction; the other is the default.
  const bool middle = ends_here && begins_here;
  const auto find = [&](PortDirection direction, bool named) {
    if (stop.port.empty() || (middle && !named)) return default_port(stop, direction);
    if (named) return std::string(stop.port);
    const auto keys = port_keys(type, direction);
    const bool input = direction == PortDirection::kInput;
    report_.error(stop.port_at,
                  std::string(stop.node) + "." + std::string(stop.port) + " is an " +
                      std::string(input ? "output; an edge ends at an input"
                                        : "input; an edge begins at an output") +
                      (keys.empty() ? ", and " + with_type(stop.node, type) + " has none"
                                    : ": " + joined(keys, "or")));
    return std::string();
  };
  if (ends_here) stop.in = find(PortDirection::kInput, is_in);
  if (begins_here) stop.out = find(PortDirection::kOutput, is_out);
}

std::string EdgeReader::default_port(const Stop& stop, PortDirection direction) {
  const NodeType& type = *stop.type;
  if (const Port* port = type.default_port(direction)) return port->key;
  const auto keys = port_keys(type, direction);
  if (keys.empty()) {
    const bool input = direction == PortDirection::kInput;
    report_.error(stop.at, with_type(stop.node, type) + " has no " +
                               std::string(direction_name(direction)) +
                               (input ? "; no edge can end at it" : "; no edge can begin at it"));
  } else {
    report_.error(stop.at, with_type(stop.node, type) + " has several " +
                               std::string(direction_name(direction)) + "s; say which, such as " +
                               std::string(stop.node) + "." + std::string(keys.front()) + " (" +
                               joined(keys, "or") + ")");
  }
  return {};
}

void EdgeReader::check_kinds(const Edge& edge, const NodeType& from, const NodeType& to) {
  const PortKind out = from.find_port(PortDirection::kOutput, edge.from_port)->kind;
  const PortKind in = to.find_port(PortDirection::kInput, edge.to_port)->kind;
  const std::string begin = edge.from_node + "." + edge.from_port;
  const std::string end = edge.to_node + "." + edge.to_port;
  if (out != in) {
    const bool packets = out == PortKind::kPackets;
    report_.error(edge.at, begin + (packets ? " carries packets, but " : " carries PCM, but ") +
                               end +
                               (packets ? " takes PCM; put a decoder between them"
                                        : " takes packets; put an encoder between them"));
  } else if (out == PortKind::kPackets && edge.options.gain_db != 0) {
    report_.error(edge.at, begin + " carries packets, which have no gain; remove \"gain_db\"");
  }
}

}  // namespace sluice::graph
