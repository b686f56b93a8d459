#include "tests/support/graph_properties.hpp"

#include <optional>
#include <vector>

#include "host/graph/edit.hpp"
#include "host/graph/format.hpp"
#include "host/graph/json_comments.hpp"
#include "host/graph/json_text.hpp"
#include "host/graph/load.hpp"
#include "host/graph/value.hpp"
#include "tests/support/graph_catalog.hpp"

namespace sluice::test {
namespace {

using graph::Json;
using graph::JsonKind;
using graph::Value;

std::string without_returns(std::string_view text) {
  std::string kept;
  for (const char c : text) {
    if (c != '\r') kept += c;
  }
  return kept;
}

// All comments, one after the other, in their order.
std::vector<std::string> comments_of(std::string_view text) {
  std::vector<std::string> all;
  for (const std::size_t begin : graph::comment_begins(text)) {
    std::size_t after = 0;
    const auto comments = graph::comments_between(text, begin, begin + 1, after);
    all.push_back(without_returns(text.substr(begin, comments.front().end - begin)));
  }
  return all;
}

std::string broken_edits_at(std::string_view text, const Json& json) {
  const Value before = *graph::parse_json_value(text);
  const std::string pointer = json.pointer();
  if (const auto replaced = graph::replace_value(text, pointer, "[1]"); !replaced) {
    return "replace_value at '" + pointer + "': " + replaced.error().message;
  } else {
    const auto value = graph::parse_json_value(*replaced);
    if (!value) return "replace_value at '" + pointer + "' broke the text: " + *replaced;
    const auto back = graph::replace_value(*replaced, pointer, graph::to_json(json.value()));
    if (!back || *graph::parse_json_value(*back) != before) {
      return "replace_value at '" + pointer + "' and back is not the same";
    }
  }
  if (json.is(JsonKind::kObject) || json.is(JsonKind::kList)) {
    const bool object = json.is(JsonKind::kObject);
    const auto grown = object ? graph::insert_member(text, pointer, "a new key/~", "{\"b\": 2}")
                              : graph::insert_element(text, pointer, "{\"b\": 2}", json.size() / 2);
    if (!grown) return "insert at '" + pointer + "': " + grown.error().message;
    if (!graph::parse_json_value(*grown)) {
      return "insert at '" + pointer + "' broke the text: " + *grown;
    }
    const std::string added =
        pointer + (object ? "/a new key~1~0" : "/" + std::to_string(json.size() / 2));
    const auto shrunk = graph::remove_value(*grown, added);
    if (!shrunk) return "remove at '" + added + "': " + shrunk.error().message;
    const auto value = graph::parse_json_value(*shrunk);
    if (!value || *value != before) return "insert and remove at '" + pointer + "': " + *shrunk;
  }
  if (json.parent()) {
    const auto removed = graph::remove_value(text, pointer);
    if (!removed) return "remove_value at '" + pointer + "': " + removed.error().message;
    const auto value = graph::parse_json_value(*removed);
    if (!value) return "remove_value at '" + pointer + "' broke the text: " + *removed;
  }
  return {};
}

}  // namespace

std::string broken_normal_form(const graph::Document& document) {
  const std::string text =
      graph::to_pretty_json(graph::to_normal_json(document, graph::Secrets::kReveal));
  graph::LoadOptions options;
  options.check_files = false;
  options.folder = document.folder;
  const graph::LoadResult again = graph::load_text(text, "normal.json", graph_catalog(), options);
  if (!again.document) {
    return "the normal form is refused: " + to_text(again.diagnostics.front()) + "\n" + text;
  }
  if (!graph::same_graph(document, *again.document)) {
    return "the normal form is another graph:\n" + text + "\n" +
           graph::to_pretty_json(graph::to_normal_json(*again.document, graph::Secrets::kReveal));
  }
  return {};
}

std::string broken_format(std::string_view text) {
  const graph::FormatResult once = graph::format(text, "text");
  if (!once.diagnostics.empty()) return {};
  const graph::FormatResult twice = graph::format(once.text, "text");
  if (!twice.diagnostics.empty()) {
    return "the formatted text is no JSON: " + to_text(twice.diagnostics.front()) + "\n" +
           once.text;
  }
  if (twice.text != once.text)
    return "formatting again changes:\n" + once.text + "\nto\n" + twice.text;
  const auto before = graph::parse_json_value(text);
  const auto after = graph::parse_json_value(once.text);
  if (!before || !after || *before != *after) return "formatting changed a value:\n" + once.text;
  const std::string_view plain = text.substr(text.starts_with("\xEF\xBB\xBF") ? 3 : 0);
  if (comments_of(plain) != comments_of(once.text)) {
    return "formatting changed the comments:\n" + once.text;
  }
  return {};
}

std::string broken_edits(std::string_view text) {
  constexpr std::size_t kMaximumPlaces = 30;
  graph::Report report;
  const graph::SourceText source("text", {}, std::string(text));
  const graph::JsonText json(source, report);
  if (report.has_errors() || !json.root()) return {};
  std::vector<Json> places = {*json.root()};
  for (std::size_t i = 0; i < places.size() && i < kMaximumPlaces; ++i) {
    const Json place = places[i];
    if (std::string broken = broken_edits_at(text, place); !broken.empty()) return broken;
    for (const Json& child : place.children()) places.push_back(child);
  }
  return {};
}

}  // namespace sluice::test
