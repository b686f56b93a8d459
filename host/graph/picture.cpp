#include "host/graph/picture.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "host/graph/layers.hpp"
#include "host/graph/text_canvas.hpp"

namespace sluice::graph {
namespace {

constexpr size_t kBoxRows = 4;   // two lines of text and the frame
constexpr size_t kRowPitch = 5;  // and a blank line
constexpr size_t kGutter = 5;    // columns between layers, besides tracks

// Edges leave a box at the same point, so a gutter needs a track for each place that sends edges up
// or down; several edges of one place share it.
struct Gutter {
  std::map<size_t, size_t> track_of;  // by the place edges come from
  size_t width() const { return kGutter + 2 * track_of.size(); }
};

std::string xml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// Tall layers are centred against each other.
size_t offset_of(const Layers& layers, size_t layer) {
  size_t most = 0;
  for (const auto& column : layers.columns) most = std::max(most, column.size());
  return (most - layers.columns[layer].size()) / 2;
}

size_t row_of(const Layers& layers, const Place& place) {
  return place.row + offset_of(layers, place.layer);
}

std::string notes_of(const Layers& layers) {
  std::string notes;
  for (const Edge& edge : layers.edges) {
    if (const std::string label = label_of(edge); !label.empty()) {
      notes += "  " + edge.from_node + "." + edge.from_port + " -> " + edge.to_node + "." +
               edge.to_port + ": " + label + "\n";
    }
  }
  return notes;
}

}  // namespace

std::string draw_text(const Document& document, bool is_unicode) {
  const Layers layers = arrange(document);
  if (layers.columns.empty()) return "An empty graph.\n";
  std::vector<Gutter> gutters(layers.columns.size());
  for (const Segment& segment : layers.segments) {
    const Place& from = layers.places[segment.from];
    if (row_of(layers, from) == row_of(layers, layers.places[segment.to])) continue;
    auto& tracks = gutters[from.layer].track_of;
    tracks.emplace(segment.from, tracks.size());
  }
  std::vector<size_t> left(layers.columns.size());
  std::vector<size_t> width(layers.columns.size(), 1);
  size_t columns = 0;
  size_t rows = 0;
  for (size_t layer = 0; layer < layers.columns.size(); ++layer) {
    for (const size_t i : layers.columns[layer]) {
      if (const Node* node = layers.places[i].node) {
        width[layer] = std::max(width[layer], std::max(node->id.size(), node->type.size()) + 4);
      }
    }
    left[layer] = columns;
    columns += width[layer] + (layer + 1 < layers.columns.size() ? gutters[layer].width() : 1);
    rows = std::max(rows, (layers.columns[layer].size() + offset_of(layers, layer)) * kRowPitch);
  }
  TextCanvas canvas(columns, rows);
  const auto middle = [&](const Place& place) { return row_of(layers, place) * kRowPitch + 1; };
  for (const Place& place : layers.places) {
    const size_t x = left[place.layer];
    if (!place.node) {
      canvas.horizontal(middle(place), x, x + width[place.layer]);
      continue;
    }
    canvas.box(x, middle(place) - 1, width[place.layer], kBoxRows);
    canvas.text(x + 2, middle(place), place.node->id);
    canvas.text(x + 2, middle(place) + 1, place.node->type);
  }
  for (const Segment& segment : layers.segments) {
    const Place& from = layers.places[segment.from];
    const Place& to = layers.places[segment.to];
    const size_t begin = left[from.layer] + width[from.layer] - (from.node ? 1 : 0);
    const size_t end = left[to.layer];
    if (middle(from) == middle(to)) {
      canvas.horizontal(middle(from), begin, end);
    } else {
      const size_t track = begin + 2 + 2 * gutters[from.layer].track_of.at(segment.from);
      canvas.horizontal(middle(from), begin, track);
      canvas.vertical(track, middle(from), middle(to));
      canvas.horizontal(middle(to), track, end);
    }
    if (segment.is_last) canvas.text(end - 1, middle(to), ">");
  }
  return canvas.render(is_unicode) + notes_of(layers);
}

std::string draw_dot(const Document& document) {
  std::string dot = "digraph " + quote_json(document.name) +
                    " {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n";
  for (const Node& node : document.nodes) {
    dot +=
        "  " + quote_json(node.id) + " [label=" + quote_json(node.id + "\n" + node.type) + "];\n";
  }
  for (const Edge& edge : document.active_edges()) {
    const std::string label = label_of(edge);
    dot += "  " + quote_json(edge.from_node) + " -> " + quote_json(edge.to_node) +
           (label.empty() ? "" : " [label=" + quote_json(label) + "]") + ";\n";
  }
  return dot + "}\n";
}

std::string draw_svg(const Document& document) {
  constexpr size_t kWidth = 170, kHeight = 52, kAcross = 250, kDown = 84, kMargin = 20;
  const Layers layers = arrange(document);
  size_t rows = 1;
  for (const auto& column : layers.columns) rows = std::max(rows, column.size());
  const size_t wide = 2 * kMargin + layers.columns.size() * kAcross - (kAcross - kWidth);
  const size_t high = 2 * kMargin + rows * kDown - (kDown - kHeight);
  const auto n = [](size_t value) { return std::to_string(value); };
  const auto x_of = [&](const Place& place) { return kMargin + place.layer * kAcross; };
  const auto y_of = [&](const Place& place) { return kMargin + row_of(layers, place) * kDown; };
  std::string svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + n(wide) +
                    "\" height=\"" + n(high) + "\" viewBox=\"0 0 " + n(wide) + " " + n(high) +
                    "\" font-family=\"sans-serif\" font-size=\"14\">\n"
                    "<title>" +
                    xml(document.name) +
                    "</title>\n"
                    "<defs><marker id=\"end\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" "
                    "markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\">"
                    "<path d=\"M0 0L8 4L0 8z\" fill=\"#6b8cae\"/></marker></defs>\n";
  for (const Segment& segment : layers.segments) {
    const Place& from = layers.places[segment.from];
    const Place& to = layers.places[segment.to];
    const size_t x1 = x_of(from) + kWidth;
    const size_t y1 = y_of(from) + kHeight / 2;
    const size_t x2 = x_of(to);
    const size_t y2 = y_of(to) + kHeight / 2;
    const size_t bend = (x2 - x1) / 2;
    svg += "<path d=\"M" + n(from.node ? x1 : x1 - kWidth) + " " + n(y1) + "L" + n(x1) + " " +
           n(y1) + "C" + n(x1 + bend) + " " + n(y1) + " " + n(x2 - bend) + " " + n(y2) + " " +
           n(x2) + " " + n(y2) + "\" fill=\"none\" stroke=\"#6b8cae\" stroke-width=\"2\"" +
           (segment.is_last ? " marker-end=\"url(#end)\"" : "") + "/>\n";
    const std::string label = label_of(*segment.edge);
    if (segment.is_last && !label.empty()) {
      svg += "<text x=\"" + n(x2 - 8) + "\" y=\"" + n(y2 - 8) +
             "\" text-anchor=\"end\" font-size=\"11\" fill=\"#6b8cae\">" + xml(label) + "</text>\n";
    }
  }
  for (const Place& place : layers.places) {
    if (!place.node) continue;
    const size_t x = x_of(place);
    const size_t y = y_of(place);
    svg += "<g><title>" + xml(place.node->description) + "</title><rect x=\"" + n(x) + "\" y=\"" +
           n(y) + "\" width=\"" + n(kWidth) + "\" height=\"" + n(kHeight) +
           "\" rx=\"8\" fill=\"#17324d\" stroke=\"#6b8cae\"/>"
           "<text x=\"" +
           n(x + kWidth / 2) + "\" y=\"" + n(y + 22) +
           "\" text-anchor=\"middle\" fill=\"#ffffff\">" + xml(place.node->id) +
           "</text><text x=\"" + n(x + kWidth / 2) + "\" y=\"" + n(y + 40) +
           "\" text-anchor=\"middle\" font-size=\"12\" fill=\"#b8cce0\">" + xml(place.node->type) +
           "</text></g>\n";
  }
  return svg + "</svg>\n";
}

}  // namespace sluice::graph
